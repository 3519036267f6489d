// compare and imatrix: the divergence between two models against one calculated here from their logits; an
// importance matrix against sums calculated here from the embeddings, and that build/quantize makes of it
// what it is for.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {before, test} from 'node:test';
import {readGguf} from '../quantize/gguf.js';
import {ROOT, logits, quantized, tokenize, work} from '../quantize/tools.js';

const GOLDEN = join(ROOT, 'tests/golden'), TEXT = join(GOLDEN, 'text.txt'),
    OTHER = join(GOLDEN, 'tiny-gemma2.gguf');
const MODEL = join(GOLDEN, 'tiny-gemma3.gguf'), N_VOCAB = 699, N_EMBD = 128, N_LAYER = 7, BOS = 2;
const CTX = 100;        // of a window: more than is evaluated in one batch, less than the text has

let coarse;             // the same weights in fewer bits
before(() => { coarse = quantized('coarse.gguf', MODEL, 'q4_0'); });

const run = (...args) => spawnSync(process.execPath, [join(ROOT, 'web/node/cli.js'), ...args],
    {encoding: 'utf8'});

/** The stdout of a command that must succeed and say nothing else. */
function output(...args) {
    const {status, stdout, stderr} = run(...args);
    assert.deepEqual({status, stderr}, {status: 0, stderr: ''}, args.join(' '));
    return stdout;
}

const json = (...args) => JSON.parse(output(...args, '--json'));

/** The ids of each window. */
function windows(text) {
    const ids = tokenize(MODEL, text), all = [];
    for (let at = 0; at < ids.length; at += CTX - 1) all.push([BOS, ...ids.slice(at, at + CTX - 1)]);
    return all;
}

function logSoftmax(row) {
    const max = row.reduce((a, b) => Math.max(a, b)), sum = row.reduce((s, x) => s + Math.exp(x - max), 0);
    return Array.from(row, (x) => x - max - Math.log(sum));
}

const near = (a, b, what, tolerance = 1e-6) => assert.ok(Math.abs(a - b) <= tolerance * Math.abs(b),
    `${what}: ${a}, not ${b}`);

test('compare: a file differs from itself by nothing', () => {
    const {kl, top1, perplexity, tokens} = json('compare', MODEL, MODEL, '--text', TEXT);
    assert.deepEqual({kl, top1}, {kl: {mean: 0, p99: 0, max: 0}, top1: 1});
    const alone = json('perplexity', '--model', MODEL, '--text', TEXT);
    assert.equal(tokens, alone.tokens);
    for (const x of perplexity) near(x, alone.perplexity, 'perplexity');
});

test('compare: the divergence, agreement and perplexities that the logits of both files tell', () => {
    const text = join(work, 'text.txt'), kl = [], nll = [0, 0];
    writeFileSync(text, readFileSync(TEXT, 'utf8').slice(0, 700));
    let agreed = 0;
    const cut = windows(readFileSync(text));
    assert.ok(cut.length > 1);
    for (const ids of cut) {
        const rows = [MODEL, coarse].map((model) => logits(model, ids));
        for (let i = 0; i + 1 < ids.length; i++) {
            const [a, b] = rows.map((all) => logSoftmax(all.subarray(i * N_VOCAB, (i + 1) * N_VOCAB)));
            kl.push(a.reduce((sum, p, id) => sum + Math.exp(p) * (p - b[id]), 0));
            agreed += a.indexOf(Math.max(...a)) === b.indexOf(Math.max(...b));
            nll[0] -= a[ids[i + 1]];
            nll[1] -= b[ids[i + 1]];
        }
    }
    kl.sort((x, y) => x - y);
    const got = json('compare', MODEL, coarse, '--text', text, '--ctx', String(CTX)), n = kl.length;
    assert.equal(got.tokens, n);
    assert.ok(got.kl.mean > 1e-3 && got.top1 < 1, 'they differ');
    near(got.kl.mean, kl.reduce((s, x) => s + x, 0) / n, 'mean');
    near(got.kl.p99, kl[Math.ceil(0.99 * n) - 1], 'p99');
    near(got.kl.max, kl[n - 1], 'max');
    near(got.top1, agreed / n, 'top1');
    got.perplexity.forEach((x, i) => near(x, Math.exp(nll[i] / n), 'perplexity'));
    assert.match(output('compare', MODEL, coarse, '--text', text),
        /^KL divergence .*\nsame top token .*\nperplexity .*\nover \d+ tokens\n$/);
});

/** The floats of an F32 tensor. */
function tensor({tensors, bytes}, name) {
    const {type, shape, offset} = tensors[name], at = bytes.byteOffset + offset;
    assert.equal(type, 'F32', name);
    return new Float32Array(bytes.buffer.slice(at, at + 4 * shape.reduce((a, b) => a * b)));
}

/** Runs gemma imatrix over TEXT. @returns {string} the path of the file it wrote */
function collect(model) {
    const out = join(work, 'imatrix.gguf');
    output('imatrix', '--model', model, '--text', TEXT, '--out', out, '--ctx', String(CTX));
    return out;
}

