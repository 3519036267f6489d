// A file on web servers, read in pieces: by ranges where the server gives them, otherwise by cutting one stream.
//
// Owns that pieces of different files are never put together (identity.js says which are), and which bytes of an answer are taken. servers.js has
// the patience. Knows nothing of IndexedDB, GGUF or the engine.

import {GemmaError} from '../../base/error.js';
import {isSame, publishedDigest, versionOf} from './identity.js';
import {createLine} from './line.js';
import {fileName} from '../file/names.js';
import {announcedLength, contentRange, passing} from './request.js';
import {createServers} from './servers.js';
import {createStream} from './stream.js';

/** @type {import('./servers.js').Patience} */
const PATIENCE = {tries: 6, pauseMs: 500, longestMs: 120_000, stallMs: 30_000};

const LARGEST_TO_END = 4 * 2 ** 30;     // of a file whose length nobody says, bytes that are held before any is used
const REPORT_MS = 500;

/**
 * @typedef {import('./identity.js').Version & Remote} RemoteFile   which version it is, as its server shows it, and
 *
 * @typedef {object} Remote
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {string} sha256      of the whole file, as the server publishes it, in hex; '' when it doesn't
 * @property {boolean} ranges     read() may ask for any piece; without, pieces out of order cost reading from the first byte again
 * @property {(index: number, again?: number) => Promise<ArrayBuffer>} read   piece `index` of pieceSize bytes, the last one shorter.
 *     again: how often it came wrong; then another server is asked first
 * @property {(from: number, length: number, again?: number) => Promise<ArrayBuffer>} span   the same for a range of bytes; not of a file in parts
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
 * @param {() => boolean} [options.decided]   whether somebody will compare the whole with its digest at the end, which decides where versions don't
 * @param {boolean} [options.toEnd]  false: a file whose length nobody says is refused, where it could be read to its end first
 * @param {boolean} [options.knownGood]  the file has been there before: a server that can't be reached is asked again
 * @param {import('./line.js').Line} [options.line]   shared by all that ask for the same model
 * @param {(bytes: number) => void} [options.onBytes]  called with the bytes of each packet as it arrives, and with
 *     a negative number when bytes are given up
 * @param {(sentence?: string) => void} [options.onWait]   why nothing comes; undefined when it goes on
 * @param {AbortSignal} [options.signal]   ends this and all later requests
 * @param {import('./servers.js').Patience} [options.patience]
 * @returns {Promise<RemoteFile>}   rejects with GemmaError 'network', 'not-found' or 'bad-file'
 */
