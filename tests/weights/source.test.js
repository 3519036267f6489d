// Downloads that break and heal, and what is kept of them, in a real Chromium: IndexedDB exists only there.

import assert from 'node:assert/strict';
import {createCipheriv, createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import test, {after, before, beforeEach} from 'node:test';
import puppeteer from 'puppeteer-core';
import {serve} from '../../web/node/server.js';
import {listSite, readSite, TYPES} from '../../web/node/site.js';
import {ensureBrowsers} from '../setup/browsers.js';

const CHUNK = 16 * 1024 * 1024;
const GOLDEN = join(import.meta.dirname, '../golden');
const TINY_BYTES = statSync(join(GOLDEN, 'tiny-gemma3.gguf')).size;

/** Bytes without pattern, the same for the same seed. */
function noise(size, seed) {
    return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
}

const FILE = noise(3 * CHUNK + 1_234_567, 1);
const OTHER = noise(2 * CHUNK + 77, 2);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** What of a file is to come, chunk by chunk. */
const chunksOf = (bytes) => Array.from({length: Math.ceil(bytes.length / CHUNK)}, (_, i) => {
    const part = bytes.subarray(i * CHUNK, (i + 1) * CHUNK);
    return {length: part.length, buffer: part.length, sha256: sha256(part)};
});
const [FILE_CHUNKS, OTHER_CHUNKS] = [chunksOf(FILE), chunksOf(OTHER)];

/** What the server does with the next requests for the model. */
let model;
/** Indices of the pieces that were asked for. */
let asked;

/** The site's modules, an empty page, and the model at /model.gguf in whichever way `model` says. */
function answer(request, response) {
    const path = request.url.slice(1).split('?')[0];
    if (path === 'model.gguf') return sendModel(request, response);
    const files = listSite();
    if (path === 'page.js') return send(response, TYPES['.js'], readFileSync(join(import.meta.dirname, 'page.js')));
    if (files.get(path) && path) return send(response, TYPES[extname(path)], readSite(path, files));
    send(response, TYPES['.html'], '<!doctype html><script type="module" src="/page.js"></script>');
}

function send(response, type, bytes) {
    response.writeHead(200, {
        'Content-Type': type, 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
    }).end(bytes);
}

function sendModel(request, response) {
    const {bytes, etag = '"v1"', ranges = true, headers = {}, fail = () => false} = model;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range).map(Number);
    const index = from / CHUNK;
    asked.push(index);
    if (fail(index, request, response)) return undefined;
    if (!ranges) return response.writeHead(200, {'Content-Length': bytes.length, ...headers}).end(bytes);
    if (from >= bytes.length) return response.writeHead(416, {'Content-Range': `bytes */${bytes.length}`}).end();
    const part = bytes.subarray(from, to ? to + 1 : undefined);
    response.writeHead(206, {
        'Content-Length': part.length, 'Content-Range': `bytes ${from}-${from + part.length - 1}/${bytes.length}`, ETag: etag, ...headers,
    }).end(part);
}

/** Answers 500 to one piece. */
const refuse = (refused) => (index, request, response) => index === refused && response.writeHead(500).end();

/** Sends only the first `length` bytes of piece `slow`, then calls `then` with the response. */
const sendPartOf = (slow, length, then = () => {}) => (index, request, response) => {
    if (index !== slow) return false;
    const from = index * CHUNK;
    response.writeHead(206, {'Content-Length': CHUNK, 'Content-Range': `bytes ${from}-${from + CHUNK - 1}/${FILE.length}`, ETag: '"v1"'});
    response.write(FILE.subarray(from, from + length), () => then(response));
    return true;
};

let servers, origin, elsewhere, browser, profile, page, missing;