test('imatrix: sums and counts of every matrix in the layers, as llama-imatrix writes them', () => {
    const exact = quantized('exact.gguf', MODEL, 'f32'), file = readGguf(collect(exact)),
        cut = windows(readFileSync(TEXT)), ids = cut.flat();
    assert.deepEqual(file.metadata, {
        'general.type': 'imatrix', 'imatrix.datasets': ['text.txt'], 'imatrix.chunk_count': cut.length,
        'imatrix.chunk_size': CTX,
    });
    const model = readGguf(exact), sums = (name) => tensor(file, `${name}.weight.in_sum2`);
    const matrices = Object.keys(model.tensors).filter((name) => name.startsWith('blk.')
        && model.tensors[name].shape.length === 2);
    assert.equal(matrices.length, 7 * N_LAYER);
    assert.deepEqual(Object.keys(file.tensors).sort(),
        matrices.flatMap((name) => [`${name}.in_sum2`, `${name}.counts`]).sort());
    for (const name of matrices) {
        assert.deepEqual([...tensor(file, `${name}.counts`)], [ids.length], name);
        const squares = tensor(file, `${name}.in_sum2`);
        assert.equal(squares.length, model.tensors[name].shape[0], name);
        assert.ok(squares.every((x) => Number.isFinite(x) && x > 0), name);
    }
    for (let i = 0; i < N_LAYER; i++) {
        for (const part of ['attn_k', 'attn_v'])
            assert.deepEqual(sums(`blk.${i}.${part}`), sums(`blk.${i}.attn_q`));
        assert.deepEqual(sums(`blk.${i}.ffn_up`), sums(`blk.${i}.ffn_gate`));
    }
    // What goes into the first layer is the embeddings, normed.
    const embd = tensor(model, 'token_embd.weight'), norm = tensor(model, 'blk.0.attn_norm.weight'),
        want = new Float64Array(N_EMBD);
    for (const id of ids) {
        const x = embd.subarray(id * N_EMBD, (id + 1) * N_EMBD).map((y) => y * Math.sqrt(N_EMBD));
        const mean = x.reduce((sum, y) => sum + y * y, 0) / N_EMBD;
        x.forEach((y, i) => { want[i] += (y * norm[i]) ** 2 / (mean + 1e-6); });
    }
    sums('blk.0.attn_q').forEach((x, i) => near(x, want[i], `column ${i}`, 1e-5));
});

test('imatrix: what build/quantize makes of it errs less where it matters', () => {
    const imatrix = collect(MODEL), name = 'blk.3.ffn_down.weight',
        importance = tensor(readGguf(imatrix), `${name}.in_sum2`);
    const weights = (path) => tensor(readGguf(quantized('decoded.gguf', path, 'f32')), name);
    const want = weights(MODEL);
    const error = (path) => weights(path).reduce((sum, x, i) => sum
        + importance[i % importance.length] * (x - want[i]) ** 2, 0);
    const weighted = error(quantized('weighted.gguf', MODEL, 'q4_0', '--imatrix', imatrix)),
        without = error(coarse);
    assert.ok(weighted < without, `${weighted} with, ${without} without`);
});

/** One sentence on stderr, nothing on stdout. */
function refuses(args, status, pattern) {
    const result = run(...args);
    assert.deepEqual({status: result.status, stdout: result.stdout}, {status, stdout: ''},
        `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, /^gemma: [^\n]+\n$/, args.join(' '));
    assert.match(result.stderr, pattern, args.join(' '));
}

test('wrong calls are told in one sentence', () => {
    const out = join(work, 'never.gguf'), none = join(work, 'none');
    refuses(['compare', '--text', TEXT], 2, /two model files/);
    refuses(['compare', MODEL, '--text', TEXT], 2, /two model files/);
    refuses(['compare', MODEL, MODEL, MODEL, '--text', TEXT], 2, /Unexpected word/);
    refuses(['compare', MODEL, MODEL], 2, /--text is needed/);
    refuses(['compare', MODEL, MODEL, '--text', TEXT, '--model', MODEL], 2, /Unknown option --model/);
    refuses(['compare', MODEL, MODEL, '--text', TEXT, '--ctx', '1'], 2, /--ctx 1/);
    refuses(['compare', MODEL, OTHER, '--text', TEXT], 1, /699.*656/);
    refuses(['compare', MODEL, none, '--text', TEXT], 1, /none/);
    refuses(['compare', MODEL, MODEL, '--text', none], 1, /none/);
    refuses(['imatrix', '--model', MODEL, '--text', TEXT], 2, /--out is needed/);
    refuses(['imatrix', '--model', MODEL, '--out', out], 2, /--text is needed/);
    refuses(['imatrix', '--model', MODEL, '--text', TEXT, '--out', out, '--json'], 2,
        /Unknown option --json/);
    refuses(['imatrix', '--model', MODEL, '--text', TEXT, '--out', out, '--ctx', '1'], 2, /--ctx 1/);
    refuses(['imatrix', '--model', MODEL, '--text', TEXT, '--out', join(none, 'a.gguf')], 1, /no such file/);
    writeFileSync(none, '');
    refuses(['imatrix', '--model', MODEL, '--text', none, '--out', out], 1, /none is empty/);
    assert.throws(() => readFileSync(out));
});

test('help names both', () => {
    for (const command of ['compare', 'imatrix'])
        assert.match(output('help'), new RegExp(`^  ${command} `, 'm'));
});
