// The models that are on this device, for those who show, check, move or delete them. Where there is no store, there are none.
//
// Owns what can be done with a stored model besides running it. Knows neither HTTP nor the engine.

import {GemmaError} from '../engine/error.js';
import {joinFiles, readSlice} from './files.js';
import {readManifest, writeManifest} from './manifest.js';
import {createMeter} from './progress.js';
import {lookForRoom} from './room.js';
import {createSha256, same, sha256, toHex} from './sha256.js';
import {compareSource, openSource} from './source.js';
import {ChunkStore, CHUNK_SIZE} from './store.js';
import {downloadTurn, read, unlessInUse} from './tabs.js';

/**
 * @typedef {import('./store.js').Stored} Stored
 * @typedef {{signal?: AbortSignal, onProgress?: (progress: import('./progress.js').Progress) => void}} Watched
 */

/** @returns {Promise<Stored[]>} the one that was used last first */
export async function storedModels() {
    try {
        return await withStore((store) => store.list());
    } catch {
        return [];
    }
}

/** Deletes a model, unless some tab uses it (GemmaError 'in-use'). @param {string} id   its address */
export function deleteStored(id) {
    return withStore(async (store) => {
        const name = (await store.find(id))?.name ?? id;
        await unlessInUse(id, name, () => store.delete(id));
    });
}

/** Deletes all models that no tab uses. @returns {Promise<string[]>} names of those that are left because they are in use */
export async function deleteAllStored() {
    const left = [];
    for (const {id, name} of await storedModels()) {
        await deleteStored(id).catch((error) => {
            if (error.code !== 'in-use') throw error;
            left.push(name);
        });
    }
    return left;
}

/**
 * How much room a model of so many bytes would find, and what could be deleted for it; to be asked before it is downloaded.
 * @param {number} size   bytes
 * @param {string} [id]   the model's address: what is here of it need not be stored again
 * @returns {Promise<import('./room.js').Room>}
 */
export async function roomFor(size, id) {
    const models = await storedModels();
    const here = models.find((model) => model.id === id)?.storedBytes ?? 0;
    return lookForRoom(size - here, models.filter((model) => model.id !== id));
}

/**
 * Hashes all that is stored of a model. What is found to be damaged is remembered, and fetched again when the model is loaded or repaired.
 * @param {string} id
 * @param {Watched} [options]
 * @returns {Promise<{chunks: number, missing: number[], damaged: number[]}>} indices of chunks; of a partial one, most are missing
 */
export function verifyStored(id, {signal, onProgress} = {}) {
    return withModel(id, async (store, model) => {
        const [present, digests] = await Promise.all([store.chunksOf(id), store.digestsOf(id)]);
        const chunks = Math.ceil(model.size / model.chunkSize), missing = [], damaged = [];
        const meter = createMeter('load', model.size, onProgress);
        for (let index = 0; index < chunks; index++) {
            signal?.throwIfAborted();
            if (!present.has(index)) missing.push(index);
            else if (!await readGood(store, model, index, digests)) damaged.push(index);
            meter.add(Math.min(model.chunkSize, model.size - index * model.chunkSize));
        }
        await store.update(id, () => ({damaged}));
        return {chunks, missing, damaged};
    });
}

/**
 * Fetches what is missing or damaged of a model, or can't be read, and nothing else.
 * @param {string} id
 * @param {Watched & {urls?: string[], headers?: Record<string, string>, manifest?: object | string}} [options]   as for loading
 */
export async function repairStored(id, {signal, onProgress, ...more} = {}) {
    const source = await openSource({...more, kind: 'url', url: id}, {signal, onProgress, repair: true});
    try {
        // Reading all of it is what finds and heals the damage.
        for await (const chunk of source.chunks(signal)) void chunk;
    } finally {
        source.close();
    }
}

/**
 * Whether a model's address still has the file that is stored. Replacing it is for openSource with `update`.
 * @param {string} id
 * @param {{signal?: AbortSignal, urls?: string[], headers?: Record<string, string>, manifest?: object | string}} [options]   as for loading
 * @returns {Promise<{same: boolean, size: number}>}   size: of the file at the address
 */
export function compareStored(id, {signal, ...more} = {}) {
    return compareSource({...more, kind: 'url', url: id}, signal);
}

/**
 * The digests of a complete model, as build/quantize writes them: to be kept beside an exported file, so that its import is checked.
 * @param {string} id
 * @returns {Promise<object>} JSON, see manifest.js
 */
export function manifestOf(id) {
    return withModel(id, async (store, model) => {
        const digests = await store.digestsOf(id);
        const hash = model.sha256 ? undefined : await createSha256();
        hash?.begin();
        if (hash) for await (const chunk of goodChunks(store, model)) hash.add(new Uint8Array(chunk));
        const all = Array.from({length: Math.ceil(model.size / model.chunkSize)}, (_, index) => digests.get(index));
        return writeManifest({...model, sha256: model.sha256 || toHex(hash.end()), digests: all});
    });
}

