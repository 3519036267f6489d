// A JSON Schema as a tree of subschemas: where each stands, and what a $ref names.
//
// Owns addresses: JSON pointers, $id, $anchor. Must not know what keywords mean, only which of them hold
// schemas.

import {bad, known, spend, tooMuch} from './bad.js';

/**
 * @typedef {{[key: string]: any}} JsonObject
 * @typedef {object} SchemaNode
 * @property {number} id
 * @property {JsonObject | boolean} schema
 * @property {string} pointer
 * @property {string} base   the address of the document, or of the part of it with an $id, that it stands in
 */

const MAX_VALUES = 20_000,
    MAX_DEPTH = 500,
    MAX_NAME = 1000;
const HOME = 'schema://this/';
const ONE = [
    'additionalProperties',
    'items',
    'additionalItems',
    'not',
    'if',
    'then',
    'else',
    'contains',
    'propertyNames',
    'unevaluatedItems',
    'unevaluatedProperties',
];
const LIST = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const MAP = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];

/** The schema that no value fulfils. */
export const NOTHING = 0;

/** @param {any} value @returns {value is JsonObject} */
export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

export class SchemaTree {
    /** @type {SchemaNode[]} */
    nodes = [];
    /** @type {Map<string, number>} */
    #byPlace = new Map();
    /** @type {Map<string, number>} */
    #byText = new Map();
    /**
     * Documents and anchors, by address.
     * @type {Map<string, {schema: any, pointer: string, base: string}>}
     */
    #named = new Map();

    /** @param {any} given   what JSON.stringify makes of it counts */
    constructor(given) {
        const root = asJson(given);
        this.#byPlace.set(
            'false',
            this.nodes.push({id: NOTHING, schema: false, pointer: '', base: HOME}) - 1,
        );
        this.hasOldIds =
            isObject(root) && typeof root.$schema === 'string' && /draft-0[34]/.test(root.$schema);
        this.root = root;
        if (typeof root !== 'boolean' && !isObject(root)) bad('A schema must be an object, true or false.');
        this.#named.set(HOME, {schema: root, pointer: '', base: HOME});
        this.#index();
    }

    /**
     * The subschema at a place. Those that say the same are one: the first.
     * @param {any} schema
     * @param {string} pointer
     * @param {string} base
     * @returns {number}
     */
    add(schema, pointer, base) {
        if (schema === false) return NOTHING;
        return known(this.#byPlace, pointer, () => {
            const own = this.#baseOf(schema, base), text = JSON.stringify(schema);
            spend(text.length / 64);
            return known(this.#byText, `${own} ${text}`, () => this.#push(schema, pointer, own));
        });
    }

    /** @param {any} schema @param {string} pointer @param {string} base @returns {number} */
    #push(schema, pointer, base) {
        spend(1 + pointer.length / 64);
        return this.nodes.push({id: this.nodes.length, schema, pointer, base}) - 1;
    }

    /**
     * A schema that stands nowhere in the document.
     * @param {JsonObject} schema
     * @param {string} pointer   where it comes from
     * @returns {number}
     */
    make(schema, pointer) {
        const key = `${pointer} ${JSON.stringify(schema)}`;
        spend(key.length / 64);
        return known(this.#byPlace, key, () => this.#push(schema, pointer, HOME));
    }

    /** @param {SchemaNode} node @param {(string | number)[]} path @returns {number} */
    child(node, ...path) {
        let schema = node.schema,
            pointer = node.pointer;
        for (const step of path) {
            schema = /** @type {any} */ (schema)[step];
            pointer += `/${escape(String(step))}`;
        }
        if (typeof schema !== 'boolean' && !isObject(schema)) {
            bad(
                `"${path[0]}" at "#${node.pointer}" must hold schemas, objects, true or false, found ${JSON.stringify(schema)?.slice(0, 80)}.`,
            );
        }
        return this.add(schema, pointer, node.base);
    }

    /** What a $ref names. @param {SchemaNode} node @param {any} reference @returns {number} */
    resolve(node, reference) {
        /** @param {string} why @returns {never} */
        const fail = (why) => {
            return bad(`"$ref" at "#${node.pointer}" is ${JSON.stringify(reference)}: ${why}.`);
        };
        if (typeof reference !== 'string') return fail('it must be a text');
        const address = join(reference, node.base);
        if (address === undefined) return fail('it is no address');
        const [document, fragment = ''] = address.split('#');
        const whole = this.#named.get(document);
        if (!whole)
            return fail('it names another document, and only references within the schema are supported');
        if (fragment && !fragment.startsWith('/')) {
            const anchor = this.#named.get(`${document}#${fragment}`);
            return anchor
                ? this.add(anchor.schema, anchor.pointer, anchor.base)
                : fail('no anchor has this name');
        }
        let {schema, pointer, base} = whole;
        for (const raw of fragment.split('/').slice(1)) {
            const step = unescape(raw);
            if (typeof schema !== 'object' || schema === null || !Object.hasOwn(schema, step))
                return fail('there is nothing at this place');
            base = this.#baseOf(schema, base);
            schema = schema[step];
            pointer += `/${escape(step)}`;
        }
        if (typeof schema !== 'boolean' && !isObject(schema)) fail('what it names is no schema');
        return this.add(schema, pointer, base);
    }

    /** @param {any} schema @param {string} base @returns {string} of what stands in a schema */
    #baseOf(schema, base) {
        const id = isObject(schema) ? (schema.$id ?? (this.hasOldIds ? schema.id : undefined)) : undefined;
        return typeof id === 'string' && !id.startsWith('#') ? (join(id, base)?.split('#')[0] ?? base) : base;
    }

    /** Finds what has a name. */
    #index() {
        const todo = [{schema: this.root, pointer: '', base: HOME}];
        for (let next = todo.pop(); next; next = todo.pop()) {
            const {schema, pointer} = next;
            if (!isObject(schema)) continue;
            const base = this.#baseOf(schema, next.base),
                place = {schema, pointer, base: next.base};
            if (base !== next.base && !this.#named.has(base)) this.#named.set(base, place);
            for (const anchor of anchorsOf(schema, this.hasOldIds))
                this.#named.set(`${base}#${anchor}`, place);
            for (const [child, path] of childrenOf(schema))
                todo.push({schema: child, pointer: pointer + path, base});
        }
    }
}

