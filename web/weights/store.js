// The chunk store: models in IndexedDB, cut into records of 16 MiB.
//
// Owns the database, its schema and its version. Knows nothing of HTTP, GGUF or the engine; whoever uses
// it decides what belongs together. Three object stores:
//
//   models   key id                {id, name, size, chunkSize, validator, savedAt}
//   chunks   key [id, index]       ArrayBuffer of chunkSize bytes, the last one shorter
//   digests  key [id, index]       ArrayBuffer of 32 bytes, the SHA-256 of that chunk
//
// A chunk, its digest and its model's entry are written in one transaction, whatever other tabs do meanwhile: so the keys
// of `digests` are exactly the chunks that are there and can be listed without reading any of them, all of them are
// of the version of the file that the entry names, and no chunk is without an entry by which it can be deleted.

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
            request.onblocked = () => {
                request.onsuccess = () => request.result.close();       // too late: nobody waits any more
                reject(new Error('another tab holds an older version of the store'));
            };
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

    /**
     * @param {StoredModel} model
     * @param {number} index
     * @returns {Promise<ArrayBuffer | undefined>} undefined: missing, no longer the bytes that were written, or of another
     *     version of the file, which another tab has stored meanwhile
     */
    async readChunk(model, index) {
        const {id} = model;
        const transaction = this.#db.transaction(['models', 'chunks', 'digests']);
        const get = (name, key) => result(transaction.objectStore(name).get(key));
        const [there, bytes, digest] = await Promise.all([get('models', id), get('chunks', [id, index]), get('digests', [id, index])]);
        if (!there || !bytes || !digest || !sameVersion(there, model)) return undefined;
        return same(await sha256(bytes), digest) ? bytes : undefined;
    }

    /**
     * Writes a chunk with its digest and its model's entry: all or nothing. A chunk of another version of the file
     * replaces all that there is of the old one.
     * @param {StoredModel} model
     * @param {number} index
     * @param {ArrayBuffer} bytes   left alone until this resolves
     */
    async writeChunk(model, index, bytes) {
        const digest = await sha256(bytes);
        await this.#change(async (models, chunks, digests) => {
            const {id} = model;
            const there = await result(models.get(id));
            if (there && !sameVersion(there, model)) {
                chunks.delete(allOf(id));
                digests.delete(allOf(id));
            }
            models.put(model);
            chunks.put(bytes, [id, index]);
            digests.put(digest, [id, index]);
        });
    }

    /** Removes a model and all that belongs to it; one that is not there is fine. */
    delete(id) {
        return this.#change(async (models, chunks, digests) => {
            models.delete(id);
            chunks.delete(allOf(id));
            digests.delete(allOf(id));
        });
    }

    /** Runs `edit` with the three object stores in one transaction; resolves once it is on disk. */
    #change(edit) {
        const names = ['models', 'chunks', 'digests'];
        return new Promise((resolve, reject) => {
            const transaction = this.#db.transaction(names, 'readwrite');
            transaction.oncomplete = () => resolve();
            transaction.onabort = () => reject(transaction.error ?? new Error('the browser gave up writing'));
            edit(...names.map((name) => transaction.objectStore(name))).catch((error) => {
                reject(error);
                try {
                    transaction.abort();
                } catch {
                    // it was aborted already, for that reason
                }
            });
        });
    }
}

/**
 * Whether chunks of the one are chunks of the other, as far as a server tells.
 * @param {Pick<StoredModel, 'size' | 'chunkSize' | 'validator'>} a
 * @param {Pick<StoredModel, 'size' | 'chunkSize' | 'validator'>} b
 */
export function sameVersion(a, b) {
    return a.size === b.size && a.chunkSize === b.chunkSize && a.validator === b.validator;
}

function sha256(bytes) {
    return crypto.subtle.digest('SHA-256', bytes);
}

/** @param {ArrayBuffer} a @param {ArrayBuffer} b */
function same(a, b) {
    const [x, y] = [new Uint8Array(a), new Uint8Array(b)];
    return x.length === y.length && x.every((byte, i) => byte === y[i]);
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
