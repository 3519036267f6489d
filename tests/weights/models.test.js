// What the store knows of models, and what can be done with them: manifests, digests, checking, repairing,
// moving, many tabs, old stores.

import assert from 'node:assert/strict';
import test from 'node:test';
import {CHUNK, FILE, FILE_CHUNKS, OTHER, check, chunksOf, damage, lab, listed, load, manifestOf, openPage,
    refuse, sendPartOf, sha256, stored} from './lab.js';
import {patient} from '../setup/patience.js';

const SMALL = 1 << 18, SMALL_FILE = FILE.subarray(0, 8 * SMALL + 77),
    SMALL_CHUNKS = chunksOf(SMALL_FILE, SMALL);

const id = () => `${lab.origin}/model.gguf`;
/** Calls a function of web/weights/stored.js in the page. */
const call = (name, ...args) => lab.page.evaluate((name, args) => globalThis.page[name](...args)
    .then((value) => ({value}),
    ({code, message}) => ({error: {code, message}})), name, args);

/** @param {Buffer} bytes @param {number} [index]   of a small chunk */
function flipped(bytes, index = 3) {
    const copy = Buffer.from(bytes);
    copy[index * SMALL + 4321] ^= 1;
    return copy;
}

/** Serves SMALL_FILE; `load` then reads it by its manifest. */
function serveSmall(more = {}) {
    lab.model = {bytes: SMALL_FILE, ...more};
    return manifestOf(SMALL_FILE, SMALL);
}
const small = (index) => index * CHUNK / SMALL;     // as lab counts pieces, in small chunks

check('with a manifest, pieces have its size, and are stored with its digests', async () => {
    const manifest = serveSmall({files: {'model.gguf.json': JSON.stringify(manifestOf(SMALL_FILE, SMALL))}});
    for (const given of [manifest, `${lab.origin}/model.gguf.json`]) {
        const {error, chunks} = await load({manifest: given});
        assert.equal(error, undefined, JSON.stringify(error));
        assert.deepEqual(chunks, SMALL_CHUNKS);
        const {models: [{validator, sha256: whole, chunkSize, complete}], chunks: records} = await stored();
        assert.deepEqual([validator, whole, chunkSize, complete],
            [`sha256:${manifest.sha256}`, manifest.sha256, SMALL, true]);
        assert.deepEqual(records.map(({digest}) => digest), manifest.chunks.map((chunk) => chunk.sha256));
        await load({manifest: given});
        assert.deepEqual(lab.asked, [], 'neither the model nor the manifest');
        await call('deleteStored', id());
    }
});

check('a chunk with wrong bytes is fetched again; if always wrong, an error; good chunks stay', async () => {
    const manifest = serveSmall({bytes: flipped(SMALL_FILE)});
    lab.model.fail = (index) => {
        if (small(index) === 3) lab.model = {bytes: SMALL_FILE};        // from the next request on
        return false;
    };
    const healed = await load({manifest});
    assert.deepEqual(healed.chunks, SMALL_CHUNKS);
    assert.equal(healed.progress.at(-1).bytes, SMALL_FILE.length);
    await call('deleteStored', id());

    serveSmall({bytes: flipped(SMALL_FILE)});
    const {error} = await load({manifest});
    assert.equal(error.code, 'bad-file');
    assert.match(error.message,
        /^model\.gguf on its server is not the file of its manifest: chunk 3 has another SHA-256\. What is right of it has been kept\.$/);
    serveSmall();
    const right = (await stored()).chunks.length;
    assert.ok(right >= 3);
    assert.deepEqual((await load({})).chunks, SMALL_CHUNKS,
        'the store has the digests, so that the manifest is not needed again');
    assert.equal(lab.asked.length, 9 - right);
});

check('where a new version shares chunks with the old one, those are kept', async () => {
    await load({manifest: serveSmall()});
    const changed = flipped(flipped(SMALL_FILE), 6);
    lab.model = {bytes: changed, etag: '"v2"'};
    const {chunks} = await load({manifest: manifestOf(changed, SMALL)});
    assert.deepEqual(chunks, chunksOf(changed, SMALL));
    assert.deepEqual(lab.asked.map((index) => small(index)).toSorted(), [3, 6]);
    assert.equal((await stored()).models[0].sha256, sha256(changed));
});

check('what was stored without a manifest is kept as far as the manifest says the same', async () => {
    lab.model.bytes = flipped(FILE, 5);
    await load();
    lab.model = {bytes: FILE, etag: '"v2"'};
    const {chunks} = await load({manifest: manifestOf(FILE)});
    assert.deepEqual(chunks, FILE_CHUNKS);
    assert.deepEqual(lab.asked, [1]);
});

