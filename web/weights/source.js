// Where a model's bytes come from: a file of the user's, the chunk store, or the network by way of the store.
//
// Owns the order of things: what is stored is never fetched again, what is fetched goes to the engine and to the store
// in one pass, and at most four chunks are held at any time. Knows neither GGUF nor the engine.

import {openRemote} from './http.js';
import {createMeter} from './progress.js';
import {ChunkStore, CHUNK_SIZE} from './store.js';

/**
 * @typedef {{kind: 'url', url: string, headers?: Record<string, string>} | {kind: 'file', file: Blob}} SourceDescription
 *     a url is absolute
 *
 * @typedef {object} Source
 * @property {string} name     file name, for people
 * @property {number} size     bytes
 * @property {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>} chunks   the bytes in file order, each chunk at most
 *     16 MiB and the consumer's until it asks for the next; to be called once. A chunk is stored only after the
 *     consumer came back for the next one, so nothing is kept of a file whose header the engine refuses.
 * @property {() => void} close   ends requests, lets go of the store
 */

/** Chunks that are under way while the consumer works on another. */
const READ_AHEAD = 2;

/**
 * @param {SourceDescription} description
 * @param {{signal?: AbortSignal, onProgress?: (progress: import('./progress.js').Progress) => void}} [options]
 * @returns {Promise<Source>}   rejects with GemmaError 'network', 'not-found' or 'bad-file', or the signal's reason
 */
export async function openSource(description, {signal, onProgress} = {}) {
    if (description.kind === 'file') return openFile(description.file, onProgress);

    const {url, headers} = description;
    const stopping = new AbortController();
    const stop = AbortSignal.any([stopping.signal, ...(signal ? [signal] : [])]);
    const {store, notice} = await openStore();
    const close = () => {
        stopping.abort();
        store?.close();
    };
    try {
        const stored = await store?.find(url);
        const present = stored ? await store.chunksOf(url) : new Set();
        if (stored && present.size === chunkCount(stored.size)) {
            if (!stored.complete) await store.markComplete(url);
            return {name: stored.name, size: stored.size, chunks: readStored(store, stored, onProgress), close};
        }
        return await openDownload({url, headers, store, stored, present, notice, stop, onProgress, close});
    } catch (error) {
        close();
        throw error;
    }
}

/** A file of the user's: read in place, nothing copied into the store. */
function openFile(file, onProgress) {
    const meter = createMeter('load', file.size, onProgress);
    const read = (index) => file.slice(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE).arrayBuffer();
    const chunks = inOrder(file.size, read, {arrived: meter.add});
    return {name: file.name ?? 'model.gguf', size: file.size, chunks, close() {}};
}

/** The chunks of a complete model. */
function readStored(store, {id, size}, onProgress) {
    const meter = createMeter('load', size, onProgress);
    return inOrder(size, (index) => store.readChunk(id, index), {arrived: meter.add});
}

/** What is stored comes from the store, the rest from the network, and is stored on the way. */
async function openDownload({url, headers, store, stored, present, notice, stop, onProgress, close}) {
    let meter;
    const open = (first) => openRemote(url, {
        headers, first, pieceSize: CHUNK_SIZE, signal: stop, onBytes: (bytes) => meter.add(bytes),
    });
    let remote = await open(firstMissing(present));
    const changed = stored && (stored.size !== remote.size || stored.validator !== remote.validator);
    if (changed) {
        await store.delete(url);
        if (present.has(0)) remote = await open(0);
    }
    if (changed || !remote.ranges) present.clear();

    const {name, size} = remote;
    meter = createMeter('download', size, onProgress);
    for (const index of present) meter.skip(chunkLength(size, index));
    if (notice) meter.say(notice);
    const keeper = await createKeeper({store, remote, url, fresh: changed || !stored, say: meter.say});

    const read = (index) => present.has(index) ? store.readChunk(url, index) : remote.read(index);
    const taken = (index, buffer) => present.has(index) ? undefined : keeper.keep(index, buffer);
    const chunks = inOrder(size, read, {taken});
    return {
        name, size, close,
        async *chunks(signal) {
            yield* chunks(signal);
            await keeper.finish();
        },
    };
}

/**
 * Writes a download's chunks to the store for as long as that goes well. When it doesn't (no store, no room), the
 * download goes on without keeping anything, and the user is told.
 */
async function createKeeper({store, remote, url, fresh, say}) {
    let keeping = Boolean(store);
    if (keeping && fresh) {
        const {quota = Infinity, usage = 0} = await navigator.storage?.estimate?.() ?? {};
        if (quota - usage < remote.size) {
            giveUp('the browser gives this site too little room');
        } else {
            const {name, size, validator} = remote;
            await store.create({id: url, name, size, chunkSize: CHUNK_SIZE, validator, complete: false, savedAt: Date.now()})
                .catch((error) => giveUp(error.message));
        }
    }
    return {
        async keep(index, buffer) {
            if (!keeping) return;
            try {
                await store.writeChunk(url, index, buffer, await crypto.subtle.digest('SHA-256', buffer));
            } catch (error) {
                giveUp(error.name === 'QuotaExceededError' ? 'the browser gives this site too little room' : error.message);
            }
        },
        async finish() {
            if (keeping) await store.markComplete(url);
            else await store?.delete(url);      // a part of a model only takes the room
        },
    };

    function giveUp(reason) {
        keeping = false;
        say(notKept(reason));
    }
}

/**
 * Chunks 0, 1, 2, ... of a thing of `size` bytes, with READ_AHEAD of them under way.
 * @param {number} size
 * @param {(index: number) => Promise<ArrayBuffer>} read
 * @param {object} options
 * @param {(bytes: number) => void} [options.arrived]   a chunk of so many bytes is about to be handed out
 * @param {(index: number, buffer: ArrayBuffer) => Promise<void> | undefined} [options.taken]   the consumer is done
 *     with a chunk; the next is handed out only when this has settled
 * @returns {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>}
 */
function inOrder(size, read, {arrived = () => {}, taken = () => undefined}) {
    return async function* (signal) {
        const count = chunkCount(size);
        const coming = [];
        let next = 0;
        const order = () => {
            while (next < count && coming.length < READ_AHEAD) {
                const chunk = read(next++);
                chunk.catch(() => {});      // it is thrown where it is awaited; an earlier chunk may fail first
                coming.push(chunk);
            }
        };
        let storing;
        order();
        for (let index = 0; index < count; index++) {
            const buffer = await coming.shift();
            await storing;
            signal?.throwIfAborted();
            order();
            arrived(buffer.byteLength);
            yield new Uint8Array(buffer);
            storing = taken(index, buffer);
        }
        await storing;
    };
}

/** The store, or the reason why there is none. */
async function openStore() {
    const without = (reason) => ({notice: notKept(reason)});
    if (!globalThis.indexedDB) return without('there is no IndexedDB here');
    if (!globalThis.crypto?.subtle) return without('that takes a secure (https) address');
    try {
        return {store: await ChunkStore.open()};
    } catch (error) {
        return without(error.message);
    }
}

function notKept(reason) {
    return `The model runs, but is not kept for the next visit: ${reason}.`;
}

function chunkCount(size) {
    return Math.ceil(size / CHUNK_SIZE);
}

function chunkLength(size, index) {
    return Math.min(CHUNK_SIZE, size - index * CHUNK_SIZE);
}

function firstMissing(present) {
    let index = 0;
    while (present.has(index)) index++;
    return index;
}
