// bench.js: gemma bench: tokens per second of prefill and decode (greedy, sampling included), each --repeat times after one warm-up, on a model
// file or a benchmark shape.

import { SAMPLING } from '../../engine/generate.js';
import { openSynthetic } from '../../engine/open.js';
import { UsageError, parseArgs } from '../args.js';
import { MODEL_OPTIONS, engineOptions, open, printJson } from './shared.js';

const BATCH = 256;

function spread(values) {
    const sorted = values.toSorted((a, b) => a - b);
    return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1) };
}

/** Ids of no text in particular, others in each round, so that nothing of the round before is reused. */
const someIds = (n, round, vocabulary) => Array.from({ length: n }, (_, i) => (round + (i + 1) * 7919) % vocabulary);

export default async function run(argv) {
    const { options } = parseArgs(argv, {
        ...MODEL_OPTIONS, shape: 'text', type: 'text', 'prompt-tokens': 'count', 'max-tokens': 'count', repeat: 'count', json: 'flag',
    });
    if (options.shape !== undefined && options.model !== undefined) throw new UsageError('--shape and --model exclude each other');
    const { promptTokens = 128, maxTokens = 64, repeat = 5 } = options;
    const ctx = options.ctx ?? promptTokens + maxTokens + 1;
    const opened = options.shape === undefined ? await open({ ...options, ctx })
        : await openSynthetic({ shape: options.shape, type: options.type ?? 'q4_0' }, engineOptions({ ...options, ctx }));
    const { module, variant, threads, plan } = opened;
    const prefill = [], decode = [];
    module.setSampling({ ...SAMPLING, temperature: 0, seed: 0, logitBias: {} });
    for (let round = 0; round <= repeat; round++) {
        module.sync(someIds(promptTokens, round, plan.nVocab));
        const start = performance.now();
        while (module.step(BATCH) > 0);
        const middle = performance.now();
        for (let i = 0; i < maxTokens; i++) {
            module.pushToken(module.sample());
            module.step(1);
        }
        const end = performance.now();
        if (round === 0) continue;
        prefill.push(promptTokens / (middle - start) * 1000);
        decode.push(maxTokens / (end - middle) * 1000);
    }
    const result = { prefill: spread(prefill), decode: spread(decode), variant, threads, bytesPerToken: plan.bytesPerToken };
    module.close();
    if (options.json) printJson(result);
    else {
        const line = ({ min, median, max }) => `${median.toFixed(1)} tokens/s (${min.toFixed(1)} to ${max.toFixed(1)})`;
        process.stdout.write(`prefill of ${promptTokens}: ${line(result.prefill)}\ndecode of ${maxTokens}:  ${line(result.decode)}\n` +
            `${variant}, ${threads} threads, ${(plan.bytesPerToken / 1e6).toFixed(1)} MB of weights a token\n`);
    }
}
