// golden.test.js: the engine computes what llama.cpp computes. The command line runs the tiny models of all
// three architectures (every weight type among them) and the real Gemma 3 270M; the files beside this one
// hold llama.cpp's answers (README.md here).

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {openModel} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModel} from '../../web/node/setup.js';
import {ensureNode24} from '../setup/node24.js';

const here = import.meta.dirname;
const cli = join(here, '../../web/node/cli.js');
const work = mkdtempSync(join(tmpdir(), 'golden-'));
after(() => rmSync(work, {recursive: true}));

let node;
before(async () => { node = await ensureNode24(); });

const golden = (name) => JSON.parse(readFileSync(join(here, `${name}.json`), 'utf8'));
const floats = (buffer) => new Float32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);

/** Our logits, Float32Array [tokens.length * n_vocab]. */
function ourLogits(model, tokens, options) {
    const ids = join(work, 'ids'), out = join(work, 'logits');
    writeFileSync(ids, tokens.join(' '));
    execFileSync(node, [cli, 'logits', '--model', model, '--tokens-file', ids, '--out', out, ...options],
        {stdio: ['ignore', 'ignore', 'inherit']});
    return floats(readFileSync(out));
}

function logSumExp(x) {
    let max = -Infinity, sum = 0;
    for (const v of x) max = Math.max(max, v);
    for (const v of x) sum += Math.exp(v - max);
    return max + Math.log(sum);
}

const argmax = (x) => x.reduce((best, v, i) => v > x[best] ? i : best, 0);

/** KL(p || q) in nats, of two rows of logits. */
function divergence(p, q) {
    const lp = logSumExp(p), lq = logSumExp(q);
    return p.reduce((sum, v, i) => sum + Math.exp(v - lp) * (v - lp - q[i] + lq), 0);
}

function compareTiny(name, options) {
    const {tokens, positions, n_vocab} = golden(name);
    const ours = ourLogits(join(here, `${name}.gguf`), tokens, options);
    const theirs = floats(readFileSync(join(here, `${name}.bin`)));
    let max = -Infinity, min = Infinity, diff = 0, kl = 0;
    for (const v of theirs) { max = Math.max(max, v); min = Math.min(min, v); }
    positions.forEach((position, i) => {
        const p = theirs.subarray(i * n_vocab, (i + 1) * n_vocab),
            q = ours.subarray(position * n_vocab, (position + 1) * n_vocab);
        q.forEach((v, j) => { diff = Math.max(diff, Math.abs(v - p[j])); });
        kl += divergence(p, q) / positions.length;
    });
    return {diff: diff / (max - min), kl};
}

for (const name of ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3', 'tiny-low-bits']) {
    // llama.cpp's gelu goes through a table of halves: that alone makes differences of some 1e-4 of
    // the range.
    test(`${name}: --exact agrees with llama.cpp in f32`, () => {
        const {diff} = compareTiny(name, ['--exact']);
        assert.ok(diff <= 1e-3, `largest difference is ${diff} of the logits' range`);
    });
    for (const variant of ['simd128', 'relaxed']) {
        // The same int8 idea as llama.cpp's: so its own distance from f32 is the measure (ours was 0.5 to 0.7
        // of its KL when this was written).
        test(`${name}: ${variant} is no further from f32 than llama.cpp's own quantised run`, () => {
            const {llama} = golden(name);
            const {diff, kl} = compareTiny(name, ['--variant', variant]);
            assert.ok(diff <= 1.5 * llama.max_diff_of_range,
                `largest difference ${diff}, llama.cpp's ${llama.max_diff_of_range}`);
            assert.ok(kl <= 1.05 * llama.mean_kl, `KL ${kl}, llama.cpp's ${llama.mean_kl}`);
        });
    }
}

/** The rows of NAME.bin: log-sum-exp, then the best ids and their log-probabilities. */
function* storedRows(name, n_top) {
    const bytes = readFileSync(join(here, `${name}.bin`)), size = 4 + 8 * n_top;
    for (let at = 0; at < bytes.length; at += size) {
        const row = bytes.subarray(at, at + size);
        const ids = Array.from({length: n_top}, (_, i) => row.readUInt32LE(4 + 4 * i));
        yield {ids, logProbs: ids.map((_, i) => row.readFloatLE(4 + 4 * n_top + 4 * i))};
    }
}

