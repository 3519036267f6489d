// A file on web servers, read in pieces: by ranges where the server gives them, otherwise by cutting
// one stream.
//
// Owns that pieces of different files are never put together (identity.js says which are). retries.js has the
// patience. Knows nothing of IndexedDB, GGUF or the engine.

import {isSame, publishedDigest, versionOf} from './identity.js';
import {Line} from './line.js';
import {fileName} from '../file/names.js';
import {announcedLength, contentRange} from './request.js';
import {Servers} from './servers.js';
import {Span} from './span.js';
import {Stream} from './stream.js';
import {readToEnd} from './whole.js';
import {WrongAnswers} from './wrong_answers.js';

/** @type {import('./retries.js').Patience} */
const PATIENCE = {tries: 6, pauseMs: 500, longestMs: 120_000, stallMs: 30_000};

/**
 * @typedef {import('./identity.js').Version & Remote} RemoteFile   which version it is, as its server
 *     shows it, and
 *
 * @typedef {object} Remote
 * @property {string} name        file name, for people
 * @property {number} size        bytes
 * @property {string} sha256      of the whole file, as the server publishes it, in hex; '' when it doesn't
 * @property {boolean} ranges     read() may ask for any piece; without, pieces out of order cost reading from
 *     the first byte again
 * @property {(index: number, again?: number) => Promise<ArrayBuffer>} read   piece `index` of pieceSize
 *     bytes, the last one shorter. again: how often it came wrong; then another server is asked first
 * @property {(from: number, length: number, again?: number) => Promise<ArrayBuffer>} span   the same for a
 *     range of bytes; not of a file in parts
 * @property {(from: number, length: number) => Promise<Uint8Array>} peek   a few bytes from anywhere;
 *     only with ranges
 * @property {() => void} close   for those who read no further now: lets the connection go
 *
 * @typedef {object} RemoteOptions
 * @property {Record<string, string>} [headers]   sent along, for servers that want a token
 * @property {string} [home]   the address whose origin gets them; default: the first
 * @property {number} [first]   index of the piece to ask for
 * @property {number} pieceSize   bytes
 * @property {number} [size]    bytes, where a manifest tells
 * @property {string[]} [parts] addresses of files with one piece each, where the file was split; `size`
 *     is told then
 * @property {boolean} [checked]   the caller compares each piece with its digest, so that versions need
 *     not be compared
 * @property {() => boolean} [decided]   whether the caller compares the whole with its digest at the end,
 *     which decides where versions don't
 * @property {boolean} [toEnd]  false: a file of unknown length is refused, where it could be read to its
 *     end first
 * @property {boolean} [knownGood]  the file has been there before: a server that can't be reached is
 *     asked again
 * @property {import('./line.js').Line} [line]   shared by all that ask for the same model
 * @property {(bytes: number) => void} [onBytes]  called with the bytes of each packet as it arrives, and with
 *     a negative number when bytes are given up
 * @property {(sentence?: string) => void} [onWait]   why nothing comes; undefined when it continues
 * @property {AbortSignal} [signal]   ends this and all later requests
 * @property {import('./retries.js').Patience} [patience]
 */

/**
 * Asks for piece `first` of a file and learns from the answer how long the file is. The answer's body is not
 * lost: read(first) returns it. A server without ranges sends the whole file, which is then cut into pieces.
 * @param {string | string[]} url   absolute; several for copies of the same file, the preferred one first
 * @param {RemoteOptions} options
 * @returns {Promise<RemoteFile>}   rejects with GemmaError 'network', 'not-found' or 'bad-file'
 */
export async function openRemote(url, options) {
    const file = new HttpFile([url].flat(), options);
    if (!options.parts) await file.open();
    return file.remote();
}

/** One that is being read. */
class HttpFile {
    #urls;
    #name;
    #pieceSize;
    #promised;
    #parts;
    #toEnd;
    #isChecked;
    #onBytes;
    #onWait;
    #servers;
    #wrong;
    /** The piece that is asked for first. */
    #first;
    /** The answer that came first, until it is read. @type {import('./servers.js').Answer | undefined} */
    #opening;
    /** Who gave it, and which version of the file that is. */
    #openedAt = 0;
    /** @type {import('./identity.js').Version} */
    #version = {validator: ''};
    /** @type {number | undefined} */
    #size;
    #ranges = true;
    /** The file, where it had to be read to its end. @type {Blob | undefined} */
    #whole;
    /** Of a server without ranges. @type {Stream | undefined} */
    #stream;

