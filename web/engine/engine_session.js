// engine_session.js: one session of an engine module: a timeline of tokens with its keys and values, and a
// sampler. Many live in one module. Knows neither turns nor whose conversation it is.

import {AMBIGUOUS, COMPLETE, ENDED, MAX_DRAFT, NO_TOKEN} from '../base/constants.js';
import {Held} from './held.js';

/**
 * @typedef {{id: number, logprob: number}} Logprob   logprob: the logarithm of a token's probability, before
 *     any sampling parameter
 */

export class EngineSession extends Held {
    #c;

    /**
     * @param {import('./crossing.js').Crossing} crossing
     * @param {number} handle   of gemma_session_new and the like
     */
    constructor(crossing, handle) {
        super(handle, 'session', (address) => crossing.x.session_free(address));
        this.#c = crossing;
    }

    // ---------------------------------------------------------------------------------------- tokens

    /**
     * What the whole sequence is from now on. @returns {number} tokens that need not be evaluated again
     * @param {number[]} ids
     */
    sync(ids) {
        return this.#c.check(this.#c.x.session_sync(this.handle, this.#c.placeInts(ids), ids.length));
    }

    /** The whole sequence. @returns {number[]} */
    get tokens() {
        const n = this.#c.x.session_count(this.handle);
        return Array.from(this.#c.ints(this.#c.x.session_tokens(this.handle), n));
    }

    /** The most tokens that it can hold. */
    get contextLength() {
        return this.#c.x.session_context(this.handle);
    }

    /** Appends a token; false when the context is full. @param {number} id */
    push(id) {
        if (this.#c.x.session_count(this.handle) === this.contextLength) return false;
        this.#c.check(this.#c.x.session_push(this.handle, id));
        return true;
    }

    /**
     * Adds draft tokens, as many as fit, after a token just pushed; the next step evaluates all.
     * @param {number[]} ids
     */
    draft(ids) {
        this.#c.check(this.#c.x.session_draft(this.handle, this.#c.placeInts(ids), ids.length));
    }

    /**
     * Whether the token just sampled was the next draft token: then it is evaluated already. Otherwise the
     * draft is forgotten.
     * @param {number} id
     */
    accept(id) {
        return this.#c.x.session_accept(this.handle, id) !== 0;
    }

    /**
     * Tokens left to evaluate; a fraction while some are half-way. Throws when the last step failed for
     * this session.
     */
    left() {
        return this.#c.check(this.#c.x.session_left(this.handle));
    }

    /**
     * Evaluates up to `batch` tokens of this session alone, or continues those under way; returns after
     * about `ms`.
     * @returns {number} left()
     * @param {number} batch
     * @param {number} [ms]
     */
    step(batch, ms = Infinity) {
        return this.#c.check(this.#c.x.session_step(this.handle, batch, ms / 1000));
    }

    // ---------------------------------------------------------------------------------------- what comes next

    /** Starts the random numbers anew. @param {Required<import('./generate.js').SamplingOptions>} s */
    setSampling(s) {
        const {x} = this.#c;
        this.#c.check(x.sampling(this.handle, s.temperature, s.topK, s.topP, s.minP, s.repeatPenalty,
            s.presencePenalty, s.frequencyPenalty, s.seed));
        for (const [id, bias] of Object.entries(s.logitBias))
            this.#c.check(x.bias(this.handle, Number(id), bias));
    }

    /** The next token; NO_TOKEN where a constraint or biases leave none, or the text is ambiguous. */
    sample() {
        return this.#c.x.session_sample(this.handle);
    }

    /**
     * From now on its text is one of the grammar's, until an end token or the next sync(); without one it
     * is free.
     * @param {import('./engine_grammar.js').EngineGrammar | undefined} grammar
     */
    constrain(grammar) {
        this.#c.check(this.#c.x.session_constrain(this.handle, grammar?.handle ?? 0));
    }

    /** The constrained text so far is a whole one. */
    get isComplete() {
        return this.#c.x.session_constraint(this.handle, NO_TOKEN) >= COMPLETE;
    }

    /** The constrained text can be read in too many ways to say what may follow it. */
    get isAmbiguous() {
        return this.#c.x.session_constraint(this.handle, NO_TOKEN) === AMBIGUOUS;
    }

    /**
     * The constrained text is a whole one, and nothing can follow.
     * @param {number} [next]   a token after it, which need not have a place in the context
     */
    isEnded(next = NO_TOKEN) {
        return this.#c.x.session_constraint(this.handle, next) === ENDED;
    }

    /** Draft tokens of the text that must come next. @returns {number[]} */
    forced() {
        const address = this.#c.scratch(4 * MAX_DRAFT);
        return Array.from(this.#c.ints(address, this.#c.x.session_forced(this.handle, address, MAX_DRAFT)));
    }

    /** A copy of the logits computed last. */
    logits() {
        return this.#c.floats(this.#c.x.logits(this.handle), this.#c.x.n_vocab()).slice();
    }

    /** Computes the logits at token i of this session's last step. @param {number} i */
    logitsAt(i) {
        this.#c.x.logits_at(this.handle, i);
    }

    /** -log of the probability of `id` by the logits computed last. @param {number} id */
    nll(id) {
        return this.#c.x.nll(this.handle, id);
    }

    /**
     * By the logits computed last: of `id`, and of the n likeliest.
     * @returns {{logprob: number, top: Logprob[]}}
     * @param {number} id
     * @param {number} n
     */
    logprobs(id, n) {
        const address = this.#c.scratch(8 * (n + 1));
        this.#c.x.session_logprobs(this.handle, id, address, n);
        const ids = this.#c.ints(address, 2 * (n + 1)), values = this.#c.floats(address, 2 * (n + 1));
        const all = Array.from({length: n + 1}, (_, i) => ({id: ids[2 * i], logprob: values[2 * i + 1]}));
        return {logprob: all[0].logprob, top: all.slice(1).filter((one) => one.id !== NO_TOKEN)};
    }

    // ---------------------------------------------------------------------------------------- embeddings

    /** From now on it adds up final hidden states, and has no logits. */
    pool() {
        this.#c.check(this.#c.x.session_pool(this.handle));
    }

    /**
     * The mean of its tokens' final hidden states, of length 1.
     * @param {number} nEmbd
     * @returns {Float32Array}
     */
    embedding(nEmbd) {
        const address = this.#c.scratch(4 * nEmbd);
        this.#c.check(this.#c.x.session_embedding(this.handle, address));
        return this.#c.floats(address, nEmbd).slice();
    }

    // ---------------------------------------------------------------------------------------- copies

    /** One that continues as this does. */
    clone() {
        return new EngineSession(this.#c, this.#c.check(this.#c.x.session_clone(this.handle)));
    }

    /** What Module.restoreSession takes. @returns {Uint8Array} */
    save() {
        const n = this.#c.x.session_save(this.handle, 0, 0), address = this.#c.scratch(n);
        this.#c.x.session_save(this.handle, address, n);
        return this.#c.bytes(address, n).slice();
    }
}
