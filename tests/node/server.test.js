// The local server: its headers, ranges and caching, what it gives out and what it doesn't, and
// its sentences.

import assert from 'node:assert/strict';
import {copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync} from 'node:fs';
import {createServer, request} from 'node:http';
import {connect} from 'node:net';
import {hostname, tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before} from 'node:test';
import {SetupError} from '../../web/node/run.js';
import {serve} from '../../web/node/server.js';
import {listSite, policyOf, readSite} from '../../web/node/site.js';

const pagePolicy = policyOf(readSite('', listSite()).toString());

const BYTES = Buffer.from(Array.from({length: 1000}, (_, i) => i % 256));

let work, models, server;
before(async () => {
    work = mkdtempSync(join(tmpdir(), 'gemma-server-'));
    models = join(work, 'models');
    mkdirSync(join(models, 'folder.gguf'), {recursive: true});
    writeFileSync(join(models, 'a.gguf'), BYTES);
    writeFileSync(join(models, 'with space é.gguf'), 'x');
    writeFileSync(join(models, 'empty.gguf'), '');
    writeFileSync(join(models, 'secret.txt'), 'secret');
    writeFileSync(join(work, 'outside.gguf'), 'secret');
    symlinkSync(join(work, 'outside.gguf'), join(models, 'linked.gguf'));
    symlinkSync(join(work, 'nowhere'), join(models, 'broken.gguf'));
    server = await serve({port: 0, models});
});
after(async () => {
    await server.close();
    rmSync(work, {recursive: true});
});

const get = (path, headers = {}, method = 'GET') => fetch(new URL(path, server.url), {headers, method});

/** The status line and body of a request whose path no client would clean. */
function getRaw(path) {
    return new Promise((done, fail) => {
        let text = '';
        connect(server.port, '127.0.0.1').on('error', fail).setEncoding('utf8')
            .on('data', (part) => { text += part; }).on('end',
                () => done({status: Number(text.split(' ')[1]), text}))
            .end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
}

test('every answer isolates the page, forbids what it does not need, and is asked for anew', async () => {
    for (const [path, status] of [['/', 200], ['/gemma.js', 200], ['/wasm/gemma-simd128.wasm', 200],
        ['/models/a.gguf', 200], ['/none', 404]]) {
        const {headers, status: got} = await get(path);
        assert.equal(got, status, path);
        assert.equal(headers.get('Cross-Origin-Opener-Policy'), 'same-origin');
        assert.equal(headers.get('Cross-Origin-Embedder-Policy'), 'require-corp');
        assert.equal(headers.get('Cross-Origin-Resource-Policy'), 'same-origin');
        assert.equal(headers.get('X-Content-Type-Options'), 'nosniff');
        assert.equal(headers.get('Referrer-Policy'), 'no-referrer');
        assert.equal(headers.get('Cache-Control'), 'no-cache');
        const policy = headers.get('Content-Security-Policy');
        assert.equal(policy, `${pagePolicy}; frame-ancestors 'self'`);
        assert.match(policy, /default-src 'self';.*script-src 'self' 'wasm-unsafe-eval';.*object-src 'none'; base-uri 'none'; form-action 'none'/);
        assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|data:|\*(?! |;)/);
    }
});

test('files have their types', async () => {
    for (const [path, type] of [
        ['/', /^text\/html; charset=utf-8$/], ['/index.html', /^text\/html/],
        ['/gemma.js', /^text\/javascript/], ['/app/styles.css', /^text\/css/],
        ['/models.json', /^application\/json/], ['/manifest.webmanifest', /^application\/manifest\+json/],
        ['/wasm/gemma-simd128.wasm', /^application\/wasm$/],
        ['/models/a.gguf', /^application\/octet-stream$/],
    ]) assert.match((await get(path)).headers.get('Content-Type'), type, path);
});

test('every file of the site is served', async () => {
    for (const url of listSite().keys()) assert.equal((await get(`/${url}`)).status, 200, url);
});

test('an unchanged file is answered by 304, a changed one is not', async () => {
    for (const path of ['/gemma.js', '/sw.js', '/models/a.gguf']) {
        const etag = (await get(path)).headers.get('ETag');
        assert.match(etag, /^"[^"]+"$/);
        for (const asked of [etag, `"x", W/${etag}`, '*']) {
            const response = await get(path, {'If-None-Match': asked});
            assert.equal(response.status, 304);
            assert.equal(await response.text(), '');
        }
        assert.equal((await get(path, {'If-None-Match': '"x"'})).status, 200);
    }
    const etag = (await get('/models/a.gguf')).headers.get('ETag');
    utimesSync(join(models, 'a.gguf'), 1, 1);
    assert.notEqual((await get('/models/a.gguf')).headers.get('ETag'), etag);
});

test('HEAD has the headers of GET and no body; other methods are refused', async () => {
    for (const path of ['/gemma.js', '/models/a.gguf', '/none']) {
        const [head, whole] = [await get(path, {}, 'HEAD'), await get(path)];
        assert.equal(head.status, whole.status);
        assert.equal(await head.text(), '');
        for (const name of ['Content-Length', 'Content-Type', 'ETag'])
            assert.equal(head.headers.get(name), whole.headers.get(name), `${path} ${name}`);
    }
    const ranged = await get('/models/a.gguf', {Range: 'bytes=0-9'}, 'HEAD');
    assert.deepEqual([ranged.status, ranged.headers.get('Content-Length')], [200, '1000'],
        'ranges are for GET');
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const response = await get('/', {}, method);
        assert.deepEqual([response.status, response.headers.get('Allow')], [405, 'GET, HEAD']);
    }
});

