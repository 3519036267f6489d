// A file on web servers, read in pieces: by ranges where the server gives them, otherwise by cutting one stream.
//
// Owns patience: what is asked for again, when, and at which of several servers; and that pieces of different files are never put
// together. request.js knows a single request. Knows nothing of IndexedDB, GGUF or the engine.

import {GemmaError} from '../engine/error.js';
import {fileName} from './names.js';
import {contentRange, createAsker, drop, passing, publishedDigest, validatorOf} from './request.js';

/**
 * How long to go on in trouble.
 * @typedef {object} Patience
 * @property {number} tries      in a row without a new byte, at each server
 * @property {number} pauseMs    before the second one; doubled each time, less up to a half by chance
 * @property {number} longestMs  of a pause that a server asks for
 * @property {number} stallMs    without a byte, after which a connection counts as broken
 * @type {Patience}
 */
const PATIENCE = {tries: 6, pauseMs: 500, longestMs: 120_000, stallMs: 30_000};

/**
 * @typedef {object} RemoteFile
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {string} validator   ETag or Last-Modified; '' when the server shows neither
 * @property {string} sha256      of the whole file, as the server publishes it, in hex; '' when it doesn't
 * @property {boolean} ranges     read() may ask for any piece; without, pieces out of order cost reading from the first byte again
 * @property {(index: number, again?: number) => Promise<ArrayBuffer>} read   piece `index` of pieceSize bytes, the last one shorter.
 *     again: how often it came wrong; then another server is asked first
 * @property {(from: number, length: number) => Promise<ArrayBuffer>} span   the same for a range of bytes; not of a file in parts
 * @property {(from: number, length: number) => Promise<Uint8Array>} peek   a few bytes from anywhere; only with ranges
 * @property {() => void} close   for those who read no further now: lets the connection go
 */

/**
 * Asks for piece `first` of a file and learns from the answer how long the file is. The answer's body is not
 * lost: read(first) returns it. A server without ranges sends the whole file, which is then cut into pieces.
 * @param {string | string[]} url   absolute; several for copies of the same file, the preferred one first
 * @param {object} options
 * @param {Record<string, string>} [options.headers]   sent along, for servers that want a token
 * @param {string} [options.home]   the address whose origin gets them; default: the first
 * @param {number} [options.first]   index of the piece to ask for
 * @param {number} options.pieceSize   bytes
 * @param {number} [options.size]    bytes, where a manifest tells
 * @param {string[]} [options.parts] addresses of files with one piece each, where the file was split; `size` is told then
 * @param {boolean} [options.checked]   somebody will compare each piece with its digest, so that versions need not be compared
 * @param {boolean} [options.knownGood] the file has been there before: a server that can't be reached is asked again
 * @param {(bytes: number) => void} [options.onBytes]  called with the bytes of each packet as it arrives, and with
 *     a negative number when bytes are given up
 * @param {(sentence?: string) => void} [options.onWait]   why nothing comes; undefined when it goes on
 * @param {AbortSignal} [options.signal]   ends this and all later requests
 * @param {Patience} [options.patience]
 * @returns {Promise<RemoteFile>}   rejects with GemmaError 'network', 'not-found' or 'bad-file'
 */
