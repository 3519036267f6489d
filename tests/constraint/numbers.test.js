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
    assert.throws(() => toGrammar({schema: {type: 'number', multipleOf: 0.3}}), /"multipleOf" at "#"/);
    assert.throws(() => toGrammar({schema: {type: 'number', multipleOf: 0}}), /"multipleOf" at "#"/);
    assert.throws(() => toGrammar({schema: {minimum: '1'}}), /"minimum" at "#"/);
});

test('no text is taken that is read as a number outside of the bounds, however long they are', () => {
    const next = random(3),
        pick = (/** @type {any[]} */ list) => list[Math.floor(next() * list.length)];
    const bounds = [0, 0.5, 0.5000000000000001, 0.30000000000000004, 10.000000000000002, 1, 0.1, 1e-7,
        0.4999999999999999, 0.9999999999999999, 2, 1.9999999999999998, 0.3, 123456789.12345679, 123456789,
        2 ** 52 + 1, 2 ** 53 + 2, 1e20, 1.2345678901234567e-20, 2.2250738585072014e-308, 1e-120,
        1.7976931348623157e308, 5e-324, 1e15 / 3, 99.99999999999999].flatMap((each) => [each, -each]);
    let taken = 0;
    for (let round = 0; round < 500; round++) {
        const [a, b] = [pick(bounds), pick(bounds)];
        const schema = {
            type: 'number',
            ...(next() < 0.7 && {[pick(['minimum', 'exclusiveMinimum'])]: Math.min(a, b)}),
            ...(next() < 0.7 && {[pick(['maximum', 'exclusiveMaximum'])]: Math.max(a, b)}),
        };
        let matcher;
        try {
            matcher = new Matcher(toGrammar({schema}));
        } catch (error) {
            assert.equal(error.code, 'bad-constraint', error.stack);
            assert.doesNotMatch(error.message, /nests/);
            continue;
        }
        for (const bound of [a, b]) {
            // the exact decimals of the bound, and what stands close to it on either side
            const plain = Math.abs(bound) < 1e21 ? bound.toFixed(60).replace(/0+$/, '') : String(bound);
            for (const end of ['', '0', '1', '5', '9', '0000000000000001', '99999999999999999999']) {
                for (const cut of [0, 1, 5, 20, 35]) {
                    const text = plain.slice(0, plain.length - cut).replace(/[.]?$/, end ? `.${end}` : '')
                        .replace(/([.].*)[.]/, '$1');
                    if (!matcher.accepts(text)) continue;
                    const value = JSON.parse(text);
                    taken++;
                    const isOutside = value < schema.minimum || value > schema.maximum
                        || value <= schema.exclusiveMinimum || value >= schema.exclusiveMaximum;
                    assert.ok(!isOutside, `${JSON.stringify(schema)} ${text}`);
                }
            }
        }
    }
    assert.ok(taken > 2000, String(taken));
});

test('bounds between which no number is written are refused as such, others are taken', () => {
    for (const schema of [
        {type: 'integer', minimum: 1e16, multipleOf: 10},
        {type: 'number', minimum: -1e95, maximum: -1e93},
        {type: 'number', minimum: 1e200, maximum: 1e300},
        {type: 'integer', maximum: -1.5e250},
        {type: 'number', exclusiveMinimum: 0, maximum: 1e-300},
    ])
        assert.throws(() => toGrammar({schema: {properties: {a: schema}}}),
            /"minimum", "maximum".*1e\+90.*8999999999999999.*"#\/properties\/a"/);
    for (const [schema, good, bad] of [
        [{minimum: 2.2250738585072014e-308}, ['0.1', '1e-80', '5'], ['0', '1e-99', '-1']],
        [{exclusiveMaximum: -1e-120}, ['-0.1', '-1e-80'], ['0', '0.1']],
        [{minimum: -1e300, maximum: 1e-300}, ['-5', '0'], ['0.1', '1e-9']],
        [{exclusiveMinimum: 0.5000000000000001, maximum: 10.000000000000002},
            ['0.5000000000000002', '10.000000000000002', '3'],
            ['0.50000000000000011102', '0.5', '10.000000000000003']],
        [{type: 'integer', minimum: -1e30, maximum: 20, multipleOf: 10}, ['-10', '20', '0'], ['30', '5']],
    ]) {
        const matcher = new Matcher(toGrammar({schema: {type: 'number', ...schema}}));
        for (const text of good) assert.ok(matcher.accepts(text), `${JSON.stringify(schema)} ${text}`);
        for (const text of bad) assert.ok(!matcher.accepts(text), `${JSON.stringify(schema)} ${text}`);
    }
});
