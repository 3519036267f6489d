// Models that llama.cpp's gguf-split cut into parts: from disk, from servers and from chosen files they are
// the file that was cut, byte for byte. tests/golden/split is the work of gguf-split itself; other parts are
// written here, after its example.

import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import test from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ggufBytes} from '../../web/node/gguf_write.js';
import {check, chunksOf, lab, listed, load, sha256} from './lab.js';

const GOLDEN = join(import.meta.dirname, '../golden/split');
const METADATA = {
    'general.architecture': 'gemma3', 'general.name': 'A model',
    'tokenizer.ggml.tokens': ['<pad>', '<eos>', 'a'],
};

const partName = (i, count, name = 'model') =>
    `${name}-${String(i + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;

/**
 * @param {number[]} lengths   of the parts' one tensor each; 0: it has none
 * @returns {{whole: Buffer, parts: Buffer[]}}
 */
function cut(lengths, {metadata = METADATA, change = (keys) => keys} = {}) {
    const tensors = lengths.map((length, i) => length
        ? [{name: `tensor ${i}`, values: Float32Array.from({length}, (_, k) => k % 1009 + i)}] : []);
    const all = tensors.flat();
    const parts = tensors.map((own, i) => ggufBytes(
        {
            ...i === 0 && metadata,
            ...change({'split.no': i, 'split.count': lengths.length, 'split.tensors.count': all.length}, i),
        },
            own));
    return {whole: ggufBytes(metadata, all), parts};
}

/** Reads a model on disk to its end. */
async function readPath(path) {
    const source = await openSource({path}), chunks = [];
    try {
        for await (const chunk of source.chunks()) chunks.push(Buffer.from(chunk));
        return {name: source.name, size: source.size, bytes: Buffer.concat(chunks)};
    } finally {
        source.close();
    }
}

async function inFolder(files, body) {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-split-'));
    try {
        for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
        return await body(folder);
    } finally {
        rmSync(folder, {recursive: true});
    }
}

for (const [name, count, what] of [['three', 3, ''], ['four', 4, ', the first without weights']]) {
    test(`gguf-split's ${count} parts${what} are the file that it cut, whichever of them is named`,
        async () => {
        const bytes = readFileSync(join(GOLDEN, 'whole.gguf'));
        for (let i = 0; i < count; i++)
            assert.deepEqual(await readPath(join(GOLDEN, partName(i, count, name))),
                {name: `${name}.gguf`, size: bytes.length, bytes});
    });
}

test('parts whose header is longer than what is read at first, and of which each has its own length',
    async () => {
    const {whole, parts} = cut([7, 700_000, 1, 0, 33],
        {metadata: {...METADATA, 'general.description': 'x'.repeat(1_500_000)}});
    await inFolder(Object.fromEntries(parts.map((bytes, i) => [partName(i, 5), bytes])), async (folder) => {
        assert.deepEqual((await readPath(join(folder, partName(3, 5)))).bytes, whole);
    });
});

test('alignments that differ: all lies at multiples of the usual one, and the file says so', async () => {
    const {parts} = cut([9, 9], {metadata: {...METADATA, 'general.alignment': 64}});
    // As gguf-split does: the first part says its alignment and keeps it, the others have the usual one.
    const header = parts[0].length - 64, aligned = Buffer.alloc(Math.ceil(header / 64) * 64 + 64);
    parts[0].copy(aligned, 0, 0, header);
    parts[0].copy(aligned, aligned.length - 64, header);
    await inFolder({[partName(0, 2)]: aligned, [partName(1, 2)]: parts[1]}, async (folder) => {
        const {bytes} = await readPath(join(folder, partName(0, 2)));
        assert.deepEqual(bytes, cut([9, 9]).whole);
    });
});

