// generate.js: the token loop of one answer: prefill, then one token after the other until something ends it. Many run
// at the same time, each on its own session; the scheduler evaluates their tokens together. Knows neither
// messages, pages nor turns.

import {Drafts} from './drafts.js';
import {NO_TOKEN} from '../base/constants.js';
import {GemmaError} from '../base/error.js';
import {readOptions} from '../base/options.js';
import {StopFilter} from './stop.js';

const OTHER_TEXT = 'The engine that wrote this answer is gone, and the next one computes a different text. Ask again.';
const LOGPROBS_BATCH = 32;      // prompt tokens whose logits are computed before Stop can act

/** @typedef {Partial<typeof SAMPLING> & {seed?: number, logitBias?: Record<number, number>}} SamplingOptions */

export const SAMPLING = {
    temperature: 0.8, topK: 64, topP: 0.95, minP: 0, repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0,
};

/** A seed for those who gave none. */
const randomSeed = () => Math.floor(Math.random() * 2 ** 48);

/**
 * What was given, the defaults for the rest. Ranges are the engine's matter.
 * @param {SamplingOptions | undefined} given
 * @returns {Required<SamplingOptions>}
 */
function completeSampling(given) {
    const sampling = {...SAMPLING, seed: randomSeed(), logitBias: {}, ...readOptions('sampling', given)};
    return {...sampling, topK: Math.min(sampling.topK, 2 ** 31 - 1)};
}

/**
 * Evaluates the prompt, and tells of each of its tokens how likely it was.
 * @returns {Promise<{all: (TokenLogprobs | null)[], cached: number}>} all: null for the first token, which nothing
 *     comes before, and for those before `from`; shorter than ids when it was aborted
 * @param {EngineSession} session
 * @param {number[]} ids
 * @param {{promptLogprobs: number, promptLogprobsFrom?: number}} asked
 * @param {Pick<Io, 'turn' | 'aborted' | 'onPrefill'>} io
 */
async function readWithLogprobs(session, ids, {promptLogprobs, promptLogprobsFrom = 0}, {turn, aborted, onPrefill}) {
    const from = Math.min(Math.max(promptLogprobsFrom, 1), ids.length);
    /** @type {(TokenLogprobs | null)[]} */
    const all = Array.from({length: from}, () => null);
    session.sync(ids.slice(0, from));   // so the token before `from` is evaluated now, even if it was before
    const cached = session.sync(ids);
    for (let done = cached; done < ids.length && !aborted();) {
        const end = ids.length - session.step(LOGPROBS_BATCH);
        for (let i = Math.max(done, from - 1); i < end; i++) {
            session.logitsAt(i - done);
            if (i + 1 < ids.length) all.push({id: ids[i + 1], ...session.logprobs(ids[i + 1], promptLogprobs)});
        }
        done = end;
        onPrefill?.(done - cached, ids.length - cached);
        await turn();
    }
    return {all, cached};
}

/** Bytes of tokens to text: characters may span tokens. Remembers how much text there was after each token. */
class TextStream {
    #decoder = new TextDecoder('utf-8', {ignoreBOM: true});
    #length = 0;
    /** @type {number[]} */
    ends = [];

