// JSON Schema -> GBNF: what the grammar of a schema takes and refuses, by the slow matcher.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';

/**
 * @param {any} schema
 * @param {string[]} good
 * @param {string[]} bad
 * @param {'none' | 'space' | 'free'} [whitespace]
 */
function judge(schema, good, bad, whitespace = 'none') {
    const matcher = new Matcher(toGrammar({schema, whitespace}));
    for (const text of good)
        assert.ok(matcher.accepts(text), `${JSON.stringify(schema)} should take ${text}`);
    for (const text of bad)
        assert.ok(!matcher.accepts(text), `${JSON.stringify(schema)} should not take ${text}`);
}

/** @param {any} schema @param {string} keyword @param {string} pointer */
function refused(schema, keyword, pointer) {
    assert.throws(
        () => toGrammar({schema}),
        (/** @type {any} */ error) =>
            error.name === 'GemmaError'
            && error.code === 'bad-constraint'
            && error.message.includes(`"${keyword}" at "#${pointer}"`),
        `${JSON.stringify(schema).slice(0, 200)} by ${keyword} at ${pointer}`,
    );
}

test('objects of a union that begin alike are told apart by what follows, also where that is optional', () => {
    const of = (more, required) => ({type: 'object', properties: {a: {type: 'integer'}, b: {type: 'null'}, ...more},
        required: ['a', ...required], additionalProperties: false});
    judge(
        {anyOf: [of({c: {const: 1}}, ['b', 'c']), of({c: {const: 2}}, ['b', 'c']), of({d: {}}, ['b']), of({e: {}}, []),
            {type: 'object', properties: {a: {const: 'x'}}, required: ['a', 'z'], additionalProperties: {type: 'null'}}]},
        ['{"a":1,"b":null,"c":1}', '{"a":1,"b":null,"c":2}', '{"a":1,"b":null}', '{"a":1,"b":null,"d":[]}', '{"a":1}',
            '{"a":1,"e":0}', '{"a":1,"b":null,"e":0}', '{"a":"x","z":null}', '{"a":"x","z":null,"y":null}'],
        ['{}', '{"b":null}', '{"a":1,"b":null,"c":3}', '{"a":1,"c":1}', '{"a":1,"d":0}', '{"a":1,"b":null,"d":0,"e":0}',
            '{"a":"x"}', '{"a":1,"z":null}', '{"a":1,}', '{"a":"x","b":null}'],
    );
});

test('a union that names the same objects twice takes them', () => {
    judge({anyOf: [{type: 'object'}, {type: 'object'}, {type: 'array', items: {anyOf: [{}, {}]}}]}, ['{}', '[{"a":1}]'], ['1']);
    const same = {type: 'object', properties: {a: {const: 1}}, required: ['a']};
    judge({anyOf: [same, structuredClone(same), {$ref: '#/$defs/a'}], $defs: {a: same}}, ['{"a":1}', '{"a":1,"b":2}'], ['{}']);
});

test('a union over many shared members, and multiples of any size, become a grammar', () => {
    const names = Array.from({length: 2500}, (_, i) => `p${i}`);
    toGrammar({schema: {properties: Object.fromEntries(names.map((name) => [name, true])), required: names,
        anyOf: [1, 2].map((x) => ({properties: {x: {const: x}}, required: ['x']}))}});
    for (const multipleOf of [97, 512, 1024]) toGrammar({schema: {type: 'integer', multipleOf}});
});

test('multiples are whole numbers as large as a double holds each', () => {
    judge({type: 'integer', minimum: 0, multipleOf: 1000},
        ['0', '1000', '999999999999000', '1700000000000000', '8999999999999000'], ['1', '1700000000000001', '-1000']);
    judge({type: 'integer', multipleOf: 5, maximum: 9007199254740992}, ['8999999999999990', '-8999999999999995'], ['8999999999999991']);
});

test('members come in the order of the schema, optional ones may be left out', () => {
    judge(
        {
            type: 'object',
            properties: {a: {type: 'integer'}, b: {type: 'null'}, c: {type: 'boolean'}},
            required: ['b'],
            additionalProperties: false,
        },
        ['{"a":1,"b":null,"c":true}', '{"b":null}', '{"b":null,"c":false}', '{"a":-12,"b":null}'],
        [
            '{}',
            '{"a":1}',
            '{"b":null,"a":1}',
            '{"b":null,}',
            '{"b":null,"d":1}',
            '{"b":1}',
            '{"a":1.5,"b":null}',
            '[]',
        ],
    );
    judge(
        {type: 'object', properties: {a: {}}, required: ['z', 'a']},
        ['{"a":1,"z":2}', '{"a":1,"z":2,"y":[]}'],
        ['{"a":1}', '{"z":2,"a":1}'],
    );
});

