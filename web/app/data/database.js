// The app's database: how it opens and migrates, its transactions as promises. Where the browser keeps
// nothing, the same in memory.
// Keys are texts; what belongs to something has that thing's key, '/' and more as its own, so that it is
// found as a range. Knows no conversation.

import {GemmaError} from '../../base/error.js';
import {PAUSES_MS, REFUSALS, failure, isFull, result} from '../../weights/store/database.js';

/**
 * What makes each version of the schema of the one before. A step that was published stays as it is.
 * @type {((db: IDBDatabase, transaction: IDBTransaction) => void)[]}
 */
export const MIGRATIONS = [
    (db) => {
        for (const name of ['conversations', 'messages', 'journal', 'documents', 'search', 'states',
            'presets', 'kept']) db.createObjectStore(name);
    },
    (db) => void db.createObjectStore('vectors'),
];
/** A tab with an older version of the page has its last transaction to end. */
const BLOCKED_MS = 5000;

/** Of the copy of the app in this page's folder. */
export const databaseName = () => `gemma-app ${new URL('.', document.baseURI).pathname}`;

/**
 * @typedef {object} Table   within a transaction
 * @property {(key: string) => Promise<any>} get
 * @property {(below?: string) => Promise<any[]>} all      values, in the order of their keys: of all, or of
 *     what belongs to `below`
 * @property {(below?: string) => Promise<string[]>} keys
 * @property {(key: string, value: unknown) => void} put
 * @property {(key: string) => void} delete
 * @property {(below: string) => void} deleteBelow
 *
 * @typedef {Record<string, Table>} Tables
 *
 * @typedef {object} Database
 * @property {boolean} isKept
 * @property {unknown} [problem]   why nothing is kept
 * @property {<T>(names: string[], work: (tables: Tables) => Promise<T>) => Promise<T>} read
 * @property {<T>(names: string[], work: (tables: Tables) => Promise<T>) => Promise<T>} change   all or
 *     nothing; resolves once it is committed. `work` waits for nothing but the tables, and may be done twice
 * @property {() => void} close
 */

/** @param {string} below */
const range = (below) => IDBKeyRange.bound(`${below}/`, `${below}0`, false, true);

/** @param {IDBObjectStore} store @returns {Table} */
function tableOf(store) {
    return {
        get: (key) => result(store.get(key)),
        all: (below) => result(store.getAll(below === undefined ? null : range(below))),
        keys: (below) => /** @type {Promise<string[]>} */ (result(store.getAllKeys(below === undefined ? null
            : range(below)))),
        put: (key, value) => void store.put(value, key),
        delete: (key) => void store.delete(key),
        deleteBelow: (below) => void store.delete(range(below)),
    };
}

/**
 * @param {string} name
 * @param {typeof MIGRATIONS} migrations
 * @returns {Promise<IDBDatabase>}
 */
function connect(name, migrations) {
    return new Promise((resolve, reject) => {
        if (!globalThis.indexedDB) throw new ReferenceError('there is no IndexedDB here');
        const request = indexedDB.open(name, migrations.length);
        request.onupgradeneeded = ({oldVersion}) => {
            for (const step of migrations.slice(oldVersion))
                step(request.result, /** @type {IDBTransaction} */ (request.transaction));
        };
        request.onsuccess = () => {
            // A newer page wants to migrate: let go, so that it need not wait for this one to close.
            request.result.onversionchange = () => request.result.close();
            resolve(request.result);
        };
        request.onerror = () => reject(request.error);
        request.onblocked = () => setTimeout(() => {
            request.onsuccess = () => request.result.close();       // too late: no caller waits any more
            reject(new GemmaError('old-tab',
                'Another tab has an older version of this page open: close it, then reload this one.'));
        }, BLOCKED_MS);
    });
}

class KeptDatabase {
    isKept = true;
    #open;
    #connection;
    #closed = false;

    /** @param {() => Promise<IDBDatabase>} open @param {Promise<IDBDatabase>} connection */
    constructor(open, connection) {
        this.#open = open;
        this.#connection = connection;
    }

    /** @type {Database['read']} */
    read(names, work) {
        return this.#run(names, 'readonly', work);
    }

    /** @type {Database['change']} */
    change(names, work) {
        return this.#run(names, 'readwrite', work);
    }

    close() {
        this.#closed = true;
        this.#connection.then((db) => db.close(), () => {});
    }

