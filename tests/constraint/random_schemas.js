// random_schemas.js: JSON Schemas of our own making, one for each seed, with most keywords that constraints
// support; and ajv as their judge. Knows no models.

import {Ajv2020} from 'ajv/dist/2020.js';

/**
 * Numbers that look random, the same for each seed.
 * @param {number} seed
 * @returns {(n: number) => number} from 0 to n - 1
 */
function random(seed) {
    let state = seed * 2654435761 % 4294967296;
    return (n) => {
        state = (state * 1664525 + 1013904223) % 4294967296;
        return Math.floor(state / 4294967296 * n);
    };
}

const NAMES = ['name', 'size', 'is_new', 'größe', 'tags', 'a "quoted" key', 'x', 'next'],
    WORDS = ['red', 'dark green', 'ü', '"', '\\', 'a\nb', ''];
const PATTERNS = ['^[A-Z][a-z]{2,5}$', '^\\d{3}-\\d{2}$', '^(yes|no)$', '^[^aeiou]{1,4}$'];

/** @param {(n: number) => number} pick @param {number} depth @returns {any} */
function schemaOf(pick, depth) {
    const from = (list) => list[pick(list.length)], flat = [
        () => ({type: 'string', maxLength: 1 + pick(12)}),
        () => ({type: 'string', minLength: 1 + pick(3), maxLength: 4 + pick(5)}),
        () => ({type: 'string', pattern: from(PATTERNS)}),
        () => ({enum: [from(WORDS), pick(100), null, from(WORDS) + 'x']}), () => ({const: from(WORDS)}),
        () => ({type: 'boolean'}), () => ({type: ['boolean', 'null']}),
        () => ({type: 'integer', minimum: -pick(50), maximum: 1 + pick(5000)}),
        () => ({type: 'integer', minimum: 0, maximum: 90, multipleOf: 2 + pick(8)}),
        () => ({type: 'number', minimum: 0, exclusiveMaximum: 1 + pick(10)}),
        () => ({anyOf: [{type: 'integer', minimum: 0, maximum: 9}, {type: 'string', maxLength: 3}]}),
    ];
    const deep = [
        () => {
            const names = NAMES.filter(() => pick(3) === 0),
                properties = Object.fromEntries(names.map((name) => [name, schemaOf(pick, depth - 1)]));
            return {type: 'object', properties, required: names.filter(() => pick(2)),
                additionalProperties: false};
        },
        () => ({type: 'array', items: schemaOf(pick, depth - 1), minItems: pick(2), maxItems: 2 + pick(2)}),
        () => ({type: 'array', prefixItems: [schemaOf(pick, depth - 1), schemaOf(pick, 0)], items: false,
            minItems: 2}),
        () => ({anyOf: [schemaOf(pick, depth - 1), {type: 'null'}]}),
    ];
    return from(depth > 0 && pick(4) ? deep : flat)();
}

/** @param {number} seed @returns {any} an object's, in some with a reference to itself */
export function randomSchema(seed) {
    const pick = random(seed),
        properties = Object.fromEntries(NAMES.slice(0, 2 + pick(4)).map((name) => [name, schemaOf(pick, 2)]));
    if (pick(5) === 0) Object.assign(properties, {inner: {anyOf: [{type: 'null'}, {$ref: '#/$defs/inner'}]}});
    return {
        $defs: {inner: {type: 'object',
            properties: {deeper: {anyOf: [{type: 'null'}, {$ref: '#/$defs/inner'}]}}, required: ['deeper'],
            additionalProperties: false}},
        type: 'object', properties, required: Object.keys(properties).filter(() => pick(4)),
        additionalProperties: false,
    };
}

/**
 * What is wrong with a text; undefined where it is JSON of the schema.
 * @param {any} schema
 * @param {string} text
 * @returns {string | undefined}
 */
export function faultOf(schema, text) {
    try {
        const validate = new Ajv2020({strict: false, validateFormats: false}).compile(schema);
        return validate(JSON.parse(text)) ? undefined : JSON.stringify(validate.errors);
    } catch (error) {
        return String(error);
    }
}
