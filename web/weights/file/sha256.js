// SHA-256: of a piece by the browser, and of a whole file piece by piece, which the browser's own can't do.

import {NODE} from '../../base/host.js';

/** @param {ArrayBuffer | Uint8Array} bytes @returns {Promise<ArrayBuffer>} 32 bytes */
export async function sha256(bytes) {
    if (globalThis.crypto?.subtle)
        return crypto.subtle.digest('SHA-256', /** @type {BufferSource} */ (bytes));
    const hash = await createSha256();      // an insecure address has no crypto.subtle
    hash.begin();
    hash.add(new Uint8Array(bytes));
    return hash.end();
}

/** Whether the browser keeps the thread that asks for a digest until it has it: Chromium does. */
export async function hashesHere() {
    let hashed = false;
    sha256(new Uint8Array(1 << 20)).then(() => { hashed = true; });
    // what is there already is seen at once, what comes from elsewhere only in a later turn
    for (let i = 0; i < 20; i++) await null;
    return hashed;
}

/** Whether two digests are the same. @param {ArrayBuffer} a @param {ArrayBuffer} b */
export function same(a, b) {
    return a.byteLength === b.byteLength && toHex(a) === toHex(b);
}

/** @param {ArrayBuffer} digest */
export function toHex(digest) {
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} hex @returns {ArrayBuffer} */
export function fromHex(hex) {
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer;
}

/**
 * @typedef {object} Sha256   one digest after the other of bytes that come in pieces
 * @property {() => void} begin
 * @property {(bytes: Uint8Array) => void} add
 * @property {() => ArrayBuffer} end   32 bytes
 *
 * @returns {Promise<Sha256>} some 300 MB a second, by wasm/sha256.c
 */
export async function createSha256() {
    const instance = await WebAssembly.instantiate(await (module ??= compile())),
        exports = /** @type {any} */ (instance.exports);
    /** @param {number} length */
    const bytesAt = (length) => new Uint8Array(exports.memory.buffer, exports.room(), length),
        most = exports.room_bytes();
    return {
        begin: exports.begin,
        add(bytes) {
            for (let at = 0; at < bytes.length; at += most) {
                const part = bytes.subarray(at, at + most);
                bytesAt(part.length).set(part);
                exports.add(part.length);
            }
        },
        end() {
            exports.end();
            return bytesAt(32).slice().buffer;
        },
    };
}

/** @type {Promise<WebAssembly.Module> | undefined} */
let module;

async function compile() {
    const url = new URL('../../wasm/sha256.wasm', import.meta.url);
    const bytes = NODE ? process.getBuiltinModule('node:fs/promises').readFile(url)
        : fetch(url).then((response) => response.arrayBuffer());
    return WebAssembly.compile(await bytes);
}