    /** @param {Uint8Array} bytes */
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
 * @property {SamplingOptions} [sampling]
 * @property {number} [maxTokens]   default: until the context is full
 * @property {string[]} [stop]      the exact name of a control token ends the text where the model writes that token
 * @property {boolean} [controls]   names of control tokens are part of the text
 * @property {boolean} [trimStart]  white space before the first word is not part of the text
 * @property {number} [logprobs]    of each token, and of as many of the likeliest in its place, up to 20
 * @property {number} [promptLogprobs]  the same of the prompt's tokens, which are then all evaluated
 * @property {number} [promptLogprobsFrom]   but only of the tokens from this one on; those before need not be
 *     evaluated again
 * @property {import('./engine_grammar.js').EngineGrammar} [grammar]   the text is one of its texts
 * @property {number[]} [known]     its first tokens: another engine wrote them, with the same seed
 * @property {number[]} [begun]     the last tokens of the prompt, with which what the grammar describes begins
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
 * @property {'complete' | 'cut'} [constraint]   whether the text is a whole one of the grammar
 * @property {TokenLogprobs[]} [logprobs]   of `tokens`
 * @property {(TokenLogprobs | null)[]} [promptLogprobs]
 * @property {TokenLogprobs} [endToken]   with logprobs: the end-of-generation token that ended the text
 * @property {{prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs: number}} timings  
 *     tokens evaluated
 */

/**
 * @typedef {import('./engine_session.js').EngineSession} EngineSession
 * @typedef {Pick<import('./module.js').Module, 'isEnd' | 'isControl' | 'tokenBytes'>} Vocabulary
 *
 * @typedef {object} Io
 * @property {import('./scheduler.js').Scheduler} scheduler
 * @property {() => boolean} aborted
 * @property {() => Promise<void>} turn   lets messages that have come be seen
 * @property {(done: number, total: number) => void} [onPrefill]   tokens
 * @property {(piece: string, logprobs: TokenLogprobs[]) => void} onText   logprobs: of the tokens since the last piece;
 *   with '' at the end, of tokens without a text
 * @property {(id: number) => void} [onToken]   before the text that it makes
 * @property {() => boolean} [isStoppable]   whether stop strings count for the next text; false once: for the rest
 * @property {(n: number) => {ids: number[], begun: number[]} | undefined} [shorten]   where the context is full: the
 *     prompt anew, beside which n tokens have place
 */

/**
 * @typedef {Pick<Generated, 'finishReason' | 'endToken'> & {decodeTokens: number, isWhole?: boolean}} Written
 *     isWhole: a constraint lets nothing follow
 */

/** The tokens of an answer, and the text that they make. */
class Writing {
    /** @type {number[]} */
    tokens = [];
    text = '';
    #vocabulary;
    #stop;
    #trimStart;
    #controls;
    #onText;
    #isStoppable;
    #filter;
    #stream = new TextStream();
    #shown = 0;
    #stoppedAt = -1;
    #stopToken = Infinity;

    /**
     * @param {Vocabulary} vocabulary @param {GenerateOptions} options
     * @param {(piece: string) => void} onText
     * @param {() => boolean} [isStoppable]   see Io
     */
    constructor(vocabulary, {stop = [], trimStart = false, controls = false}, onText, isStoppable = () => true) {
        this.#vocabulary = vocabulary;
        this.#stop = stop;
        this.#trimStart = trimStart;
        this.#controls = controls;
        this.#onText = onText;
        this.#isStoppable = isStoppable;
        this.#filter = new StopFilter(stop);
    }

    /** Takes the next token. @param {number} id @returns {boolean} whether the text ends here */
    add(id) {
        this.tokens.push(id);
        const isControl = this.#vocabulary.isControl(id), bytes = this.#vocabulary.tokenBytes(id);
        // The text of a control token is not shown, so the filter does not see it.
        if (isControl && this.#stop.includes(new TextDecoder().decode(bytes))) {
            this.#stopToken = this.tokens.length - 1;
            return true;
        }
        const piece = this.#pass(this.#stream.push(isControl && !this.#controls ? new Uint8Array(0) : bytes));
        this.#stoppedAt = piece.stoppedAt;
        this.#show(piece.text);
        return this.#stoppedAt >= 0;
    }

