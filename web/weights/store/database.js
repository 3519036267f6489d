// The database of the chunk store: how it opens, what its errors say, its requests as promises. Knows
// no models.

import {GemmaError} from '../../base/error.js';

const DATABASE = 'gemma-weights';
/** Of the schema. What an older one holds is dropped. */
const VERSION = 3;

/**
 * What open() says where there is no storage for this page, and where there will be none when it is
 * asked again.
 */
export const REFUSALS = new Set(['SecurityError', 'NotAllowedError', 'NotSupportedError', 'InvalidStateError',
    'ReferenceError', 'TypeError']);
/** Before an open() that failed is tried again. */
export const PAUSES_MS = [100, 500];

/** @returns {Promise<IDBDatabase>} */
export function connect() {
    return new Promise((resolve, reject) => {
        if (!globalThis.indexedDB) throw new ReferenceError('there is no IndexedDB here');
        const request = indexedDB.open(DATABASE, VERSION);
        request.onupgradeneeded = () => {
            const {result: db} = request;
            for (const name of [...db.objectStoreNames]) db.deleteObjectStore(name);
            db.createObjectStore('models', {keyPath: 'id'});
            db.createObjectStore('chunks');
            db.createObjectStore('digests');
        };
        request.onsuccess = () => {
            // A newer page wants to upgrade: let go, so that it need not wait for this one to close.
            request.result.onversionchange = () => request.result.close();
            resolve(request.result);
        };
        request.onerror = () => reject(request.error);
        request.onblocked = () => {
            request.onsuccess = () => request.result.close();       // too late: no caller waits any more
            reject(new Error('another tab holds an older version of the store'));
        };
    });
}

/** Whether a disk, or what the browser gives this site of it, is full. @param {any} error */
export function isFull(error) {
    return error?.name === 'QuotaExceededError' || error?.code === 'no-room';
}

/**
 * An error of IndexedDB's for those who use the store: never one that looks like a cancel.
 * @param {any} error
 */
export function failure(error) {
    if (error instanceof GemmaError) return error;
    if (isFull(error)) return new GemmaError('no-room', 'The browser gives this site no more room.',
        {cause: error});
    const advice = error?.name === 'VersionError'
        ? 'a newer version of this page has changed it; reload the page' : 'reload the page, and try again';
    return new GemmaError('storage',
        `The browser's storage failed, and nothing was deleted (${error?.message ?? error}): ${advice}.`,
        {cause: error});
}

/** Every key [id, index]: an array sorts after all numbers. @param {string} id */
export function allOf(id) {
    return IDBKeyRange.bound([id], [id, []]);
}

/**
 * An IndexedDB request as a promise.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function result(request) {
    return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
}
