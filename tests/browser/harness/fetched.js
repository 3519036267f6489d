// What a page has fetched of a model. Owns how requests are counted: where a machine is busy, a request may break off
// and be made again, or one of a load that has ended may come late. Then the same chunk is asked for more than once,
// and still next to nothing comes in vain.

import assert from 'node:assert/strict';

const CHUNK = 16 << 20;
/** What may have been sent of an answer that nobody reads any more: sockets hold some megabytes, less than a chunk. */
const LOST = 12 << 20;

/**
 * These chunks were asked for, no others, and their bytes came once.
 * @param {import('./servers.js').TestServer['requests']} requests   of the one model
 * @param {number[]} chunks   indices, in order
 * @param {number} size   of the model
 */
export function assertFetched(requests, chunks, size) {
    const asked = requests.map(({range}) => Math.floor(Number(/\d+/.exec(range)[0]) / CHUNK)),
        said = JSON.stringify(requests);
    assert.deepEqual([...new Set(asked)].sort((a, b) => a - b), chunks, said);
    const length = chunks.reduce((sum, index) => sum + Math.min(CHUNK, size - index * CHUNK), 0),
        sent = requests.reduce((sum, request) => sum + request.sent, 0);
    assert.ok(sent >= length && sent <= length + LOST * (requests.length - chunks.length),
        `${sent} bytes for ${length}: ${said}`);
}
