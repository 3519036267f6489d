// What the site consists of: complete, with relative addresses, and with a service worker that sees every change.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join, posix} from 'node:path';
import test, {after} from 'node:test';
import {fileURLToPath} from 'node:url';
import {listSite, readSite, TYPES} from '../../web/node/site.js';

const SITE = fileURLToPath(new URL('../../web/node/site.js', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'gemma-site-'));
after(() => rmSync(work, {recursive: true}));

/** Addresses that a file of the site refers to, as they are written. */
function references(url, text) {
    const patterns = {
        '.js': [/\bfrom '([^']+)'/g, /\bimport '([^']+)'/g, /\bimport\('([^']+)'\)/g, /\bnew URL\('([^']+)', import\.meta\.url\)/g, /'(\.\.?\/[^'\s]+\.js)'/g],
        '.html': [/\b(?:src|href)="([^"#]+)"/g],
        '.css': [/url\(["']?([^"')]+)["']?\)/g],
        '.webmanifest': [/"(?:src|start_url|scope|id)": "([^"]+)"/g],
    }[extname(url || 'index.html')] ?? [];
    return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, address]) => address)).filter((address) => !/^(https?|node):/.test(address));
}

test('whatever a file of the site refers to is relative and a file of the site', () => {
    const files = listSite();
    let n = 0;
    for (const [url, path] of files) {
        if (url.startsWith('wasm/')) continue;      // Emscripten's
        for (const address of references(url, readFileSync(path, 'utf8'))) {
            if (address.startsWith('../node/')) continue;       // imported under Node only
            assert.ok(!address.startsWith('/'), `${url}: ${address}`);
            const target = posix.join(posix.dirname(url || 'index.html'), address).replace(/^\.\/?$/, '');
            assert.ok(files.has(target), `${url} refers to ${address}`);
            n++;
        }
    }
    assert.ok(n > 40, `${n} references were found`);
});

test('the engine\'s modules are in the site; tests, command line and server are not', () => {
    const urls = [...listSite().keys()];
    for (const size of ['gemma', 'gemma64'])
        for (const ending of ['.js', '-simd128.wasm', '-relaxed.wasm', '-relaxed16.wasm']) assert.ok(urls.includes(`wasm/${size}${ending}`), size + ending);
    for (const url of urls) assert.doesNotMatch(url, /^node\/|test|\.md$|^app\/(index|sw|models|manifest)\./);
    for (const url of urls) assert.ok(TYPES[extname(url || 'index.html')], url);
});

/** VERSION and SHELL of the service worker as it is served for these files. */
function serviceWorker(files) {
    const [, version, shell] = /^const VERSION = '(\w+)', SHELL = (\[.*\]);$/m.exec(readSite('sw.js', files).toString());
    return {version, shell: JSON.parse(shell)};
}

test('the service worker lists every file but itself', () => {
    const {shell} = serviceWorker(listSite());
    assert.deepEqual(shell, [...listSite().keys()].filter((url) => url !== 'sw.js').map((url) => `./${url}`).sort());
    assert.ok(shell.includes('./'));
});

test('the service worker\'s version changes when a file does, comes, goes or is renamed, and else stays', () => {
    const {version} = serviceWorker(listSite());
    assert.equal(serviceWorker(listSite()).version, version);
    const changed = join(work, 'changed');
    const edits = {
        change(files) {
            writeFileSync(changed, `${readFileSync(files.get('gemma.js'), 'utf8')}\n`);
            files.set('gemma.js', changed);
        },
        come: (files) => files.set('app/new.js', files.get('gemma.js')),
        go: (files) => files.delete('gemma.js'),
        rename(files) {
            files.set('gemma2.js', files.get('gemma.js'));
            files.delete('gemma.js');
        },
        worker(files) {
            writeFileSync(changed, `${readFileSync(files.get('sw.js'), 'utf8')}\n`);
            files.set('sw.js', changed);
        },
    };
    const versions = new Set([version]);
    for (const [name, edit] of Object.entries(edits)) {
        const files = listSite();
        edit(files);
        versions.add(serviceWorker(files).version);
        assert.equal(versions.size, Object.keys(edits).indexOf(name) + 2, name);
    }
});

test('the site, copied to a folder, is whole on any static host, also below a path', async () => {
    const folder = join(work, 'deep/er');
    const {status, stderr, stdout} = spawnSync(process.execPath, [SITE, folder], {encoding: 'utf8'});
    assert.deepEqual({status, stderr, stdout}, {status: 0, stderr: '', stdout: ''});
    const copied = readdirSync(folder, {recursive: true}).map(String).filter((name) => statSync(join(folder, name)).isFile()).sort();
    assert.deepEqual(copied, [...listSite().keys()].map((url) => url || 'index.html').sort());
    // The dumbest host: files by their path, index.html for a folder.
    const server = createServer((request, response) => {
        const path = join(work, decodeURIComponent(new URL(request.url, 'http://x').pathname));
        const file = path.endsWith('/') ? join(path, 'index.html') : path;
        if (!existsSync(file)) return response.writeHead(404).end();
        response.end(readFileSync(file));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    try {
        const base = `http://127.0.0.1:${server.address().port}/deep/er/`;
        const worker = await (await fetch(`${base}sw.js`)).text();
        const shell = JSON.parse(/SHELL = (\[.*\]);$/m.exec(worker)[1]);
        for (const path of shell) assert.equal((await fetch(new URL(path, base))).status, 200, path);
    } finally {
        server.closeAllConnections();
        server.close();
    }
});

test('copying the site to nowhere is told', () => {
    for (const args of [[], ['a', 'b']]) {
        const {status, stderr} = spawnSync(process.execPath, [SITE, ...args], {encoding: 'utf8', cwd: work});
        assert.deepEqual([status, stderr], [2, 'Say where to copy the site to: node web/node/site.js FOLDER\n']);
    }
});

test('every script is served minified, and imports nothing that its source does not', () => {
    const files = listSite(), place = join(work, 'served.mjs');
    let before = 0, after = 0;
    for (const [url, path] of files) {
        if (!url.endsWith('.js') || url.startsWith('wasm/')) continue;
        const source = readFileSync(path, 'utf8'), served = readSite(url, files).toString();
        before += source.length;
        after += served.length;
        const imports = (text) => new Set([...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"`](\.[^'"`$]+)['"`]/g)].map(([, address]) => address));
        const imported = imports(source);
        for (const address of imports(served)) assert.ok(imported.has(address), `${url} imports ${address}`);
        writeFileSync(place, served);
        assert.equal(spawnSync(process.execPath, ['--check', place], {encoding: 'utf8'}).stderr, '', url);
    }
    assert.ok(after < before / 2, `${after} of ${before} characters`);
});
