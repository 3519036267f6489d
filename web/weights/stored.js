// The models on this device, to show, check, move or delete them. Without a store, there are none.
//
// Owns what can be done with a stored model besides running it. Knows neither HTTP nor the engine.

import {GemmaError, codeOf, messageOf} from '../base/error.js';
import {unlessAborted} from '../base/abort.js';
import {compareSource} from './compare.js';
import {isDamaged, mustAgree} from './file/check.js';
import {joinFiles} from './file/files.js';
import {readManifest, writeManifest} from './file/manifest.js';
import {numbered, safeFileName} from './file/names.js';
import {createMeter} from './file/progress.js';
import {readSlice} from './file/slice.js';
import {lookForRoom} from './store/room.js';
import {createSha256, same, sha256, toHex} from './file/sha256.js';
import {openSource} from './source.js';
import {ChunkStore, CHUNK_SIZE, sameVersion} from './store/store.js';
import {downloadTurn, isReadElsewhere, read, unlessInUse} from './store/tabs.js';

/**
 * @typedef {import('./store/store.js').Stored} Stored
 * @typedef {import('./store/store.js').StoredModel} StoredModel
 * @typedef {{signal?: AbortSignal, onProgress?: (progress: import('./file/progress.js').Progress) => void}} Watched
 */

/**
 * A file to store.
 * @typedef {object} Wanted
 * @property {string} name
 * @property {Blob} file
 * @property {import('./file/manifest.js').Manifest} [manifest]
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

/** Deletes all models that no tab uses. @returns {Promise<string[]>} names of those that are in use */
export async function deleteAllStored() {
    const /** @type {string[]} */ left = [];
    for (const {id, name} of await storedModels()) {
        await deleteStored(id).catch((error) => {
            if (error.code !== 'in-use') throw error;
            left.push(name);
        });
    }
    return left;
}

/**
 * The free storage for a model of this size, and what could be deleted for it. Ask before a download.
 * @param {number} size   bytes
 * @param {string} [id]   the model's address: what is here of it need not be stored again
 * @returns {Promise<import('./store/room.js').Room>}
 */
export async function roomFor(size, id) {
    const models = await storedModels();
    const here = models.find((model) => model.id === id)?.storedBytes ?? 0;
    return lookForRoom(size - here, models.filter((model) => model.id !== id));
}

/**
 * Hashes all that is stored of a model. The next load or repair fetches again what is found damaged.
 * @param {string} id
 * @param {Watched} [options]
 * @returns {Promise<{chunks: number, missing: number[], damaged: number[]}>} indices of chunks; of a partial
 *     one, most are missing
 */