/**
 * Writes a complete model to a file, hashing every chunk on the way.
 * @param {string} id
 * @param {Watched & {writable?: WritableStream}} [options]   writable: such as a FileSystemFileHandle's; it is closed at the end, and aborted
 *     when something is wrong
 * @returns {Promise<Blob | undefined>} the file, where there is no writable
 */
export function exportStored(id, {writable, signal, onProgress} = {}) {
    return withModel(id, async (store, model) => {
        const meter = createMeter('load', model.size, onProgress);
        const writer = writable?.getWriter(), parts = [];
        try {
            for await (const chunk of goodChunks(store, model)) {
                signal?.throwIfAborted();
                // A Blob for each: the browser may put it on the disk.
                if (writer) await writer.write(new Uint8Array(chunk));
                else parts.push(new Blob([chunk]));
                meter.add(chunk.byteLength);
            }
            await writer?.close();
        } catch (error) {
            await writer?.abort(error).catch(() => {});
            throw error;
        }
        return writer ? undefined : new File(parts, model.name, {type: 'application/octet-stream'});
    });
}

/**
 * Stores a model from a file. A manifest says what each chunk must be; without one, what is read is what is recorded.
 * @param {Blob | Blob[]} files   see joinFiles
 * @param {Watched & {id?: string, name?: string, manifest?: object}} [options]   id: the address under which it is stored, so that it is
 *     found where that address is loaded; default: imported:NAME. Load it by its id.
 * @returns {Promise<Stored>}
 */
export async function importFiles(files, {manifest: given, signal, onProgress, ...more} = {}) {
    const {file, manifest: beside} = await joinFiles(files), json = given ?? beside;
    const {name = file.name ?? 'model.gguf', id = `imported:${encodeURIComponent(name)}`} = more;
    const manifest = json && readManifest(json);
    if (manifest && manifest.size !== file.size)
        throw new GemmaError('bad-file', `${name} is not the file of its manifest: it has ${file.size} bytes, not ${manifest.size}.`);
    if (new TextDecoder().decode(await readSlice(file, name, 0, 4)) !== 'GGUF') throw new GemmaError('bad-file', `${name} is not a GGUF file.`);
    const room = await roomFor(file.size, id);
    if (!room.enough)
        throw new GemmaError('no-room', `${name} cannot be kept: it has ${file.size} bytes, and ${room.free} are free for this site.`);
    const chunkSize = manifest?.chunkSize ?? CHUNK_SIZE, count = Math.ceil(file.size / chunkSize);
    return withStore(async (store) => {
        const giveBack = await read(id), turn = await downloadTurn(id, {signal});
        try {
            const now = Date.now();
            const model = {
                id, name, size: file.size, chunkSize, validator: manifest ? `sha256:${manifest.sha256}` : `imported:${now}`, savedAt: now, lastUsed: now,
                complete: false, damaged: [], sha256: manifest?.sha256 ?? '',
            };
            const meter = createMeter('load', file.size, onProgress);
            for (let index = 0; index < count; index++) {
                signal?.throwIfAborted();
                const bytes = await readSlice(file, name, index * chunkSize, chunkSize), digest = await sha256(bytes);
                if (manifest && !same(digest, manifest.digests[index]))
                    throw new GemmaError('bad-file', `${name} is damaged: chunk ${index} is not what its manifest says; get the file again.`);
                await store.writeChunk(model, index, bytes, digest, manifest?.digests);
                meter.add(bytes.byteLength);
            }
            return (await store.list()).find((stored) => stored.id === id);
        } catch (error) {
            if (error.code === 'no-room') throw new GemmaError('no-room', `${name} cannot be kept: ${error.message}.`);
            throw error;
        } finally {
            turn.end();
            giveBack();
        }
    });
}

async function* goodChunks(store, model) {
    const digests = await store.digestsOf(model.id);
    for (let index = 0; index * model.chunkSize < model.size; index++) {
        const bytes = await readGood(store, model, index, digests);
        if (!bytes) throw new GemmaError('bad-file', `Chunk ${index} of ${model.name} is missing or damaged here: repair the model first.`);
        yield bytes;
    }
}

/** A chunk, if it is what was written. Rejects where it can't be read, which does not say that it is damaged. */
async function readGood(store, {id, size, chunkSize}, index, digests) {
    const chunk = await store.readChunk(id, index, new ArrayBuffer(Math.min(chunkSize, size - index * chunkSize)));
    return chunk && digests.has(index) && same(chunk.digest, digests.get(index)) ? chunk.bytes : undefined;
}

async function withStore(work) {
    const store = await ChunkStore.open();
    try {
        return await work(store);
    } finally {
        store.close();
    }
}

/** The same with a model that must be there, and is not deleted meanwhile. */
function withModel(id, work) {
    return withStore(async (store) => {
        const giveBack = await read(id);
        try {
            const model = await store.find(id);
            if (!model) throw new GemmaError('not-found', `There is no model ${id} on this device.`);
            return await work(store, model);
        } finally {
            giveBack();
        }
    });
}
