// readme.test.js: what README promises of itself: short, no wide lines, and every file that it names
// is there.

import assert from 'node:assert/strict';
import {existsSync, readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {test} from 'node:test';
import {CODES} from '../../web/base/constants.js';

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

/** What the library itself mends: nobody sees it. */
const HIDDEN = new Set(['no-threads']);

test("web/README.md has each code of errors, as the library's own comment has, and no other", () => {
    const web = join(ROOT, 'web'), guide = readFileSync(join(web, 'README.md'), 'utf8');
    const listed = [...guide.matchAll(/^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, code]) => code)
        .filter((code) => !code.startsWith('gemma')).sort();
    const thrown = new Set(CODES.filter((code) => code !== 'ok'));
    for (const name of readdirSync(web, {recursive: true}).map(String)) {
        // the app's own codes are not the library's
        if (!name.endsWith('.js') || /^(node|wasm|app)\b/.test(name)) continue;
        for (const [, code] of readFileSync(join(web, name), 'utf8').matchAll(/new GemmaError\('([^']+)'/g))
            if (!HIDDEN.has(code)) thrown.add(code);
    }
    assert.ok(thrown.size > 12);
    const comment = readFileSync(join(web, 'base/error.js'), 'utf8').split('*/')[0];
    assert.deepEqual(listed.filter((code) => !thrown.has(code)), []);
    assert.deepEqual([...thrown].filter((code) => !listed.includes(code)), []);
    assert.deepEqual([...thrown].filter((code) => !comment.includes(`'${code}'`)), []);
});

test('what web/README.md links to is there', () => {
    const links = [...readFileSync(join(ROOT, 'web/README.md'), 'utf8')
        .matchAll(/\]\((?!https?:)([^)#]+)\)|`(examples\/[^`]+)`/g)].map(([, path, other]) => path ?? other);
    assert.ok(links.length > 4);
    assert.deepEqual(links.filter((path) => !existsSync(join(ROOT, 'web', path))), []);
});