test('other members have other names, in each spelling', () => {
    judge(
        {properties: {ab: {type: 'null'}, é: false}, additionalProperties: {type: 'integer'}, type: 'object'},
        ['{}', '{"ab":null,"a":1,"abc":2,"b":3,"":4}', '{"a":1}', '{"\\u00e8":1}'],
        ['{"ab":1}', '{"\\u0061b":1}', '{"é":1}', '{"\\u00e9":1}', '{"\\u00E9":1}', '{"a":null}'],
    );
    judge(
        {properties: {'a"\\\n😀': {type: 'null'}}, additionalProperties: {type: 'integer'}, type: 'object'},
        ['{"a\\"\\\\\\n😀":null}', '{"a\\"\\\\\\n\\ud83d\\ude00":null}', '{"a\\"\\\\\\n\\uD83D\\uDE01":1}'],
        [
            '{"a\\"\\\\\\n😀":1}',
            '{"a\\"\\\\\\n\\ud83d\\ude00":1}',
            '{"a\\"\\\\\\u000a😀":1}',
            '{"a\\u0022\\\\\\n😀":1}',
        ],
    );
});

test('patterns of names meet, and leave the rest to additionalProperties', () => {
    judge(
        {
            type: 'object',
            properties: {ab: {minimum: 2}},
            patternProperties: {'^a': {type: 'integer'}, b$: {maximum: 5}},
            additionalProperties: {type: 'null'},
        },
        ['{"ab":3,"a":9,"b":"x","c":null}', '{"acb":5}'],
        ['{"ab":1}', '{"ab":6}', '{"ab":"x"}', '{"acb":6}', '{"acb":"x"}', '{"c":1}', '{"a":null}'],
    );
    judge(
        {type: 'object', patternProperties: {'^x-': {}}, additionalProperties: false},
        ['{"x-a":1}', '{}'],
        ['{"xa":1}'],
    );
});

test('strings: lengths in code points, every escape of JSON, no lone surrogates', () => {
    judge(
        {type: 'string', minLength: 2, maxLength: 2},
        ['"ab"', '"😀a"', '"\\ud83d\\ude00a"', '"\\n\\u0041"', '"\\/\\""'],
        ['"a"', '"abc"', '"😀"', '"\\ud83d\\ude00"', '"\\ud83da"', '"\\u00"'],
    );
    judge(
        {type: 'string'},
        ['""', '"\x7f"', '"\\u0000"'],
        ['"\n"', '"\\a"', '"', '"\\udc00"', '"\\ud83d\\u0041"'],
    );
    judge(
        {type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 4},
        ['"ab"', '"abcd"'],
        ['"a"', '"abcde"', '"aB"'],
    );
    judge({type: 'string', pattern: 'é'}, ['"né"', '"n\\u00e9e"'], ['"ne"']);
    judge(
        {allOf: [{pattern: '^a'}, {pattern: 'b$'}, {minLength: 3}], type: 'string'},
        ['"a-b"', '"aab"'],
        ['"ab"', '"b-a"'],
    );
    judge({type: 'string', maxLength: 5000}, [`"${'x'.repeat(5000)}"`], [`"${'x'.repeat(5001)}"`]);
});

test('values that are listed, of every type', () => {
    judge(
        {enum: ['a', 1, null, true, {x: [1, {}], y: 'é'}, [1, 'b']]},
        ['"a"', '1', 'null', 'true', '{"x":[1,{}],"y":"é"}', '{"x":[1,{}],"y":"\\u00e9"}', '[1,"b"]'],
        ['"b"', '2', 'false', '{}', '{"x":[1]}', '[1]', '[1,"b",2]', '{"x":[1,{}],"y":"é","z":1}'],
    );
    judge({enum: ['a', 'bb', 'ccc', 5], type: 'string', maxLength: 2}, ['"a"', '"bb"'], ['"ccc"', '5']);
    judge({const: {b: 1}, properties: {a: {type: 'string'}}}, ['{"b":1}'], ['{"b":1,"a":"x"}', '{}']);
    judge({enum: ['__proto__', 'constructor']}, ['"__proto__"'], ['"x"']);
});