export function verifyStored(id, {signal, onProgress} = {}) {
    return withModel(id, signal, async (store, model) => {
        const [present, digests] = await Promise.all([store.chunksOf(id), store.digestsOf(id)]);
        const chunks = Math.ceil(model.size / model.chunkSize);
        const /** @type {number[]} */ missing = [];
        const /** @type {number[]} */ damaged = [];
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
 * @param {Watched & {urls?: string[], headers?: Record<string, string>, manifest?: object | string}}
 *     [options]   as for loading
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
 * @param {{signal?: AbortSignal, urls?: string[], headers?: Record<string, string>, manifest?: object |
 *     string}} [options]   as for loading
 * @returns {Promise<{same: boolean, size: number}>}   size: of the file at the address
 */
export function compareStored(id, {signal, ...more} = {}) {
    return compareSource({...more, kind: 'url', url: id}, signal);
}

/**
 * The digests of a complete model, as build/quantize writes them, for the import of its exported file.
 * @param {string} id
 * @param {Watched} [options]
 * @returns {Promise<object>} JSON, see manifest.js
 */
export function manifestOf(id, {signal, onProgress} = {}) {
    return withModel(id, signal, async (store, model) => {
        const digests = await store.digestsOf(id);
        const hash = model.sha256 ? undefined : await createSha256();
        hash?.begin();
        const meter = createMeter('load', model.size, onProgress);
        if (hash) for await (const chunk of goodChunks(store, model, signal)) {
            hash.add(new Uint8Array(chunk));
            meter.add(chunk.byteLength);
        }
        const all = Array.from({length: Math.ceil(model.size / model.chunkSize)},
            (_, index) => /** @type {ArrayBuffer} */ (digests.get(index)));
        return writeManifest({...model, name: safeFileName(model.name), sha256: hash ? toHex(hash.end()) : model.sha256, digests: all});
    });
}

/**
 * Writes a complete model to a file, hashing every chunk on the way.
 * @param {string} id
 * @param {Watched & {writable?: WritableStream}} [options]   writable: such as a FileSystemFileHandle's; it
 *     is closed at the end, and aborted when something is wrong
 * @returns {Promise<Blob | undefined>} the file, where there is no writable
 */
export function exportStored(id, {writable, signal, onProgress} = {}) {
    return withModel(id, signal, async (store, model) => {
        const meter = createMeter('load', model.size, onProgress);
        const writer = writable?.getWriter(), parts = [];
        try {
            for await (const chunk of goodChunks(store, model, signal)) {
                // A Blob for each: the browser may put it on the disk.
                if (writer) await unlessAborted(writer.write(new Uint8Array(chunk)), signal);
                else parts.push(new Blob([chunk]));
                meter.add(chunk.byteLength);
            }
            await writer?.close();
        } catch (error) {
            writer?.abort(error).catch(() => {});
            throw error;
        }
        return writer ? undefined : new File(parts, safeFileName(model.name), {type: 'application/octet-stream'});
    });
}

/**
 * Stores a model from a file. A manifest says what each chunk must be; without one, what is read is what is recorded.
 *
 * A file never takes the place of another one by itself. The same file again is the same model, of which what
 * is missing or damaged is mended; another one of the same name gets a new name: NAME (2).gguf. Under an id
 * that is given, a finished model is replaced only with `replace`, and not while a tab uses it ('in-use').
 * @param {Blob | Blob[]} files   see joinFiles
 * @param {Watched & {id?: string, name?: string, manifest?: object, replace?: boolean}} [options]   id: the
 *     address under which it is stored and by which it is loaded; default: imported:NAME
 * @returns {Promise<Stored>} rejects with GemmaError 'exists' for an id that has another file
 */
export async function importFiles(files, {manifest: given, signal, onProgress, replace = false, ...more} = {}) {
    const {file, manifest: beside} = await joinFiles(files, signal), json = given ?? beside;
    const {name = 'name' in file ? file.name : 'model.gguf', id} = more;
    const manifest = json && readManifest(json);
    if (manifest) mustAgree(manifest, '', {name, size: file.size});
    if (new TextDecoder().decode(await unlessAborted(readSlice(file, name, 0, 4), signal)) !== 'GGUF')
        throw new GemmaError('bad-file', `${name} is not a GGUF file.`);
    return withStore(async (store) => {
        /** @param {StoredModel | undefined} there @param {Wanted} wanted */
        const relation = (there, wanted) => there ? compareFile(store, there, wanted, signal) : 'unfinished';
        if (replace && id !== undefined && await relation(await store.find(id), {file, name, manifest}) === 'other')
            await unlessInUse(id, name, () => store.delete(id), 'import it again');
        for (const free of id === undefined ? numbered(name) : [name]) {
            const done = await importAs({id: id ?? `imported:${encodeURIComponent(free.toWellFormed())}`, name: free, file, manifest});
            if (done) return done;
        }
        throw new GemmaError('exists', `${id} has another file on this device. Import it with \`replace\`, or under another id.`);

        /** @param {Wanted & {id: string}} wanted @returns {Promise<Stored | undefined>} undefined: the id is taken */
        async function importAs(wanted) {
            const ends = [await read(wanted.id, signal)];
            try {
                ends.unshift((await downloadTurn(wanted.id, {signal})).end);
                const there = await store.find(wanted.id), related = await relation(there, wanted);
                if (related === 'other') return undefined;
                await writeFile(store, related === 'same' ? there : undefined, wanted, {signal, onProgress});
                return (await store.list()).find((stored) => stored.id === wanted.id);
            } finally {
                for (const end of ends) end();
            }
        }
    });
}

/**
 * What is stored under an id, against a file: 'same', as far as digests tell; 'unfinished' for what may go,
 * as it was never a whole model; or 'other'.
 * @returns {Promise<'same' | 'unfinished' | 'other'>}
 * @param {ChunkStore} store
 * @param {StoredModel} there
 * @param {Wanted} wanted
 * @param {AbortSignal} [signal]
 */
async function compareFile(store, there, {file, name, manifest}, signal) {
    const differs = there.complete ? 'other' : 'unfinished';
    if (there.size !== file.size) return differs;
    const {id, chunkSize} = there, digests = await store.digestsOf(id), present = await store.chunksOf(id);
    for (const [index, digest] of [...digests].sort(([a], [b]) => a - b)) {
        signal?.throwIfAborted();
        // With a manifest, all digests are known from the start. Only chunks that have come are compared.
        if (!there.complete && !present.has(index)) continue;
        const found = manifest?.chunkSize === chunkSize ? manifest.digests[index]
            : await sha256(await readSlice(file, name, index * chunkSize, chunkSize));
        if (!same(found, digest)) return differs;
    }
    return digests.size && present.size ? 'same' : 'unfinished';
}

/**
 * Writes a file into the store, as far as it is not there.
 * @param {ChunkStore} store
 * @param {StoredModel | undefined} there
 * @param {Wanted & {id: string}} wanted
 * @param {Watched} watched
 */
async function writeFile(store, there, {id, name, file, manifest}, {signal, onProgress}) {
    const now = Date.now();
    let kept = there && (!manifest || there.chunkSize === manifest.chunkSize) ? there : undefined;
    if (there?.complete && !kept && await isReadElsewhere(id))
        throw new GemmaError('in-use',
            `${name} is being read, here or in another tab, and its manifest has other chunks: wait, then import it again.`);
    const model = {
        id, name, size: file.size, chunkSize: manifest?.chunkSize ?? kept?.chunkSize ?? CHUNK_SIZE, savedAt: now, lastUsed: now,
        complete: false, damaged: [],
        validator: manifest ? `sha256:${manifest.sha256}` : kept?.validator ?? `imported:${now}`, sha256: manifest?.sha256
            ?? kept?.sha256 ?? '',
    };
    const [present, digests] = kept ? await Promise.all([store.chunksOf(id), store.digestsOf(id)]) : [new Set(), new Map()];
    const room = await roomFor(file.size, id);
    if (!room.enough)
        throw new GemmaError('no-room',
            `${name} cannot be kept: it has ${file.size} bytes, and ${room.free} are free for this site.`);
    const meter = createMeter('load', file.size, onProgress);
    try {
        for (let index = 0; index * model.chunkSize < file.size; index++) {
            signal?.throwIfAborted();
            const bytes = await unlessAborted(readSlice(file, name, index * model.chunkSize, model.chunkSize), signal),
                digest = await sha256(bytes);
            if (manifest && !same(digest, manifest.digests[index]))
                throw new GemmaError('bad-file', isDamaged(name, index));
            const isHere = present.has(index) && same(digest, digests.get(index) ?? new ArrayBuffer(0))
                && await readGood(store, model, index, digests);
            if (!isHere || !kept || !sameVersion(model, kept)) await store.writeChunk(model, index, bytes, digest, manifest?.digests);
            kept &&= model;
            meter.add(bytes.byteLength);
        }
    } catch (error) {
        if (codeOf(error) === 'no-room') throw new GemmaError('no-room', `${name} cannot be kept. ${messageOf(error)}`);
        throw error;
    }
}

/**
 * @param {ChunkStore} store
 * @param {StoredModel} model
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<ArrayBuffer>}
 */
async function* goodChunks(store, model, signal) {
    const digests = await store.digestsOf(model.id);
    for (let index = 0; index * model.chunkSize < model.size; index++) {
        signal?.throwIfAborted();
        const bytes = await readGood(store, model, index, digests);
        if (!bytes)
            throw new GemmaError('bad-file',
                `Chunk ${index} of ${model.name} is missing or damaged here: repair the model first.`);
        yield bytes;
    }
}

/**
 * A chunk, if it is what was written. Rejects where it can't be read, which does not say that it is damaged.
 * @param {ChunkStore} store
 * @param {StoredModel} model
 * @param {number} index
 * @param {Map<number, ArrayBuffer>} digests
 * @returns {Promise<ArrayBuffer | undefined>}
 */
async function readGood(store, {id, size, chunkSize}, index, digests) {
    const chunk = await store.readChunk(id, index, new ArrayBuffer(Math.min(chunkSize, size - index * chunkSize)));
    const digest = digests.get(index);
    return chunk && digest && same(chunk.digest, digest) ? chunk.bytes : undefined;
}

/** @template T @param {(store: ChunkStore) => Promise<T>} work @returns {Promise<T>} */
async function withStore(work) {
    const store = await ChunkStore.open();
    try {
        return await work(store);
    } finally {
        store.close();
    }
}

/**
 * The same with a model that must be there, and is not deleted meanwhile.
 * @template T
 * @param {string} id
 * @param {AbortSignal | undefined} signal
 * @param {(store: ChunkStore, model: StoredModel) => Promise<T>} work
 * @returns {Promise<T>}
 */
function withModel(id, signal, work) {
    return withStore(async (store) => {
        const giveBack = await read(id, signal);
        try {
            const model = await store.find(id);
            if (!model) throw new GemmaError('not-found', `There is no model ${id} on this device.`);
            return await work(store, model);
        } finally {
            giveBack();
        }
    });
}
