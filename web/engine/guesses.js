// guesses.js: prompt lookup: where a text repeats what stands in it already (code that is edited, a passage that is quoted), the tokens that came
// next then are guessed to come next now, and evaluated in one batch with the token before them. The engine samples as ever and
// only then looks whether the guess was right: so the text does not change, only its speed. Knows tokens and times; not what they say.

const LONGEST = 7;          // GEMMA_MAX_DRAFT
const SHORTEST_REST = 16, LONGEST_REST = 512;   // tokens without a guess, after guesses that cost more than they brought
const MEMORY = 0.8;         // of what was measured before, when something is measured

const key = (a, b, c) => `${a},${b},${c}`;

export class Guesses {
    #engine;
    #ids;
    /** Where each run of three tokens was last followed by another, by the run. */
    #after = new Map();
    #length = 3;
    #rest = 0;
    #nextRest = SHORTEST_REST;
    #plainMs;
    #gainMs = 0;
    /** The batch under way. */
    #made = 0;
    #right = 0;
    #ms = 0;

    /** @param {import('./module.js').Module} engine @param {number[]} ids   of the prompt */
    constructor(engine, ids) {
        this.#engine = engine;
        this.#ids = [...ids];
        for (let i = 3; i < ids.length; i++) this.#learn(i);
    }

    /** What comes at i comes after the three before it. */
    #learn(i) {
        const ids = this.#ids;
        this.#after.set(key(ids[i - 3], ids[i - 2], ids[i - 1]), i);
    }

    /** Takes the token just sampled; true when it had been guessed and needs no step. */
    accept(id) {
        const right = this.#engine.accept(id);
        if (right) this.#right++;
        else this.#settle();
        this.#ids.push(id);
        this.#learn(this.#ids.length - 1);
        return right;
    }

    /** Evaluates the token just pushed, and guesses if there are any. */
    step() {
        const made = this.#guess(), start = performance.now();
        if (made.length) this.#engine.draft(made);
        this.#engine.step(1);
        this.#ms = performance.now() - start;
        this.#made = made.length;
        this.#right = 0;
        if (!made.length) this.#plainMs = this.#plainMs === undefined ? this.#ms : MEMORY * this.#plainMs + (1 - MEMORY) * this.#ms;
    }

    #guess() {
        const ids = this.#ids, [a, b, c] = ids.slice(-3), at = this.#after.get(key(a, b, c));
        if (this.#rest > 0) this.#rest--;
        if (at === undefined || this.#rest > 0 || this.#plainMs === undefined) return [];
        return ids.slice(at, at + this.#length);
    }

    /** After a batch with guesses: did they pay? Longer ones where all were right, and a pause where they cost time. */
    #settle() {
        if (!this.#made) return;
        this.#length = this.#right === this.#made ? Math.min(2 * this.#made, LONGEST) : Math.max(2, this.#right + 1);
        this.#gainMs = MEMORY * this.#gainMs + (1 - MEMORY) * ((1 + this.#right) * this.#plainMs - this.#ms);
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
