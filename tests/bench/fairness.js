// How long a session that writes waits while another reads a long prompt, and what the size of batches costs
// one that reads alone.
//
//   node tests/bench/fairness.js [--shape S --type T] [--threads N] [--prompt-tokens N] [--only pauses,first,sizes]
//
// By default the 270M, 2 threads and 2,000 tokens. pauses: the longest time of a token of a session that was
// writing before the other began to read.
// first: how long the first token takes of one that begins to write meanwhile. sizes: tokens per second of
// reading alone, by the tokens of a batch.

import {parseArgs} from 'node:util';
import {MAX_BATCH} from '../../web/base/constants.js';
import {SAMPLING} from '../../web/engine/generate.js';
import {Scheduler} from '../../web/engine/scheduler.js';
import {openModel, openSynthetic} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {ensureModel} from '../../web/node/setup.js';

const {values} = parseArgs({options: {
    shape: {type: 'string'}, type: {type: 'string', default: 'q4_0'}, threads: {type: 'string', default: '2'},
    'prompt-tokens': {type: 'string', default: '2000'}, only: {type: 'string', default: 'pauses,first,sizes'},
}});
const {shape, type} = values, promptTokens = Number(values['prompt-tokens']);
const options = {contextLength: promptTokens + 500, threads: Number(values.threads), sessions: 2};
const IO = {aborted: () => false};

async function load() {
    if (shape) return openSynthetic({shape, type}, options);
    const source = await openSource({kind: 'path', path: await ensureModel()});
    return openModel(source, options).finally(() => source.close());
}

const ids = (n, seed, vocabulary) => Array.from({length: n}, (_, i) => (seed + (i + 1) * 7919) % vocabulary);
const {module, session: writer, plan} = await load(), reader = module.newSession(options.contextLength),
    scheduler = new Scheduler(module);
writer.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});

/** Writes until `until()`; the longest time that a token took, in milliseconds. */
async function write(until) {
    let longest = 0;
    while (!until()) {
        const start = performance.now();
        writer.push(writer.sample());
        await scheduler.evaluate(writer, IO);
        longest = Math.max(longest, performance.now() - start);
    }
    return longest;
}

/** Reads a new prompt. Returns how long it took. */
async function read(seed, n = promptTokens) {
    const start = performance.now();
    reader.sync(ids(n, seed, plan.nVocab));
    await scheduler.evaluate(reader, IO);
    return performance.now() - start;
}

async function warmUp() {
    writer.sync(ids(20, 1, plan.nVocab));
    await scheduler.evaluate(writer, IO);
    await write(((left) => () => left-- === 0)(10));
    await read(2, 256);
}

async function pauses() {
    let isRead = false;
    const alone = await write(((left) => () => left-- === 0)(20));
    const [longest, took] = await Promise.all([
        write(() => isRead), read(3).finally(() => { isRead = true; }),
    ]);
    console.log(`writing alone: at most ${alone.toFixed(0)} ms a token; beside a prompt of ${promptTokens}: at most ${longest.toFixed(0)} ms; ` +
        `the prompt took ${(took / 1000).toFixed(1)} s`);
}

async function firstTokens() {
    const waits = [];
    let isRead = false;
    const reading = read(4).finally(() => { isRead = true; });
    while (!isRead) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        if (isRead) break;
        const start = performance.now();
        await write(((left) => () => left-- === 0)(1));
        waits.push(performance.now() - start);
    }
    await reading;
    waits.sort((a, b) => a - b);
    console.log(`the first token beside it: ${waits[waits.length >> 1].toFixed(0)} ms (median), ${waits.at(-1).toFixed(0)} ms at most, of ${waits.length}`);
}

async function sizes() {
    for (let round = 0; round < 2; round++) {
        for (const batch of [8, 16, 32, 64, 128, MAX_BATCH]) {
            const n = 256, start = performance.now();
            reader.sync(ids(n, 1000 * round + batch, plan.nVocab));
            for (let left = n; left > 0;) left = reader.step(batch);
            console.log(
                `reading alone, batches of ${batch}: ${(n / (performance.now() - start) * 1000).toFixed(1)} tokens/s`);
        }
    }
}

const PARTS = {pauses, first: firstTokens, sizes};
await warmUp();
for (const part of values.only.split(',')) await PARTS[part]();
module.close();
