// generate.js: the token loop of one answer: prefill, then one token after the other until something ends it. Many run at the same time, each on
// a session of its own; the scheduler evaluates their tokens together. Knows neither messages, pages nor turns.

import {Drafts} from './drafts.js';
import {readOptions} from './options.js';
import {StopFilter} from './stop.js';

const LOGPROBS_BATCH = 32;      // prompt tokens whose logits are computed before Stop can act

export const SAMPLING = {
    temperature: 0.8, topK: 64, topP: 0.95, minP: 0, repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0,
};

/** A seed for those who gave none. */
const randomSeed = () => Math.floor(Math.random() * 2 ** 48);

/** What was given, the defaults for the rest. Ranges are the engine's matter. */
function completeSampling(given) {
    const sampling = {...SAMPLING, seed: randomSeed(), logitBias: {}, ...readOptions('sampling', given)};
    return {...sampling, topK: Math.min(sampling.topK, 2 ** 31 - 1)};
}

/**
 * Evaluates the whole prompt anew, and tells of each of its tokens how likely it was.
 * @returns {Promise<(TokenLogprobs | null)[]>} null for the first token, which nothing comes before; shorter than ids when it was aborted
 */
async function readWithLogprobs(session, ids, n, {turn, aborted, onPrefill}) {
    const all = [null];
    session.sync([ids[0] ? 0 : 1]);     // another token, so that nothing of the prompt counts as evaluated
    session.sync(ids);
    for (let done = 0; done < ids.length && !aborted();) {
        const end = ids.length - session.step(LOGPROBS_BATCH);
        for (let i = done; i < end; i++) {
            session.logitsAt(i - done);
            if (i + 1 < ids.length) all.push({id: ids[i + 1], ...session.logprobs(ids[i + 1], n)});
        }
        done = end;
        onPrefill?.(done, ids.length);
        await turn();
    }
    return all;
}

/** Bytes of tokens to text: characters may span tokens. Remembers how much text there was after each token. */
class TextStream {
    #decoder = new TextDecoder('utf-8', {ignoreBOM: true});
    #length = 0;
    ends = [];

