// Where a model's bytes come from: a file of the user's, the chunk store, or the network by way of the store.
//
// Owns the order of things: what is stored is never fetched again, what is fetched goes to the engine and to the store
// in one pass, and at most four chunks are held at any time. Knows neither GGUF nor the engine.

import {GemmaError} from '../engine/error.js';
import {openRemote} from './http.js';
import {createMeter} from './progress.js';
import {ChunkStore, CHUNK_SIZE, sameVersion} from './store.js';

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

const NO_ROOM = 'the browser gives this site too little room';

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
    const kept = await lookUp(url);
    const close = () => {
        stopping.abort();
        kept.store?.close();
    };
    try {
        const open = (first, onBytes) => openRemote(url, {headers, first, pieceSize: CHUNK_SIZE, signal: stop, onBytes});
        const {stored, present} = kept;
        const complete = stored && present.size === chunkCount(stored.size);
        return {...complete ? openStored(kept, open, onProgress) : await openDownload(kept, url, open, onProgress), close};
    } catch (error) {
        close();
        throw error;
    }
}

/** A file of the user's: read in place, nothing copied into the store. */
function openFile(file, onProgress) {
    const name = file.name ?? 'model.gguf';
    const meter = createMeter('load', file.size, onProgress);
    const read = (index) => file.slice(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE).arrayBuffer().catch((cause) => {
        throw new GemmaError('bad-file', `${name} can no longer be read: it was changed or moved; choose it again.`, {cause});
    });
    return {name, size: file.size, chunks: inOrder(file.size, read, {arrived: meter.add}), close() {}};
}

/**
 * What the store has of a model, or the reason why there is no store.
 * @returns {Promise<{store?: ChunkStore, stored?: import('./store.js').StoredModel, present: Set<number>, notice?: string}>}
 */
async function lookUp(url) {
    const without = (reason) => ({present: new Set(), notice: notKept(reason)});
    if (!globalThis.indexedDB) return without('there is no IndexedDB here');
    if (!globalThis.crypto?.subtle) return without('that takes a secure (https) address');
    let store;
    try {
        store = await ChunkStore.open();
        const stored = await store.find(url);
        return {store, stored, present: stored ? await store.chunksOf(url) : new Set()};
    } catch (error) {
        store?.close();
        return without(error.message);
    }
}

/** All chunks come from the store. */
function openStored({store, stored, present}, open, onProgress) {
    const {name, size} = stored;
    const meter = createMeter('load', size, onProgress);
    const keeper = createKeeper(store, stored, meter.say);
    const read = (index) => readKept({store, model: stored, present, index, open});
    const taken = (index, buffer) => present.has(index) ? undefined : keeper.keep(index, buffer);
    return {name, size, chunks: inOrder(size, read, {arrived: meter.add, taken})};
}

/** What is there comes from the store, the rest from the network, and is stored on the way. */
async function openDownload({store, stored, present, notice}, url, open, onProgress) {
    let meter;
    const openCounting = (first) => open(first, (bytes) => meter.add(bytes));
    let remote = await openCounting(firstMissing(present));
    const {name, size, validator} = remote;
    const model = {id: url, name, size, chunkSize: CHUNK_SIZE, validator, savedAt: Date.now()};
    if (stored && !sameVersion(stored, model)) {
        if (present.has(0)) {
            remote.close();
            remote = await openCounting(0);
        }
        present.clear();
    }
    if (!remote.ranges) present.clear();

    meter = createMeter('download', size, onProgress);
    for (const index of present) meter.skip(chunkLength(size, index));
    const keeper = createKeeper(store, model, meter.say);
    if (notice) meter.say(notice);
    else if (present.size === 0) await keeper.checkRoom(stored);

    const read = (index) => present.has(index) ? readKept({store, model, present, index, open}) : remote.read(index);
    const taken = (index, buffer) => present.has(index) ? undefined : keeper.keep(index, buffer);
    const chunks = inOrder(size, read, {taken});
    return {
        name, size,
        async *chunks(signal) {
            yield* chunks(signal);
            await keeper.finish();
        },
    };
}

/**
 * A chunk that the store has. When it is lost or damaged there, the same bytes come from the network once more, and the
 * chunk is no longer `present`: it is to be stored again.
 */
async function readKept({store, model, present, index, open}) {
    const buffer = await store.readChunk(model, index).catch(() => undefined);
    if (buffer?.byteLength === chunkLength(model.size, index)) return buffer;
    const remote = await open(index);
    if (!remote.ranges || !sameVersion(model, {...remote, chunkSize: CHUNK_SIZE})) {
        remote.close();
        await store.delete(model.id);
        throw new GemmaError('network', `What was stored of ${model.name} is damaged and has been deleted; load it again.`);
    }
    present.delete(index);
    return remote.read(index);
}

/**
 * Writes chunks to the store for as long as that goes well. When it doesn't (no room), the load goes on without keeping
 * anything, and the user is told.
 */
function createKeeper(store, model, say) {
    let keeping = Boolean(store);
    return {
        /** @param {import('./store.js').StoredModel} [replaced]   whose room will be free */
        async checkRoom(replaced) {
            const {quota = Infinity, usage = 0} = await navigator.storage?.estimate?.().catch(() => undefined) ?? {};
            if (quota - usage + (replaced?.size ?? 0) < model.size) giveUp(NO_ROOM);
        },
        async keep(index, buffer) {
            if (!keeping) return;
            try {
                await store.writeChunk(model, index, buffer);
            } catch (error) {
                giveUp(error.name === 'QuotaExceededError' ? NO_ROOM : error.message);
            }
        },
        async finish() {
            // A part of a model only takes the room.
            if (!keeping) await store?.delete(model.id).catch(() => {});
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
        try {
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
        } finally {
            await storing;      // also when the next chunk can't come: what was taken is kept
        }
    };
}

function notKept(reason) {
    return `The model runs, but is not kept for the next visit: ${reason.replace(/\.$/, '')}.`;
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