    /** Shows what was held back, unless a stop string has ended the text. */
    end() {
        if (this.#stoppedAt >= 0) return;
        const rest = this.#pass(this.#stream.flush());
        this.#show(rest.text + (rest.stoppedAt < 0 ? this.#filter.flush() : ''));
    }

    /** Whether a stop string has ended the text. */
    get isStopped() {
        return this.#stoppedAt >= 0 || this.#stopToken < Infinity;
    }

    /** How many tokens have their text shown. */
    get told() {
        return this.#stream.ends.findLastIndex((end) => end <= this.#shown) + 1;
    }

    /** The tokens whose text lies before a stop string. */
    get kept() {
        if (this.#stoppedAt < 0) return this.tokens.slice(0, this.#stopToken);
        return this.tokens.filter((_, i) => this.#stream.ends[i] <= this.#stoppedAt);
    }

    /** @param {string} text */
    #pass(text) {
        return this.#isStoppable() ? this.#filter.push(text) : {text: this.#filter.flush() + text, stoppedAt: -1};
    }

    /** @param {string} found */
    #show(found) {
        this.#shown += found.length;
        const piece = this.#trimStart && !this.text ? found.trimStart() : found;
        this.text += piece;
        if (piece) this.#onText(piece);
    }
}

/**
 * What the whole sequence is from now on. What follows the prompt is constrained, and what the answer has begun with.
 * @param {EngineSession} session
 * @param {number[]} ids   of the prompt
 * @param {GenerateOptions} options
 * @param {number[]} [tokens]   of the answer
 * @returns {number} tokens that need not be evaluated again
 */
function sync(session, ids, {grammar, begun = []}, tokens = []) {
    if (!grammar) return session.sync([...ids, ...tokens]);
    const cached = session.sync(begun.length ? ids.slice(0, -begun.length) : ids);
    session.constrain(grammar);
    try {
        for (const id of [...begun, ...tokens]) session.push(id);
    } catch (cause) {
        throw new GemmaError('bad-constraint',
            'What the answer begins with does not fit its constraint; change one of them.', {cause});
    }
    return cached;
}

/**
 * Evaluates the prompt.
 * @param {EngineSession} session @param {number[]} ids @param {GenerateOptions} options @param {Io} io
 * @returns {Promise<{cachedTokens: number, ofPrompt?: (TokenLogprobs | null)[], isAborted: boolean}>}
 */
async function read(session, ids, options, io) {
    const {scheduler, aborted} = io, {promptLogprobs, begun, grammar} = options;
    const known = promptLogprobs === undefined ? undefined : await readWithLogprobs(session, ids,
        {...options, promptLogprobs}, io);
    // With these the sequence is evaluated already, and a constraint begins where it stands.
    const isWhole = known && !(grammar && begun?.length), cached = isWhole ? known.cached : sync(session, ids, options);
    if (isWhole && grammar) session.constrain(grammar);
    const total = ids.length - cached;
    /** @param {number} left */
    const onProgress = (left) => io.onPrefill?.(Math.floor(total - left), total);
    const isRead = isWhole ? !aborted() : await scheduler.evaluate(session, {aborted, onProgress});
    await io.turn();        // a listener of the last progress event may still stop
    return {cachedTokens: known?.cached ?? cached, ofPrompt: known?.all, isAborted: !isRead || aborted()};
}

/** Why no token may come in the middle of a constrained text. @param {boolean} isAmbiguous */
const noToken = (isAmbiguous) => new GemmaError('bad-constraint', isAmbiguous
    ? 'The text so far can be read in too many ways for the constraint to be followed. Make it less ambiguous: '
        + 'say with fewer alternatives or repetitions what may come where.'
    : 'The logit biases forbid every token that the constraint lets come next. Change one of them.');

/**
 * Writes one token after the other until something ends the text.
 * @param {EngineSession} session @param {Vocabulary} vocabulary @param {number[]} ids   of the prompt
 * @param {Writing} writing @param {TokenLogprobs[]} ofTokens   to fill @param {GenerateOptions} options @param {Io} io
 * @returns {Promise<Written>}
 */
async function write(session, vocabulary, ids, writing, ofTokens, options, {scheduler, aborted, onToken, shorten}) {
    const {maxTokens = Infinity, logprobs, grammar, known = []} = options;
    const drafts = new Drafts(session, ids, scheduler.clock, grammar !== undefined, known), {tokens} = writing;
    let decodeTokens = 0;
    /** @param {Generated['finishReason']} finishReason @param {TokenLogprobs} [endToken] @returns {Written} */
    const end = (finishReason, endToken) => ({finishReason, decodeTokens, endToken});
    /** @param {number} id @returns {TokenLogprobs} */
    const likelihood = (id) => ({id, ...session.logprobs(id, logprobs ?? 0)});
    for (;;) {
        if (tokens.length >= maxTokens) return end('length');
        const id = session.sample();
        if (tokens.length < known.length && id !== known[tokens.length])
            throw new GemmaError('engine-lost', OTHER_TEXT);
        if (id === NO_TOKEN) {
            if (grammar && !session.isComplete) throw noToken(session.isAmbiguous);
            return end('stop');
        }
        if (vocabulary.isEnd(id)) return end('stop', logprobs === undefined ? undefined : likelihood(id));
        if (logprobs !== undefined) ofTokens.push(likelihood(id));
        onToken?.(id);
        if (writing.add(id)) return end('stop');
        const isEvaluated = drafts.accept(id), isPushed = isEvaluated || session.push(id);
        const shorter = isPushed || tokens.length >= maxTokens ? undefined : shorten?.(tokens.length);
        if (shorter) sync(session, shorter.ids, {...options, begun: shorter.begun}, tokens);
        if (grammar && session.isEnded(isPushed || shorter ? NO_TOKEN : id)) return {...end('stop'), isWhole: true};
        if (tokens.length >= maxTokens) return end('length');
        if (!isPushed && !shorter) return end('context');
        if (!isEvaluated) {
            const isKnown = isPushed && drafts.proposeKnown();
            // beside others a draft would take their places in the batch
            const alone = isPushed && !isKnown && scheduler.stepped === 1;
            if (alone) drafts.propose();
            if (!await scheduler.evaluate(session, {aborted})) return end('abort');
            if (alone && scheduler.stepped === 1) drafts.measured(scheduler.stepMs);
        }
        decodeTokens++;
    }
}

/**
 * Generates after the tokens `ids`.
 * @param {EngineSession} session
 * @param {Vocabulary} vocabulary
 * @param {number[]} ids
 * @param {GenerateOptions} options
 * @param {Io} io
 * @returns {Promise<Generated>}
 */
export async function generate(session, vocabulary, ids, options, io) {
    const sampling = completeSampling(options.sampling);
    session.setSampling(sampling);
    /** @type {TokenLogprobs[]} */
    const ofTokens = [];
    let told = 0;
    const writing = new Writing(vocabulary, options, (piece) => tell(piece, writing.told), io.isStoppable);
    /** @param {string} piece @param {number} n   tokens whose probabilities are reported with it or before */
    const tell = (piece, n) => io.onText(piece, ofTokens.slice(told, told = n));
    const start = performance.now();
    const {cachedTokens, ofPrompt, isAborted} = await read(session, ids, options, io), middle = performance.now();
    /** @type {Written} */
    const {finishReason, decodeTokens, endToken, isWhole} = isAborted ? {finishReason: 'abort', decodeTokens: 0}
        : await write(session, vocabulary, ids, writing, ofTokens, options, io);
    writing.end();
    const end = performance.now(), {text, tokens, kept} = writing;
    if (ofTokens.length && kept.length > told) tell('', kept.length);
    const isComplete = options.grammar && finishReason === 'stop' && !writing.isStopped
        && (isWhole || session.isComplete);
    if (options.grammar) session.constrain(undefined);
    return {
        text, tokens, kept, finishReason, cachedTokens, seed: sampling.seed, ...options.grammar
            && {constraint: isComplete ? 'complete' : 'cut'},
        ...options.logprobs !== undefined && {logprobs: ofTokens}, ...ofPrompt && {promptLogprobs: ofPrompt},
        ...endToken && {endToken},
        timings: {prefillTokens: ids.length - cachedTokens, prefillMs: middle - start, decodeTokens,
            decodeMs: end - middle},
    };
}
