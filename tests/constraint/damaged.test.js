// Schemas and regular expressions that were damaged at random: each becomes a grammar that the engine
// compiles, or is refused by an error of code bad-constraint, within a bound of work. For longer, or from
// another seed on:
//
//   FUZZ_SECONDS=600 FUZZ_SEED=12345 node --test tests/constraint/damaged.test.js

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {after, test} from 'node:test';
import {either, toGrammar} from '../../web/constraint/constraint.js';
import {GemmaError} from '../../web/base/error.js';
import {compileGrammar} from '../../web/engine/constraints.js';
import {detectFeatures} from '../../web/engine/features.js';
import {makeProbe} from '../../web/engine/open.js';
import {randomSchema} from './random_schemas.js';

const SUITE = JSON.parse(readFileSync(new URL('suite/cases.json', import.meta.url), 'utf8'))
    .map(([, , schema]) => schema);
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 0), SEED = Number(process.env.FUZZ_SEED ?? 1),
    AT_LEAST = 600;
const KEYWORDS = [
    'type', 'properties', 'required', 'additionalProperties', 'patternProperties', 'enum', 'const', 'anyOf',
    'oneOf', 'allOf', '$ref', '$defs', 'items', 'prefixItems', 'minItems', 'maxItems', 'minLength',
    'maxLength', 'pattern', 'format', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum',
    'multipleOf', 'nullable', 'not', 'if', '$id', '$anchor', 'definitions', 'uniqueItems', '__proto__',
    'constructor', 'toString',
];
const VALUES = [
    null, true, false, 0, -1, 1, 2.5, 1e308, -1e-7, 2 ** 53, 1e100, '', 'string', 'object', 'array',
    'integer', 'date-time', 'uri', '#', '#/$defs/inner', '#/properties/x', '#/%', '\ud800', '^(a|b)*$',
    '(a*)*', '[', 'a{0,100000}', '(?=a)', '\\p{L}+', [], {}, [[]], ['a', 'a'], [{}], ['null', 'string'],
];
const REGEX_PARTS = [
    'a', '.', '[a-z]', '[^\\d]', '(', ')', '|', '*', '+', '?', '{2,}', '{0,1000}', '{3}', '^', '$', '\\',
    '\\b', '\\d', '\\u{1f642}', '\\1', '(?:', '(?=', '(?<n>', '[', ']', '-', '\\p{Lu}', '\ud83d', '\0', '/',
];

const engine = await makeProbe(await detectFeatures(), {});
after(() => engine.close());

function random(seed) {
    let state = seed * 2654435761 % 4294967296;
    return (n) => {
        state = (state * 1664525 + 1013904223) % 4294967296;
        return Math.floor(state / 4294967296 * n);
    };
}

/** All objects and lists of a value. */
function holders(value, found = []) {
    if (typeof value !== 'object' || value === null) return found;
    found.push(value);
    Object.values(value).forEach((each) => holders(each, found));
    return found;
}

function damage(schema, pick) {
    const from = (list) => list[pick(list.length)], copy = structuredClone(schema);
    for (let times = 1 + pick(4); times > 0; times--) {
        const all = holders(copy), at = all.length ? from(all) : undefined, keys = at ? Object.keys(at) : [];
        if (!at) return from(VALUES);
        const value = pick(3) ? structuredClone(from(VALUES)) : structuredClone(from(all)), how = pick(3);
        if (how === 0 && keys.length) delete at[from(keys)];
        else if (how === 1 && keys.length) at[from(keys)] = value;
        else if (Array.isArray(at)) at.push(value);
        else Object.defineProperty(at, from(KEYWORDS), {value, enumerable: true, writable: true,
            configurable: true});
    }
    return copy;
}

test('what JSON does not have counts as JSON.stringify writes it, or is refused', () => {
    const holes = ['a'], circle = {};
    holes[2] = 'b';
    circle.not = circle;
    assert.equal(toGrammar({schema: {enum: holes}}), toGrammar({schema: {enum: ['a', null, 'b']}}));
    assert.equal(toGrammar({schema: {type: 'string', maxLength: undefined}}),
        toGrammar({schema: {type: 'string'}}));
    assert.equal(toGrammar({schema: {const: new Date(0)}}),
        toGrammar({schema: {const: '1970-01-01T00:00:00.000Z'}}));
    for (const schema of [{const: 1n}, circle, {anyOf: Array(2)}, () => 1, Symbol('a'), NaN]) {
        assert.throws(() => toGrammar({schema}), {name: 'GemmaError', code: 'bad-constraint'});
    }
});

test('half of a surrogate pair is in no text', () => {
    for (const constraint of [{regex: 'a\ud83d'}, {regex: '[\udc00-\udfff]'}, {regex: /\ud800/},
        {choices: ['a', 'b\udc00']}]) {
        assert.throws(() => toGrammar(constraint), {name: 'GemmaError', code: 'bad-constraint'});
    }
    assert.equal(toGrammar({regex: 'a|\ud83d'}), toGrammar({regex: 'a'}));
});

const textOf = (pick) => Array.from({length: 1 + pick(12)}, () => REGEX_PARTS[pick(REGEX_PARTS.length)])
    .join('');

function check(constraint, seed) {
    let gbnf;
    try {
        gbnf = toGrammar(constraint);
    } catch (error) {
        if (error instanceof GemmaError && error.code === 'bad-constraint' && error.message) return false;
        throw new Error(`seed ${seed}: ${JSON.stringify(constraint)}`, {cause: error});
    }
    try {
        compileGrammar(engine, gbnf).close();
    } catch (error) {
        throw new Error(`seed ${seed}: ${JSON.stringify(constraint)}`, {cause: error});
    }
    return true;
}

test('two grammars are combined in a time that grows with their length, for anything left open', () => {
    for (const open of ['[', '{', '<', '"', '\\', '#', '"\\"', '[^']) {
        const long = open.repeat(300_000);       // each looked for to the end would take minutes
        assert.ok(either(long, 'root ::= "a"').includes('root ::= a-root | b-root'));
    }
    assert.equal(either('root ::= x-1 [x] "x" # x\nx-1 ::= "a"', 'root ::= "b"'),
        'a-root ::= a-x-1 [x] "x" # x\na-x-1 ::= "a"\nb-root ::= "b"\nroot ::= a-root | b-root\n');
});

test('a damaged schema or pattern is refused by name or becomes a grammar that compiles', (t) => {
    const start = performance.now();
    let n = 0, compiled = 0, slowest = 0;
    for (let seed = SEED; n < AT_LEAST || performance.now() - start < SECONDS * 1000; seed++, n++) {
        const pick = random(seed), begun = performance.now();
        const whole = pick(3) ? SUITE[pick(SUITE.length)] : randomSchema(seed),
            whitespace = ['none', 'space', 'free'][pick(3)];
        compiled += check(pick(5) ? {schema: damage(whole, pick), whitespace} : {regex: textOf(pick)}, seed);
        slowest = Math.max(slowest, performance.now() - begun);
    }
    assert.ok(compiled > n / 10 && compiled < n, `${compiled} of ${n}`);
    t.diagnostic(`${n} constraints, ${compiled} compile, the slowest in ${slowest.toFixed(0)} ms`);
});