check('a manifest that cannot be used, or is of another file, is told in a sentence', async () => {
    const manifest = serveSmall({files: {'page.json': '<html>', 'list.json': '{"file": "a.gguf"}'}});
    for (const [given, message] of [
        [
            {...manifest, size: 77},
            /^The manifest of model\.gguf cannot be used: "chunks" must have 1 entries, and has 9\.$/,
        ],
        [{...manifest, sha256: 'abc'}, /"sha256" must be 64/], [{...manifest, chunkSize: -1}, /"chunkSize"/],
        [{}, /"file"/],
        [{...manifest, chunks: [{}, ...manifest.chunks.slice(1)]}, /each chunk must have/],
        [
            {...manifest, chunks: [{...manifest.chunks[0], file: 'a'}, ...manifest.chunks.slice(1)]},
            /1 of 9 chunks have a "file"/,
        ],
        [
            manifestOf(FILE), new RegExp(
                `is not the file that was expected: it has ${SMALL_FILE.length} bytes, not ${FILE.length}`),
        ],
        [`${lab.origin}/page.json`, /^\S+page\.json is not the manifest of a model/],
        [`${lab.origin}/list.json`, /^The manifest of a\.gguf cannot be used: "size"/],
    ]) {
        const {error} = await load({manifest: given});
        assert.equal(error?.code, 'bad-file', JSON.stringify(given).slice(0, 200));
        assert.match(error.message, message);
    }
    assert.deepEqual((await stored()).models, []);
});

check('a model in parts, as --split writes it, comes from them', async () => {
    const manifest = manifestOf(SMALL_FILE, SMALL);
    manifest.chunks = manifest.chunks.map((chunk, i) => ({...chunk, file: `model.gguf.part-0000${i}`}));
    const files = Object.fromEntries(manifest.chunks.map(({file}, i) => [
        `models/${file}`, SMALL_FILE.subarray(i * SMALL, (i + 1) * SMALL),
    ]));
    lab.model = {bytes: OTHER, files: {...files, 'models/model.gguf.json': JSON.stringify(manifest)}};
    for (const ranges of [true, false]) {
        lab.model.ranges = ranges;
        const {error, chunks} = await load({manifest: `${lab.origin}/models/model.gguf.json`});
        assert.equal(error, undefined, JSON.stringify(error));
        assert.deepEqual(chunks, SMALL_CHUNKS);
        await call('deleteStored', id());
    }
    // What was cut goes on without being told of the manifest again.
    await load({manifest: `${lab.origin}/models/model.gguf.json`, abortAfter: 2});
    assert.equal((await listed())[0].state, 'partial');
    assert.deepEqual((await load({})).chunks, SMALL_CHUNKS);
});

check('headers of the caller go to the model\'s own origin alone, not to a manifest or parts elsewhere',
    async () => {
    const manifest = manifestOf(SMALL_FILE, SMALL);
    manifest.chunks = manifest.chunks.map((chunk, i) => ({...chunk, file: `part-${i}`}));
    const parts = Object.fromEntries(manifest.chunks.map(({file}, i) => [
        `m/${file}`, SMALL_FILE.subarray(i * SMALL, (i + 1) * SMALL),
    ]));
    const seen = new Set();
    lab.model = {
        files: {...parts, 'm/manifest': JSON.stringify(manifest)},
        headers: {'Access-Control-Allow-Origin': '*'},
        preflight: {
            'Access-Control-Allow-Origin': '*',
            'Access-Control-Allow-Headers': 'authorization, x-token, range',
        },
        fail(index, {headers}) {
            seen.add(`${headers.host} ${headers.authorization} ${headers['x-token']}`);
            return false;
        },
    };
    const headers = {'Authorization': 'Bearer x', 'X-Token': 'y'};
    for (const [place, expected] of [[lab.elsewhere, 'undefined undefined'], [lab.origin, 'Bearer x y']]) {
        const {error} = await load({headers, manifest: `${place}/m/manifest`});
        assert.equal(error, undefined, JSON.stringify(error));
        assert.deepEqual([...seen], [`${new URL(place).host} ${expected}`]);
        seen.clear();
        await call('deleteStored', id());
    }
});

check('the SHA-256 that a host or the caller tells of the whole file is compared', async () => {
    const right = sha256(FILE), wrong = sha256(OTHER);
    const pointer = (oid) => (
        {
            'a/b/raw/main/m.gguf': `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${FILE.length}\n`,
            'a/b/resolve/main/m.gguf': FILE,
        });
    for (const [more, source, options, good] of [
        [{}, undefined, {sha256: right.toUpperCase()}, true], [{}, undefined, {sha256: wrong}, false],
        [{headers: {'X-Linked-ETag': `"${right}"`}}, undefined, {}, true],
        [{headers: {'X-Linked-ETag': `"${wrong}"`}}, undefined, {}, false],
        [{files: pointer(right)}, '/a/b/resolve/main/m.gguf', {}, true],
        [{files: pointer(wrong)}, '/a/b/resolve/main/m.gguf', {}, false],
    ]) {
        lab.model = {bytes: FILE, ...more};
        const {error} = await load(options, source);
        const [model] = await listed();
        if (good) {
            assert.equal(error, undefined, JSON.stringify(error));
            assert.equal(model.sha256, right);
            await call('deleteStored', model.id);
        } else {
            assert.equal(error?.code, 'bad-file');
            assert.match(error.message,
                new RegExp(`its SHA-256 is ${right}, and ${wrong} is expected\\. It was not kept; load it again\\.$`));
            assert.equal(model, undefined);
        }
    }
});

