// wllama, llama.cpp for browsers, in the same Chromium, on the CPU.
//
// Owns: how wllama is fetched and measured. Must not know: other contenders.

import {createReadStream, existsSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {createVisitor} from './chromium.js';
import {FIRST_PROMPT, fetchPeer, works} from './shared.js';

const VERSION = '3.8.1';
export const title = `wllama ${VERSION}, Chromium`;

/** @param {import('./shared.js').Job} job @returns {Promise<import('./shared.js').Contender>} */
export async function start(job) {
    const modules = fetchPeer('wllama', [`@wllama/wllama@${VERSION}`]);
    const visitor = await createVisitor();
    const server = await serve(modules, job.model);
    return {
        round: (round) => visitor.visit(`http://localhost:${server.address().port}/`,
            (page) => page.evaluate(inPage, {threads: job.threads, contextLength: job.contextLength,
                works: works(job, round), first: FIRST_PROMPT})),
        async close() {
            server.closeAllConnections();
            server.close();
            visitor.leave();
        },
    };
}

async function inPage({threads, contextLength, works: [warmUp, ...works], first}) {
    const start = performance.now(), quiet = () => {};
    const {Wllama} = await import(`${location.origin}/@wllama/wllama/esm/index.js`);
    const wllama = new Wllama({default: '/@wllama/wllama/esm/wasm/wllama.wasm'},
        {logger: {debug: quiet, log: quiet, warn: quiet, error: quiet}});
    wllama.setCompat(null);
    await wllama.loadModel(await wllama.modelManager.getModelOrDownload(
        {url: `${location.origin}/model.gguf`}, {}),
        {n_ctx: contextLength, n_threads: threads, n_gpu_layers: 0});
    const loadMs = performance.now() - start, begin = performance.now();
    await wllama.createCompletion({prompt: first, max_tokens: 1, n_predict: 1, temperature: 0, top_k: 1});
    const firstMs = performance.now() - begin;
    const run = async ({text, decode}) => (await wllama.createCompletion({
        prompt: text, max_tokens: decode + 1, n_predict: decode + 1, temperature: 0, top_k: 1,
        ignore_eos: true, cache_prompt: false,
        timings_per_token: true,
    })).timings;
    await run(warmUp);
    const points = [];
    for (const work of works) {
        const {prompt_n, prompt_ms, predicted_n, predicted_ms} = await run(work);
        // Its clock of writing starts when the first token is there.
        points.push({tokens: work.tokens, prefill: prompt_n / prompt_ms * 1000,
            decode: (predicted_n - 1) / predicted_ms * 1000});
    }
    return {points, startup: {'the model': loadMs, 'the first token': firstMs},
        facts: {threads: wllama.getNumThreads()}};
}

/** A server of an empty isolated page, wllama's files, and the model. */
async function serve(modules, model) {
    const types = {'.js': 'text/javascript', '.wasm': 'application/wasm'};
    const server = createServer((request, response) => {
        const path = request.url.split('?')[0];
        const headers = {'Cross-Origin-Opener-Policy': 'same-origin',
            'Cross-Origin-Embedder-Policy': 'require-corp', 'Content-Type': 'text/html'};
        if (path === '/') return response.writeHead(200, headers).end('<!doctype html><title>wllama</title>');
        const file = path === '/model.gguf' ? model : join(modules, path);
        if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404, headers).end();
        const type = types[extname(file)] ?? 'application/octet-stream';
        response.writeHead(200, {...headers, 'Content-Type': type, 'Content-Length': statSync(file).size});
        if (request.method === 'HEAD') response.end();
        else createReadStream(file).pipe(response);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    return server;
}
