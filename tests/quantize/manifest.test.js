// manifest.test.js: what --manifest and --split write beside the GGUF, checked by Node's own SHA-256.

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {checkpoint, quantized, work} from './tools.js';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const source = checkpoint('Some Gemma', 'tiny-gemma2', '--dtype', 'F32');
mkdirSync(join(work, 'host'));

function chunksOf(bytes, size) {
    return Array.from({length: Math.ceil(bytes.length / size)},
        (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

test('--manifest: the file and its chunks of 16 MiB, by size and hash; licence and notice', () => {
    const model = quantized('host/whole.gguf', source, 'f32', '--manifest'), bytes = readFileSync(model);
    const manifest = JSON.parse(readFileSync(`${model}.json`, 'utf8'));
    assert.deepEqual(manifest, {
        file: 'whole.gguf', name: 'Some Gemma', architecture: 'gemma2', size: bytes.length,
        sha256: sha256(bytes),
        licence: {name: 'Gemma Terms of Use', url: 'https://ai.google.dev/gemma/terms'},
        notice: 'Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms',
        chunkSize: 16 << 20, chunks: chunksOf(bytes, 16 << 20).map((chunk) => ({sha256: sha256(chunk)})),
    });
});

test('--split N: chunks of N MiB as files, which make the whole', () => {
    const model = quantized('host/split.gguf', source, 'f32', '--split', '2'), bytes = readFileSync(model);
    const manifest = JSON.parse(readFileSync(`${model}.json`, 'utf8'));
    assert.equal(manifest.chunkSize, 2 << 20);
    assert.equal(manifest.chunks.length, Math.ceil(bytes.length / (2 << 20)));
    assert.ok(manifest.chunks.length > 3);
    assert.deepEqual(manifest.chunks.map(({file}) => file),
        manifest.chunks.map((_, i) => `split.gguf.part-${String(i).padStart(5, '0')}`));
    const parts = manifest.chunks.map(({file}) => readFileSync(join(work, 'host', file)));
    parts.forEach((part, i) => assert.equal(sha256(part), manifest.chunks[i].sha256));
    assert.deepEqual(Buffer.concat(parts), bytes);
});

test('threads change nothing, and nothing half-made is left', () => {
    const [one, three] = ['1',
        '3'].map((n) => readFileSync(
            `${quantized('host/same.gguf', source, 'q8_0', '--split', '1', '--threads', n)}.json`, 'utf8'));
    assert.equal(one, three);
    assert.deepEqual(readdirSync(join(work, 'host')).filter((name) => name.includes('partial')), []);
});

test('without --manifest there is none', () => {
    assert.ok(!existsSync(`${quantized('host/alone.gguf', source, 'q8_0')}.json`));
});
