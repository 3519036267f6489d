// engine_grammar.js: a grammar that the engine has compiled: what texts must be. Sessions of one module share
// it. Knows neither sessions nor how its text was made.

import {Held} from './held.js';

export class EngineGrammar extends Held {
    #c;

    /** @param {import('./crossing.js').Crossing} crossing @param {number} handle   of gemma_grammar_new */
    constructor(crossing, handle) {
        // sessions that it constrains keep it until their answers end
        super(handle, 'constraint', (address) => crossing.x.grammar_free(address));
        this.#c = crossing;
    }

    /**
     * Whether the whole text is one of the grammar's. Throws 'unsupported' where it is too ambiguous.
     * @param {string | Uint8Array} text
     */
    accepts(text) {
        const {addresses: [bytes]} = this.#c.place([text], 0);
        return this.#c.check(this.#c.x.grammar_accepts(this.handle, bytes.at, bytes.n)) !== 0;
    }
}
