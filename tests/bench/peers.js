// peers.js: our speed and wllama's, in the same Chromium, on the same file, with the same number of threads, one after the other:
//
//     node tests/bench/peers.js [--model FILE] [--threads N] [--prompt-tokens N] [--max-tokens N] [--repeat N]
//
// Prints one JSON object: tokens per second of each (minimum, median, maximum) and the ratios of the medians. wllama is fetched from npm when
// this runs; the product does not depend on it. Nothing else should run on the machine meanwhile.

import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { ensureModel } from '../../web/node/setup.js';
import { serve } from '../../web/node/server.js';
import { ensureBrowsers } from '../setup/browsers.js';

const WLLAMA = '@wllama/wllama@3.8.1';
const PEERS = join(import.meta.dirname, '../../.toolchain/peers');

const { values } = parseArgs({ options: Object.fromEntries(
    ['model', 'threads', 'prompt-tokens', 'max-tokens', 'repeat'].map(name => [name, { type: 'string' }])) });
const model = resolve(values.model ?? await ensureModel());
const job = {
    threads: Number(values.threads ?? 2), promptTokens: Number(values['prompt-tokens'] ?? 512), maxTokens: Number(values['max-tokens'] ?? 64),
    repeat: Number(values.repeat ?? 3),
};

function spread(v) {
    const s = v.toSorted((a, b) => a - b);
    return { min: s[0], median: s[s.length >> 1], max: s.at(-1) };
}

/** A page in a fresh Chromium; `work` runs in it with `job`. */
async function inChromium(url, work, args) {
    const { chromium } = await ensureBrowsers();
    if (!chromium.path) throw new Error(chromium.missing);
    const profile = mkdtempSync(join(tmpdir(), 'bench-'));
    const browser = await puppeteer.launch({
        executablePath: chromium.path, userDataDir: profile, protocolTimeout: 0,
        args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    try {
        const page = await browser.newPage();
        await page.goto(url);
        return await page.evaluate(work, args);
    } finally {
        await browser.close();
        rmSync(profile, { recursive: true, force: true });
    }
}

/* Runs in the page: text of n tokens with BOS, of words that are one token each; another text each time. */
const PROMPT = `(n, seed) => {
    const words = ' the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will'.trim().split(' ');
    let text = '', s = seed;
    for (let i = 1; i < n; i++) text += ' ' + words[(s = s * 48271 % 2147483647) % words.length];
    return text;
}`;

async function ours() {
    const server = await serve({ port: 0, models: dirname(model) });
    try {
        return await inChromium(server.url, async ({ url, prompt, threads, promptTokens, maxTokens, repeat }) => {
            const make = (0, eval)(prompt), { Gemma } = await import(new URL('gemma.js', location.href).href);
            const gemma = await Gemma.load(url, { threads, contextLength: 2048 });
            const session = await gemma.session(), prefill = [], decode = [];
            const run = async (n, max, seed) => (await session.prompt(make(n, seed), {
                raw: true, maxTokens: max, sampling: { temperature: 0, logitBias: { 1: -Infinity } },
            }).result).timings;
            await run(32, 4, 1);
            for (let i = 0; i < repeat; i++) {
                const p = await run(promptTokens, 1, 2 + i), d = await run(8, maxTokens + 1, 100 + i);
                prefill.push(p.prefillTokens / p.prefillMs * 1000);
                decode.push(d.decodeTokens / d.decodeMs * 1000);
            }
            return { prefill, decode, loadMs: gemma.info.loadMs, variant: gemma.info.variant, threads: gemma.info.threads, memoryBytes: gemma.info.memoryBytes };
        }, { ...job, url: `models/${basename(model)}`, prompt: PROMPT });
    } finally {
        await server.close();
    }
}

/** A server of wllama's files, the model and an empty page. */
async function servePeer() {
    if (!existsSync(join(PEERS, 'node_modules/@wllama'))) {
        process.stderr.write(`fetching ${WLLAMA}\n`);
        execFileSync('npm', ['install', '--prefix', PEERS, '--no-save', WLLAMA], { stdio: ['ignore', 'ignore', 'inherit'] });
    }
    const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
    const server = createServer((request, response) => {
        const path = request.url.split('?')[0];
        const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Content-Type': 'text/html' };
        if (path === '/') return response.writeHead(200, headers).end('<!doctype html><title>peer</title>');
        const file = path === '/model.gguf' ? model : join(PEERS, 'node_modules', path);
        if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404, headers).end();
        response.writeHead(200, { ...headers, 'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Content-Length': statSync(file).size });
        if (request.method === 'HEAD') response.end();
        else createReadStream(file).pipe(response);
    });
    await new Promise(listening => server.listen(0, '127.0.0.1', listening));
    return server;
}

async function wllama() {
    const server = await servePeer();
    try {
        return await inChromium(`http://localhost:${server.address().port}/`, async ({ prompt, threads, promptTokens, maxTokens, repeat }) => {
            const make = (0, eval)(prompt), { Wllama } = await import(`${location.origin}/@wllama/wllama/esm/index.js`);
            const start = performance.now(), quiet = () => {};
            const w = new Wllama({ default: '/@wllama/wllama/esm/wasm/wllama.wasm' }, { logger: { debug: quiet, log: quiet, warn: quiet, error: quiet } });
            w.setCompat(null);
            await w.loadModel(await w.modelManager.getModelOrDownload({ url: `${location.origin}/model.gguf` }, {}),
                { n_ctx: 2048, n_threads: threads, n_gpu_layers: 0 });
            const loadMs = performance.now() - start, prefill = [], decode = [];
            const run = async (n, max, seed) => (await w.createCompletion({
                prompt: make(n, seed), max_tokens: max, n_predict: max, temperature: 0, top_k: 1, ignore_eos: true, cache_prompt: false, timings_per_token: true,
            })).timings;
            await run(32, 4, 1);
            for (let i = 0; i < repeat; i++) {
                const p = await run(promptTokens, 1, 2 + i), d = await run(8, maxTokens, 100 + i);
                prefill.push(p.prompt_n / p.prompt_ms * 1000);
                decode.push(d.predicted_n / d.predicted_ms * 1000);
            }
            return { prefill, decode, loadMs, threads: w.getNumThreads() };
        }, { ...job, prompt: PROMPT });
    } finally {
        server.closeAllConnections();
        server.close();
    }
}

const result = { model: basename(model), ...job };
for (const [name, run] of Object.entries({ ours, wllama })) {
    process.stderr.write(`${name} ...\n`);
    const r = await run();
    result[name] = { ...r, prefill: spread(r.prefill), decode: spread(r.decode) };
}
result.ratio = Object.fromEntries(['prefill', 'decode'].map(k => [k, result.ours[k].median / result.wllama[k].median]));
console.log(JSON.stringify(result, null, 1));
