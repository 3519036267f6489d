// node tests/bench/full_size.js: the whole way at full size, on demand: a random checkpoint of a real shape,
// build/quantize, the engine in Node, the page in Chromium, once from the network and once, with the server
// gone, from the chunks that it has stored. (At small scale `npm test` goes the same way.)
//
// Owns: the way and what is told of it. Must not know: how an engine is measured in Node, how a browser
// is started.

import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, statSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {basename, dirname, join, resolve} from 'node:path';
import {parseArgs} from 'node:util';
import {SetupError, main, run, say} from '../../web/node/run.js';
import {serve} from '../../web/node/server.js';
import {ensureDependencies, ensureModules} from '../../web/node/setup.js';
import {peakMemoryOfLargest} from './shared.js';

const HELP = `node tests/bench/full_size.js [OPTION...]

  --shape S        gemma-7b (the default; 17 GB of safetensors become a GGUF of 5), gemma-2b, or another of quantize/random_checkpoint.py
  --type T         of the GGUF; default: q4_0
  --model FILE     a GGUF that is there: nothing is made
  --work DIR       where files are made, and removed afterwards; default: in the folder for temporary files
  --keep           leaves the GGUF there
  --threads N      default: one for each core
  --max-tokens N   that are written; default: 24
  --repeat N       times that each is measured; default: 3
  --only NAME,...  of node, chromium

The disk must hold the safetensors and the GGUF, later the GGUF twice; the memory, the GGUF and 2 GB more.`;

const ROOT = resolve(import.meta.dirname, '../..'), POLL_MS = 50;
const PROMPT = 'the sea at night', PROMPT_TOKENS = 16, CONTEXT = 512;
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
const seconds = (start) => (performance.now() - start) / 1000;

await main(async () => {
    const options = readOptions();
    if (options.help) return console.log(HELP);
    await ensureDependencies();
    await ensureModules();
    const work = mkdtempSync(join(options.work ?? tmpdir(), 'full-size-'));
    try {
        const model = options.model ? resolve(options.model) : await makeModel(options, work);
        const [node, limiting] = await Promise.all([import('./ours_node.js'), import('./limits.js')]);
        const job = {model, threads: options.threads, prompts: [PROMPT_TOKENS], maxTokens: options.maxTokens,
            contextLength: CONTEXT};
        const limits = await limiting.start(job);
        /** Tells a rate of writing beside what the machine reads just before and after. */
        const timed = async (what, measure) => {
            const before = (await limits.round()).read;
            const {points: [{decode}], memory, startup, facts} = await measure();
            const after = (await limits.round()).read, read = decode * facts.bytesPerToken / 1e9;
            say(`${what}: ${decode.toFixed(2)} tokens/s, ${read.toFixed(1)} GB/s; a bare loop ${before.toFixed(1)} and ${after.toFixed(1)} GB/s: ` +
                `${(200 * read / (before + after)).toFixed(0)} %; loaded in ${(startup['the model'] / 1000).toFixed(1)} s${facts.phase ? ` (${facts.phase})` : ''}, ` +
                `memory ${gigabytes(memory)}, ${facts.kernels}, ${facts.threads} threads${facts.notice ? `; ${facts.notice}` : ''}`);
        };
        say(`${basename(model)}: ${gigabytes(statSync(model).size)}, ${options.threads} threads`);
        if (options.only.includes('node')) await inNode(await node.start(job, {}), options, timed);
        if (options.only.includes('chromium')) await inChromium(model, options, timed);
        if (options.keep && !options.model) say(`kept: ${model}`);
    } finally {
        if (!options.keep || options.model) rmSync(work, {recursive: true, force: true});
    }
});

function readOptions() {
    let values;
    try {
        const text = {type: 'string'}, flag = {type: 'boolean', default: false};
        ({values} = parseArgs({options: {
            shape: text, type: text, model: text, work: text, keep: flag, threads: text, 'max-tokens': text,
            repeat: text, only: text, help: flag,
        }}));
    } catch (error) {
        throw new SetupError(`${error.message.split('\n')[0]}\n\n${HELP}`);
    }
    const number = (name, standard) => {
        const word = values[name] ?? String(standard);
        if (!/^[1-9]\d{0,3}$/.test(word))
            throw new SetupError(`--${name} ${word}: a whole number from 1 is expected`);
        return Number(word);
    };
    return {
        ...values, shape: values.shape ?? 'gemma-7b', type: values.type ?? 'q4_0',
        only: (values.only ?? 'node,chromium').split(','),
        threads: number('threads', availableParallelism()), maxTokens: number('max-tokens', 24),
        repeat: number('repeat', 3),
    };
}

