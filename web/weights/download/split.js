// A model that llama.cpp's gguf-split cut into parts, as one remote file: what gguf_parts.js makes of their
// headers, and ranges of their weights.
// So it is stored, hashed and exported like any other. Knows the servers only through http.js.

import {GemmaError} from '../../base/error.js';
import {checkPart, joinParts, pieceLength, readPartHeader} from '../file/gguf_parts.js';
import {openRemote} from './http.js';
import {Line} from './line.js';
import {fileName, partUrls, wholeName} from '../file/names.js';
import {askPointer} from './request.js';

/**
 * @typedef {import('./http.js').RemoteFile} RemoteFile
 * @typedef {import('./http.js').RemoteOptions} RemoteOptions
 * @typedef {import('../file/gguf_parts.js').Piece} Piece
 * @typedef {{header: import('../file/gguf_parts.js').PartHeader, bytes: Uint8Array}} Head
 */

const HEAD_BYTES = 1024 * 1024;     // of the first part are asked for at first,
const LATER_BYTES = 64 * 1024;      // and this many of the others, whose headers are shorter

const AHEAD = 3;                    // parts that are asked for while another one is read

/**
 * Opens one part after the other, some ahead. Read what was asked for of a part, or close it, before you take
 * the next: a browser has few connections.
 * @param {string[]} urls   of copies of the first part
 * @param {RemoteOptions & {laterSize?: number}} options   pieceSize: what is asked for; laterSize: the same
 *     of all parts but the first
 * @returns {AsyncGenerator<import('./http.js').RemoteFile>}
 */
export async function* openParts(urls, options) {
    const copies = urls.map((url) => partUrls(url) ?? []), line = new Line();
    /** @type {Promise<RemoteFile>[]} */
    const coming = [];
    /** @param {number} part @returns {Promise<RemoteFile>} */
    const open = (part) => {
        const opened = openRemote(copies.map((all) => all[part]).filter(Boolean), {
            line, home: urls[0], ...options,
            pieceSize: part ? options.laterSize ?? LATER_BYTES : options.pieceSize,
        });
        opened.catch(() => {});     // it is thrown where it is awaited, if another part does not fail before
        return opened;
    };
    try {
        for (let part = 0, next = 0; part < copies[0].length; part++) {
            // The first alone: it may say that there are no others.
            for (const most = part ? AHEAD : 1; coming.length < most && next < copies[0].length;)
                coming.push(open(next++));
            const [opened] = coming.splice(0, 1);
            yield await opened;
        }
    } finally {
        for (const opened of coming) opened.then((part) => part.close(), () => {});
    }
}

/**
 * @param {string[]} urls   of copies of the first part
 * @param {RemoteOptions} options
 * @returns {Promise<Omit<RemoteFile, 'span'> & {published: () =>
 *     Promise<import('../file/check.js').Published[]>}>}   published: asks what the host says of the parts
 */
export async function openSplit(urls, {pieceSize, first, size: promised, parts: none, onBytes = () => {},
    ...options}) {
    const name = wholeName(fileName(urls[0]));
    const {length: count} = partUrls(urls[0]) ?? [];
    /** @type {RemoteFile[]} */
    const parts = [];
    /** @type {Head[]} */
    const heads = [];
    for await (const part of openParts(urls, {...options, pieceSize: HEAD_BYTES, onBytes})) {
        const head = await readHead(part, parts.length ? LATER_BYTES : HEAD_BYTES);
        checkPart(name, parts.length, count, head.header, heads[0]?.header ?? head.header);
        parts.push(part);
        heads.push(head);
        if (!part.ranges) part.close();     // or its connection would stand still until its turn comes
    }
    const pieces = joinParts(name, heads.map(({header}) => header), parts.map((part) => part.size));
    /** @param {'validator' | 'modified'} key */
    const joined = (key) => parts.every((part) => part[key]) ? parts.map((part) => part[key]).join(' ') : '';
    const size = pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
    if (promised !== undefined && size !== promised)
        throw new GemmaError('bad-file',
            `${name} is not the file that was expected: its parts have ${size} bytes together, not ${promised}.`);
    return {
        name, size, published: () => publishedOf(urls[0], parts, heads, pieces, options), sha256: '',
        ranges: parts.every(({ranges}) => ranges),
        validator: joined('validator'), modified: joined('modified') || undefined,
        read: (index, again) => gather(index * pieceSize, Math.min(pieceSize, size - index * pieceSize),
            again),
        peek: async (from, length) => new Uint8Array(await gather(from, length)),
        close: () => parts.forEach((part) => part.close()),
    };

    /** @param {number} from @param {number} length @param {number} [again] @returns {Promise<ArrayBuffer>} */
    async function gather(from, length, again) {
        const gathered = new Uint8Array(length);
        let at = 0;
        await Promise.all(pieces.map(async (piece) => {
            const start = Math.max(from - at, 0), end = Math.min(from + length - at, pieceLength(piece)),
                to = at + start - from;
            at += pieceLength(piece);
            if (start >= end) return;
            if (piece.bytes) onBytes(end - start);
            gathered.set(piece.bytes ? piece.bytes.subarray(start, end)
                : new Uint8Array(await parts[piece.part].span(piece.from + start, end - start, again)), to);
        }));
        return gathered.buffer;
    }
}

/**
 * A part's header, and the bytes before its weights.
 * @param {RemoteFile} part
 * @param {number} first
 * @returns {Promise<Head>}
 */
async function readHead(part, first) {
    /** @type {BlobPart[]} */
    const bytes = [];
    let have = 0;
    /** @param {number} length */
    const grow = async (length) => {
        const more = Math.min(length, part.size) - have;
        if (more > 0) {
            bytes.push(new Uint8Array(await part.span(have, more)));
            have += more;
        }
        return new Uint8Array(await new Blob(bytes).arrayBuffer());
    };
    const header = await readPartHeader(grow, part.name, first);
    return {header, bytes: (await grow(header.begin)).subarray(0, header.begin)};
}

/**
 * What the host says of the parts; of those without weights, nothing can be compared.
 * @param {string} url
 * @param {RemoteFile[]} parts
 * @param {Head[]} heads
 * @param {Piece[]} pieces
 * @param {{headers?: Record<string, string>, signal?: AbortSignal}} options
 */
async function publishedOf(url, parts, heads, pieces, {headers, signal}) {
    const published = [], own = pieces.flatMap((piece) => piece.bytes ? [] : [piece]);
    /** @type {string[]} */
    const digests = [];
    /** @param {{part: number}} piece */
    const ask = ({part}) => parts[part].sha256 || askPointer((partUrls(url) ?? [])[part],
        {home: url, headers, signal});
    while (digests.length < own.length)
        digests.push(...await Promise.all(own.slice(digests.length, digests.length + AHEAD).map(ask)));
    let from = 0;
    for (const piece of pieces) {
        const length = pieceLength(piece), digest = piece.bytes ? undefined : digests[own.indexOf(piece)];
        if (digest && !piece.bytes)
            published.push({
                name: parts[piece.part].name, sha256: digest, from, length, head: heads[piece.part].bytes,
            });
        from += length;
    }
    return published;
}
