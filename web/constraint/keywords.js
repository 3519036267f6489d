// What the keywords of one schema object ask by themselves, and which keywords there are.
//
// Owns the list: what is supported, what is refused because to pass over it would be a lie, and, of all
// else, that it is an annotation. Must not know how schemas are put together.

import {GemmaError} from '../base/error.js';
import {bad} from './bad.js';
import {FORMATS, REFUSED_FORMATS} from './formats.js';
import {ALL_NUMBERS, intersectNumbers} from './numbers.js';
import {parts} from './remainders.js';
import {NOTHING, isObject} from './schema_tree.js';
import {ALL, ALL_ARRAYS, ALL_OBJECTS, both, intersectShapes, lacksNothing, NONE} from './shapes.js';
import {ALL_STRINGS, intersectStrings} from './strings.js';

/**
 * @typedef {import('./shapes.js').Shape} Shape
 * @typedef {import('./schema_tree.js').SchemaTree} SchemaTree
 * @typedef {import('./schema_tree.js').SchemaNode} SchemaNode
 * @typedef {import('./strings.js').Patterns} Patterns
 * @typedef {{[key: string]: any}} JsonObject
 */

/** No answer is so long: what says more says this. */
const MAX_COUNT = 100_000;
const TYPES = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object'];
/** @type {(value: any) => boolean} */
const isTrivial = (value) => value === true || (isObject(value) && Object.keys(value).length === 0);
/** @type {(value: any) => boolean} */
const isNever = (value) => value === false || isTrivial(value?.not);
/** @type {(value: any) => boolean} */
const isAbsent = () => false;

/** @type {(value: any) => boolean} */
const isSchema = (value) => typeof value === 'boolean' || isObject(value);
/** @type {(value: any) => boolean} */
const isNumber = (value) => typeof value === 'number';

/**
 * What the values of keywords must be, whatever types a schema has.
 * @type {[string, (value: any) => boolean, string][]}
 */
