// held.js: what lives in an engine instance and JavaScript holds by its address: sessions, grammars.
// Knows neither.

import {GemmaError} from '../base/error.js';

export class Held {
    #handle;
    #name;
    #free;

    /**
     * @param {number} handle
     * @param {string} name   for a sentence: 'session'
     * @param {(handle: number) => void} free
     */
    constructor(handle, name, free) {
        this.#handle = handle;
        this.#name = name;
        this.#free = free;
    }

    /** Its address; throws once it is closed. */
    get handle() {
        if (!this.#handle) throw new GemmaError('bad-argument', `This ${this.#name} has been closed.`);
        return this.#handle;
    }

    /** Frees it. */
    close() {
        if (this.#handle) this.#free(this.#handle);
        this.#handle = 0;
    }
}
