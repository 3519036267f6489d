// gemma.js: the public API. A Gemma is a loaded model in a worker of its own; a Session is a conversation on it.
//
//     const gemma = await Gemma.load('https://example.org/gemma.gguf', { onProgress: p => console.log(p) });
//     const session = await gemma.session();
//     const answer = session.prompt('Why is the sea salty?');
//     for await (const piece of answer) show(piece);
//     const { finishReason, timings } = await answer.result;
//
// Works in browsers and under Node (20 and newer). Knows no addresses, no storage and no page.

import {GemmaError} from './engine/error.js';
import {startWorker} from './engine/host.js';
import {Caller} from './engine/protocol.js';

export {GemmaError};

const NODE = typeof process === 'object' && !!process.versions?.node;

/**
 * @typedef {string | URL | Blob | {kind: 'url', url: string, headers?: Record<string, string>} | {kind: 'file', file: Blob}
 *     | {kind: 'path', path: string} | {kind: 'synthetic', shape: string, type: string}} ModelSource
 *   a GGUF by URL (under Node also by path), or a File
 *
 * @typedef {object} LoadOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: {phase: 'download' | 'load', bytes: number, total: number, rate: number, secondsLeft: number, notice?: string}) => void} [onProgress]
 *   bytes, and bytes per second
 * @property {number} [threads]         default: all cores, up to 8; one where the page is not cross-origin isolated
 * @property {number} [contextLength]   tokens that a conversation can hold; default: the model's, up to 8,192
 * @property {boolean} [chat]           whether the model knows turns; default: what its metadata says
 * @property {'simd128' | 'relaxed'} [variant]  default: the fastest that computes correctly here
 * @property {'i32' | 'i16'} [dot]      which of relaxed SIMD's dot products, with the same results; default: the faster one here
 * @property {boolean} [memory64]       default: only for models that 4 GB can't hold
 * @property {'f16' | 'int8'} [kvType]  keys and values as halves (default) or as bytes: half the memory of a context, and long ones are faster
 * @property {boolean} [exact]          float arithmetic throughout: slow, for comparisons
 *
 * @typedef {object} Info
 * @property {string} architecture      'gemma', 'gemma2', 'gemma3'
 * @property {string} name
 * @property {boolean} chat             instruction-tuned
 * @property {'turns' | 'transcript'} chatStyle   transcript: a base model continues a plain-text dialogue
 * @property {'simd128' | 'relaxed'} variant
 * @property {'simd128' | 'relaxed' | 'relaxed16'} kernels   the variant's kernels that were the fastest here
 * @property {number} threads
 * @property {number} contextLength
 * @property {number} memoryBytes       of the engine's memory
 * @property {number} loadMs
 *
 * @typedef {{role: 'system' | 'user' | 'assistant', content: string}} Message
 *
 * @typedef {object} Sampling           applied in this order
 * @property {Record<number, number>} [logitBias]   by token id
 * @property {number} [repeatPenalty]   1: off; penalties look at the last 64 tokens
 * @property {number} [presencePenalty] 0: off
 * @property {number} [frequencyPenalty] 0: off
 * @property {number} [topK]            0: off
 * @property {number} [topP]            1: off
 * @property {number} [minP]            0: off
 * @property {number} [temperature]     0: always the likeliest token
 * @property {number} [seed]            equal seeds give equal texts; default: another each time
 *
 * @typedef {object} PromptOptions
 * @property {AbortSignal} [signal]     ends the answer with finishReason 'abort'
 * @property {Sampling} [sampling]
 * @property {number} [maxTokens]       default: until the context is full
 * @property {string | string[]} [stop]   texts that end the answer; they are not part of it
 * @property {boolean} [raw]            continue the text as it is: no turns, and nothing remembered
 * @property {(progress: {phase: 'prefill', done: number, total: number}) => void} [onProgress]   tokens of the prompt
 *
 * @typedef {object} Result
 * @property {string} text
 * @property {number[]} promptTokens
 * @property {number[]} tokens          without the one that ended the answer
 * @property {'stop' | 'length' | 'context' | 'abort'} finishReason   'context': it is full
 * @property {number} cachedTokens      of the prompt, that had been evaluated before
 * @property {number} seed              with which the same text comes again
 * @property {number} memoryBytes
 * @property {{loadMs: number, prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs: number}} timings   tokens evaluated
 */

const KINDS = ['url', 'file', 'path', 'synthetic'];

/** What the worker is told. */
function describe(model) {
    if (model instanceof Blob) return {kind: 'file', file: model};
    if (model instanceof URL) {
        if (NODE && model.protocol === 'file:') return {kind: 'path', path: decodeURIComponent(model.pathname)};
        return {kind: 'url', url: model.href};
    }
    if (typeof model !== 'string') {
        if (KINDS.includes(model?.kind)) return model;
        throw new GemmaError('bad-argument', 'a model is given by its URL, as a File, or as {kind, ...}');
    }
    if (NODE && !/^https?:/.test(model)) return {kind: 'path', path: model};
    try {
        return {kind: 'url', url: new URL(model, globalThis.document?.baseURI ?? globalThis.location?.href).href};
    } catch (cause) {
        throw new GemmaError('bad-argument', `${model} is not an address`, {cause});
    }
}