const FORMS = [
    ['minimum maximum', isNumber, 'a number'],
    [
        'exclusiveMinimum exclusiveMaximum',
        (value) => isNumber(value) || typeof value === 'boolean',
        'a number',
    ],
    ['multipleOf', (value) => isNumber(value) && value > 0, 'a number above 0'],
    [
        'minLength maxLength minItems maxItems minProperties maxProperties',
        (value) => Number.isInteger(value) && value >= 0,
        'a whole number of at least 0',
    ],
    ['pattern format', (value) => typeof value === 'string', 'a text'],
    ['enum prefixItems', Array.isArray, 'a list'],
    [
        'required',
        (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
        'a list of names, in the schema of the object that has them',
    ],
    ['properties patternProperties', isObject, 'an object of schemas'],
    ['additionalProperties additionalItems propertyNames', isSchema, 'a schema'],
    ['items', (value) => isSchema(value) || Array.isArray(value), 'a schema'],
];

/**
 * Keywords that are refused: the type that they ask something of, and the values that ask nothing.
 * @type {Map<string, [string, (value: any, schema: JsonObject) => boolean]>}
 */
const REFUSED = new Map(
    Object.entries({
        not: ['', (value) => isTrivial(value) || isNever(value)],
        dependentRequired: [
            'object',
            (value) =>
                isObject(value) && Object.values(value).every((each) => Array.isArray(each) && !each.length),
        ],
        dependentSchemas: ['object', (value) => isObject(value) && Object.values(value).every(isTrivial)],
        dependencies: [
            'object',
            (value) =>
                isObject(value)
                && Object.values(value).every(
                    (each) => isTrivial(each) || (Array.isArray(each) && !each.length),
                ),
        ],
        minProperties: ['object', (value, {required = []}) => value <= Math.max(1, new Set(required).size)],
        maxProperties: ['object', isAbsent],
        unevaluatedProperties: ['object', isTrivial],
        unevaluatedItems: ['array', isTrivial],
        contains: ['array', isAbsent],
        uniqueItems: ['array', (value, {maxItems}) => value === false || maxItems <= 1],
        $dynamicRef: ['', isAbsent],
        $recursiveRef: ['', isAbsent],
        extends: ['', isAbsent],
        disallow: ['', isAbsent],
        divisibleBy: ['number', isAbsent],
    }),
);

/** @param {SchemaNode} node @param {string} keyword @param {string} why @returns {never} */
export function refuse(node, keyword, why) {
    const short = why.length > 200 ? `${why.slice(0, 200)}…` : why;
    return bad(`"${keyword}" at "#${node.pointer}" ${short}.`);
}

/**
 * What a schema object asks beside allOf, anyOf, oneOf and $ref.
 * @param {SchemaTree} tree
 * @param {SchemaNode} node
 * @param {Patterns} patterns
 * @returns {Shape}
 */
export function ownShape(tree, node, patterns) {
    const schema = /** @type {JsonObject} */ (node.schema);
    const types = typesOf(node, schema);
    checkKeywords(node, schema, types);
    if (isNever(schema)) return NONE;
    /** @type {Shape} */
    const asked = {
        null: !types || types.has('null'),
        booleans: !types || types.has('boolean') ? ALL.booleans : [],
        numbers: !types || types.has('number') || types.has('integer') ? numberSets(node, schema, types) : [],
        strings: !types || types.has('string') ? stringSets(node, schema, patterns) : [],
        objects: !types || types.has('object') ? objectSets(tree, node, schema, patterns) : [],
        arrays: !types || types.has('array') ? arraySets(tree, node, schema) : [],
    };
    const lists = [
        'const' in schema ? [schema.const] : undefined,
        'enum' in schema ? schema.enum : undefined,
    ];
    return lists.reduce(
        (shape, list) =>
            list ? intersectShapes(shape, listShape(tree, node, list), patterns) : shape,
        asked,
    );
}

/** @param {SchemaNode} node @param {JsonObject} schema @returns {Set<string> | undefined} */
function typesOf(node, {type, nullable}) {
    if (type === undefined) return;
    const all = Array.isArray(type) ? type : [type];
    const unknown = all.find((each) => !TYPES.includes(each));
    if (unknown !== undefined || all.length === 0)
        refuse(node, 'type', `is ${JSON.stringify(type)}, expected some of ${TYPES.join(', ')}`);
    return new Set(nullable === true ? [...all, 'null'] : all);
}

/** @param {SchemaNode} node @param {JsonObject} schema @param {Set<string> | undefined} types */
function checkKeywords(node, schema, types) {
    for (const [keywords, fits, form] of FORMS) {
        const odd = keywords.split(' ').find((each) => schema[each] !== undefined && !fits(schema[each]));
        if (odd) refuse(node, odd, `must be ${form}`);
    }
    for (const [keyword, value] of Object.entries(schema)) {
        const [type, asksNothing] = REFUSED.get(keyword) ?? [];
        if (asksNothing && !(types && type && !types.has(type)) && !asksNothing(value, schema))
            refuse(node, keyword, 'is not supported');
    }
    const branch = ['then', 'else'].find(
        (keyword) => schema.if !== undefined && schema[keyword] !== undefined && !isTrivial(schema[keyword]),
    );
    if (branch) refuse(node, 'if', `with "${branch}" is not supported`);
}

/**
 * Values that are listed.
 * @param {SchemaTree} tree
 * @param {SchemaNode} node
 * @param {any[]} values
 * @returns {Shape}
 */
function listShape(tree, node, values) {
    /** @param {any} value @returns {number[]} */
    const exactly = (value) => [tree.make({const: value}, node.pointer)];
    const numbers = values.filter((value) => typeof value === 'number'),
        strings = values.filter((value) => typeof value === 'string');
    return {
        null: values.includes(null),
        booleans: [true, false].filter((value) => values.includes(value)),
        numbers: numbers.length ? [{...ALL_NUMBERS, only: [...new Set(numbers)]}] : [],
        strings: strings.length ? [{...ALL_STRINGS, only: [...new Set(strings)]}] : [],
        objects: values
            .filter(isObject)
            .map((value) => ({
                names: new Map(Object.keys(value).map((name) => [name, exactly(value[name])])),
                required: new Set(Object.keys(value)),
                layers: [{patterns: [], rest: [NOTHING]}],
            })),
        arrays: values
            .filter(Array.isArray)
            .map((value) => ({
                first: value.map(exactly),
                rest: [NOTHING],
                min: value.length,
                max: value.length,
            })),
    };
}

/**
 * @param {SchemaNode} node
 * @param {string} keyword
 * @param {number} fallback
 * @returns {number} of a count that a keyword gives
 */
function count(node, keyword, fallback) {
    const value = /** @type {JsonObject} */ (node.schema)[keyword];
    if (value === undefined) return fallback;
    if (value > MAX_COUNT && keyword.startsWith('min'))
        refuse(node, keyword, `is more than ${MAX_COUNT}, which is not supported`);
    return Math.min(value, MAX_COUNT);
}

/** @param {SchemaNode} node @param {JsonObject} schema @param {Set<string> | undefined} types */
function numberSets(node, schema, types) {
    const set = {...ALL_NUMBERS, integer: Boolean(types && !types.has('number'))};
    /** @type {import('./numbers.js').NumberSet | undefined} */
    let left = set.integer ? set : ALL_NUMBERS;
    /** @param {string} keyword @param {(value: number) => Partial<typeof set>} bound */
    const ask = (keyword, bound) => {
        const value = schema[keyword];
        if (isNumber(value)) left = left && intersectNumbers(left, {...ALL_NUMBERS, ...bound(value)});
    };
    ask('minimum', (min) => ({min, above: schema.exclusiveMinimum === true}));
    ask('maximum', (max) => ({max, below: schema.exclusiveMaximum === true}));
    ask('exclusiveMinimum', (min) => ({min, above: true}));
    ask('exclusiveMaximum', (max) => ({max, below: true}));
    ask('multipleOf', (step) => {
        if (set.integer && Number.isInteger(1 / step)) return {};
        if (Number.isSafeInteger(step)) return {integer: true, step: BigInt(step)};
        const part = parts(step) ?? refuse(node, 'multipleOf', `is ${step}, which is not supported`);
        return {parts: [part]};
    });
    return left ? [left] : [];
}

/** @param {SchemaNode} node @param {JsonObject} schema @param {Patterns} patterns */
function stringSets(node, schema, patterns) {
    const min = count(node, 'minLength', 0),
        max = count(node, 'maxLength', Infinity);
    const sources = [];
    if (schema.pattern !== undefined) {
        checkPattern(node, 'pattern', schema.pattern, patterns);
        sources.push(schema.pattern);
    }
    if (schema.format !== undefined) {
        if (REFUSED_FORMATS.has(schema.format))
            refuse(node, 'format', `is "${schema.format}", which is not supported`);
        const format = FORMATS.get(schema.format);
        if (format) sources.push(format);
    }
    const set =
        min === 0 && max === Infinity && sources.length === 0
            ? ALL_STRINGS
            : intersectStrings({min, max, patterns: sources}, ALL_STRINGS, patterns);
    return set ? [set] : [];
}

/** @param {SchemaNode} node @param {string} keyword @param {string} source @param {Patterns} patterns */
function checkPattern(node, keyword, source, patterns) {
    try {
        patterns.expression(source);
    } catch (error) {
        if (!(error instanceof GemmaError)) throw error;
        bad(`"${keyword}" at "#${node.pointer}": ${error.message}`, error);
    }
}

/**
 * @param {SchemaTree} tree
 * @param {SchemaNode} node
 * @param {string} keyword
 * @returns {[string, number[]][]}
 */
function members(tree, node, keyword) {
    const value = /** @type {JsonObject} */ (node.schema)[keyword];
    if (value === undefined) return [];
    return Object.keys(value).map((name) => [name, goalOf(tree, tree.child(node, keyword, name))]);
}

/** @param {SchemaTree} tree @param {number} id @returns {number[]} */
function goalOf(tree, id) {
    return isTrivial(tree.nodes[id].schema) ? [] : [id];
}

/**
 * @param {SchemaTree} tree
 * @param {SchemaNode} node
 * @param {JsonObject} schema
 * @param {Patterns} patterns
 * @returns {import('./shapes.js').ObjectSet[]}
 */
function objectSets(tree, node, schema, patterns) {
    const {required = [], additionalProperties: rest = true} = schema,
        isFilled = schema.minProperties > 0;
    const named = members(tree, node, 'properties'),
        byPattern = members(tree, node, 'patternProperties');
    for (const [source] of byPattern) checkPattern(node, 'patternProperties', source, patterns);
    if (named.length === 0 && byPattern.length === 0 && required.length === 0 && isTrivial(rest) && !isFilled)
        return [ALL_OBJECTS];
    const names = new Map(named);
    for (const [name, goal] of named) {
        const more = byPattern.filter(([source]) => patterns.test(source, name));
        if (more.length) names.set(name, both(goal, ...more.map(([, each]) => each)));
    }
    const layer = {
        patterns: byPattern,
        rest: isTrivial(rest) ? [] : goalOf(tree, tree.child(node, 'additionalProperties')),
    };
    const set = {
        names,
        required: new Set(required),
        layers: byPattern.length || layer.rest.length ? [layer] : [],
        isFilled,
    };
    return lacksNothing(set, patterns) ? [set] : [];
}

/**
 * @param {SchemaTree} tree
 * @param {SchemaNode} node
 * @param {JsonObject} schema
 * @returns {import('./shapes.js').ArraySet[]}
 */
function arraySets(tree, node, schema) {
    const {items, prefixItems} = schema;
    const min = count(node, 'minItems', 0),
        max = count(node, 'maxItems', Infinity);
    const key = Array.isArray(items) ? 'items' : 'prefixItems',
        list = Array.isArray(items) ? items : (prefixItems ?? []);
    if (Array.isArray(items) && prefixItems) refuse(node, 'items', 'must be a schema beside "prefixItems"');
    const others = Array.isArray(items) ? 'additionalItems' : 'items';
    const first = list.map((/** @type {any} */ _, /** @type {number} */ i) =>
        goalOf(tree, tree.child(node, key, i)),
    );
    const rest = schema[others] === undefined ? [] : goalOf(tree, tree.child(node, others));
    if (min > max) return [];
    return first.length || rest.length || min || max !== Infinity ? [{first, rest, min, max}] : [ALL_ARRAYS];
}