test('a keyword asks nothing of other types', () => {
    judge(
        {minimum: 5, maxLength: 1, maxItems: 0, required: ['a']},
        ['5', '"a"', '[]', '{"a":1}', 'null', 'true'],
        ['4', '"ab"', '[1]', '{}'],
    );
    judge({type: ['string', 'null'], maxLength: 1}, ['null', '""'], ['1', '"ab"']);
    judge({type: 'integer', nullable: true}, ['1', 'null'], ['"x"']);
});

test('lists', () => {
    judge(
        {type: 'array', items: {type: 'integer'}, minItems: 1, maxItems: 3},
        ['[1]', '[1,2,3]'],
        ['[]', '[1,2,3,4]', '["a"]', '[1,]'],
    );
    judge(
        {type: 'array', prefixItems: [{const: 1}, {const: 2}], items: {const: 3}, minItems: 1},
        ['[1]', '[1,2]', '[1,2,3,3]'],
        ['[]', '[2]', '[1,3]', '[1,2,4]'],
    );
    judge({type: 'array', items: [{const: 1}], additionalItems: false}, ['[]', '[1]'], ['[1,1]', '[2]']);
    judge({type: 'array', prefixItems: [{const: 1}, false, {const: 3}]}, ['[]', '[1]'], ['[1,2]', '[1,2,3]']);
    judge(
        {type: 'array', prefixItems: [{const: 1}], minItems: 3, maxItems: 4, items: {const: 0}},
        ['[1,0,0]', '[1,0,0,0]'],
        ['[1,0]', '[1,0,0,0,0]'],
    );
    judge({type: 'array', maxItems: 0}, ['[]'], ['[1]']);
    judge({type: 'array', items: false}, ['[]'], ['[1]']);
});

test('allOf, anyOf, oneOf and $ref', () => {
    judge(
        {
            allOf: [
                {properties: {a: {type: 'integer'}}, required: ['a']},
                {properties: {b: {type: 'null'}, a: {minimum: 3}}},
            ],
            type: 'object',
        },
        ['{"a":3,"b":null}', '{"a":3,"c":1}'],
        ['{"a":2}', '{"b":null}', '{"a":3,"b":1}'],
    );
    judge(
        {anyOf: [{type: 'string'}, {type: 'integer', minimum: 3}], maxLength: 2},
        ['"ab"', '3'],
        ['"abc"', '2', 'null'],
    );
    judge(
        {
            type: 'object',
            required: ['kind'],
            oneOf: [
                {properties: {kind: {const: 'a'}, x: {type: 'integer'}}},
                {properties: {kind: {const: 'b'}, y: {}}, required: ['y']},
            ],
        },
        ['{"kind":"a","x":1}', '{"kind":"b","y":2}'],
        ['{"kind":"a","x":"1"}', '{"kind":"b"}', '{"kind":"c"}'],
    );
    judge(
        {$ref: '#/$defs/n', maximum: 3, $defs: {n: {type: 'integer', minimum: 1}}},
        ['1', '3'],
        ['0', '4', '"x"'],
    );
    judge(
        {
            $ref: '#node',
            $defs: {
                n: {
                    $anchor: 'node',
                    type: 'object',
                    properties: {next: {$ref: '#node'}, v: {type: 'integer'}},
                    required: ['v'],
                    additionalProperties: false,
                },
            },
        },
        ['{"v":1}', '{"next":{"next":{"v":1},"v":2},"v":3}'],
        ['{"next":{},"v":1}'],
    );
    judge({items: {$ref: '#'}, type: 'array'}, ['[]', '[[],[[]]]'], ['[1]']);
    judge({$ref: '#/definitions/a~1b%25', definitions: {'a/b%': {type: 'null'}}}, ['null'], ['1']);
});