test('ranges: single, open-ended, suffix, beyond the end', async () => {
    for (const [range, from, to] of [
        ['bytes=0-0', 0, 0], ['bytes=10-19', 10, 19], ['bytes=990-', 990, 999], ['bytes=-10', 990, 999],
        ['bytes=-5000', 0, 999],
        ['bytes=990-5000', 990, 999], ['bytes=0-', 0, 999],
    ]) {
        const response = await get('/models/a.gguf', {Range: range});
        assert.equal(response.status, 206, range);
        assert.equal(response.headers.get('Content-Range'), `bytes ${from}-${to}/1000`);
        assert.equal(response.headers.get('Content-Length'), String(to - from + 1));
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), BYTES.subarray(from, to + 1));
    }
});

test('ranges that can\'t be had are told with the size; those that make no sense get the whole file',
    async () => {
    for (const range of ['bytes=1000-', 'bytes=1000-2000', 'bytes=-0', 'bytes=99999999999999999999-']) {
        const response = await get('/models/a.gguf', {Range: range});
        assert.deepEqual([response.status, response.headers.get('Content-Range')],
            [416, 'bytes */1000'], range);
    }
    for (const range of ['bytes=5-2', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'bytes=0-1,5-6', 'x']) {
        const response = await get('/models/a.gguf', {Range: range});
        assert.equal(response.status, 200, range);
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), BYTES);
    }
    assert.equal((await get('/models/empty.gguf', {Range: 'bytes=0-9'})).status, 416);
    assert.equal((await get('/models/empty.gguf')).headers.get('Content-Length'), '0');
});

test('If-Range: a range of the same file, the whole of another', async () => {
    const etag = (await get('/models/a.gguf')).headers.get('ETag');
    assert.equal((await get('/models/a.gguf', {Range: 'bytes=0-9', 'If-Range': etag})).status, 206);
    assert.equal((await get('/models/a.gguf', {Range: 'bytes=0-9', 'If-Range': '"other"'})).status, 200);
});

test('models are those of the folder, by name; a mistyped one is told', async () => {
    for (const [path, status] of [
        ['/models/a.gguf', 200], ['/models/with%20space%20%C3%A9.gguf', 200], ['/models/linked.gguf', 200],
        ['/models/a.gguf?version=1', 200],
        ['/models/x.gguf', 404], ['/models/', 404], ['/models', 404], ['/models/secret.txt', 404],
        ['/models/folder.gguf', 404],
        ['/models/broken.gguf', 404], ['/models/A.GGUF', 404], ['/models/models/a.gguf', 404],
    ]) {
        const response = await get(path);
        assert.equal(response.status, status, path);
        if (status === 404) assert.match(await response.text(),
            /^There is (no model|nothing) at \/[^\n]+\.\n$/);
    }
});

test('no path leads out of the site', async () => {
    for (const path of [
        '/../package.json', '/..%2fpackage.json', '/%2e%2e/package.json', '/%2e%2e%2fpackage.json',
        '/app/..%2f..%2fpackage.json', '/..\\package.json',
        '/app/..%5c..%5cpackage.json', '//etc/passwd', '/%2fetc%2fpasswd', '/etc/passwd',
        'file:///etc/passwd', '/package.json', '/web/gemma.js',
        '/models/../secret.txt', '/models/..%2foutside.gguf', '/models/%2e%2e%2foutside.gguf',
        '/models/..%5coutside.gguf',
        `/models/${encodeURIComponent(join(work, 'outside.gguf'))}`, '/models/a.gguf%00', '/__proto__',
        '/constructor', '/node/server.js', '/app/../node/cli.js',
    ]) {
        const {status, text} = await getRaw(path);
        assert.equal(status, 404, path);
        assert.doesNotMatch(text, /root:|"name": "gemma-wasm"|secret\n/, path);
    }
    for (const path of ['/%', '/%ff', '/models/%zz']) assert.equal((await getRaw(path)).status, 400, path);
});