check('a given digest is compared with what is stored, too; a wrong one leaves the model as it is', async () => {
    const right = sha256(FILE), wrong = sha256(OTHER);
    const manifest = manifestOf(FILE), address = `${lab.origin}/model.gguf.json`;
    for (const first of [{}, {sha256: right}, {manifest}]) {
        await load(first);
        const before = await stored();
        for (const given of [{sha256: wrong}, {manifest: address, sha256: wrong},
            {manifest: {...manifest, sha256: wrong}, sha256: right},
            {manifest: {...manifest, sha256: wrong}, sha256: wrong}]) {
            lab.model = {bytes: FILE, files: {'model.gguf.json': JSON.stringify(manifest)}};
            const {error} = await load(given);
            assert.equal(error?.code, 'bad-file', JSON.stringify(given).slice(0, 200));
            const {models: [{sha256: now, complete}], chunks} = await stored();
            assert.deepEqual([complete, chunks, ['', right].includes(now)], [true, before.chunks, true]);
        }
        assert.equal((await load({sha256: right.toUpperCase()})).error, undefined);
        assert.deepEqual((await load({sha256: right, manifest})).chunks, FILE_CHUNKS);
        assert.deepEqual([lab.asked, (await stored()).models[0].sha256], [[], right]);
        // A piece is missing: it comes again, and still the model is left as it is.
        await damage(1, 'both lost');
        assert.equal((await load({sha256: wrong})).error?.code, 'bad-file');
        assert.deepEqual((await stored()).models[0].complete, true);
        assert.deepEqual((await load()).chunks, FILE_CHUNKS);
        await call('deleteStored', id());
    }
    for (const sha of ['', 'abc', 5, right + right])
        assert.equal((await load({sha256: sha})).error?.code, 'bad-argument', `${sha}`);
});

check('a digest that only a manifest says is not taken for what the bytes have', async () => {
    const right = sha256(FILE), wrong = sha256(OTHER), lies = {...manifestOf(FILE), sha256: wrong};
    assert.equal((await load({manifest: lies, sha256: wrong})).error?.code, 'bad-file');
    assert.deepEqual((await stored()).models, []);
    assert.equal((await load({manifest: lies})).error, undefined);
    for (const given of [{sha256: wrong}, {manifest: lies, sha256: wrong}, {sha256: right}])
        assert.equal((await load(given)).error?.code, 'bad-file');
    await call('deleteStored', id());
    // What was hashed once is not hashed again.
    await load({manifest: manifestOf(FILE)});
    assert.equal((await stored()).models[0].hashed, undefined);
    assert.equal((await load({sha256: right})).error, undefined);
    assert.equal((await stored()).models[0].hashed, true);
    assert.deepEqual((await load({sha256: right})).chunks, FILE_CHUNKS);
});

check('a digest that is given is compared with a file of the user\'s', async () => {
    lab.model = {bytes: SMALL_FILE};
    const codes = await lab.page.evaluate(async (right, wrong, manifest) => {
        const file = new File([await (await fetch('/model.gguf')).blob()], 'mine.gguf'), codes = [];
        for (const given of [{sha256: right}, {sha256: wrong}, {sha256: right, manifest},
            {sha256: wrong, manifest}, {sha256: wrong, manifest: {...manifest, sha256: wrong}}])
            codes.push((await globalThis.page.load(file, given)).error?.code ?? 'good');
        return codes;
    }, sha256(SMALL_FILE), sha256(OTHER), manifestOf(SMALL_FILE, SMALL));
    assert.deepEqual(codes, ['good', 'bad-file', 'good', 'bad-file', 'bad-file']);
});

check('verify finds every kind of damage, the list tells of it, and repair fetches only that', async () => {
    await load({manifest: serveSmall()});
    assert.deepEqual((await call('verifyStored', id())).value, {chunks: 9, missing: [], damaged: []});
    for (const [index, how] of ['lost', 'shorter', 'flipped', 'not bytes'].entries())
        await damage(2 * index, how);
    assert.deepEqual((await call('verifyStored', id())).value, {chunks: 9, missing: [0], damaged: [2, 4, 6]});
    assert.equal((await listed())[0].state, 'damaged');
    lab.asked = [];
    assert.equal((await call('repairStored', id())).error, undefined);
    assert.deepEqual(lab.asked.map(small).toSorted(), [0, 2, 4, 6]);
    assert.equal((await listed())[0].state, 'complete');
    assert.deepEqual((await call('verifyStored', id())).value, {chunks: 9, missing: [], damaged: []});
    assert.equal((await call('verifyStored', 'http://nowhere/')).error.code, 'not-found');
});

