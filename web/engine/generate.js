// generate.js: the token loop: prefill in batches, then one token after the other until something ends it. Knows the engine module; neither
// messages, pages nor turns.

import {Guesses} from './guesses.js';
import {readOptions} from './options.js';
import {StopFilter} from './stop.js';

const LARGEST_BATCH = 256;      // GEMMA_MAX_BATCH
const TURN_MS = 100;            // how long the engine reads before Stop can act and progress shows

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

/** Evaluates what is pending; `turn` gives the event loop a turn and tells whether to stop. @returns {Promise<boolean>} stopped */
async function prefill(engine, pending, {turn, onPrefill}) {
    const total = pending;
    while (pending > 0) {
        pending = engine.step(LARGEST_BATCH, TURN_MS);
        onPrefill?.(Math.floor(total - pending), total);
        if (await turn()) return true;
    }
    return false;
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
 *
 * @typedef {object} Generated
 * @property {string} text
 * @property {number[]} tokens          generated, without the one that ended it
 * @property {number[]} kept            those whose text lies before a stop string
 * @property {'stop' | 'length' | 'context' | 'abort'} finishReason
 * @property {number} cachedTokens      of the prompt, not evaluated again
 * @property {number} seed
 * @property {{prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs: number}} timings   tokens evaluated
 */

/**
 * Generates after the tokens `ids`.
 * @param {import('./module.js').Module} engine
 * @param {number[]} ids
 * @param {GenerateOptions} options
 * @param {{turn: () => Promise<boolean>, onPrefill?: (done: number, total: number) => void, onText: (piece: string) => void}} io
 * @returns {Promise<Generated>}
 */
export async function generate(engine, ids, {sampling, maxTokens = Infinity, stop = [], trimStart = false}, io) {
    const chosen = completeSampling(sampling);
    engine.setSampling(chosen);
    const filter = new StopFilter(stop), stream = new TextStream(), tokens = [];
    let text = '', finishReason, stoppedAt = -1, stopToken = Infinity;
    const show = (found) => {
        const piece = trimStart && !text ? found.trimStart() : found;
        text += piece;
        if (piece) io.onText(piece);
    };

    const start = performance.now();
    const cachedTokens = engine.sync(ids);
    if (await io.turn() || await prefill(engine, ids.length - cachedTokens, io)) finishReason = 'abort';
    const middle = performance.now();
    const guesses = new Guesses(engine, ids);
    let decodeTokens = 0;

    while (!finishReason) {
        if (tokens.length >= maxTokens) { finishReason = 'length'; break; }
        const id = engine.sample();
        if (engine.isEnd(id)) { finishReason = 'stop'; break; }
        tokens.push(id);
        const isControl = engine.isControl(id);
        // The text of a control token is never shown, so the filter does not see it.
        if (isControl && stop.includes(new TextDecoder().decode(engine.tokenBytes(id)))) {
            stopToken = tokens.length - 1;
            finishReason = 'stop';
            break;
        }
        const bytes = isControl ? new Uint8Array(0) : engine.tokenBytes(id);
        const piece = filter.push(stream.push(bytes));
        stoppedAt = piece.stoppedAt;
        show(piece.text);
        if (stoppedAt >= 0) { finishReason = 'stop'; break; }
        if (tokens.length >= maxTokens) { finishReason = 'length'; break; }
        if (!guesses.accept(id)) {
            if (!engine.pushToken(id)) { finishReason = 'context'; break; }
            guesses.step();
        }
        decodeTokens++;
        if (await io.turn()) finishReason = 'abort';
    }
    if (stoppedAt < 0) {
        const rest = filter.push(stream.flush());
        show(rest.text + (rest.stoppedAt < 0 ? filter.flush() : ''));
    }
    const kept = stoppedAt < 0 ? tokens.slice(0, stopToken) : tokens.filter((_, i) => stream.ends[i] <= stoppedAt);
    const end = performance.now();
    return {
        text, tokens, kept, finishReason, cachedTokens, seed: chosen.seed,
        timings: {prefillTokens: ids.length - cachedTokens, prefillMs: middle - start, decodeTokens, decodeMs: end - middle},
    };
}