    push(bytes) {
        const piece = this.#decoder.decode(bytes, {stream: true});
        this.#length += piece.length;
        this.ends.push(this.#length);
        return piece;
    }

    flush() {
        return this.#decoder.decode();
    }
}

/**
 * @typedef {object} GenerateOptions
 * @property {Partial<typeof SAMPLING> & {seed?: number, logitBias?: Record<number, number>}} [sampling]
 * @property {number} [maxTokens]   default: until the context is full
 * @property {string[]} [stop]      the exact name of a control token ends the text where the model writes that token
 * @property {boolean} [trimStart]  white space before the first word is not part of the text
 * @property {number} [logprobs]    of each token, and of as many of the likeliest in its place, up to 20
 * @property {number} [promptLogprobs]  the same of the prompt's tokens, which are then all evaluated
 *
 * @typedef {import('./engine_session.js').Logprob} Logprob
 * @typedef {{id: number, logprob: number, top: Logprob[]}} TokenLogprobs   top: the likeliest first
 *
 * @typedef {object} Generated
 * @property {string} text
 * @property {number[]} tokens          generated, without the one that ended it
 * @property {number[]} kept            those whose text lies before a stop string
 * @property {'stop' | 'length' | 'context' | 'abort'} finishReason
 * @property {number} cachedTokens      of the prompt, not evaluated again
 * @property {number} seed
 * @property {TokenLogprobs[]} [logprobs]   of `tokens`
 * @property {(TokenLogprobs | null)[]} [promptLogprobs]
 * @property {{prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs: number}} timings   tokens evaluated
 */

/**
 * Generates after the tokens `ids`.
 * @param {import('./engine_session.js').EngineSession} session
 * @param {Pick<import('./module.js').Module, 'isEnd' | 'isControl' | 'tokenBytes'>} module
 * @param {number[]} ids
 * @param {GenerateOptions} options
 * @param {object} io
 * @param {import('./scheduler.js').Scheduler} io.scheduler
 * @param {() => boolean} io.aborted
 * @param {() => Promise<void>} io.turn   lets messages that have come be seen
 * @param {(done: number, total: number) => void} [io.onPrefill]   tokens
 * @param {(piece: string) => void} io.onText
 * @returns {Promise<Generated>}
 */
export async function generate(session, module, ids, options, io) {
    const {sampling, maxTokens = Infinity, stop = [], trimStart = false, logprobs, promptLogprobs} = options, {scheduler, aborted} = io;
    const chosen = completeSampling(sampling);
    session.setSampling(chosen);
    const filter = new StopFilter(stop), stream = new TextStream(), tokens = [];
    let text = '', finishReason, stoppedAt = -1, stopToken = Infinity;
    const show = (found) => {
        const piece = trimStart && !text ? found.trimStart() : found;
        text += piece;
        if (piece) io.onText(piece);
    };

    const start = performance.now();
    const ofPrompt = promptLogprobs === undefined ? undefined : await readWithLogprobs(session, ids, promptLogprobs, io);
    const cachedTokens = ofPrompt ? 0 : session.sync(ids), total = ids.length - cachedTokens;
    const onProgress = (left) => io.onPrefill?.(Math.floor(total - left), total);
    if (ofPrompt ? aborted() : !await scheduler.evaluate(session, {aborted, onProgress})) finishReason = 'abort';
    await io.turn();        // who heard of the last progress may stop before the first token
    if (aborted()) finishReason = 'abort';
    const middle = performance.now();
    const drafts = new Drafts(session, ids), ofTokens = [];
    let decodeTokens = 0;

    while (!finishReason) {
        if (tokens.length >= maxTokens) { finishReason = 'length'; break; }
        const id = session.sample();
        if (module.isEnd(id)) { finishReason = 'stop'; break; }
        tokens.push(id);
        if (logprobs !== undefined) ofTokens.push({id, ...session.logprobs(id, logprobs)});
        const isControl = module.isControl(id);
        // The text of a control token is never shown, so the filter does not see it.
        if (isControl && stop.includes(new TextDecoder().decode(module.tokenBytes(id)))) {
            stopToken = tokens.length - 1;
            finishReason = 'stop';
            break;
        }
        const bytes = isControl ? new Uint8Array(0) : module.tokenBytes(id);
        const piece = filter.push(stream.push(bytes));
        stoppedAt = piece.stoppedAt;
        show(piece.text);
        if (stoppedAt >= 0) { finishReason = 'stop'; break; }
        if (tokens.length >= maxTokens) { finishReason = 'length'; break; }
        if (!drafts.accept(id)) {
            if (!session.push(id)) { finishReason = 'context'; break; }
            const alone = scheduler.stepped === 1;      // beside others a draft would take their places in the batch
            if (alone) drafts.propose();
            if (!await scheduler.evaluate(session, {aborted})) { finishReason = 'abort'; break; }
            if (alone && scheduler.stepped === 1) drafts.measured(scheduler.stepMs);
        }
        decodeTokens++;
    }
    if (stoppedAt < 0) {
        const rest = filter.push(stream.flush());
        show(rest.text + (rest.stoppedAt < 0 ? filter.flush() : ''));
    }
    const kept = stoppedAt < 0 ? tokens.slice(0, stopToken) : tokens.filter((_, i) => stream.ends[i] <= stoppedAt);
    const end = performance.now();
    return {
        text, tokens, kept, finishReason, cachedTokens, seed: chosen.seed,
        ...logprobs !== undefined && {logprobs: ofTokens}, ...ofPrompt && {promptLogprobs: ofPrompt},
        timings: {prefillTokens: total, prefillMs: middle - start, decodeTokens, decodeMs: end - middle},
    };
}
