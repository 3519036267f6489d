// Regular expressions -> GBNF: they match what the host's own do, as a whole and, in "pattern", in part.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';

const SOURCES = [
    'a',
    'ab|c',
    '(ab|c)+',
    '^a',
    'b$',
    '^a|b$',
    '(^a|b$)',
    'a{2}',
    'a{2,}',
    '^a{0,2}b?$',
    '[^ab]',
    '^[a-c]+$',
    '(?:a|b)*c',
    '^(a*)*$',
    '(a?){3}',
    '(?<n>a)b',
    '\\d\\w\\s',
    '^\\D+$',
    '.',
    '^.$',
    '[\\d-]',
    '[a\\-c]',
    '^[^]$',
    '^\\u0061$',
    '\\x62',
    '^\\u{1F600}$',
    '\\/',
    '\\.',
    '^(a|ab)(c|bcd)$',
    '',
    '^$',
    '^(?:)+$',
    '[\\b]',
    '^\\cA$',
    '\\$\\^',
    '^a??b+?$',
    'a^',
    '$a',
    '^(^a)+$',
    '(a$)?',
    '[]',
    '^[]?a$',
    '^\\p{Lu}\\P{L}?$',
    '^\\p{Script=Greek}+$',
    '^(?!a)',
    '^(?=a)',
    '^(?!ab$)[a-z]+',
    '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$',
    '^(?=.*b)(?!.*c)[a-d]*$',
    '^(?!)a',
    '^(?=)a?$',
    '^(?!a|b$)',
    '^(?!(?:a|b)+$)(?=..?$).+',
    '^(?=a)^a',
];
const TEXTS = [
    '',
    'a',
    'b',
    'c',
    'ab',
    'ba',
    'abc',
    'abcd',
    'aab',
    'aaa',
    'bcd',
    'a\n',
    '\n',
    '1',
    '1a ',
    'é',
    '-',
    '/',
    '.',
    '\b',
    '\x01',
    '$^',
    '😀',
    'aa',
    'bb',
    'acbcd',
    'abbcd',
    'A',
    'A1',
    'Ω',
    'Ωα',
    '\u2028',
    'xay',
    'zzb',
    'czz',
    '"',
    '\\',
    'ab"\\',
];

test("patterns match what the host's expressions match", () => {
    for (const source of SOURCES) {
        const own = new RegExp(source, 'u'),
            whole = new RegExp(`^(?:${source})$`, 'u');
        /** @type {[string, any, (text: string) => boolean, (text: string) => string][]} */
        const ways = [
            [
                'pattern',
                {schema: {type: 'string', pattern: source}},
                (text) => own.test(text),
                (text) => JSON.stringify(text),
            ],
            [
                'pattern of 1 to 2',
                {schema: {type: 'string', pattern: source, minLength: 1, maxLength: 2}},
                (text) => own.test(text) && [1, 2].includes(Array.from(text).length),
                (text) => JSON.stringify(text),
            ],
            ['regex', {regex: source}, (text) => whole.test(text), (text) => text],
            [
                'key',
                {
                    schema: {
                        type: 'object',
                        patternProperties: {[source]: {const: 1}},
                        additionalProperties: {const: 2},
                    },
                },
                (text) => own.test(text),
                (text) => `{${JSON.stringify(text)}:1}`,
            ],
            [
                'other key',
                {
                    schema: {
                        type: 'object',
                        patternProperties: {[source]: {const: 1}},
                        additionalProperties: {const: 2},
                    },
                },
                (text) => !own.test(text),
                (text) => `{${JSON.stringify(text)}:2}`,
            ],
        ];
        for (const [name, constraint, expected, write] of ways) {
            let matcher;
            try {
                matcher = new Matcher(toGrammar(constraint));
            } catch (error) {
                assert.equal(error.code, 'bad-constraint', error.stack);
                assert.ok(!TEXTS.some(expected), `${name} /${source}/ is refused: ${error.message}`);
                continue;
            }
            for (const text of TEXTS)
                assert.equal(
                    matcher.accepts(write(text)),
                    expected(text),
                    `${name} /${source}/ and ${JSON.stringify(text)}`,
                );
        }
    }
});

