// What zod, Pydantic and other makers of schemas write: values are taken as ajv judges them.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Ajv2020} from 'ajv/dist/2020.js';
import {toGrammar} from '../../web/constraint/constraint.js';
import {toolsGrammar} from '../../web/constraint/tools.js';
import {Matcher} from './matcher.js';

const ajv = new Ajv2020({strict: false, validateFormats: false});

/** @param {any} schema @param {any[]} values   some of which it takes */
function judge(schema, values) {
    const matcher = new Matcher(toGrammar({schema, whitespace: 'none'})),
        fits = ajv.compile(schema),
        valid = values.filter((value) => fits(value));
    for (const value of values) {
        const text = JSON.stringify(value);
        assert.equal(matcher.accepts(text), valid.includes(value), `${JSON.stringify(schema)} and ${text}`);
    }
    assert.ok(valid.length > 0 && valid.length < values.length, JSON.stringify(schema));
}

/** @param {any} schema @param {string} keyword @param {string} [pointer] */
const refused = (schema, keyword, pointer = '') => assert.throws(() => toGrammar({schema}),
    (/** @type {any} */ error) =>
        error.code === 'bad-constraint' && error.message.includes(`"${keyword}" at "#${pointer}"`),
    JSON.stringify(schema));

test('propertyNames: nothing, a list, a pattern, lengths, also by reference and beside other keywords', () => {
    const values = [{}, {a: 1}, {b: 2}, {a: 1, b: 2}, {c: 1}, {a: 'x'}, {abc: 1}, {a: 1, bb: 2}, {'é': 1},
        {'': 1}, [], 'c'];
    const names = [
        {type: 'string'},
        {},
        {anyOf: [{type: 'string'}, {type: 'null'}]},
        {enum: ['a', 'b']},
        {const: 'b'},
        {anyOf: [{const: 'a'}, {const: 'b'}]},
        {$ref: '#/$defs/name'},
        {pattern: '^[ab]$'},
        {pattern: 'b'},
        {type: 'string', minLength: 1, maxLength: 2},
        {pattern: '^a', minLength: 2},
        {allOf: [{pattern: 'b'}, {pattern: '^a'}]},
        {type: 'integer'},
        {enum: [1]},
        false,
    ];
    const $defs = {name: {enum: ['a', 'b']}};
    for (const propertyNames of names) {
        judge({$defs, type: 'object', propertyNames, additionalProperties: {type: 'integer'}}, values);
        judge({$defs, propertyNames, properties: {a: {type: 'integer'}, c: {type: 'null'}}}, values);
    }
    judge({type: 'object', propertyNames: {enum: ['a', 'b']}, additionalProperties: {type: 'integer'},
        required: ['a', 'b']}, values);
    judge({type: 'object', patternProperties: {'^a': {type: 'integer'}}, propertyNames: {minLength: 1}}, values);
    refused({propertyNames: {$ref: '#'}}, '$ref');
    refused({propertyNames: {not: {const: 'a'}}}, 'not', '/propertyNames');
    refused({properties: {x: {propertyNames: 5}}}, 'propertyNames', '/properties/x');
    const tools = [{name: 'f', parameters: {type: 'object', propertyNames: {enum: ['a']}}}];
    assert.ok(new Matcher(toolsGrammar({tools}) ?? '')
        .accepts('```tool_call\n{"name": "f", "arguments": {"a": 1}}\n```'));
});

test('not with a schema that everything fulfils is false, and not false is nothing', () => {
    for (const not of [{}, true]) {
        judge({type: 'object', properties: {a: {not}}}, [{}, {a: 1}, {b: 1}]);
        judge({anyOf: [{not}, {type: 'string'}]}, ['a', 1]);
        judge({type: 'array', items: {not}}, [[], [1]]);
        assert.throws(() => toGrammar({schema: {not, type: 'string'}}), {code: 'bad-constraint'});
    }
    for (const not of [false, {not: {}}, {not: true}])
        judge({type: 'object', properties: {a: {not, type: 'string'}}}, [{}, {a: 1}, {a: 'x'}]);
    judge({oneOf: [{type: 'object', properties: {a: {not: {}}}},
        {type: 'object', properties: {a: {type: 'null'}}, required: ['a']}]}, [{}, {a: null}, {a: 1}]);
});
