// A file on a web server, read in ranges.
//
// Owns HTTP, and is the only file that may fetch from another origin: the one model that the user chose, and
// nothing else. Knows nothing of IndexedDB, GGUF or the engine.

import {GemmaError} from '../engine/error.js';

/** Pauses before a piece whose connection broke is asked for again; when they are used up, so is our patience. */
const RETRY_MS = [500, 2000];

/**
 * @typedef {object} RemoteFile
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {string} validator   ETag or Last-Modified; '' when the server shows neither
 * @property {boolean} ranges     read() may ask for any piece; without, only for all pieces in order, from the first
 * @property {(index: number) => Promise<ArrayBuffer>} read   piece `index` of pieceSize bytes, the last one shorter;
 *     each piece once
 * @property {() => void} close   for those who read nothing: lets the answer go
 */

/**
 * Asks for piece `first` of a file and learns from the answer how long the file is. The answer's body is not
 * lost: read(first) returns it. A server without ranges sends the whole file, which is then cut into pieces.
 * @param {string} url              absolute
 * @param {object} options
 * @param {Record<string, string>} [options.headers]   sent along, for servers that want a token
 * @param {number} [options.first]  index of the piece to ask for
 * @param {number} options.pieceSize   bytes
 * @param {(bytes: number) => void} [options.onBytes]  called with the bytes of each packet as it arrives, and with
 *     a negative number when bytes are given up because their connection broke
 * @param {AbortSignal} [options.signal]   ends this and all later requests
 * @returns {Promise<RemoteFile>}   rejects with GemmaError 'network', 'not-found' or 'bad-file'
 */