test('ways of a oneOf exclude each other by type, range, list, pattern, length or a member', () => {
    for (const [a, b] of [
        [{type: 'string'}, {type: 'number'}],
        [
            {type: 'integer', maximum: 3},
            {type: 'integer', minimum: 4},
        ],
        [{enum: ['a', 'b']}, {enum: ['c']}],
        [
            {type: 'string', pattern: '^a'},
            {type: 'string', pattern: '^b'},
        ],
        [
            {type: 'string', maxLength: 2},
            {type: 'string', minLength: 3},
        ],
        [
            {type: 'object', properties: {a: {}}, required: ['a'], additionalProperties: false},
            {type: 'object', required: ['b']},
        ],
        [
            {type: 'array', maxItems: 1},
            {type: 'array', minItems: 2},
        ],
        [
            {type: 'array', items: {type: 'null'}, minItems: 1},
            {type: 'array', items: {type: 'string'}},
        ],
        [
            {
                type: 'object',
                required: ['k'],
                properties: {k: {type: 'object', required: ['d'], properties: {d: {const: 1}}}},
            },
            {type: 'object', properties: {k: {properties: {d: {const: 2}}}}},
        ],
    ]) {
        assert.ok(toGrammar({schema: {oneOf: [a, b]}}));
    }
    refused({oneOf: [{type: 'integer'}, {type: 'number'}]}, 'oneOf', '');
    refused({items: {type: 'object', oneOf: [{required: ['a']}, {required: ['b']}]}}, 'oneOf', '/items');
    refused(
        {
            oneOf: [
                {type: 'string', pattern: 'a'},
                {type: 'string', pattern: 'b'},
            ],
        },
        'oneOf',
        '',
    );
    refused(
        {
            oneOf: [
                {type: 'array', items: {type: 'null'}},
                {type: 'array', items: {type: 'string'}},
            ],
        },
        'oneOf',
        '',
    );
});

test('what can not be held to is refused by keyword and place, where it asks anything', () => {
    for (const [keyword, value] of Object.entries({
        not: {type: 'null'},
        dependentRequired: {a: ['b']},
        dependentSchemas: {a: {minProperties: 2}},
        dependencies: {a: ['b']},
        propertyNames: {anyOf: [{pattern: '^a'}, {pattern: '^b'}]},
        minProperties: 2,
        maxProperties: 3,
        unevaluatedProperties: false,
        unevaluatedItems: false,
        contains: {},
        uniqueItems: true,
        $dynamicRef: '#a',
        $recursiveRef: '#',
        type: 'any',
        required: 'a',
        enum: 'a',
        format: 'iri',
        pattern: '(?=a)',
        multipleOf: 0.3,
        minLength: -1,
        maxItems: 1.5,
        properties: [],
        anyOf: {},
        allOf: [],
        prefixItems: {},
        $ref: 'http://example.com/x',
    }))
        refused({properties: {'a/b~': {[keyword]: value}}}, keyword, '/properties/a~1b~0');
    refused({if: {}, then: {type: 'null'}}, 'if', '');
    refused({$ref: '#/nowhere'}, '$ref', '');
    refused({properties: {a: 5}}, 'properties', '');
    const idle = {
        if: {},
        not: false,
        uniqueItems: false,
        minProperties: 0,
        unevaluatedProperties: true,
        propertyNames: {},
        then: {type: 'null'},
        'x-any': [],
        title: 't',
        faker: {},
        format: 'int32',
        default: 3,
    };
    judge({...idle, if: undefined, type: 'integer', contains: {}, maxProperties: 3}, ['1'], ['"a"']);
});

test('schemas that nothing fulfils are refused, parts that nothing fulfils are left out', () => {
    for (const schema of [
        false,
        {type: 'string', enum: [1]},
        {allOf: [{type: 'string'}, {type: 'null'}]},
        {type: 'object', properties: {a: false}, required: ['a']},
        {enum: []},
        {type: 'array', minItems: 2, maxItems: 1},
        {
            $ref: '#/$defs/n',
            $defs: {n: {type: 'object', properties: {n: {$ref: '#/$defs/n'}}, required: ['n']}},
        },
    ]) {
        assert.throws(() => toGrammar({schema}), {code: 'bad-constraint'});
    }
    judge(
        {
            type: 'object',
            properties: {a: false, b: {$ref: '#/$defs/n'}, c: {}},
            $defs: {n: {type: 'array', items: {$ref: '#/$defs/n'}, minItems: 1}},
        },
        ['{"c":1}', '{}', '{"d":1}'],
        ['{"a":1}', '{"b":[]}'],
    );
});

