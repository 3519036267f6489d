// scheduler.js: shares the engine among all sessions that have tokens to evaluate: each step evaluates one
// batch for all of them. So two answers are written at the same time, and a long prompt does not stop
// another's answer. Between two steps the event loop runs: sessions join, are sampled, or are aborted. Knows
// sessions and time; not what tokens mean.

import {Clock} from '../base/clock.js';
import {MAX_BATCH} from '../base/constants.js';
import {yieldTurn} from '../base/host.js';

const SLICE_MS = 100;           // how long the engine computes before Stop can act and progress shows

/**
 * @typedef {object} Waiting
 * @property {import('./engine_session.js').EngineSession} session
 * @property {() => boolean} aborted
 * @property {(left: number) => void} [onProgress]   tokens left
 * @property {(done: boolean) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {number} ms      that its steps took so far
 * @property {number} beside  the most sessions that stepped with it, itself included
 */

export class Scheduler {
    #module;
    /** @type {Set<Waiting>} */
    #waiting = new Set();
    #running = false;

    clock = new Clock();
    /**
     * Milliseconds that the last evaluation took by that clock, in all its steps, and how many sessions were
     * in them at most.
     */
    stepMs = 0;
    stepped = 0;

    /** @param {import('./module.js').Module} module */
    constructor(module) {
        this.#module = module;
    }

    /**
     * Evaluates what the session has pending, in batches with others.
     * @param {import('./engine_session.js').EngineSession} session
     * @param {{aborted: () => boolean, onProgress?: (left: number) => void}} io
     * @returns {Promise<boolean>}   false when it was aborted before the end; rejects when the engine failed
     *     for this session
     */
    evaluate(session, {aborted, onProgress}) {
        return new Promise((resolve, reject) => {
            this.#waiting.add({session, aborted, onProgress, resolve, reject, ms: 0, beside: 0});
            if (!this.#running) this.#run();
        });
    }

    async #run() {
        this.#running = true;
        for (;;) {
            await yieldTurn();
            for (const one of this.#waiting) if (one.aborted()) this.#end(one, () => one.resolve(false));
            if (!this.#waiting.size) break;
            this.#step([...this.#waiting]);
        }
        this.#running = false;
    }

    /** @param {Waiting[]} all */
    #step(all) {
        const start = this.clock.read();
        try {
            this.#module.step(all.map(({session}) => session), MAX_BATCH, SLICE_MS);
        } catch (error) {
            for (const one of all) this.#end(one, () => one.reject(error));
            return;
        }
        const ms = this.clock.read() - start;
        for (const one of all) {
            one.ms += ms;
            one.beside = Math.max(one.beside, all.length);
            this.#tell(one);
        }
    }

    /** What the step did for one of them. @param {Waiting} one */
    #tell(one) {
        let left;
        try {
            left = one.session.left();
        } catch (error) {
            this.#end(one, () => one.reject(error));
            return;
        }
        one.onProgress?.(left);
        if (left !== 0) return;
        this.stepMs = one.ms;
        this.stepped = one.beside;
        this.#end(one, () => one.resolve(true));
    }

    /** @param {Waiting} one @param {() => void} settle */
    #end(one, settle) {
        this.#waiting.delete(one);
        settle();
    }
}
