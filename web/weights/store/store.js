// The chunk store: models in IndexedDB, cut into records of 16 MiB (or of what a model's manifest says).
//
// Owns the database, its schema and its version. Knows nothing of HTTP, GGUF or the engine; its
// user decides what belongs together. Three object stores:
//
//   models   key id            StoredModel, see below
//   chunks   key [id, index]   Blob of chunkSize bytes, the last one shorter. It is read twice as fast as an
//                              ArrayBuffer, which is copied once more. ArrayBuffer where Blobs can't be kept
//   digests  key [id, index]   ArrayBuffer of 32 bytes, the SHA-256 that this chunk must have: known from a
//                              manifest before the chunk comes, or recorded when it came
//
// A chunk, its digest and its model's entry are written in one transaction, so other tabs cannot come
// between. The keys of `chunks` are exactly the chunks that are there, and can be listed without reading a
// chunk. All chunks are of the version of the file that the entry names. No chunk is without an entry by
// which it can be deleted.
//
// Browsers end a connection to IndexedDB when they like: of a page in the background, or when their storage
// process is started anew. So what fails is done once more by a new connection. Only what fails there, too,
// is an error: 'no-room' or 'storage'. Neither says that what is stored is damaged.

import {GemmaError, codeOf} from '../../base/error.js';
import {safeFileName} from '../file/names.js';
import {PAUSES_MS, REFUSALS, allOf, connect, failure, isFull, result} from './database.js';
import {same, sha256} from '../file/sha256.js';

/** Bytes in a chunk: large enough that IndexedDB runs at full speed, small enough to hold a few at once. */
export const CHUNK_SIZE = 16 * 1024 * 1024;

/**
 * @typedef {[id: string, index: number]} Key   of a chunk, and of a digest
 *
 * @typedef {object} StoredModel
 * @property {string} id          the model's address
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {number} chunkSize   bytes
 * @property {string} validator   what the server calls this version of the file (ETag or date); '' if it does
 *     not say; 'sha256:HEX' for one that has a manifest
 * @property {string} [modified]  the file's date, where the server says both
 * @property {string} [digest]    of the whole, as its host published it when the download began
 * @property {number} savedAt     milliseconds since 1970
 * @property {number} lastUsed    milliseconds since 1970
 * @property {boolean} complete   all chunks have been here. Some that are missing now were removed by
 *     the browser
 * @property {number[]} damaged   indices of chunks that were found to be no longer what had been written
 * @property {string} sha256      of the whole file, in hex, where it was published and found to be right, or
 *     a manifest says it; ''
 * @property {boolean} [hashed]   it was computed of all bytes
 * @property {string} [manifest]  its address
 *
 * @typedef {StoredModel & {fileName: string, storedBytes: number, state: 'partial' | 'complete' | 'damaged'}}
 *     Stored   fileName: the name, as any system can keep a file; storedBytes: of `size`, are here; complete:
 *     all of it is; damaged: pieces of a finished one are missing or were found to be wrong
 */

export class ChunkStore {
    #connection;
    #closed = false;
    /** @type {Promise<boolean> | undefined} */
    #takesBlobs;

    /** @private @param {Promise<IDBDatabase>} connection */
    constructor(connection) {
        this.#connection = connection;
    }

    /**
     * Opens the database, making it on first use.
     * @returns {Promise<ChunkStore>} rejects with GemmaError 'unsupported' where there is none or where it is
     *     refused (some private windows, blocked cookies), and with 'storage' where it does not open, or has
     *     a newer version than this code
     */
    static async open() {
        for (let again = 0; ; again++) {
            try {
                const connection = connect();
                await connection;
                return new ChunkStore(connection);
            } catch (thrown) {
                const error = /** @type {Error} */ (thrown);
                if (REFUSALS.has(error.name))
                    throw new GemmaError('unsupported',
                        `This browser gives no storage here: ${error.message}.`, {cause: error, here: true});
                if (again === PAUSES_MS.length || error.name === 'VersionError') throw failure(error);
                await new Promise((resolve) => { setTimeout(resolve, PAUSES_MS[again]); });
            }
        }
    }

    close() {
        this.#closed = true;
        this.#connection.then((db) => db.close(), () => {});
    }