test('what no automaton follows and what is another dialect is refused by name', () => {
    const refused = new Map(
        Object.entries({
            'look-around "(?=': '(?=a)b',
            'look-around "(?!': 'a(?!b)',
            'look-around "(?<=': '(?<=a)b',
            'look-around "(?<!': '(?<!a)b',
            'look-around "(?=" (of one way)': '(^|a)(?=b)',
            'look-around "(?=" (in a group)': '(?:^(?=a))',
            'look-around "(?!" (later)': '^a(?!b)',
            'beside a "|"': '^(?=a)a|b',
            '"*" that repeats': '^(?=a)*b',
            'back-reference "\\1': '(a)\\1',
            'back-reference "\\k': '(?<n>a)\\k<n>',
            'boundary "\\b': '\\ba',
            'boundary "\\B': 'a\\B',
            '"(?i': '(?i)a',
            '"(?>': '(?>a)',
            '"\\A': '\\Aa',
            '"\\Z': 'a\\Z',
            POSIX: '[[:alpha:]]',
            '"+"': 'a*+',
            'not closed': '(a',
            'too many': 'a)',
            'repeats nothing': '*a',
            'out of order': '[b-a]',
            'property "Nope': '\\p{Nope}',
            'at most': 'a{1000000}',
        }),
    );
    for (const [name, source] of refused) {
        assert.throws(
            () => toGrammar({regex: source}),
            (/** @type {any} */ error) => error.code === 'bad-constraint' && error.message.includes(name.replace(/ \(.*/, '')),
            source,
        );
        assert.throws(
            () => toGrammar({schema: {properties: {'a/b': {pattern: source}}}}),
            (/** @type {any} */ error) =>
                error.code === 'bad-constraint' && error.message.includes('"pattern" at "#/properties/a~1b"'),
            source,
        );
    }
    assert.throws(() => toGrammar({regex: /a/i}), {code: 'bad-constraint'});
    assert.ok(new Matcher(toGrammar({regex: /a|b/u})).accepts('b'));
});

test('braces that are no quantifier stand for themselves, but where dialects differ', () => {
    const texts = ['', 'a', ']', '}', '{', '{}', '{a}', 'a{', 'a{}', 'a]b}', '$', '${a}', '${}', '${{a}', 'aa',
        '-', 'aa{3}', 'a{,3}'];
    const literal = [']', '}', '{', '{a}', 'a{}', 'a]b}', '^\\${[a-z]+}$', '^{', '(?:{|a)}?', '^[{}-]+$'];
    for (const source of literal) {
        const own = new RegExp(source),
            matcher = new Matcher(toGrammar({schema: {type: 'string', pattern: source}}));
        for (const text of texts)
            assert.equal(matcher.accepts(JSON.stringify(text)), own.test(text), `/${source}/ ${text}`);
    }
    const refused = ['a{,3}', 'a{2}{3}', 'a{2}{3}?', '{2}', '{,3}', '^{2}', 'a{2,3', 'a{2', 'a{ 2 }', 'a+{2}',
        '(?:{2})', '[a-\\d]', '[\\d-z]', '[\\w-.]', '[\\p{L}-z]', '[^a-\\s]'];
    for (const source of refused) {
        assert.throws(() => new RegExp(source, 'u'), SyntaxError);
        assert.throws(() => toGrammar({regex: source}), {code: 'bad-constraint'}, source);
    }
});

test('expressions that grow without bound end with a sentence', () => {
    for (const source of [
        '(a|b)*a(a|b){200}',
        '((a{100}){100}){100}',
        `${'('.repeat(1000)}a${')'.repeat(1000)}`,
        'a'.repeat(30_000),
        '(x+x+)+y'.repeat(500),
        '(.*a){50}.*',
    ]) {
        for (const schema of [
            {type: 'string', pattern: source},
            {type: 'string', pattern: source, maxLength: 1000},
            {patternProperties: {[source]: {}}, additionalProperties: false},
        ]) {
            try {
                toGrammar({schema});
            } catch (error) {
                assert.equal(error.code, 'bad-constraint', error.stack);
            }
        }
    }
});

test('choices are taken as they are, and nothing else', () => {
    const matcher = new Matcher(toGrammar({choices: ['yes', 'no', 'a"b\\[c]\n', 'é😀', '']}));
    for (const text of ['yes', 'no', 'a"b\\[c]\n', 'é😀', '']) assert.ok(matcher.accepts(text));
    for (const text of ['y', 'yesno', 'é']) assert.ok(!matcher.accepts(text));
    const many = Array.from({length: 20_000}, (_, i) => `v${i * 7919}`),
        numbers = new Matcher(toGrammar({choices: many}));
    for (const text of ['v0', many[777], many[19_999]])
        assert.ok(numbers.accepts(text) && !numbers.accepts(`${text}x`));
    assert.ok(new Matcher(toGrammar({choices: ['x'.repeat(100_000), 'y']})).accepts('y'));
    for (const choices of [[], [1], 'yes', many.map((text) => text.padEnd(50))])
        assert.throws(() => toGrammar({choices: /** @type {any} */ (choices)}), {code: 'bad-constraint'});
});
