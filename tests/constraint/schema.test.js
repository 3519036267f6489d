// JSON Schema -> GBNF: what the grammar of a schema takes and refuses, by the slow matcher.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';

/** @param {any} schema @param {string[]} good @param {string[]} bad @param {'none' | 'space' | 'free'} [whitespace] */
function judge(schema, good, bad, whitespace = 'none') {
    const matcher = new Matcher(toGrammar({schema, whitespace}));
    for (const text of good) assert.ok(matcher.accepts(text), `${JSON.stringify(schema)} should take ${text}`);
    for (const text of bad) assert.ok(!matcher.accepts(text), `${JSON.stringify(schema)} should not take ${text}`);
}

test('members come in the order of the schema, optional ones may be left out', () => {
    judge({type: 'object', properties: {a: {type: 'integer'}, b: {type: 'null'}, c: {type: 'boolean'}}, required: ['b'], additionalProperties: false},
        ['{"a":1,"b":null,"c":true}', '{"b":null}', '{"b":null,"c":false}', '{"a":-12,"b":null}'],
        ['{}', '{"a":1}', '{"b":null,"a":1}', '{"b":null,}', '{"b":null,"d":1}', '{"b":1}', '{"a":1.5,"b":null}', '[]']);
});

test('other members have other names, in each spelling', () => {
    judge({properties: {ab: {type: 'null'}, 'é': false}, additionalProperties: {type: 'integer'}, type: 'object'},
        ['{}', '{"ab":null,"a":1,"abc":2,"b":3,"":4}', '{"a":1}', '{"\\u00e8":1}'],
        ['{"ab":1}', '{"\\u0061b":1}', '{"é":1}', '{"\\u00e9":1}', '{"\\u00E9":1}', '{"a":null}']);
});
