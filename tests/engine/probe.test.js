// Gemma.probe: what a model would do here, before it is downloaded. How near the estimates are is for a quiet
// machine (tests/bench); here it is that they are made, of the right things, and that no bytes and no sizes
// lead astray.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {after, before, test} from 'node:test';
import {Gemma, GemmaError} from '../../web/gemma.js';
import {detectFeatures} from '../../web/engine/features.js';
import {makeProbe} from '../../web/engine/open.js';
import {ensureModel} from '../../web/node/setup.js';
import {GgufFile, U32} from './gguf_edit.js';

const MODEL = await ensureModel();
const GOLDEN = join(import.meta.dirname, '../golden'), TINY = join(GOLDEN, 'tiny-gemma2.gguf');
const CLI = join(import.meta.dirname, '../../web/node/cli.js');
const bytes = readFileSync(MODEL), HEAD_BYTES = 256 * 1024;
const GEMMA_270M = {
    architecture: 'gemma3', layers: 18, embd: 640, heads: 4, kv: 1, dim: 256, ff: 2048, vocab: 262144,
    ctx: 32768, window: 512,
};
const GEMMA_7B = {
    architecture: 'gemma', layers: 28, embd: 3072, heads: 16, kv: 16, dim: 256, ff: 24576, vocab: 256000,
    ctx: 8192, window: 0,
};

const work = mkdtempSync(join(tmpdir(), 'gemma-probe-'));
after(() => rmSync(work, {recursive: true}));

/** Serves the default model, with and without ranges, and counts what it sends. */
let sent = 0, asked = [], tokens = new Set();
const server = createServer((request, response) => {
    asked.push(request.url);
    tokens.add(`${request.headers.host} ${request.headers['x-token']}`);
    const send = (status, headers, body) => {
        sent += body.length;
        response.writeHead(status, {'Content-Length': body.length, ...headers}).end(request.method === 'HEAD'
            ? undefined : body);
    };
    if (request.url === '/model.gguf.json')
        return send(200, {'Content-Type': 'application/json'}, Buffer.from(JSON.stringify(manifest())));
    if (request.url === '/web.gguf')
        return send(200, {'Content-Type': 'text/html'}, Buffer.from('<p>Sign in'));
    if (!['/model.gguf', '/whole.gguf', '/model.gguf.part-00000'].includes(request.url))
        return send(404, {}, Buffer.alloc(0));
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined || request.url === '/whole.gguf') {
        response.writeHead(200, {'Content-Length': bytes.length});
        let at = 0;
        const more = () => {
            while (at < bytes.length && !response.destroyed) {
                at += 65536;
                sent += 65536;
                if (!response.write(bytes.subarray(at - 65536, at))) return response.once('drain', more);
            }
            return response.end();
        };
        return more();
    }
    const part = bytes.subarray(Number(from), Number(to) + 1);
    return send(206, {'Content-Range': `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`},
        part);
});
let site;
before(() => new Promise((ready) => server.listen(0, '127.0.0.1', () => {
    site = `http://127.0.0.1:${server.address().port}`;
    ready();
})));
after(() => {
    server.closeAllConnections();
    server.close();
});

const CHUNK = 16 << 20;
const manifest = () => ({
    file: 'model.gguf', size: bytes.length, sha256: '0'.repeat(64), chunkSize: CHUNK,
    chunks: Array.from({length: Math.ceil(bytes.length / CHUNK)},
        (_, i) => ({sha256: '0'.repeat(64), file: `model.gguf.part-0000${i}`})),
});

async function probed(model, options) {
    [sent, asked] = [0, []];
    return Gemma.probe(model, options);
}

const features = await detectFeatures(), reader = await makeProbe(features, {});
after(() => reader.close());

/** What the engine plans from the first bytes of a file. */
function planOf(first, size = first.length, name = 'model.gguf') {
    reader.beginLoad(name, size);
    reader.estimate(first);
    return reader.plan();
}