check('damage that cannot be repaired now is remembered, and repaired later', async () => {
    await load({manifest: serveSmall()});
    await damage(4, 'flipped');
    lab.model.fail = (index, request, response) => response.writeHead(404).end();
    const {error, chunks} = await load();
    assert.deepEqual([error.code, chunks.length], ['not-found', 4]);
    assert.equal((await listed())[0].state, 'damaged');
    lab.model.fail = undefined;
    assert.deepEqual((await load()).chunks, SMALL_CHUNKS);
    assert.equal((await listed())[0].state, 'complete');
});

check('pieces that the browser removed of a finished model are named and fetched again', async () => {
    await load();
    await damage(1, 'both lost');
    await damage(2, 'lost');
    assert.equal((await listed())[0].state, 'damaged');
    const {chunks, progress} = await load();
    assert.deepEqual(chunks, FILE_CHUNKS);
    assert.deepEqual(lab.asked.toSorted(), [1, 2]);
    assert.match(progress.at(-1).notice, / 2 of 4 .* model\.gguf/);
});

check('a model is exported, and imported where there is no network; both ways it is checked', async () => {
    await load();
    const manifest = (await call('manifestOf', id())).value;
    assert.deepEqual(manifest, {
        file: 'model.gguf', size: FILE.length, sha256: sha256(FILE), chunkSize: CHUNK,
        chunks: manifestOf(FILE).chunks,
    });
    const digests = await lab.page.evaluate(async (address) => {
        const hash = async (blob) =>
            [...new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))].map((b) =>
                b.toString(16).padStart(2, '0')).join('');
        globalThis.exported = await globalThis.page.exportStored(address);
        const written = [];
        await globalThis.page.exportStored(address,
            {writable: new WritableStream({write: (bytes) => void written.push(bytes)})});
        return [await hash(globalThis.exported), await hash(new Blob(written))];
    }, id());
    assert.deepEqual(digests, [sha256(FILE), sha256(FILE)]);

    await damage(2, 'flipped');
    assert.match((await call('exportStored', id())).error.message,
        /^Chunk 2 of model\.gguf is missing or damaged here: repair the model first\.$/);
    await call('deleteStored', id());

    const imported = (options) => lab.page.evaluate((options) =>
        globalThis.page.importFiles(globalThis.exported, options).then((value) => ({value}),
        ({code, message}) => ({error: {code, message}})), options);
    const broken = structuredClone(manifest);
    broken.chunks[1].sha256 = broken.chunks[0].sha256;
    assert.match((await imported({id: id(), manifest: broken})).error.message,
        /^model\.gguf is damaged: chunk 1 is not what its manifest says/);
    lab.model.fail = (index, request, response) => response.writeHead(404).end();
    const {value: {name, size, state}} = await imported({id: id(), manifest});
    assert.deepEqual({name, size, state}, {name: 'model.gguf', size: FILE.length, state: 'complete'});
    assert.deepEqual((await load({manifest})).chunks, FILE_CHUNKS);

    const own = (await imported()).value;
    assert.equal(own.id, 'imported:model.gguf');
    assert.deepEqual((await load({}, own.id)).chunks, FILE_CHUNKS);
    await damage(0, 'flipped', own.id);
    const {error} = await load({}, own.id);
    assert.equal(error.code, 'bad-file');
    assert.match(error.message, /model\.gguf .*import/);
    await imported();
    assert.deepEqual((await load({}, own.id)).chunks, FILE_CHUNKS);
    assert.equal((await load({}, 'imported:none.gguf')).error.code, 'not-found');
});

