// Models beyond 4 GiB at small scale: keys and values for millions of tokens, of which nearly none are
// written, take addresses and no memory.
// With memory64 such a model opens and answers as ever; without, it is refused with numbers and the reason
// when its header is read.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {detectFeatures} from '../../web/engine/features.js';
import {SAMPLING} from '../../web/engine/generate.js';
import {inspectModel, openModel} from '../../web/engine/open.js';
import {ensureNode24} from '../setup/node24.js';

const CLI = join(import.meta.dirname, '../../web/node/cli.js');
// of 768 bytes each
const SMALL = join(import.meta.dirname, '../golden/tiny-gemma1.gguf'), CONTEXT = 7_000_000;
const GIB = 2 ** 30;

const work = mkdtempSync(join(tmpdir(), 'gemma-large-'));
after(() => rmSync(work, {recursive: true, force: true}));
const large = join(work, 'large.gguf');
{
    const file = readFileSync(SMALL), key = 'gemma.context_length', U32 = 4;
    const at = file.indexOf(key) + key.length;
    assert.equal(file.readUInt32LE(at), U32);
    file.writeUInt32LE(CONTEXT, at + 4);
    writeFileSync(large, file);
}

test('with memory64 a block of more than 4 GiB is had, and changes no text', () => {
    const generate = (model, ...options) => JSON.parse(execFileSync(ensureNode24(), [
        CLI, 'generate', '--model', model, '--prompt', 'The sea at night', '--max-tokens', '12',
        '--temperature', '0', '--json', ...options,
    ], {encoding: 'utf8'}));
    const {text, memoryBytes} = generate(large, '--ctx', String(CONTEXT));
    assert.equal(text, generate(SMALL).text);
    assert.ok(memoryBytes > 5 * GIB, `${memoryBytes}`);
});

/**
 * The model of `large`, as much of its context as makes `bytes`; the first tokens that it writes, greedily.
 */
async function writeWithin(bytes) {
    const file = readFileSync(large);
    const source = {name: 'large.gguf', size: file.length, async *chunks() { yield new Uint8Array(file); }};
    const need = async (contextLength) => (await inspectModel(source, {threads: 1, contextLength}))
        .memoryBytes;
    const [one, two] = [await need(1e6), await need(2e6)];
    const contextLength = bytes ? Math.floor(1e6 + (bytes - one) / (two - one) * 1e6) : 512;
    const {module, memory64, session} = await openModel(source,
        {threads: 1, contextLength, variant: 'simd128'});
    session.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
    session.sync(module.tokenize('The sea at night', {bos: true}));
    const ids = [];
    for (let i = 0; i < 8; i++) {
        while (session.step(256) > 0);
        ids.push(session.sample());
        session.push(ids.at(-1));
    }
    const {memoryBytes} = module;
    module.close();
    return {ids, memory64, memoryBytes};
}

test('memory of each size around the limits is had, and changes no token', async () => {
    const {ids} = await writeWithin(0), {memory64: has64} = await detectFeatures();
    for (const gib of [1.9, 2.1, 2.6, 3.9]) {
        const found = await writeWithin(gib * GIB);
        assert.ok(Math.abs(found.memoryBytes / GIB - gib) < 0.01, `${found.memoryBytes} for ${gib} GiB`);
        assert.deepEqual([found.memory64, found.ids], [false, ids], `${gib} GiB`);
    }
    if (!has64) return assert.rejects(writeWithin(4.1 * GIB), {code: 'no-memory'});
    const {memory64, ids: others} = await writeWithin(4.1 * GIB);
    assert.deepEqual([memory64, others], [true, ids]);
});

test('without, the model is refused before its weights are asked for, with the numbers and the reason',
    async () => {
    const file = readFileSync(large), CHUNK = 64 << 10;
    let given = 0;
    async function* chunks() {
        for (; given < file.length; given += CHUNK) yield new Uint8Array(file.subarray(given, given + CHUNK));
    }
    const opening = openModel({name: 'large.gguf', size: file.length, chunks},
        {memory64: false, contextLength: CONTEXT});
    await assert.rejects(opening, {
        code: 'no-memory',
        message: / 5\d\d\d MB .* 7000000 tokens.* 4032 MB .*memory64/,
    });
    assert.ok(given <= CHUNK, `${given} of ${file.length} bytes were asked for`);
});

test('a 7B is refused in one sentence by a Node without memory64', {skip: !process.version.startsWith('v20.')
    && 'Node 20 lacks it'}, () => {
    const {status, stdout, stderr} = spawnSync(process.execPath, [CLI, 'bench', '--shape', 'gemma-7b',
        '--type', 'q4_0'], {encoding: 'utf8'});
    assert.deepEqual({status, stdout}, {status: 1, stdout: ''});
    assert.match(stderr, /^gemma: .*4\d\d\d MB .*193 tokens.*4032 MB.*memory64[^\n]+\n$/);
});
