// What the model writes into texts: a continuation, several side by side, the likeliest next tokens. Of a
// text that is longer than the context, the last part that fits is read.
//
// Owns: the sessions that read texts, and which part of one they read. Must not know: elements, how texts
// are stored.

import {seedOf} from './asking.js';

/**
 * @typedef {import('../gemma.js').Gemma} Gemma
 * @typedef {import('../gemma.js').Session} Session
 * @typedef {import('../gemma.js').Result} Result
 * @typedef {import('../gemma.js').PromptOptions} PromptOptions
 *
 * @typedef {object} DraftingParts
 * @property {() => Promise<Gemma | undefined>} open   the model, loaded where it is not; undefined where a
 *     person has said no
 * @property {() => Pick<PromptOptions, 'maxTokens' | 'sampling' | 'stop'>} settingsOf
 * @property {(gemma: Gemma, result: Result) => void} onResult
 *
 * @typedef {object} Window   what the model reads of a text
 * @property {number} from     the first character
 * @property {number} tokens   that are read
 * @property {number} total    that the text has, about
 *
 * @typedef {object} Told      what those who ask hear meanwhile
 * @property {AbortSignal} signal
 * @property {(window: Window) => void} [onWindow]   how much of the text is read, where not all of it fits
 * @property {(share: number) => void} [onReading]   of what is read, how much has been
 *
 * @typedef {{text: string, probability: number, isControl: boolean}} Likely   text: with U+FFFD where the
 *     token is a part of a character
 */

/** Characters that a token has at most, in a text that is worth reading. */
const LONGEST = 16;
/** The part of what fits that a new window has, so that it need not move, and be read anew, for a while. */
const FILLED = 0.75;
/** An answer has this part of the context, where its length is not set to less. */
const ANSWER = 0.25;
/** How far a window's beginning moves to a line's, or a word's. */
const TO_LINE = 400, TO_WORD = 60;
const TRIES = 6;
/** Below this temperature alternatives would be the same. */
const LEAST_TEMPERATURE = 0.3, TEMPERATURE = 0.8;

/**
 * Moves a beginning to that of a line or a word, and not into a character.
 * @param {string} text
 * @param {number} at
 */
function toBoundary(text, at) {
    const line = text.indexOf('\n', at - 1) + 1;
    if (line && line - at < TO_LINE && line < text.length) return line;
    const word = text.slice(at, at + TO_WORD).search(/\s\S/) + 1;
    if (word) return at + word;
    return /[\uDC00-\uDFFF]/.test(text[at] ?? '') ? at + 1 : at;
}

/**
 * Which part of a text fits: its end, from the beginning of a line or a word.
 * @param {string} text
 * @param {{most: number, before?: number, count: (text: string) => Promise<number>}} options   most: tokens;
 *     before: where the window began the last time, which it does again while that is worth it: then what was
 *     read is not read anew
 * @returns {Promise<Window>}
 */
export async function fitWindow(text, {most, before = 0, count}) {
    const {length} = text, base = Math.max(0, length - LONGEST * most),
        counted = await count(text.slice(base));
    if (!base && counted <= most) return {from: 0, tokens: counted, total: counted};
    const total = Math.round(counted * length / (length - base)), wanted = FILLED * most;
    if (before > base && before < length) {
        const tokens = await count(text.slice(before));
        if (tokens <= most && tokens >= most / 2) return {from: before, tokens, total};
    }
    let from = base, tokens = counted;
    for (let i = 0; i < TRIES && (tokens > most || tokens < wanted / 2 && from > base); i++) {
        const wish = Math.max(base, length - Math.max(1, Math.floor((length - from) * wanted / tokens)));
        from = wish ? toBoundary(text, wish) : 0;
        tokens = await count(text.slice(from));
    }
    while (tokens > most) {
        from = toBoundary(text, length - Math.floor((length - from) / 2));
        tokens = await count(text.slice(from));
    }
    return {from, tokens, total};
}

export class Drafting {
    #parts;
    /** Whose sessions these are. @type {Gemma | undefined} */
    #gemma;
    /** The one that has read most comes first. @type {Promise<Session>[]} */
    #sessions = [];
    /** Where the window began the last time. */
    #from = 0;

    /** @param {DraftingParts} parts */
    constructor(parts) {
        this.#parts = parts;
    }

    /**
     * Continues a text.
     * @param {string} text
     * @param {Told & {onPiece: (piece: string) => void, way?: number}} told   way: how many others were
     *     written from here before; where the seed is set, each has its own
     * @returns {Promise<Result>} rejects with an AbortError where there is no model
     */
    async continue(text, {onPiece, way = 0, ...told}) {
        const {session, asked, options: {sampling = {}, ...options}, gemma} = await this.#begin(text, told);
        const answer = (await session).prompt(asked,
            {...options, sampling: {...sampling, seed: seedOf(sampling, way)}});
        for await (const piece of answer) onPiece(piece);
        const result = await answer.result;
        this.#parts.onResult(gemma, result);
        return result;
    }

