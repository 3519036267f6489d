// A compiled constraint of the public API: what answers must be, made once for many prompts. Knows neither
// grammars nor sessions.

import {GemmaError, orClosedWithModel} from '../base/error.js';
import {readOptions, show} from '../base/options.js';

/**
 * @typedef {import('./types.js').ConstraintOptions} ConstraintOptions
 * @typedef {import('./session.js').Call} Call
 */

/** Closes constraints that nobody holds. */
const forgotten = new FinalizationRegistry((close) => void close().catch(() => {}));

/** What the worker knows them by. @type {WeakMap<Constraint, string>} */
const names = new WeakMap();

/** What answers must be: see Gemma.constraint. Any session of its model may use it, at the same time, too. */
export class Constraint {
    #call;

    /** @param {string} name @param {Call} call */
    constructor(name, call) {
        names.set(this, name);
        this.#call = call;
        forgotten.register(this, () => call('closeConstraint', {constraint: name}), this);
    }

    /** Forgets it. A prompt that is being answered keeps it. */
    close() {
        forgotten.unregister(this);
        return orClosedWithModel(this.#call('closeConstraint', {constraint: names.get(this) ?? ''}));
    }
}

/**
 * What a prompt tells the worker of its constraint.
 * @param {Constraint | ConstraintOptions | undefined} given
 * @returns {import('../engine/constraints.js').Asked | undefined}
 */
export function toAsked(given) {
    if (given === undefined) return undefined;
    return given instanceof Constraint ? {compiled: names.get(given) ?? ''} : checkConstraint(given);
}

/** @param {ConstraintOptions} given @returns {any} the same, without what was not given */
export function checkConstraint(given) {
    if (typeof given !== 'object' || !given)
        throw new GemmaError('bad-argument', `A constraint is ${show(given)}; expected an object.`);
    return readOptions('constraint', given);
}