check('two files of one name are two models; the same file again is the same model, and mends it',
    async () => {
    const bytes = [SMALL_FILE, flipped(SMALL_FILE), SMALL_FILE.subarray(0, 2 * SMALL)],
        names = ['model.gguf', 'model (2).gguf', 'model (3).gguf'];
    lab.model = {bytes: SMALL_FILE, files: Object.fromEntries(bytes.map((file, i) => [`${i}.gguf`, file]))};
    const importing = (i, options = {}, name = 'model.gguf') =>
        lab.page.evaluate(async (i, options, name) => {
        const file = new File([await (await fetch(`/${i}.gguf`)).blob()], name);
        return globalThis.page.importFiles(file, options).then(({id, name, state}) => ({id, name, state}),
            ({code}) => ({code}));
    }, i, options, name);
    const idOf = (name) => `imported:${encodeURIComponent(name)}`;
    for (let again = 0; again < 2; again++)
        for (const [i, name] of names.entries())
            assert.deepEqual(await importing(i), {id: idOf(name), name, state: 'complete'});
    for (const [i, name] of names.entries())
        assert.deepEqual((await load({}, idOf(name))).chunks, chunksOf(bytes[i]));
    await damage(0, 'flipped', idOf(names[0]));
    assert.equal((await importing(0)).id, idOf(names[0]));
    assert.deepEqual((await load({}, idOf(names[0]))).chunks, chunksOf(bytes[0]),
        'the same file has mended it');
    assert.equal((await importing(0, {manifest: manifestOf(SMALL_FILE, SMALL)})).id, idOf(names[0]));
    assert.deepEqual((await load({}, idOf(names[0]))).chunks, SMALL_CHUNKS);

    // Under an id that is given, nothing is replaced by itself, nor what is in use.
    await importing(0, {id: id()});
    assert.deepEqual(await importing(1, {id: id()}), {code: 'exists'});
    assert.deepEqual((await load({}, '/model.gguf')).chunks, chunksOf(bytes[0]));
    const held = await lab.page.evaluate(async (id) => {
        const {use} = await import('/weights/store/tabs.js');
        globalThis.giveBack = await use(id);
    }, id()).then(() => importing(1, {id: id(), replace: true}));
    assert.deepEqual(held, {code: 'in-use'});
    await lab.page.evaluate(() => globalThis.giveBack());
    assert.equal((await importing(1, {id: id(), replace: true})).id, id());
    assert.deepEqual((await load({}, '/model.gguf')).chunks, chunksOf(bytes[1]));
    assert.equal((await listed()).length, 4);
    // Names that no address can spell.
    const odd = await importing(0, {name: 'a\ud800.gguf'});
    assert.equal(odd.state, 'complete');
    assert.equal((await load({}, odd.id)).error, undefined);
});

test('any name becomes one that systems can keep', async () => {
    const {safeFileName} = await import('../../web/weights/file/names.js');
    for (const [name, safe] of Object.entries({
        'model.gguf': 'model.gguf', 'ä ü 模型.gguf': 'ä ü 模型.gguf', 'a/b.gguf': 'a_b.gguf',
        '../../etc/passwd': '_.._etc_passwd', 'c:\\x\\y.gguf': 'c__x_y.gguf',
        'a\u0000\n\u001b.gguf': 'a___.gguf', 'con': '_con', 'NUL.gguf': '_NUL.gguf',
        'Com1.tar.gguf': '_Com1.tar.gguf', 'lpt9 .gguf': '_lpt9 .gguf',
        'console.gguf': 'console.gguf', 'x\u202efugg.gguf': 'x_fugg.gguf', 'a\ud800.gguf': 'a_.gguf',
        'a.gguf. .': 'a.gguf', '...': 'model.gguf', '': 'model.gguf', ' ': 'model.gguf',
        'a?*"<>|.gguf': 'a______.gguf', 'model.lnk': 'model.lnk.gguf',
    })) assert.equal(safeFileName(name), safe, JSON.stringify(name));
    for (const letter of ['x', 'ä', '模', '😀']) {
        const long = safeFileName(`${letter.repeat(1000)}.gguf`);
        assert.ok(Buffer.byteLength(long) <= 200 && long.endsWith('.gguf') && long.isWellFormed()
            && long.length > 50, long);
    }
});

check('a model of any name is exported under one that systems can keep, and imported again', async () => {
    lab.model = {bytes: SMALL_FILE};
    const names = await lab.page.evaluate(async () => {
        const blob = await (await fetch('/model.gguf')).blob(), names = [];
        for (const name of ['a/b.gguf', 'NUL.gguf', 'x\u0007\u202e.gguf']) {
            const {id, fileName} = await globalThis.page.importFiles(blob, {name});
            const file = await globalThis.page.exportStored(id),
                manifest = await globalThis.page.manifestOf(id);
            const again = await globalThis.page.importFiles(file, {manifest});
            names.push([file.name, manifest.file, fileName, again.name, again.state]);
        }
        return names;
    });
    assert.deepEqual(names,
        ['a_b.gguf', '_NUL.gguf', 'x__.gguf'].map((name) => [name, name, name, name, 'complete']));
});

