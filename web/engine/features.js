// features.js: what this machine's WebAssembly can do, found by trying. Knows no models and no engine.
//
// Validation alone is not trusted for relaxed SIMD: Node 20 accepts it behind a flag and its baseline
// compiler then computes the relaxed dot product wrongly. So each relaxed instruction that the kernels use is
// run, from its first call until well after tier-up.
//
// Which of the two relaxed dot products is faster differs from machine to machine. They give the same sums:
// the one of four bytes into 32 bits is a single instruction on ARM and on x86 with AVX-VNNI; on older x86 it
// is five, and the one of two bytes into 16 bits is better. WebAssembly can't ask for the CPU, so both
// are timed.

import {timeOf} from '../base/clock.js';
import {GemmaError} from '../base/error.js';
import {NODE, yieldTurn} from '../base/host.js';

const type = {i32: 0x7f, f32: 0x7d, v128: 0x7b};
const splat = {i32: [0xfd, 0x11], f32: [0xfd, 0x13]};
const lane0 = {i32: [0xfd, 0x1b, 0], f32: [0xfd, 0x1f, 0]};

const DOT32 = [0xfd, 0x93, 0x02];           // i32x4.relaxed_dot_i8x16_i7x16_add_s
const DOT16 = [0xfd, 0x92, 0x02];           // i16x8.relaxed_dot_i8x16_i7x16_s
const MADD = [0xfd, 0x85, 0x02];            // f32x4.relaxed_madd
const SWIZZLE = [0xfd, 0x80, 0x02];         // i8x16.relaxed_swizzle
const I16_ADD = [0xfd, 0x8e, 0x01], I32_ADD = [0xfd, 0xae, 0x01], XOR = [0xfd, 0x51];

/** An unsigned number as WebAssembly writes it. @param {number} n @returns {number[]} */
const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(n >> 7)];

/**
 * A module that exports one function `f`.
 * @param {number[]} parameters
 * @param {number} result
 * @param {number[]} locals
 * @param {number[]} body
 */
function moduleOf(parameters, result, locals, body) {
    /** @param {number} id @param {number[]} bytes */
    const code = [...locals, ...body, 0x0b], section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
    return new Uint8Array([
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, [1, 0x60, parameters.length, ...parameters, 1, result]),
        ...section(3, [1, 0]),
        ...section(7, [1, 1, 0x66, 0, 0]),
        ...section(10, [1, ...leb(code.length), ...code]),
    ]);
}

/** @param {number} i */
const get = (i) => [0x20, i], set = (i) => [0x21, i];

/**
 * f(a, b, c): `body` of the three splatted, lane 0.
 * @param {'i32' | 'f32'} kind
 * @param {(...operands: number[][]) => number[]} body
 */
function ternaryModule(kind, body) {
    const t = type[kind], operands = [0, 1, 2].map((i) => [...get(i), ...splat[kind]]);
    return moduleOf([t, t, t], t, [0], [...body(...operands), ...lane0[kind]]);
}

const CHAINS = 12;      // enough to hide what one instruction waits for the other

/**
 * f(n): n times a dot product in each of 12 independent chains. `chain`: what turns local i and local b into
 * the next local i.
 * @param {(i: number, b: number) => number[]} chain
 */
function loopModule(chain) {
    const [first, b] = [1, CHAINS + 1], locals = Array.from({length: CHAINS}, (_, i) => first + i);
    return moduleOf([type.i32], type.i32, [1, CHAINS + 1, type.v128], [
        ...get(0), ...splat.i32, ...set(b),
        ...locals.flatMap((i) => [...get(0), ...splat.i32, ...set(i)]),
        0x03, 0x40, ...locals.flatMap((i) => [...chain(i, b), ...set(i)]),
        ...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b,       // while (n -= 1)
        ...get(first), ...locals.slice(1).flatMap((i) => [...get(i), ...XOR]), ...lane0.i32,
    ]);
}

const SIMD = ternaryModule('i32', (a, b, c) => [...a, ...b, ...c, ...I32_ADD, ...I32_ADD]);
const MEMORY64 = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 1]);       // (memory i64 1)

const CALLS = 30_000;       // enough for every engine's optimising compiler

/** @param {Uint8Array<ArrayBuffer>} bytes @returns {(...args: number[]) => number} */
const run = (bytes) => /** @type {any} */ (new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f);

/**
 * Signed bytes of a times bytes of b up to 127, in whichever way `dot` adds them up; `want` says what lane
 * 0 has to be.
 * @param {Uint8Array<ArrayBuffer>} module
 * @param {(products: number[], c: number) => number} want
 */
function dotIsRight(module, want) {
    const dot = run(module);
    for (let i = 0; i < CALLS; i++) {
        const a = Math.imul(i + 1, 0x9e3779b1), b = Math.imul(i + 7, 0x85ebca6b) & 0x7f7f7f7f;
        const products = [24, 16, 8, 0].map((shift) => (a << shift >> 24) * (b << shift >> 24));
        if (dot(a, b, i) !== want(products, i)) return false;
    }
    return true;
}

const dot32IsRight = () => dotIsRight(ternaryModule('i32', (a, b, c) => [...a, ...b, ...c, ...DOT32]),
    (p, c) => p[0] + p[1] + p[2] + p[3] + c);
const dot16IsRight = () =>
    dotIsRight(ternaryModule('i32', (a, b, c) => [...a, ...b, ...DOT16, ...c, ...I16_ADD]),
    (p, c) => (p[0] + p[1] + c & 0xffff) | p[2] + p[3] << 16);