/* ------------------------------------------------------------------------------------------ checkpoint and GGUF */

/** @returns {Promise<string>} the GGUF's path */
async function makeModel({shape, type}, work) {
    const folder = join(work, `${shape}-random`), model = `${folder}.gguf`,
        quantize = join(ROOT, 'build/quantize');
    run('make', ['-j2', 'build/quantize'], {cwd: ROOT});
    let start = performance.now();
    execFileSync('python3', [join(ROOT, 'quantize/random_checkpoint.py'), folder, '--shape', shape,
        '--shards', '4']);
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    say(`${shape}: a checkpoint of ${gigabytes(bytes)} in ${seconds(start).toFixed(0)} s`);
    start = performance.now();
    const peak = await peakMemoryOf(quantize, ['--in', folder, '--out', model, '--type', type, '--plain',
        '--manifest']), took = seconds(start);
    say(`quantize --plain to ${type}: ${took.toFixed(1)} s, ${(bytes / 1e6 / took).toFixed(0)} MB/s read, memory at most ${(peak / 1e6).toFixed(0)} MB`);
    rmSync(folder, {recursive: true});
    return model;
}

/**
 * Runs a program to its end.
 * @returns {Promise<number>} bytes that it was resident with at most, to 50 ms before its end
 */
function peakMemoryOf(program, args) {
    return new Promise((done, fail) => {
        const child = spawn(program, args, {stdio: ['ignore', 'ignore', 'inherit']});
        let peak = 0;
        const poll = setInterval(() => { peak = Math.max(peak, peakMemoryOfLargest(child.pid) ?? 0); },
            POLL_MS);
        child.on('error', fail);
        child.on('close', (status) => {
            clearInterval(poll);
            if (status === 0) done(peak);
            else fail(new SetupError(`${basename(program)} ended with status ${status}`));
        });
    });
}

/* ------------------------------------------------------------------------------------------ engines */

async function inNode(contender, {repeat}, timed) {
    for (let round = 0; round < repeat; round++) await timed('Node', () => contender.round(round));
}

/** First from the server, then with the server gone. */
async function inChromium(model, {threads, maxTokens, repeat}, timed) {
    const {createVisitor} = await import('./chromium.js');
    const visitor = await createVisitor(), server = await serve({port: 0, models: dirname(model)});
    let open = true;
    const close = async () => {
        if (open) await server.close();
        open = false;
    };
    try {
        const args = {url: `${server.url}models/${encodeURIComponent(basename(model))}`,
            options: {threads, contextLength: CONTEXT}, prompt: PROMPT, maxTokens};
        for (let visit = 0; visit <= repeat; visit++) {
            if (visit > 0) await close();
            await timed(visit ? 'Chromium, server gone' : 'Chromium, first visit',
                () => visitor.visit(server.url, (page) => page.evaluate(inPage, args)));
        }
    } finally {
        await close();
        visitor.leave();
    }
}

/** Runs in the page. */
async function inPage({url, options, prompt, maxTokens}) {
    const start = performance.now(), facts = {};
    const onProgress = ({phase, notice}) => Object.assign(facts, {phase, ...notice && {notice}});
    const {Gemma} = await import(new URL('gemma.js', location.href).href);
    const gemma = await Gemma.load(url, {...options, onProgress});
    const loadMs = performance.now() - start;
    const session = await gemma.session();
    // The ids that end a turn or a text are never written.
    const sampling = {temperature: 0.8, seed: 1, logitBias: {1: -Infinity, 106: -Infinity, 107: -Infinity}};
    // Warmed up, as all that is measured beside: at first the engine tries how many threads help.
    await session.prompt(prompt, {raw: true, maxTokens: 8, sampling}).result;
    const {timings: {decodeTokens, decodeMs}} = await session.prompt(prompt,
        {raw: true, maxTokens: maxTokens + 1, sampling}).result;
    await navigator.serviceWorker.ready;    // it keeps the page for the next visit
    const {kernels, threads, bytesPerToken} = gemma.info;
    return {points: [{decode: decodeTokens / decodeMs * 1000}], startup: {'the model': loadMs},
        facts: {...facts, kernels, threads, bytesPerToken}};
}
