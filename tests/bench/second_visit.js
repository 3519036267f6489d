// The second visit: how long the default model takes from IndexedDB to a loaded engine, against a bare loop
// that copies the same records into freshly grown shared wasm memory.
//
//   node tests/bench/second_visit.js [--rounds 5] [--model FILE]
//
// Owns: that one comparison. Must not know: other contenders.

import {basename, dirname} from 'node:path';
import {parseArgs} from 'node:util';
import {serve} from '../../web/node/server.js';
import {ensureModel} from '../../web/node/setup.js';
import {createVisitor} from './chromium.js';

const {values} = parseArgs({options: {rounds: {type: 'string', default: '5'}, model: {type: 'string'}}});
const model = values.model ?? await ensureModel(), url = `models/${encodeURIComponent(basename(model))}`;

/** Runs in a worker of the page, where IndexedDB is as near as it is to the engine. */
async function copyBarely(id) {
    const done = (request) => new Promise((resolve, reject) => Object.assign(request,
        {onsuccess: () => resolve(request.result), onerror: reject}));
    const start = performance.now();
    const db = await done(indexedDB.open('gemma-weights'));
    const {size, chunkSize} = await done(db.transaction('models').objectStore('models').get(id));
    const memory = new WebAssembly.Memory({initial: 1, maximum: 65536, shared: true});
    for (let index = 0; index * chunkSize < size; index++) {
        const record = await done(db.transaction('chunks').objectStore('chunks').get([id, index]));
        const bytes = await record.arrayBuffer(), at = memory.buffer.byteLength;
        memory.grow(Math.ceil(bytes.byteLength / 65536));
        new Uint8Array(memory.buffer, at, bytes.byteLength).set(new Uint8Array(bytes));
    }
    db.close();
    return performance.now() - start;
}

/** Runs in the page. */
async function load(id) {
    const {Gemma} = await import(new URL('gemma.js', location.href).href);
    const gemma = await Gemma.load(id), {loadMs} = gemma.info;
    gemma.close();
    return loadMs;
}

async function bare(page, id) {
    const [worker] = await Promise.all([
        new Promise((created) => page.once('workercreated', created)),
        page.evaluate(() => void (globalThis.benchWorker = new Worker('engine/worker.js', {type: 'module'}))),
    ]);
    const ms = await worker.evaluate(copyBarely, id);
    await page.evaluate(() => globalThis.benchWorker.terminate());
    return ms;
}

const visitor = await createVisitor(), server = await serve({port: 0, models: dirname(model)}), rows = [];
try {
    for (let round = 0; round <= Number(values.rounds); round++) {
        await visitor.visit(server.url, async (page) => {
            const id = new URL(url, server.url).href, row = {};
            for (const name of round % 2 ? ['bare', 'load'] : ['load', 'bare'])
                row[name] = await (name === 'bare' ? bare(page, id) : page.evaluate(load, id));
            if (round > 0) rows.push(row);      // the first one downloads
            return {};
        });
    }
} finally {
    await server.close();
    visitor.leave();
}
const median = (name) => rows.map((row) => row[name]).toSorted((a, b) => a - b)[Math.floor(rows.length / 2)];
console.table(rows.map((row) => Object.fromEntries(Object.entries(row)
    .map(([name, ms]) => [name, Math.round(ms)]))));
console.log(`load, hash and pack: ${Math.round(median('load'))} ms; bare copy: ${Math.round(median('bare'))} ms; ${(median('load') / median('bare')).toFixed(2)} times`);