    /** @param {string[]} urls @param {RemoteOptions} options */
    constructor(urls, {
        headers, home = urls[0], first = 0, pieceSize, size, parts, checked = false, decided = () => false,
        toEnd = true, knownGood = false,
        onBytes = () => {}, onWait = () => {}, signal, patience = PATIENCE, line = new Line(patience.stallMs),
    }) {
        const name = this.#name = fileName(urls[0]);
        this.#urls = urls;
        this.#pieceSize = pieceSize;
        this.#promised = this.#size = size;
        this.#parts = parts;
        this.#toEnd = toEnd;
        this.#isChecked = {each: checked, whole: decided};
        this.#onBytes = onBytes;
        this.#onWait = onWait;
        this.#first = first;
        this.#servers = new Servers({urls, name, home, headers, knownGood, line, onWait, signal, patience});
        this.#wrong = new WrongAnswers(name, (server) => this.#servers.site(server));
    }

    /** What others see of it. @returns {RemoteFile} */
    remote() {
        const size = this.#size ?? 0, pieceSize = this.#pieceSize, whole = this.#whole, stream = this.#stream;
        /** @type {RemoteFile['span']} */
        const span = whole ? (from, length) => this.#cut(whole, from, length)
            : stream ? (from, length) => stream.span(from, length)
                : (from, length, again) => this.#readRange(from, length, again);
        return {
            name: this.#name, size, ...this.#version, sha256: publishedDigest(this.#version),
            ranges: this.#ranges, span,
            read: (index, again) => span(index * pieceSize, Math.min(pieceSize, size - index * pieceSize),
                again),
            peek: (from, length) => this.#peek(from, length),
            close: () => {
                this.#letGo();
                stream?.restart();
            },
        };
    }

    async open() {
        const opening = this.#opening = await this.#servers.persist((server) => this.#askFirst(server));
        const openedAt = this.#openedAt = this.#servers.current;
        this.#ranges = opening.status === 206;
        this.#version = versionOf(opening.headers);
        opening.lend(() => this.#letGo());
        const size = this.#size = await this.#findSize(opening.headers) ?? await this.#readWhole();
        if (!this.#ranges) {
            this.#stream = new Stream({
                servers: this.#servers, size, begin: (server) => this.#begin(server), wrong: this.#wrong,
                onBytes: this.#onBytes,
                canRestart: () => this.#canRestart(),
            });
        }
        if (size === 0) throw this.#wrong.empty(openedAt);
        if (this.#promised === undefined || size === this.#promised) return;
        this.#letGo();
        throw this.#wrong.otherSize(openedAt, size, this.#promised);
    }

