// run.js: how a request is answered: admitted, given a session that has evaluated the most of its prompt,
// written in as many texts as were asked for, and told as a whole or as a stream. Knows neither messages nor
// the forms of answers.

import {aborted, APIConnectionTimeoutError, asApiError} from './errors.js';
import {seedOf} from './request.js';
import {Channel, Stream} from './stream.js';
import {GemmaError} from '../../gemma.js';

/** Texts of one prompt: each has its own keys and values. */
const MOST_AT_ONCE = 16;
/** Where memory lacks, fewer are written at once. @param {any} error @returns {undefined} */
const noneWithout = (error) => {
    if (error.code !== 'no-memory') throw error;
};

/**
 * @typedef {import('../../gemma.js').Result} Result
 * @typedef {import('../../gemma.js').Session} Session
 * @typedef {import('../../gemma.js').PromptOptions} PromptOptions
 * @typedef {import('../../gemma.js').TokenLogprobs} TokenLogprobs
 * @typedef {import('./engine.js').Engine} Engine
 *
 * @typedef {object} Asked
 * @property {string | number[] | import('../../gemma.js').Message[]} prompt
 * @property {string} key            as the pool wants it
 * @property {Omit<PromptOptions, 'sampling'> & {sampling: import('../../gemma.js').Sampling}} options
 * @property {number} n
 * @property {number} [seed]
 * @property {(result: Result) => string} after   the key's end, of what was written
 * @property {boolean} isReused
 * @property {{key: string, prompt: import('../../gemma.js').Message[]}} [start]   what other prompts may
 *     begin with, too
 * @property {boolean} [readsFirst]  the prompt's probabilities are wanted before the text
 *
 * @typedef {object} Io
 * @property {AbortSignal} signal
 * @property {() => void} onStart                      the prompt fits, and is being read
 * @property {(read: Result) => void} [onRead]         with readsFirst
 * @property {(index: number, piece: {text: string, logprobs?: TokenLogprobs[]}) => void} onText
 * @property {(index: number, event: import('../../gemma.js').ToolCallEvent) => void} [onTool]
 * @property {(index: number, result: Result) => void} [onEnd]
 */

/**
 * The n texts of one prompt, written in one batch.
 * @param {Engine} engine @param {Asked} asked @param {Io} io
 * @returns {Promise<Result[]>} rejects when the signal aborts
 */
export function answer({gate, pool}, asked, io) {
    let isTold = false;
    /** @type {any} */
    const watched = {...io};
    for (const name of /** @type {const} */ (['onRead', 'onText', 'onTool', 'onEnd']))
        watched[name] = (/** @type {any[]} */ ...told) => {
            isTold = true;
            /** @type {any} */ (io[name])?.(...told);
        };
    return gate.run(asked.n, io.signal, async () => {
        try {
            return await answerOnce(pool, asked, watched);
        } catch (error) {
            const isFreed = pool.isFull(error) && await pool.drop();
            if (isTold || !isFreed) throw error;
            return answerOnce(pool, asked, watched);
        }
    });
}

/** @param {import('./pool.js').Pool} pool @param {Asked} asked @param {Io} io */
async function answerOnce(pool, asked, io) {
    const start = asked.start && new Start(asked, asked.start, io);
    const results = await pool.use(asked.key, asked.isReused, start, async (held) => {
        const {options, complete} = withKnown(held, asked);
        held.key = asked.key;
        held.tokens = undefined;
        const results = await write(held.session, {...asked, options}, complete, io, pool),
            [{promptTokens, tokens}] = results;
        held.key += asked.after(results[0]);
        held.tokens = promptTokens.length + tokens.length;
        return results;
    });
    return start ? results.map((result) => start.counted(result)) : results;
}

/** What a prompt begins with, evaluated for it and for those that will begin alike. */
class Start {
    #asked;
    #prompt;
    #io;
    #read = {prefillTokens: 0, prefillMs: 0};

    /**
     * @param {Asked} asked
     * @param {{key: string, prompt: import('../../gemma.js').Message[]}} start
     * @param {Io} io
     */
    constructor(asked, {key, prompt}, io) {
        this.#asked = asked;
        this.#prompt = prompt;
        this.#io = io;
        this.key = key;
        this.signal = io.signal;
    }

