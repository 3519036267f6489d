// The files in a ZIP, by its directory, and their bytes as streams. Reads only what is asked for. Distrusts
// every number.

import {GemmaError} from '../../../base/error.js';

/** @typedef {{name: string, stream: () => Promise<ReadableStream<Uint8Array>>}} Entry */

const END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;
/** The end of a ZIP, with the longest comment; the largest directory that is read. */
const TAIL = 65_557, LARGEST_DIRECTORY = 64_000_000;
const IN_64 = 0xffffffff;

/** @param {Blob} file @param {number} from @param {number} length @returns {Promise<DataView>} */
const view = async (file, from, length) => new DataView(await file.slice(from, from + length).arrayBuffer());
/** @param {DataView} data @param {number} at */
const number64 = (data, at) => data.getUint32(at, true) + data.getUint32(at + 4, true) * 2 ** 32;

/** @param {Blob} file @returns {Promise<boolean>} */
export async function isZip(file) {
    const start = await view(file, 0, 4);
    return start.byteLength === 4 && [LOCAL, END].includes(start.getUint32(0, true));
}

/** @param {Blob} file @returns {Promise<Entry[]>} rejects with GemmaError 'bad-file' */
export async function readZip(file) {
    try {
        return await readDirectory(file);
    } catch (cause) {
        throw new GemmaError('bad-file', 'This ZIP file is damaged or cut off: download it again.', {cause});
    }
}

/** @param {Blob} file @returns {Promise<Entry[]>} */
async function readDirectory(file) {
    const start = Math.max(0, file.size - TAIL), tail = await view(file, start, TAIL);
    let end = tail.byteLength - 22;
    while (tail.getUint32(end, true) !== END) end--;      // throws before the beginning
    let size = tail.getUint32(end + 12, true), from = tail.getUint32(end + 16, true);
    if (end >= 20 && tail.getUint32(end - 20, true) === LOCATOR64) {
        const end64 = await view(file, number64(tail, end - 12), 56);
        if (end64.getUint32(0, true) !== END64) throw new Error('the end of the directory is missing');
        [size, from] = [number64(end64, 40), number64(end64, 48)];
    }
    if (size > LARGEST_DIRECTORY) throw new Error('the directory is too large');
    const directory = await view(file, from, size), names = new TextDecoder();
    /** @type {Entry[]} */
    const entries = [];
    for (let at = 0; at + 46 <= directory.byteLength && directory.getUint32(at, true) === ENTRY;) {
        const [nameLength, extra, comment] = [28, 30,
            32].map((field) => directory.getUint16(at + field, true));
        const name = names.decode(new Uint8Array(directory.buffer, at + 46, nameLength)),
            method = directory.getUint16(at + 10, true);
        const fields = {packed: directory.getUint32(at + 20, true), size: directory.getUint32(at + 24, true),
            offset: directory.getUint32(at + 42, true)};
        const {packed, offset} = in64(directory, at + 46 + nameLength, extra, fields);
        entries.push({name, stream: () => open(file, offset, packed, method)});
        at += 46 + nameLength + extra + comment;
    }
    return entries;
}

/**
 * Numbers that did not fit are in an extra field.
 * @param {DataView} data
 * @param {number} at
 * @param {number} length
 * @param {{packed: number, size: number, offset: number}} fields
 */
function in64(data, at, length, {packed, size, offset}) {
    for (const end = at + length; at + 4 <= end; at += 4 + data.getUint16(at + 2, true)) {
        if (data.getUint16(at, true) !== 1) continue;
        let next = at + 4;
        const read = () => number64(data, (next += 8) - 8);
        if (size === IN_64) read();
        if (packed === IN_64) packed = read();
        if (offset === IN_64) offset = read();
        break;
    }
    return {packed, offset};
}

/**
 * @param {Blob} file
 * @param {number} offset
 * @param {number} packed
 * @param {number} method
 * @returns {Promise<ReadableStream<Uint8Array>>}
 */
async function open(file, offset, packed, method) {
    const header = await view(file, offset, 30);
    if (header.byteLength < 30 || header.getUint32(0, true) !== LOCAL || ![0, 8].includes(method)) {
        throw new GemmaError('bad-file',
            'This ZIP file is damaged, or packed in a way that is not known here: unpack it, and import what is in it.');
    }
    if (header.getUint16(6, true) & 1)
        throw new GemmaError('bad-file',
            'This ZIP file has a password: unpack it, and import what is in it.');
    const from = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true),
        stream = file.slice(from, from + packed).stream();
    return method === 0 ? stream : stream.pipeThrough(new DecompressionStream('deflate-raw'));
}
