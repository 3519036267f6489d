// crossing.js: the memory and the exports of one engine instance. With module.js and engine_session.js the
// only JavaScript that sees addresses: exports take and return ints and doubles, so one file serves wasm32
// and memory64. Views of the memory are made for each use, since growth leaves old ones stale; what a
// TextDecoder reads is copied first, since it refuses shared memory. Knows no calls by name.

import {CODES} from '../base/constants.js';
import {GemmaError, messageOf} from '../base/error.js';

/**
 * @typedef {{at: number, n: number}} Place   an address, and how many bytes are there
 *
 * What Emscripten's factory gives; the exports are named _gx_NAME.
 * @typedef {{PThread: {terminateAllThreads: () => void}} & Record<string, any>} Emscripten
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Crossing {
    #memory;
    #emscripten;
    /** @type {GemmaError | undefined} */
    #broken;

    /**
     * The exports by their names without gx_.
     * @type {Record<string, (...args: (number | boolean)[]) => number>}
     */
    x;

    /** @param {Emscripten} emscripten @param {WebAssembly.Memory} memory */
    constructor(emscripten, memory) {
        this.#emscripten = emscripten;
        this.#memory = memory;
        this.x = new Proxy(emscripten, {get: (target, name) => this.#guarded(target[`_gx_${String(name)}`])});
    }

    /**
     * A trap ends the instance: its memory can't be trusted any more.
     * @param {(...args: (number | boolean)[]) => number} fn
     * @returns {(...args: (number | boolean)[]) => number}
     */
    #guarded(fn) {
        return (...args) => {
            if (this.#broken) throw this.#broken;
            try {
                return fn(...args);
            } catch (cause) {
                this.#broken = new GemmaError('internal',
                    `The engine stopped unexpectedly (${messageOf(cause)}); load the model again.`,
                    {cause, fatal: true});
                throw this.#broken;
            }
        };
    }

    /** Stops the threads. */
    close() {
        this.#emscripten.PThread.terminateAllThreads();
    }

    get memoryBytes() {
        return this.#memory.buffer.byteLength;
    }

    /** A view; stale after the next call. @param {number} address @param {number} n */
    bytes(address, n) {
        return new Uint8Array(this.#memory.buffer, address, n);
    }

    /** @param {number} address @param {number} n */
    ints(address, n) {
        return new Int32Array(this.#memory.buffer, address, n);
    }

    /** @param {number} address @param {number} n */
    floats(address, n) {
        return new Float32Array(this.#memory.buffer, address, n);
    }

    /** @param {number} address @param {number} n */
    doubles(address, n) {
        return new Float64Array(this.#memory.buffer, address, n);
    }

    /** @param {number} address @param {number} n */
    text(address, n) {
        return decoder.decode(this.bytes(address, n).slice());
    }

    /** A text that ends with 0. @param {number} address */
    cString(address) {
        const all = new Uint8Array(this.#memory.buffer, address);
        return decoder.decode(all.slice(0, all.indexOf(0)));
    }

    /**
     * What a call that can fail gives: its result, or minus a GemmaStatus, which is thrown.
     * @param {number} result
     */
    check(result) {
        if (result < 0) throw new GemmaError(CODES[-result] ?? 'internal', this.cString(this.x.error()));
        return result;
    }

    /** n bytes that stay as they are until the next scratch() or place(). @param {number} n */
    scratch(n) {
        return this.check(this.x.scratch(n));
    }

    /** The address of a copy of `ids`. @param {ArrayLike<number>} ids */
    placeInts(ids) {
        const address = this.scratch(4 * Math.max(ids.length, 1));
        this.ints(address, ids.length).set(ids);
        return address;
    }

    /**
     * Places for results (4-byte aligned) and texts side by side in the scratch buffer.
     * @param {(string | Uint8Array)[]} texts   strings get a 0 at their end, which `n` does not count
     * @param {number} room   bytes
     */
    place(texts, room) {
        const encoded = texts.map((t) => typeof t === 'string' ? encoder.encode(`${t}\0`) : t);
        const size = encoded.reduce((n, e) => n + e.length, 0);
        const base = this.scratch(room + size);
        let at = base + room;
        const addresses = encoded.map((e, i) => {
            this.bytes(at, e.length).set(e);
            at += e.length;
            return {at: at - e.length, n: typeof texts[i] === 'string' ? e.length - 1 : e.length};
        });
        return {base, addresses};
    }
}
