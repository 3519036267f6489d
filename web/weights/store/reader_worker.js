// reader_worker.js: a thread that reads chunks of the store and hashes them for the engine's. Knows
// nothing else.

import {workerPort} from '../../base/host.js';
import {answer} from '../../base/protocol.js';
import {ChunkStore} from './store.js';

const opening = ChunkStore.open();
opening.catch(() => {});        // thrown where it is awaited

const service = {
    /**
     * @param {{id: string, index: number, room: ArrayBuffer}} asked
     * @param {import('../../base/protocol.js').Context} io
     */
    async read({id, index, room}, {transfer}) {
        const chunk = await (await opening).readChunk(id, index, room);
        if (chunk) transfer.push(chunk.bytes);
        return chunk;
    },
};

/** @typedef {typeof service} Service */

if (workerPort) answer(workerPort, service);
