// The JSON Schema Test Suite and, where its cases are (the variable MASKBENCH names their file), MaskBench,
// judged by the slow matcher.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {toGrammar} from '../../web/constraint/constraint.js';
import {judge} from './maskbench.js';
import {Matcher} from './matcher.js';
import {judgeSuite, MISSED, table} from './suite.js';

test('each case of the JSON Schema Test Suite is judged right or its schema is refused by keyword and place',
    () => {
    const {wrong, missed, refused} = judgeSuite();
    assert.deepEqual(wrong, []);
    assert.deepEqual(
        missed.filter(
            ([file, , text]) => !MISSED.some(([name, pattern]) => file === name && pattern.test(text)),
        ),
        [],
    );
    for (const [file, description, message] of refused)
        assert.match(message, /"[$\w]+" at "#[^"]*"/, `${file} ${description}`);
});

test('README.md has the counts', () => {
    const readme = readFileSync(new URL('../../web/constraint/README.md', import.meta.url), 'utf8');
    for (const row of table(judgeSuite())) assert.ok(readme.includes(row), row);
});

/**
 * Where llama.cpp refuses what the standard allows: long integers, other types where none is given, members
 * without a name.
 */
const ALLOWED = new Map([
    ['min 0', ['100000000000000000000000000000000']],
    ['min 2', ['12345678900000000']],
    ['min+max items', ['1']],
    [
        'object properties',
        ['{ "number": 1600, "street_name": "Pennsylvania", "street_type":"Avenue", "direction":"NW"}'],
    ],
]);

test("the texts of llama.cpp's own tests pass and fail alike, but for what the standard allows", () => {
    let compiled = 0;
    for (const [name, schema, pass, fail] of JSON.parse(
        readFileSync(new URL('suite/llama.json', import.meta.url), 'utf8'),
    )) {
        if (schema.properties?.tags?.uniqueItems) {
            assert.throws(() => toGrammar({schema}), /"uniqueItems" at "#\/properties\/tags"/);
            continue;
        }
        const matcher = new Matcher(toGrammar({schema}));
        compiled++;
        for (const text of pass) assert.ok(matcher.accepts(text), `${name}: ${text}`);
        for (const text of fail)
            assert.equal(matcher.accepts(text), (ALLOWED.get(name) ?? []).includes(text), `${name}: ${text}`);
    }
    assert.equal(compiled, 32);
});

const cases = process.env.MASKBENCH;
if (cases) {
    test('no instance of MaskBench is taken wrongly, and four schemas of five compile', () => {
        const {wrong, compiled, schemas} = judge(cases);
        assert.deepEqual(wrong, []);
        assert.ok(compiled / schemas >= 0.8, `${compiled} of ${schemas}`);
    });
}
