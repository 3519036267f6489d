// The product under Node: `gemma bench`, a process for each length of the prompt.
//
// Owns: how the product is measured outside of a page. Must not know: other contenders.

import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {ensureNode24} from '../setup/node24.js';
import {peakMemory} from './shared.js';

export const title = 'gemma-wasm, Node';

const CLI = fileURLToPath(new URL('../../web/node/cli.js', import.meta.url));
const LOOK_MS = 250;

/**
 * @param {import('./shared.js').Job} job
 * @param {{variant?: string, dot?: string}} engine
 * @returns {Promise<import('./shared.js').Contender>}
 */
export async function start(job, engine) {
    const node = ensureNode24();
    return {
        async round() {
            const points = [], peaks = [];
            let facts = {};
            for (const tokens of job.prompts) {
                const {json, memory} = await bench(node, job, engine, {'prompt-tokens': tokens, 'max-tokens': job.maxTokens});
                points.push({tokens, prefill: json.prefill.median, decode: json.decode.median});
                peaks.push(memory);
                facts = {kernels: json.kernels, threads: json.threads};
            }
            return {points, memory: peaks.includes(undefined) ? undefined : Math.max(...peaks), facts};
        },
    };
}

/**
 * What a token costs: its share of the matrices' multiplications while a prompt is read, and the bytes of weights that writing one reads.
 * @param {import('./shared.js').Job} job @returns {Promise<{macsPerToken: number, bytesPerToken: number}>}
 */
export async function costsOf(job) {
    const [few, more] = [16, 32], macs = {};
    let bytesPerToken;
    for (const tokens of [few, more]) {     // what only the last token is multiplied with falls out of the difference
        const {json} = await bench(ensureNode24(), job, {}, {'prompt-tokens': tokens, 'max-tokens': 1, profile: true});
        macs[tokens] = json.profile.prefill.filter(({name}) => name.startsWith('matmul'))
            .reduce((sum, {seconds, gigamacsPerSecond}) => sum + seconds * gigamacsPerSecond * 1e9, 0);
        bytesPerToken = json.bytesPerToken;
    }
    return {macsPerToken: (macs[more] - macs[few]) / (more - few), bytesPerToken};
}

async function bench(node, {model, shape, type, threads}, engine, options) {
    const all = {...(model ? {model} : {shape, type}), threads, repeat: 1, json: true, ...engine, ...options};
    const args = Object.entries(all).flatMap(([name, value]) => value === true ? [`--${name}`] : [`--${name}`, String(value)]);
    const running = promisify(execFile)(node, [CLI, 'bench', ...args]);
    let memory;
    const look = setInterval(() => { memory = peakMemory(running.child.pid) ?? memory; }, LOOK_MS);
    try {
        return {json: JSON.parse((await running).stdout), memory};
    } catch (error) {
        throw new Error(String(error.stderr || error.message).trim().split('\n')[0]);
    } finally {
        clearInterval(look);
    }
}