check('everything that takes a while ends with its signal', async () => {
    await load({manifest: serveSmall()});
    const seen = await lab.page.evaluate(async (id, manifest) => {
        const {page} = globalThis, seen = {}, {joinFiles} = await import('/weights/file/files.js'),
            {use, read} = await import('/weights/store/tabs.js');
        const blob = await (await fetch('/model.gguf')).blob(), stuck = new File([blob], 'stuck.gguf');
        stuck.slice = () => ({arrayBuffer: () => new Promise(() => {})});
        const json = new File(['{}'], 'model.gguf.json');
        json.text = () => new Promise(() => {});
        const held = (name) => new Promise((resolve) => {
            void navigator.locks.request(name, () => new Promise((go) => { globalThis.go = go; resolve(); }));
        });
        const late = async (name, work) => {
            const stopping = new AbortController(),
                done = work(stopping.signal, () => stopping.abort()).then(() => 'done',
                    (error) => error.name);
            setTimeout(() => stopping.abort(), 100);
            seen[name] = await done;
        };
        await late('verify', (signal, abort) => page.verifyStored(id, {signal, onProgress: abort}));
        await late('export', (signal, abort) => page.exportStored(id, {signal, onProgress: abort}));
        await late('a writable that takes nothing', (signal) => page.exportStored(id,
            {signal, writable: new WritableStream({write: () => new Promise(() => {})})}));
        await late('import', (signal, abort) => page.importFiles(new File([blob], 'other.gguf'),
            {signal, manifest, onProgress: abort}));
        await late('a file that does not answer', (signal) => page.importFiles(stuck, {signal}));
        await late('files', (signal) => joinFiles([stuck, json], signal));
        await held(`gemma-read ${id}`);
        for (const [name, work] of Object.entries({verify: page.verifyStored, export: page.exportStored,
            manifest: page.manifestOf, repair: page.repairStored, compare: page.compareStored}))
            await late(`${name}, before its turn`, (signal) => work(id, {signal}));
        await late('read', (signal) => read(id, signal));
        globalThis.go();
        await held(`gemma-use ${id}`);
        await late('use', (signal) => use(id, signal));
        globalThis.go();
        return seen;
    }, id(), manifestOf(SMALL_FILE, SMALL));
    for (const [name, outcome] of Object.entries(seen)) assert.equal(outcome, 'AbortError', name);
});

check('a file of the user\'s is compared with its manifest, when there is one', async () => {
    const manifest = manifestOf(SMALL_FILE, SMALL);
    for (const [bytes, message] of [[SMALL_FILE],
        [flipped(SMALL_FILE), /is damaged: chunk 3 is not what its manifest says/],
        [FILE, /is not the file of its manifest/]]) {
        lab.model = {bytes};
        const {error, chunks} = await lab.page.evaluate(async (manifest) => {
            const file = new File([await (await fetch('/model.gguf')).blob()], 'mine.gguf');
            return globalThis.page.load(file, {manifest});
        }, manifest);
        if (message) assert.match(error.message, message);
        else assert.deepEqual(chunks, SMALL_CHUNKS);
    }
});

check('files chosen together are one model: a GGUF or all its parts, with its manifest', async () => {
    const whole = manifestOf(SMALL_FILE, SMALL), split = structuredClone(whole);
    split.chunks.forEach((chunk, i) => { chunk.file = `model.gguf.part-0000${i}`; });
    lab.model = {bytes: SMALL_FILE};
    const {results, imported} = await lab.page.evaluate(async (whole, split, size) => {
        const {joinFiles} = await import('/weights/file/files.js');
        const gguf = new File([await (await fetch('/model.gguf')).blob()], 'model.gguf');
        const parts = split.chunks.map(({file}, i) => new File([gguf.slice(i * size, (i + 1) * size)], file));
        const json = (value) => new File([JSON.stringify(value)], 'model.gguf.json');
        const results = [];
        for (const files of [[gguf], [gguf, json(whole)], [gguf, json(split)],
            [...parts.toReversed(), json(split)],
            parts, parts.slice(1).concat(json(split)), [], [new File(['<'], 'x.json'), gguf]]) {
            results.push(await joinFiles(files).then(async ({file, manifest}) => {
                const {error, chunks} = await globalThis.page.load(file, manifest && {manifest});
                return error?.message ?? `${file.name}: ${chunks.length} chunks${manifest ? ', checked' : ''}`;
            }, ({code, message}) => `${code}: ${message}`));
        }
        const {id, name, state} = await globalThis.page.importFiles([...parts, json(split)]);
        return {results, imported: {id, name, state}};
    }, whole, split, SMALL);
    const broken = results.pop();
    assert.deepEqual(results, [
        'model.gguf: 3 chunks', ...Array(3).fill('model.gguf: 9 chunks, checked'),
        'bad-file: 9 files were chosen: choose one GGUF, or all parts of one, those of build/quantize with their manifest (.gguf.json).',
        'bad-file: 1 of the 9 files of model.gguf were not chosen, such as model.gguf.part-00000.',
        'bad-file: No model file was chosen.',
    ]);
    assert.match(broken, /^bad-file: x\.json is not the manifest of a model/);
    assert.deepEqual(imported, {id: 'imported:model.gguf', name: 'model.gguf', state: 'complete'});
});

