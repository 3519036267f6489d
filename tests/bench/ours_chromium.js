// The product in Chromium: the page as it is served, and gemma.js in it.
//
// Owns: how the product is measured in a page. Must not know: other contenders.

import {basename, dirname} from 'node:path';
import {serve} from '../../web/node/server.js';
import {createVisitor} from './chromium.js';
import {FIRST_PROMPT, works} from './shared.js';

export const title = 'gemma-wasm, Chromium';

/**
 * @param {import('./shared.js').Job} job
 * @param {{variant?: string, dot?: string}} engine   as Gemma.load takes it
 * @returns {Promise<import('./shared.js').Contender>}
 */
export async function start(job, engine) {
    const options = {...engine, threads: job.threads, contextLength: job.contextLength};
    const visitor = await createVisitor();
    const server = await serve({port: 0, models: job.model && dirname(job.model)});
    return {
        round: (round) => visitor.visit(server.url, (page) => job.model
            ? page.evaluate(withModel, {url: `models/${encodeURIComponent(basename(job.model))}`, options,
                works: works(job, round), first: FIRST_PROMPT})
            : withShape(page, {shape: job.shape, type: job.type, options, works: works(job, round)})),
        async close() {
            await server.close();
            visitor.leave();
        },
    };
}

/** Runs in the page, where the CSP forbids eval: all it needs comes as arguments. */
async function withModel({url, options, works: [warmUp, ...works], first}) {
    const start = performance.now();
    const {Gemma} = await import(new URL('gemma.js', location.href).href);
    const gemma = await Gemma.load(url, options);
    const loadMs = performance.now() - start;
    const session = await gemma.session();
    const begin = performance.now();
    await session.prompt(first, {raw: true, maxTokens: 1, sampling: {temperature: 0}}).result;
    const firstMs = performance.now() - begin;
    // The ids that end a turn or a text are never written.
    const sampling = {temperature: 0, logitBias: {1: -Infinity, 106: -Infinity, 107: -Infinity}};
    const run = async ({text, decode}) => (await session.prompt(text,
        {raw: true, maxTokens: decode + 1, sampling}).result).timings;
    await run(warmUp);
    const points = [];
    for (const work of works) {
        const {prefillTokens, prefillMs, decodeTokens, decodeMs} = await run(work);
        points.push({tokens: work.tokens, prefill: prefillTokens / prefillMs * 1000,
            decode: decodeTokens / decodeMs * 1000});
    }
    const {kernels, threads, memoryBytes} = gemma.info;
    return {points, startup: {'the model': loadMs, 'the first token': firstMs},
        facts: {kernels, threads, memoryBytes}};
}

/** A shape has no tokenizer, so gemma.js can't be asked: the engine is, in its worker. */
async function withShape(page, args) {
    const [worker] = await Promise.all([
        new Promise((created) => page.once('workercreated', created)),
        page.evaluate(() => void (globalThis.benchWorker = new Worker('engine/worker.js', {type: 'module'}))),
    ]);
    return worker.evaluate(async ({shape, type, options, works: [warmUp, ...works]}) => {
        const {openSynthetic} = await import(new URL('open.js', location.href).href);
        const {SAMPLING} = await import(new URL('generate.js', location.href).href);
        const start = performance.now();
        const {module, session, kernels, threads, plan} = await openSynthetic({shape, type}, options);
        const loadMs = performance.now() - start;
        session.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
        let run = 0;
        const rates = ({tokens, decode}) => {
            run++;
            session.sync(Array.from({length: tokens}, (_, i) => (run + (i + 1) * 7919) % plan.nVocab));
            const start = performance.now();
            while (session.step(256) > 0);
            const middle = performance.now();
            for (let i = 0; i < decode; i++) {
                session.push(session.sample());
                session.step(1);
            }
            return {tokens, prefill: tokens / (middle - start) * 1000,
                decode: decode / (performance.now() - middle) * 1000};
        };
        rates(warmUp);
        return {points: works.map(rates), startup: {'random weights': loadMs},
            facts: {kernels, threads, memoryBytes: module.memoryBytes}};
    }, args);
}
