// What a visitor downloads before the model: the page and one engine module, compressed as web servers do; and what makes it an app.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {ensureModules} from '../../web/node/setup.js';
import {listSite, readSite} from '../../web/node/site.js';

const MOST = {JavaScript: 72 * 1024, CSS: 4 * 1024};     // minified, not bundled
const MODULE_MOST = 300 * 1024;     // with the JavaScript that starts it

await ensureModules();
const files = listSite();
const zipped = (url) => gzipSync(readSite(url, files)).length;
const modules = [...files.keys()].filter((url) => /\/gemma.*\.wasm$/.test(url));

for (const [kind, most] of Object.entries(MOST)) {
    test(`the page's own ${kind} is at most ${most / 1024} KB`, () => {
        const own = [...files.keys()].filter((url) => url.endsWith(kind === 'CSS' ? '.css' : '.js') && !url.startsWith('wasm/'));
        const size = own.reduce((sum, url) => sum + zipped(url), 0);
        assert.ok(size <= most, `${size} bytes`);
    });
}

for (const url of modules) {
    test(`${url} is at most 300 KB, with its starter`, () => {
        const size = zipped(url) + zipped(url.replace(/-\w+\.wasm$/, '.js'));
        assert.ok(size <= MODULE_MOST, `${size} bytes`);
    });
}

test('the page can be installed: its manifest names it, opens it in a window of its own, and its icons are as large as it says', () => {
    const manifest = JSON.parse(readSite('manifest.webmanifest', files));
    assert.ok(manifest.name && manifest.short_name);
    assert.deepEqual([manifest.display, manifest.start_url, manifest.scope], ['standalone', './', './']);
    const sizes = new Set();
    for (const {src, sizes: size, type} of manifest.icons) {
        const bytes = readSite(src, files);
        if (type === 'image/svg+xml') continue;
        assert.equal(bytes.toString('latin1', 1, 4), 'PNG', src);
        assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, size, src);
        sizes.add(size);
    }
    assert.ok(sizes.has('192x192') && sizes.has('512x512'));
    assert.ok(manifest.icons.some(({purpose}) => purpose === 'maskable'));
    assert.match(readSite('', files).toString(), /<link rel="manifest" href="manifest\.webmanifest">/);
});
