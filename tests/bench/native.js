// llama.cpp as a native program, on the CPU, by node-llama-cpp: its packages hold a build for each kind of
// CPU, of which llama.cpp takes the best that runs here.
//
// Owns: how native llama.cpp is fetched and measured; this file is also the process in which it runs. Must
// not know: other contenders.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {answerParent, fetchPeer, inProcess, works} from './shared.js';

const VERSION = '3.22.1';
const BUILDS = {
    'linux-x64': 'linux-x64', 'linux-arm64': 'linux-arm64', 'darwin-arm64': 'mac-arm64-metal',
    'darwin-x64': 'mac-x64',
    'win32-x64': 'win-x64', 'win32-arm64': 'win-arm64',
};
export const title = 'llama.cpp, native';

/** @param {import('./shared.js').Job} job @returns {Promise<import('./shared.js').Contender>} */
export async function start(job) {
    const build = BUILDS[`${process.platform}-${process.arch}`];
    if (!build) throw new Error('node-llama-cpp has no build for this machine');
    const modules = fetchPeer('node-llama-cpp',
        [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${build}@${VERSION}`]);
    return {round: (round) => inProcess(import.meta.filename, {modules, job, works: works(job, round)})};
}

async function measure({modules, job, works: [warmUp, ...works]}) {
    const start = performance.now();
    const {getLlama} = await import(pathToFileURL(join(modules, 'node-llama-cpp/dist/index.js')).href);
    const llama = await getLlama({gpu: false, build: 'never', skipDownload: true, progressLogs: false,
        maxThreads: job.threads, logLevel: 'error'});
    const opened = performance.now();
    const model = await llama.loadModel({modelPath: job.model, gpuLayers: 0});
    const context = await model.createContext({contextSize: job.contextLength, threads: job.threads});
    const startup = {'the library': opened - start, 'the model': performance.now() - opened};
    const sequence = context.getSequence();
    const rates = async ({tokens, text, decode}) => {
        await sequence.clearHistory();
        const ids = [model.tokens.bos, ...model.tokenize(text)], start = performance.now();
        let first, last, written = 0;       // the first token comes from the prompt alone
        for await (const _ of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
            last = performance.now();
            first ??= last;
            if (written++ === decode) break;
        }
        return {tokens, prefill: ids.length / (first - start) * 1000,
            decode: (written - 1) / (last - first) * 1000};
    };
    await rates(warmUp);
    const points = [];
    for (const work of works) points.push(await rates(work));
    return {
        points, startup, memory: process.resourceUsage().maxRSS * 1024,
        facts: {threads: context.currentThreads, backend: loadedBackend(),
            release: llama.llamaCppRelease.release, nodeLlamaCpp: VERSION},
    };
}

/** The name of the build that llama.cpp took; on Linux. */
function loadedBackend() {
    try {
        return /libggml-(cpu-\w+)/.exec(readFileSync('/proc/self/maps', 'utf8'))[1];
    } catch {
        return 'cpu';
    }
}

answerParent(import.meta.filename, measure);
