// The JSON Schema Test Suite and, where its cases are (the variable MASKBENCH names their file), MaskBench, judged by the slow matcher.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {judge} from './maskbench.js';
import {judgeSuite, MISSED, table} from './suite.js';

test('each case of the JSON Schema Test Suite is judged right or its schema is refused by keyword and place', () => {
    const {wrong, missed, refused} = judgeSuite();
    assert.deepEqual(wrong, []);
    assert.deepEqual(missed.filter(([file, , text]) => !MISSED.some(([name, pattern]) => file === name && pattern.test(text))), []);
    for (const [file, description, message] of refused) assert.match(message, /"[$\w]+" at "#[^"]*"/, `${file} ${description}`);
});

test('README.md has the counts', () => {
    const readme = readFileSync(new URL('../../web/constraint/README.md', import.meta.url), 'utf8');
    for (const row of table(judgeSuite())) assert.ok(readme.includes(row), row);
});

const cases = process.env.MASKBENCH;
test('no instance of MaskBench is taken wrongly, and four schemas of five compile', {skip: !cases && 'MASKBENCH names no file'}, () => {
    const {wrong, compiled, schemas} = judge(cases ?? '');
    assert.deepEqual(wrong, []);
    assert.ok(compiled / schemas >= 0.8, `${compiled} of ${schemas}`);
});
