// gguf_edit.js: a small GGUF file in memory that a test changes and writes again: its metadata with their
// types, its vocabulary, its tensors.

import {readFileSync, writeFileSync} from 'node:fs';

export const U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9, U64 = 10;
const ALIGNMENT = 32;
const SIZES = {0: 1, 1: 1, 2: 2, 3: 2, [U32]: 4, [I32]: 4, [F32]: 4, [BOOL]: 1, [U64]: 8, 11: 8, 12: 8};
/** Weights and bytes of a block, by the type of a tensor. */
const BLOCKS = {
    0: [1, 4], 1: [1, 2], 2: [32, 18], 3: [32, 20], 6: [32, 22], 7: [32, 24], 8: [32, 34], 10: [256, 84],
    11: [256, 110], 12: [256, 144], 13: [256, 176],
    14: [256, 210], 20: [32, 18], 30: [1, 2],
};

const bytesOf = (dims, type) => dims.reduce((a, b) => a * b, 1) / BLOCKS[type][0] * BLOCKS[type][1];
const padding = (n) => Buffer.alloc((ALIGNMENT - n % ALIGNMENT) % ALIGNMENT);

function number(type, value) {
    const bytes = Buffer.alloc(SIZES[type]);
    if (type === U64) bytes.writeBigUInt64LE(BigInt(value));
    else if (type === F32) bytes.writeFloatLE(value);
    else bytes.writeIntLE(value | 0, 0, bytes.length);
    return bytes;
}

const text = (value) => [number(U64, Buffer.byteLength(value)), Buffer.from(value)];
const encode = (type, value) => type === STRING ? Buffer.concat(text(value)) : Buffer.isBuffer(value) ? value
    : number(type, value);

export class GgufFile {
    /**
     * By key: its type and value; of an array [type of its elements, elements]. Numbers that a test did not
     * make are bytes.
     */
    metadata = new Map();
    /** @type {{name: string, dims: number[], type: number, data: Buffer}[]} */
    tensors = [];

    /** @param {string} path */
    static read(path) {
        const gguf = new GgufFile(), bytes = readFileSync(path);
        let at = 8;
        const take = (n) => bytes.subarray(at, at += n), u32 = () => take(4).readUInt32LE(),
            u64 = () => Number(take(8).readBigUInt64LE());
        const value = (type) => type === STRING ? take(u64()).toString() : take(SIZES[type]);
        const [nTensors, nEntries] = [u64(), u64()];
        for (let i = 0; i < nEntries; i++) {
            const key = value(STRING), type = u32();
            if (type !== ARRAY) {
                gguf.metadata.set(key, [type, value(type)]);
                continue;
            }
            const inner = u32(), n = u64();
            gguf.metadata.set(key, [ARRAY, [inner, Array.from({length: n}, () => value(inner))]]);
        }
        const infos = Array.from({length: nTensors},
            () => ({name: value(STRING), dims: Array.from({length: u32()}, u64), type: u32(),
                offset: u64()}));
        const start = at + padding(at).length;
        gguf.tensors = infos.map(({offset, ...info}) => ({...info, data: bytes.subarray(start + offset,
            start + offset + bytesOf(info.dims, info.type))}));
        return gguf;
    }

    set(key, type, value) {
        this.metadata.set(key, [type, value]);
        return this;
    }

    drop(...keys) {
        keys.forEach((key) => this.metadata.delete(key));
        return this;
    }

    get tokens() {
        return this.metadata.get('tokenizer.ggml.tokens')[1][1];
    }

    addToken(name, kind, score = -1000) {
        this.tokens.push(name);
        this.metadata.get('tokenizer.ggml.scores')[1][1].push(number(F32, score));
        this.metadata.get('tokenizer.ggml.token_type')[1][1].push(number(I32, kind));
        return this;
    }

    renameToken(from, to) {
        this.tokens[this.tokens.indexOf(from)] = to;
        return this;
    }

    tensor(name) {
        return this.tensors.find((tensor) => tensor.name === name);
    }

    /** Gives the matrices over the vocabulary so many rows; further ones repeat the last. */
    setRows(rows) {
        for (const tensor of ['token_embd.weight', 'output.weight'].map((name) => this.tensor(name))
            .filter(Boolean)) {
            const row = bytesOf([tensor.dims[0]], tensor.type), more = Math.max(rows - tensor.dims[1], 0);
            tensor.data = Buffer.concat([tensor.data, ...Array(more).fill(tensor.data.subarray(-row))])
                .subarray(0, rows * row);
            tensor.dims[1] = rows;
        }
        return this;
    }

    /** @param {string} path @returns {string} the path */
    write(path) {
        const header = [Buffer.from('GGUF'), number(U32, 3), number(U64, this.tensors.length),
            number(U64, this.metadata.size)], data = [];
        for (const [key, [type, value]] of this.metadata) {
            header.push(...text(key), number(U32, type));
            if (type !== ARRAY) header.push(encode(type, value));
            else header.push(number(U32, value[0]), number(U64, value[1].length),
                ...value[1].map((one) => encode(value[0], one)));
        }
        let offset = 0;
        for (const {name, dims, type, data: weights} of this.tensors) {
            header.push(...text(name), number(U32, dims.length), ...dims.map((n) => number(U64, n)),
                number(U32, type), number(U64, offset));
            data.push(weights, padding(weights.length));
            offset += weights.length + padding(weights.length).length;
        }
        const all = Buffer.concat(header);
        writeFileSync(path, Buffer.concat([all, padding(all.length), ...data]));
        return path;
    }
}
