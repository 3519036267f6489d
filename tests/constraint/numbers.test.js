// Numbers between bounds: every text is judged as the numbers themselves are.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';

/** A repeatable random number. @param {number} seed */
const random = (seed) => () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;

test('integers between bounds and multiples', () => {
    const next = random(1),
        pick = (/** @type {any[]} */ list) => list[Math.floor(next() * list.length)];
    const values = [
        ...Array.from({length: 260}, (_, i) => i - 130),
        999,
        1000,
        1001,
        9999,
        10000,
        12345,
        -999,
        -1000,
        -12345,
        99999999,
        2 ** 40,
        -(2 ** 40),
    ];
    for (let round = 0; round < 300; round++) {
        const bound = () => pick([...values, 0.5, -0.5, 10.25]),
            [a, b] = [bound(), bound()];
        const schema = {
            type: 'integer',
            ...(next() < 0.8 && {[pick(['minimum', 'exclusiveMinimum'])]: Math.min(a, b)}),
            ...(next() < 0.8 && {[pick(['maximum', 'exclusiveMaximum'])]: Math.max(a, b)}),
            ...(next() < 0.4 && {multipleOf: pick([1, 2, 3, 7, 10, 12, 100, 101])}),
        };
        compare(schema, values.map(String), round);
    }
});

test('decimals between bounds', () => {
    const next = random(2),
        pick = (/** @type {any[]} */ list) => list[Math.floor(next() * list.length)];
    const values = [
        0, 0.1, 0.5, 0.25, 0.99, 1, 1.5, 1.05, 2, 9.99, 10, 10.01, 19.5, 20, 99.9, 100, 123.456, 1000, 1e-7,
        0.00002, 5e20, 1e21,
    ].flatMap((value) => [value, -value]);
    const texts = [
        ...values.map((value) => String(value === 0 ? 0 : value)),
        '1.0',
        '1.50',
        '20.0',
        '-1.0',
        '0.10',
        '10.000',
        '0.3000000000000',
        '100.10',
        '1e-05',
        '1e+21',
    ];
    for (let round = 0; round < 300; round++) {
        const [a, b] = [pick(values), pick(values)];
        const schema = {
            type: 'number',
            ...(next() < 0.8 && {[pick(['minimum', 'exclusiveMinimum'])]: Math.min(a, b)}),
            ...(next() < 0.8 && {[pick(['maximum', 'exclusiveMaximum'])]: Math.max(a, b)}),
        };
        compare(schema, texts, round);
    }
});

/**
 * No wrong text is taken, and no right one refused that has no exponent.
 * @param {any} schema
 * @param {string[]} texts
 * @param {number} round
 */
function compare(schema, texts, round) {
    const fits = (/** @type {number} */ value) =>
        (schema.type === 'number' || Number.isInteger(value))
        && !(
            value < schema.minimum
            || value > schema.maximum
            || value <= schema.exclusiveMinimum
            || value >= schema.exclusiveMaximum
        )
        && (!schema.multipleOf || value % schema.multipleOf === 0);
    let matcher;
    try {
        matcher = new Matcher(toGrammar({schema}));
    } catch (error) {
        assert.equal(error.code, 'bad-constraint', error.stack);
        return assert.ok(
            !texts.some((text) => fits(Number(text))),
            `${round}: ${JSON.stringify(schema)} is refused: ${error.message}`,
        );
    }
    for (const text of texts) {
        const expected = fits(Number(text)),
            is = matcher.accepts(text);
        if (is !== expected && !(expected && text.includes('e')))
            assert.fail(`${round}: ${JSON.stringify(schema)} and ${text}: expected ${expected}`);
    }
}

test('numbers that a double can not hold, and spellings', () => {
    const judge = (/** @type {any} */ schema, /** @type {string[]} */ good, /** @type {string[]} */ bad) => {
        const matcher = new Matcher(toGrammar({schema}));
        for (const text of good) assert.ok(matcher.accepts(text), `${JSON.stringify(schema)} ${text}`);
        for (const text of bad) assert.ok(!matcher.accepts(text), `${JSON.stringify(schema)} ${text}`);
    };
    judge(
        {type: 'integer', maximum: 2 ** 63, minimum: -(2 ** 63)},
        ['9223372036854775807', '-9223372036854775808'],
        ['9223372036854775808', '-9223372036854775809'],
    );
    judge(
        {type: 'number'},
        ['0', '-0.5', '1e5', '1E-300', '1.5e+21', '-12'],
        ['01', '1.', '.5', '+1', '1e', '1e999', 'NaN', `1${'0'.repeat(400)}`, '- 1'],
    );
    judge(
        {type: 'integer', exclusiveMaximum: 1e20, exclusiveMinimum: -1e20},
        ['99999999999990000000', '-9'],
        ['99999999999999999999', '-99999999999999999999'],
    );
    judge(
        {type: 'number', exclusiveMaximum: 1e20},
        ['99999999999990000000.5'],
        ['99999999999999999999', '99999999999999999999.9'],
    );
    judge(
        {type: 'number', minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE},
        ['-12345678901234567890.5', '0'],
        ['1e309'],
    );
    judge({type: 'integer', maximum: Number.MAX_VALUE}, ['12345678901234567890'], ['1.5']);
    judge({type: 'number', exclusiveMaximum: 1}, ['0.999999'], ['0.99999999999999999999', '1', '1.0']);
    judge({enum: [1e21, 1e-7, 1.5, -0]}, ['1e+21', '1e-7', '1e-07', '1.5', '0'], ['-0', '15e-1']);
    judge({type: 'number', minimum: 5, exclusiveMinimum: true}, ['5.1', '6'], ['5', '5.0', '4']);
    judge({multipleOf: 3}, ['0', '3', '-12', '"x"', 'null'], ['1', '-13', '3.0', '1.5']);
    judge({type: 'integer', multipleOf: 0.01, minimum: 3}, ['3', '44'], ['2']);
});

test('bounds that nothing or only a list fulfils', () => {
    assert.throws(() => toGrammar({schema: {type: 'integer', minimum: 1.2, maximum: 1.8}}), {
        code: 'bad-constraint',
    });
    assert.throws(() => toGrammar({schema: {type: 'number', exclusiveMinimum: 1, maximum: 1}}), {
        code: 'bad-constraint',
    });
    assert.throws(() => toGrammar({schema: {type: 'number', multipleOf: 0.1}}), /"multipleOf" at "#"/);
    assert.throws(() => toGrammar({schema: {type: 'number', multipleOf: 0}}), /"multipleOf" at "#"/);
    assert.throws(() => toGrammar({schema: {minimum: '1'}}), /"minimum" at "#"/);
});