test('the first 256 KB of the default model say its sizes, and about what it needs', () => {
    const {name, shape, guessed, weightBytes, bytesPerToken} = planOf(bytes.subarray(0, HEAD_BYTES),
        bytes.length);
    assert.equal(name, 'Gemma 3 270m');
    assert.deepEqual(shape, GEMMA_270M);
    assert.deepEqual(guessed, ['types']);
    const need = reader.memoryNeed(2, 0, 8192);
    reader.beginLoad('model.gguf', bytes.length);
    reader.push(bytes.subarray(0, 16 << 20));
    const whole = reader.plan();
    assert.deepEqual([whole.shape, whole.type, whole.guessed], [shape, 'q4_k', []]);
    for (const [guess, known] of [[weightBytes, whole.weightBytes], [bytesPerToken, whole.bytesPerToken],
        [need, reader.memoryNeed(2, 0, 8192)]])
        assert.ok(Math.abs(guess / known - 1) < 0.04, `${guess} for ${known}`);
});

test('a file of the disk: memory as inspect says, and speeds', async () => {
    const found = await Gemma.probe(MODEL, {threads: 2});
    const inspected = JSON.parse(execFileSync(process.execPath,
        [CLI, 'inspect', MODEL, '--threads', '2', '--json'], {encoding: 'utf8'}));
    assert.equal(found.fits, true);
    assert.equal(found.contextLength, 8192);
    assert.equal(found.threads, 2);
    assert.ok(Math.abs(found.memoryBytes / inspected.memoryBytes - 1) < 0.01,
        `${found.memoryBytes}, and inspect says ${inspected.memoryBytes}`);
    assert.ok(found.decode > 0 && found.prefill > found.decode, JSON.stringify(found));
});

test('every tiny model is judged, too: its weights are multiplied', async () => {
    for (const name of ['tiny-gemma1.gguf', 'tiny-gemma2.gguf', 'tiny-gemma3.gguf']) {
        const {fits, decode} = await Gemma.probe(join(GOLDEN, name));
        assert.ok(fits && decode > 0, name);
    }
});

test('an address: 256 KB are fetched and no more', async () => {
    const found = await probed(`${site}/model.gguf`);
    assert.equal(found.size, bytes.length);
    assert.deepEqual(found.shape, GEMMA_270M);
    assert.equal(sent, HEAD_BYTES);
});

test('a server without ranges: its answer is left after the first bytes', async () => {
    const found = await probed(`${site}/whole.gguf`);
    assert.equal(found.size, bytes.length);
    assert.deepEqual(asked, ['/whole.gguf']);
    assert.ok(sent < bytes.length / 4, `${sent} bytes were sent`);
});

test('the address of a manifest: its size, and the beginning of the first part', async () => {
    const found = await probed(`${site}/model.gguf.json`);
    assert.equal(found.size, bytes.length);
    assert.deepEqual(asked, ['/model.gguf.json', '/model.gguf.part-00000']);
});

test('headers of the caller go to the model\'s own origin alone', async () => {
    const elsewhere = site.replace('127.0.0.1', 'localhost');
    for (const [options, host, token] of [[{manifest: `${elsewhere}/model.gguf.json`}, elsewhere, undefined],
        [{}, site, 'x']]) {
        tokens.clear();
        await probed(`${site}/model.gguf`, {headers: {'X-Token': 'x'}, ...options});
        assert.deepEqual([...tokens], [`${new URL(host).host} ${token}`]);
    }
});

