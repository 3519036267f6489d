// Memory that can't be had: the model opens with one thread, then with a smaller context, or says so with numbers.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {inspectModel, openModel} from '../../web/engine/open.js';
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

const need = async (threads, contextLength) => (await withSource((source) => inspectModel(source, {threads, contextLength}))).memoryBytes;

/** Opens the default model on a system that gives no memory whose maximum is more than `most` bytes. */
async function openWithin(most, options) {
    const {Memory} = WebAssembly;
    WebAssembly.Memory = class extends Memory {
        constructor(descriptor) {
            if (Number(descriptor.maximum) * 65536 > most + 65536) throw new RangeError('could not allocate memory');
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
    assert.ok(memoryBytes - announced < 65536 && announced <= memoryBytes, `${announced} announced, ${memoryBytes} had`);
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
    await assert.rejects(openWithin(most, {threads: 4, contextLength: 8192}), {code: 'no-memory', message: /^\d+ MB of memory are needed/});
});

test('what does not fit at all is told with numbers', async () => {
    await assert.rejects(openWithin(200 << 20, {threads: 2}), {code: 'no-memory', message: /^\d+ MB of memory are needed/});
});
