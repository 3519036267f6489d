// How many requests a host is asked at once. Some give one connection to each visitor, and refuse, close or
// delay the others: a request that fails while others are open was one too many. Then there are fewer at
// once, and from time to time one more is tried.
//
// Owns the counting. Knows neither requests nor what is asked for.

const LATE_MS = 1000;       // hosts may notice so late that a request has ended
// what such a host gets first between two requests; twice as much each time that this was too little
const REST_MS = 50;
const GROW_AFTER = 8;       // requests that went well; twice as many after each that was too many
const STALL_MS = 30_000;

/**
 * @typedef {object} Place   of a request
 * @property {(bytes: number) => void} arrived
 * @property {(letGo?: () => void) => void} lend     who needs the place may have it by letGo; without, it is
 *     needed from now on
 * @property {(failed?: boolean) => boolean} leave   gives it back, once; true when it was one too many
 */

/** The requests for one model. */
export class Line {
    #stallMs;
    #arrived = 0;
    /** @type {Map<string, Host>} */
    #hosts = new Map();

    /**
     * @param {number} [stallMs]   those that wait are let in when nothing has arrived for so long: who holds
     *     the places may wait for them
     */
    constructor(stallMs = STALL_MS) {
        this.#stallMs = stallMs;
    }

    /** Bytes, of all requests so far. */
    get arrived() {
        return this.#arrived;
    }

    /**
     * Waits for a place; of several that wait, the one with the lowest order is next.
     * @param {string} name   of the host @param {number} order @param {AbortSignal} [signal]
     * @returns {Promise<Place>}
     */
    async enter(name, order, signal) {
        const host = this.#hosts.get(name) ?? new Host(this.#stallMs);
        this.#hosts.set(name, host);
        const place = await host.enter(order, signal);
        return {
            ...place,
            arrived: (bytes) => {
                this.#arrived += bytes;
                place.arrived(bytes);
            },
        };
    }
}

/** The requests to one host. */
class Host {
    #stallMs;
    #open = 0;
    #most = Infinity;
    #endedAt = -Infinity;
    #calm = 0;
    #growAfter = GROW_AFTER;
    #restMs = 0;
    #arrived = 0;
    /** @type {{order: number, go: () => void}[]} */
    #waiting = [];
    /** Functions that give up places not needed yet. @type {Set<() => void>} */
    #lent = new Set();

    /** @param {number} stallMs */
    constructor(stallMs) {
        this.#stallMs = stallMs;
    }

    /** @param {number} order @param {AbortSignal} [signal] @returns {Promise<Place>} */
    async enter(order, signal) {
        signal?.throwIfAborted();
        if (this.#isFull()) [...this.#lent].at(-1)?.();
        if (this.#isFull()) await this.#wait(order, signal);
        else this.#open++;
        const restMs = this.#endedAt + this.#restMs - performance.now();
        if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
        const isSoon = performance.now() - this.#endedAt < LATE_MS;
        let isHere = true;
        /** @type {(() => void) | undefined} */
        let lent;
        const take = () => {
            if (lent) this.#lent.delete(lent);
        };
        return {
            arrived: (bytes) => { this.#arrived += bytes; },
            lend: (letGo) => {
                take();
                lent = letGo;
                if (!isHere || !lent) return;
                this.#lent.add(lent);
                if (this.#waiting.length) lent();
            },
            leave: (failed = false) => {
                if (!isHere) return false;
                isHere = false;
                take();
                return this.#leave(failed, isSoon);
            },
        };
    }

    /** @param {boolean} failed @param {boolean} isSoon   it was asked for when another had just ended */
    #leave(failed, isSoon) {
        this.#open--;
        const isOneTooMany = failed && (this.#open > 0 || isSoon && this.#most < Infinity);
        if (isOneTooMany) {
            if (!this.#open) this.#restMs = Math.min(LATE_MS, 2 * this.#restMs || REST_MS);
            this.#most = Math.max(1, this.#open);
            this.#calm = 0;
            this.#growAfter *= 2;
        } else if (!failed && ++this.#calm >= this.#growAfter) {
            this.#most++;
            this.#calm = 0;
        }
        if (!failed) this.#endedAt = performance.now();
        this.#letIn();
        return isOneTooMany;
    }

    #isFull() {
        return this.#open >= this.#most;
    }

    #letIn() {
        this.#waiting.sort((a, b) => a.order - b.order);
        for (const waiter of this.#waiting.splice(0, this.#most - this.#open)) waiter.go();
    }

    /** @param {number} order @param {AbortSignal} [signal] @returns {Promise<void>} */
    #wait(order, signal) {
        return new Promise((resolve, reject) => {
            let seen = this.#arrived;
            const timer = setInterval(() => {
                if (this.#arrived === seen) waiter.go();
                seen = this.#arrived;
            }, this.#stallMs);
            const stop = () => end(() => reject(signal?.reason));
            const go = () => end(() => {
                this.#open++;
                resolve();
            });
            const waiter = {order, go};
            const end = (/** @type {() => void} */ then) => {
                clearInterval(timer);
                signal?.removeEventListener('abort', stop);
                this.#waiting = this.#waiting.filter((other) => other !== waiter);
                then();
            };
            this.#waiting.push(waiter);
            signal?.addEventListener('abort', stop, {once: true});
        });
    }
}
