// A model that llama.cpp's gguf-split cut into parts, as one remote file: what engine/gguf_parts.js makes of their headers, and ranges of their weights.
// So it is stored, hashed and exported like any other. Knows the servers only through http.js.

import {GemmaError} from '../engine/error.js';
import {joinParts, partNames, pieceLength, readPartHeader, wholeName} from '../engine/gguf_parts.js';
import {openRemote} from './http.js';
import {fileName} from './names.js';
import {askPointer} from './request.js';

const HEAD_BYTES = 1024 * 1024;     // are asked for at first: the header of any part but the first is shorter

/** @param {string} url @returns {string[] | undefined} addresses of all parts, if it is that of one */
export function partUrls(url) {
    if (!URL.canParse(url)) return undefined;
    return partNames(new URL(url).pathname)?.map((path) => Object.assign(new URL(url), {pathname: path}).href);
}

/**
 * Opens one part after the other. What is asked for of each is to be read, or the part closed, before the next: a browser has few connections.
 * @param {string[]} urls   of copies of the first part
 * @param {object} options  as for openRemote; pieceSize: what is asked for
 * @returns {AsyncGenerator<import('./http.js').RemoteFile>}
 */
export async function* openParts(urls, options) {
    const copies = urls.map((url) => partUrls(url) ?? []);
    for (const part of copies[0].keys()) yield openRemote(copies.map((all) => all[part]).filter(Boolean), options);
}

/**
 * @param {string[]} urls   of copies of the first part
 * @param {object} options  as for openRemote
 * @returns {Promise<import('./http.js').RemoteFile & {published: () => Promise<import('./check.js').Published[]>}>}   published: asks what the
 *     host says of the parts
 */
export async function openSplit(urls, {pieceSize, first, size: promised, parts: none, onBytes = () => {}, ...options}) {
    const name = wholeName(fileName(urls[0]));
    const parts = [], heads = [];
    for await (const part of openParts(urls, {...options, pieceSize: HEAD_BYTES, onBytes})) {
        parts.push(part);
        heads.push(await readHead(part));
        if (!part.ranges) part.close();     // or its connection would stand still until its turn comes
    }
    const pieces = joinParts(name, heads.map(({header}) => header), parts.map((part) => part.size));
    const size = pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
    if (promised !== undefined && size !== promised)
        throw new GemmaError('bad-file', `${name} is not the file that was expected: its parts have ${size} bytes together, not ${promised}.`);
    return {
        name, size, published: () => publishedOf(urls[0], parts, heads, pieces, options), sha256: '', ranges: parts.every(({ranges}) => ranges),
        validator: parts.every(({validator}) => validator) ? parts.map(({validator}) => validator).join(' ') : '',
        read: (index, again) => gather(index * pieceSize, Math.min(pieceSize, size - index * pieceSize), again),
        peek: async (from, length) => new Uint8Array(await gather(from, length)),
        close: () => parts.forEach((part) => part.close()),
    };

    async function gather(from, length, again) {
        const gathered = new Uint8Array(length);
        let at = 0;
        await Promise.all(pieces.map(async (piece) => {
            const start = Math.max(from - at, 0), end = Math.min(from + length - at, pieceLength(piece)), to = at + start - from;
            at += pieceLength(piece);
            if (start >= end) return;
            if (piece.bytes) onBytes(end - start);
            gathered.set(piece.bytes?.subarray(start, end) ?? new Uint8Array(await parts[piece.part].span(piece.from + start, end - start, again)), to);
        }));
        return gathered.buffer;
    }
}

/** A part's header, and the bytes before its weights. */
async function readHead(part) {
    const bytes = [];
    let have = 0;
    const grow = async (length) => {
        const more = Math.min(length, part.size) - have;
        if (more > 0) {
            bytes.push(new Uint8Array(await part.span(have, more)));
            have += more;
        }
        return new Uint8Array(await new Blob(bytes).arrayBuffer());
    };
    const header = await readPartHeader(grow, part.name);
    return {header, bytes: (await grow(header.begin)).subarray(0, header.begin)};
}

/** What the host says of the parts; of those without weights, nothing can be compared. */
async function publishedOf(url, parts, heads, pieces, {headers, signal}) {
    const published = [];
    let from = 0;
    for (const piece of pieces) {
        const {name, sha256} = parts[piece.part] ?? {}, length = pieceLength(piece);
        const digest = name && (sha256 || await askPointer(partUrls(url)[piece.part], {home: url, headers, signal}));
        if (digest) published.push({name, sha256: digest, from, length, head: heads[piece.part].bytes});
        from += length;
    }
    return published;
}
