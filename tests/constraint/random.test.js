// Random texts of grammars of schemas are values of those schemas, by a plain validator; the validator is
// judged by the suite first.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {randomTexts} from './random_text.js';
import {validator} from './validator.js';

const SUITE = JSON.parse(readFileSync(new URL('suite/cases.json', import.meta.url), 'utf8'));
const LLAMA = JSON.parse(readFileSync(new URL('suite/llama.json', import.meta.url), 'utf8'));
/** What the plain validator does not know: $id, formats, dialects, multiples beyond the range of a double. */
const UNKNOWN = /"\$id"|"format":|"\$schema":"http:\/\/localhost/;
const schemas = [
    ...SUITE.filter(
        ([file, , schema]) =>
            !/optional\/(anchor|id|unknownKeyword|float-overflow)/.test(file)
            && !UNKNOWN.test(JSON.stringify(schema)),
    ).map(([file, name, schema, tests]) => ({name: `${file}: ${name}`, schema, tests})),
    ...LLAMA.filter(([, schema]) => !UNKNOWN.test(JSON.stringify(schema))).map(([name, schema]) => ({
        name,
        schema,
        tests: [],
    })),
    ...[
        {
            type: 'object',
            properties: {
                a: {type: 'integer', multipleOf: 7, minimum: -100},
                b: {type: 'number', exclusiveMinimum: 0.1, exclusiveMaximum: 0.3},
            },
            required: ['b'],
            patternProperties: {'^a': {maximum: 50}},
        },
        {
            type: 'array',
            items: {
                oneOf: [
                    {type: 'string', pattern: '^[a-f]{2,}$', maxLength: 5},
                    {type: 'integer', minimum: 10},
                    {type: 'object', properties: {k: {const: [1, {}]}}, required: ['k']},
                ],
            },
            minItems: 2,
            maxItems: 4,
        },
        {
            $ref: '#/$defs/tree',
            $defs: {
                tree: {
                    type: 'object',
                    properties: {left: {$ref: '#/$defs/tree'}, value: {enum: ['x"', 1.5, null]}},
                    required: ['value'],
                    additionalProperties: {type: 'boolean'},
                },
            },
        },
        {type: 'string', pattern: 'b+.\\d', minLength: 4, maxLength: 9},
        {type: 'number', minimum: -12.5, maximum: 1e21},
        {type: 'object', patternProperties: {'^.*bar$': {type: 'null'}, '\\s': {type: 'integer'}}},
    ].map((schema) => ({name: JSON.stringify(schema), schema, tests: []})),
];

test('random texts of each grammar are JSON that its schema allows', () => {
    let seed = 99,
        compiled = 0;
    const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;
    for (const {name, schema, tests} of schemas) {
        let grammar;
        try {
            grammar = toGrammar({schema});
        } catch (error) {
            assert.equal(error.code, 'bad-constraint', error.stack);
            continue;
        }
        compiled++;
        const allows = validator(schema),
            make = randomTexts(grammar, random);
        for (const [valid, data] of tests)
            assert.equal(allows(data), valid, `the plain validator: ${name}: ${JSON.stringify(data)}`);
        for (let i = 0; i < 30; i++) {
            const text = make();
            assert.ok(allows(JSON.parse(text)), `${name}: ${text}`);
        }
    }
    assert.ok(compiled > 200, String(compiled));
});
