// pool.js: the sessions that answered requests, kept for what they have evaluated: a request continues the one that shares the longest beginning with
// it. Knows sessions and keys, which are texts that begin alike where prompts do; not what is asked.

const WORTH = 200;      // characters: what is shared and shorter is evaluated again rather than copied

/**
 * @typedef {import('../../gemma.js').Gemma} Gemma
 * @typedef {import('../../gemma.js').Session} Session
 *
 * @typedef {object} Held
 * @property {Session} session
 * @property {string} key                what it has evaluated
 * @property {any} [known]               of its tokens, for whoever asks next
 */

/** How many characters two texts begin alike with. @param {string} a @param {string} b */
function shared(a, b) {
    const most = Math.min(a.length, b.length);
    let n = 0;
    while (n < most && a.charCodeAt(n) === b.charCodeAt(n)) n++;
    return n;
}

export class Pool {
    #gemma;
    #most;
    /** The one that was used last is the last. @type {Set<Held>} */
    #idle = new Set();
    #busy = 0;
    #closed = false;

    /** @param {Gemma} gemma @param {number} most   sessions, those in use among them as far as possible */
    constructor(gemma, most) {
        this.#gemma = gemma;
        this.#most = most;
    }

    /** Sessions that are kept. */
    get size() {
        return this.#idle.size;
    }

    /**
     * Has `work` done with a session for a prompt.
     * @template T
     * @param {string} key            of the prompt
     * @param {boolean} isReused      false: a new session, which is not kept
     * @param {(held: Held) => Promise<T>} work   sets the key to what the session has evaluated at the end
     * @returns {Promise<T>}
     */
    async use(key, isReused, work) {
        this.#busy++;
        /** @type {Held | undefined} */
        let held;
        try {
            held = isReused ? await this.#take(key) : {session: await this.#roomy(() => this.#gemma.session()), key: ''};
            return await work(held);
        } finally {
            this.#busy--;
            if (held) this.#give(held, isReused && !this.#closed);
        }
    }

    /**
     * Does what needs memory; where there is none, once more without the sessions that are kept.
     * @template T @param {() => Promise<T>} work @returns {Promise<T>}
     */
    async #roomy(work) {
        try {
            return await work();
        } catch (error) {
            if (!this.isFull(error) || !await this.drop()) throw error;
            return work();
        }
    }

    /** Whether memory is lacking that drop() may free. @param {any} error */
    isFull(error) {
        return error?.code === 'no-memory' && this.#idle.size > 0;
    }

    /** Frees the sessions that nobody uses. @returns {Promise<boolean>} whether there were some */
    async drop() {
        const all = [...this.#idle];
        this.#idle.clear();
        await Promise.all(all.map(({session}) => session.close().catch(() => {})));
        return all.length > 0;
    }

    /** @param {string} key @returns {Promise<Held>} */
    async #take(key) {
        const {best, n} = this.#nearest(key), oldest = this.#idle.values().next().value, isRoom = this.#idle.size + this.#busy <= this.#most;
        if (best && best.key.length - n <= Math.max(WORTH, n / 4)) return this.#leave(best);
        // What another conversation has beyond what is shared stays, where there is room for both.
        if (best && n > WORTH && (isRoom || best !== oldest)) return this.#copy(best);
        if (oldest && !isRoom) return this.#leave(oldest);
        return {session: await this.#roomy(() => this.#gemma.session()), key: ''};
    }

    /** The one that begins most like a key, and for how many characters. @param {string} key */
    #nearest(key) {
        /** @type {Held | undefined} */
        let best, most = 0;
        for (const held of this.#idle) {
            const n = shared(held.key, key);
            if (n >= most) [best, most] = [held, n];
        }
        return {best, n: most};
    }

    /** @param {Held} held */
    #leave(held) {
        this.#idle.delete(held);
        return held;
    }

    /** @param {Held} held @returns {Promise<Held>} */
    async #copy(held) {
        this.#leave(held);
        try {
            return {...held, session: await this.#roomy(() => held.session.clone())};
        } finally {
            this.#give(held, !this.#closed);
        }
    }

    /** @param {Held} held @param {boolean} isKept */
    #give(held, isKept) {
        if (isKept) this.#idle.add(held);
        else held.session.close().catch(() => {});
        void this.#trim();
    }

    /** Closes those that were used longest ago, while there are too many. */
    async #trim() {
        for (const held of this.#idle) {
            if (this.#idle.size + this.#busy <= this.#most) return;
            this.#idle.delete(held);
            await held.session.close().catch(() => {});
        }
    }

    /** Frees all: those in use when their work ends. */
    async close() {
        this.#closed = true;
        await this.drop();
    }
}
