// gguf_parts.js: the parts into which llama.cpp's gguf-split cuts a GGUF (NAME-00001-of-00003.gguf and so
// on), as the one file that they are parts of. Each is a complete GGUF file: the metadata are in the first,
// and each has the infos and the weights of some tensors. Owns how these are put together, which takes their
// headers only. Knows no network, no disk and no model: of metadata, it understands split.* and the alignment
// alone; the engine reads the whole that it makes. It is JavaScript since parts are joined where no engine
// module runs: in the page and in the store. The bytes are not trusted, as in gguf_cursor.js.

import {GemmaError} from '../../base/error.js';
import {End, badFile, beginHead} from './gguf_cursor.js';

const ALIGNMENT = 32;           // where a file does not say another
const MOST_ALIGNMENT = 65536, LONGEST_HEADER = 64 * 1024 * 1024;
const UINT32 = 4, UINT64 = 8;

/**
 * @typedef {object} PartHeader
 * @property {number} version
 * @property {Uint8Array[]} metadata   its key/values, without those about parts, as they lie in the file
 * @property {{info: Uint8Array, offset: number}[]} tensors   info: name, dimensions and type as they lie in
 *     the file; offset: of its weights
 * @property {number} alignment        bytes, of which offsets are multiples
 * @property {number} begin            where the weights begin
 * @property {Record<string, number>} split   'no', 'count', 'tensors.count'
 */

/**
 * Reads a part's header.
 * @param {(length: number) => Promise<Uint8Array>} read   the first `length` bytes of the part, or all
 *     there are
 * @param {string} name
 * @param {number} [first]   bytes to begin with
 * @returns {Promise<PartHeader>} rejects with GemmaError 'bad-file'
 */
export async function readPartHeader(read, name, first = 1024 * 1024) {
    for (let length = first; length <= LONGEST_HEADER; length *= 4) {
        const bytes = await read(length);
        try {
            return parse(bytes, name);
        } catch (error) {
            if (!(error instanceof End)) throw error;
            if (bytes.length < length)
                throw badFile(name, `ends after ${bytes.length} bytes, within its header`);
        }
    }
    throw badFile(name, `has a header of more than ${LONGEST_HEADER} bytes`);
}

/** @param {Uint8Array} bytes @param {string} name @returns {PartHeader} */
function parse(bytes, name) {
    const {cursor, version, tensors: count, entries} = beginHead(bytes, name);
    /** @type {Record<string, any>} */
    const split = {};
    /** @type {{start: number, own: boolean}[]} */
    const starts = [];
    /** @type {any} */
    let alignment = ALIGNMENT;
    for (const {key, start, value} of entries) {
        starts.push({start, own: key.startsWith('split.')});
        if (key.startsWith('split.')) split[key.slice('split.'.length)] = value;
        if (key === 'general.alignment') alignment = value;
    }
    if (!Number.isInteger(alignment) || alignment < 8 || alignment > MOST_ALIGNMENT || alignment % 8)
        throw badFile(name, `has an alignment of ${alignment} bytes`);
    const end = cursor.at;
    const metadata = starts.map(({start, own}, i) => own ? undefined : bytes.slice(start, starts[i + 1]?.start
        ?? end)).filter((entry) => entry !== undefined);
    const tensors = [];
    for (let left = count; left > 0; left--) {
        const start = cursor.at;
        cursor.string();
        cursor.skip(cursor.number(4) * UINT64);
        cursor.skip(UINT32);
        tensors.push({info: bytes.slice(start, cursor.at), offset: cursor.count()});
    }
    return {version, metadata, tensors, alignment, begin: roundUp(cursor.at, alignment), split};
}

/**
 * Throws GemmaError 'bad-file' where a header is not that of part `i` of `count`, of which `first` is
 * the first's.
 * @param {string} name   of the whole
 * @param {number} i
 * @param {number} count
 * @param {PartHeader} header
 * @param {PartHeader} first
 */
export function checkPart(name, i, count, {split, version, alignment}, first) {
    const wrong = !Number.isInteger(split.no) ? 'says that it is no part'
        : split.no !== i ? `says that it is part ${split.no + 1}`
        : split.count !== count ? `says that there are ${split.count} parts`
            : version !== first.version ? `has GGUF version ${version}, and part 1 has ${first.version}`
                : alignment % ALIGNMENT && alignment !== first.alignment
                    ? `has an alignment of ${alignment} bytes` : '';
    if (wrong) throw new GemmaError('bad-file',
        `Part ${i + 1} of ${count} of ${name} ${wrong}; get the parts again, all of the same model.`);
}

/**
 * @typedef {{bytes: Uint8Array, part?: undefined, from?: undefined, length?: undefined} | {bytes?: undefined,
 *     part: number, from: number, length: number}} Piece   bytes, or a range of a part
 *
 * @param {string} name         of the whole, for people
 * @param {PartHeader[]} headers
 * @param {number[]} sizes      bytes of the parts
 * @returns {Piece[]} of which the whole file consists; throws GemmaError 'bad-file'
 */
export function joinParts(name, headers, sizes) {
    const [first] = headers, total = headers.reduce((sum, {tensors}) => sum + tensors.length, 0);
    headers.forEach((header, i) => checkPart(name, i, headers.length, header, first));
    const promised = first.split['tensors.count'];
    if (promised !== total)
        throw new GemmaError('bad-file',
            `The ${headers.length} parts of ${name} have ${total} tensors, not ${promised}; get the parts again, all of the same model.`);

    // Where not all agree, the weights lie at multiples of the usual alignment, at least.
    const agreed = headers.every(({alignment}) => alignment === first.alignment);
    const alignment = agreed ? first.alignment : ALIGNMENT,
        key = new TextEncoder().encode('general.alignment');
    /** @param {Uint8Array} entry */
    const isAlignment = (entry) => entry.length === UINT64 + key.length + 2 * UINT32
        && key.every((byte, i) => entry[UINT64 + i] === byte);
    const metadata = agreed ? first.metadata : first.metadata.filter((entry) => !isAlignment(entry));

    /** @type {Uint8Array[]} */
    const infos = [];
    /** @type {Piece[]} */
    const weights = [];
    let at = 0;
    headers.forEach(({tensors, begin}, part) => {
        for (const {info, offset} of tensors) infos.push(info, uint(at + offset, UINT64));
        const length = Math.max(sizes[part] - begin, 0), padding = roundUp(length, alignment) - length;
        if (length) weights.push({part, from: begin, length});
        if (padding) weights.push({bytes: new Uint8Array(padding)});
        at += length + padding;
    });
    const fields = [new TextEncoder().encode('GGUF'), uint(first.version, UINT32), uint(total, UINT64),
        uint(metadata.length, UINT64), ...metadata, ...infos];
    const length = fields.reduce((sum, field) => sum + field.length, 0),
        header = new Uint8Array(roundUp(length, alignment));
    let place = 0;
    for (const field of fields) {
        header.set(field, place);
        place += field.length;
    }
    return [{bytes: header}, ...weights];
}

/** @param {Piece} piece */
export function pieceLength(piece) {
    return piece.bytes ? piece.bytes.length : piece.length;
}

/** @param {number} n @param {number} unit */
function roundUp(n, unit) {
    return Math.ceil(n / unit) * unit;
}

/** A whole number as the file holds it. @param {number} n @param {number} bytes */
function uint(n, bytes) {
    const view = new DataView(new ArrayBuffer(bytes));
    if (bytes === UINT64) view.setBigUint64(0, BigInt(n), true);
    else view.setUint32(0, n, true);
    return new Uint8Array(view.buffer);
}