test('parts that do not belong together, are missing or cut are a sentence that names them', async () => {
    const {parts} = cut([5, 6, 7]),
        other = cut([5, 6, 7], {change: (keys) => ({...keys, 'split.count': 4})}).parts;
    const changed = (change) => cut([5, 6, 7], {change}).parts;
    const unaligned = cut([5, 6, 7], {metadata: {...METADATA, 'general.alignment': 3}}).parts;
    for (const [files, message] of [
        [
            [parts[0], parts[2], parts[1]],
            /^Part 2 of 3 of model\.gguf says that it is part 3; get the parts again, all of the same model\.$/,
        ],
        [[parts[0], other[1], parts[2]], /^Part 2 of 3 of model\.gguf says that there are 4 parts; /],
        [
            [parts[0], parts[1], Buffer.from(parts[2]).fill(2, 4, 5)],
            /^Part 3 of 3 of model\.gguf has GGUF version 2, and part 1 has 3; /,
        ],
        [
            changed((keys) => ({...keys, 'split.tensors.count': 9})),
            /^The 3 parts of model\.gguf have 3 tensors, not 9; /,
        ],
        [changed(() => ({})), /^Part 1 of 3 of model\.gguf says that it is no part; /],
        [
            [parts[0], parts[1].subarray(0, 100), parts[2]],
            /^model-00002-of-00003\.gguf ends after 100 bytes, within its header; /,
        ],
        [
            [parts[0], Buffer.from('<!doctype html>'), parts[2]],
            /^model-00002-of-00003\.gguf is not a GGUF file: it begins with other bytes; /,
        ],
        [[parts[0], Buffer.alloc(0), parts[2]], /^model-00002-of-00003\.gguf is not a GGUF file/],
        [unaligned, /^model-00001-of-00003\.gguf has an alignment of 3 bytes; /],
        [[parts[0], parts[1]], /^There is no file .*gguf\.$/],
    ]) {
        await inFolder(Object.fromEntries(files.map((bytes, i) => [partName(i, 3), bytes])), (folder) =>
            assert.rejects(readPath(join(folder, partName(0, 3))), ({code, message: said}) => {
                assert.match(said, message);
                return ['bad-file', 'not-found'].includes(code);
            }));
    }
});

test('any byte of a header may be another: the parts are read, or a sentence says why not', async () => {
    const {parts} = cut([5, 6]), names = [partName(0, 2), partName(1, 2)];
    await inFolder(Object.fromEntries(parts.map((bytes, i) => [names[i], bytes])), async (folder) => {
        for (let at = 0; at < 320; at++) {
            const i = at % 2, spoilt = Buffer.from(parts[i]);
            spoilt[at % spoilt.length] ^= 1 << (at * 7 % 8) | 0x80;
            writeFileSync(join(folder, names[i]), spoilt);
            await readPath(join(folder, names[0]))
                .catch(({code, stack}) => assert.equal(code, 'bad-file', stack));
            writeFileSync(join(folder, names[i]), parts[i]);
        }
    });
});

test('one part under another name is refused, and the error says what it is', async () => {
    const {parts: [, part]} = cut([5, 6, 7]);
    await inFolder({'renamed.gguf': part},
        (folder) => assert.rejects(Gemma.load(join(folder, 'renamed.gguf')),
        {code: 'bad-file', message: /^renamed\.gguf: .*part 2 of a model in 3 files/}));
});

/** The first part is longer than the bytes of it that are asked for at first. */
const CHUNK = 4 << 20, LENGTHS = [CHUNK / 8, CHUNK / 2 + 5, CHUNK / 16 + 1];
const {whole: WHOLE, parts: PARTS} = cut(LENGTHS);
const FILES = Object.fromEntries(PARTS.map((bytes, i) => [`a/b/resolve/main/${partName(i, 3)}`, bytes]));
const ADDRESS = `/a/b/resolve/main/${partName(0, 3)}`;
const pointers = (digests) => Object.fromEntries(digests.map((digest, i) =>
    [`a/b/raw/main/${partName(i, 3)}`,
        `version https://git-lfs.github.com/spec/v1\noid sha256:${digest}\nsize ${PARTS[i].length}\n`]));

check('on a server they are one model, with ranges and without; the next load needs no network', async () => {
    for (const ranges of [true, false]) {
        lab.model = {files: FILES, ranges};
        const {error, chunks, name, size, progress} = await load({}, ADDRESS);
        assert.equal(error, undefined, JSON.stringify(error));
        assert.deepEqual([name, size, chunks], ['model.gguf', WHOLE.length, chunksOf(WHOLE)]);
        assert.equal(progress.at(-1).bytes, WHOLE.length);
        const [model] = await listed();
        assert.deepEqual([model.id, model.name, model.state, model.storedBytes],
            [lab.origin + ADDRESS, 'model.gguf', 'complete', WHOLE.length]);
        assert.deepEqual((await load({}, ADDRESS)).chunks, chunksOf(WHOLE));
        assert.deepEqual(lab.asked, []);
        await lab.page.evaluate((id) => globalThis.page.deleteStored(id), model.id);
    }
}, {chunk: CHUNK});

