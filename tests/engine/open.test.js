// Memory that can't be had: the model opens with one thread, then with a smaller context, or says so
// with numbers.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startInstance} from '../../web/engine/instance.js';
import {inspectModel, openModel, openSynthetic, waysToRun} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModel} from '../../web/node/setup.js';

const GROWTH = 64 << 20;
const path = await ensureModel();

async function withSource(body) {
    const source = await openSource({kind: 'path', path});
    try {
        return await body(source);
    } finally {
        source.close();
    }
}

const need = async (threads, contextLength) => (await withSource((source) => inspectModel(source,
    {threads, contextLength}))).memoryBytes;

/** Opens the default model on a system that gives no memory whose maximum is more than `most` bytes. */
async function openWithin(most, options) {
    const {Memory} = WebAssembly;
    WebAssembly.Memory = class extends Memory {
        constructor(descriptor) {
            if (Number(descriptor.maximum) * 65536 > most + 65536)
                throw new RangeError('could not allocate memory');
            super(descriptor);
        }
    };
    try {
        const {module, threads, contextLength} = await withSource((source) => openModel(source, options));
        const {memoryBytes} = module;
        module.close();
        return {threads, contextLength, memoryBytes};
    } finally {
        WebAssembly.Memory = Memory;
    }
}

test('memory stays what was announced', async () => {
    const announced = await need(2, 8192);
    const {memoryBytes} = await openWithin(Infinity, {threads: 2});
    assert.ok(memoryBytes - announced < 65536 && announced <= memoryBytes,
        `${announced} announced, ${memoryBytes} had`);
});

test('a large memory grows to its maximum', async () => {
    // Pages that are never written cost nothing.
    const bytes = 1536 << 20, {emscripten} = await startInstance({kernels: 'simd128', memory64: false, bytes, threads: 1});
    assert.ok(emscripten._gx_scratch(bytes + GROWTH - (4 << 20)) > 0);
    assert.ok(emscripten._gx_scratch(bytes + GROWTH + (4 << 20)) <= 0);
});

test('first to go are the threads', async () => {
    const {threads, contextLength} = await openWithin(await need(1, 8192) + GROWTH, {threads: 4});
    assert.deepEqual({threads, contextLength}, {threads: 1, contextLength: 8192});
});

test('then the context is halved until it fits', async () => {
    const {threads, contextLength} = await openWithin(await need(1, 2048) + GROWTH, {threads: 4});
    assert.deepEqual({threads, contextLength}, {threads: 1, contextLength: 2048});
});

test('a context that was asked for is not made smaller', async () => {
    const most = await need(1, 2048) + GROWTH;
    await assert.rejects(openWithin(most, {threads: 4, contextLength: 8192}),
        {code: 'no-memory', message: /^\d+ MB of memory could not be allocated/});
});

test('what does not fit at all is told with numbers', async () => {
    await assert.rejects(openWithin(200 << 20, {threads: 2}),
        {code: 'no-memory', message: /^\d+ MB of memory could not be allocated/});
});

test('there is memory for the sessions that were asked for, also where their contexts are short', async () => {
    const sessions = 8, contextLength = 200, {module, session} = await openSynthetic(
        {shape: 'gemma3-270m', type: 'q4_0'}, {threads: 2, contextLength, sessions});
    const all = [session, ...Array.from({length: sessions - 1}, () => module.newSession(contextLength))];
    for (const [i, one] of all.entries()) {
        one.sync(Array.from({length: contextLength}, (_, k) => 10 + i + k));
        while (one.step(128) > 0);
    }
    module.close();
});

test('the memory may grow for further sessions: as many as are asked for, or as a device of its size has',
    () => {
    const SESSION = 10 * 2 ** 20, MODEL = 100 * 2 ** 20,
        features = {simd128: true, relaxed: true, shared: true, memory64: false, isolated: true,
            cores: 4, dot: 'i32'};
    const ways = (options, most = 2 ** 32) => [...waysToRun(features, {contextLength: 1024, ...options},
        {trainedContext: 1024, nEmbd: 64},
        (threads, contextLength) => MODEL + SESSION * contextLength / 1024, () => most)];
    const spare = (...about) => Math.round(ways(...about)[0].spare / SESSION);
    assert.deepEqual([1, 2, 8].map((sessions) => spare({sessions})), [0, 1, 7]);
    const {navigator} = globalThis;
    for (const [deviceMemory, expected] of [[undefined, 3], [8, 3], [4, 3], [2, 1]]) {
        Object.defineProperty(globalThis, 'navigator', {value: {deviceMemory}, configurable: true});
        try {
            assert.equal(spare({}), expected, `${deviceMemory} GB`);
        } finally {
            Object.defineProperty(globalThis, 'navigator', {value: navigator, configurable: true});
        }
    }
    assert.equal(spare({sessions: 100}, MODEL + 5 * SESSION), 4, 'no more than an address can reach');
    for (const sessions of [0, -1, 1.5, NaN, Infinity, '3', null])
        assert.throws(() => ways({sessions}), {code: 'bad-argument'}, String(sessions));
});
