// drafts.js: prompt lookup: where a text repeats what stands in it already (code that is edited, a passage that is quoted), the tokens that came
// next then are drafted to come next now, and evaluated in one batch with the token before them. The engine samples as ever and only then
// looks whether the draft was right: so the text does not change, only its speed. Knows tokens and times; not what they say.

import {MAX_DRAFT} from '../base/constants.js';

const SHORTEST_REST = 16, LONGEST_REST = 512;   // tokens without a draft, after drafts that cost more than they brought
const MEMORY = 0.8;         // of what was measured before, when something is measured

/** @param {number} a @param {number} b @param {number} c */
const key = (a, b, c) => `${a},${b},${c}`;

export class Drafts {
    #session;
    #ids;
    /** Where each run of three tokens was last followed by another, by the run. */
    #after = new Map();
    #length = 3;
    #rest = 0;
    #nextRest = SHORTEST_REST;
    /** @type {number | undefined} */
    #plainMs;
    #gainMs = 0;
    /** The batch under way. */
    #made = 0;
    #right = 0;
    #ms = 0;

    /** @param {import('./engine_session.js').EngineSession} session @param {number[]} ids   of the prompt */
    constructor(session, ids) {
        this.#session = session;
        this.#ids = [...ids];
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
    }

    /** What the evaluation of the pushed token and its draft took. @param {number} ms */
    measured(ms) {
        this.#ms = ms;
        if (!this.#made) this.#plainMs = this.#plainMs === undefined ? ms : MEMORY * this.#plainMs + (1 - MEMORY) * ms;
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
        const plainMs = this.#plainMs ?? 0;     // it is measured before there is a draft
        this.#gainMs = MEMORY * this.#gainMs + (1 - MEMORY) * ((1 + this.#right) * plainMs - this.#ms);
        if (this.#gainMs >= 0) {
            this.#nextRest = SHORTEST_REST;
        } else {
            this.#rest = this.#nextRest;
            this.#nextRest = Math.min(2 * this.#nextRest, LONGEST_REST);
            this.#gainMs = 0;
        }
        this.#made = 0;
    }
}
