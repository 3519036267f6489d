// pool.js: the sessions that answered requests, kept for what they have evaluated: a request continues the
// one that shares the longest beginning with it. The common start of conversations is kept separately,
// because a long session can't go back to it past the model's sliding windows. Knows sessions and keys, which
// are texts that begin alike where prompts do; not what is asked.

import {unlessAborted} from '../../base/abort.js';
import {GemmaError} from '../../gemma.js';

const WORTH = 200;      // characters: what is shared and shorter is evaluated again rather than copied
const REACH = 230;      // tokens: every session can go back this far, for windows of any length
const MOST_STARTS = 2;

/**
 * @typedef {import('../../gemma.js').Gemma} Gemma
 * @typedef {import('../../gemma.js').Session} Session
 *
 * @typedef {object} Held
 * @property {Session} session
 * @property {string} key                what it has evaluated
 * @property {number} [tokens]          of these
 * @property {any} [known]               of its tokens, for the next request
 *
 * @typedef {object} Start               what many prompts begin with
 * @property {string} key
 * @property {AbortSignal} signal        of the request
 * @property {(session: Session) => Promise<unknown>} read   evaluates it in a new session
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
    /**
     * What prompts began with, by its key; evaluated, and never continued itself.
     * @type {Map<string, Session>}
     */
    #starts = new Map();
    /** Those that are being evaluated. @type {Map<string, Promise<unknown>>} */
    #reading = new Map();
    #busy = 0;
    #closed = false;

    /** @param {Gemma} gemma @param {number} most   sessions, those in use among them as far as possible */
    constructor(gemma, most) {
        this.#gemma = gemma;
        this.#most = most;
    }

    /** Sessions that are kept. */
    get size() {
        return this.#idle.size + this.#starts.size;
    }

    /**
     * Has `work` done with a session for a prompt.
     * @template T
     * @param {string} key            of the prompt
     * @param {boolean} isReused      false: a new session, which is not kept
     * @param {Start | undefined} start
     * @param {(held: Held) => Promise<T>} work   sets the key to what the session has evaluated at the end
     * @returns {Promise<T>}
     */
    async use(key, isReused, start, work) {
        this.#busy++;
        /** @type {Held | undefined} */
        let held;
        try {
            held = isReused ? await this.#take(key, start)
                : {session: await this.roomy(() => this.#gemma.session()), key: ''};
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
    async roomy(work) {
        try {
            return await work();
        } catch (error) {
            if (!this.isFull(error) || !await this.drop()) throw error;
            return work();
        }
    }

    /** Whether memory is lacking that drop() may free. @param {any} error */
    isFull(error) {
        return error?.code === 'no-memory' && this.size > 0;
    }

    /** Frees the unused sessions. @returns {Promise<boolean>} whether there were some */
    async drop() {
        const all = [...this.#starts.values(), ...[...this.#idle].map(({session}) => session)];
        this.#idle.clear();
        this.#starts.clear();
        await Promise.all(all.map((session) => session.close().catch(() => {})));
        return all.length > 0;
    }

    /** @param {string} key @param {Start} [start] @returns {Promise<Held>} */
    async #take(key, start) {
        const {best, n} = this.#nearest(key), back = best ? best.key.length - n : 0,
            perCharacter = (best?.tokens ?? Infinity) / (best?.key.length ?? 1);
        if (!start || start.key.length < WORTH) return this.#takeNear(key);
        if (best && back <= WORTH && n >= start.key.length) return this.#leave(best);
        // What is shared beyond the start may be out of reach. Then the start would be lost, too.
        const isStart = n <= start.key.length + WORTH || back * perCharacter > REACH
            && n <= 2 * start.key.length, begun = isStart && await this.#begin(start);
        return begun ? {session: begun, key: start.key} : this.#takeNear(key);
    }

    /** @param {string} key @returns {Promise<Held>} */
    async #takeNear(key) {
        const {best, n} = this.#nearest(key), oldest = this.#idle.values().next().value,
            isRoom = this.size + this.#busy <= this.#most;
        if (best && best.key.length - n <= Math.max(WORTH, n / 4)) return this.#leave(best);
        // Where both fit, the rest of the other conversation stays.
        if (best && n > WORTH && (isRoom || best !== oldest)) return this.#copy(best);
        if (oldest && !isRoom) return this.#leave(oldest);
        return {session: await this.roomy(() => this.#gemma.session()), key: ''};
    }

    /**
     * A session that has evaluated a start.
     * @param {Start} start
     * @returns {Promise<Session | undefined>} undefined: it could not be opened
     */
    async #begin(start) {
        const {key, signal} = start;
        while (this.#reading.has(key))
            await unlessAborted(/** @type {Promise<unknown>} */ (this.#reading.get(key)), signal);
        try {
            if (!this.#starts.has(key)) await this.#read(start);
            const session = this.#starts.get(key);
            if (!session) return undefined;
            this.#starts.delete(key);
            this.#starts.set(key, session);     // the last one used is the last
            return await this.roomy(() => session.clone());
        } catch (error) {
            if (signal.aborted || !(error instanceof GemmaError)) throw error;
            return undefined;       // the request itself says what is wrong
        }
    }

    /** @param {Start} start */
    async #read(start) {
        const evaluate = async () => {
            const session = await this.roomy(() => this.#gemma.session());
            try {
                await start.read(session);
            } catch (error) {
                session.close().catch(() => {});
                throw error;
            }
            if (this.#closed) session.close().catch(() => {});
            else this.#starts.set(start.key, session);
        };
        const reading = evaluate();
        this.#reading.set(start.key, reading.catch(() => {}));
        try {
            await reading;
        } finally {
            this.#reading.delete(start.key);
        }
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
            return {...held, session: await this.roomy(() => held.session.clone())};
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
        const isTooMany = () => this.size + this.#busy > this.#most;
        for (const held of this.#idle) {
            if (!isTooMany()) break;
            this.#idle.delete(held);
            await held.session.close().catch(() => {});
        }
        for (const [key, session] of this.#starts) {
            if (!isTooMany() && this.#starts.size <= MOST_STARTS) return;
            this.#starts.delete(key);
            await session.close().catch(() => {});
        }
    }

    /** Frees all: those in use when their work ends. */
    async close() {
        this.#closed = true;
        await this.drop();
    }
}