    /** @param {Session} session */
    async read(session) {
        const {prompt, options: {tools, toolChoice, ...more}} = this.#asked, {signal, onStart} = this.#io;
        const n = await session.count(/** @type {string} */ (prompt), {tools, toolChoice});
        const {tokens, tokensLeft} = session;
        if (n > tokensLeft) throw new GemmaError('context-full',
            `The prompt has ${n} tokens; ${tokensLeft} of ${tokens + tokensLeft} are left.`);
        const asked = {stateless: more.stateless, sampling: {}, tools, toolChoice, maxTokens: 0};
        const {finishReason, timings} = await session.prompt(this.#prompt,
            {...asked, signal, onProgress: onStart}).result;
        if (finishReason === 'abort') throw aborted();
        this.#read = timings;
    }

    /** A result, with what was evaluated here. @param {Result} result @returns {Result} */
    counted({cachedTokens, timings, ...result}) {
        const {prefillTokens, prefillMs} = this.#read;
        return {
            ...result, cachedTokens: Math.max(0, cachedTokens - prefillTokens),
            timings: {...timings, prefillTokens: timings.prefillTokens + prefillTokens,
                prefillMs: timings.prefillMs + prefillMs},
        };
    }
}

/**
 * What is known of the prompt's first tokens, since a prompt before began with them, is not asked for again.
 * @param {import('./pool.js').Held} held @param {Asked} asked
 * @returns {{options: Asked['options'], complete: (read: Result) => Result}}
 */
function withKnown(held, {prompt, options}) {
    const {promptLogprobs: n} = options, known = held.known?.n === n ? held.known : {ids: [], all: []};
    held.known = undefined;
    if (n === undefined) return {options, complete: (read) => read};
    let from = 0;
    while (from < known.ids.length && known.ids[from] === prompt[from]) from++;
    return {
        options: {...options, promptLogprobsFrom: from},
        complete(read) {
            const all = [...known.all.slice(0, from), ...(read.promptLogprobs ?? []).slice(from)];
            held.known = {n, ids: prompt, all};
            return {...read, promptLogprobs: all};
        },
    };
}

/**
 * @param {Session} session
 * @param {Asked} asked
 * @param {(read: Result) => Result} complete
 * @param {Io} io
 * @param {import('./pool.js').Pool} pool
 * @returns {Promise<Result[]>}
 */
async function write(session, {prompt, options, n, seed, readsFirst}, complete, io, pool) {
    const failing = new AbortController(), signal = AbortSignal.any([io.signal, failing.signal]);
    /** @param {Session} on @param {number} i @param {PromptOptions} more */
    const ask = async (on, i, more) => {
        const result = await on.prompt(prompt, {
            ...options, ...more, signal, sampling: {...options.sampling, seed: seedOf(seed, i)},
            onProgress: io.onStart,
            onText(piece) {
                io.onStart();
                io.onText(i, piece);
            },
            onToolCall: (event) => io.onTool?.(i, event),
        }).result;
        if (result.finishReason === 'abort') throw aborted();
        return result;
    };
    if (n === 1 && !readsFirst) {
        const result = await ask(session, 0, {});
        io.onEnd?.(0, result);
        return [result];
    }
    const read = complete(await ask(session, 0, {maxTokens: 0, constraint: undefined}));
    if (readsFirst) io.onRead?.(read);
    /** @type {Result[]} */
    const results = [];
    /** @param {Session} on @param {number} i */
    const writeOne = async (on, i) => {
        const {cachedTokens, promptLogprobs, timings} = read;
        const result = await ask(on, i, {promptLogprobs: undefined, promptLogprobsFrom: undefined}),
            {decodeTokens, decodeMs} = result.timings;
        results[i] = {...result, cachedTokens, promptLogprobs, timings: {...timings, decodeTokens, decodeMs}};
        io.onEnd?.(i, results[i]);
    };
    for (let next = 1; next <= n;) {
        /** @type {Session[]} */
        const clones = [];
        try {
            while (clones.length < Math.min(n - next, MOST_AT_ONCE - 1)) {
                const clone = await pool.roomy(() => session.clone()).catch(noneWithout);
                if (!clone) break;
                clones.push(clone);
            }
            const writing = clones.map((clone) => writeOne(clone, next++));
            // The session is copied as long as texts are left, and kept with the first one.
            if (next === n || !clones.length) writing.push(writeOne(session, next++ % n));
            // One that fails ends the others.
            for (const each of writing) each.catch((error) => failing.abort(error));
            await Promise.allSettled(writing);
            failing.signal.throwIfAborted();
        } finally {
            for (const clone of clones) clone.close().catch(() => {});
        }
    }
    return results;
}

