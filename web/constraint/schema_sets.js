// Goals -> shapes: schemas put together by $ref, allOf, anyOf and oneOf.
//
// Owns that, with its limits, and the proof that the ways of a oneOf exclude each other. Must not know how
// values are written.

import {known, spend, tooMuch} from './bad.js';
import {isVoid} from './automaton.js';
import {ownShape, refuse} from './keywords.js';
import {NOTHING} from './schema_tree.js';
import {ALL, intersectShapes, isNone, itemGoal, memberGoal, NONE, sizeOf, unite} from './shapes.js';
import {ALL_STRINGS, automatonOf} from './strings.js';

/**
 * @typedef {import('./shapes.js').Shape} Shape
 * @typedef {import('./shapes.js').Goal} Goal
 * @typedef {import('./schema_tree.js').SchemaNode} SchemaNode
 * @typedef {{shapes: Shape[], unions: [SchemaNode, 'anyOf' | 'oneOf', number[]][]}} Parts
 *     all of which hold, and for each union the subschemas that lead to it
 */

const MAX_SETS = 3000,
    MAX_DEPTH = 100,
    MAX_PROOF_DEPTH = 20;

export class SchemaSets {
    /** @type {Map<string, Shape>} */
    #shapes = new Map();
    /** @type {Map<number, Shape>} */
    #own = new Map();
    /** @type {Map<string, boolean>} */
    #void = new Map();

    /**
     * @param {import('./schema_tree.js').SchemaTree} tree
     * @param {import('./strings.js').Patterns} patterns
     */
    constructor(tree, patterns) {
        this.tree = tree;
        this.patterns = patterns;
    }

    /** @param {Goal} goal @returns {Shape} */
    shapeOf(goal) {
        return known(this.#shapes, goal.join(), () => this.#evaluate(goal, ALL, []));
    }

    /**
     * What fulfils all subschemas of a goal and lies in a shape.
     * @param {Goal} goal
     * @param {Shape} within
     * @param {number[]} way   the subschemas that are being put together
     * @returns {Shape}
     */
    #evaluate(goal, within, way) {
        /** @type {Parts} */
        const parts = {shapes: [], unions: []};
        /** @type {Set<number>} */
        const seen = new Set();
        for (const id of goal) this.#gather(id, parts, way, seen);
        let shape = within;
        for (const each of parts.shapes)
            shape = this.#limited(intersectShapes(shape, each, this.patterns));
        parts.unions.sort((a, b) => Number(a[1] === 'oneOf') - Number(b[1] === 'oneOf'));
        for (const [node, keyword, deeper] of parts.unions) {
            if (isNone(shape)) return NONE;
            shape = this.#limited(this.#unite(node, keyword, shape, deeper));
        }
        return shape;
    }

