// readme.test.js: what README promises of itself: short, no wide lines, and every file that it names is there.

import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {test} from 'node:test';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(ROOT, 'README.md'), 'utf8'), lines = text.trimEnd().split('\n');

test('README has fewer than 160 lines, none of more than 120 columns', () => {
    assert.ok(lines.length < 160, `${lines.length} lines`);
    assert.deepEqual(lines.filter((line) => line.length > 120), []);
});

test('what README links to is there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path);
    assert.ok(links.length > 4);
    assert.deepEqual(links.filter((path) => !existsSync(join(ROOT, path))), []);
});
