// gate.js: how many texts are written at the same time, and who waits. Knows no texts.

import {aborted, RateLimitError} from './errors.js';

/** @typedef {{weight: number, go: () => void}} Waiting */

export class Gate {
    #free;
    #most;
    #queue;
    #requests = 0;
    /** @type {Set<Waiting>} */
    #waiting = new Set();
    #meanMs = 1000;

    /** @param {number} parallel   texts at the same time @param {number} queue   requests that may wait */
    constructor(parallel, queue) {
        this.#free = this.#most = parallel;
        this.#queue = queue;
    }

    /** How many texts are written at the same time. */
    get parallel() {
        return this.#most;
    }

    /** Requests under way, those that wait among them. */
    get requests() {
        return this.#requests;
    }

    /** Counts a request; refuses one too many. @returns {() => void} to be called at its end */
    admit() {
        if (this.#requests >= this.#most + this.#queue) {
            const error = new RateLimitError(429, {
                message: `The queue is full: ${this.#most} are answered and ${this.#queue} wait.`,
                type: 'requests', code: 'rate_limit_exceeded',
            });
            error.retryAfter = Math.min(60,
                Math.max(1, Math.ceil(this.#meanMs * this.#queue / this.#most / 1000)));
            throw error;
        }
        this.#requests++;
        const start = performance.now();
        let isOver = false;
        return () => {
            if (isOver) return;
            isOver = true;
            this.#requests--;
            this.#meanMs += (performance.now() - start - this.#meanMs) / 8;
        };
    }

    /**
     * Has `work` done when there is a place for `n` texts, in the order in which it was asked for.
     * @template T
     * @param {number} n
     * @param {AbortSignal} signal
     * @param {() => Promise<T>} work
     * @returns {Promise<T>}
     */
    async run(n, signal, work) {
        const weight = Math.min(n, this.#most);
        await this.#enter(weight, signal);
        try {
            return await work();
        } finally {
            this.#free += weight;
            this.#next();
        }
    }

    /** @param {number} weight @param {AbortSignal} signal @returns {Promise<void>} */
    #enter(weight, signal) {
        return new Promise((resolve, reject) => {
            /** @type {Waiting} */
            const waiting = {weight, go() {
                signal.removeEventListener('abort', leave);
                resolve();
            }};
            const leave = () => {
                this.#waiting.delete(waiting);
                reject(aborted());
                this.#next();
            };
            if (signal.aborted) return leave();
            signal.addEventListener('abort', leave, {once: true});
            this.#waiting.add(waiting);
            this.#next();
        });
    }

    #next() {
        for (const waiting of this.#waiting) {
            if (waiting.weight > this.#free) return;
            this.#free -= waiting.weight;
            this.#waiting.delete(waiting);
            waiting.go();
        }
    }
}
