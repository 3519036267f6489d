// gguf_write.js: the bytes of a small GGUF file (version 3): metadata, and vectors of 32-bit floats. Knows no
// models; what is too large for memory is written by quantize/.

const VERSION = 3, ALIGNMENT = 32;
const UINT32 = 4, STRING = 8, ARRAY = 9;    // types of metadata
const F32 = 0;                              // type of a tensor

/** Collects little-endian values. */
class Bytes {
    /** @type {Uint8Array[]} */
    #parts = [];
    length = 0;

    /** @param {Uint8Array} part */
    add(part) {
        this.#parts.push(part);
        this.length += part.length;
    }

    /** @param {number} n */
    u32(n) {
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32LE(n);
        this.add(bytes);
    }

    /** @param {number} n */
    u64(n) {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64LE(BigInt(n));
        this.add(bytes);
    }

    /** @param {string} text */
    string(text) {
        const bytes = Buffer.from(text);
        this.u64(bytes.length);
        this.add(bytes);
    }

    /** @param {ArrayLike<number>} values */
    floats(values) {
        const bytes = Buffer.alloc(4 * values.length);
        for (let i = 0; i < values.length; i++) bytes.writeFloatLE(values[i], 4 * i);
        this.add(bytes);
    }

    pad() {
        this.add(Buffer.alloc(padded(this.length) - this.length));
    }

    joined() {
        return Buffer.concat(this.#parts);
    }
}

/** @param {number} n */
const padded = (n) => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

/** @param {Bytes} bytes @param {string | number | string[]} value */
function addValue(bytes, value) {
    if (typeof value === 'string') {
        bytes.u32(STRING);
        bytes.string(value);
    } else if (Array.isArray(value)) {
        bytes.u32(ARRAY);
        bytes.u32(STRING);
        bytes.u64(value.length);
        value.forEach((text) => bytes.string(text));
    } else {
        bytes.u32(UINT32);
        bytes.u32(value);
    }
}

/**
 * @param {Record<string, string | number | string[]>} metadata   numbers are whole, below 2^32
 * @param {{name: string, values: ArrayLike<number>}[]} tensors
 * @returns {Buffer}
 */
export function ggufBytes(metadata, tensors) {
    const bytes = new Bytes(), entries = Object.entries(metadata);
    bytes.add(Buffer.from('GGUF'));
    bytes.u32(VERSION);
    bytes.u64(tensors.length);
    bytes.u64(entries.length);
    for (const [key, value] of entries) {
        bytes.string(key);
        addValue(bytes, value);
    }
    let offset = 0;
    for (const {name, values} of tensors) {
        bytes.string(name);
        bytes.u32(1);
        bytes.u64(values.length);
        bytes.u32(F32);
        bytes.u64(offset);
        offset += padded(4 * values.length);
    }
    bytes.pad();
    for (const {values} of tensors) {
        bytes.floats(values);
        bytes.pad();
    }
    return bytes.joined();
}