    #letGo() {
        this.#takeOpening()?.drop();
    }

    #takeOpening() {
        const opening = this.#opening;
        this.#opening = undefined;
        return opening;
    }

    /** @param {number} server */
    async #askFirst(server) {
        let answer = await this.#servers.ask(server, {range: this.#rangeOf(this.#first)});
        if (answer.status === 416 && this.#first > 0) {     // the file is shorter than it was
            answer.drop();
            this.#first = 0;
            answer = await this.#servers.ask(server, {range: this.#rangeOf(0)});
        }
        const begin = this.#first * this.#pieceSize, {start = begin} = contentRange(answer.headers);
        if (answer.status !== 416 && (answer.status !== 206 || start === begin)) return answer;
        answer.drop();
        throw answer.status === 416 ? this.#wrong.empty(server) : this.#wrong.anotherPart(server);
    }

    /** @param {number} index   of a piece */
    #rangeOf(index) {
        return `bytes=${index * this.#pieceSize}-${(index + 1) * this.#pieceSize - 1}`;
    }

    /**
     * The length of the whole file; undefined where it is not said. Another origin's Content-Range may be
     * hidden from us, its Content-Length never is:
     * then the headers of the whole file are asked for. (HEAD is refused by some servers.)
     * @param {Headers} shown   of the first answer
     */
    async #findSize(shown) {
        const {total} = contentRange(shown);
        if (total !== undefined) return total;
        if (!this.#ranges) return announcedLength(shown) ?? this.#promised;
        if (this.#promised !== undefined) return this.#promised;
        // A request with a range is one that no server compresses.
        const lengthBy = async (/** @type {'HEAD' | 'GET'} */ method) => {
            const answer = await this.#servers.ask(this.#openedAt, {method, range: 'bytes=0-'});
            answer.drop();
            return announcedLength(answer.headers);
        };
        // some tell nothing of a HEAD's length but 0
        const length = await this.#servers.persist(async () => await lengthBy('HEAD').catch(() => 0)
            || lengthBy('GET'));
        if (length === undefined) throw this.#lengthUnknown();
        return length;
    }

    async #readWhole() {
        if (!this.#toEnd) throw this.#lengthUnknown();
        const begin = (/** @type {number} */ server) => this.#begin(server);
        this.#whole = await readToEnd({
            servers: this.#servers, name: this.#name, pieceSize: this.#pieceSize, begin, wrong: this.#wrong,
            onWait: this.#onWait,
        });
        return this.#whole.size;
    }

    #lengthUnknown() {
        this.#letGo();
        return this.#wrong.lengthUnknown(this.#openedAt);
    }

    /** @param {Blob} whole @param {number} from @param {number} length */
    #cut(whole, from, length) {
        this.#onBytes(length);
        return whole.slice(from, from + length).arrayBuffer();
    }

    /** Whether what comes later is certain to be of the same file, or will be checked. */
    #canRestart() {
        return this.#isChecked.each || Boolean(this.#version.validator) || this.#isChecked.whole();
    }

    /**
     * Whether an answer is of the file that was opened.
     * @param {import('./servers.js').Answer} answer
     * @param {number} server
     */
    #isTheSame({headers}, server) {
        if (this.#parts) return true;
        if ((contentRange(headers).total ?? this.#size) !== this.#size) return false;
        const version = this.#version, theirs = versionOf(headers);
        const nothingTells = !version.validator && !theirs.validator && server === this.#openedAt;
        return this.#isChecked.each || (isSame(version, theirs) ?? (nothingTells || this.#isChecked.whole()));
    }

    /** @param {import('./servers.js').Answer} answer @param {number} server */
    #mustBeTheSame(answer, server) {
        if (this.#isTheSame(answer, server)) return;
        answer.drop();
        throw this.#wrong.otherVersion(server, this.#openedAt);
    }

    /** @param {number} start @param {number} length @param {number} [again] */
    async #readRange(start, length, again = 0) {
        const index = start / this.#pieceSize, base = this.#parts ? 0 : start;
        const isFirst = index === this.#first && !again && length === Math.min(this.#pieceSize,
            (this.#size ?? 0) - start);
        const mayMix = () => Boolean(this.#parts) || this.#canRestart();
        const span = new Span(length, {base, wrong: this.#wrong, onBytes: this.#onBytes, mayMix});
        await this.#servers.persist(async (server) => {
            while (!span.isFull) {
                const opening = isFirst && span.filled === 0 ? this.#takeOpening() : undefined;
                await span.take(opening ?? await this.#askFrom(server, index, base + span.filled,
                    base + length - 1), server);
            }
        }, {skip: again, gained: () => span.gained()});
        return span.bytes.buffer;
    }

    /**
     * @param {number} server
     * @param {number} index   of the piece
     * @param {number} from
     * @param {number} to   the last byte
     */
    async #askFrom(server, index, from, to) {
        const parts = this.#parts, url = this.#urls[server],
            address = parts ? new URL(parts[index], url).href : url;
        const order = index * this.#pieceSize + from, isModel = !parts || index === 0;
        const answer = await this.#servers.ask(server, {address, range: `bytes=${from}-${to}`,
            order, isModel});
        const {status, headers} = answer, {start = from} = contentRange(headers);
        if (status === 200 && parts) return answer;
        if (status !== 206) {
            const isOther = status === 416 || !this.#isTheSame(answer, server);
            throw answer.refuse(isOther ? this.#wrong.otherVersion(server, this.#openedAt)
                : this.#wrong.noRanges(server));
        }
        this.#mustBeTheSame(answer, server);
        if (start === from) return answer;
        answer.drop();
        throw this.#wrong.anotherPart(server);
    }

    /** @param {number} from @param {number} length */
    async #peek(from, length) {
        if (this.#whole) return new Uint8Array(await this.#whole.slice(from, from + length).arrayBuffer());
        return this.#servers.persist(async (server) => {
            const answer = await this.#askFrom(server, 0, from, from + length - 1),
                bytes = new Uint8Array(length);
            let filled = 0;
            for await (const packet of answer.packets()) {
                bytes.set(packet.subarray(0, length - filled), filled);
                filled = Math.min(length, filled + packet.length);
                if (filled === length) return bytes;
            }
            throw answer.broke(this.#wrong.fewer(server));
        });
    }

    /** The answer that is the whole file, from its first byte. @param {number} server */
    async #begin(server) {
        const opening = this.#takeOpening();
        if (opening) return opening;
        const answer = await this.#servers.ask(server);
        if (answer.status !== 200 || this.#size !== undefined && (announcedLength(answer.headers)
            ?? this.#size) !== this.#size) {
            answer.drop();
            throw this.#wrong.otherVersion(server, server);
        }
        this.#mustBeTheSame(answer, server);
        return answer;
    }
}
