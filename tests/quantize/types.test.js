// types.test.js: what --type, --tensor-type, --plain and --imatrix do to a file, that our engine runs each of
// them, and that threads change nothing.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {readGguf, writeImatrix} from './gguf.js';
import {QUANTIZE, ROOT, SHAPES, checkpoint, golden, logits, quantize, quantized, work} from './tools.js';

/** How many tensors there are of each type. */
function census(path) {
    const counts = {};
    for (const {type} of Object.values(readGguf(path).tensors)) counts[type] = (counts[type] ?? 0) + 1;
    return counts;
}

const typeOf = (path, name) => readGguf(path).tensors[name].type;

const source = checkpoint('source', 'tiny-gemma1');

/** Of tiny-gemma1: 3 layers of 7 matrices, an embedding that is the head, 7 norms; rows of 256 and 512. */
const EXPECTED = {
    f32: {F32: 29}, f16: {F16: 22, F32: 7}, bf16: {BF16: 22, F32: 7}, q8_0: {Q8_0: 22, F32: 7},
    q4_0: {Q4_0: 21, Q6_K: 1, F32: 7},
    q4_k: {Q4_K: 21, Q6_K: 1, F32: 7}, q4_k_s: {Q4_K: 18, Q5_K: 3, Q6_K: 1, F32: 7},
    q4_k_m: {Q4_K: 19, Q6_K: 3, F32: 7},
    q5_k: {Q5_K: 21, Q6_K: 1, F32: 7}, q5_k_s: {Q5_K: 21, Q6_K: 1, F32: 7},
    q5_k_m: {Q5_K: 19, Q6_K: 3, F32: 7}, q6_k: {Q6_K: 22, F32: 7},
};
const FILE_TYPE = {
    f32: 0, f16: 1, bf16: 32, q8_0: 7, q4_0: 2, q4_k: 14, q4_k_s: 14, q4_k_m: 15, q5_k: 16, q5_k_s: 16,
    q5_k_m: 17, q6_k: 18,
};

for (const [type, counts] of Object.entries(EXPECTED)) {
    test(`${type}: tensors get llama-quantize's types, and the engine's logits stay near those of the source`,
        () => {
        const model = quantized(`${type}.gguf`, source, type);
        assert.deepEqual(census(model), counts);
        const {metadata} = readGguf(model);
        assert.equal(metadata['general.file_type'], FILE_TYPE[type]);
        assert.equal(metadata['general.quantization_version'], 2);
        const tokens = golden('tiny-gemma1').tokens.slice(0, 40);
        const ours = logits(model, tokens, '--exact'),
            exact = logits(quantized('exact.gguf', source, 'f32'), tokens, '--exact');
        let square = 0, difference = 0;
        ours.forEach((v, i) => { square += exact[i] ** 2; difference += (v - exact[i]) ** 2; });
        const error = Math.sqrt(difference / square),
            most = counts.Q4_0 || counts.Q4_K ? 0.3 : counts.Q5_K ? 0.15 : counts.Q6_K ? 0.1 : 0.03;
        assert.ok(error < most, `the logits are off by ${error}`);
    });
}

test('rows that blocks of 256 do not divide fall back, and say so', () => {
    const out = join(work, 'fallback.gguf'),
        {status, stdout} = quantize('--in', checkpoint('narrow', 'tiny-gemma3'), '--out', out,
            '--type', 'q4_k_m');
    assert.equal(status, 0);
    // Rows of 128, but for ffn_down's of 256: its first and last layers get more bits, as do those of attn_v,
    // which falls back.
    assert.deepEqual(census(out), {F32: 43, Q8_0: 4, Q5_0: 39, Q6_K: 3, Q4_K: 4});
    assert.match(stdout, /^Q5_0 instead of Q4_K: 39 tensors whose rows \(128 weights in blk\.0\.attn_q\.weight\) are no multiple of 256$/m);
});

test('--tensor-type: the first pattern that matches decides, for the head as well', () => {
    const model = quantized('overridden.gguf', source, 'q4_0', '--tensor-type',
        '^blk\\.0\\.ffn_(up|down)=q6_K', '--tensor-type', 'ffn=f16',
        '--tensor-type', 'token_embd=q8_0');
    assert.equal(typeOf(model, 'blk.0.ffn_up.weight'), 'Q6_K');
    assert.equal(typeOf(model, 'blk.0.ffn_gate.weight'), 'F16');
    assert.equal(typeOf(model, 'blk.1.ffn_up.weight'), 'F16');
    assert.equal(typeOf(model, 'blk.1.attn_q.weight'), 'Q4_0');
    assert.equal(typeOf(model, 'token_embd.weight'), 'Q8_0');
    assert.equal(typeOf(model, 'blk.0.ffn_norm.weight'), 'F32', 'norms stay');
});

