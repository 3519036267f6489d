// What source.test.js does inside a real browser's page: loads files as the engine would, looks into the
// store, damages it.

import {openSource} from '/weights/source.js';
import {ChunkStore} from '/weights/store/store.js';
import * as stored from '/weights/stored.js';

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
const {subtle} = crypto;      // some tests take it away
const sha256 = async (bytes) => hex(await subtle.digest('SHA-256', bytes));

globalThis.page = {...stored};

/**
 * Reads a source to its end, or leaves it after `take` chunks as an engine does that refuses the file, or
 * aborts after `abortAfter` chunks, at once or `abortDelay` milliseconds later.
 * @returns what a test can compare
 */
page.load = async (source, {take = Infinity, abortAfter = Infinity, abortDelay = 0, onReport = () => {},
    ...more} = {}) => {
    const stopping = new AbortController();
    const progress = [];
    const chunks = [];
    let opened;
    try {
        const description = typeof source === 'string'
            ? {kind: 'url', url: new URL(source, location).href, ...more}
            : {kind: 'file', file: source, ...more};
        opened = await openSource(description,
            {signal: stopping.signal, onProgress: (report) => { progress.push(report); onReport(report); }});
        const reading = opened.chunks(stopping.signal);
        while (chunks.length < take) {
            const {value, done} = await reading.next();
            if (done) break;
            chunks.push({length: value.length, buffer: value.buffer.byteLength, sha256: await sha256(value)});
            await page.onChunk?.(chunks.length);
            if (chunks.length === abortAfter && !abortDelay) stopping.abort();
            if (chunks.length === abortAfter && abortDelay) setTimeout(() => stopping.abort(), abortDelay);
        }
        return {name: opened.name, size: opened.size, chunks, progress};
    } catch ({name, code, message}) {
        return {error: {name, code, message}, chunks, progress};
    } finally {
        opened?.close();
    }
};

/** What `ask` does in one transaction; resolves when that is on disk. */
async function database(mode, ask) {
    const db = await new Promise((resolve, reject) => Object.assign(indexedDB.open('gemma-weights'),
        {onsuccess: (event) => resolve(event.target.result), onerror: reject}));
    try {
        const transaction = db.transaction(['models', 'chunks', 'digests'], mode);
        const requests = ask((name) => transaction.objectStore(name));
        await new Promise((resolve, reject) => Object.assign(transaction,
            {oncomplete: resolve, onabort: reject}));
        return requests;
    } finally {
        db.close();
    }
}

/** Everything that is in the database. */
page.stored = async () => {
    (await ChunkStore.open()).close();      // makes it when it is not there
    const [models, keys, records, digestKeys, digests] = (await database('readonly', (store) => [
        store('models').getAll(), store('chunks').getAllKeys(), store('chunks').getAll(),
        store('digests').getAllKeys(), store('digests').getAll(),
    ])).map(({result}) => result);
    const chunks = [];
    for (const [i, key] of keys.entries()) {
        const bytes = await records[i].arrayBuffer(),
            at = digestKeys.findIndex((other) => indexedDB.cmp(key, other) === 0);
        chunks.push({
            index: key[1], kind: records[i].constructor.name, length: bytes.byteLength,
            sha256: await sha256(bytes), digest: hex(digests[at]),
        });
    }
    return {models, chunks, digests: digestKeys.map(([, index]) => index)};
};

/** Spoils what is stored of chunk `index`. */
page.damage = async (url, index, how) => {
    const key = [new URL(url, location).href, index];
    const {result: record} = await database('readonly', (store) => store('chunks').get(key)),
        bytes = new Uint8Array(await record.arrayBuffer());
    if (how === 'flipped') bytes[12345] ^= 1;
    await database('readwrite', (store) => {
        if (how === 'lost') return store('chunks').delete(key);
        if (how === 'both lost') {
            store('digests').delete(key);
            return store('chunks').delete(key);
        }
        if (how === 'bad digest') return store('digests').put(new ArrayBuffer(32), key);
        if (how === 'no digest') return store('digests').put(new ArrayBuffer(0), key);
        if (how === 'not bytes') return store('chunks').put('text', key);
        return store('chunks').put(new Blob([how === 'shorter' ? bytes.subarray(0, 1000) : bytes]), key);
    });
};

/** The store as on the first visit. */
page.clear = () => new Promise(
    (resolve, reject) => Object.assign(indexedDB.deleteDatabase('gemma-weights'), {
        onsuccess: resolve, onerror: reject,
        onblocked: () => reject(new Error('somebody has not closed the store')),
    }));
