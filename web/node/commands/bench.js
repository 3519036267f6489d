// bench.js: gemma bench: tokens per second of prefill and decode (greedy, sampling included), each --repeat
// times after one warm-up, on a model file or a benchmark shape; of --parallel sessions together; with
// --profile also what each operation cost.

import {MAX_BATCH} from '../../base/constants.js';
import {SAMPLING} from '../../engine/generate.js';
import {openSynthetic} from '../../engine/open.js';
import {UsageError, parseArgs} from '../args.js';
import {MODEL_OPTIONS, engineOptions, open, printJson, progressLine} from './shared.js';

/**
 * @typedef {import('../../engine/module.js').Module} Module
 * @typedef {{min: number, median: number, max: number}} Spread
 * @typedef {{seconds: number, calls: number, bytes: number, macs: number}} Sums
 * @typedef {ReturnType<Measured['costs']>} Costs
 * @typedef {object} Figures
 * @property {Spread} prefill
 * @property {Spread} decode
 * @property {string} kernels
 * @property {number} threads
 * @property {number} bytesPerToken
 * @property {Record<string, Costs>} [profile]
 */

/** @param {number[]} values */
function spread(values) {
    const sorted = values.toSorted((a, b) => a - b);
    return {min: sorted[0], median: sorted[sorted.length >> 1], max: sorted[sorted.length - 1]};
}

/**
 * Ids of no text in particular, others in each round, so that nothing of the round before is reused.
 * @param {number} n
 * @param {number} round
 * @param {number} vocabulary
 */
const someIds = (n, round, vocabulary) => Array.from({length: n},
    (_, i) => (round + (i + 1) * 7919) % vocabulary);

/** One kind of work that is repeated: how fast it was each time, and what its operations cost. */
class Measured {
    /** @type {number[]} */
    rates = [];
    /** @type {Map<string, Sums>} */
    #costs = new Map();
    #seconds = 0;

    /**
     * Does `work`, which takes in `tokens` and returns the seconds that sampling took.
     * @param {Module} module
     * @param {number} tokens
     * @param {boolean | undefined} profile
     * @param {() => number | void} work
     */
    time(module, tokens, profile, work) {
        if (profile) module.profile();
        const start = performance.now();
        const sampling = work();
        const seconds = (performance.now() - start) / 1000;
        this.rates.push(tokens / seconds);
        if (!profile) return;
        this.#seconds += seconds;
        const costs = module.costs();
        if (sampling) costs.push({name: 'sample', seconds: sampling, calls: tokens, bytes: 0, macs: 0});
        const counted = costs.reduce((sum, cost) => sum + cost.seconds, 0);
        costs.push({name: 'between operations', seconds: seconds - counted, calls: 1, bytes: 0, macs: 0});
        for (const {name, ...cost} of costs) {
            const sum = this.#costs.get(name) ?? {seconds: 0, calls: 0, bytes: 0, macs: 0};
            sum.seconds += cost.seconds;
            sum.calls += cost.calls;
            sum.bytes += cost.bytes;
            sum.macs += cost.macs;
            this.#costs.set(name, sum);
        }
    }

    /** Costliest first; share: of the whole time. */
    costs() {
        return [...this.#costs].map(([name, {seconds, calls, bytes, macs}]) => ({
            name, share: seconds / this.#seconds, seconds, calls, gigabytesPerSecond: bytes / seconds / 1e9,
            gigamacsPerSecond: macs / seconds / 1e9,
        })).sort((a, b) => b.seconds - a.seconds);
    }
}

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {
        ...MODEL_OPTIONS, shape: 'text', type: 'text', 'prompt-tokens': 'count', 'max-tokens': 'count',
        repeat: 'count', parallel: 'count', profile: 'flag', json: 'flag',
    });
    if (options.shape !== undefined && options.model !== undefined)
        throw new UsageError('--shape and --model exclude each other.');
    const {promptTokens = 128, maxTokens = 64, repeat = 5, parallel = 1, profile} = options;
    const ctx = options.ctx ?? promptTokens + maxTokens + 1;
    const opened = options.shape === undefined ? await open({...options, ctx, sessions: parallel})
        : await openSynthetic({shape: options.shape, type: options.type ?? 'q4_0'},
            engineOptions({...options, ctx, sessions: parallel}));
    const {module, variant, kernels, threads, plan, session} = opened;
    const sessions = [session, ...Array.from({length: parallel - 1}, () => module.newSession(ctx))];
    const progress = progressLine(), total = (repeat + 1) * parallel * (promptTokens + maxTokens);
    let begun = 0;
    const evaluate = (/** @type {number} */ tokens) => {
        begun += tokens;
        for (let left = tokens; left > 0; progress({phase: 'bench', done: begun - left, total})) {
            module.step(sessions, MAX_BATCH);
            left = sessions.reduce((sum, one) => sum + one.left(), 0);
        }
    };
    let prefill = new Measured(), decode = new Measured();
    for (const one of sessions) one.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
    for (let round = 0; round <= repeat; round++) {
        if (round === 1) [prefill, decode] = [new Measured(), new Measured()];    // round 0 warmed up
        sessions.forEach((one, i) => one.sync(someIds(promptTokens, round * parallel + i, plan.nVocab)));
        prefill.time(module, promptTokens * parallel, profile,
            () => evaluate(promptTokens * parallel));
        decode.time(module, maxTokens * parallel, profile, () => {
            let sampling = 0;
            for (let i = 0; i < maxTokens; i++) {
                const start = performance.now(), ids = sessions.map((one) => one.sample());
                sampling += performance.now() - start;
                sessions.forEach((one, k) => one.push(ids[k]));
                evaluate(parallel);
            }
            return sampling / 1000;
        });
    }
    module.close();
    const result = {
        prefill: spread(prefill.rates), decode: spread(decode.rates), parallel, variant, kernels, threads,
        bytesPerToken: plan.bytesPerToken,
        ...(profile && {profile: {prefill: prefill.costs(), decode: decode.costs()}}),
    };
    if (options.json) printJson(result);
    else print(result, promptTokens, maxTokens);
}

/** @param {Figures} figures @param {number} promptTokens @param {number} maxTokens */
function print({prefill, decode, kernels, threads, bytesPerToken, profile}, promptTokens, maxTokens) {
    /** @param {Spread} of */
    const line = ({min, median, max}) =>
        `${median.toFixed(1)} tokens/s (${min.toFixed(1)} to ${max.toFixed(1)})`;
    process.stdout.write(`prefill of ${promptTokens}: ${line(prefill)}\ndecode of ${maxTokens}:  ${line(decode)}\n` +
        `${kernels}, ${threads} threads, ${(bytesPerToken / 1e6).toFixed(1)} MB of weights a token\n`);
    for (const [name, costs] of Object.entries(profile ?? {})) {
        process.stdout.write(`\n${name.padEnd(20)}  share      us a call    GB/s   GMAC/s\n`);
        for (const cost of costs) {
            const figures = [`${(cost.share * 100).toFixed(1)} %`,
                (cost.seconds / cost.calls * 1e6).toFixed(1),
                cost.gigabytesPerSecond ? cost.gigabytesPerSecond.toFixed(1) : '', cost.gigamacsPerSecond
                    ? cost.gigamacsPerSecond.toFixed(1) : ''];
            process.stdout.write(`${cost.name.padEnd(20)}${figures[0].padStart(7)}${figures[1].padStart(15)}${figures[2].padStart(8)}${figures[3].padStart(9)}\n`);
        }
    }
}