/** Fused or not: both are allowed, anything else is not. */
function maddIsRight() {
    const madd = run(ternaryModule('f32', (a, b, c) => [...a, ...b, ...c, ...MADD])), f = Math.fround;
    for (let i = 0; i < CALLS; i++) {
        const a = f(i * 0.37 + 1), b = f(1 / (i + 3)), c = f(i - 11.5), got = madd(a, b, c);
        if (got !== f(a * b + c) && got !== f(f(a * b) + c)) return false;
    }
    return true;
}

/** Of a table that repeats four bytes, at indices up to 15: others may differ. */
function swizzleIsRight() {
    const swizzle = run(ternaryModule('i32', (a, b, c) => [...a, ...b, ...SWIZZLE, ...c, ...I32_ADD]));
    for (let i = 0; i < CALLS; i++) {
        const a = Math.imul(i + 1, 0x9e3779b1), b = Math.imul(i + 7, 0x85ebca6b) & 0x0f0f0f0f;
        const bytes = [0, 8, 16, 24].map((shift) => (a >>> (b >>> shift & 3) * 8 & 255) << shift);
        if (swizzle(a, b, i) !== (bytes[0] + bytes[1] + bytes[2] + bytes[3] + i | 0)) return false;
    }
    return true;
}

// the optimising compiler comes in after some milliseconds; the best run is its
const TRIAL_MS = 40, TIMES = 50_000;
const MUCH_FASTER = 1.15;               // what is added up in 16 bits must now and then be added up in 32

/** Whether the dot product into 16 bits is the faster one here. */
async function dot16IsFaster() {
    const loops = [
        loopModule((i, b) => [...get(i), ...get(b), ...get(i), ...DOT32]),
        loopModule((i, b) => [...get(i), ...get(i), ...get(b), ...DOT16, ...I16_ADD]),
    ].map(run);
    const best = [Infinity, Infinity], end = performance.now() + TRIAL_MS;
    while (performance.now() < end) {
        loops.forEach((loop, i) => {
            best[i] = Math.min(best[i], timeOf(() => loop(TIMES)));
        });
        await yieldTurn();
    }
    return best[0] > MUCH_FASTER * best[1];
}

/**
 * Engines refuse what they don't have by exceptions of many kinds: any of them means no.
 * @param {() => boolean} check
 */
function succeeds(check) {
    try {
        return check();
    } catch {
        return false;
    }
}

const sharedMemoryIsThere = () => new WebAssembly.Memory({initial: 1, maximum: 1, shared: true})
    .buffer.byteLength > 0;

/** Engines that had memory64 before its final specification want another word than `address`. */
const memory64IsThere = () => {
    // TypeScript knows no memory64 yet
    const asked = {initial: 1n, maximum: 1n, shared: true, address: 'i64'};
    return new WebAssembly.Memory(/** @type {any} */ (asked)).buffer.byteLength > 0;
};

export const withoutSimd = () => new GemmaError('unsupported',
    'This browser lacks WebAssembly SIMD or shared memory. Use Chrome or Edge 120, Firefox 124, Safari 17.4, or newer.',
    {here: true});

/**
 * Refuses where the engine can't run at all, before anything of a model is fetched. The page asks, because
 * without WebAssembly a worker may not start; the worker asks again, because shared memory may be missing
 * there alone.
 */
export function requireWebAssembly() {
    if (typeof WebAssembly !== 'object')
        throw new GemmaError('unsupported',
            'WebAssembly is switched off here, for example by Lockdown Mode. Allow it for this site, then reload.',
            {here: true});
    if (!WebAssembly.validate(SIMD) || !succeeds(sharedMemoryIsThere)) throw withoutSimd();
}

/** The same where the engine runs: the policy of a page is often not that of its workers. */
export function requireCompiling() {
    requireWebAssembly();
    if (succeeds(() => Boolean(new WebAssembly.Module(SIMD)))) return;
    throw new GemmaError('unsupported',
        "The Content-Security-Policy here forbids WebAssembly: its script-src needs 'wasm-unsafe-eval'. A worker has the policy " +
        "sent with its own script, so send it with the library's files, too.", {here: true});
}

/**
 * @typedef {object} Features
 * @property {boolean} simd128     without it the engine can't run
 * @property {boolean} relaxed     relaxed SIMD, computing correctly
 * @property {'i32' | 'i16'} dot   the relaxed dot product that is the faster one
 * @property {boolean} memory64
 * @property {boolean} shared      shared memory, which every module uses
 * @property {boolean} isolated    threads can be started
 * @property {number} cores        logical ones
 */

/** What needs no trial. */
export async function detectThreads() {
    return {
        // WebKitGTK calls itself isolated without having shared memory for workers: then the name is missing.
        // In a sandboxed frame (opaque origin) workers start, but cannot receive what they should run.
        isolated: NODE || (globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function'
            && globalThis.origin !== 'null'),
        cores: NODE ? process.getBuiltinModule('node:os').availableParallelism()
            : globalThis.navigator?.hardwareConcurrency ?? 1,
    };
}

/** Lets other things happen in between: it takes a while. @returns {Promise<Features>} */
export async function detectFeatures() {
    let relaxed = true;
    for (const check of [dot32IsRight, dot16IsRight, maddIsRight, swizzleIsRight]) {
        relaxed = relaxed && succeeds(check);
        await yieldTurn();
    }
    return {
        simd128: WebAssembly.validate(SIMD),
        relaxed, dot: relaxed && await dot16IsFaster() ? 'i16' : 'i32',
        memory64: WebAssembly.validate(MEMORY64) && succeeds(memory64IsThere),
        shared: succeeds(sharedMemoryIsThere),
        ...await detectThreads(),
    };
}