check('too little room is told before the first byte, in numbers, with what could be deleted', async () => {
    await load({manifest: serveSmall()});
    await lab.page.evaluate(() => { navigator.storage.estimate = async () => ({quota: 12e6, usage: 9e6}); });
    const room = (await call('roomFor', 60e6)).value;
    assert.deepEqual([room.enough, room.needed, room.free], [false, 60e6, 3e6]);
    assert.deepEqual(room.deletable.map(({name, storedBytes}) => [name, storedBytes]),
        [['model.gguf', SMALL_FILE.length]]);
    assert.equal((await call('roomFor', 60e6, id())).value.needed, 60e6 - SMALL_FILE.length,
        'what is here of it need not be stored again');
    lab.model = {bytes: FILE, files: {'other.gguf': FILE}};
    const {progress, chunks} = await load({}, '/other.gguf');
    assert.deepEqual(chunks, FILE_CHUNKS);
    assert.equal(progress[0].bytes, 0);
    assert.match(progress[0].notice, / 4 MB .* 3 MB .*model\.gguf \(3 MB\)/);
    assert.equal((await listed()).length, 1);
});

check('a window that keeps nothing, as private ones do, runs the model too', async () => {
    const context = await lab.browser.createBrowserContext();
    const page = patient(await context.newPage());
    await page.goto(lab.origin);
    await page.waitForFunction(() => globalThis.page?.clear);
    assert.deepEqual((await load({}, '/model.gguf', page)).chunks, FILE_CHUNKS);
    await context.close();
});

check('a second tab shows the first one\'s progress, and takes over when it is closed; a third one after it',
    async () => {
    lab.model.fail = sendPartOf(1, 300_000);
    const [first, second, third] = [await openPage(), await openPage(), await openPage()];
    const one = load({}, '/model.gguf', first).catch(() => {});
    await lab.page.waitForFunction(
        async (bytes) => (await globalThis.page.storedModels())[0]?.storedBytes > bytes, {polling: 50}, CHUNK);
    const seen = (page) => page.evaluate(() => {
        globalThis.reports = [];
        void globalThis.page.load('/model.gguf', {onReport: (report) => globalThis.reports.push(report)})
            .then((result) => { globalThis.loaded = result; });
    });
    // Who waits sees at once how far the other is, though nothing comes at the moment.
    for (const page of [second, third]) {
        await seen(page);
        await page.waitForFunction(() => globalThis.reports.some(({bytes, waiting}) => bytes > 0
            && waiting === 'Another tab is downloading this model.'), {polling: 50});
    }
    lab.model.fail = (index, request, response) => index === 1 && sendTrickle(request, response);
    await first.close();
    await one;
    await second.waitForFunction(() => globalThis.reports.some(({bytes, waiting}) => bytes > 0 && !waiting),
        {polling: 50});
    const before = await third.evaluate(() => globalThis.reports.length);
    await third.waitForFunction((before) => globalThis.reports.length > before, {polling: 50}, before);
    lab.model.fail = undefined;
    await second.close();
    await third.waitForFunction(() => globalThis.loaded, {polling: 50});
    assert.deepEqual(await third.evaluate(() => globalThis.loaded.chunks), FILE_CHUNKS);
    await third.close();
});

/** Piece 1 in small pieces, forever. */
function sendTrickle(request, response) {
    response.writeHead(206, {
        'Content-Length': CHUNK, 'Content-Range': `bytes ${CHUNK}-${2 * CHUNK - 1}/${FILE.length}`,
        ETag: '"v1"',
    });
    let at = CHUNK;
    const timer = setInterval(() => response.write(FILE.subarray(at, at += 100)), 50);
    response.on('close', () => clearInterval(timer));
    return true;
}

check('without Web Locks each tab loads for itself, and all is right', async () => {
    const other = patient(await lab.browser.newPage());
    await other.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'locks', {value: undefined}));
    await other.goto(lab.origin);
    await other.waitForFunction(() => globalThis.page?.clear);
    const [one, two] = await Promise.all([load({}, '/model.gguf', other), load()]);
    assert.deepEqual([one.chunks, two.chunks], [FILE_CHUNKS, FILE_CHUNKS]);
    await other.close();
    assert.equal((await stored()).models[0].complete, true);
});

check('all models but those in use are deleted at once', async () => {
    lab.model.files = {'a.gguf': SMALL_FILE, 'b.gguf': SMALL_FILE};
    for (const path of ['/a.gguf', '/b.gguf']) await load({}, path);
    const left = await lab.page.evaluate(async () => {
        globalThis.page.onChunk = async () => {
            globalThis.left ??= await globalThis.page.deleteAllStored(); };
        await globalThis.page.load('/b.gguf');
        return globalThis.left;
    });
    assert.deepEqual(left, ['b.gguf']);
    assert.deepEqual((await listed()).map(({name}) => name), ['b.gguf']);
});

