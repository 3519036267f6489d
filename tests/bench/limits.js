// What this machine could do at most in the same wasm engine with the same number of threads: reading memory,
// and the relaxed dot products.
//
// Owns: the bare loops and the program that times them, which is this file under Node 24, and a worker for
// each thread, which it also is. Must not know: contenders.

import {isMainThread, parentPort, Worker, workerData} from 'node:worker_threads';
import {run} from '../../web/node/run.js';
import {ensureNode24} from '../setup/node24.js';

export const title = 'the machine\'s limits';

const PAGE = 65536, BYTES = 1 << 30;        // more than any cache holds
const LINES = 8;                            // loads in a turn of the loop
// enough to hide what an instruction waits for the one before; in each
const CHAINS = 12, MACS = 16;
const TURNS = 6e6;
const WARM_CALLS = 3000, WARM_TURNS = 300;  // the optimising compiler comes in after some calls
const REPEAT = 6;

/**
 * Samples are {read, dot32, dot16}: GB/s, GMAC/s of i32x4.relaxed_dot, GMAC/s of i16x8.relaxed_dot and an
 * addition; best of some.
 * @param {import('./shared.js').Job} job
 */
export async function start({threads}) {
    const node = ensureNode24();
    return {round: async () => JSON.parse(run(node, [import.meta.filename, String(threads)]))};
}

/* ------------------------------------------------------------------------------------------ the loops, assembled */

const I32 = 0x7f, V128 = 0x7b, SPLAT = [0xfd, 0x11], LANE0 = [0xfd, 0x1b, 0], XOR = [0xfd, 0x51];
const DOT32 = [0xfd, 0x93, 0x02], DOT16 = [0xfd, 0x92, 0x02], I16_ADD = [0xfd, 0x8e, 0x01];
const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(Math.floor(n / 128))];
const get = (i) => [0x20, i], set = (i) => [0x21, i];

/** A module with one function f of i32s to i32, which has `count` more locals of a type. */
function moduleOf(parameters, type, count, body, imports = []) {
    const code = [1, count, type, ...body, 0x0b],
        section = (id, bytes) => bytes.length ? [id, ...leb(bytes.length), ...bytes] : [];
    return new WebAssembly.Module(new Uint8Array([
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, [1, 0x60, parameters, ...Array(parameters).fill(I32), 1, I32]),
        ...section(2, imports),
        ...section(3, [1, 0]), ...section(7, [1, 1, 0x66, 0, 0]),
        ...section(10, [1, ...leb(code.length), ...code]),
    ]));
}

/** Does `body` as often as local `n` says. */
const loop = (n, body) => [0x03, 0x40, ...body, ...get(n), 0x41, 1, 0x6b, 0x22, n, 0x0d, 0, 0x0b];
const all = (count, each) => Array.from({length: count}, (_, i) => each(i)).flat();

/** f(p, n, step): n times one load from each of LINES places `stride` apart, then p += step. */
function readModule(stride) {
    const sum = (j) => 3 + j;
    return moduleOf(3, I32, LINES, [
        ...loop(1, [
            ...all(LINES, (j) => [...get(sum(j)), ...get(0), 0x28, 2, ...leb(j * stride), 0x6a,
                ...set(sum(j))]),
            ...get(0), ...get(2), 0x6a, ...set(0),
        ]),
        ...get(sum(0)), ...all(LINES - 1, (j) => [...get(sum(j + 1)), 0x6a]),
    ], [1, 1, 0x65, 1, 0x6d, 2, 3, ...leb(BYTES / PAGE),
        ...leb(BYTES / PAGE)]);        // (import "e" "m" (memory shared))
}

/** f(n): n times CHAINS dot products. `chain`: what makes the next local i of locals i and b. */
function dotModule(chain) {
    const acc = (i) => 1 + i, b = CHAINS + 1;
    return moduleOf(1, V128, CHAINS + 1, [
        ...get(0), ...SPLAT, ...set(b),
        ...all(CHAINS, (i) => [0x41, i + 1, ...SPLAT, ...set(acc(i))]),
        ...loop(0, all(CHAINS, (i) => [...chain(acc(i), b), ...set(acc(i))])),
        ...get(acc(0)), ...all(CHAINS - 1, (i) => [...get(acc(i + 1)), ...XOR]), ...LANE0,
    ]);
}

/**
 * What each thread does in its share of the memory; `amount`: bytes or MACs of all threads together.
 * @returns {{kind: string, amount: number, warm: () => void, work: () => void}[]}
 */
function tasks(memory, thread, threads) {
    const share = Math.floor(BYTES / threads / PAGE) * PAGE, base = thread * share;
    const instance = (module) => new WebAssembly.Instance(module, {e: {m: memory}}).exports.f;
    const reading = (stride, step) => {
        const f = instance(readModule(stride));
        return {kind: 'read', amount: share * threads, warm: () => f(base, WARM_TURNS, step),
            work: () => f(base, share / 64 / LINES, step)};
    };
    const dots = (kind, chain) => {
        const f = instance(dotModule(chain));
        return {kind, amount: TURNS * CHAINS * MACS * threads, warm: () => f(WARM_TURNS),
            work: () => f(TURNS)};
    };
    return [
        reading(64, 64 * LINES),                // one stream,
        reading(share / LINES, 64),             // or eight, whichever the machine likes better
        dots('dot32', (i, b) => [...get(i), ...get(b), ...get(i), ...DOT32]),
        dots('dot16', (i, b) => [...get(i), ...get(i), ...get(b), ...DOT16, ...I16_ADD]),
    ];
}

/* ------------------------------------------------------------------------------------------ the program */

/** state: [the number of the turn that may begin, how many threads have done theirs, of all turns] */
function work({memory, state, thread, threads}) {
    const share = Math.floor(BYTES / threads);
    // pages that were never written may all be the same one
    new Uint8Array(memory.buffer, thread * share, share).fill(thread + 1);
    const list = tasks(memory, thread, threads);
    for (const {warm} of list) for (let i = 0; i < WARM_CALLS; i++) warm();
    parentPort.postMessage('ready');
    for (let turn = 0; turn < list.length * REPEAT; turn++) {
        while (Atomics.load(state, 0) <= turn) Atomics.wait(state, 0, turn);
        list[turn % list.length].work();
        Atomics.add(state, 1, 1);
        Atomics.notify(state, 1);
    }
}

async function main(threads) {
    const memory = new WebAssembly.Memory({initial: BYTES / PAGE, maximum: BYTES / PAGE, shared: true});
    const state = new Int32Array(new SharedArrayBuffer(8));
    await Promise.all(Array.from({length: threads}, (_, thread) => new Promise((ready, fail) => {
        new Worker(import.meta.filename, {workerData: {memory, state, thread, threads}}).once('message',
            ready).once('error', fail);
    })));
    const best = {}, list = tasks(memory, 0, threads);
    for (let turn = 0; turn < list.length * REPEAT; turn++) {
        const {kind, amount} = list[turn % list.length], start = performance.now();
        Atomics.store(state, 0, turn + 1);
        Atomics.notify(state, 0);
        for (let done; (done = Atomics.load(state, 1)) < threads * (turn + 1);) Atomics.wait(state, 1, done);
        best[kind] = Math.max(best[kind] ?? 0, amount / (performance.now() - start) / 1e6);
    }
    console.log(JSON.stringify(best));
}

if (!isMainThread && workerData?.memory) work(workerData);
else if (isMainThread && process.argv[1] === import.meta.filename) await main(Number(process.argv[2]));