test('types may be named in capitals', () => {
    for (const type of ['q4_k_m', 'bf16', 'q8_0'])
        assert.deepEqual(readFileSync(quantized('capitals.gguf', source, type.toUpperCase())),
            readFileSync(quantized('small.gguf', source, type)));
    assert.equal(typeOf(quantized('capitals.gguf', source, 'Q4_k_M', '--tensor-type', 'ffn_up=Q8_0'),
        'blk.0.ffn_up.weight'), 'Q8_0');
});

test('any number of threads writes the same bytes', () => {
    const folder = checkpoint('threads', 'tiny-gemma2');
    for (const options of [['q4_k_m'], ['q4_0', '--plain'], ['bf16']]) {
        const one = readFileSync(quantized('one.gguf', folder, ...options, '--threads', '1'));
        for (const n of ['2', '7'])
            assert.deepEqual(readFileSync(quantized('more.gguf', folder, ...options, '--threads', n)), one,
                `${options} by ${n}`);
    }
});

test('a GGUF is quantised again: metadata stay, but for the type, and weights keep their values', () => {
    for (const shape of ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3', 'tiny-low-bits']) {
        // made by others; holds every type that the engine reads
        const input = join(ROOT, `tests/golden/${shape}.gguf`);
        const before = readGguf(input), after = readGguf(quantized('again.gguf', input, 'q8_0'));
        const {'general.file_type': type, 'general.quantization_version': version, ...rest} = after.metadata;
        assert.deepEqual({type, version}, {type: 7, version: 2});
        assert.deepEqual(rest, Object.fromEntries(Object.entries(before.metadata)
            .filter(([key]) => key in rest)));
        assert.deepEqual(Object.keys(after.tensors).sort(), Object.keys(before.tensors).sort());
        for (const [name, {shape}] of Object.entries(after.tensors))
            assert.deepEqual(shape, before.tensors[name].shape);
        const tokens = [2, 300, 400, 500], read = logits(input, tokens, '--exact');
        assert.deepEqual(logits(quantized('floats.gguf', input, 'f32'), tokens, '--exact'), read);
    }
});