for (const variant of ['simd128', 'relaxed']) {
    test(`Gemma 3 270M, ${variant}: as near to f32 as llama.cpp's own quantised run`,
        {timeout: 6_000_000}, async () => {
        const {tokens, n_top, llama} = golden('gemma3-270m');
        const ours = ourLogits(await ensureModel(), tokens, ['--variant', variant]);
        const n_vocab = ours.length / tokens.length;
        let kl = 0, top1 = 0, nll = 0, i = 0;
        for (const {ids, logProbs} of storedRows('gemma3-270m', n_top)) {
            const row = ours.subarray(i * n_vocab, (i + 1) * n_vocab), lse = logSumExp(row);
            let p = 0, q = 0;
            ids.forEach((id, k) => {
                kl += Math.exp(logProbs[k]) * (logProbs[k] - row[id] + lse) / tokens.length;
                p += Math.exp(logProbs[k]);
                q += Math.exp(row[id] - lse);
            });
            kl += (1 - p) * Math.log((1 - p) / (1 - q)) / tokens.length;
            top1 += (argmax(row) === ids[0]) / tokens.length;
            if (++i < tokens.length) nll += (lse - row[tokens[i]]) / (tokens.length - 1);
        }
        const perplexity = Math.exp(nll);
        assert.ok(kl <= 1.05 * llama.mean_kl, `mean KL ${kl}, llama.cpp's ${llama.mean_kl}`);
        assert.ok(top1 >= llama.top1 - 0.01, `top-1 agreement ${top1}, llama.cpp's ${llama.top1}`);
        assert.ok(Math.abs(perplexity / llama.perplexity_f32 - 1) <= 0.012,
            `perplexity ${perplexity}, in f32 ${llama.perplexity_f32}`);
    });
}

// Past the window of the local layers, three times which the text is long: a window that is off by a token, a
// ring that loses a block or a wrong RoPE of one kind of layers shows only here. llama.cpp's quantised run is
// as far from f32 as its KL says; ours may be no further by more than 5 %.
// (It was 0.0014 where llama.cpp's is 0.0031.) The next token's -log p may be off by 1, twice the most
// that was seen.
test('Gemma 3 270M, 1,500 tokens, past its window: as near to f32 as the quantised run of llama.cpp',
    {timeout: 6_000_000}, async () => {
    const name = 'gemma3-270m-long', {tokens, n_top, first, nll, llama} = golden(name), BATCH = 250;
    const source = await openSource({kind: 'path', path: await ensureModel()});
    const {module, session} = await openModel(source, {contextLength: 1536, threads: 2});
    source.close();
    const stored = [...storedRows(name, n_top)], all = tokens.length, n = all - first;
    assert.ok(all === 1500 && stored.length === all && nll.length === all - 1 && n > 900);
    session.sync(tokens);
    let kl = 0, top1 = 0, ours = 0, theirs = 0, worst = 0;
    for (let at = 0, end; at < all; at = end) {
        end = all - session.step(BATCH);
        for (let i = Math.max(at, first); i < end; i++) {
            session.logitsAt(i - at);
            const {ids, logProbs} = stored[i];
            const logProb = ids.map((id) => -session.nll(id));
            let p = 0, q = 0;
            ids.forEach((_, k) => {
                kl += Math.exp(logProbs[k]) * (logProbs[k] - logProb[k]) / n;
                p += Math.exp(logProbs[k]);
                q += Math.exp(logProb[k]);
            });
            if (p < 1 && q < 1) kl += (1 - p) * Math.log((1 - p) / (1 - q)) / n;
            top1 += (session.logprobs(ids[0], 1).top[0].id === ids[0]) / n;
            if (i + 1 === all) continue;
            const one = session.nll(tokens[i + 1]);
            ours += one / (n - 1);
            theirs += nll[i] / (n - 1);
            worst = Math.max(worst, Math.abs(one - nll[i]));
        }
    }
    module.close();
    assert.ok(kl <= 1.05 * llama.mean_kl, `mean KL ${kl}, llama.cpp's ${llama.mean_kl}`);
    assert.ok(top1 >= llama.top1 - 0.01, `top-1 agreement ${top1}, llama.cpp's ${llama.top1}`);
    assert.ok(Math.abs(Math.exp(ours - theirs) - 1) <= 0.012,
        `perplexity ${Math.exp(ours)}, in f32 ${Math.exp(theirs)}`);
    assert.ok(worst <= 1, `a token's -log p is off by ${worst}`);
});