/**
 * A schema without what JSON does not have: holes in lists, members that are undefined.
 * @param {any} given
 */
function asJson(given) {
    measure(given);
    try {
        return JSON.parse(JSON.stringify(given) ?? 'null');
    } catch (error) {
        return bad(`A schema must be JSON: ${/** @type {Error} */ (error).message}.`, error);
    }
}

/** Ends for a schema that is too large. @param {any} root */
function measure(root) {
    let count = 0;
    /** @param {any} value @param {number} depth */
    const visit = (value, depth) => {
        if (++count > MAX_VALUES) tooMuch(MAX_VALUES, 'values in the schema');
        if (depth > MAX_DEPTH) tooMuch(MAX_DEPTH, 'levels in the schema');
        if (typeof value !== 'object' || value === null) return;
        for (const key in value) {
            if (key.length > MAX_NAME) tooMuch(MAX_NAME, 'characters in a name');
            visit(value[key], depth + 1);
        }
    };
    visit(root, 0);
}

/** @param {JsonObject} schema @returns {[any, string][]} each with its path */
function childrenOf(schema) {
    /** @type {[any, string][]} */
    const all = [];
    for (const key of Object.keys(schema)) {
        const value = schema[key];
        if (ONE.includes(key) && isObject(value)) all.push([value, `/${key}`]);
        else if (LIST.includes(key) && Array.isArray(value))
            value.forEach((each, i) => all.push([each, `/${key}/${i}`]));
        else if (MAP.includes(key) && isObject(value))
            for (const name of Object.keys(value)) all.push([value[name], `/${key}/${escape(name)}`]);
    }
    return all;
}

/** @param {JsonObject} schema @param {boolean} hasOldIds @returns {string[]} */
function anchorsOf(schema, hasOldIds) {
    const id = schema.$id ?? (hasOldIds ? schema.id : undefined);
    const all = [
        schema.$anchor,
        schema.$dynamicAnchor,
        typeof id === 'string' && id.startsWith('#') ? id.slice(1) : undefined,
    ];
    return all.filter((each) => typeof each === 'string');
}

/** @param {string} reference @param {string} base @returns {string | undefined} */
function join(reference, base) {
    try {
        return new URL(reference, base).href;
    } catch {
        return undefined;
    }
}

/** @param {string} step @returns {string} */
export const escape = (step) => step.replaceAll('~', '~0').replaceAll('/', '~1');

/** @param {string} step @returns {string} */
function unescape(step) {
    let plain = step;
    try {
        plain = decodeURIComponent(step);
    } catch {}
    return plain.replaceAll('~1', '/').replaceAll('~0', '~');
}