test('an entry of a catalogue: nothing is fetched; the slower one is the larger one', async () => {
    const urls = [`${site}/model.gguf`];
    const small = await probed({name: 'small', urls, size: bytes.length, shape: GEMMA_270M});
    const large = await probed({name: 'large', urls, size: 5012e6, type: 'q4_0', shape: GEMMA_7B});
    assert.deepEqual(asked, []);
    if (!(await detectFeatures()).memory64) {
        assert.equal(large.fits, false);
        assert.match(large.reasons[0], /needs \d+ MB .* at most \d+ MB here without memory64/);
        return;
    }
    assert.ok(large.fits && large.memory64, JSON.stringify(large));
    assert.ok(large.decode < small.decode / 4 && large.prefill < small.prefill / 4,
        `${large.decode} and ${small.decode}`);
});

test('what is too large is told in numbers, and loading it asks for no byte', async () => {
    const huge = {
        name: 'Huge', urls: [`${site}/model.gguf`], size: 40e9, type: 'q4_0',
        shape: {...GEMMA_7B, layers: 250},
    };
    const found = await probed(huge);
    assert.equal(found.fits, false);
    assert.match(found.reasons[0], / needs [\d]+ MB .* at most \d+ MB here\./);
    assert.equal(found.decode, undefined);
    await assert.rejects(Gemma.load(huge), {code: 'no-memory', message: /^This model needs \d+ MB/});
    assert.deepEqual(asked, []);
});

test('a manifest that announces too many weights is all that is fetched', async () => {
    const chunkSize = 256 << 20,
        huge = {
            ...manifest(), size: 40e9, chunkSize,
            chunks: Array.from({length: Math.ceil(40e9 / chunkSize)}, () => ({sha256: '0'.repeat(64)})),
        };
    asked = [];
    await assert.rejects(Gemma.load(`${site}/model.gguf`, {manifest: huge}),
        {code: 'no-memory', message: /^model\.gguf has 38147 MB; WebAssembly gives at most \d+ MB here/});
    assert.deepEqual(asked, []);
});

test('a model that only memory64 holds does not fit where it is forbidden', async () => {
    const found = await probed(
        {name: '7B', urls: [`${site}/model.gguf`], size: 5012e6, type: 'q4_0', shape: GEMMA_7B},
        {memory64: false});
    assert.equal(found.fits, false);
});

test('errors are sentences with codes', async () => {
    const writeTemporary = (name, content) => {
        writeFileSync(join(work, name), content);
        return join(work, name);
    };
    for (const [model, code, message] of [
        [`${site}/none.gguf`, 'not-found', /none\.gguf was not found/],
        [`${site}/web.gguf`, 'bad-file', /is a web page/],
        [join(work, 'none.gguf'), 'not-found', /There is no file/],
        [
            writeTemporary('text.gguf', 'Once upon a time, there was a text.'), 'bad-file',
            /is not a GGUF file/,
        ],
        [writeTemporary('empty.gguf', ''), 'bad-file', /is not a GGUF file/],
        [
            {name: 'odd', urls: [`${site}/model.gguf`], size: 1e9, shape: {...GEMMA_7B, heads: 1e9}},
            'unsupported', / sizes /,
        ],
        [
            {name: 'odd', urls: [`${site}/model.gguf`], size: 1e9, shape: {...GEMMA_7B, dim: '256 ff 1'}},
            'bad-argument', /An entry of a catalogue has/,
        ],
    ]) {
        await assert.rejects(Gemma.probe(model), (error) => error instanceof GemmaError && error.code === code
            && message.test(error.message), String(message));
    }
});

/** The tiny Gemma 2, changed. */
function changed(name, change) {
    const gguf = GgufFile.read(TINY);
    change(gguf);
    return gguf.write(join(work, name));
}

