// What a constraint may cost: whatever is asked for, it becomes a grammar or is refused soon.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {toolsGrammar} from '../../web/constraint/tools.js';

/** Seconds of this process. A quiet machine takes about one for the slowest, a busy one several. */
const MOST = 6;

const list = (/** @type {number} */ n, /** @type {(i: number) => any} */ each) =>
    Array.from({length: n}, (_, i) => each(i));
const named = (/** @type {number} */ n, /** @type {(i: number) => [string, any]} */ each) =>
    Object.fromEntries(list(n, each));
const letter = (/** @type {number} */ i) => String.fromCharCode(97 + i);

/** @param {string} name @param {() => unknown} compile @returns {string | undefined} why it is refused */
function soon(name, compile) {
    const start = process.cpuUsage();
    let why;
    try {
        compile();
    } catch (error) {
        assert.equal(error.code, 'bad-constraint', error.stack);
        why = error.message;
    }
    const {user, system} = process.cpuUsage(start);
    assert.ok((user + system) / 1e6 < MOST, `${name} took ${(user + system) / 1e6} s`);
    return why;
}

test('each way to make automata, rules or sets without end is refused soon, at its place', () => {
    /** @type {Record<string, any>} */
    const hostile = {
        'oneOf of patterns with lengths': {
            oneOf: list(6, (i) => ({type: 'string', pattern: `^.*${letter(i)}.*x.*y$`, maxLength: 900})),
        },
        'oneOf of unanchored patterns': {
            oneOf: list(26, (i) => ({type: 'string', pattern: `${letter(i)}$`, maxLength: 900})),
        },
        'patterns of names that all meet': {
            patternProperties: named(12, (i) => [letter(i), {minimum: i}]),
        },
        'the same, and no other names': {
            patternProperties: named(20, (i) => [letter(i), {minimum: i}]),
            additionalProperties: false,
        },
        'Unicode properties with a length': {
            allOf: [{type: 'string', pattern: '\\p{L}', maxLength: 300}, {pattern: '\\p{N}'}],
        },
        'sets of many ranges': {
            type: 'string',
            pattern: list(600, (i) => `[\\p{L}${String.fromCodePoint(0x2000 + i)}]`).join(''),
        },
        'a pattern that doubles': {type: 'string', pattern: '(a|b)*a(a|b){200}'},
        'repeats in repeats': {type: 'string', pattern: '((a{100}){100}){100}x?', minLength: 3},
        'a long length': {type: 'string', pattern: '^(a|b|ab)*$', minLength: 1, maxLength: 1e6},
        'a long word': {enum: ['x'.repeat(3e6)]},
        'names with patterns': {
            properties: named(2000, (i) => ['n'.repeat(500) + i, {}]),
            patternProperties: named(500, (i) => [`^n+${i}`, {}]),
        },
        'words with patterns': {
            enum: list(10_000, (i) => `s${i}`),
            allOf: list(100, (i) => ({pattern: `s.*${'(x?)'.repeat(i)}`})),
        },
        'objects that are compared': {
            oneOf: list(300, (i) => ({
                type: 'object',
                properties: {k: {const: i}, ...named(20, (j) => [`x${i}-${j}`, {}])},
                required: ['k'],
            })),
        },
        'multiples with many remainders': {
            type: 'object',
            properties: named(40, (i) => [`p${i}`, {type: 'integer', multipleOf: 2900 + i}]),
        },
    };
    for (const [name, schema] of Object.entries(hostile)) {
        const why = soon(name, () => toGrammar({schema: {properties: {'a/b': schema}}}));
        assert.match(why ?? '', /"#\/properties\/a~1b/, `${name}: ${why}`);
    }
});

test('many tools take a time that grows with their number', () => {
    const tools = list(200, (i) => ({
        name: `t${i}`,
        parameters: {properties: named(20, (j) => [`p${j}`, {type: 'string'}])},
    }));
    assert.equal(soon('tools', () => toolsGrammar({tools})), undefined);
});

test('ways of a oneOf that differ in their first letter are told apart, however long they may be', () => {
    const schema = {oneOf: list(3, (i) => ({type: 'string', pattern: `^${letter(i)}.*x$`, maxLength: 300}))};
    assert.equal(soon('oneOf', () => toGrammar({schema})), undefined);
});
