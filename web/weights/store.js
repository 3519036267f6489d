// The chunk store: models in IndexedDB, cut into records of 16 MiB.
//
// Owns the database, its schema and its version. Knows nothing of HTTP, GGUF or the engine; whoever uses
// it decides what belongs together. Three object stores:
//
//   models   key id                {id, name, size, chunkSize, validator, complete, savedAt}
//   chunks   key [id, index]       ArrayBuffer of chunkSize bytes, the last one shorter
//   digests  key [id, index]       ArrayBuffer of 32 bytes, the SHA-256 of that chunk
//
// A chunk and its digest are written in one transaction, so the keys of `digests` are exactly the chunks
// that are there, and can be listed without reading any of them.

/** Bytes in a chunk: large enough that IndexedDB runs at full speed, small enough to hold a few at once. */
export const CHUNK_SIZE = 16 * 1024 * 1024;

const DATABASE = 'gemma-weights';
const VERSION = 1;

/**
 * @typedef {object} StoredModel
 * @property {string} id          the model's address
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {number} chunkSize   bytes
 * @property {string} validator   what the server calls this version of the file (ETag or date); '' if it does not say
 * @property {boolean} complete   every chunk is there
 * @property {number} savedAt     milliseconds since 1970
 */

export class ChunkStore {
    #db;

    /** @param {IDBDatabase} db */
    constructor(db) {
        this.#db = db;
    }

    /**
     * Opens the database, making it on first use. Rejects where there is none (some private windows), or
     * where its version is newer than this code.
     * @returns {Promise<ChunkStore>}
     */
    static open() {
        return new Promise((resolve, reject) => {
            const request = indexedDB.open(DATABASE, VERSION);
            request.onupgradeneeded = () => {
                request.result.createObjectStore('models', {keyPath: 'id'});
                request.result.createObjectStore('chunks');
                request.result.createObjectStore('digests');
            };
            request.onsuccess = () => {
                // A newer page wants to upgrade: let go, so that it need not wait for this one to close.
                request.result.onversionchange = () => request.result.close();
                resolve(new ChunkStore(request.result));
            };
            request.onerror = () => reject(request.error);
            request.onblocked = () => reject(new Error('another tab holds an older version of the store'));
        });
    }

    close() {
        this.#db.close();
    }

    /** @returns {Promise<StoredModel[]>} finished and unfinished ones */
    list() {
        return result(this.#db.transaction('models').objectStore('models').getAll());
    }

    /** @returns {Promise<StoredModel | undefined>} */
    find(id) {
        return result(this.#db.transaction('models').objectStore('models').get(id));
    }

    /** @returns {Promise<Set<number>>} indices of the chunks that are there */
    async chunksOf(id) {
        const keys = await result(this.#db.transaction('digests').objectStore('digests').getAllKeys(allOf(id)));
        return new Set(keys.map(([, index]) => index));
    }

    /** @returns {Promise<ArrayBuffer | undefined>} */
    readChunk(id, index) {
        return result(this.#db.transaction('chunks').objectStore('chunks').get([id, index]));
    }

    /** Enters a model, unfinished, without chunks. @param {StoredModel} model */
    create(model) {
        return this.#change(['models'], (models) => models.put(model));
    }

    /**
     * Writes a chunk with its digest: both or neither. `bytes` is copied before the call returns.
     * @param {string} id
     * @param {number} index
     * @param {ArrayBuffer} bytes
     * @param {ArrayBuffer} digest   SHA-256, 32 bytes
     */
    writeChunk(id, index, bytes, digest) {
        return this.#change(['chunks', 'digests'], (chunks, digests) => {
            chunks.put(bytes, [id, index]);
            digests.put(digest, [id, index]);
        });
    }

    /** Says that every chunk of a model is there. */
    async markComplete(id) {
        const model = await this.find(id);
        if (model) await this.#change(['models'], (models) => models.put({...model, complete: true}));
    }

    /** Removes a model and all that belongs to it; one that is not there is fine. */
    delete(id) {
        return this.#change(['models', 'chunks', 'digests'], (models, chunks, digests) => {
            models.delete(id);
            chunks.delete(allOf(id));
            digests.delete(allOf(id));
        });
    }

    /** Runs `edit` with the named object stores in one transaction; resolves once it is on disk. */
    #change(names, edit) {
        return new Promise((resolve, reject) => {
            const transaction = this.#db.transaction(names, 'readwrite');
            transaction.oncomplete = () => resolve();
            transaction.onabort = () => reject(transaction.error ?? new Error('the browser gave up writing'));
            edit(...names.map((name) => transaction.objectStore(name)));
        });
    }
}

/** Every key [id, index]: an array sorts after all numbers. */
function allOf(id) {
    return IDBKeyRange.bound([id], [id, []]);
}

/** An IndexedDB request as a promise. */
function result(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}