test('types that are only read stay where they are, and are refused elsewhere', () => {
    const input = join(ROOT, 'tests/golden/tiny-low-bits.gguf'),
        kept = ['--tensor-type', '^blk.0.attn_k=q3_k', '--tensor-type', 'attn_v=iq4_nl'];
    const before = readGguf(input), out = quantized('kept.gguf', input, 'q4_k', ...kept),
        after = readGguf(out);
    assert.equal(typeOf(out, 'blk.1.attn_k.weight'), 'Q4_K');
    for (const [name, type] of [['blk.0.attn_k.weight', 'Q3_K'], ['blk.2.attn_v.weight', 'IQ4_NL']]) {
        assert.equal(typeOf(out, name), type);
        const bytes = ({bytes, tensors}) => bytes.subarray(tensors[name].offset,
            tensors[name].offset + 64 * 110);
        assert.deepEqual(bytes(after), bytes(before));
    }
    const {status, stderr} = quantize('--in', source, '--out', join(work, 'refused.gguf'), '--type', 'q4_k',
        '--tensor-type', 'ffn_up=q2_k');
    assert.equal(status, 1);
    assert.match(stderr, /Tensor blk\.0\.ffn_up\.weight should become Q2_K, which can't be written here/);
});

test('by way of a GGUF in bf16 comes the same file as directly', () => {
    for (const shape of SHAPES) {
        const folder = checkpoint(`way/${shape}`, shape), direct = quantized('direct.gguf', folder, 'q4_k_m');
        const viaGguf = quantized('via.gguf', quantized('middle.gguf', folder, 'bf16'), 'q4_k_m');
        assert.deepEqual(readFileSync(viaGguf), readFileSync(direct));
    }
});

test('--plain rounds to nearest; the search comes closer', () => {
    const error = (...options) => {
        const {stdout} = quantize('--in', source, '--out', join(work, 'error.gguf'), '--type', 'q4_0',
            '--verify', ...options);
        const found = [...stdout.matchAll(/^blk.*ffn_up.weight +Q4_0 +rms error (\S+),/gm)].map(
            ([, number]) => Number(number));
        assert.equal(found.length, 3);
        return found.reduce((a, b) => a + b) / 3;
    };
    const plain = error('--plain'), searched = error();
    assert.ok(searched > 0.03 && searched < 0.97 * plain && plain < 0.12, `${searched}, plain ${plain}`);
});

test('--verify: copies have no error', () => {
    const {stdout} = quantize('--in', source, '--out', join(work, 'copy.gguf'), '--type', 'bf16', '--verify');
    const errors = [...stdout.matchAll(/rms error (\S+), largest (\S+),/g)];
    assert.equal(errors.length, 29);
    for (const [, rms, most] of errors) assert.equal(Number(rms) + Number(most), 0);
});

test('on a terminal, progress is shown: bytes, rate, time left, tensor', (t) => {
    const big = checkpoint('big', 'gemma3-270m', '--layers', '2'), out = join(work, 'shown.gguf');
    const {error, status, stdout} = spawnSync('script',
        ['-qec', `${QUANTIZE} --in ${big} --out ${out} --type q6_k --threads 1`, '/dev/null'],
        {encoding: 'utf8'});
    if (error) return t.skip('there is no program "script" to make a terminal');
    assert.equal(status, 0);
    assert.match(stdout, /\rquantising +\d+ % +[\d.]+ of 0\.3\d GB, \d+ MB\/s, \d+ s left +\S+\.weight/);
});

test('--dry-run prints the plan and the size, and writes nothing', () => {
    const out = join(work, 'dry.gguf'),
        {status, stdout} = quantize('--in', source, '--out', out, '--type', 'q4_k_m', '--dry-run');
    assert.equal(status, 0);
    assert.match(stdout, /^token_embd\.weight +256 x 640 +BF16 -> Q6_K +134400 bytes$/m);
    assert.throws(() => readFileSync(out));
    const size = readFileSync(quantized('wet.gguf', source, 'q4_k_m')).length;
    assert.match(stdout, new RegExp(`^would write: 29 tensors, ${size} bytes$`, 'm'));
});

test('--imatrix: columns that count more become more exact', () => {
    const matters = new Set([3, 40, 41, 100, 200]), name = 'blk.1.ffn_up.weight',
        imatrix = join(work, 'imatrix.gguf');
    writeImatrix(imatrix, [name], 256, matters);
    const exact = quantized('exact.gguf', source, 'f32');
    const values = (path) => {
        const model = quantized('decoded.gguf', path, 'f32'), {tensors, bytes} = readGguf(model),
            {offset, shape} = tensors[name];
        return new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset
            + 4 * shape[0] * shape[1]));
    };
    const x = values(exact);
    const error = (...options) => values(quantized('weighted.gguf', source, 'q4_0', ...options))
        .reduce((sum, y, i) => sum + (matters.has(i % 256) ? (y - x[i]) ** 2 : 0), 0);
    const without = error(), weighted = error('--imatrix', imatrix);
    assert.ok(weighted < 0.8 * without, `${weighted} with, ${without} without`);
});

test('--imatrix: the file records it as llama-quantize does, and keeps it when quantised again', () => {
    const keys = (path) => Object.fromEntries(Object.entries(readGguf(path).metadata)
        .filter(([key]) => key.startsWith('quantize.')));
    const imatrix = join(work, 'told.gguf'), other = join(work, 'other.gguf'),
        names = ['blk.0.attn_q.weight', 'blk.1.ffn_up.weight', 'blk.2.ffn_up.weight'];
    const datasets = ['string', ['wiki.txt', 'more.txt']];
    writeImatrix(imatrix, names, 256, new Set(), {
        'imatrix.datasets': datasets, 'imatrix.chunk_count': ['u32', 12], 'imatrix.chunk_size': ['u32', 512],
    });
    writeImatrix(other, names.slice(1), 256, new Set());
    const model = quantized('with.gguf', source, 'q4_0', '--imatrix', imatrix);
    const expected = {
        'quantize.imatrix.file': imatrix, 'quantize.imatrix.dataset': 'wiki.txt',
        'quantize.imatrix.entries_count': 3, 'quantize.imatrix.chunks_count': 12,
    };
    assert.deepEqual(keys(model), expected);
    assert.deepEqual(keys(quantized('again.gguf', model, 'q8_0')), expected);
    assert.deepEqual(keys(quantized('again.gguf', model, 'q4_0', '--imatrix', other)),
        {'quantize.imatrix.file': other, 'quantize.imatrix.entries_count': 2});
    assert.deepEqual(keys(quantized('without.gguf', source, 'q4_0')), {});
});
