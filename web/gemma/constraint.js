// A compiled constraint of the public API: what answers must be, made once for many prompts. Knows neither grammars nor sessions.

import {GemmaError} from '../base/error.js';
import {readOptions, show} from '../base/options.js';

/**
 * @typedef {import('./types.js').ConstraintOptions} ConstraintOptions
 * @typedef {import('./session.js').Call} Call
 */

/** Closes constraints that nobody holds. */
const forgotten = new FinalizationRegistry((close) => void close().catch(() => {}));

/** What answers must be: see Gemma.constraint. Any session of its model may use it, at the same time, too. */
export class Constraint {
    #name;
    #call;

    /** @param {string} name @param {Call} call */
    constructor(name, call) {
        this.#name = name;
        this.#call = call;
        forgotten.register(this, () => call('closeConstraint', {constraint: name}), this);
    }

    /** What the worker knows it by; for nobody else. */
    get name() {
        return this.#name;
    }

    /** Forgets it. A prompt that is being answered keeps it. */
    close() {
        forgotten.unregister(this);
        return this.#call('closeConstraint', {constraint: this.#name});
    }
}

/**
 * What a prompt tells the worker of its constraint.
 * @param {Constraint | ConstraintOptions | undefined} given
 * @returns {import('../engine/constraints.js').Asked | undefined}
 */
export function toAsked(given) {
    if (given === undefined) return undefined;
    return given instanceof Constraint ? {compiled: given.name} : checkConstraint(given);
}

/** @param {ConstraintOptions} given @returns {any} the same, without what was not given */
export function checkConstraint(given) {
    if (typeof given !== 'object' || !given) throw new GemmaError('bad-argument', `A constraint is ${show(given)}; an object is expected.`);
    return readOptions('constraint', given);
}
