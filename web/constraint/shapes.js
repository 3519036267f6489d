// Shapes: sets of JSON values as unions of simple sets, type by type, and what two of them have in common.
//
// Owns their algebra. A goal is what a child must fulfil: the numbers of the subschemas that all hold for it.
// Must not know where subschemas come from nor how values are written.

import {spend} from './bad.js';
import {ALL_NUMBERS, intersectNumbers} from './numbers.js';
import {ALL_STRINGS, intersectStrings} from './strings.js';
import {NOTHING} from './schema_tree.js';

/**
 * @typedef {number[]} Goal   sorted; nothing is asked where it is empty
 * @typedef {{patterns: [string, Goal][], rest: Goal}} Layer   what one schema asks of members that are
 *     not named
 * @typedef {object} ObjectSet
 * @property {Map<string, Goal>} names   in their order
 * @property {Set<string>} required
 * @property {Layer[]} layers
 * @property {boolean} [isFilled]   it has one member at least
 *
 * @typedef {object} ArraySet
 * @property {Goal[]} first   of the first items
 * @property {Goal} rest      of those that follow
 * @property {number} min
 * @property {number} max
 *
 * @typedef {object} Shape
 * @property {boolean} null
 * @property {boolean[]} booleans
 * @property {import('./numbers.js').NumberSet[]} numbers
 * @property {import('./strings.js').StringSet[]} strings
 * @property {ObjectSet[]} objects
 * @property {ArraySet[]} arrays
 */

/** @type {ObjectSet} */
export const ALL_OBJECTS = {names: new Map(), required: new Set(), layers: []};
/** @type {ArraySet} */
export const ALL_ARRAYS = {first: [], rest: [], min: 0, max: Infinity};
/** @type {Shape} */
export const ALL = {
    null: true,
    booleans: [true, false],
    numbers: [ALL_NUMBERS],
    strings: [ALL_STRINGS],
    objects: [ALL_OBJECTS],
    arrays: [ALL_ARRAYS],
};
/** @type {Shape} */
export const NONE = {null: false, booleans: [], numbers: [], strings: [], objects: [], arrays: []};

const KINDS = /** @type {const} */ (['numbers', 'strings', 'objects', 'arrays']);

/** @param {Goal[]} goals @returns {Goal} */
export function both(...goals) {
    const all = goals.flat();
    return all.includes(NOTHING) ? [NOTHING] : [...new Set(all)].sort((a, b) => a - b);
}

/** @param {Shape} shape @returns {boolean} */
export const isNone = (shape) =>
    !shape.null && shape.booleans.length === 0 && KINDS.every((kind) => shape[kind].length === 0);

/** @param {Shape} shape @returns {number} */
export const sizeOf = (shape) => KINDS.reduce((sum, kind) => sum + shape[kind].length, 0);

/** @param {Shape[]} shapes @returns {Shape} */
export function unite(shapes) {
    /** @type {Shape} */
    const out = {
        null: shapes.some((shape) => shape.null),
        booleans: [true, false].filter((value) => shapes.some((shape) => shape.booleans.includes(value))),
        numbers: shapes.flatMap((shape) => shape.numbers),
        strings: shapes.flatMap((shape) => shape.strings),
        objects: shapes.flatMap((shape) => shape.objects),
        arrays: shapes.flatMap((shape) => shape.arrays),
    };
    for (const kind of KINDS)
        if (out[kind].includes(/** @type {any} */ (ALL[kind][0]))) out[kind] = /** @type {any} */ (ALL[kind]);
    out.numbers = uniteOnly(out.numbers);
    out.strings = uniteOnly(out.strings);
    return out;
}

/**
 * Lists of single values become one list.
 * @template {{only?: any[]}} Set
 * @param {Set[]} sets
 * @returns {Set[]}
 */
function uniteOnly(sets) {
    const lists = sets.filter((set) => set.only);
    if (lists.length < 2) return sets;
    return [
        ...sets.filter((set) => !set.only),
        {...lists[0], only: [...new Set(lists.flatMap((set) => set.only))]},
    ];
}

/**
 * @param {Shape} a
 * @param {Shape} b
 * @param {import('./strings.js').Patterns} patterns
 * @returns {Shape}
 */
export function intersectShapes(a, b, patterns) {
    if (a === ALL) return b;
    if (b === ALL) return a;
    /** @type {<T>(x: T[], y: T[], all: T, common: (x: T, y: T) => T | undefined) => T[]} */
    const each = (x, y, all, common) => {
        if (x.length === 1 && x[0] === all) return y;
        if (y.length === 1 && y[0] === all) return x;
        spend(x.length * y.length);
        return x.flatMap((one) => y.flatMap((two) => common(one, two) ?? []));
    };
    return {
        null: a.null && b.null,
        booleans: a.booleans.filter((value) => b.booleans.includes(value)),
        numbers: each(a.numbers, b.numbers, ALL_NUMBERS, intersectNumbers),
        strings: each(a.strings, b.strings, ALL_STRINGS, (x, y) => intersectStrings(x, y, patterns)),
        objects: each(a.objects, b.objects, ALL_OBJECTS, (x, y) => intersectObjects(x, y, patterns)),
        arrays: each(a.arrays, b.arrays, ALL_ARRAYS, intersectArrays),
    };
}

/**
 * What is asked of a member.
 * @param {ObjectSet} set
 * @param {string} name
 * @param {import('./strings.js').Patterns} patterns
 * @returns {Goal}
 */
export function memberGoal({names, layers}, name, patterns) {
    return (
        names.get(name)
        ?? both(...layers.map((layer) => layerGoal(layer, (source) => patterns.test(source, name))))
    );
}

/** @param {Layer} layer @param {(source: string) => boolean} matches @returns {Goal} */
export function layerGoal(layer, matches) {
    const found = layer.patterns.filter(([source]) => matches(source));
    return found.length ? both(...found.map(([, goal]) => goal)) : layer.rest;
}

/**
 * @param {ObjectSet} a
 * @param {ObjectSet} b
 * @param {import('./strings.js').Patterns} patterns
 * @returns {ObjectSet | undefined}
 */
function intersectObjects(a, b, patterns) {
    /** @type {Map<string, Goal>} */
    const names = new Map();
    spend(5 * (a.names.size + b.names.size));
    for (const name of [...a.names.keys(), ...b.names.keys()]) {
        if (!names.has(name))
            names.set(name, both(memberGoal(a, name, patterns), memberGoal(b, name, patterns)));
    }
    const required = new Set([...a.required, ...b.required]);
    const set = {names, required, layers: [...a.layers, ...b.layers], isFilled: a.isFilled || b.isFilled};
    return lacksNothing(set, patterns) ? set : undefined;
}

/**
 * Whether no required member is forbidden.
 * @param {ObjectSet} set
 * @param {import('./strings.js').Patterns} patterns
 * @returns {boolean}
 */
export const lacksNothing = (set, patterns) =>
    [...set.required].every((name) => memberGoal(set, name, patterns)[0] !== NOTHING);

/** @param {ArraySet} set @param {number} i @returns {Goal} */
export const itemGoal = (set, i) => set.first[i] ?? set.rest;

/** @param {ArraySet} a @param {ArraySet} b @returns {ArraySet | undefined} */
function intersectArrays(a, b) {
    const min = Math.max(a.min, b.min),
        max = Math.min(a.max, b.max);
    if (min > max) return;
    const first = Array.from({length: Math.max(a.first.length, b.first.length)}, (_, i) =>
        both(itemGoal(a, i), itemGoal(b, i)),
    );
    return {first, rest: both(a.rest, b.rest), min, max};
}