test('the catalogue has no model that the server lacks', async () => {
    const catalogue = await (await get('/models.json')).json();
    assert.deepEqual(catalogue.models.filter(({urls: [url]}) => url.startsWith('models/')), []);
});

test('a server that is started for one model offers it first, under an address that changes with the file',
    async () => {
    const file = join(work, 'my own.gguf');
    const known = 'gemma-3-270m-q4_k_m.gguf';
    writeFileSync(file, BYTES);
    copyFileSync(file, join(models, known));
    const own = await serve({port: 0, models, model: file});
    const read = async (at) => (await (await fetch(`${at.url}models.json`)).json()).models;
    try {
        const [first, second] = await read(own);
        assert.match(first.urls[0], /^models\/my%20own\.gguf\?version=\w+-\w+$/);
        assert.deepEqual([first.name, first.size], ['my own.gguf', 1000]);
        assert.equal(second.urls[0], `models/${known}`);
        assert.deepEqual(Buffer.from(await (await fetch(own.url + first.urls[0])).arrayBuffer()), BYTES);
        utimesSync(file, 1, 1);
        assert.notEqual((await read(own))[0].urls[0], first.urls[0]);
        rmSync(file);
        assert.equal((await fetch(own.url + first.urls[0])).status, 404);
        assert.equal((await read(own))[0].urls[0], `models/${known}`);
    } finally {
        await own.close();
    }
    const again = await serve({port: 0, model: join(models, known)});
    try {
        const offered = await read(again);
        assert.deepEqual(offered.map(({urls: [url]}) => url).filter((url) => url.startsWith('models/')),
            [`models/${known}`]);
        assert.ok(offered[0].licence, 'what the catalogue knows of it is kept');
    } finally {
        await again.close();
    }
});

test('without a port that was asked for, the first free one is taken', async () => {
    const first = await serve({models}), next = await serve({models});
    assert.ok(first.port >= 8000 && next.port > first.port && next.port < 8020, `${first.port} ${next.port}`);
    await Promise.all([first.close(), next.close()]);
});

test('a taken port is an error, also when only one of localhost\'s two addresses is taken', async () => {
    const isTold = (port) => (error) => error instanceof SetupError && error.message.includes(String(port));
    await assert.rejects(serve({port: server.port, models}), isTold(server.port));
    const other = createServer();
    const hasIPv6 = await new Promise((done) => other.once('error', () => done(false)).listen(0, '::1',
        () => done(true)));
    if (!hasIPv6) return;
    const taken = other.address().port;
    await assert.rejects(serve({port: taken}), isTold(taken));
    other.close();
});

test('a port that can\'t be had is told in a sentence', async () => {
    await assert.rejects(serve({port: 0, host: '203.0.113.1'}), (error) => error instanceof SetupError
        && /cannot listen on 203\.0\.113\.1/.test(error.message));
});

/** The status for a request with that Host. */
const statusFor = (port, host) => new Promise((done, fail) => {
    request({port, host: '127.0.0.1', path: '/', setHost: false, headers: host === undefined ? {}
        : {Host: host}}, (response) => {
        response.resume();
        done(response.statusCode);
    }).on('error', fail).end();
});

test('only requests by the server\'s own name are answered, against DNS rebinding', async () => {
    for (const host of ['localhost', `localhost:${server.port}`, '127.0.0.1:80', '[::1]', 'LOCALHOST.'])
        assert.equal(await statusFor(server.port, host), 200, host);
    for (const host of ['evil.example', `evil.example:${server.port}`, 'localhost.evil.example',
        '127.0.0.1.evil.example', '10.0.0.1', 'x@localhost', '']) {
        assert.ok([400, 403].includes(await statusFor(server.port, host)), host);
    }
    const everywhere = await serve({port: 0, host: '0.0.0.0', allowedHosts: ['gemma', 'llm.example']});
    assert.ok(everywhere.warning);
    assert.deepEqual(await Promise.all(['gemma:8000', 'LLM.example', 'other.example'].map((host) =>
        statusFor(everywhere.port, host))), [200, 200, 403]);
    assert.deepEqual(
        await Promise.all(['10.0.0.1', hostname(), 'localhost', 'evil.example'].map(
            (host) => statusFor(everywhere.port, host))), [200, 200, 200, 403]);
    await everywhere.close();
});

test('a reader who leaves in the middle harms nobody', async () => {
    writeFileSync(join(models, 'large.gguf'), Buffer.alloc(20e6));
    const stopping = new AbortController();
    const response = await fetch(`${server.url}models/large.gguf`, {signal: stopping.signal});
    await response.body.getReader().read();
    stopping.abort();
    assert.equal((await get('/models/a.gguf')).status, 200);
});
