// reader.js: chunks of the store, read and hashed beside the engine's thread: by the browser, or where that
// hashes on the thread that asks for it, by a thread of our own. Owns that thread. Must not know what a
// chunk has to be.

import {startWorker} from '../../base/host.js';
import {Caller} from '../../base/protocol.js';
import {scriptOf} from '../../base/worker_script.js';
import {hashesHere} from '../file/sha256.js';

const WORKER = () => new Worker(new URL('./reader_worker.js', import.meta.url), {type: 'module'});
const SILENT_MS = 5000;         // a worker whose script is refused may say nothing

/**
 * @param {import('./store.js').ChunkStore} store
 * @returns {{read: import('./store.js').ChunkStore['readChunk'], close: () => void}}
 */
export function createReader(store) {
    /** @type {Promise<void> | undefined} */
    let starting;
    /** @type {import('../../base/host.js').StartedWorker | undefined} */
    let worker;
    /** @type {Caller<import('./reader_worker.js').Service> | undefined} */
    let caller;
    /** @param {unknown} error */
    const fail = (error) => {
        caller?.fail(error);
        caller = undefined;
    };
    const start = async () => {
        if (!await hashesHere()) return;
        const {url, options} = scriptOf(WORKER);
        worker = startWorker(url, fail, options);
        caller = new Caller(worker);
        const silent = setTimeout(fail, SILENT_MS, new Error('the thread that reads says nothing'));
        worker.onMessage(() => clearTimeout(silent));
    };
    return {
        async read(id, index, room) {
            const {byteLength} = room;
            try {
                await (starting ??= start());
                if (caller) return await caller.call('read', {id, index, room}, {transfer: [room]})
                    ?? undefined;
            } catch {
                // by this thread, then
            }
            return store.readChunk(id, index, room.byteLength ? room : new ArrayBuffer(byteLength));
        },
        /** Also of a thread that is only starting. */
        close: () => void starting?.then(() => worker?.terminate(), () => {}),
    };
}
