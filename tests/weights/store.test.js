// The browser's storage when it fails: connections that end, disks that are full, storage that is refused.
// What is stored is good until its hash says otherwise, and the model runs from memory where nothing can
// be kept.

import assert from 'node:assert/strict';
import {BROWSER, FILE, FILE_CHUNKS, LARGE_CHUNK, LARGE_FILE, check, chunksOf, lab, launch, listed, load, manifestOf,
    openPage, stored} from './lab.js';

const SMALL = 1 << 16, id = () => `${lab.origin}/model.gguf`;
/** Calls a function of web/weights/stored.js in the page. */
const call = (name, ...args) => lab.page.evaluate((name, args) => globalThis.page[name](...args)
    .then((value) => ({value}),
    ({name, code}) => ({error: {name, code}})), name, args);

/**
 * Ends every connection to the store that is open, as `how` says, when `page.lose` is called; new ones work.
 */
const beginLosing = (how) => lab.page.evaluate((how) => {
    const {transaction} = IDBDatabase.prototype, open = new Set(), lost = new Set();
    globalThis.page.lose = () => open.forEach((db) => how === 'close' ? db.close() : lost.add(db));
    IDBDatabase.prototype.transaction = function (...args) {
        open.add(this);
        if (!lost.has(this)) return transaction.apply(this, args);
        if (how !== 'abort') throw new DOMException('Connection to Indexed Database server lost.', how);
        const aborted = transaction.apply(this, args);
        queueMicrotask(() => aborted.abort());
        return aborted;
    };
}, how);
/** The reader's thread has its own connection. Without it, the thread that asks does all the work. */
const withoutReader = () =>
    lab.page.evaluate(() => { globalThis.Worker = class { constructor() { throw new Error('no workers');
        } }; });

for (const how of ['UnknownError', 'InvalidStateError', 'AbortError', 'close', 'abort']) {
    check(`a connection to the store that ends (${how}) is opened anew: nothing is fetched or damaged`, async () => {
        const manifest = manifestOf(FILE, SMALL),
            whole = {error: undefined, count: chunksOf(FILE, SMALL).length};
        await withoutReader();
        await beginLosing(how);
        const losing = (n) => lab.page.evaluate(
            (n) => { globalThis.page.onChunk = (at) => at % n === 0 && globalThis.page.lose(); }, n);
        await losing(7);
        const outcome = ({error, chunks}) => ({error, count: chunks.length});
        assert.deepEqual(outcome(await load({manifest})), whole, 'while it is written');
        assert.equal((await stored()).models[0].complete, true, 'all of it is kept');
        await losing(5);
        assert.deepEqual(outcome(await load({manifest})), whole, 'while it is read');
        assert.deepEqual(lab.asked, []);
        const results = await lab.page.evaluate(async (id) => {
            const {page} = globalThis, lose = () => page.lose(), onProgress = lose, results = {};
            lose();
            results.list = (await page.storedModels()).length;
            results.verify = await page.verifyStored(id, {onProgress});
            results.export = (await page.exportStored(id, {onProgress})).size;
            lose();
            results.manifest = (await page.manifestOf(id)).size;
            lose();
            results.repair = await page.repairStored(id, {onProgress}).then(() => 'done');
            return results;
        }, id());
        assert.deepEqual(results, {
            list: 1, verify: {chunks: whole.count, missing: [], damaged: []}, export: FILE.length,
            manifest: FILE.length, repair: 'done',
        });
        assert.deepEqual([lab.asked, (await listed())[0].state], [[], 'complete']);
    });
}

check('a store that cannot be read is no damage: another error; nothing is fetched or deleted', async () => {
    await load();
    await withoutReader();
    await lab.page.evaluate(() => {
        const {get} = IDBObjectStore.prototype;
        IDBObjectStore.prototype.get = function (key) {
            if (this.name === 'chunks' && key[1] === 2)
                throw new DOMException('it cannot be read', 'UnknownError');
            return get.call(this, key);
        };
    });
    const {error, chunks} = await load();
    assert.deepEqual([error?.code, error?.name, chunks.length, lab.asked], ['storage', 'GemmaError', 2, []]);
    assert.equal((await call('verifyStored', id())).error.code, 'storage');
    assert.deepEqual((await listed())[0].damaged, []);
    const other = await openPage();
    assert.deepEqual((await load({}, '/model.gguf', other)).chunks, FILE_CHUNKS);
    assert.deepEqual(lab.asked, []);
    await other.close();
});

check('an open() that fails for a moment is tried again: nothing is fetched a second time', async () => {
    await load();
    await lab.page.evaluate(() => {
        const {open} = IDBFactory.prototype;
        let fails = 2;
        IDBFactory.prototype.open = function (...args) {
            if (fails-- > 0) throw new DOMException('Internal error.', 'UnknownError');
            return open.apply(this, args);
        };
    });
    assert.deepEqual((await load()).chunks, FILE_CHUNKS);
    assert.deepEqual(lab.asked, []);
});

