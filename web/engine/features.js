// features.js: what this machine's WebAssembly can do, found by trying. Knows no models and no engine.
//
// Validation alone is not trusted for relaxed SIMD: Node 20 accepts it behind a flag and its baseline compiler then computes the relaxed dot
// product wrongly. So each relaxed instruction that the kernels use is run, from its first call until well after tier-up.

const type = { i32: 0x7f, f32: 0x7d };
const splat = { i32: [0xfd, 0x11], f32: [0xfd, 0x13] };
const lane0 = { i32: [0xfd, 0x1b, 0], f32: [0xfd, 0x1f, 0] };

/** A module that exports `f`(a, b, c): the three splatted, one vector instruction, lane 0. */
function ternaryModule(kind, instruction) {
    const body = [0, ...[0, 1, 2].flatMap(i => [0x20, i, ...splat[kind]]), ...instruction, ...lane0[kind], 0x0b];
    const t = type[kind];
    return new Uint8Array([
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        1, 8, 1, 0x60, 3, t, t, t, 1, t,
        3, 2, 1, 0,
        7, 5, 1, 1, 0x66, 0, 0,
        10, body.length + 2, 1, body.length, ...body,
    ]);
}

const DOT = ternaryModule('i32', [0xfd, 0x93, 0x02]);       // i32x4.relaxed_dot_i8x16_i7x16_add_s
const MADD = ternaryModule('f32', [0xfd, 0x85, 0x02]);      // f32x4.relaxed_madd
const SIMD = ternaryModule('i32', [0xfd, 0xae, 0x01, 0xfd, 0xae, 0x01]);     // i32x4.add, twice
const MEMORY64 = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 1]);       // (memory i64 1)

const CALLS = 30_000;       // enough for every engine's optimising compiler

const run = bytes => new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f;

function dotIsRight() {
    const dot = run(DOT);
    for (let i = 0; i < CALLS; i++) {
        const a = Math.imul(i + 1, 0x9e3779b1), b = Math.imul(i + 7, 0x85ebca6b) & 0x7f7f7f7f;
        let want = i;
        for (let byte = 0; byte < 32; byte += 8) want += (a << (24 - byte) >> 24) * (b >> byte & 0x7f);
        if (dot(a, b, i) !== want) return false;
    }
    return true;
}

/** Fused or not: both are allowed, anything else is not. */
function maddIsRight() {
    const madd = run(MADD), f = Math.fround;
    for (let i = 0; i < CALLS; i++) {
        const a = f(i * 0.37 + 1), b = f(1 / (i + 3)), c = f(i - 11.5), got = madd(a, b, c);
        if (got !== f(a * b + c) && got !== f(f(a * b) + c)) return false;
    }
    return true;
}

/** Engines refuse what they don't have by exceptions of many kinds: any of them means no. */
function succeeds(check) {
    try {
        return check();
    } catch {
        return false;
    }
}

const sharedMemoryIsThere = () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer.byteLength > 0;

/** Engines that had memory64 before its final specification want another word than `address`. */
const memory64IsThere = () => new WebAssembly.Memory({ initial: 1n, maximum: 1n, shared: true, address: 'i64' }).buffer.byteLength > 0;

/**
 * @typedef {object} Features
 * @property {boolean} simd128     without it the engine can't run
 * @property {boolean} relaxed     relaxed SIMD, computing correctly
 * @property {boolean} memory64
 * @property {boolean} shared      shared memory, which every module uses
 * @property {boolean} isolated    threads can be started
 * @property {number} cores        logical ones
 */

/** @returns {Promise<Features>} */
export async function detectFeatures() {
    const node = typeof process === 'object' && !!process.versions?.node;
    return {
        simd128: WebAssembly.validate(SIMD),
        relaxed: succeeds(() => dotIsRight() && maddIsRight()),
        memory64: WebAssembly.validate(MEMORY64) && succeeds(memory64IsThere),
        shared: succeeds(sharedMemoryIsThere),
        isolated: node || globalThis.crossOriginIsolated === true,
        cores: node ? (await import('node:os')).availableParallelism() : globalThis.navigator?.hardwareConcurrency ?? 1,
    };
}
