// drafts.js: draft tokens, which are evaluated in one batch with the token before them. Two things tell what
// may come next. Where a constraint forces a text (a key, a brace), that text is drafted. And where a text
// repeats what stands in it already (code that is edited, a passage that is quoted), the tokens that came
// next then are drafted to come next now. An answer that another engine began is drafted as far as it is
// known. The engine samples as ever and only then looks whether the draft was right: so the text does not
// change, only its speed. Knows tokens and times; not what they say.

import {Clock, ClockSum} from '../base/clock.js';
import {MAX_DRAFT} from '../base/constants.js';

// tokens without a draft, after drafts that cost more than they brought
const SHORTEST_REST = 16, LONGEST_REST = 512;
const REST_SHARE = 4;       // times as long as the trial, which a coarse clock makes long
const MEMORY = 0.8;         // of what was measured before, when something is measured

/** @param {number} a @param {number} b @param {number} c */
const key = (a, b, c) => `${a},${b},${c}`;

/** @param {number} before @param {number} measured */
const mix = (before, measured) => MEMORY * before + (1 - MEMORY) * measured;

/** Whether one kind of drafts pays: pauses where they cost more time than they bring. */
class Worth {
    #sum;
    #rest = 0;
    #nextRest = SHORTEST_REST;
    #gainMs = 0;

    /** @param {Clock} clock */
    constructor(clock) {
        this.#sum = new ClockSum(clock);
    }

    /** Asked once for each draft that could be. */
    get isResting() {
        if (this.#rest > 0) this.#rest--;
        return this.#rest > 0;
    }

    /**
     * After a batch with a draft.
     * @param {number} ms
     * @param {number} tokens   that it brought
     * @param {number} plainMs   of a token without a draft
     */
    learn(ms, tokens, plainMs) {
        const sum = this.#sum.add(ms, tokens);
        if (!sum) return;
        this.#gainMs = mix(this.#gainMs, sum.amount * plainMs - sum.ms);
        if (this.#gainMs >= 0) {
            this.#nextRest = SHORTEST_REST;
        } else {
            this.#rest = Math.max(this.#nextRest, REST_SHARE * sum.amount);
            this.#nextRest = Math.min(2 * this.#nextRest, LONGEST_REST);
            this.#gainMs = 0;
        }
    }
}

export class Drafts {
    #session;
    #ids;
    #known;
    #begin;
    #isConstrained;
    /** Where each run of three tokens was last followed by another, by the run. */
    #after = new Map();
    #length = 3;
    #worth;
    /** Milliseconds of a token without a draft. @type {number | undefined} */
    #plainMs;
    /** As many batches without a draft as the clock needs. */
    #plain;
    /** The batch under way. @type {'forced' | 'repeated'} */
    #kind = 'repeated';
    #made = 0;
    #right = 0;
    /** Undefined when it was shared with other sessions. @type {number | undefined} */
    #ms;

    /**
     * @param {Pick<import('./engine_session.js').EngineSession, 'accept' | 'draft'> &
     *     Partial<import('./engine_session.js').EngineSession>} session
     * @param {number[]} ids   of the prompt
     * @param {Clock} [clock]   by which the times are
     * @param {boolean} [isConstrained]
     * @param {number[]} [known]   the first tokens of the answer
     */
    constructor(session, ids, clock = new Clock(), isConstrained = false, known = []) {
        this.#session = session;
        this.#known = known;
        this.#begin = ids.length;
        this.#ids = [...ids];
        this.#isConstrained = isConstrained;
        this.#plain = new ClockSum(clock);
        this.#worth = {forced: new Worth(clock), repeated: new Worth(clock)};
        for (let i = 3; i < ids.length; i++) this.#learn(i);
    }

    /** What comes at i comes after the three before it. @param {number} i */
    #learn(i) {
        const ids = this.#ids;
        this.#after.set(key(ids[i - 3], ids[i - 2], ids[i - 1]), i);
    }

    /**
     * Takes the token just sampled; true when it was the draft's next one and is evaluated already.
     * @param {number} id
     */
    accept(id) {
        const right = this.#session.accept(id);
        if (right) this.#right++;
        else this.#settle();
        this.#ids.push(id);
        this.#learn(this.#ids.length - 1);
        return right;
    }

    /**
     * After a push: adds tokens that are known to follow. They do not depend on the rest of the batch.
     * @returns {boolean} whether there are some
     */
    proposeKnown() {
        const at = this.#ids.length - this.#begin, known = this.#known.slice(at, at + MAX_DRAFT);
        if (known.length) this.#session.draft(known);
        this.#made = 0;
        return known.length > 0;
    }

    /** After a push: adds a draft, if there is one. */
    propose() {
        const forced = this.#findForced(), made = forced.length ? forced : this.#findRepeated();
        if (made.length) this.#session.draft(made);
        this.#kind = forced.length ? 'forced' : 'repeated';
        this.#made = made.length;
        this.#right = 0;
        this.#ms = undefined;
    }

    /** What the evaluation of the pushed token and its draft took. @param {number} ms */
    measured(ms) {
        this.#ms = ms;
        if (this.#made) return;
        const sum = this.#plain.add(ms);
        if (sum) this.#plainMs = mix(this.#plainMs ?? sum.ms / sum.amount, sum.ms / sum.amount);
    }

    #findForced() {
        const forced = this.#isConstrained ? this.#session.forced?.() ?? [] : [];
        return forced.length && !this.#worth.forced.isResting ? forced : [];
    }

    #findRepeated() {
        const ids = this.#ids, [a, b, c] = ids.slice(-3), at = this.#after.get(key(a, b, c)),
            {isResting} = this.#worth.repeated;
        if (at === undefined || isResting || this.#plainMs === undefined) return [];
        return ids.slice(at, at + this.#length);
    }

    /** After a batch with a draft: did it pay? Longer ones where all of what repeats was right. */
    #settle() {
        if (!this.#made) return;
        if (this.#kind === 'repeated') this.#length = this.#right === this.#made
            ? Math.min(2 * this.#made, MAX_DRAFT) : Math.max(2, this.#right + 1);
        this.#made = 0;
        // What is forced may be drafted before a token without a draft was measured.
        if (this.#ms !== undefined && this.#plainMs !== undefined)
            this.#worth[this.#kind].learn(this.#ms, 1 + this.#right, this.#plainMs);
    }
}