    /**
     * Does `work`, which may be done twice: where it fails by the connection's end, it is done anew with
     * another one.
     * @template T
     * @param {(db: IDBDatabase) => Promise<T>} work
     * @returns {Promise<T>} rejects with GemmaError 'no-room' or 'storage'
     */
    async #with(work) {
        const connection = this.#connection;
        try {
            return await work(await connection);
        } catch (error) {
            if (this.#closed || isFull(error)) throw failure(error);
            // Another call that saw the same end may have opened another one already.
            if (this.#connection === connection) this.#renew();
        }
        try {
            return await work(await this.#connection);
        } catch (error) {
            throw failure(error);
        }
    }

    #renew() {
        this.#connection.then((db) => db.close(), () => {});
        this.#connection = connect();
        this.#connection.then((db) => this.#closed && db.close(), () => {});
    }

    /** @returns {Promise<Stored[]>} finished and unfinished ones, the one that was used last first */
    async list() {
        const [models, keys] = await this.#with((db) => {
            const transaction = db.transaction(['models', 'chunks']);
            return Promise.all([
                /** @type {Promise<StoredModel[]>} */ (result(transaction.objectStore('models').getAll())),
                /** @type {Promise<Key[]>} */ (result(transaction.objectStore('chunks').getAllKeys())),
            ]);
        });
        const all = models.map((model) => {
            const {size, chunkSize, damaged} = model;
            const indices = keys.filter(([id]) => id === model.id).map(([, index]) => index);
            const storedBytes = indices.reduce((sum, index) => sum
                + Math.min(chunkSize, size - index * chunkSize), 0);
            const complete = storedBytes === size;
            /** @type {Stored['state']} */
            const state = damaged.length || model.complete && !complete ? 'damaged' : complete
                ? 'complete' : 'partial';
            return {...model, fileName: safeFileName(model.name), storedBytes, complete, state};
        });
        return all.sort((a, b) => b.lastUsed - a.lastUsed);
    }

    /** @param {string} id @returns {Promise<StoredModel | undefined>} */
    find(id) {
        return this.#with((db) => result(db.transaction('models').objectStore('models').get(id)));
    }

    /** @param {string} id @returns {Promise<Set<number>>} indices of the chunks that are there */
    async chunksOf(id) {
        const keys = /** @type {Key[]} */ (await this.#with((db) => result(db.transaction('chunks')
            .objectStore('chunks').getAllKeys(allOf(id)))));
        return new Set(keys.map(([, index]) => index));
    }

    /**
     * @param {string} id
     * @returns {Promise<Map<number, ArrayBuffer>>} the digests that are known of a model's chunks, by index
     */
    async digestsOf(id) {
        const [keys, values] = await this.#with((db) => {
            const digests = db.transaction('digests').objectStore('digests');
            return Promise.all([/** @type {Promise<Key[]>} */ (result(digests.getAllKeys(allOf(id)))),
                result(digests.getAll(allOf(id)))]);
        });
        return new Map(keys.map(([, index], i) => [index, values[i]]));
    }

    /**
     * @param {string} id
     * @param {number} index
     * @param {ArrayBuffer} room   of the chunk's length; it may be detached. New memory costs the system as
     *     much time as all the rest
     * @returns {Promise<{bytes: ArrayBuffer, digest: ArrayBuffer} | undefined>} the chunk as it is stored,
     *     and its SHA-256, which nothing has been compared with yet; undefined when it is missing or has
     *     another length
     */
    async readChunk(id, index, room) {
        const {byteLength} = room;
        const bytes = await this.#with(async (db) => {
            const stored = await result(db.transaction('chunks').objectStore('chunks').get([id, index]));
            const isBlob = stored instanceof Blob, size = isBlob ? stored.size : stored?.byteLength;
            if (size !== byteLength) return undefined;
            return isBlob ? readBlob(stored, room.byteLength ? room : new ArrayBuffer(byteLength)) : stored;
        });
        return bytes && {bytes, digest: await sha256(bytes)};
    }

    /**
     * Writes a chunk with its digest and its model's entry: all or nothing. A chunk of another version of the
     * file replaces all that there is of the old one, except the chunks that a manifest says are the same.
     * @param {StoredModel} model
     * @param {number} index
     * @param {ArrayBuffer} bytes    left alone until this resolves
     * @param {ArrayBuffer} digest   SHA-256 of bytes
     * @param {ArrayBuffer[]} [manifest]   the digests of all chunks
     * @param {boolean} [isOther]   what was saved before `model.savedAt` is another file, even if its version
     *     is the same
     */
    async writeChunk(model, index, bytes, digest, manifest, isOther = false) {
        const {id} = model, record = await (this.#takesBlobs ??= this.#tryBlob()) ? new Blob([bytes]) : bytes;
        await this.#change(async ({models, chunks, digests}) => {
            const there = /** @type {StoredModel | undefined} */ (await result(models.get(id)));
            const kept = there && sameVersion(there, model) && !(isOther && there.savedAt !== model.savedAt)
                ? there : undefined;
            if (!kept) await replace(there, model, chunks, digests, manifest);
            chunks.put(record, [id, index]);
            digests.put(digest, [id, index]);
            const complete = kept?.complete
                || await result(chunks.count(allOf(id))) === Math.ceil(model.size / model.chunkSize);
            const damaged = (kept?.damaged ?? []).filter((other) => other !== index);
            models.put({...model, ...kept, complete, damaged, lastUsed: model.lastUsed});
        });
    }

    /** Whether a Blob can be kept, which WebKit's private windows do not do; this one is not. */
    async #tryBlob() {
        try {
            await this.#with((db) =>
                new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
                const transaction = db.transaction('chunks', 'readwrite');
                transaction.onabort = () => reject(transaction.error);
                transaction.objectStore('chunks').put(new Blob(['?']), ['', 0]).onsuccess = () => {
                    resolve();
                    transaction.abort();
                };
            }));
            return true;
        } catch (error) {
            return codeOf(error) === 'no-room';        // which the chunk itself will find, too
        }
    }

    /**
     * Changes a model's entry, if there is one.
     * @param {string} id
     * @param {(there: StoredModel) => Partial<StoredModel>} change
     */
    update(id, change) {
        return this.#change(async ({models}) => {
            const there = await result(models.get(id));
            if (there) models.put({...there, ...change(there)});
        });
    }

    /** Removes a model and all that belongs to it; one that is not there is fine. @param {string} id */
    delete(id) {
        return this.#change(async ({models, chunks, digests}) => {
            models.delete(id);
            chunks.delete(allOf(id));
            digests.delete(allOf(id));
        });
    }

    /**
     * Runs `edit` with the three object stores in one transaction; resolves once it is on disk.
     * @param {(stores: Record<'models' | 'chunks' | 'digests', IDBObjectStore>) => Promise<void>} edit
     * @returns {Promise<void>}
     */
    #change(edit) {
        const names = ['models', 'chunks', 'digests'];
        return this.#with((db) =>
            new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
            const transaction = db.transaction(names, 'readwrite');
            /** @type {unknown} */
            let wrong;
            transaction.oncomplete = () => resolve();
            // When a disk is full, waiting requests learn only that the transaction has ended, as by a
            // cancel. The transaction knows why.
            transaction.onabort = () => reject(transaction.error ?? wrong
                ?? new Error('the browser gave up writing'));
            const [models, chunks, digests] = names.map((name) => transaction.objectStore(name));
            edit({models, chunks, digests}).catch((error) => {
                wrong = error;
                try {
                    transaction.abort();
                } catch {
                    // it has ended already
                }
            });
        }));
    }
}