    /**
     * Browsers end connections when they like: what fails is done once more by a new one.
     * @template T
     * @param {string[]} names @param {IDBTransactionMode} mode @param {(tables: Tables) => Promise<T>} work
     * @returns {Promise<T>}
     */
    async #run(names, mode, work) {
        const connection = this.#connection;
        try {
            return await transact(await connection, names, mode, work);
        } catch (error) {
            if (this.#closed || error instanceof GemmaError || isFull(error)) throw failure(error);
            if (this.#connection === connection) this.#renew();
        }
        try {
            return await transact(await this.#connection, names, mode, work);
        } catch (error) {
            throw failure(error);
        }
    }

    #renew() {
        this.#connection.then((db) => db.close(), () => {});
        this.#connection = this.#open();
        this.#connection.then((db) => this.#closed && db.close(), () => {});
    }
}

/**
 * @template T
 * @param {IDBDatabase} db
 * @param {string[]} names
 * @param {IDBTransactionMode} mode
 * @param {(tables: Tables) => Promise<T>} work
 * @returns {Promise<T>}
 */
function transact(db, names, mode, work) {
    return new Promise((resolve, reject) => {
        const transaction = db.transaction(names, mode, {durability: 'relaxed'});
        /** @type {T} */
        let value;
        /** @type {unknown} */
        let wrong;
        transaction.oncomplete = () => wrong ? reject(wrong) : resolve(value);
        // Requests that wait when a disk is full learn only that the transaction has ended. It knows why.
        transaction.onabort = () => reject(transaction.error ?? wrong
            ?? new Error('the browser gave up writing'));
        const tables = Object.fromEntries(names.map((name) => [name,
            tableOf(transaction.objectStore(name))]));
        work(tables).then((done) => { value = done; }, (error) => {
            wrong = error;
            try {
                transaction.abort();
            } catch {
                // it has ended already
            }
        });
    });
}

/** Keeps nothing: what it has is gone with the tab. @implements {Database} */
export class MemoryDatabase {
    isKept = false;
    /** @type {Map<string, Map<string, unknown>>} */
    #maps = new Map();
    /** @type {Promise<unknown>} */
    #last = Promise.resolve();

    /** @param {unknown} [problem] */
    constructor(problem) {
        this.problem = problem;
    }

    /** @type {Database['read']} */
    read(names, work) {
        return this.change(names, work);
    }

    /** @type {Database['change']} */
    change(names, work) {
        const done = this.#last.then(async () => {
            const maps = names.map((name) => /** @type {const} */ ([name, new Map(this.#maps.get(name))]));
            const value = await work(Object.fromEntries(maps.map(([name, map]) => [name, tableIn(map)])));
            for (const [name, map] of maps) this.#maps.set(name, map);
            return value;
        });
        this.#last = done.catch(() => {});
        return done;
    }

    close() {
        this.#maps.clear();
    }
}

/** @param {Map<string, unknown>} map @returns {Table} */
function tableIn(map) {
    const keys = (/** @type {string | undefined} */ below) =>
        [...map.keys()].filter((key) => below === undefined || key.startsWith(`${below}/`)).sort();
    return {
        get: async (key) => structuredClone(map.get(key)),
        all: async (below) => keys(below).map((key) => structuredClone(map.get(key))),
        keys: async (below) => keys(below),
        put: (key, value) => void map.set(key, structuredClone(value)),
        delete: (key) => void map.delete(key),
        deleteBelow: (below) => keys(below).forEach((key) => map.delete(key)),
    };
}

/**
 * @param {string} name
 * @param {typeof MIGRATIONS} [migrations]
 * @returns {Promise<Database>} rejects with GemmaError 'storage' where a newer page has made a newer one,
 *     with 'old-tab' where an older tab holds it
 */
export async function openDatabase(name, migrations = MIGRATIONS) {
    const open = () => connect(name, migrations);
    for (let again = 0; ; again++) {
        try {
            const connection = open();
            await connection;
            return new KeptDatabase(open, connection);
        } catch (thrown) {
            const error = /** @type {Error} */ (thrown);
            if (error instanceof GemmaError || error.name === 'VersionError') throw failure(error);
            if (again === PAUSES_MS.length || REFUSALS.has(error.name))
                return new MemoryDatabase(failure(error));
            await new Promise((resolve) => { setTimeout(resolve, PAUSES_MS[again]); });
        }
    }
}
