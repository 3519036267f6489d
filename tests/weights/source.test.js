// Downloads that break and heal, and what is kept of them, in a real Chromium: IndexedDB exists only there.

import assert from 'node:assert/strict';
import {readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {serve} from '../../web/node/server.js';
import {
    BROWSER, CHUNK, FILE, FILE_CHUNKS, LARGE_CHUNK, LARGE_FILE, OTHER, OTHER_CHUNKS, check, chunksOf, damage, lab,
    listed, load, manifestOf, numbers, openPage, refuse, sendPartOf, sha256, stored,
} from './lab.js';
import {patient} from '../setup/patience.js';

/** The same size, another file: most of its bytes are others. @param {Buffer} bytes */
function changed(bytes) {
    const copy = Buffer.from(bytes);
    for (let at = 1000; at < copy.length; at += 1) copy[at] ^= 0x55;
    return copy;
}

/** Calls a function of web/weights/stored.js in the page. */
const call = (name, ...args) => lab.page.evaluate((name, args) => globalThis.page[name](...args)
    .then((value) => ({value}),
    ({name, code}) => ({error: {name, code}})), name, args);

const GOLDEN = join(import.meta.dirname, '../golden');
const TINY_BYTES = statSync(join(GOLDEN, 'tiny-gemma3.gguf')).size;

/** The whole file came, unharmed, and the progress told of it makes sense. */
function assertWhole({error, chunks, progress, size}, wanted = FILE_CHUNKS, phase = 'download') {
    assert.equal(error, undefined, JSON.stringify(error));
    assert.deepEqual(chunks, wanted);
    assert.deepEqual(new Set(progress.map((report) => report.phase)), new Set([phase]));
    assert.equal(progress.at(-1).bytes, size);
    for (const [i, {bytes, total, rate}] of progress.entries()) {
        assert.equal(total, size);
        assert.ok(rate >= 0 && bytes <= total && bytes >= (progress[i - 1]?.bytes ?? 0),
            JSON.stringify(progress));
    }
}

/** The store holds the whole file: a record for each chunk, each with its digest. */
async function assertStored(bytes = FILE, validator = '"v1"') {
    const {models, chunks, digests} = await stored();
    assert.equal(models.length, 1);
    const {savedAt, lastUsed, ...entry} = models[0];
    for (const date of [savedAt, lastUsed]) assert.ok(Math.abs(Date.now() - date) < 600_000);
    assert.deepEqual(entry, {
        id: `${lab.origin}/model.gguf`, name: 'model.gguf', size: bytes.length, chunkSize: lab.chunk, validator,
        complete: true, damaged: [], sha256: '',
    });
    assert.deepEqual(chunks, chunksOf(bytes).map(({length, sha256: digest}, index) =>
        ({index, kind: 'Blob', length, sha256: digest, digest})));
    assert.deepEqual(digests, numbers(chunks.length));
}

check('a download is kept in chunks of 16 MiB with SHA-256; the next load needs no network', async () => {
    lab.model = {bytes: LARGE_FILE};
    const first = await load(), chunks = chunksOf(LARGE_FILE, 16 << 20);
    assertWhole(first, chunks);
    assert.deepEqual({name: first.name, size: first.size}, {name: 'model.gguf', size: LARGE_FILE.length});
    assert.deepEqual(lab.asked, numbers(4), 'each piece once, in order');
    await assertStored(LARGE_FILE);
    assertWhole(await load(), chunks, 'load');
    assert.deepEqual(lab.asked, []);
}, {chunk: LARGE_CHUNK});

check('a piece that is being read is not forgotten when the browser collects garbage', async () => {
    lab.model = {bytes: LARGE_FILE};
    await load();
    const found = await lab.page.evaluate(async (id) => {
        const {verifyStored} = await import('/weights/stored.js');
        // Chromium's; without it, this is an ordinary check
        const timer = setInterval(() => globalThis.gc?.(), 1);
        try {
            return await Promise.race([
                verifyStored(id), new Promise((late) => setTimeout(late, 30_000, 'it never ends')),
            ]);
        } finally {
            clearInterval(timer);
        }
    }, `${lab.origin}/model.gguf`);
    assert.deepEqual(found, {chunks: 4, missing: [], damaged: []});
}, {chunk: LARGE_CHUNK});

check('what is stored is listed, with how much of it is here, and can be deleted', async () => {
    assert.deepEqual(await listed(), []);
    lab.model.fail = refuse(3);
    await load();
    const [partly] = await listed();
    assert.deepEqual([partly.storedBytes, partly.size, partly.complete, partly.state],
        [3 * CHUNK, FILE.length, false, 'partial']);
    lab.model.fail = undefined;
    await load();
    const [whole] = await listed();
    assert.deepEqual([whole.storedBytes, whole.complete, whole.state], [FILE.length, true, 'complete']);
    assert.ok(whole.lastUsed >= partly.lastUsed);
    await lab.page.evaluate((id) => globalThis.page.deleteStored(id), whole.id);
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
});

check('a download that failed goes on with what is missing, and says so in its progress', async () => {
    lab.model.fail = refuse(1);
    const {error, chunks} = await load();
    assert.equal(error.code, 'network');
    assert.equal(chunks.length, 1);
    lab.model.fail = undefined;
    const missing = 4 - (await stored()).digests.length;
    const second = await load();
    assertWhole(second);
    assert.equal(lab.asked.length, missing, 'pieces after the one that failed may have come');
    assert.equal(lab.asked[0], 1);
    assert.ok(second.progress[0].bytes >= CHUNK);
    await assertStored();
});

check('a connection that breaks in the middle of a piece is taken up again by itself, there', async () => {
    // More than browsers take before anybody reads it: what was not read is lost when the connection breaks.
    lab.model = {bytes: LARGE_FILE};
    lab.model.fail = sendPartOf(1, 5_000_000, (response) => {
        lab.model.fail = undefined;
        response.destroy();
    });
    const {error, chunks, progress} = await load();
    assert.equal(error, undefined, JSON.stringify(error));
    assert.deepEqual(chunks, chunksOf(LARGE_FILE));
    assert.equal(progress.at(-1).bytes, LARGE_FILE.length);
    const [first, ...rest] = lab.asked.filter((index) => Math.floor(index) === 1);
    assert.equal(first, 1);
    // A request that brings nothing may be made again; none begins before what has come.
    assert.ok(rest[0] > 1 && rest[0] <= 1 + 5_000_000 / LARGE_CHUNK, lab.asked.join());
    assert.deepEqual(rest, rest.toSorted((a, b) => a - b));
    await assertStored(LARGE_FILE);
}, {chunk: LARGE_CHUNK});

check('a tab that is closed during a download loses at most what was under way', async () => {
    lab.model.fail = sendPartOf(3, 1000);
    const tab = await openPage();
    const loading = load({}, '/model.gguf', tab).catch(() => {});
    await lab.page.waitForFunction(
        async (bytes) => (await globalThis.page.storedModels())[0]?.storedBytes === bytes,
        {polling: 50}, 3 * CHUNK);
    await tab.close();
    await loading;
    lab.model.fail = undefined;
    assertWhole(await load());
    assert.deepEqual(lab.asked, [3]);
});

check('cancelling rejects with AbortError and keeps what arrived', async () => {
    lab.model.fail = sendPartOf(3, 1000);
    const {error, chunks} = await load({abortAfter: 2});
    assert.equal(error.name, 'AbortError');
    assert.equal(chunks.length, 2);
    lab.model.fail = undefined;
    assertWhole(await load());
    assert.ok(!lab.asked.includes(0) && !lab.asked.includes(1), lab.asked.join());
    await assertStored();
});

check('cancelling acts while the server sends nothing more, and what the engine took is kept', async () => {
    lab.model.fail = sendPartOf(1, 1000);
    const {error} = await load({abortAfter: 1, abortDelay: 50});
    assert.equal(error.name, 'AbortError');
    const {digests} = await stored();
    assert.ok(digests.includes(0) && !digests.includes(1), digests.join());
});

check('a file that changed on its server is loaded anew, and nothing of the old one is left', async () => {
    lab.model.fail = refuse(2);
    await load();
    // shorter than what is missing, then longer
    for (const [bytes, chunks] of [[OTHER, OTHER_CHUNKS], [FILE, FILE_CHUNKS]]) {
        const etag = `"${bytes.length}"`;
        lab.model = {bytes, etag, fail: refuse(2)};
        const {error} = await load();
        assert.equal(error.code, 'network');
        lab.model = {bytes, etag};
        assertWhole(await load(), chunks);
        await assertStored(bytes, etag);
        await damage(0, 'both lost');
        await call('deleteStored', `${lab.origin}/model.gguf`);
        lab.model.fail = refuse(2);
        await load();
    }
});

check('a file whose ETag always changes is one file by its date or a digest; else it comes anew', async () => {
    const date = 'Mon, 01 Jan 2024 00:00:00 GMT', digest = sha256(FILE),
        flipped = Buffer.from(FILE).fill(1, CHUNK + 5, CHUNK + 6);
    for (const [headers, options, kept, bytes = FILE] of [
        [{'Last-Modified': date}, {}, true], [{}, {sha256: digest}, true], [{}, {}, false],
        [{}, {}, false, flipped],
    ]) {
        lab.model = {bytes: FILE, etag: '"a"', headers, fail: refuse(3)};
        assert.equal((await load(options)).error.code, 'network');
        const missing = 4 - (await stored()).digests.length;
        lab.model = {bytes, etag: 'W/"b"', headers};
        assertWhole(await load(options), chunksOf(bytes));
        assert.equal(new Set(lab.asked.map(Math.floor)).size, kept ? missing : 4, JSON.stringify(options));
        await lab.page.evaluate((id) => globalThis.page.deleteStored(id), `${lab.origin}/model.gguf`);
    }
});

check('a file that changes during its download is refused, and comes whole the next time', async () => {
    lab.model.fail = (index) => {
        if (index === 2) lab.model = {bytes: OTHER, etag: '"v2"'};
        return false;
    };
    const {error} = await load();
    assert.match(error.message, /^model\.gguf changed on its server during the download; load it again\.$/);
    assertWhole(await load(), OTHER_CHUNKS);
    await assertStored(OTHER, '"v2"');
});

check('a server without ranges is read once from the first to the last byte, again after a failure',
    async () => {
    const headers = {'Last-Modified': 'Tue, 24 Nov 2026 00:00:00 GMT'};
    lab.model = {bytes: FILE, ranges: false, etag: null, headers};
    lab.model.fail = (index, request, response) => {
        response.writeHead(200, {'Content-Length': FILE.length, ...headers}).write(FILE.subarray(0, 2.5 * CHUNK));
        return true;
    };
    const {error} = await load({abortAfter: 2});
    assert.equal(error.name, 'AbortError');
    lab.model.fail = undefined;
    assertWhole(await load());
    assert.equal(lab.asked.length, 1);
    await assertStored(FILE, 'Tue, 24 Nov 2026 00:00:00 GMT');
    assertWhole(await load(), FILE_CHUNKS, 'load');
    assert.equal(lab.asked.length, 0);
});

check('another origin that hides its headers is loaded, goes on, and is kept', async () => {
    lab.model.headers = {'Access-Control-Allow-Origin': '*'};
    lab.model.fail = refuse(3);
    const url = `${lab.elsewhere}/model.gguf`;
    await load({}, url);
    lab.model.fail = undefined;
    assertWhole(await load({}, url));
    assert.ok(lab.asked.length <= 3 && !lab.asked.includes(0),
        `${lab.asked}: what was missing, and a sample to compare`);
    assertWhole(await load({}, url), FILE_CHUNKS, 'load');
    assert.deepEqual(lab.asked, []);
});

check('another origin that lets no other site read is told', async () => {
    const {error} = await load({}, `${lab.elsewhere}/model.gguf`);
    assert.equal(error.code, 'network');
    assert.match(error.message, /cannot be reached, or it does not allow other sites to read model\.gguf\.$/);
});

check('a model whose header is refused leaves nothing stored', async () => {
    await load({take: 1});
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
    const refused = await lab.page.evaluate(async () => {
        const {Gemma} = await import('/gemma.js');
        return Gemma.load('/model.gguf').then(() => 'loaded', ({code}) => code);
    });
    assert.equal(refused, 'unsupported');
    assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
});

check('the same for a header of several chunks that is no model\'s; not where the network failed', async () => {
    const tiny = readFileSync(new URL('../golden/tiny-gemma3.gguf', import.meta.url)),
        at = tiny.indexOf('gemma3', 0, 'latin1');
    const other = Buffer.from(tiny).fill('gemmaX', at, at + 6), SMALL = 8192,
        load = (given) => lab.page.evaluate(async (options) => {
        const {Gemma} = await import('/gemma.js');
        return Gemma.load('/model.gguf', {threads: 1, ...options}).then((gemma) => gemma.close() ?? 'loaded',
            ({code}) => code);
    }, given);
    const nothing = {models: [], chunks: [], digests: []};
    for (const [bytes, code] of [[other, 'unsupported'], [tiny.subarray(0, tiny.length / 2), 'bad-file'],
        [tiny.subarray(0, 3 * SMALL), 'bad-file']]) {
        for (const options of [{manifest: manifestOf(bytes, SMALL)}, {}]) {
            lab.model = {bytes};
            assert.equal(await load(options), code);
            assert.deepEqual(await stored(), nothing);
        }
    }
    // What an earlier load has left of it goes, too; what was here as a whole stays, and so does a download
    // that is interrupted.
    const manifest = manifestOf(other, SMALL);
    lab.model = {bytes: other};
    // few chunks are held, so most of these are stored
    await lab.page.evaluate((given) => globalThis.page.load('/model.gguf', {manifest: given, take: 40}),
        manifest);
    assert.notDeepEqual(await stored(), nothing);
    assert.equal(await load({manifest}), 'unsupported');
    assert.deepEqual(await stored(), nothing);
    await lab.page.evaluate((given) => globalThis.page.load('/model.gguf', {manifest: given}), manifest);
    assert.equal(await load({manifest}), 'unsupported');
    assert.equal((await stored()).models[0].complete, true);
    await call('deleteStored', `${lab.origin}/model.gguf`);
    lab.model = {
        bytes: tiny,
        fail: (index, request, response) => index * CHUNK > tiny.length / 2 && response.writeHead(400).end(),
    };
    assert.ok(['network', 'not-found'].includes(await load({manifest: manifestOf(tiny, SMALL)})));
    assert.ok((await stored()).chunks.length > 5);
});

check('a damaged record is found out, and only its chunk comes again', async () => {
    lab.model = {bytes: OTHER};
    await load();
    for (const how of ['lost', 'both lost', 'shorter', 'flipped', 'no digest', 'bad digest', 'not bytes']) {
        await damage(1, how);
        assertWhole(await load(), OTHER_CHUNKS, /lost/.test(how) ? 'download' : 'load');
        assert.deepEqual(lab.asked, [1], how);
    }
    await assertStored(OTHER);
});

check('a damaged record of a download under way comes again with the rest', async () => {
    lab.model.fail = refuse(3);
    await load();
    lab.model.fail = undefined;
    await damage(0, 'flipped');
    assertWhole(await load());
    assert.deepEqual(lab.asked.toSorted(), [0, 3]);
    await assertStored();
});

check('a damaged chunk comes again under any version that its server now shows: its digest decides',
    async () => {
    await load();
    for (const etag of ['"v2"', null, 'W/"v1"']) {
        lab.model = {bytes: FILE, etag};
        await damage(1, 'flipped');
        assertWhole(await load(), FILE_CHUNKS, 'load');
        assert.deepEqual(lab.asked, [1]);
        await assertStored();
    }
});

check('a damaged or lost chunk of a changed file is reported; good chunks stay until `update`', async () => {
    for (const [how, other] of [['flipped', OTHER], ['lost', OTHER], ['flipped', changed(FILE)],
        ['both lost', changed(FILE)]]) {
        lab.model = {bytes: FILE};
        await load();
        await damage(1, how);
        lab.model = {bytes: other, etag: '"v2"'};
        for (let again = 0; again < 2; again++) {
            const {error} = await load();
            assert.equal(error?.code, 'changed');
            assert.equal((await stored()).chunks.filter(({sha256}, i) => sha256 === FILE_CHUNKS[i].sha256
                || how.includes('lost')).length, 3);
        }
        lab.model = {bytes: FILE, etag: '"v3"'};
        assertWhole(await load(), FILE_CHUNKS, how === 'flipped' ? 'load' : 'download');
        await damage(1, how);
        lab.model = {bytes: other, etag: '"v2"'};
        const replaced = await load({update: true});
        assertWhole(replaced, chunksOf(other));
        await assertStored(other, '"v2"');
        await call('deleteStored', `${lab.origin}/model.gguf`);
    }
});

check('a complete model is compared with its address on request, and replaced with `update`', async () => {
    const id = `${lab.origin}/model.gguf`;
    await load();
    lab.asked = [];
    assert.deepEqual((await call('compareStored', id)).value, {same: true, size: FILE.length});
    lab.model = {bytes: FILE, etag: '"v2"'};
    assert.deepEqual((await call('compareStored', id)).value, {same: true, size: FILE.length},
        'the same bytes by another name');
    assertWhole(await load({update: true}), FILE_CHUNKS, 'load');
    for (const other of [OTHER, changed(OTHER)]) {
        lab.model = {bytes: other, etag: `"${other[CHUNK + 5]}"`};
        assert.deepEqual((await call('compareStored', id)).value, {same: false, size: other.length});
        assert.equal((await load()).progress.at(-1).phase, 'load', 'nobody chose it');
        assert.deepEqual(lab.asked, []);
        assertWhole(await load({update: true}), chunksOf(other));
        assertWhole(await load(), chunksOf(other), 'load');
        await assertStored(other, lab.model.etag);
    }
    lab.model.fail = (index, request, response) => response.writeHead(400).end();
    assert.equal((await call('compareStored', id)).error.code, 'network');
    const offline = await load({update: true});
    assertWhole(offline, chunksOf(changed(OTHER)), 'load');
    assert.ok(offline.progress[0].notice, 'that it could not be compared');
    assert.equal((await call('compareStored', 'http://nowhere/')).error.code, 'not-found');
    assert.equal((await call('compareStored', 'imported:none')).error.code, 'not-found');
});

check('an interrupted replacement leaves nothing of the old file, also without a version', async () => {
    const other = changed(FILE);
    lab.model = {bytes: FILE, etag: ''};
    await load();
    /** Samples, by which files are compared, come; of the chunks only the first two. */
    const fail = (index, request, response) => {
        const [, from, to] = /(\d+)-(\d*)$/.exec(request.headers.range).map(Number);
        return index >= 2 && (!to || to - from > 1e5) && response.writeHead(400).end();
    };
    lab.model = {bytes: other, etag: '', fail};
    assert.ok((await load({update: true})).error);
    const {models: [model], chunks} = await stored(), all = chunksOf(other);
    assert.equal(model.complete, false);
    assert.ok(chunks.length > 0 && chunks.length < all.length);
    for (const {index, sha256: digest} of chunks) assert.equal(digest, all[index].sha256);
    lab.model = {bytes: other, etag: ''};
    assertWhole(await load(), all);
});

check('what another tab reads is not replaced under it: the new file runs from memory', async () => {
    await load();
    const other = await openPage();
    const holding = other.evaluate(() => new Promise((resolve) => {
        globalThis.page.onChunk = (n) => n === 1 && (resolve(), new Promise((go) => { globalThis.go = go; }));
        globalThis.loaded = globalThis.page.load('/model.gguf');
    }));
    await holding;
    lab.model = {bytes: OTHER, etag: '"v2"'};
    const replaced = await load({update: true});
    assert.deepEqual([replaced.error, replaced.chunks, Boolean(replaced.progress.at(-1).notice)],
        [undefined, OTHER_CHUNKS, true]);
    // Drivers differ in how they hand over an undefined in a list.
    assert.deepEqual(await other.evaluate(() => (globalThis.go(),
        globalThis.loaded.then(({error, chunks}) => [error ?? null, chunks]))), [null, FILE_CHUNKS]);
    await assertStored();
    await other.close();
    assertWhole(await load({update: true}), OTHER_CHUNKS);
    await assertStored(OTHER, '"v2"');
});

for (const [trouble, reason, begin] of [
    [
        'too small a quota', / 2 MB free/,
        () => { navigator.storage.estimate = async () => ({quota: 3e6, usage: 1e6}); },
    ],
    ['a store that fails', /out of order/, () => {
        IDBObjectStore.prototype.put = () => { throw new Error('out of order.'); };
    }],
    [
        'no IndexedDB', /no IndexedDB/,
        () => Object.defineProperty(globalThis, 'indexedDB', {value: undefined, configurable: true}),
    ],
    [
        'an IndexedDB that does not open', /private/,
        () => { indexedDB.open = () => { throw new DOMException('private window', 'SecurityError'); }; },
    ],
    ['an insecure address', /https/, () => Object.defineProperty(crypto, 'subtle', {value: undefined})],
]) {
    check(`with ${trouble} the model loads, reports that it is not kept, and leaves nothing behind`, async () => {
        const other = await openPage();
        await other.evaluate(begin);
        const loaded = await load({}, '/model.gguf', other);
        assertWhole(loaded);
        assert.match(loaded.progress.at(-1).notice,
            /^The model runs, but is not kept for the next visit\. [^\n]*[^.]\.$/);
        assert.match(loaded.progress.at(-1).notice, reason);
        await other.close();
        assert.deepEqual(await stored(), {models: [], chunks: [], digests: []});
    });
}

// Only Chromium can be given a small disk.
if (BROWSER === 'chromium')
    check('a disk that fills up: the model loads, reports that it is not kept, and stored chunks stay', async () => {
    // a site that has stored nothing so far: browsers count what was deleted for a while
    const other = await openPage(lab.elsewhere);
    const cdp = await other.createCDPSession();
    await cdp.send('Storage.overrideQuotaForOrigin', {origin: lab.elsewhere, quotaSize: 2.5 * CHUNK});
    await other.evaluate(() => { navigator.storage.estimate = async () => ({}); });
    const loaded = await load({}, '/model.gguf', other);
    assertWhole(loaded);
    assert.match(loaded.progress.at(-1).notice,
        /^The model runs, but is not kept for the next visit\. The browser gives this site no more room\. .* stays .*\.$/);
    const {models: [{complete}], digests} = await stored(other);
    assert.ok(!complete && [2, 3].includes(digests.length), `${digests}: the last piece is a small one`);
    await cdp.send('Storage.overrideQuotaForOrigin', {origin: lab.elsewhere});
    const again = await load({}, '/model.gguf', other);
    assertWhole(again);
    assert.equal(lab.asked.length, 4 - digests.length, 'with room again, only the rest is fetched');
    assert.equal((await stored(other)).models[0].complete, true);
    await other.close();
});

check('two tabs that load the same model at once both get it, and it is downloaded once', async () => {
    const other = await openPage();
    const [one, two] = await Promise.all([load(), load({}, '/model.gguf', other)]);
    await other.close();
    assert.deepEqual([one.chunks, two.chunks], [FILE_CHUNKS, FILE_CHUNKS]);
    assert.deepEqual(lab.asked.toSorted(), numbers(4));
    await assertStored();
});

check('a model that comes, or is in use, is not deleted', async () => {
    await lab.page.evaluate(() => {
        globalThis.page.onChunk = async (n) => {
            if (n === 3) globalThis.refused = await globalThis.page.deleteStored(new URL('/model.gguf',
                location).href).catch(({code, message}) => ({code, message}));
        };
    });
    assertWhole(await load());
    const refused = await lab.page.evaluate(() => globalThis.refused);
    assert.deepEqual(refused,
        {code: 'in-use', message: 'model.gguf is in use, here or in another tab: close it there, then delete it.'});
    await assertStored();
});

check('at most four chunks are held, and so many connections open', async () => {
    const at = [], size = 1 << 16;
    await lab.page.exposeFunction('noteAsked', (n) => { at[n - 1] = lab.asked.length; });
    await lab.page.evaluate(() => { globalThis.page.onChunk = globalThis.noteAsked; });
    const {chunks} = await load({manifest: manifestOf(FILE, size)});
    assert.deepEqual(chunks, chunksOf(FILE, size));
    for (const [i, asked] of at.entries()) assert.ok(asked <= i + 4, `${asked} were asked for at chunk ${i}`);
    assert.ok(lab.mostOpen <= 4, `${lab.mostOpen} connections`);
});

check('a file of the user\'s is read in place: whole, in chunks, nothing stored', async () => {
    const {chunks, name, progress} = await lab.page.evaluate(async () => {
        const bytes = await (await fetch('/model.gguf', {headers: {Range: 'bytes=0-1200000'}}))
            .arrayBuffer();
        return globalThis.page.load(new File([bytes], 'mine.gguf'));
    });
    const wanted = chunksOf(FILE.subarray(0, 1_200_001));
    assert.deepEqual([name, chunks], ['mine.gguf', wanted]);
    assert.equal(progress.at(-1).bytes, 1_200_001);
    assert.deepEqual((await stored()).models, []);
});

check('on our own server the model comes from models/, runs, and is not asked for again', async () => {
    const server = await serve({port: 0, models: GOLDEN});
    try {
        const own = patient(await lab.browser.newPage());
        await own.goto(`${server.url}models.json`);
        const run = () => own.evaluate(async () => {
            const {Gemma} = await import('/gemma.js');
            const phases = new Set();
            const gemma = await Gemma.load('models/tiny-gemma3.gguf',
                {threads: 1, onProgress: ({phase}) => phases.add(phase)});
            const session = await gemma.session();
            const {tokens} = await session.prompt('The sea',
                {raw: true, maxTokens: 4, sampling: {temperature: 0}}).result;
            gemma.close();
            const {storedModels: list} = await import('/weights/stored.js');
            const [{name, size, complete}] = await list();
            return {tokens, phases: [...phases], name, size, complete};
        });
        const [first, second] = [await run(), await run()];
        assert.deepEqual(second, {...first, phases: ['load']});
        const {name, size, complete, phases} = first;
        assert.deepEqual({name, size, complete, phases}, {
            name: 'tiny-gemma3.gguf', size: TINY_BYTES, complete: true, phases: ['download'],
        });
        await own.close();
    } finally {
        await server.close();
    }
});
