// Workers that fall silent while they start workers of their own: who started them finds out, ends them, and
// goes on with one thread.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {Worker} from 'node:worker_threads';
import {watchStarts} from '../../web/base/starts.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
    LIBRARY = join(import.meta.dirname, '../../web/gemma.js');
const STARTS = join(import.meta.dirname, '../../web/base/starts.js');

/** A port whose messages the test sends. */
function fakePort() {
    const listeners = [];
    return {onMessage: (listener) => listeners.push(listener), postMessage() {},
        send: (message) => listeners.forEach((listener) => listener(message))};
}

test('silence counts while workers are started, and any message is a sign of life', (context) => {
    context.mock.timers.enable({apis: ['setInterval']});
    const port = fakePort(), tick = (ms) => context.mock.timers.tick(ms);
    let silent = 0;
    watchStarts(port, () => silent++, {beatMs: 10, beats: 3});
    tick(1000);
    port.send({ready: true});
    tick(1000);
    assert.equal(silent, 0, 'nothing is started yet');
    for (const message of [{starting: true}, {starting: true}, {id: 1, event: {}}, {id: 1, event: {}}]) {
        port.send(message);
        tick(20);
    }
    port.send({starting: false});
    tick(1000);
    assert.equal(silent, 0, 'the threads have started');
    port.send({starting: true});
    tick(30);
    assert.equal(silent, 1);
    port.send({starting: true});
    tick(1000);
    assert.equal(silent, 1, 'said once');
});

test('a watch that has ended says nothing, also of a worker that beats late', (context) => {
    context.mock.timers.enable({apis: ['setInterval']});
    const port = fakePort(), end = watchStarts(port, () => assert.fail('said'), {beatMs: 10, beats: 3});
    port.send({starting: true});
    end();
    port.send({starting: true});
    context.mock.timers.tick(1000);
});

/**
 * What a worker says while it does `work`, which starts workers.
 * @param {string} work
 * @param {(port: object, end: (what: any) => void) => void} listen
 */
async function whileWorking(work, listen) {
    const worker = new Worker(`void (async () => {
        const {whileStarting} = await import(${JSON.stringify(STARTS)}), {parentPort} = await import('node:worker_threads');
        await whileStarting(parentPort, async () => { ${work} });
    })();`, {eval: true});
    try {
        return await new Promise((resolve, reject) => {
            worker.on('error', reject);
            listen({onMessage: (listener) => worker.on('message', listener), postMessage() {}}, resolve);
        });
    } finally {
        await worker.terminate();
    }
}

test('a worker that waits for its workers beats, one that stands still does not', async () => {
    const said = [];
    await whileWorking('await new Promise((done) => setTimeout(done, 2500));',
        (port, end) => port.onMessage((message) => {
        said.push(message.starting);
        if (message.starting === false) end();
    }));
    assert.deepEqual([said[0], said.at(-1)], [true, false]);
    assert.ok(said.length > 2, `${said}`);
    const standing = await whileWorking('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);',
        (port, end) => watchStarts(port, () => end('silent'), {beatMs: 100, beats: 5}));
    assert.equal(standing, 'silent');
});

// In the engine's worker `new Worker` never returns; the page's timers are quick. That the process ends shows
// that no worker is left.
test('a model and a probe whose threads never start come with one thread, and leave no worker behind', () => {
    const preload = `const threads = require('node:worker_threads'), {setInterval: later} = globalThis;
        if (threads.isMainThread) globalThis.setInterval = (work, ms, ...more) => later(work, ms / 20, ...more);
        else threads.Worker = class { constructor() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); } };
        require('node:module').syncBuiltinESMExports();`;
    const program = `import {Gemma} from ${JSON.stringify(LIBRARY)};
        const {threads: probed, threadsFailed: failed, fits} = await Gemma.probe(${JSON.stringify(TINY)}, {threads: 4});
        const gemma = await Gemma.load(${JSON.stringify(TINY)}, {threads: 4}), {threads, threadsFailed} = gemma.info;
        const {tokens} = await (await gemma.session()).prompt('Hello', {raw: true, maxTokens: 8, sampling: {temperature: 0}}).result;
        const plain = await Gemma.load(${JSON.stringify(TINY)}, {threads: 1});
        const expected = await (await plain.session()).prompt('Hello', {raw: true, maxTokens: 8, sampling: {temperature: 0}}).result;
        console.log(JSON.stringify({probed, failed, fits, threads, threadsFailed, plain: plain.info.threadsFailed, same: String(tokens) === String(expected.tokens)}));
        gemma.close();
        plain.close();`;
    const file = join(mkdtempSync(join(tmpdir(), 'gemma-starts-')), 'preload.cjs');
    writeFileSync(file, preload);
    const {status, stdout, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8', timeout: 300_000, env: {...process.env, NODE_OPTIONS: `--require ${file}`}});
    rmSync(dirname(file), {recursive: true});
    assert.equal(stderr, '');
    assert.deepEqual({status, ...JSON.parse(stdout)}, {status: 0, probed: 1, failed: true, fits: true,
        threads: 1, threadsFailed: true, plain: false, same: true});
});
