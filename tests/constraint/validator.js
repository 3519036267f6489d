// A plain validator of JSON Schema, word by word as the standard has it: the judge of texts that grammars
// make. It shares no code with them. Formats and what grammars refuse are not looked at; references go by
// pointer or $anchor.

/** @param {any} root @returns {(value: any) => boolean} */
export function validator(root) {
    const check = (schema, value) => {
        if (typeof schema === 'boolean') return schema;
        return Object.entries(schema).every(([keyword, given]) =>
            (RULES[keyword] ?? (() => true))(given, value, {schema, check, root}),
        );
    };
    return (value) => check(root, value);
}

const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
const isOf = (type, value) => (type === 'integer' ? Number.isInteger(value) : type === typeOf(value));
const same = (a, b) => {
    if (typeOf(a) !== typeOf(b) || typeof a !== 'object' || a === null) return a === b;
    const keys = Object.keys(a);
    return (
        keys.length === Object.keys(b).length
        && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]))
    );
};
const forType = (type, rule) => (given, value, more) => typeOf(value) !== type || rule(given, value, more);
const length = (text) => Array.from(text).length;
const matches = (source, text) => new RegExp(source, 'u').test(text);

/** What remains of members that neither `properties` nor `patternProperties` names. */
function others({properties = {}, patternProperties = {}}, value) {
    return Object.keys(value).filter(
        (key) =>
            !Object.hasOwn(properties, key)
            && !Object.keys(patternProperties).some((source) => matches(source, key)),
    );
}

function resolve(reference, root) {
    const fragment = decodeURIComponent(reference.split('#')[1] ?? '');
    if (fragment && !fragment.startsWith('/')) return findAnchor(root, fragment);
    return fragment
        .split('/')
        .slice(1)
        .reduce((at, step) => at[step.replaceAll('~1', '/').replaceAll('~0', '~')], root);
}

function findAnchor(schema, name) {
    if (typeof schema !== 'object' || schema === null) return;
    if (schema.$anchor === name) return schema;
    for (const each of Object.values(schema)) {
        const found = findAnchor(each, name);
        if (found) return found;
    }
}

const RULES = {
    type: (given, value, {schema}) =>
        [given].flat().some((type) => isOf(type, value)) || (schema.nullable === true && value === null),
    enum: (given, value) => given.some((each) => same(each, value)),
    const: same,
    allOf: (given, value, {check}) => given.every((each) => check(each, value)),
    anyOf: (given, value, {check}) => given.some((each) => check(each, value)),
    oneOf: (given, value, {check}) => given.filter((each) => check(each, value)).length === 1,
    not: (given, value, {check}) => !check(given, value),
    $ref: (given, value, {check, root}) => check(resolve(given, root), value),
    minimum: forType('number', (given, value, {schema}) =>
        schema.exclusiveMinimum === true ? value > given : value >= given,
    ),
    maximum: forType('number', (given, value, {schema}) =>
        schema.exclusiveMaximum === true ? value < given : value <= given,
    ),
    exclusiveMinimum: forType('number', (given, value) => given === true || value > given),
    exclusiveMaximum: forType('number', (given, value) => given === true || value < given),
    multipleOf: forType('number', (given, value) =>
        Math.abs(value / given - Math.round(value / given)) <= Math.abs(value / given) * 1e-15,
    ),
    minProperties: forType('object', (given, value) => Object.keys(value).length >= given),
    minLength: forType('string', (given, value) => length(value) >= given),
    maxLength: forType('string', (given, value) => length(value) <= given),
    pattern: forType('string', matches),
    minItems: forType('array', (given, value) => value.length >= given),
    maxItems: forType('array', (given, value) => value.length <= given),
    prefixItems: forType('array', (given, value, {check}) =>
        given.every((each, i) => i >= value.length || check(each, value[i])),
    ),
    items: forType('array', (given, value, {schema, check}) =>
        Array.isArray(given)
            ? RULES.prefixItems(given, value, {check})
            : value.slice(schema.prefixItems?.length ?? 0).every((each) => check(given, each)),
    ),
    additionalItems: forType(
        'array',
        (given, value, {schema, check}) =>
            !Array.isArray(schema.items)
            || value.slice(schema.items.length).every((each) => check(given, each)),
    ),
    required: forType('object', (given, value) => given.every((name) => Object.hasOwn(value, name))),
    properties: forType('object', (given, value, {check}) =>
        Object.keys(given).every((name) => !Object.hasOwn(value, name) || check(given[name], value[name])),
    ),
    propertyNames: forType('object', (given, value, {check}) =>
        Object.keys(value).every((key) => check(given, key)),
    ),
    patternProperties: forType('object', (given, value, {check}) =>
        Object.keys(given).every((source) =>
            Object.keys(value).every((key) => !matches(source, key) || check(given[source], value[key])),
        ),
    ),
    additionalProperties: forType('object', (given, value, {schema, check}) =>
        others(schema, value).every((key) => check(given, value[key])),
    ),
};
