// gguf.js: reads and writes small GGUF files, independently of the engine's C: metadata, and where the
// tensors are.

import {readFileSync, writeFileSync} from 'node:fs';

const SCALARS = {
    0: [1, 'getUint8'], 1: [1, 'getInt8'], 2: [2, 'getUint16'], 3: [2, 'getInt16'], 4: [4, 'getUint32'],
    5: [4, 'getInt32'], 6: [4, 'getFloat32'],
    7: [1, 'getUint8'], 10: [8, 'getBigUint64'], 11: [8, 'getBigInt64'], 12: [8, 'getFloat64'],
};
const BOOL = 7, STRING = 8, ARRAY = 9;
export const TENSOR_TYPES = {0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0',
    10: 'Q2_K', 11: 'Q3_K', 12: 'Q4_K',
    13: 'Q5_K', 14: 'Q6_K', 20: 'IQ4_NL', 30: 'BF16'};

/**
 * @param {string} path
 * @returns {{metadata: Record<string, any>, nEntries: number, metadataEnd: number, tensors: Record<string,
 *     {type: string, shape: number[], offset: number}>, bytes: Buffer}} shapes have the contiguous dimension
 *     first; offsets count from the file's first byte; the metadata lie in bytes 24 to metadataEnd
 */
export function readGguf(path) {
    const bytes = readFileSync(path), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 4;
    const u32 = () => view.getUint32((at += 4) - 4, true);
    const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
    const string = () => {
        const n = u64();
        return bytes.toString('utf8', at, at += n);
    };
    const value = (type) => {
        if (type === STRING) return string();
        if (type === ARRAY) {
            const elements = u32(), n = u64();
            return Array.from({length: n}, () => value(elements));
        }
        const [size, method] = SCALARS[type];
        const number = view[method]((at += size) - size, true);
        return type === BOOL ? number === 1 : Number(number);
    };
    if (bytes.toString('latin1', 0, 4) !== 'GGUF' || u32() !== 3)
        throw new Error(`${path} is no GGUF of version 3`);
    const nTensors = u64(), nEntries = u64(), metadata = {}, tensors = {};
    for (let i = 0; i < nEntries; i++) {
        const key = string();
        metadata[key] = value(u32());
    }
    const metadataEnd = at;
    for (let i = 0; i < nTensors; i++) {
        const name = string(), shape = Array.from({length: u32()}, u64);
        tensors[name] = {shape, type: TENSOR_TYPES[u32()], offset: u64()};
    }
    const start = Math.ceil(at / 32) * 32;
    for (const tensor of Object.values(tensors)) tensor.offset += start;
    return {metadata, nEntries, metadataEnd, tensors, bytes};
}

/** Bytes of a GGUF's parts. */
const u32 = (n) => Buffer.from(new Uint32Array([n]).buffer),
    u64 = (n) => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
const string = (text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
const ENTRY_TYPES = {u32: 4, i32: 5, f32: 6, bool: BOOL, string: STRING};
const scalar = (type, value) => type === 'string' ? string(value) : type === 'f32'
    ? Buffer.from(new Float32Array([value]).buffer)
    : type === 'bool' ? Buffer.from([value ? 1 : 0]) : Buffer.from(new Int32Array([value]).buffer);

/**
 * Writes a GGUF of metadata and F32 tensors.
 * @param {string} path
 * @param {Record<string, [type: string, value: any]>} metadata a value that is an array becomes a list
 *     of that type
 * @param {Record<string, {shape: number[], values: number[]}>} tensors
 */
export function writeGguf(path, metadata, tensors) {
    const header = [Buffer.from('GGUF'), u32(3), u64(Object.keys(tensors).length),
        u64(Object.keys(metadata).length)], data = [];
    for (const [key, [type, value]] of Object.entries(metadata)) {
        header.push(string(key));
        if (Array.isArray(value)) header.push(u32(ARRAY), u32(ENTRY_TYPES[type]), u64(value.length),
            ...value.map((v) => scalar(type, v)));
        else header.push(u32(ENTRY_TYPES[type]), scalar(type, value));
    }
    let at = 0;
    for (const [name, {shape, values}] of Object.entries(tensors)) {
        header.push(string(name), u32(shape.length), ...shape.map(u64), u32(0), u64(at));
        const bytes = Buffer.from(new Float32Array(values).buffer),
            padding = Buffer.alloc((32 - bytes.length % 32) % 32);
        data.push(bytes, padding);
        at += bytes.length + padding.length;
    }
    const n = header.reduce((sum, {length}) => sum + length, 0);
    writeFileSync(path, Buffer.concat([...header, Buffer.alloc((32 - n % 32) % 32), ...data]));
}

/**
 * The metadata of a GGUF as writeGguf takes it; numbers are u32, f32 or bool by what they are.
 * @param {ReturnType<typeof readGguf>} gguf
 */
export function metadataOf({metadata}) {
    const typed = (key, value) => {
        const one = Array.isArray(value) ? value[0] : value;
        return [typeof one === 'string' ? 'string' : typeof one === 'boolean' ? 'bool'
            : /scores|eps|epsilon|freq_base|softcap|factor/.test(key) ? 'f32' : 'i32', value];
    };
    return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, typed(key, value)]));
}

/** The tensors of a GGUF that are all F32, as writeGguf takes them. */
export function tensorsOf({tensors, bytes}) {
    return Object.fromEntries(Object.entries(tensors).map(([name, {type, shape, offset}]) => {
        if (type !== 'F32') throw new Error(`${name} is ${type}`);
        const n = shape.reduce((a, b) => a * b);
        return [name, {shape, values: new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset,
            bytes.byteOffset + offset + 4 * n))}];
    }));
}

/**
 * An importance matrix for matrices of nCols columns, as llama-imatrix writes it: columns of `matters` count
 * a thousand times as much.
 * @param {string} path
 * @param {string[]} names
 * @param {number} nCols
 * @param {Set<number>} matters
 * @param {object} [metadata]
 */
export function writeImatrix(path, names, nCols, matters, metadata = {}) {
    const sums = Array.from({length: nCols}, (_, i) => matters.has(i) ? 5000 : 5);
    writeGguf(path, {'general.type': ['string', 'imatrix'], ...metadata},
        Object.fromEntries(names.flatMap((name) =>
        [[`${name}.in_sum2`, {shape: [nCols, 1], values: sums}],
            [`${name}.counts`, {shape: [1, 1], values: [5]}]])));
}
