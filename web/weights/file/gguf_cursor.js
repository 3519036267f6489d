// gguf_cursor.js: reads on through a GGUF's header, entry by entry. Owns how values lie in the file; gives
// none of them a meaning. The bytes are not trusted: reading is bounded by their number, and what is wrong
// becomes a sentence.

import {GemmaError} from '../../base/error.js';

const STRING = 8, ARRAY = 9;
const LONGEST_KEY = 65535;
const decoder = new TextDecoder();

/**
 * By the types' numbers in the file: bytes, and how they are read.
 * @type {Record<number, [size: number, read: 'getUint8' | 'getInt8' | 'getUint16' | 'getInt16' | 'getUint32'
 *     | 'getInt32' | 'getFloat32' | 'getBigUint64' | 'getBigInt64' | 'getFloat64']>}
 */
const NUMBERS = {
    0: [1, 'getUint8'], 1: [1, 'getInt8'], 2: [2, 'getUint16'], 3: [2, 'getInt16'], 4: [4, 'getUint32'],
    5: [4, 'getInt32'], 6: [4, 'getFloat32'],
    7: [1, 'getUint8'], 10: [8, 'getBigUint64'], 11: [8, 'getBigInt64'], 12: [8, 'getFloat64'],
};

/** The bytes end here, as they may. */
export class End extends Error {}

/** Reads on from a place; what would lie beyond the last byte is an End. */
class Cursor {
    #view;
    at = 0;

    /** @param {Uint8Array} bytes */
    constructor(bytes) {
        this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }

    /** @param {number} n */
    skip(n) {
        if (n > this.#view.byteLength - this.at) throw new End();
        this.at += n;
        return this.at - n;
    }

    /** @param {number} type */
    number(type) {
        const [size, read] = NUMBERS[type];
        return Number(this.#view[read](this.skip(size), true));
    }

    count() {
        return this.number(10);
    }

    string() {
        const n = this.count(), at = this.skip(n);
        return decoder.decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, n));
    }
}

/**
 * What is wrong with a file.
 * @param {string} name
 * @param {string} sentence   the rest of one that begins with the name
 */
export function badFile(name, sentence) {
    return new GemmaError('bad-file', `${name} ${sentence}; get the file again, or choose another one.`);
}

/**
 * Begins to read a GGUF: `entries` are its key/values, each with the place where it begins, and afterwards
 * the cursor is at its tensors' infos. An array is read over when the next entry is asked for.
 * @param {Uint8Array} bytes   the file's first
 * @param {string} name        of the file, for people
 * @returns {{cursor: Cursor, version: number, tensors: number, entries: Generator<{key: string, start:
 *     number, value?: number | string}>}}   throws End, or GemmaError 'bad-file'
 */
export function beginHead(bytes, name) {
    const cursor = new Cursor(bytes);
    if (decoder.decode(bytes.subarray(0, 4)) !== 'GGUF')
        throw badFile(name, 'is not a GGUF file: it begins with other bytes');
    cursor.skip(4);
    const version = cursor.number(4);
    if (version < 2 || version > 3)
        throw badFile(name, `has GGUF version ${version}, where 2 or 3 is expected`);
    const tensors = cursor.count(), count = cursor.count();
    return {cursor, version, tensors, entries: readEntries(cursor, count, name)};
}

/**
 * @param {Cursor} cursor
 * @param {number} count
 * @param {string} name
 * @returns {Generator<{key: string, start: number, value?: number | string}>}
 */
function* readEntries(cursor, count, name) {
    for (let left = count; left > 0; left--) {
        const start = cursor.at, key = cursor.string(), type = cursor.number(4);
        if (key.length > LONGEST_KEY)
            throw badFile(name, 'has a metadata key of more than 65,535 characters');
        if (type === ARRAY) {
            const inner = cursor.number(4), n = cursor.count(), size = NUMBERS[inner]?.[0];
            if (!size && inner !== STRING)
                throw badFile(name, `has a metadata array of a type ${inner} that this page does not read`);
            yield {key, start};
            if (size) cursor.skip(size * n);
            else for (let i = 0; i < n; i++) cursor.skip(cursor.count());
        } else if (type === STRING) yield {key, start, value: cursor.string()};
        else if (NUMBERS[type]) yield {key, start, value: cursor.number(type)};
        else throw badFile(name, `has metadata of a type ${type} that GGUF does not know`);
    }
}