    /**
     * Continues a text in several ways at the same time. The text is read once.
     * @param {string} text
     * @param {Told & {signals: AbortSignal[], onPiece: (index: number, piece: string) => void, onEnd: (index:
     *     number) => void}} told signals: one for each, which ends it alone
     * @returns {Promise<void>} rejects when one of them fails, once all have ended
     */
    async alternatives(text, {signals, onPiece, onEnd, ...told}) {
        const {session, asked, options, gemma} = await this.#begin(text, told),
            {sampling = {}, ...rest} = options;
        const {finishReason} = await (await session).prompt(asked, {...options, maxTokens: 0}).result;
        if (finishReason === 'abort') return;
        await this.#branch(await session, signals.length - 1);
        const {temperature = TEMPERATURE} = sampling, warm = temperature < LEAST_TEMPERATURE ? TEMPERATURE
            : temperature;
        const sessions = await Promise.all(this.#sessions);
        const ended = await Promise.allSettled(signals.map(async (signal, i) => {
            // Where there was no memory for a session, the first one answers one after the other.
            const answer = (sessions[i] ?? sessions[0]).prompt(asked, {
                ...rest, signal: AbortSignal.any([told.signal, signal]),
                sampling: {...sampling, temperature: warm, seed: seedOf(sampling, i)},
            });
            try {
                for await (const piece of answer) onPiece(i, piece);
                this.#parts.onResult(gemma, await answer.result);
            } finally {
                onEnd(i);
            }
        }));
        const failed = ended.find(({status}) => status === 'rejected');
        if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
    }

    /**
     * The alternative that was taken: what its session has read is used from now on.
     * @param {number} index
     */
    keep(index) {
        const [kept] = this.#sessions.splice(index, 1);
        if (kept) this.#sessions.unshift(kept);
    }

    /**
     * The likeliest next tokens.
     * @param {string} text @param {number} count @param {Told} told
     * @returns {Promise<Likely[]>} the likeliest first
     */
    async likely(text, count, told) {
        const {session, asked, options, gemma} = await this.#begin(text, told);
        const result = await (await session).prompt(asked, {...options, stop: undefined, maxTokens: 1,
            logprobs: count, sampling: {temperature: 0}}).result;
        const {top = []} = result.logprobs?.[0] ?? result.endToken ?? {},
            bytes = await gemma.tokenBytes(top.map(({id}) => id), {special: false});
        return top.map(({logprob}, i) => ({text: new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes[i]),
            probability: Math.exp(logprob), isControl: !bytes[i].length}));
    }

    /** What was read belongs to a model that is gone. */
    reset() {
        this.#gemma = undefined;
        this.#sessions = [];
        this.#from = 0;
    }

    /**
     * The session that answers, and what it is asked.
     * @param {string} text @param {Told} told
     * @returns {Promise<{gemma: Gemma, session: Promise<Session>, asked: string, options: PromptOptions}>}
     */
    async #begin(text, {signal, onReading, onWindow}) {
        const gemma = await this.#parts.open();
        if (!gemma) throw new DOMException('There is no model.', 'AbortError');
        if (gemma !== this.#gemma) this.reset();
        this.#gemma = gemma;
        for (const other of this.#sessions.splice(1))
            other.then((session) => session.close()).catch(() => {});
        const [session = this.#open(gemma)] = this.#sessions,
            {maxTokens, sampling, stop} = this.#parts.settingsOf();
        const {from, tokens, total} = await this.#window(gemma, text, maxTokens);
        signal.throwIfAborted();
        this.#from = from;
        if (from) onWindow?.({from, tokens, total});
        const onProgress = (/** @type {{done: number, total: number}} */ {done, total}) => done < total
            && onReading?.(done / total);
        return {gemma, session, asked: text.slice(from), options: {signal, raw: true, maxTokens, sampling,
            stop, onProgress}};
    }

    /** @param {Gemma} gemma @param {string} text @param {number} [maxTokens] @returns {Promise<Window>} */
    async #window(gemma, text, maxTokens = Infinity) {
        const {contextLength, addsBos} = gemma.info,
            most = contextLength - Math.min(maxTokens, Math.floor(ANSWER * contextLength));
        // A UTF-16 unit has three bytes at most, and a token has at least one.
        if (3 * text.length < most) return {from: 0, tokens: 0, total: 0};
        return fitWindow(text, {most, before: this.#from,
            count: async (part) => (await gemma.tokenize(part, {bos: addsBos})).length});
    }

    /** @param {Gemma} gemma */
    #open(gemma) {
        const opening = gemma.session();
        this.#sessions = [opening];
        opening.catch(() => {
            if (this.#sessions[0] === opening) this.#sessions = [];       // the next try begins anew
        });
        return opening;
    }

    /**
     * Adds sessions that have read the same, as many as there is memory for.
     * @param {Session} session
     * @param {number} count
     */
    async #branch(session, count) {
        for (let i = 0; i < count; i++) {
            const made = session.clone();
            try {
                await made;
            } catch (error) {
                if (/** @type {{code?: string}} */ (error).code === 'no-memory') return;
                throw error;
            }
            this.#sessions.push(made);
        }
    }
}