check('another origin: a token, exposed headers, and a changed file of the same size without them', async () => {
    const url = `${lab.elsewhere}/model.gguf`;
    lab.model.headers = {
        'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'ETag, Content-Range',
    };
    lab.model.preflight = {
        'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization, range',
    };
    lab.model.fail = (index, request, response) => request.headers.authorization !== 'Bearer x'
        && response.writeHead(401, lab.model.headers).end();
    assert.match((await load({}, url)).error.message, /refuses to give out model\.gguf \(401\)/);
    assert.deepEqual((await load({headers: {Authorization: 'Bearer x'}}, url)).chunks, FILE_CHUNKS);
    assert.equal((await stored()).models[0].validator, '"v1"');
    await call('deleteStored', url);

    lab.model = {bytes: FILE, headers: {'Access-Control-Allow-Origin': '*'}, fail: refuse(3)};
    await load({}, url);
    const changed = flipped(FILE, 0);
    for (let at = CHUNK; at < changed.length; at++) changed[at] ^= 0x55;
    lab.model = {bytes: changed, headers: lab.model.headers};
    assert.deepEqual((await load({}, url)).chunks, chunksOf(changed), 'nothing of the old file');
});

check('mirrors: the model comes from the second address when the first fails, and is kept under the first',
    async () => {
    lab.model.headers = {'Access-Control-Allow-Origin': '*'};
    lab.model.fail = (index, request, response) => request.headers.host === new URL(lab.origin).host
        && response.writeHead(500).end();
    const {chunks} = await load({manifest: manifestOf(FILE), urls: [`${lab.elsewhere}/model.gguf`]});
    assert.deepEqual(chunks, FILE_CHUNKS);
    assert.equal((await listed())[0].id, id());
});

for (const version of [1, 2])
    check(`what a store of version ${version} holds is dropped, and the store works`, async () => {
    await lab.page.evaluate((version) => new Promise((resolve, reject) => {
        const request = indexedDB.open('gemma-weights', version);
        request.onupgradeneeded = () => {
            request.result.createObjectStore('models', {keyPath: 'id'})
                .put({id: 'old', name: 'old.gguf', size: 1, chunkSize: 1});
            request.result.createObjectStore('chunks').put(new ArrayBuffer(1), ['old', 0]);
        };
        request.onsuccess = () => resolve(request.result.close());
        request.onerror = reject;
    }), version);
    assert.deepEqual(await listed(), []);
    assert.deepEqual((await load()).chunks, FILE_CHUNKS);
    assert.deepEqual((await listed()).map(({state}) => state), ['complete']);
});

check('Gemma.models is all that through the public API; a loaded model is in use until it is closed',
    async () => {
    lab.model = {bytes: Buffer.from('GGUF')};
    const {readFileSync} = await import('node:fs');
    const tiny = readFileSync(new URL('../golden/tiny-gemma3.gguf', import.meta.url));
    lab.model = {bytes: tiny};
    const seen = await lab.page.evaluate(async () => {
        const {Gemma} = await import('/gemma.js');
        const codeOf = (promise) => promise.then(() => 'done', ({code}) => code);
        const gemma = await Gemma.load('/model.gguf', {threads: 1});
        const [{id, state}] = await Gemma.models.list();
        const inUse = await codeOf(Gemma.models.delete(id));
        const manifest = await Gemma.models.manifest(id, {signal: new AbortController().signal});
        const compared = await Gemma.models.compare(id);
        const wrong = [{sha256: '0'.repeat(64)}, {sha256: 5}].map(
            (given) => codeOf(Gemma.load('/model.gguf', {threads: 1, ...given})));
        const refused = await Promise.all(wrong);
        (await Gemma.load('/model.gguf', {threads: 1, update: true, sha256: manifest.sha256})).close();
        const file = await Gemma.models.export(id);
        gemma.close();
        const verified = await Gemma.models.verify(id), repaired = await codeOf(Gemma.models.repair(id)),
            persisted = await Gemma.models.persist();
        await Gemma.models.delete(id);
        const imported = await Gemma.models.import(file, {manifest});
        const again = await Gemma.load(imported.id, {threads: 1});
        const {tokens} = await (await again.session()).prompt('The sea',
            {raw: true, maxTokens: 4, sampling: {temperature: 0}}).result;
        again.close();
        await new Promise((later) => setTimeout(later, 100));
        return {
            state, inUse, compared, refused, verified, repaired, persisted: typeof persisted,
            tokens: tokens.length, left: await Gemma.models.deleteAll(), list: await Gemma.models.list(),
            room: (await Gemma.models.room(1)).enough,
        };
    });
    assert.deepEqual(seen, {
        state: 'complete', inUse: 'in-use', compared: {same: true, size: tiny.length},
        refused: ['bad-file', 'bad-argument'], verified: {chunks: 2, missing: [], damaged: []},
        repaired: 'done', persisted: 'boolean', tokens: 4, left: [], list: [], room: true,
    });
});
