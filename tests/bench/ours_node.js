// The product under Node: the engine itself, as `gemma bench` asks it (no guessing ahead), in a process
// for each round.
//
// Owns: how the product is measured outside of a page; this file is also the process in which it runs. Must
// not know: other contenders.

import {fileURLToPath} from 'node:url';
import {SAMPLING} from '../../web/engine/generate.js';
import {openModel, openSynthetic} from '../../web/engine/open.js';
import {openSource} from '../../web/weights/node/disk.js';
import {run} from '../../web/node/run.js';
import {ensureNode24} from '../setup/node24.js';
import {answerParent, inProcess, works} from './shared.js';

export const title = 'gemma-wasm, Node';

const CLI = fileURLToPath(new URL('../../web/node/cli.js', import.meta.url));
const BATCH = 256, LAST = 512;

/**
 * @param {import('./shared.js').Job} job
 * @param {{variant?: string, dot?: string, memory64?: boolean, kvType?: string}} engine   as Gemma.load
 *     takes it
 * @returns {Promise<import('./shared.js').Contender>}
 */
export async function start(job, engine) {
    const node = ensureNode24();
    return {round: (round) => inProcess(import.meta.filename, {job, engine, works: works(job, round)}, node)};
}

async function measure({job: {model, shape, type, threads, contextLength}, engine,
    works: [warmUp, ...works]}) {
    const options = {...engine, threads, contextLength}, start = performance.now();
    const opened = model ? await openModel(await openSource({path: model}), options)
        : await openSynthetic({shape, type}, options);
    const {session, plan} = opened, loadMs = performance.now() - start;
    session.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
    let round = 0;
    const rates = ({tokens, decode}) => {
        round++;
        session.sync(Array.from({length: tokens}, (_, i) => (round + (i + 1) * 7919) % plan.nVocab));
        const start = performance.now();
        let left = tokens;
        while (left > LAST) left = session.step(Math.min(BATCH, left - LAST));
        const late = performance.now(), last = left;
        while (left > 0) left = session.step(BATCH);
        const end = performance.now();
        for (let i = 0; i < decode; i++) {
            session.push(session.sample());
            session.step(1);
        }
        return {
            tokens, prefill: tokens / (end - start) * 1000, last: last / (end - late) * 1000,
            decode: decode / (performance.now() - end) * 1000,
        };
    };
    rates(warmUp);
    return {
        points: works.map(rates), startup: {'the model': loadMs}, memory: process.resourceUsage()
            .maxRSS * 1024,
        facts: {kernels: opened.kernels, threads: opened.threads, bytesPerToken: plan.bytesPerToken},
    };
}

/**
 * What a token costs: its share of the matrices' multiplications while a prompt is read, and the bytes of
 * weights that writing one reads.
 * @param {import('./shared.js').Job} job @returns {Promise<{macsPerToken: number, bytesPerToken: number}>}
 */
export async function costsOf({model, shape, type, threads}) {
    const [few, more] = [16, 32], macs = {},
        source = model ? ['--model', model] : ['--shape', shape, '--type', type];
    let bytesPerToken;
    // what only the last token is multiplied with falls out of the difference
    for (const tokens of [few, more]) {
        const json = JSON.parse(run(ensureNode24(), [
            CLI, 'bench', ...source, '--threads', String(threads), '--prompt-tokens', String(tokens),
            '--max-tokens', '1', '--repeat', '1',
            '--profile', '--json',
        ]));
        macs[tokens] = json.profile.prefill.filter(({name}) => name.startsWith('matmul'))
            .reduce((sum, {seconds, gigamacsPerSecond}) => sum + seconds * gigamacsPerSecond * 1e9, 0);
        bytesPerToken = json.bytesPerToken;
    }
    return {macsPerToken: (macs[more] - macs[few]) / (more - few), bytesPerToken};
}

answerParent(import.meta.filename, measure);
