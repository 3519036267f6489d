// drafts.js: prompt lookup: where a text repeats what stands in it already (code that is edited, a passage that is quoted), the tokens that came
// next then are drafted to come next now, and evaluated in one batch with the token before them. The engine samples as ever and only then
// looks whether the draft was right: so the text does not change, only its speed. Knows tokens and times; not what they say.

import {Clock, ClockSum} from '../base/clock.js';
import {MAX_DRAFT} from '../base/constants.js';

const SHORTEST_REST = 16, LONGEST_REST = 512;   // tokens without a draft, after drafts that cost more than they brought
const REST_SHARE = 4;       // times as long as the trial, which a coarse clock makes long
const MEMORY = 0.8;         // of what was measured before, when something is measured

/** @param {number} a @param {number} b @param {number} c */
const key = (a, b, c) => `${a},${b},${c}`;

/** @param {number} before @param {number} measured */
const mix = (before, measured) => MEMORY * before + (1 - MEMORY) * measured;

export class Drafts {
    #session;
    #ids;
    /** Where each run of three tokens was last followed by another, by the run. */
    #after = new Map();
    #length = 3;
    #rest = 0;
    #nextRest = SHORTEST_REST;
    /** Milliseconds of a token without a draft. @type {number | undefined} */
    #plainMs;
    #gainMs = 0;
    /** As many batches without a draft, and with one, as the clock needs. */
    #plain;
    #drafted;
    /** The batch under way. */
    #made = 0;
    #right = 0;
    /** Undefined when it was shared with other sessions. @type {number | undefined} */
    #ms;

    /**
     * @param {Pick<import('./engine_session.js').EngineSession, 'accept' | 'draft'>} session
     * @param {number[]} ids   of the prompt
     * @param {Clock} [clock]   by which the times are
     */
    constructor(session, ids, clock = new Clock()) {
        this.#session = session;
        this.#ids = [...ids];
        this.#plain = new ClockSum(clock);
        this.#drafted = new ClockSum(clock);
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

    /** After a push: adds a draft, if there is one. */
    propose() {
        const made = this.#find();
        if (made.length) this.#session.draft(made);
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

    #find() {
        const ids = this.#ids, [a, b, c] = ids.slice(-3), at = this.#after.get(key(a, b, c));
        if (this.#rest > 0) this.#rest--;
        if (at === undefined || this.#rest > 0 || this.#plainMs === undefined) return [];
        return ids.slice(at, at + this.#length);
    }

    /** After a batch with a draft: did it pay? Longer ones where all was right, and a pause where they cost time. */
    #settle() {
        if (!this.#made) return;
        this.#length = this.#right === this.#made ? Math.min(2 * this.#made, MAX_DRAFT) : Math.max(2, this.#right + 1);
        this.#made = 0;
        const sum = this.#ms === undefined ? undefined : this.#drafted.add(this.#ms, 1 + this.#right);
        if (!sum) return;
        const plainMs = this.#plainMs ?? 0;     // it is measured before there is a draft
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