    /** @param {Shape} shape @returns {Shape} */
    #limited(shape) {
        return sizeOf(shape) > MAX_SETS ? tooMuch(MAX_SETS, 'alternatives at one place') : shape;
    }

    /**
     * What a subschema and those that it names at the same place ask.
     * @param {number} id
     * @param {Parts} parts
     * @param {number[]} way
     * @param {Set<number>} seen
     */
    #gather(id, parts, way, seen) {
        const node = this.tree.nodes[id];
        spend(1 + way.length);
        if (id === NOTHING) return void parts.shapes.push(NONE);
        if (way.includes(id))
            refuse(node, '$ref', 'leads back to itself without an item or a member between');
        if (way.length > MAX_DEPTH) refuse(node, 'allOf', `nests more than ${MAX_DEPTH} levels`);
        if (typeof node.schema === 'boolean' || seen.has(id)) return;
        seen.add(id);
        const deeper = [...way, id];
        const own = known(this.#own, id, () => ownShape(this.tree, node, this.patterns));
        const {schema} = node;
        for (const keyword of Object.keys(schema)) {
            if (keyword === '$ref') this.#gather(this.tree.resolve(node, schema.$ref), parts, deeper, seen);
            else if (keyword === 'allOf')
                for (const each of this.#branches(node, keyword)) this.#gather(each, parts, deeper, seen);
            else if (keyword === 'anyOf' || keyword === 'oneOf') parts.unions.push([node, keyword, deeper]);
            else if (keyword === 'properties') parts.shapes.push(own);
        }
        if (!parts.shapes.includes(own)) parts.shapes.push(own);
        if ('propertyNames' in schema && own.objects.length) parts.shapes.push(this.#namesOf(node, deeper));
    }

    /**
     * The objects whose names fulfil `propertyNames`.
     * @param {SchemaNode} node
     * @param {number[]} way
     * @returns {Shape}
     */
    #namesOf(node, way) {
        const {strings} = this.#evaluate([this.tree.child(node, 'propertyNames')], ALL, way);
        if (strings[0] === ALL_STRINGS) return ALL;
        const isListed = strings.every(({only}) => only),
            names = strings.flatMap(({only = []}) => only);
        if (!isListed && strings.length > 1) refuse(node, 'propertyNames', 'gives several ways to be a name');
        /** @type {import('./shapes.js').Layer[]} */
        const layers = isListed
            ? [{patterns: [], rest: [NOTHING]}]
            : patternsOf(strings[0]).map((source) => ({patterns: [[source, []]], rest: [NOTHING]}));
        return {
            ...ALL,
            objects: [{names: new Map(names.map((name) => [name, []])), required: new Set(), layers}],
        };
    }

    /** @param {SchemaNode} node @param {'allOf' | 'anyOf' | 'oneOf'} keyword @returns {number[]} */
    #branches(node, keyword) {
        const list = /** @type {{[key: string]: any}} */ (node.schema)[keyword];
        if (!Array.isArray(list) || list.length === 0) refuse(node, keyword, 'must be a list of schemas');
        return list.map((/** @type {any} */ _, /** @type {number} */ i) => this.tree.child(node, keyword, i));
    }

    /**
     * @param {SchemaNode} node
     * @param {'anyOf' | 'oneOf'} keyword
     * @param {Shape} within
     * @param {number[]} way
     * @returns {Shape}
     */
    #unite(node, keyword, within, way) {
        /** @type {Shape[]} */
        const shapes = [];
        let alternatives = 0;
        for (const id of this.#branches(node, keyword)) {
            const shape = this.#evaluate([id], within, way);
            if (isNone(shape)) continue;
            shapes.push(shape);
            if ((alternatives += sizeOf(shape)) > MAX_SETS) this.#limited(unite(shapes));
        }
        if (keyword === 'oneOf') {
            shapes.forEach((a, i) =>
                shapes.slice(0, i).forEach((b, j) => {
                    if (!this.isVoidShape(intersectShapes(a, b, this.patterns), 0)) {
                        refuse(
                            node,
                            'oneOf',
                            `has ways that a value may fulfil together (such as ${j} and ${i}): use anyOf, or ways that exclude each other`,
                        );
                    }
                }),
            );
        }
        return unite(shapes);
    }

    /**
     * Whether it is sure that no value fulfils a goal.
     * @param {Goal} goal
     * @param {number} depth
     * @returns {boolean}
     */
    #isVoidGoal(goal, depth) {
        if (goal.length === 0) return false;
        if (goal[0] === NOTHING) return true;
        const key = goal.join(),
            before = this.#void.get(key);
        if (before !== undefined || depth > MAX_PROOF_DEPTH) return before ?? false;
        // what is asked about a goal while it is being asked about takes it for possible
        this.#void.set(key, false);
        const is = this.isVoidShape(this.shapeOf(goal), depth + 1);
        this.#void.set(key, is);
        return is;
    }

    /** @param {Shape} shape @param {number} depth @returns {boolean} */
    isVoidShape(shape, depth) {
        spend(1 + sizeOf(shape));
        return (
            !shape.null
            && shape.booleans.length === 0
            && shape.numbers.length === 0
            && shape.strings.every((set) => this.#isVoidString(set))
            && shape.objects.every((set) =>
                [...set.required].some((name) =>
                    this.#isVoidGoal(memberGoal(set, name, this.patterns), depth),
                ),
            )
            && shape.arrays.every((set) =>
                Array.from({length: Math.min(set.min, set.first.length + 1)}, (_, i) =>
                    itemGoal(set, i),
                ).some((goal) => this.#isVoidGoal(goal, depth)),
            )
        );
    }

    /** @param {import('./strings.js').StringSet} set */
    #isVoidString(set) {
        if (set.only || set.patterns.length === 0) return false;
        return isVoid(automatonOf(set, this.patterns));
    }
}

/** @param {import('./strings.js').StringSet} set @returns {string[]} patterns, also of its lengths */
function patternsOf({min, max, patterns}) {
    if (min === 0 && max === Infinity) return patterns;
    return [`^[^]{${min},${max === Infinity ? '' : max}}$`, ...patterns];
}