export async function openRemote(url, {
    headers, home = [url].flat()[0], first = 0, pieceSize, size: promised, parts, checked = false, decided = () => false, toEnd = true, knownGood = false,
    onBytes = () => {}, onWait = () => {}, signal, patience = PATIENCE, line = createLine(patience.stallMs),
}) {
    const urls = [url].flat(), name = fileName(urls[0]);
    const servers = createServers({urls, name, home, headers, knownGood, line, onWait, signal, patience}), {site} = servers;
    /** The answer that came first, until it is read; who gave it, and which version of the file that is. */
    let opening, openedAt = 0, version = {validator: ''};
    let size = promised, ranges = true, whole, stream;
    if (!parts) await open();
    const span = whole ? spanOfWhole : ranges ? readRange : stream.span;
    const read = (index, again) => span(index * pieceSize, Math.min(pieceSize, size - index * pieceSize), again);
    return {name, size, ...version, sha256: publishedDigest(version), ranges, read, span, peek, close};

    function close() {
        letGo();
        stream?.restart();
    }

    function letGo() {
        opening?.drop();
        opening = undefined;
    }

    async function open() {
        opening = await servers.persist(async (server) => {
            let answer = await servers.ask(server, {range: rangeOf(first)});
            if (answer.status === 416 && first > 0) {       // the file ends earlier than somebody remembers
                answer.drop();
                first = 0;
                answer = await servers.ask(server, {range: rangeOf(first)});
            }
            const {start = first * pieceSize} = contentRange(answer.headers);
            if (answer.status !== 416 && (answer.status !== 206 || start === first * pieceSize)) return answer;
            answer.drop();
            throw answer.status === 416 ? empty(server) : anotherPart(server);
        });
        openedAt = servers.current();
        const {status, headers: shown} = opening;
        ranges = status === 206;
        version = versionOf(shown);
        opening.lend(letGo);
        size = await findSize(shown);
        if (size === undefined) {
            if (!toEnd) throw lengthUnknown();
            whole = await readToEnd();
            ({size} = whole);
        }
        if (!ranges) stream = createStream({servers, size, begin, errors: {fewer, more}, onBytes, canRestart});
        if (size === 0) throw empty(openedAt);
        if (promised === undefined || size === promised) return;
        letGo();
        throw new GemmaError('bad-file', `${name} on ${site(openedAt)} is not the file that was expected: it has ${size} bytes, not ${promised}.`);
    }

    function rangeOf(index) {
        return `bytes=${index * pieceSize}-${(index + 1) * pieceSize - 1}`;
    }

    /**
     * The length of the whole file; undefined where nobody says it. Another origin's Content-Range may be hidden from us, its Content-Length never is:
     * then the headers of the whole file are asked for. (HEAD is refused by some servers.)
     */
    async function findSize(shown) {
        const {total} = contentRange(shown);
        if (total !== undefined) return total;
        if (!ranges) return announcedLength(shown) ?? promised;
        if (promised !== undefined) return promised;
        // A request with a range is one that no server compresses.
        const lengthBy = async (method) => {
            const answer = await servers.ask(openedAt, {method, range: 'bytes=0-'});
            answer.drop();
            return announcedLength(answer.headers);
        };
        const length = await servers.persist(async () => await lengthBy('HEAD').catch(() => undefined) ?? lengthBy('GET'));
        if (length !== undefined) return length;
        throw lengthUnknown();
    }

    function lengthUnknown() {
        letGo();
        return new GemmaError('network', `${site(openedAt)} does not say how long ${name} is; download it and open it from your disk.`);
    }

    /** Of a file whose length nobody says. In Blobs, which browsers may put on the disk. @returns {Promise<Blob>} */
    function readToEnd() {
        return servers.persist(async (server) => {
            const answer = await begin(server), blobs = [];
            let packets = [], held = 0, length = 0, reported = -Infinity;
            for await (const packet of answer.packets()) {
                length += packet.length;
                held += packet.length;
                if (length > LARGEST_TO_END)
                    throw new GemmaError('network', `${site(server)} does not say how long ${name} is, and sends more than ${LARGEST_TO_END} bytes; download it and open it from your disk.`);
                packets.push(packet);
                if (held >= pieceSize) {
                    blobs.push(new Blob(packets));
                    [packets, held] = [[], 0];
                }
                if (performance.now() - reported < REPORT_MS) continue;
                reported = performance.now();
                onWait(`${site(server)} does not say how long ${name} is: ${(length / 1e6).toFixed(1)} MB so far.`);
            }
            onWait();
            return new Blob([...blobs, ...packets]);
        });
    }

    async function spanOfWhole(start, length) {
        onBytes(length);
        return whole.slice(start, start + length).arrayBuffer();
    }

    function empty(server) {
        return new GemmaError('bad-file', `${name} on ${site(server)} is empty.`);
    }

    function anotherPart(server) {
        return new GemmaError('network', `${site(server)} sent another part of ${name} than was asked for; try again later.`);
    }

    function changed() {
        return new GemmaError('network', `${name} changed on its server during the download; load it again.`);
    }

    /** Whether what comes later is certain to be of the same file, or somebody will find out. */
    function canRestart() {
        return checked || Boolean(version.validator) || decided();
    }

    /** Whether an answer is of the file that was opened. */
    function mustBeTheSame(answer, server) {
        if (parts) return;
        if ((contentRange(answer.headers).total ?? size) === size) {
            const theirs = versionOf(answer.headers);
            const nothingTells = !version.validator && !theirs.validator && server === openedAt;
            if (checked || (isSame(version, theirs) ?? (nothingTells || decided()))) return;
        }
        answer.drop();
        const error = server === openedAt ? changed() : new GemmaError('network', `${name} on ${site(server)} is another version than the one on ${site(openedAt)}.`);
        throw Object.assign(error, {isOther: true});
    }

    async function readRange(start, length, again = 0) {
        const index = start / pieceSize, base = parts ? 0 : start;
        const piece = new Uint8Array(length);
        let filled = 0, most = 0, before = 0;
        await servers.persist(async (server) => {
            while (filled < length) {
                const isOpen = opening && index === first && filled === 0 && !again && length === Math.min(pieceSize, size - start);
                const answer = isOpen ? opening : await askFrom(server, index, base + filled, base + length - 1);
                if (isOpen) opening = undefined;
                await take(answer, server);
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

        /** Fills more of the piece. An answer may say that it holds less than was asked for, or more. */
        async function take(answer, server) {
            const from = filled, {end} = contentRange(answer.headers);
            const announced = end === undefined ? announcedLength(answer.headers) : end - base - from;
            let skip = answer.status === 200 ? from : 0;        // a part that comes as a whole
            try {
                for await (const packet of answer.packets()) {
                    const part = packet.subarray(skip, skip + length - filled);
                    const isMore = packet.length > skip + part.length;
                    skip = Math.max(0, skip - packet.length);
                    if (isMore && !(end !== undefined && announced > length - from)) throw more(server);
                    piece.set(part, filled);
                    filled += part.length;
                    most = Math.max(most, filled);
                    onBytes(part.length);
                    if (isMore) break;
                }
                if (filled < length && (filled === from || filled - from !== announced)) throw answer.broke(fewer(server));
            } catch (error) {
                // What came stays, where it is certain that the rest will be of the same file.
                if (!parts && !canRestart()) {
                    onBytes(-filled);
                    filled = 0;
                }
                throw error;
            }
        }
    }

    async function askFrom(server, index, from, to) {
        const address = parts ? new URL(parts[index], urls[server]).href : urls[server];
        const answer = await servers.ask(server, {address, range: `bytes=${from}-${to}`, order: index * pieceSize + from, isModel: !parts || index === 0});
        const {start = from} = contentRange(answer.headers);
        if (answer.status === 200 && parts) return answer;
        if (answer.status === 206) mustBeTheSame(answer, server);
        if (answer.status === 206 && start === from) return answer;
        answer.drop();
        if (answer.status === 206) throw anotherPart(server);
        if (answer.status === 416) throw Object.assign(changed(), {isOther: true});
        mustBeTheSame(answer, server);
        throw passing(`${site(server)} no longer gives out parts of ${name}; try again later.`, {busy: false});
    }

    async function peek(from, length) {
        if (whole) return new Uint8Array(await whole.slice(from, from + length).arrayBuffer());
        return servers.persist(async (server) => {
            const answer = await askFrom(server, 0, from, from + length - 1), bytes = new Uint8Array(length);
            let filled = 0;
            for await (const packet of answer.packets()) {
                bytes.set(packet.subarray(0, length - filled), filled);
                filled = Math.min(length, filled + packet.length);
                if (filled === length) return bytes;
            }
            throw answer.broke(fewer(server));
        });
    }

    /** The answer that is the whole file, from its first byte. */
    async function begin(server) {
        const answer = opening ?? await servers.ask(server);
        if (answer !== opening) {
            if (answer.status !== 200 || size !== undefined && (announcedLength(answer.headers) ?? size) !== size) {
                answer.drop();
                throw Object.assign(changed(), {isOther: true});
            }
            mustBeTheSame(answer, server);
        }
        opening = undefined;
        return answer;
    }

    function fewer(server) {
        return passing(`${site(server)} sent fewer bytes of ${name} than it announced; try again.`);
    }

    function more(server) {
        return new GemmaError('network', `${site(server)} sent more bytes of ${name} than it announced; try again, or download it and open it from your disk.`);
    }
}
