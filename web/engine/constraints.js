// constraints.js: what texts must be, as callers say it, made into grammars that the engine has compiled:
// once for a prompt, or kept for many. The room that writes grammars is fetched when the first is needed.
// Knows neither sessions nor what is in a schema.

import {GemmaError, messageOf} from '../base/error.js';
import {later} from '../base/later.js';
import {readOptions} from '../base/options.js';

/**
 * @typedef {object} ConstraintOptions   exactly one of schema, regex, choices and grammar
 * @property {object | boolean} [schema]   a JSON Schema (draft 2020-12, see constraint/README.md for its
 *     keywords); a keyword that is not supported is refused by its name and path
 * @property {string | RegExp} [regex]   of ECMAScript, for the whole answer; without look-around and
 *     back-references
 * @property {string[]} [choices]       the answer is one of these
 * @property {string} [grammar]         in GBNF, llama.cpp's dialect; it begins with the rule root
 * @property {'none' | 'space' | 'free'} [whitespace]   of JSON: none, one space after each colon and comma
 *     (default), or any
 *
 * @typedef {import('./engine_grammar.js').EngineGrammar} EngineGrammar
 * @typedef {{compiled: string} | ConstraintOptions} Asked   compiled: what keep() gave
 */

/** @param {ConstraintOptions} given @returns {Promise<string>} its grammar in GBNF */
export async function writeGrammar(given) {
    const read = readOptions('constraint', given),
        {toGrammar} = await later(() => import('../constraint/constraint.js'));
    return toGrammar({whitespace: 'space', ...read});
}

/**
 * @param {import('./module.js').Module} module @param {string} gbnf
 * @returns {EngineGrammar} throws 'bad-constraint' with line and column for what is no grammar
 */
export function compileGrammar(module, gbnf) {
    try {
        return module.newGrammar(gbnf);
    } catch (error) {
        if (!(error instanceof GemmaError) || error.code !== 'bad-argument') throw error;
        throw new GemmaError('bad-constraint', messageOf(error), {cause: error});
    }
}

/** The constraints of one model. */
export class Constraints {
    #module;
    /**
     * users: prompts that are being answered by it.
     * @type {Map<string, {grammar: EngineGrammar, gbnf: string, users: number, isForgotten: boolean}>}
     */
    #kept = new Map();

    /** @param {import('./module.js').Module} module */
    constructor(module) {
        this.#module = module;
    }

    /**
     * Compiles a constraint, for any number of prompts.
     * @param {ConstraintOptions} given
     * @returns {Promise<string>} its name
     */
    async keep(given) {
        const gbnf = await writeGrammar(given), grammar = compileGrammar(this.#module, gbnf),
            name = crypto.randomUUID();
        this.#kept.set(name, {grammar, gbnf, users: 0, isForgotten: false});
        return name;
    }

    /** Prompts that are being answered by it end as they would. @param {string} name */
    forget(name) {
        const kept = this.#kept.get(name);
        this.#kept.delete(name);
        if (!kept) return;
        kept.isForgotten = true;
        if (!kept.users) kept.grammar.close();
    }

    /**
     * Has `work` done with a prompt's grammar.
     * @template T
     * @param {{constraint?: Asked, calls?: string}} asked   calls: GBNF of what the answer may be as well;
     *     none of both: `work` gets no grammar
     * @param {(grammar: EngineGrammar | undefined) => Promise<T>} work
     * @returns {Promise<T>}
     */
    async using({constraint, calls}, work) {
        const kept = constraint && 'compiled' in constraint ? this.#find(constraint.compiled) : undefined;
        if (kept && calls === undefined) {
            kept.users++;
            try {
                return await work(kept.grammar);
            } finally {
                kept.users--;
                if (kept.isForgotten && !kept.users) kept.grammar.close();
            }
        }
        const gbnf = kept?.gbnf ?? (constraint
            && await writeGrammar(/** @type {ConstraintOptions} */ (constraint)));
        if (gbnf === undefined && calls === undefined) return work(undefined);
        const grammar = await this.#compile(gbnf, calls);
        try {
            return await work(grammar);
        } finally {
            grammar.close();
        }
    }

    /** @param {string} name */
    #find(name) {
        const kept = this.#kept.get(name);
        if (!kept) throw new GemmaError('bad-argument',
            'This constraint has been closed, or is of another model.');
        return kept;
    }

    /**
     * @param {string | undefined} gbnf
     * @param {string | undefined} calls   at least one of both
     * @returns {Promise<EngineGrammar>}
     */
    async #compile(gbnf, calls) {
        if (gbnf === undefined || calls === undefined)
            return compileGrammar(this.#module, gbnf ?? calls ?? '');
        const {either} = await later(() => import('../constraint/constraint.js'));
        try {
            return compileGrammar(this.#module, either(gbnf, calls));
        } catch (error) {
            compileGrammar(this.#module, gbnf).close();     // whose error has the caller's lines and names
            throw error;
        }
    }
}