export async function openRemote(url, {headers = {}, first = 0, pieceSize, onBytes = () => {}, signal}) {
    const name = fileName(url);
    const site = new URL(url).host;
    let opening = await requestPiece(first);
    if (opening.status === 416 && first > 0) {      // the file ends earlier than somebody remembers
        first = 0;
        opening = await requestPiece(first);
    }
    const ranges = opening.status === 206;
    const size = await totalSize(opening);
    const validator = validatorOf(opening);

    const pieces = ranges ? undefined : cut(opening, size);
    const read = ranges ? readRange : async () => (await pieces.next()).value;
    return {name, size, validator, ranges, read, close: () => void opening.body?.cancel().catch(() => {})};

    async function readRange(index) {
        for (let attempt = 0; ; attempt++) {
            const again = attempt > 0 || index !== first;
            let received = 0;
            try {
                const response = again ? await requestPiece(index) : opening;
                if (again && !sameFile(response))
                    throw new GemmaError('network', `${name} changed on its server during the download; load it again.`);
                const {start = index * pieceSize} = contentRange(response);
                if (start !== index * pieceSize)
                    throw new GemmaError('network', `${site} sent another part of ${name} than was asked for; try again later.`);
                const length = Math.min(pieceSize, size - index * pieceSize);
                for await (const piece of cut(response, length, (bytes) => { received += bytes; })) return piece;
            } catch (error) {
                // A broken connection has a cause; a server that refuses would do so again.
                if (!error.cause || attempt === RETRY_MS.length) throw error;
                onBytes(-received);
                await pause(RETRY_MS[attempt], signal);
            }
        }
    }

    function sameFile(response) {
        return response.status === 206 && validatorOf(response) === validator && (contentRange(response).total ?? size) === size;
    }

    function requestPiece(index) {
        const from = index * pieceSize;
        return request(`bytes=${from}-${from + pieceSize - 1}`, index > 0);
    }

    /** @param {string} range @param {boolean} [mayBeOutside]   416, "outside the file", is an answer like any other */
    async function request(range, mayBeOutside = false) {
        let response;
        try {
            // The chunk store is the cache: a second copy in the browser's own would only take the room.
            response = await fetch(url, {headers: {...headers, Range: range}, signal, cache: 'no-store', credentials: 'same-origin'});
        } catch (error) {
            const elsewhere = globalThis.location?.origin !== new URL(url).origin;
            throw broken(`${site} cannot be reached${elsewhere ? `, or it does not allow other sites to read ${name}` : ''}.`, error);
        }
        if (response.ok) {
            if (/^text\/html/i.test(response.headers.get('Content-Type') ?? '')) {
                response.body?.cancel().catch(() => {});
                throw new GemmaError('bad-file', `${url} is a web page, not a model file; use the address of the GGUF file itself.`);
            }
            return response;
        }
        response.body?.cancel().catch(() => {});
        if (response.status === 416 && mayBeOutside) return response;
        if (response.status === 416) throw empty();
        if (response.status === 404 || response.status === 410)
            throw new GemmaError('not-found', `${name} was not found: ${site} answered ${response.status}.`);
        if (response.status === 401 || response.status === 403)
            throw new GemmaError('network', `${site} refuses to give out ${name} (${response.status}): it may want a login or ` +
                'an accepted licence; download the file there and open it from your disk.');
        throw new GemmaError('network', `${site} answered ${response.status} when asked for ${name}; try again later.`);
    }

    /**
     * The length of the whole file. Another origin's Content-Range may be hidden from us, its Content-Length never is:
     * then the whole file is asked for, and let go after the headers. (HEAD is refused by some servers.)
     */
    async function totalSize(response) {
        const {total} = contentRange(response);
        if (total) return total;
        let whole = response;
        if (ranges) {
            whole = await request('bytes=0-');
            whole.body?.cancel().catch(() => {});
        }
        const length = whole.headers.get('Content-Length');
        if (Number(length) > 0) return Number(length);
        response.body?.cancel().catch(() => {});
        if (length === '0') throw empty();
        throw new GemmaError('network', `${site} does not say how long ${name} is; download it and open it from your disk.`);
    }

    /** The next `size` bytes of a response as ArrayBuffers of pieceSize; whoever has enough may stop. */
    async function* cut(response, size, count = () => {}) {
        const reader = response.body.getReader();
        let received = 0;
        let piece = new Uint8Array(Math.min(pieceSize, size));
        let filled = 0;
        try {
            while (received < size) {
                const {done, value} = await reader.read().catch((error) => {
                    throw broken(`The connection to ${site} broke in the middle of ${name}; try again.`, error);
                });
                if (done) break;
                received += value.length;
                if (received > size) break;
                count(value.length);
                onBytes(value.length);
                for (let taken = 0; taken < value.length;) {
                    const part = value.subarray(taken, taken + piece.length - filled);
                    piece.set(part, filled);
                    filled += part.length;
                    taken += part.length;
                    if (filled === piece.length) {
                        yield piece.buffer;
                        piece = new Uint8Array(Math.min(pieceSize, size - (received - value.length + taken)));
                        filled = 0;
                    }
                }
            }
        } finally {
            reader.cancel().catch(() => {});
        }
        if (received !== size)
            throw new GemmaError('network', `${site} sent ${received < size ? 'fewer' : 'more'} bytes of ${name} than it announced; try again.`);
    }

    /** What to throw for a connection that failed: the caller's own cancelling, or one sentence. */
    function broken(sentence, cause) {
        return signal?.aborted ? signal.reason : new GemmaError('network', sentence, {cause});
    }

    function empty() {
        return new GemmaError('bad-file', `${name} on ${site} is empty.`);
    }
}

function validatorOf(response) {
    return response.headers.get('ETag') ?? response.headers.get('Last-Modified') ?? '';
}

/** What a partial answer holds, as far as we are shown it. @returns {{start?: number, total?: number}} */
function contentRange(response) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '') ?? [];
    return start === undefined ? {} : {start: Number(start), total: Number(total)};
}

function pause(ms, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
            signal?.removeEventListener('abort', stop);
            resolve();
        }, ms);
        const stop = () => {
            clearTimeout(timer);
            reject(signal.reason);
        };
        signal?.addEventListener('abort', stop, {once: true});
        if (signal?.aborted) stop();
    });
}

/** The last part of an address's path, as people write it. */
function fileName(url) {
    const last = new URL(url).pathname.split('/').pop();
    try {
        return decodeURIComponent(last) || 'model.gguf';
    } catch {
        return last;
    }
}