before(async () => {
    const {chromium} = await ensureBrowsers();
    if (!chromium.path) {
        missing = chromium.missing;
        return;
    }
    servers = [createServer(answer), createServer(answer)];
    [origin, elsewhere] = await Promise.all(servers.map((server) => new Promise((done) =>
        server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`)))));
    profile = mkdtempSync(join(tmpdir(), 'gemma-weights-'));
    browser = await puppeteer.launch({
        executablePath: chromium.path, userDataDir: profile,
        args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
});

after(async () => {
    await browser?.close();
    for (const server of servers ?? []) {
        server.closeAllConnections();
        server.close();
    }
    if (profile) rmSync(profile, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
});

beforeEach(async () => {
    if (missing) return;
    model = {bytes: FILE};
    asked = [];
    await page?.close();
    page = await openPage();
    await page.evaluate(() => globalThis.page.clear());
});

/** A page that can do what page.js does. */
async function openPage(url = origin) {
    const opened = await browser.newPage();
    await opened.goto(url);
    await opened.waitForFunction(() => globalThis.page?.clear);
    return opened;
}

/** Loads the model in the page; asked then holds what that took from the network. */
async function load(options, source = '/model.gguf', where = page) {
    asked = [];
    return where.evaluate((...args) => globalThis.page.load(...args), source, options);
}
const stored = (where = page) => where.evaluate(() => globalThis.page.stored());
const storedModels = () => page.evaluate(() => globalThis.page.storedModels());
const numbers = (n) => Array.from({length: n}, (_, i) => i);

function check(name, body) {
    test(name, {timeout: 60_000}, async (context) => (missing ? context.skip(missing) : body()));
}

/** The whole file came, unharmed, and the progress told of it makes sense. */
function assertWhole({error, chunks, progress, size}, wanted = FILE_CHUNKS, phase = 'download') {
    assert.equal(error, undefined, JSON.stringify(error));
    assert.deepEqual(chunks, wanted);
    assert.deepEqual(new Set(progress.map((report) => report.phase)), new Set([phase]));
    assert.equal(progress.at(-1).bytes, size);
    for (const [i, {bytes, total, rate}] of progress.entries()) {
        assert.equal(total, size);
        assert.ok(rate >= 0 && bytes <= total && bytes >= (progress[i - 1]?.bytes ?? 0), JSON.stringify(progress));
    }
}

/** The store holds the whole file: records of 16 MiB, each with its digest. */
async function assertStored(bytes = FILE, validator = '"v1"') {
    const {models, chunks, digests} = await stored();
    assert.equal(models.length, 1);
    const {savedAt, ...entry} = models[0];
    assert.ok(Math.abs(Date.now() - savedAt) < 600_000);
    assert.deepEqual(entry, {id: `${origin}/model.gguf`, name: 'model.gguf', size: bytes.length, chunkSize: CHUNK, validator});
    assert.deepEqual(chunks, chunksOf(bytes).map(({length, sha256: digest}, index) =>
        ({index, kind: 'ArrayBuffer', length, sha256: digest, digest})));
    assert.deepEqual(digests, numbers(chunks.length));
}

check('a download is kept in records of 16 MiB with their SHA-256; the second time nothing comes from the network', async () => {
    const first = await load();
    assertWhole(first);
    assert.deepEqual({name: first.name, size: first.size}, {name: 'model.gguf', size: FILE.length});
    assert.deepEqual(asked, numbers(4), 'each piece once, in order');
    await assertStored();
    assertWhole(await load(), FILE_CHUNKS, 'load');
    assert.deepEqual(asked, []);
});

check('what is stored is listed, with how much of it is here, and can be deleted', async () => {
    assert.deepEqual(await storedModels(), []);
    model.fail = refuse(2);
    await load();
    const [partly] = await storedModels();
    assert.deepEqual([partly.storedBytes, partly.size, partly.complete], [2 * CHUNK, FILE.length, false]);
    model.fail = undefined;
    await load();
    const [whole] = await storedModels();
    assert.deepEqual([whole.storedBytes, whole.complete], [FILE.length, true]);
    await page.evaluate((id) => globalThis.page.deleteStored(id), whole.id);
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
});

check('a download that failed goes on with what is missing, and says so in its progress', async () => {
    model.fail = refuse(2);
    const {error, chunks} = await load();
    assert.equal(error.code, 'network');
    assert.equal(chunks.length, 2);
    model.fail = undefined;
    const second = await load();
    assertWhole(second);
    assert.deepEqual(asked, [2, 3]);
    assert.ok(second.progress[0].bytes >= 2 * CHUNK);
    await assertStored();
});

check('a connection that breaks in the middle of a piece is taken up again by itself', async () => {
    model.fail = sendPartOf(1, 5_000_000, (response) => {
        model.fail = undefined;
        response.destroy();
    });
    const {error, chunks, progress} = await load();
    assert.equal(error, undefined, JSON.stringify(error));
    assert.deepEqual(chunks, FILE_CHUNKS);
    assert.equal(progress.at(-1).bytes, FILE.length);
    assert.equal(asked.filter((index) => index === 1).length, 2);
    await assertStored();
});

check('a tab that is closed during a download loses at most what was under way', async () => {
    model.fail = sendPartOf(2, 1000);
    const tab = await openPage();
    const loading = load({}, '/model.gguf', tab).catch(() => {});
    await page.waitForFunction(async () => (await globalThis.page.storedModels())[0]?.storedBytes === 2 * 16 * 1024 * 1024, {polling: 50});
    await tab.close();
    await loading;
    model.fail = undefined;
    assertWhole(await load());
    assert.deepEqual(asked, [2, 3]);
});

check('cancelling rejects with AbortError and keeps what arrived', async () => {
    const {error, chunks} = await load({abortAfter: 2});
    assert.equal(error.name, 'AbortError');
    assert.equal(chunks.length, 2);
    assert.ok((await stored()).chunks.length >= 1);
    assertWhole(await load());
    assert.ok(!asked.includes(0), asked.join());
    await assertStored();
});

check('cancelling acts while the server sends nothing more, and what the engine took is kept', async () => {
    model.fail = sendPartOf(1, 1000);
    const {error} = await load({abortAfter: 1, abortDelay: 50});
    assert.equal(error.name, 'AbortError');
    assert.deepEqual((await stored()).digests, [0]);
});

check('a file that changed on its server is loaded anew, and nothing of the old one is left', async () => {
    model.fail = refuse(2);
    await load();
    for (const [bytes, chunks] of [[OTHER, OTHER_CHUNKS], [FILE, FILE_CHUNKS]]) {       // shorter than what is missing, then longer
        const etag = `"${bytes.length}"`;
        model = {bytes, etag, fail: refuse(2)};
        const {error} = await load();
        assert.equal(error.code, 'network');
        model = {bytes, etag};
        assertWhole(await load(), chunks);
        await assertStored(bytes, etag);
        await page.evaluate((id) => globalThis.page.damage(id, 1, 'both lost'), '/model.gguf');
    }
});

check('a file that changes during its download is refused, and comes whole the next time', async () => {
    model.fail = (index) => {
        if (index === 2) model = {bytes: OTHER, etag: '"v2"'};
        return false;
    };
    const {error} = await load();
    assert.match(error.message, /^model\.gguf changed on its server during the download; load it again\.$/);
    assertWhole(await load(), OTHER_CHUNKS);
    await assertStored(OTHER, '"v2"');
});

check('a server without ranges is read once from the first to the last byte, again after a failure', async () => {
    model = {bytes: FILE, ranges: false, headers: {'Last-Modified': 'Tue, 24 Nov 2026 00:00:00 GMT'}};
    const {error} = await load({abortAfter: 2});
    assert.equal(error.name, 'AbortError');
    assertWhole(await load());
    assert.equal(asked.length, 1);
    await assertStored(FILE, 'Tue, 24 Nov 2026 00:00:00 GMT');
    assertWhole(await load(), FILE_CHUNKS, 'load');
    assert.equal(asked.length, 0);
});

check('another origin that hides its headers is loaded, goes on, and is kept', async () => {
    model.headers = {'Access-Control-Allow-Origin': '*'};
    model.fail = refuse(2);
    const url = `${elsewhere}/model.gguf`;
    await load({}, url);
    model.fail = undefined;
    assertWhole(await load({}, url));
    assert.deepEqual([...new Set(asked)].sort(), [0, 2, 3], '0: the question for the length, let go after the headers');
    assertWhole(await load({}, url), FILE_CHUNKS, 'load');
    assert.deepEqual(asked, []);
});

check('another origin that lets no other site read is told', async () => {
    const {error} = await load({}, `${elsewhere}/model.gguf`);
    assert.equal(error.code, 'network');
    assert.match(error.message, /cannot be reached, or it does not allow other sites to read model\.gguf\.$/);
});

check('a model whose header is refused leaves nothing stored', async () => {
    await load({take: 1});
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
    const refused = await page.evaluate(async () => {
        const {Gemma} = await import('/gemma.js');
        return Gemma.load('/model.gguf').then(() => 'loaded', ({code}) => code);
    });
    assert.equal(refused, 'bad-file');
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
});

check('a damaged record is found out, and only its chunk comes again', async () => {
    model = {bytes: OTHER};
    await load();
    for (const how of ['lost', 'both lost', 'shorter', 'flipped', 'no digest', 'not bytes']) {
        await page.evaluate((...args) => globalThis.page.damage(...args), '/model.gguf', 1, how);
        assertWhole(await load(), OTHER_CHUNKS, how === 'both lost' ? 'download' : 'load');
        assert.deepEqual(asked, [1], how);
    }
    await assertStored(OTHER);
});

check('a damaged record of a download under way comes again with the rest', async () => {
    model.fail = refuse(2);
    await load();
    model.fail = undefined;
    await page.evaluate((...args) => globalThis.page.damage(...args), '/model.gguf', 0, 'flipped');
    assertWhole(await load());
    assert.deepEqual(asked.toSorted(), [0, 2, 3]);
    await assertStored();
});

check('a damaged record whose file has changed is told in a sentence, and the next load is whole', async () => {
    await load();
    await page.evaluate((...args) => globalThis.page.damage(...args), '/model.gguf', 1, 'lost');
    model = {bytes: OTHER, etag: '"v2"'};
    const {error} = await load();
    assert.equal(error.code, 'network');
    assert.match(error.message, /^What was stored of model\.gguf is damaged and has been deleted; load it again\.$/);
    assertWhole(await load(), OTHER_CHUNKS);
    await assertStored(OTHER, '"v2"');
});

for (const [trouble, reason, begin] of [
    ['too small a quota', /too little room/, () => { navigator.storage.estimate = async () => ({quota: 40e6, usage: 1e6}); }],
    ['a store that fails', /out of order/, () => {
        IDBObjectStore.prototype.put = () => { throw new Error('out of order.'); };
    }],
    ['no IndexedDB', /no IndexedDB/, () => Object.defineProperty(globalThis, 'indexedDB', {value: undefined, configurable: true})],
    ['an IndexedDB that does not open', /private/, () => { indexedDB.open = () => { throw new DOMException('private window', 'SecurityError'); }; }],
    ['an insecure address', /secure \(https\) address/, () => Object.defineProperty(crypto, 'subtle', {value: undefined})],
]) {
    check(`with ${trouble} the model is loaded all the same, says that it is not kept, and leaves nothing behind`, async () => {
        const other = await openPage();
        await other.evaluate(begin);
        const loaded = await load({}, '/model.gguf', other);
        assertWhole(loaded);
        assert.match(loaded.progress.at(-1).notice, /^The model runs, but is not kept for the next visit: [^\n]*[^.]\.$/);
        assert.match(loaded.progress.at(-1).notice, reason);
        await other.close();
        assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
    });
}

check('a disk that fills up in the middle: the model is loaded all the same, says that it is not kept, and leaves nothing behind', async () => {
    const other = await openPage(elsewhere);        // a site that has stored nothing so far: browsers count what was deleted for a while
    await (await other.createCDPSession()).send('Storage.overrideQuotaForOrigin', {origin: elsewhere, quotaSize: 2.5 * CHUNK});
    await other.evaluate(() => { navigator.storage.estimate = async () => ({}); });
    const loaded = await load({}, '/model.gguf', other);
    assertWhole(loaded);
    assert.ok(loaded.progress.some(({bytes, notice}) => bytes >= 2 * CHUNK && !notice), 'it went well at first');
    assert.match(loaded.progress.at(-1).notice, /^The model runs, but is not kept for the next visit: the browser gives this site too little room\.$/);
    assert.deepEqual(await stored(other), {models: [], chunks: [], digests: []});
    await other.close();
});

check('two tabs that load the same model at once both get it, and it is kept once', async () => {
    const other = await openPage();
    const [one, two] = await Promise.all([load(), load({}, '/model.gguf', other)]);
    await other.close();
    assert.deepEqual([one.chunks, two.chunks], [FILE_CHUNKS, FILE_CHUNKS]);
    await assertStored();
});

check('a model that is deleted while it comes leaves no chunk that nobody can delete', async () => {
    await page.evaluate(() => {
        globalThis.page.onChunk = (n) => n === 3 && globalThis.page.deleteStored(new URL('/model.gguf', location).href);
    });
    assertWhole(await load());
    const {models, digests} = await stored();
    assert.deepEqual([models.length, digests], [1, [2, 3]]);
    await page.evaluate(() => { globalThis.page.onChunk = undefined; });
    assertWhole(await load());
    assert.deepEqual(asked, [0, 1]);
    await assertStored();
});

check('at most two chunks are under way while the engine works on one: four in all with the one that is being stored', async () => {
    const at = [];
    await page.exposeFunction('noteAsked', (n) => { at[n - 1] = asked.length; });
    await page.evaluate(() => { globalThis.page.onChunk = globalThis.noteAsked; });
    const {chunks} = await load();
    assert.deepEqual(at, [3, 4, 4, 4]);
    assert.ok(chunks.every(({buffer}) => buffer <= CHUNK));
});

check('a file of the user\'s is read in place: whole, in chunks, nothing stored', async () => {
    const {chunks, name, progress} = await page.evaluate(async () => {
        const bytes = await (await fetch('/model.gguf', {headers: {Range: 'bytes=0-20000000'}})).arrayBuffer();
        return globalThis.page.load(new File([bytes], 'mine.gguf'));
    });
    const wanted = chunksOf(FILE.subarray(0, 20_000_001));
    assert.deepEqual([name, chunks], ['mine.gguf', wanted]);
    assert.equal(progress.at(-1).bytes, 20_000_001);
    assert.deepEqual((await stored()).models, []);
});

check('on our own server the model comes from models/, runs, and is not asked for again', async () => {
    const server = await serve({port: 0, models: GOLDEN});
    try {
        const own = await browser.newPage();
        await own.goto(`${server.url}models.json`);
        const run = () => own.evaluate(async () => {
            const {Gemma} = await import('/gemma.js');
            const phases = new Set();
            const gemma = await Gemma.load('models/tiny-gemma3.gguf', {threads: 1, onProgress: ({phase}) => phases.add(phase)});
            const session = await gemma.session();
            const {tokens} = await session.prompt('The sea', {raw: true, maxTokens: 4, sampling: {temperature: 0}}).result;
            gemma.close();
            const {storedModels: list} = await import('/weights/stored.js');
            const [{name, size, complete}] = await list();
            return {tokens, phases: [...phases], name, size, complete};
        });
        const [first, second] = [await run(), await run()];
        assert.deepEqual(second, {...first, phases: ['load']});
        const {name, size, complete, phases} = first;
        assert.deepEqual({name, size, complete, phases}, {name: 'tiny-gemma3.gguf', size: TINY_BYTES, complete: true, phases: ['download']});
        await own.close();
    } finally {
        await server.close();
    }
});