test('white space: none, one space after colons and commas, or free within bounds', () => {
    const schema = {
            type: 'object',
            properties: {a: {type: 'array', items: {type: 'integer'}}, b: {}},
            additionalProperties: false,
        },
        value = {a: [1, 2], b: {}};
    const compact = JSON.stringify(value),
        spaced = '{"a": [1, 2], "b": {}}',
        pretty = JSON.stringify(value, null, 4),
        odd = '{ "a"\t: [\r\n1 ,2 ] ,"b":{ } }';
    judge(schema, [compact], [spaced, pretty, odd], 'none');
    judge(schema, [spaced], [compact, pretty, odd], 'space');
    judge(
        schema,
        [compact, spaced, pretty, odd, `{"a":${' '.repeat(64)}[]}`],
        [`{"a":${' '.repeat(65)}[]}`, ` ${compact}`, `${compact}\n`],
        'free',
    );
});

test('a constraint is one of its kinds', () => {
    for (const constraint of [
        undefined,
        {},
        {schema: {}, regex: 'a'},
        {grammar: 5},
        {schema: {}, whitespace: 'much'},
        {schema: 5},
        {regex: 5},
    ]) {
        assert.throws(() => toGrammar(/** @type {any} */ (constraint)), {code: 'bad-constraint'});
    }
    assert.equal(toGrammar({grammar: 'root ::= "a"'}), 'root ::= "a"');
});

test('schemas that grow without bound end with a sentence', () => {
    const nested = (/** @type {number} */ depth, /** @type {(inner: any) => any} */ wrap) => {
        let schema = {};
        for (let i = 0; i < depth; i++) schema = wrap(schema);
        return schema;
    };
    const several = (/** @type {number} */ n, /** @type {(i: number) => any} */ each) =>
        Object.fromEntries(Array.from({length: n}, (_, i) => [`p${i}`, each(i)]));
    const hostile = [
        {properties: several(1_000_000, () => ({type: 'string'}))},
        {enum: Array.from({length: 300_000}, (_, i) => `v${i}`)},
        {enum: Array.from({length: 100_000}, (_, i) => ({i}))},
        {required: Array.from({length: 200_000}, (_, i) => `r${i}`)},
        {prefixItems: Array.from({length: 100_000}, () => true)},
        {
            allOf: Array.from({length: 30}, (_, i) => ({
                anyOf: [{properties: {[`a${i}`]: {type: 'null'}}}, {properties: {[`b${i}`]: {type: 'null'}}}],
            })),
        },
        {
            oneOf: Array.from({length: 3000}, (_, i) => ({
                type: 'object',
                properties: {k: {const: i}},
                required: ['k'],
            })),
        },
        {anyOf: Array.from({length: 5000}, (_, i) => ({type: 'string', pattern: `^${i}`}))},
        nested(100_000, (inner) => ({properties: {a: inner}})),
        nested(400, (inner) => ({allOf: [inner]})),
        nested(12, (inner) => ({allOf: [inner, inner, inner]})),
        nested(12, (inner) => ({anyOf: [inner, {type: 'object', properties: {x: inner}}]})),
        {$ref: '#'},
        {allOf: [{$ref: '#'}]},
        {anyOf: [{type: 'null'}, {$ref: '#'}]},
        {$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}, $ref: '#/$defs/a'},
        {
            $defs: several(200, (i) => ({
                allOf: [{$ref: `#/$defs/p${(i + 1) % 200}`}, {properties: {a: {}}}],
            })),
            $ref: '#/$defs/p0',
        },
        {
            $defs: several(24, (i) => ({
                type: 'array',
                items: {allOf: [{$ref: `#/$defs/p${(i + 1) % 24}`}, {$ref: `#/$defs/p${(i * 7 + 3) % 24}`}]},
            })),
            $ref: '#/$defs/p0',
        },
        {type: 'string', pattern: '^(a|b|ab)*$', maxLength: 1_000_000},
        {type: 'string', minLength: 1e300},
        {patternProperties: several(200, (i) => ({minimum: i}))},
        {
            patternProperties: Object.fromEntries(
                Array.from({length: 20}, (_, i) => [`(.${'x'.repeat(i)}a).{${i}}`, {minimum: i}]),
            ),
        },
        {type: 'integer', multipleOf: 2 ** 53 - 1},
        {type: 'array', minItems: 1e9},
        {type: 'integer', minimum: -1e308, maximum: 1e308, multipleOf: 7},
    ];
    for (const schema of hostile) {
        try {
            const grammar = toGrammar({schema});
            assert.ok(grammar.length <= 4_000_000);
        } catch (error) {
            assert.equal(error.code, 'bad-constraint', error.stack);
        }
    }
});