check('a full disk is no cancel: a download continues in memory, an import rejects with no-room', async () => {
    // Some 40 MB, as Chromium and Firefox are told it: Firefox for all sites together, in a browser of
    // its own.
    lab.model = {bytes: LARGE_FILE};
    const browser = BROWSER === 'firefox'
        ? await launch({firefox: {'dom.quotaManager.temporaryStorage.fixedLimit': 40_000}}) : lab.browser;
    const page = await openPage(lab.elsewhere, browser);
    if (BROWSER === 'chromium') await (await page.createCDPSession()).send('Storage.overrideQuotaForOrigin',
        {origin: lab.elsewhere, quotaSize: 40_000_000});
    await page.evaluate(() => { navigator.storage.estimate = async () => ({}); });
    const {error, chunks, progress} = await load({}, '/model.gguf', page);
    assert.deepEqual([error, chunks], [undefined, chunksOf(LARGE_FILE)]);
    assert.match(progress.at(-1).notice, /no more room/);
    const {models: [model], digests} = await stored(page);
    assert.ok(!model?.complete && digests.length < 4, 'what finds no room is not kept');
    const imported = await page.evaluate(async () => {
        const file = new File([await (await fetch('/model.gguf')).blob()], 'mine.gguf');
        return globalThis.page.importFiles(file).then(() => 'stored', ({name, code}) => ({name, code}));
    });
    assert.deepEqual(imported, {name: 'GemmaError', code: 'no-room'});
    await page.close();
}, {chunk: LARGE_CHUNK});

/** What a person or an embedding page can refuse a page. */
const REFUSALS = {
    'locks': () => {
        navigator.locks.request = async () => {
            throw new DOMException('The request was denied.', 'SecurityError');
        };
    },
    'locks, at once': () => { navigator.locks.request = () => {
        throw new DOMException('The request was denied.', 'SecurityError'); }; },
    'channels': () => { globalThis.BroadcastChannel = class {
        constructor() { throw new DOMException('denied', 'SecurityError'); } }; },
    'estimates': () => { navigator.storage.estimate = () => { throw new TypeError('denied'); }; },
    'all of it': () => {
        const denied = () => { throw new DOMException('denied', 'SecurityError'); };
        for (const name of ['indexedDB', 'caches', 'localStorage', 'sessionStorage'])
            Object.defineProperty(globalThis, name, {get: denied, configurable: true});
        globalThis.BroadcastChannel = class { constructor() { denied(); } };
        for (const name of ['locks', 'storage'])
            Object.defineProperty(navigator, name, {get: denied, configurable: true});
    },
};
for (const [what, refuse] of Object.entries(REFUSALS))
    check(`a page that is refused ${what} loads a model all the same`, async () => {
    const page = await openPage();
    await page.evaluate(`(${refuse})()`);
    const {error, chunks, progress} = await load({}, '/model.gguf', page);
    assert.deepEqual([error, chunks], [undefined, FILE_CHUNKS]);
    assert.equal(Boolean(progress.at(-1).notice), what === 'all of it', 'it is said where it is not kept');
    const {list, persisted, refused} = await page.evaluate(async () => {
        const {Gemma} = await import('/gemma.js');
        const list = (await Gemma.models.list()).length, persisted = typeof await Gemma.models.persist();
        return {list, persisted, refused: await Gemma.models.delete('http://nowhere/').then(() => 'done',
            ({code}) => code)};
    });
    assert.deepEqual([list, persisted, refused], what === 'all of it' ? [0, 'boolean', 'unsupported']
        : [1, 'boolean', 'done']);
    await page.close();
});

check('with all cookies blocked by the user, a model runs from memory, and says so', async () => {
    const browser = await launch({
        chromium: {profile: {default_content_setting_values: {cookies: 2}}},
        firefox: {'network.cookie.cookieBehavior': 2},
    });
    lab.model.bytes = (await import('node:fs')).readFileSync(new URL('../golden/tiny-gemma3.gguf',
        import.meta.url));
    const page = await openPage(lab.origin, browser);
    const seen = await page.evaluate(async () => {
        const {Gemma} = await import('/gemma.js');
        let notice;
        const gemma = await Gemma.load('/model.gguf',
            {threads: 1, onProgress: (progress) => { notice = progress.notice ?? notice; }});
        const {tokens} = await (await gemma.session()).prompt('The sea',
            {raw: true, maxTokens: 4, sampling: {temperature: 0}}).result;
        gemma.close();
        return {tokens: tokens.length, notice: Boolean(notice), list: await Gemma.models.list()};
    });
    assert.deepEqual(seen, {tokens: 4, notice: true, list: []});
    await page.close();
});
