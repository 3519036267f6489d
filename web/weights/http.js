// A file on a web server, read in ranges.
//
// Owns HTTP, and is the only file that may fetch from another origin: the one model that the user chose, and
// nothing else. Knows nothing of IndexedDB, GGUF or the engine.

import {GemmaError} from '../engine/error.js';

/**
 * @typedef {object} RemoteFile
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {string} validator   ETag or Last-Modified; '' when the server shows neither
 * @property {boolean} ranges     read() may ask for any piece; without, only for all pieces in order, from the first
 * @property {(index: number) => Promise<ArrayBuffer>} read   piece `index` of pieceSize bytes, the last one shorter
 */

/**
 * Asks for piece `first` of a file and learns from the answer how long the file is. The answer's body is not
 * lost: read(first) returns it. A server without ranges sends the whole file, which is then cut into pieces.
 * @param {string} url              absolute
 * @param {object} options
 * @param {Record<string, string>} [options.headers]   sent along, for servers that want a token
 * @param {number} [options.first]  index of the piece to ask for
 * @param {number} options.pieceSize   bytes
 * @param {(bytes: number) => void} [options.onBytes]  called with the bytes of each packet as it arrives
 * @param {AbortSignal} [options.signal]   ends this and all later requests
 * @returns {Promise<RemoteFile>}   rejects with GemmaError 'network', 'not-found' or 'bad-file'
 */
export async function openRemote(url, {headers = {}, first = 0, pieceSize, onBytes = () => {}, signal}) {
    const name = fileName(url);
    const opening = await requestPiece(first);
    const ranges = opening.status === 206;
    const size = await totalSize(opening);
    const validator = validatorOf(opening);

    const length = (index) => Math.min(pieceSize, size - index * pieceSize);
    if (!ranges) {
        const pieces = cut(opening, size);
        return {name, size, validator, ranges, read: async () => (await pieces.next()).value};
    }
    return {
        name, size, validator, ranges,
        async read(index) {
            let response = opening;
            if (index !== first) {
                response = await requestPiece(index);
                if (response.status !== 206 || validatorOf(response) !== validator)
                    throw new GemmaError('network', `${name} changed on its server during the download; load it again.`);
            }
            return (await cut(response, length(index)).next()).value;
        },
    };

    async function requestPiece(index) {
        const from = index * pieceSize;
        return request('GET', {...headers, Range: `bytes=${from}-${from + pieceSize - 1}`});
    }

    async function request(method, requestHeaders) {
        let response;
        try {
            // The chunk store is the cache: a second copy in the browser's own would only take the room.
            response = await fetch(url, {method, headers: requestHeaders, signal, cache: 'no-store', credentials: 'same-origin'});
        } catch (error) {
            throw unreachable(error);
        }
        if (response.ok) {
            if (/^text\/html/i.test(response.headers.get('Content-Type') ?? ''))
                throw new GemmaError('bad-file', `${url} is a web page, not a model file; use the address of the GGUF file itself.`);
            return response;
        }
        if (response.status === 404 || response.status === 410)
            throw new GemmaError('not-found', `${name} was not found: ${siteOf(url)} answered ${response.status}.`);
        if (response.status === 401 || response.status === 403)
            throw new GemmaError('network', `${siteOf(url)} refuses to give out ${name} (${response.status}): it may want a login or ` +
                'an accepted licence; download the file there and open it from your disk.');
        throw new GemmaError('network', `${siteOf(url)} answered ${response.status} when asked for ${name}; try again later.`);
    }

    /** The length of the whole file. Another origin's Content-Range may be hidden from us: then HEAD knows. */
    async function totalSize(response) {
        const contentRange = /\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '');
        if (contentRange) return Number(contentRange[1]);
        const whole = response.status === 200 ? response : await request('HEAD', headers);
        const contentLength = Number(whole.headers.get('Content-Length') ?? 0);
        if (contentLength > 0) return contentLength;
        throw new GemmaError('network', `${siteOf(url)} does not say how long ${name} is; download it and open it from your disk.`);
    }

    /** The next `size` bytes of a response as ArrayBuffers of pieceSize. */
    async function* cut(response, size) {
        const reader = response.body.getReader();
        let received = 0;
        let piece = new Uint8Array(Math.min(pieceSize, size));
        let filled = 0;
        for (;;) {
            const {done, value} = await reader.read().catch((error) => { throw unreachable(error); });
            if (done) break;
            received += value.length;
            if (received > size) break;
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
            if (received === size) return;
        }
        throw new GemmaError('network',
            `${siteOf(url)} sent ${received < size ? 'fewer' : 'more'} bytes of ${name} than it announced; try again.`);
    }

    /** What to throw for a failed fetch: the caller's own cancelling, or one sentence. */
    function unreachable(error) {
        if (signal?.aborted) return signal.reason;
        return new GemmaError('network', `${siteOf(url)} cannot be reached, or it does not allow other sites to read ${name}.`,
            {cause: error});
    }
}

function validatorOf(response) {
    return response.headers.get('ETag') ?? response.headers.get('Last-Modified') ?? '';
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

function siteOf(url) {
    return new URL(url).host;
}
