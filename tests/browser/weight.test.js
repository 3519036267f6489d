// What a visitor downloads before the model: the page and one engine module, as they are built, compressed as
// web servers do; and what makes it an app.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, posix} from 'node:path';
import {after, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {buildSite} from '../../web/node/build.js';
import {ensureModules} from '../../web/node/setup.js';
import {listSite} from '../../web/node/site.js';

/**
 * What a visit fetches before a model is loaded: the page, the library, its workers, and what tabs share
 * an engine by.
 */
const FIRST_MOST = 95 * 1024;
/** What is fetched only when an answer is constrained. */
const CONSTRAINT_MOST = 23 * 1024;
/** What the first answer of a chat is drawn by. */
const MARKDOWN_MOST = 22 * 1024;
const MODULE_MOST = 190 * 1024, STARTER_MOST = 10 * 1024;

await ensureModules();
const folder = mkdtempSync(join(tmpdir(), 'gemma-weight-'));
after(() => rmSync(folder, {recursive: true}));
const files = await buildSite(folder, listSite());
const zipped = (url) => gzipSync(files.get(url)).length;
const modules = [...files.keys()].filter((url) => /\/gemma.*\.wasm$/.test(url));
assert.equal(modules.length, 6);

/** Scripts and what they import at once. @param {string[]} urls */
function withImports(urls) {
    const found = new Set(urls);
    for (const url of found) {
        for (const [, name] of files.get(url).toString().matchAll(/(?:from|import)"(\.\.?\/[^"]+\.js)"/g))
            found.add(posix.join(posix.dirname(url), name));
    }
    return found;
}

const scripts = [...files.keys()].filter((url) => url.endsWith('.js') && !url.includes('/wasm-')),
    isRoom = (url) => /^lib\/(constraint|tools|tool_answer)-/.test(url);
const first = withImports(scripts.filter((url) =>
    /^(app\/(app|start)-|lib\/(gemma\.|worker|reader|thread|member-)|sw\.js)/.test(url)));
const room = new Set([...withImports(scripts.filter(isRoom))].filter((url) => !first.has(url)));
const sizeOf = (urls) => [...urls].reduce((sum, url) => sum + zipped(url), 0);

test(`what constrains answers is at most ${CONSTRAINT_MOST / 1024} KB, and fetched only then`, () => {
    assert.ok(room.size > 1);
    assert.ok(sizeOf(room) <= CONSTRAINT_MOST, `${sizeOf(room)} bytes`);
});

test(`the page's JavaScript and CSS are at most ${FIRST_MOST / 1024} KB before the model, with the library`,
    () => {
    const styles = [...files.keys()].filter((url) => url.endsWith('.css'));
    assert.ok(styles.length > 0 && first.size > 5);
    const size = sizeOf(first) + sizeOf(styles);
    assert.ok(size <= FIRST_MOST, `${size} bytes`);
});

test(`what draws answers is at most ${MARKDOWN_MOST / 1024} KB, and fetched only then`, () => {
    const parts = [...withImports(scripts.filter((url) => /^app\/markdown-/.test(url)))].filter((url) =>
        !first.has(url));
    assert.ok(parts.length > 0);
    assert.ok(sizeOf(parts) <= MARKDOWN_MOST, `${sizeOf(parts)} bytes`);
});

for (const url of modules) {
    test(
        `${url.split('/').at(-1)} is at most ${MODULE_MOST / 1024} KB, and its starter ${STARTER_MOST / 1024} KB`,
        () => {
        const [size, starter] = [zipped(url), zipped(url.replace(/-\w+\.wasm$/, '.js'))];
        assert.ok(size <= MODULE_MOST && starter <= STARTER_MOST, `${size} and ${starter} bytes`);
    });
}

test('the page can be installed: the manifest has a name, a separate window and icons as large as declared', () => {
    const manifest = JSON.parse(files.get('manifest.webmanifest').toString());
    assert.ok(manifest.name && manifest.short_name);
    assert.deepEqual([manifest.display, manifest.start_url, manifest.scope], ['standalone', './', './']);
    const sizes = new Set();
    for (const {src, sizes: size, type} of manifest.icons) {
        const bytes = files.get(src);
        if (type === 'image/svg+xml') continue;
        assert.equal(bytes.toString('latin1', 1, 4), 'PNG', src);
        assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, size, src);
        sizes.add(size);
    }
    assert.ok(sizes.has('192x192') && sizes.has('512x512'));
    assert.ok(manifest.icons.some(({purpose}) => purpose === 'maskable'));
    assert.match(files.get('index.html').toString(), /<link rel="manifest" href="manifest\.webmanifest">/);
});