export class Gemma {
    #worker;
    #caller;
    #busy = 0;
    #closed;

    /** @type {Info} */
    info;

    /**
     * Loads a model into a worker of its own. Rejects with a GemmaError whose `code` is stable: 'network', 'not-found', 'bad-file',
     * 'unsupported', 'no-memory', 'bad-argument'; or with the signal's AbortError.
     * @param {ModelSource} model
     * @param {LoadOptions} [options]
     * @returns {Promise<Gemma>}
     */
    static async load(model, {signal, onProgress, ...options} = {}) {
        const source = describe(model);
        signal?.throwIfAborted();
        const gemma = new Gemma();
        gemma.#worker = await startWorker((error) => gemma.#fail(new GemmaError('internal', `the engine's worker failed: ${error.message}`)));
        gemma.#caller = new Caller(gemma.#worker);
        try {
            gemma.info = await gemma.#call('load', {source, options}, {signal, onEvent: onProgress});
        } catch (error) {
            gemma.close();
            throw error;
        }
        return gemma;
    }

    /**
     * A conversation. Several may live side by side, but the engine holds the keys and values of one: going back and forth between
     * them evaluates their tokens again.
     * @param {{system?: string, history?: Message[], sampling?: Sampling}} [options]   what comes before the first prompt, and what holds
     *     for prompts that don't say otherwise
     * @returns {Promise<Session>}
     */
    async session({system, history = [], sampling = {}} = {}) {
        const all = system ? [{role: 'system', content: system}, ...history] : history;
        return new Session(await this.#call('session', {history: all}), sampling, (...args) => this.#call(...args));
    }

    /** @param {string} text @param {{bos?: boolean, special?: boolean}} [options]   special: the names of control tokens become those tokens */
    tokenize(text, options = {}) {
        return this.#call('tokenize', {text, options});
    }

    /** @param {number[]} ids @returns {Promise<string>} */
    detokenize(ids) {
        return this.#call('detokenize', {ids});
    }

    /** Ends the worker and frees its memory; what is still running rejects with 'closed'. */
    close() {
        this.#fail(new GemmaError('closed', 'the model has been closed'));
        this.#worker.terminate();
    }

    #fail(error) {
        this.#closed ??= error;
        this.#caller?.fail(error);
    }

    async #call(call, args, options) {
        if (this.#closed) throw this.#closed;
        if (this.#busy++ === 0) this.#worker.idle(false);
        try {
            return await this.#caller.call(call, args, options);
        } finally {
            if (--this.#busy === 0) this.#worker.idle(true);
        }
    }
}

export class Session {
    #id;
    #sampling;
    #call;

    constructor(id, sampling, call) {
        this.#id = id;
        this.#sampling = sampling;
        this.#call = call;
    }

    /**
     * Asks, and streams the answer: an async iterable of pieces of text, with the whole Result as a promise in `.result`. The
     * session remembers both; the next prompt evaluates only its own tokens. Leaving the loop early stops the answer. Prompts are
     * answered one after the other, in the order in which they came.
     * @param {string | Message[]} prompt   a user's text, or messages to go on with (an assistant's among them was not generated here)
     * @param {PromptOptions} [options]
     * @returns {AsyncIterable<string> & {result: Promise<Result>}}
     */
    prompt(prompt, {signal, onProgress, raw = false, sampling, ...options} = {}) {
        const stopping = new AbortController();
        const abort = () => stopping.abort();
        if (signal?.aborted) abort();
        signal?.addEventListener('abort', abort, {once: true});

        const pieces = [];
        let wake = () => {}, ended = false;
        const result = this.#call('prompt', {
            session: this.#id, prompt, raw, options: {...options, sampling: {...this.#sampling, ...sampling}},
        }, {
            signal: stopping.signal,
            onEvent(event) {
                if (event.text === undefined) return onProgress?.(event);
                pieces.push(event.text);
                wake();
            },
        }).finally(() => {
            ended = true;
            signal?.removeEventListener('abort', abort);
            wake();
        });
        result.catch(() => {});     // told by the iterator, or by whoever awaits the result

        async function* stream() {
            try {
                for (;;) {
                    if (pieces.length) yield pieces.splice(0).join('');
                    else if (ended) return void await result;
                    else await new Promise((resolve) => { wake = resolve; });
                }
            } finally {
                stopping.abort();
            }
        }
        return Object.assign(stream(), {result});
    }

    /** Forgets the conversation. */
    close() {
        return this.#call('closeSession', {session: this.#id});
    }
}