export async function openRemote(url, {
    headers, home = [url].flat()[0], first = 0, pieceSize, size: promised, parts, checked = false, knownGood = false, onBytes = () => {}, onWait = () => {}, signal,
    patience = PATIENCE,
}) {
    const urls = [url].flat();
    const name = fileName(urls[0]);
    const {ask, packets} = createAsker({name, home, headers, signal, stallMs: patience.stallMs});
    /** Servers that gave something; and those that will not, with the reason. */
    const good = new Set(knownGood ? urls.keys() : []), useless = new Map();
    let current = 0;
    let opening, size = promised, validator = '', sha256 = '', ranges = true;
    if (!parts) await open();
    const stream = ranges ? undefined : createStream(), span = stream?.span ?? readRange;
    const read = (index, again) => span(index * pieceSize, Math.min(pieceSize, size - index * pieceSize), again);
    return {name, size, validator, sha256, ranges, read, span, peek, close};

    function close() {
        drop(opening);
        opening = undefined;
        stream?.restart();
    }

    async function open() {
        opening = await persist(async (server) => {
            let response = await request(server, rangeOf(first));
            if (response.status === 416 && first > 0) {     // the file ends earlier than somebody remembers
                first = 0;
                response = await request(server, rangeOf(first));
            }
            if (response.status === 416) throw empty(server);
            return response;
        });
        ranges = opening.status === 206;
        size = await totalSize(opening, current);
        validator = validatorOf(opening);
        sha256 = publishedDigest(opening);
        if (promised === undefined || size === promised) return;
        drop(opening);
        throw new GemmaError('bad-file', `${name} on ${site(current)} is not the file that was expected: it has ${size} bytes, not ${promised}.`);
    }

    function rangeOf(index) {
        return `bytes=${index * pieceSize}-${(index + 1) * pieceSize - 1}`;
    }

    function request(server, range) {
        return ask(urls[server], {range, knownGood: good.has(server)});
    }

    function site(server) {
        return new URL(urls[server]).host;
    }

    function empty(server) {
        return new GemmaError('bad-file', `${name} on ${site(server)} is empty.`);
    }

    /**
     * Has `attempt` made at one server after the other until it goes well: at the next one at once, at the same one after a pause.
     * @template T
     * @param {(server: number) => Promise<T>} attempt   rejects with a RequestError
     * @param {{skip?: number, gained?: () => boolean}} [options]   gained: whether new bytes have come since it was last asked
     * @returns {Promise<T>}
     */
    async function persist(attempt, {skip = 0, gained = () => false} = {}) {
        let failures = 0;
        for (let server = (current + skip) % urls.length; ; server = (server + 1) % urls.length) {
            if (useless.size === urls.length) throw useless.get(0);
            if (useless.has(server)) continue;
            signal?.throwIfAborted();
            await online();
            try {
                const got = await attempt(server);
                good.add(server);
                current = server;
                if (failures) onWait();
                return got;
            } catch (error) {
                if (signal?.aborted) throw signal.reason;
                if (!error.passing) {
                    useless.set(server, error);
                    continue;
                }
                failures = gained() ? 1 : failures + 1;
                const others = urls.length - useless.size, rounds = Math.floor(failures / others);
                if (rounds >= patience.tries || error.retryAfterMs > patience.longestMs) throw error;
                if (failures % others) continue;
                const backOff = patience.pauseMs * 2 ** (rounds - 1) * (0.5 + Math.random() / 2);
                onWait(`${error.message.replace(/; try again.*$/, '').replace(/\.$/, '')}; trying again.`);
                await pause(Math.max(backOff, error.retryAfterMs), signal);
            }
        }
    }

    /** Without any network there is nothing to try. */
    async function online() {
        if (globalThis.navigator?.onLine !== false || urls.every((one) => /^(localhost|127\.|\[::1\])/.test(new URL(one).host))) return;
        onWait('There is no network; this goes on when it is back.');
        await new Promise((resolve, reject) => {
            addEventListener('online', resolve, {once: true});
            signal?.addEventListener('abort', () => reject(signal.reason), {once: true});
        });
        onWait();
    }

    /** Whether an answer is of the file that was opened. */
    function mustBeTheSame(response, server) {
        if (parts || checked && (contentRange(response).total ?? size) === size) return;
        if (validatorOf(response) === validator && (validator || server === current) && (contentRange(response).total ?? size) === size) return;
        drop(response);
        throw new GemmaError('network', server === current ? `${name} changed on its server during the download; load it again.`
            : `${name} on ${site(server)} is another version than the one on ${site(current)}.`);
    }

    async function readRange(start, length, again = 0) {
        const index = start / pieceSize, base = parts ? 0 : start;
        const piece = new Uint8Array(length);
        let filled = 0, most = 0, before = 0;
        await persist(async (server) => {
            const isOpen = opening && index === first && filled === 0 && !again && length === Math.min(pieceSize, size - start);
            const response = isOpen ? opening : await requestFrom(server, index, base + filled, base + length - 1);
            if (isOpen) opening = undefined;
            try {
                for await (const packet of packets(response, site(server))) {
                    if (filled + packet.length > length) throw more(server);
                    piece.set(packet, filled);
                    filled += packet.length;
                    most = Math.max(most, filled);
                    onBytes(packet.length);
                }
                if (filled < length) throw fewer(server);
            } catch (error) {
                // What came stays, where it is certain that the rest will be of the same file.
                if (!checked && !parts && !validator) {
                    onBytes(-filled);
                    filled = 0;
                }
                throw error;
            }
        }, {
            skip: again,
            gained() {
                const more = most > before;
                before = most;
                return more;
            },
        });
        return piece.buffer;
    }

    async function requestFrom(server, index, from, to) {
        const address = parts ? new URL(parts[index], urls[server]).href : urls[server];
        const response = await ask(address, {range: `bytes=${from}-${to}`, isModel: !parts || index === 0, knownGood: good.has(server)});
        const {start = from} = contentRange(response);
        if (response.status === 200 && from === 0 && parts) return response;
        if (response.status === 206) mustBeTheSame(response, server);
        if (response.status === 206 && start === from) return response;
        drop(response);
        if (response.status === 206)
            throw new GemmaError('network', `${site(server)} sent another part of ${name} than was asked for; try again later.`);
        if (response.status === 416) throw new GemmaError('network', `${name} changed on its server during the download; load it again.`);
        mustBeTheSame(response, server);
        throw passing(`${site(server)} no longer gives out parts of ${name}; try again later.`);
    }

    async function peek(from, length) {
        return persist(async (server) => {
            const response = await requestFrom(server, 0, from, from + length - 1);
            const bytes = new Uint8Array(await response.arrayBuffer());
            if (bytes.length !== length) throw passing(`${site(server)} sent ${bytes.length} bytes of ${name} where ${length} were asked for; try again.`);
            return bytes;
        });
    }

    /**
     * Spans of an answer that is the whole file, best asked for in order: what is between is passed over, and for one before, or after
     * a connection broke, it is read from its first byte again; the latter only where it is certain that it is the same file.
     */
    function createStream() {
        /** The answer, the part of its last packet that was not taken yet, and where in the file that begins. */
        let source, rest, at = 0;
        let farthest = 0, before = 0;
        let last = Promise.resolve();
        return {span: (start, length) => last = last.catch(() => {}).then(() => read(start, length)), restart};

        async function read(start, length) {
            const bytes = new Uint8Array(length);
            let filled = 0;
            if (start < at) restart();
            await persist(async (server) => {
                try {
                    source ??= await begin(server);
                    while (filled < length) {
                        const packet = rest ?? await next(server);
                        // What lies before this piece is passed over, and so is what the piece has already.
                        const from = Math.max(0, start + filled - at), part = packet.subarray(from, from + length - filled);
                        const used = Math.min(packet.length, from + part.length);
                        bytes.set(part, filled);
                        filled += part.length;
                        at += used;
                        rest = used < packet.length ? packet.subarray(used) : undefined;
                        farthest = Math.max(farthest, at);
                        if (part.length) onBytes(part.length);
                    }
                    if (start + length === size && (rest || !(await source.next()).done)) throw more(server);
                } catch (error) {
                    restart();
                    if (!error.passing || checked || validator) throw error;
                    throw new GemmaError('network', error.message, {cause: error.cause});
                }
            }, {
                gained() {
                    const gain = farthest > before;
                    before = farthest;
                    return gain;
                },
            });
            return bytes.buffer;
        }

        function restart() {
            source?.return().catch(() => {});
            source = rest = undefined;
            at = 0;
        }

        async function begin(server) {
            const response = opening ?? await ask(urls[server], {knownGood: good.has(server)});
            if (response !== opening) {
                const length = response.headers.get('Content-Length');
                if (response.status !== 200 || length !== null && Number(length) !== size) {
                    drop(response);
                    throw new GemmaError('network', `${name} changed on its server during the download; load it again.`);
                }
                mustBeTheSame(response, server);
            }
            opening = undefined;
            return packets(response, site(server));
        }

        async function next(server) {
            const {value, done} = await source.next();
            if (done) throw fewer(server);
            return value;
        }
    }

    function fewer(server) {
        return passing(`${site(server)} sent fewer bytes of ${name} than it announced; try again.`);
    }

    function more(server) {
        return new GemmaError('network', `${site(server)} sent more bytes of ${name} than it announced; try again.`);
    }

    /**
     * The length of the whole file. Another origin's Content-Range may be hidden from us, its Content-Length never is:
     * then the headers of the whole file are asked for. (HEAD is refused by some servers.)
     */
    async function totalSize(response, server) {
        const {total} = contentRange(response);
        if (total) return total;
        if (response.status === 206 && promised !== undefined) return promised;
        let length = response.headers.get('Content-Length');
        if (response.status === 206) {
            const lengthBy = async (options) => {
                const whole = await ask(urls[server], {...options, knownGood: true});
                drop(whole);
                return whole.headers.get('Content-Length');
            };
            length = await lengthBy({method: 'HEAD'}).catch(() => null) ?? await lengthBy({range: 'bytes=0-'});
        }
        if (Number(length) > 0) return Number(length);
        if (length === null && promised !== undefined) return promised;
        drop(response);
        if (length === '0') throw empty(server);
        throw new GemmaError('network', `${site(server)} does not say how long ${name} is; download it and open it from your disk.`);
    }
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
