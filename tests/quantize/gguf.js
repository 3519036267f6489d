// gguf.js: reads the header of a small GGUF file, independently of the engine's C: metadata with types, and where the tensors are.

import {readFileSync} from 'node:fs';

const SCALARS = {
    0: [1, 'getUint8'], 1: [1, 'getInt8'], 2: [2, 'getUint16'], 3: [2, 'getInt16'], 4: [4, 'getUint32'], 5: [4, 'getInt32'], 6: [4, 'getFloat32'],
    7: [1, 'getUint8'], 10: [8, 'getBigUint64'], 11: [8, 'getBigInt64'], 12: [8, 'getFloat64'],
};
const BOOL = 7, STRING = 8, ARRAY = 9;
export const TENSOR_TYPES = {0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0', 10: 'Q2_K', 11: 'Q3_K', 12: 'Q4_K',
    13: 'Q5_K', 14: 'Q6_K', 20: 'IQ4_NL', 30: 'BF16'};

/**
 * @param {string} path
 * @returns {{metadata: Record<string, any>, nEntries: number, metadataEnd: number, tensors: Record<string, {type: string, shape: number[], offset: number}>, bytes: Buffer}}
 *     shapes have the contiguous dimension first; offsets count from the file's first byte; the metadata lie in bytes 24 to metadataEnd
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
    if (bytes.toString('latin1', 0, 4) !== 'GGUF' || u32() !== 3) throw new Error(`${path} is no GGUF of version 3`);
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
