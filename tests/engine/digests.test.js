// A given digest is compared with the model's bytes, from every kind of source, and so are a manifest's
// chunks. (Of what a browser stores, tests/weights asks the same.)

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {after, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModules} from '../../web/node/setup.js';
import {Gemma} from '../../web/gemma.js';
import {GgufFile} from './gguf_edit.js';

await ensureModules();
const GOLDEN = join(import.meta.dirname, '../golden'), TINY = join(GOLDEN, 'tiny-gemma3.gguf'),
    SPLIT = join(GOLDEN, 'split');
const CHUNK = 100_000;
const work = mkdtempSync(join(tmpdir(), 'gemma-digests-'));
after(() => rmSync(work, {recursive: true}));

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');
const bytes = readFileSync(TINY), right = digestOf(bytes), wrong = digestOf('another file');
const chunksOf = (all) => Array.from({length: Math.ceil(all.length / CHUNK)},
    (_, i) => all.subarray(i * CHUNK, (i + 1) * CHUNK));
const manifestOf = (all, file = basename(TINY)) => ({
    file, size: all.length, sha256: digestOf(all), chunkSize: CHUNK,
    chunks: chunksOf(all).map((chunk) => ({sha256: digestOf(chunk)})),
});

const server = createServer((request, response) => response.end(bytes));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
after(() => {
    server.closeAllConnections();
    server.close();
});
const url = `http://127.0.0.1:${server.address().port}/tiny-gemma3.gguf`;

async function load(model, options) {
    const gemma = await Gemma.load(model, {threads: 1, ...options});
    gemma.close();
    return gemma.info.architecture;
}
const refused = (model, options, code = 'bad-file', message) => assert.rejects(load(model, options),
    {code, ...message && {message}});

async function readAll(description) {
    const source = await openSource({kind: 'path', ...description}), all = [];
    try {
        for await (const chunk of source.chunks()) all.push(Buffer.from(chunk));
    } finally {
        source.close();
    }
    return Buffer.concat(all);
}

/** The same model's bytes by each kind of source. */
const SOURCES = {
    'a path': TINY, 'a file: URL': pathToFileURL(TINY), '{kind: path}': {kind: 'path', path: TINY},
    'an address': url, '{kind: url}': {kind: 'url', url},
    'a Blob': new Blob([bytes]), 'chosen files': [new File([bytes], 'mine.gguf')],
    '{kind: file}': {kind: 'file', file: new File([bytes], 'mine.gguf')},
    'a data: URL': `data:application/octet-stream;base64,${bytes.toString('base64')}`,
    'an entry': {urls: [url], name: 'Tiny', shape: await shapeOf(TINY), size: bytes.length},
    'an entry with a digest': {
        urls: [url], name: 'Tiny', shape: await shapeOf(TINY), size: bytes.length, sha256: right,
    },
    'an entry of a path': {urls: [TINY], name: 'Tiny', shape: await shapeOf(TINY), size: bytes.length},
};

/** Something that an entry is judged by. */
async function shapeOf() {
    const {models} = JSON.parse(readFileSync(join(import.meta.dirname, '../../web/app/models.json'), 'utf8'));
    return models[0].shape;
}

for (const [name, source] of Object.entries(SOURCES)) {
    test(`${name}: a SHA-256 and a manifest are compared`, async () => {
        const manifest = manifestOf(bytes);
        for (const good of [{sha256: right}, {sha256: right.toUpperCase()}, {manifest},
            {manifest, sha256: right}]) assert.equal(await load(source, good), 'gemma3');
        const lies = {...manifest, sha256: wrong},
            flipped = {...manifest, chunks: manifest.chunks.with(3, {sha256: wrong})};
        for (const bad of [{sha256: wrong}, {manifest, sha256: wrong}, {manifest: lies, sha256: right},
            {manifest: lies, sha256: wrong}, {manifest: flipped},
            {manifest: {...manifest, size: bytes.length - 1}}]) await refused(source, bad);
        for (const sha256 of ['', 'abc', `${right}0`]) await refused(source, {sha256}, 'bad-argument');
    });
}

test('random weights have no digest: one that is given is refused', async () => {
    for (const more of [{sha256: right}, {manifest: manifestOf(bytes)}])
        await refused({kind: 'synthetic', shape: 'gemma3-270m', type: 'q4_0'}, more, 'bad-argument');
});

test('a manifest is given by its path or its address, or in place of the model', async () => {
    const path = join(work, 'model.gguf'), beside = `${path}.json`;
    copyFileSync(TINY, path);
    writeFileSync(beside, JSON.stringify(manifestOf(bytes, 'model.gguf')));
    for (const manifest of [beside, pathToFileURL(beside), pathToFileURL(beside).href])
        assert.equal(await load(path, {manifest}), 'gemma3');
    for (const model of [beside, pathToFileURL(beside), {kind: 'path', path: beside}])
        assert.equal(await load(model, {sha256: right}), 'gemma3');
    assert.ok((await Gemma.probe(beside, {threads: 1})).fits);
    writeFileSync(path, Buffer.from(bytes).fill(1, 700_000, 700_001));
    await refused(beside, {}, 'bad-file', /chunk 7 /);
    await refused(path, {manifest: beside}, 'bad-file', /chunk 7 /);
    await refused(path, {manifest: join(work, 'none.json')}, 'not-found');
    await refused(path, {manifest: TINY}, 'bad-file');
});

test('the parts of build/quantize --split are one model; each of llama.cpp\'s parts counts', async () => {
    const folder = mkdtempSync(join(work, 'parts-')), manifest = manifestOf(bytes);
    chunksOf(bytes).forEach((chunk, i) => {
        manifest.chunks[i].file = `tiny-gemma3.gguf.part-${i}`;
        writeFileSync(join(folder, manifest.chunks[i].file), chunk);
    });
    const path = join(folder, 'tiny-gemma3.gguf');
    writeFileSync(`${path}.json`, JSON.stringify(manifest));
    assert.equal(await load(`${path}.json`, {sha256: right}), 'gemma3');
    assert.equal(await load(path, {manifest}), 'gemma3');
    await refused(`${path}.json`, {sha256: wrong});
    writeFileSync(join(folder, manifest.chunks[5].file), Buffer.alloc(CHUNK));
    await refused(`${path}.json`, {}, 'bad-file', /chunk 5 /);
    rmSync(join(folder, manifest.chunks[2].file));
    await refused(`${path}.json`, {}, 'not-found');

    const [first] = readdirSync(SPLIT).filter((name) => name.includes('-00001-of-')),
        part = join(SPLIT, first);
    const joined = await readAll({path: part});
    assert.deepEqual(await readAll({path: part, sha256: digestOf(joined), manifest: manifestOf(joined)}),
        joined);
    await assert.rejects(readAll({path: part, sha256: wrong}), {code: 'bad-file'});
});

test('a file that is damaged is read only as far as its damage', async () => {
    const large = GgufFile.read(TINY), path = join(work, 'large.gguf');
    large.tensors[0].data = Buffer.concat([large.tensors[0].data, Buffer.alloc(20 << 20)]);
    large.write(path);
    const all = readFileSync(path), manifest = manifestOf(all, 'large.gguf');
    manifest.chunks[1] = {sha256: wrong};
    const source = await openSource({kind: 'path', path, manifest});
    let read = 0;
    await assert.rejects(async () => { for await (const chunk of source.chunks()) read += chunk.length; },
        {code: 'bad-file'});
    source.close();
    assert.ok(read < all.length / 2, `${read} of ${all.length} bytes were handed out`);
});
