// engine_grammar.js: a grammar that the engine has compiled: what texts must be. Sessions of one module share it. Knows neither sessions nor how
// its text was made.

import {GemmaError} from '../base/error.js';

export class EngineGrammar {
    #c;
    #handle;

    /** @param {import('./crossing.js').Crossing} crossing @param {number} handle   of gemma_grammar_new */
    constructor(crossing, handle) {
        this.#c = crossing;
        this.#handle = handle;
    }

    /** Its address, for EngineSession.constrain. */
    get handle() {
        if (!this.#handle) throw new GemmaError('bad-argument', 'This constraint has been closed.');
        return this.#handle;
    }

    /** Whether the whole text is one of the grammar's. @param {string | Uint8Array} text */
    accepts(text) {
        const {addresses: [bytes]} = this.#c.place([text], 0);
        return this.#c.x.grammar_accepts(this.handle, bytes.at, bytes.n) !== 0;
    }

    /** Gives it back. Sessions that it constrains keep it until their answers end. */
    close() {
        if (this.#handle) this.#c.x.grammar_free(this.#handle);
        this.#handle = 0;
    }
}
