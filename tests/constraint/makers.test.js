// What zod, Pydantic and other makers of schemas write: values are taken as ajv judges them.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Ajv2020} from 'ajv/dist/2020.js';
import {toGrammar} from '../../web/constraint/constraint.js';
import {toolsGrammar} from '../../web/constraint/tools.js';
import {Matcher} from './matcher.js';
import {randomTexts} from './random_text.js';

const ajv = new Ajv2020({strict: false, validateFormats: false, multipleOfPrecision: 9});

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

test('propertyNames: nothing, a list, a pattern, lengths, also by reference', () => {
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
    judge({type: 'object', patternProperties: {'^a': {type: 'integer'}}, propertyNames: {minLength: 1}},
        values);
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

test('formats and patterns beside a length are held to both, whatever the length is', () => {
    let seed = 5,
        scale = 1;      // below 0.6 repeats are as long as can be
    const random = () => scale * ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000);
    const host = '(?!.{254})[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
        + '(?:[.][a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$';
    /** Which of them are right by their standards, where the grammar of the format alone leaves some out. */
    const standards = new Map([
        ['hostname', new RegExp(`^${host}`)],
        ['email', new RegExp(`^[\\w!#$%&'*+/=?^\`{|}~-]+(?:[.][\\w!#$%&'*+/=?^\`{|}~-]+)*@${host}`)],
    ]);
    /** @type {[any, string[]][]} */
    const cases = [
        [{format: 'uri', minLength: 1, maxLength: 2083}, ['https://example.com/a/b.html?c=d%20e&f',
            'urn:isbn:123', 'http://127.0.0.1:8000', `https://example.com/${'x'.repeat(200)}`]],
        [{format: 'uri', maxLength: 255}, ['https://www.example.com/some/path?query=1']],
        [{format: 'uri', maxLength: 40}, ['https://a.org/b', 'http://some-host.org']],
        [{format: 'email', maxLength: 254}, ['first.last+tag@mail.example-site.co.uk']],
        [{format: 'email', minLength: 3, maxLength: 320}, ['a@b', `${'x'.repeat(64)}@example.com`]],
        [{format: 'email', maxLength: 30}, ['info@example.com']],
        [{format: 'hostname', maxLength: 253}, [`${'a'.repeat(63)}.example.com`]],
        [{format: 'hostname', maxLength: 64}, ['www.some-long-name.example.com']],
        [{format: 'ipv6', maxLength: 39}, ['2001:0db8:0000:0000:0000:ff00:0042:8329', '::1']],
        [{format: 'duration', maxLength: 2000}, ['P1DT12H']],
        [{format: 'date-time', maxLength: 100}, ['2026-11-30T12:00:00.123Z']],
        [{pattern: '^a.*x.*y$', maxLength: 4000}, ['axy', 'a--x--y']],
        [{pattern: '\\S', minLength: 1, maxLength: 5000}, ['a', ' a ', 'x'.repeat(100)]],
        [{pattern: '^[a-z]+(-[a-z]+)*$', maxLength: 3000}, ['a', 'a-slug-of-many-words']],
        [{pattern: '^(a|b|ab)*$', maxLength: 100_000}, ['', 'abab']],
        [{pattern: '^(x{5}|y+){2,}$', maxLength: 6000}, ['yy', 'xxxxxy']],
    ];
    for (const [asked, taken] of cases) {
        const {minLength = 0, maxLength, ...rest} = asked,
            gbnf = toGrammar({schema: {type: 'string', ...asked}});
        const whole = new Matcher(toGrammar({schema: {type: 'string', ...rest}})),
            matcher = new Matcher(gbnf),
            make = randomTexts(gbnf, random);
        assert.ok(gbnf.length < 200_000, JSON.stringify(asked));
        for (const text of taken)
            assert.ok(matcher.accepts(JSON.stringify(text)), `${JSON.stringify(asked)} should take ${text}`);
        for (let i = 0; i < 16; i++) {
            scale = i % 2 ? 1 : 0.5;
            const text = make(), {length} = Array.from(JSON.parse(text));
            assert.ok(length >= minLength && length <= maxLength, `${JSON.stringify(asked)} ${text}`);
            const value = JSON.parse(text),
                isRight = standards.get(asked.format)?.test(value) ?? whole.accepts(JSON.stringify(value));
            assert.ok(isRight, `${JSON.stringify(asked)} ${text}`);
        }
    }
});

test('what is no form of a keyword is refused, whatever types the schema has', () => {
    const forms = {
        required: [true, false, 'a', {a: true}, [1]],
        enum: [null, 'a', {}],
        minimum: ['1', null, true],
        exclusiveMaximum: ['1', null],
        multipleOf: [0, -1, '2'],
        minLength: [-1, 1.5, '1'],
        maxItems: ['2', null],
        maxProperties: [-1],
        pattern: [1, null],
        format: [5],
        properties: [[], null, 'a'],
        patternProperties: [[]],
        prefixItems: [{}],
        items: [5, null],
        additionalProperties: ['no', null],
        propertyNames: [5],
    };
    for (const [keyword, values] of Object.entries(forms)) {
        for (const value of values) {
            for (const type of ['string', 'integer', 'null', 'object', 'array', undefined]) {
                const schema = {...(type && {type}), [keyword]: value};
                assert.equal(ajv.validateSchema(schema), false, JSON.stringify(schema));
                refused({type: 'object', properties: {a: schema}}, keyword, '/properties/a');
            }
        }
    }
    judge({type: 'integer', pattern: '(?=a)', format: 'iri', multipleOf: 1}, [1, 'a']);
});

test('patterns of zod and Pydantic that look ahead', () => {
    const email = "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@"
        + '([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$';
    judge({type: 'string', format: 'email', pattern: email},
        ['a@b.cd', 'a.b@c.de', '.a@b.cd', 'a..b@c.de', 'a@b', 'a@b.c', '@b.cd', 'a.@b.cd']);
    const decimal = '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$';
    judge({anyOf: [{type: 'number'}, {type: 'string', pattern: decimal}]},
        ['1', '-0.5', '+', '', '.', '-.', '.5', '5.', 3, 'a']);
    judge({type: 'string', pattern: decimal, maxLength: 4}, ['1', '1234', '12345', '+']);
    judge({type: 'object', patternProperties: {'^(?!x-)': {type: 'integer'}}, additionalProperties: false},
        [{a: 1}, {'x-': 1}, {a: 'b'}, {}]);
});

test('multiples of a part of 1, as digits after the point', () => {
    const values = [0, 1, -1, 0.5, 0.25, 0.1, 0.07, 0.75, 19.99, 19.999, -3.5, 0.3, 1.001, 0.005, 99.95, 100, 'a'];
    for (const multipleOf of [0.5, 0.25, 0.1, 0.01, 0.05, 0.2, 0.005]) {
        judge({multipleOf, type: ['number', 'string']}, [...values, 0.0001]);
        judge({multipleOf, type: 'number', minimum: 0}, values);
        judge({multipleOf, type: 'number', exclusiveMinimum: 0, maximum: 99.95}, values);
        judge({type: 'number', enum: values.slice(0, -1).concat(0.0001), multipleOf}, values);
        judge({allOf: [{multipleOf}, {multipleOf: 0.5}], type: 'number'}, values);
        judge({multipleOf, type: 'integer', maximum: 5}, values);
    }
    for (const multipleOf of [0.3, 1.5, 0.03, 1e-9, 0.123456789, 1 / 3])
        refused({type: 'number', multipleOf}, 'multipleOf');
});

test('at least one member', () => {
    const values = [{}, {a: 1}, {b: 1}, {a: 1, b: 1}, {c: 1}, {a: 'x'}, 'a'];
    for (const [minProperties, rest] of /** @type {[number, any][]} */ ([
        [1, {additionalProperties: {type: 'integer'}}],
        [1, {properties: {a: {type: 'integer'}, b: {}}, additionalProperties: false}],
        [1, {properties: {a: {type: 'integer'}, b: {}}}],
        [1, {properties: {a: {type: 'integer'}}, required: ['a']}],
        [2, {required: ['a', 'b']}],
        [1, {patternProperties: {'^[ab]$': {type: 'integer'}}, additionalProperties: false}],
        [1, {propertyNames: {enum: ['a', 'b']}}],
    ])) {
        judge({type: 'object', minProperties, ...rest}, values);
        judge({minProperties, ...rest}, values);
        if (minProperties === 1) judge({allOf: [{minProperties}, rest], type: 'object'}, values);
    }
    refused({type: 'object', minProperties: 2, required: ['a', 'a']}, 'minProperties');
    judge({type: 'array', uniqueItems: true, maxItems: 1}, [[], [1], [1, 2]]);
});
