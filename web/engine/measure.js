// measure.js: how fast a model would be here. Owns the trial and its arithmetic; knows no files.
//
// The speed is measured, on random weights: the model's own layers and head, as many as make at least 256 MB
// of written memory, so that neither caches nor untouched pages, which are one page, flatter it. The number
// of layers and the vocabulary are changed by the same factor, by which the time of the whole model then
// differs from the time measured.

import {MAX_LAYERS, MAX_VOCABULARY} from '../base/constants.js';
import {timeOf} from '../base/clock.js';
import {SAMPLING} from './generate.js';
import {openSynthetic} from './open.js';

/**
 * @typedef {import('./module.js').Module} Module
 * @typedef {import('./module.js').Plan} Plan
 */

const TRIAL_BYTES = 256 * 2 ** 20;
const WARM_TOKENS = 8, MOST_PREFILL = 128, PREFILL_ROUNDS = 3, PREFILL_MS = 250;
const DECODE_MS = 400, FEWEST_STEPS = 6;

/**
 * @param {import('./features.js').Features} features
 * @param {Module} reader   whose plan is replaced
 * @param {Plan} plan
 * @param {import('./open.js').OpenOptions} options
 */
export async function measure(features, reader, {shape, type, bytesPerToken}, options) {
    reader.beginLoad(shape.architecture, 0);
    reader.planShape(shape, type);
    const wanted = Math.ceil(shape.layers * TRIAL_BYTES / reader.plan().weightBytes);
    const layers = Math.max(1,
        Math.min(wanted, MAX_LAYERS, Math.floor(MAX_VOCABULARY / shape.vocab * shape.layers)));
    const vocab = Math.max(2, Math.round(shape.vocab * layers / shape.layers));
    const trial = {shape: {...shape, layers, vocab, ctx: Math.max(shape.ctx, 256)}, type};
    const {module, session, plan, threads, threadsFailed} = await openSynthetic(trial, options, features);
    try {
        session.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
        const share = layers / shape.layers;
        /** @param {number} n @param {number} round */
        const read = (n, round) => {
            let again = 0;
            return n / timeOf(() => {
                session.sync(Array.from({length: n}, (_, i) => (round + again++ + (i + 1) * 7919) % vocab));
                while (session.step(MOST_PREFILL) > 0);
            }) * 1000;
        };
        const decode = 1000 / timeOfStep(session);
        // Measures in rounds of as many tokens as the time allows: larger batches are faster. The first round
        // warms up.
        let tokens = WARM_TOKENS, prefill = 0;
        for (let round = 1; round <= PREFILL_ROUNDS; round++) {
            prefill = Math.max(prefill, read(tokens, round));
            tokens = Math.max(WARM_TOKENS, Math.min(MOST_PREFILL, Math.round(prefill * PREFILL_MS / 1000)));
        }
        return {prefill: prefill * share, decode: decode * plan.bytesPerToken / bytesPerToken, threads,
            threadsFailed};
    } finally {
        module.close();
    }
}

/**
 * Milliseconds of a token, once the engine has tried its ways and knows the fastest: what the fastest quarter
 * of the steps takes at most.
 * @param {import('./engine_session.js').EngineSession} session
 */
function timeOfStep(session) {
    const times = [];
    session.sync([1]);
    session.step(1);
    for (const end = performance.now() + DECODE_MS; performance.now() < end || times.length < FEWEST_STEPS;) {
        times.push(timeOf(() => {
            // the context is full: from its beginning
            if (!session.push(session.sample())) session.sync([1]);
            session.step(1);
        }));
    }
    return times.sort((a, b) => a - b)[times.length >> 2];
}