/** Refuses the weights of the last part, which are in the last chunk. */
const withoutLast = (index, request, response) => request.url.includes(partName(2, 3)) && index > 0
    && response.writeHead(400).end();

check('a download that failed goes on with what is missing; a part that changed meanwhile is noticed',
    async () => {
    lab.model = {files: FILES, fail: withoutLast};
    await load({}, ADDRESS);
    assert.equal((await listed())[0].storedBytes, 2 * CHUNK);
    lab.model.fail = undefined;
    assert.deepEqual((await load({}, ADDRESS)).chunks, chunksOf(WHOLE));
    // Headers are read again, and of the chunks those that were missing.
    assert.ok(lab.asked.length <= 2 * PARTS.length + 3, lab.asked.join());

    await lab.page.evaluate((id) => globalThis.page.deleteStored(id), lab.origin + ADDRESS);
    lab.model.fail = withoutLast;
    await load({}, ADDRESS);
    const other = cut(LENGTHS, {metadata: {...METADATA, 'general.name': 'B model'}});
    lab.model = {
        etag: '"v2"',
        files: Object.fromEntries(other.parts.map((bytes, i) => [
            `a/b/resolve/main/${partName(i, 3)}`, bytes,
        ])),
    };
    assert.deepEqual((await load({}, ADDRESS)).chunks, chunksOf(other.whole));
}, {chunk: CHUNK});

check('the SHA-256 that a host tells of each part is compared, and so is one of the whole', async () => {
    const right = PARTS.map(sha256), wrong = right.with(1, sha256(WHOLE));
    for (const [digests, options, message] of [
        [right, {}], [wrong, {},
            /^model-00002-of-00003\.gguf is not the file that its publisher describes: .* It was not kept; load it again\.$/],
        [right, {sha256: sha256(WHOLE)}],
        [right, {sha256: right[0]}, /^model\.gguf is not the file that its publisher describes: /],
    ]) {
        lab.model = {files: {...FILES, ...pointers(digests)}};
        const {error} = await load(options, ADDRESS);
        if (message) assert.match(error.message, message);
        else assert.equal(error, undefined, JSON.stringify(error));
        assert.equal((await listed()).length, message ? 0 : 1);
        await lab.page.evaluate((id) => globalThis.page.deleteStored(id), lab.origin + ADDRESS);
    }
}, {chunk: CHUNK});

check('chosen from disk they are one model, in any order; a part alone is a sentence', async () => {
    lab.model = {files: FILES};
    const {joined, alone, ids} = await lab.page.evaluate(async (address, names) => {
        const [{joinFiles}, {Gemma}] = await Promise.all([
            import('/weights/file/files.js'), import('/gemma.js'),
        ]);
        const folder = new URL('.', new URL(address, location));
        const parts = await Promise.all(names.map(async (name) =>
            new File([await (await fetch(new URL(name, folder))).blob()], name)));
        const {file} = await joinFiles(parts.toReversed()), {name, chunks} = await globalThis.page.load(file);
        const alone = await Gemma.load(parts[1]).catch(({code, message}) => ({code, message}));
        return {
            joined: {name, chunks}, alone, ids: names.map((name) => Gemma.models.idOf(new URL(name, folder))),
        };
    }, ADDRESS, PARTS.map((_, i) => partName(i, 3)));
    assert.deepEqual(joined, {name: 'model.gguf', chunks: chunksOf(WHOLE)});
    assert.deepEqual(alone, {
        code: 'bad-file',
        message: `2 of the 3 files of model.gguf were not chosen, such as ${partName(0, 3)}.`,
    });
    assert.deepEqual(new Set(ids), new Set([lab.origin + ADDRESS]), 'whichever part is named');
    assert.equal(basename(ADDRESS), partName(0, 3));
}, {chunk: CHUNK});