/**
 * Within a transaction: makes room for a version of a file in the place of another.
 * @param {StoredModel | undefined} there
 * @param {StoredModel} model
 * @param {IDBObjectStore} chunks
 * @param {IDBObjectStore} digests
 * @param {ArrayBuffer[]} [manifest]
 */
async function replace(there, model, chunks, digests, manifest) {
    const {id} = model;
    const comparable = manifest && there?.size === model.size && there.chunkSize === model.chunkSize;
    for (const [index, digest] of manifest?.entries() ?? []) {
        const recorded = comparable && await result(digests.get([id, index]));
        if (!recorded || !same(recorded, digest)) chunks.delete([id, index]);
        digests.put(digest, [id, index]);
    }
    if (comparable) return;
    chunks.delete(allOf(id));
    if (!manifest) digests.delete(allOf(id));
    else digests.delete(IDBKeyRange.bound([id, manifest.length], [id, []]));
}

/**
 * Whether chunks of the one are chunks of the other, as far as a server or a manifest tells.
 * @param {Pick<StoredModel, 'size' | 'chunkSize' | 'validator'>} a
 * @param {Pick<StoredModel, 'size' | 'chunkSize' | 'validator'>} b
 */
export function sameVersion(a, b) {
    return a.size === b.size && a.chunkSize === b.chunkSize && a.validator === b.validator;
}

/**
 * What is being read: browsers forget a stream that only waits and that nothing holds, and then it
 * never ends.
 */
const reading = new Set();

/**
 * @param {Blob} blob
 * @param {ArrayBuffer} room   of its size; detached
 * @returns {Promise<ArrayBuffer | undefined>}
 */
async function readBlob(blob, room) {
    let reader;
    try {
        reader = blob.stream().getReader({mode: 'byob'});
    } catch {
        return blob.arrayBuffer();      // this browser reads streams only into its own memory
    }
    reading.add(reader);
    try {
        for (let at = 0; at < blob.size;) {
            const {value, done} = await reader.read(new Uint8Array(room, at));
            if (done) return undefined;
            room = value.buffer;
            at += value.byteLength;
        }
        return room;
    } finally {
        reading.delete(reader);
    }
}