/**
 * @template Answer, Chunk
 * @typedef {object} Work
 * @property {boolean} isStreamed
 * @property {(AbortSignal | null | undefined)[]} signals
 * @property {number} [timeout]
 * @property {{prompt?: string, constraint?: string}} params   see asApiError
 * @property {(io: {signal: AbortSignal, onStart: () => void, push?: (chunk: Chunk) => void}) =>
 *     Promise<Answer>} work   push: with a stream
 */

/**
 * Admits a request and has it answered.
 * @template Answer, Chunk
 * @param {import('./gate.js').Gate} gate @param {Work<Answer, Chunk>} asked
 * @returns {Promise<Answer | Stream<Chunk>>}   a stream: once the prompt is being read
 */
export async function handle(gate, {isStreamed, signals, timeout, params, work}) {
    const controller = new AbortController(),
        signal = AbortSignal.any([controller.signal, ...signals].flatMap((one) => one ?? []));
    if (signal.aborted) throw aborted();
    const leave = gate.admit();
    let isLate = false, isBegun = false, onStart = () => {};
    const timer = timeout ? setTimeout(() => {
        isLate = true;
        controller.abort();
    }, timeout) : undefined;
    /** @type {Channel<Chunk>} */
    const channel = new Channel();
    const begun = new Promise((/** @type {(value?: undefined) => void} */ resolve) => { onStart = resolve; });
    const working = work({signal, onStart, ...isStreamed && {push: (chunk) => channel.push(chunk)}})
        .catch((error) => {
        if (isLate) throw new APIConnectionTimeoutError(undefined,
            {message: 'Request timed out.', type: 'timeout'});
        throw signal.aborted ? aborted() : asApiError(error, params);
    }).finally(() => {
        leave();
        clearTimeout(timer);
    });
    if (!isStreamed) return working;
    // As in the openai package, a stream that is aborted just ends.
    working.then(() => channel.end(), (error) => signal.aborted && isBegun ? channel.end()
        : channel.fail(error));
    await Promise.race([begun, working]);
    isBegun = true;
    clearTimeout(timer);
    return new Stream(channel.read(), controller);
}

/**
 * @param {Result[]} firsts   one of each prompt
 * @param {Result[]} all
 * @returns {import('./types.js').Usage}
 */
export function usageOf(firsts, all) {
    const prompt = firsts.reduce((sum, {promptTokens}) => sum + promptTokens.length, 0);
    const completion = all.reduce((sum, {tokens}) => sum + tokens.length, 0);
    const cached = firsts.reduce((sum, {cachedTokens}) => sum + cachedTokens, 0);
    return {prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion,
        prompt_tokens_details: {cached_tokens: cached}};
}

/** @param {Result} result @returns {import('./types.js').Timings} */
export function timingsOf({cachedTokens, timings: {prefillTokens, prefillMs, decodeTokens, decodeMs}}) {
    return {
        cache_n: cachedTokens, prompt_n: prefillTokens, prompt_ms: prefillMs, predicted_n: decodeTokens,
        predicted_ms: decodeMs,
        predicted_per_second: decodeMs > 0 ? 1000 * decodeTokens / decodeMs : 0,
    };
}

/** @param {string} prefix */
export function newId(prefix) {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * What all parts of an answer say.
 * @param {Engine} engine @param {string} prefix
 */
export function headOf({gemma, model}, prefix) {
    return {id: newId(prefix), created: Math.floor(Date.now() / 1000), model: model.id,
        system_fingerprint: `fp_${gemma.info.architecture}_${gemma.info.kernels}`};
}

/**
 * A promise of an answer, as the openai package's: withResponse() tells of a response, too.
 * @template T @param {Promise<T>} promise
 */
export function asApiPromise(promise) {
    return Object.assign(promise, {
        withResponse: async () => ({data: await promise, response: new Response(null, {status: 200}),
            request_id: newId('req_')}),
    });
}
