// split.test.js: a GGUF that llama.cpp's gguf-split cut into parts is quantised as the whole that it was,
// whichever part is named; and every way in which its parts can be wrong is refused. The parts are cut here
// as gguf-split cuts (tests/golden/split is its own work).

import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {GgufFile, U32} from '../engine/gguf_edit.js';
import {TENSOR_TYPES, readGguf} from './gguf.js';
import {ROOT, quantize, quantized, work} from './tools.js';

const WHOLE = join(ROOT, 'tests/golden/tiny-gemma3.gguf');
const partName = (i, count, name = 'model') =>
    `${name}-${String(i + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;

const u16 = (n) => Buffer.from(Uint16Array.of(n).buffer), u32 = (n) => Buffer.from(Uint32Array.of(n).buffer),
    u64 = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const string = (text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
const TYPE_NUMBERS = Object.fromEntries(Object.entries(TENSOR_TYPES)
    .map(([number, name]) => [name, Number(number)]));

/**
 * Writes the parts of tests/golden/tiny-gemma3.gguf into work/FOLDER.
 * @param {number[]} counts   tensors of each part
 * @param {(split: {no: number, count: number, tensors: number}, i: number) => object} [change]   what the
 *     parts say of themselves
 */
function cut(folder, counts, change = (split) => split, name = 'model') {
    const {tensors, bytes, metadataEnd, nEntries} = readGguf(WHOLE);
    const all = Object.entries(tensors).sort(([, a], [, b]) => a.offset - b.offset);
    const ends = all.map((_, i) => all[i + 1]?.[1].offset ?? bytes.length);
    mkdirSync(join(work, folder), {recursive: true});
    let first = 0;
    counts.forEach((n, i) => {
        const {no, count, tensors: total} = change({no: i, count: counts.length, tensors: all.length}, i);
        const keys = [[string('split.no'), u32(2), u16(no)], [string('split.count'), u32(2), u16(count)],
            [string('split.tensors.count'), u32(5), u32(total)]];
        const header = [Buffer.from('GGUF'), u32(3), u64(n), u64(keys.length + (i === 0 ? nEntries : 0)),
            ...i === 0 ? [bytes.subarray(24, metadataEnd)] : [], ...keys.flat()];
        const data = [];
        let at = 0;
        for (let k = first; k < first + n; k++) {
            const [tensor, {shape, type, offset}] = all[k], own = bytes.subarray(offset, ends[k]);
            header.push(string(tensor), u32(shape.length), ...shape.map(u64),
                u32(TYPE_NUMBERS[type]), u64(at));
            data.push(own);
            at += own.length;
        }
        first += n;
        const head = Buffer.concat(header);
        writeFileSync(join(work, folder, partName(i, counts.length, name)),
            Buffer.concat([head, Buffer.alloc((32 - head.length % 32) % 32), ...data]));
    });
    return join(work, folder);
}

/** Writes tests/golden/tiny-gemma3.gguf with the parts of a multimodal model inside, as Ollama does. */
function multimodal(name, others) {
    const gguf = GgufFile.read(WHOLE).set('gemma3.vision.block_count', U32, 1)
        .set('gemma3.mm.tokens_per_image', U32, 256).set('gemma3.audio.block_count', U32, 1);
    gguf.tensors.splice(1, 0,
        ...others.map((tensor) => ({name: tensor, dims: [32, 2], type: 1, data: Buffer.alloc(128, 1)})));
    return gguf.write(join(work, name));
}

test('what a multimodal model has besides its text model is left out, with a line for each part', () => {
    const out = join(work, 'text.gguf'), expected = readFileSync(quantized('plain.gguf', WHOLE, 'q4_0'));
    for (const [others, lines] of [
        [['v.blk.0.attn_q.weight', 'v.blk.0.attn_k.weight', 'mm.mm_input_projection.weight'],
            ['v.blk.0.attn_q.weight and 1 more of v.', 'mm.mm_input_projection.weight']],
        [['a.conv1d.0.weight', 'mm.a.weight', 'v.x'], ['v.x', 'mm.a.weight', 'a.conv1d.0.weight']],
    ]) {
        const {status, stdout, stderr} = quantize('--in', multimodal('multimodal.gguf', others), '--out', out,
            '--type', 'q4_0');
        assert.deepEqual([status, stderr], [0, '']);
        assert.deepEqual(stdout.split('\n').filter((line) => /left out/i.test(line))
            .map((line) => line.replace(/^left out: |\.$/gi, '')),
            lines.map((line) => line.replace(/\.$/, '')));
        assert.ok(readFileSync(out).equals(expected));
    }
    assert.equal(quantize('--in', multimodal('odd.gguf', ['vision.weight']), '--out', out, '--type', 'q4_0')
        .status, 0, 'another name is no part of one');
    assert.ok('vision.weight' in readGguf(out).tensors);
});

function refused(pattern, input) {
    mkdirSync(join(work, 'out'), {recursive: true});
    const {status, stderr} = quantize('--in', input, '--out', join(work, 'out/model.gguf'), '--type', 'q8_0');
    assert.match(stderr, new RegExp(pattern, 'i'));
    assert.match(stderr, /^quantize: [^\n]+\n$/, 'one sentence');
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(join(work, 'out')), [], 'no file is left');
}

test('any part stands for all; nothing of the parts is left in the output', () => {
    const expected = readFileSync(quantized('whole.gguf', WHOLE, 'q4_k_m'));
    for (const [folder, counts] of [['three', [31, 31, 32]], ['no weights in the first', [0, 90, 4]],
        ['two', [93, 1]], ['each', Array(94).fill(1)]]) {
        cut(folder, counts);
        for (const i of new Set([0, 1, counts.length - 1])) {
            const out = quantized('joined.gguf', join(work, folder, partName(i, counts.length)),
                'q4_k_m', '--verify');
            assert.deepEqual(readFileSync(out), expected, `${folder}, part ${i + 1}`);
        }
    }
});

test('a file that is the only part of itself is whole, and says nothing of parts afterwards', () => {
    const folder = cut('one', [94]),
        {metadata} = readGguf(quantized('only.gguf', join(folder, partName(0, 1)), 'q8_0'));
    assert.deepEqual(Object.keys(metadata).filter((key) => key.startsWith('split.')), []);
    assert.deepEqual(metadata, readGguf(quantized('only.gguf', WHOLE, 'q8_0')).metadata);
});

test('a part that is missing is named, whichever was given', () => {
    for (const missing of [0, 1, 2]) {
        const folder = cut(`without ${missing}`, [31, 31, 32]);
        rmSync(join(folder, partName(missing, 3)));
        for (const given of [0, 1, 2].filter((i) => i !== missing))
            refused(new RegExp(`part ${missing + 1} of 3 .*${partName(missing, 3)}.*No such file`),
                join(folder, partName(given, 3)));
    }
});

test('parts of other models, of other numbers, under other names, with too few tensors or one twice', () => {
    const three = cut('three', [31, 31, 32]);
    const folder = cut('mixed', [31, 31, 32]);
    writeFileSync(join(folder, partName(1, 3)), readFileSync(join(three, partName(2, 3))));
    refused(/00002-of-00003\.gguf: it says that it is part 3 of 3; part 2 of 3 was expected/,
        join(folder, partName(0, 3)));
    writeFileSync(join(folder, 'model.gguf'), readFileSync(join(three, partName(1, 3))));
    refused(/model\.gguf: it is part 2 of a model in 3 files; .*NAME-00002-of-00003\.gguf/,
        join(folder, 'model.gguf'));
    writeFileSync(join(folder, partName(1, 3)), readFileSync(WHOLE));
    refused(/00002-of-00003\.gguf: it says that it is part 1 of 1/, join(folder, partName(0, 3)));
    refused(/its 2 parts have 93 tensors, but should have 94/, join(cut('short', [90, 3]), partName(1, 2)));
    refused(/part 1 of 4; part 1 of 3|part 1 of a model in 4 files/,
        join(cut('lies', [31, 31, 32], (split, i) => ({...split, count: i ? 3 : 4})), partName(0, 3)));
    const twice = cut('twice', [47, 47]),
        parts = [0, 1].map((i) => readFileSync(join(twice, partName(i, 2))));
    const name = Object.keys(readGguf(join(twice, partName(0, 2))).tensors)
        .find((tensor) => tensor.startsWith('blk.0.attn_q.')), other = name.replace('blk.0', 'blk.6');
    assert.ok(parts[1].includes(other));
    parts[1].write(name, parts[1].indexOf(other));
    writeFileSync(join(twice, partName(1, 2)), parts[1]);
    refused(/two of its parts hold tensor blk\.0\.attn_q\.weight/, join(twice, partName(0, 2)));
});

test('the output is one of the parts', () => {
    const folder = cut('same', [31, 31, 32]), part = join(folder, partName(2, 3)),
        before = readFileSync(part);
    const {status, stderr} = quantize('--in', join(folder, partName(0, 3)), '--out', part, '--type', 'q8_0');
    assert.equal(status, 1);
    assert.match(stderr, /00003-of-00003\.gguf: .*input/);
    assert.deepEqual(readFileSync(part), before);
});