/** Serves a file by ranges while `body` runs. */
async function served(paths, body) {
    const files = Object.fromEntries(paths.map((path) => [`/${basename(path)}`, readFileSync(path)])),
        counted = {sent: 0};
    const host = createServer(({url, headers}, response) => {
        const file = files[url], [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
        if (!file) return response.writeHead(404).end();
        const part = file.subarray(Number(from), Number(to) + 1);
        counted.sent += part.length;
        return response.writeHead(206, {
            'Content-Length': part.length,
            'Content-Range': `bytes ${from}-${Number(from) + part.length - 1}/${file.length}`,
        }).end(part);
    });
    await new Promise((ready) => host.listen(0, '127.0.0.1', ready));
    try {
        return await body(paths.map((path) => `http://127.0.0.1:${host.address().port}/${basename(path)}`),
            counted);
    } finally {
        host.closeAllConnections();
        host.close();
    }
}

test('one tensor of a type that the engine does not read is named, also where the file says another type',
    async () => {
    for (const [tensor, type, typeName] of [['blk.1.ffn_down.weight', 23, 'IQ4_XS'],
        ['token_embd.weight', 39, 'MXFP4'], ['blk.2.attn_q.weight', 200, 'unknown'],
        ['output_norm.weight', 24, 'I8']]) {
        const path = changed(`${type}.gguf`, (g) => {
            g.set('general.file_type', U32, 15);
            g.tensor(tensor).type = type;
        });
        const refused = (error) => error instanceof GemmaError && error.code === 'unsupported'
            && error.message.includes(tensor) && error.message.includes(typeName);
        await assert.rejects(Gemma.probe(path), refused, typeName);
        await served([path], ([url]) => assert.rejects(Gemma.probe(url), refused, typeName));
    }
});

test('on the disk, a type is found behind the longest vocabulary', async () => {
    const path = changed('long.gguf', (g) => {
        for (let i = 0; i < 20000; i++) g.addToken(`<a token with a long name ${i}>`, 4);
        g.setRows(656 + 20000).tensors.at(-1).type = 23;
    });
    assert.deepEqual(planOf(readFileSync(path).subarray(0, HEAD_BYTES), 1e6).guessed, ['types']);
    await assert.rejects(Gemma.probe(path), {code: 'unsupported', message: /as IQ4_XS/});
});

test('a type is found in any of a model\'s parts', async () => {
    const parts = [1, 2, 3].map((i) => changed(`odd-0000${i}-of-00003.gguf`, (g) => {
        g.set('split.no', U32, i - 1).set('split.count', U32, 3).set('split.tensors.count', U32,
            g.tensors.length);
        if (i > 1) g.metadata.forEach((_, key) => key.startsWith('split.') || g.drop(key));
        g.tensors = g.tensors.slice((i - 1) * 10, i < 3 ? i * 10 : undefined);
        if (i === 3) g.tensors.at(-1).type = 23;
    }));
    await assert.rejects(Gemma.probe(parts[0]), {code: 'unsupported', message: /as IQ4_XS/});
    await served(parts, ([url]) => assert.rejects(Gemma.probe(url),
        {code: 'unsupported', message: /as IQ4_XS/}));
});

test('ignored tensors may be of any type; general.file_type counts only for unseen tensors', async () => {
    const path = changed('vision.gguf', (g) => {
        g.metadata = new Map([['general.file_type', [U32, 30]], ...g.metadata]);
        g.tensors.push({name: 'v.blk.0.attn_q.weight', dims: [32], type: 200, data: Buffer.alloc(64)});
    });
    assert.equal((await Gemma.probe(path)).fits, true);
    const whole = readFileSync(path);
    assert.throws(() => planOf(whole.subarray(0, 4096), whole.length),
        {code: 'unsupported', message: /file_type 30/});
});

test('what a beginning is silent about is what the Gemma of its sizes has', () => {
    const shapeOf = ([layers, embd]) => {
        const whole = readFileSync(changed('silent.gguf', (g) => {
            g.metadata = new Map([...g.metadata].map(([key, value]) =>
                [key.replace('gemma2.', 'gemma3.'), value]));
            g.set('general.architecture', 8, 'gemma3').set('gemma3.block_count', U32, layers)
                .set('gemma3.embedding_length', U32, embd);
            g.drop('gemma3.attention.key_length', 'gemma3.attention.value_length',
                'gemma3.attention.sliding_window', 'gemma3.rope.dimension_count');
        }));
        return planOf(whole.subarray(0, 4096), 1e9).shape;
    };
    assert.deepEqual([[18, 640], [26, 1152], [34, 2560], [48, 3840], [62, 5376]].map(shapeOf)
        .map(({dim, window}) => [dim, window]),
        [[256, 512], [256, 512], [256, 1024], [256, 1024], [128, 1024]]);
});

test('at most 1 MB of an address is fetched, for any header; the rest is in `guessed`', async () => {
    const later = /block_count|length|head|window|rms|softcap/;
    for (const [first, vocabulary, guessed] of [['tokens', 20000 + 656, ['sizes', 'types']],
        ['template', 256000, ['sizes', 'vocabulary', 'types']]]) {
        const path = changed(`${first}-first.gguf`, (g) => {
            for (let i = 0; i < 20000; i++)
                g.addToken(`<a token with a name that is as long as no other one ${i}>`, 4);
            g.setRows(656 + 20000);
            if (first === 'template')
                g.metadata = new Map([...g.metadata].slice(0, 1)
                    .concat([['tokenizer.chat_template', [8, '{{ x }}'.repeat(2e5)]]],
                        [...g.metadata].slice(1)));
            const all = [...g.metadata];
            g.metadata = new Map([
                ...all.filter(([key]) => !later.test(key)), ...all.filter(([key]) => later.test(key)),
            ]);
        });
        await served([path], async ([url], host) => {
            const found = await Gemma.probe(url);
            assert.deepEqual([found.guessed, found.shape.vocab], [guessed, vocabulary]);
            assert.equal(found.shape.architecture, 'gemma2');
            assert.ok(found.fits && found.decode > 0 && found.reasons.length >= guessed.length - 1,
                JSON.stringify(found));
            assert.equal(host.sent, 2 ** 20);
        });
        assert.deepEqual((await Gemma.probe(path)).guessed, []);
    }
});

test('a probe is ended by its signal', async () => {
    const ending = new AbortController();
    const probing = Gemma.probe(MODEL, {signal: ending.signal});
    setTimeout(() => ending.abort(), 50);
    await assert.rejects(probing, {name: 'AbortError'});
});

test('hostile first bytes: an answer or a sentence, never anything else', () => {
    let state = 20260101;
    const random = (n) => {
        state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 >>> 0;
        return state % n;
    };
    const original = readFileSync(TINY).subarray(0, 4096);
    let sentences = 0;
    for (let round = 0; round < 3000; round++) {
        const odd = Buffer.from(original.subarray(0, random(3) ? original.length : random(original.length)));
        for (let i = random(8); i >= 0 && odd.length; i--)
            odd[random(Math.min(odd.length, random(2) ? 64 : odd.length))] = [
                0, 255, 127, random(256),
            ][random(4)];
        try {
            planOf(odd, odd.length + random(2) * 1e6, 'odd.gguf');
        } catch (error) {
            assert.ok(error instanceof GemmaError, error.stack);
            sentences++;
        }
    }
    assert.ok(sentences > 1000, `${sentences} sentences`);
});

test('the command line says the same, also of an entry in a file; without a file it is a usage error', () => {
    const entry = join(work, 'entry.json');
    writeFileSync(entry, JSON.stringify({name: 'Gemma 3 270M', size: bytes.length, shape: GEMMA_270M}));
    const run = (...args) => execFileSync(process.execPath, [CLI, 'probe', ...args], {encoding: 'utf8'});
    assert.match(run(MODEL),
        /^Gemma 3 270m: fits \(253 MB, .*\)\nabout \d+ tokens\/s of prefill and [\d.]+ of decode\n.* MB of memory with a context of 8192\n/);
    assert.equal(JSON.parse(run(entry, '--json')).fits, true);
    assert.equal(spawnSync(process.execPath, [CLI, 'probe']).status, 2);
});
