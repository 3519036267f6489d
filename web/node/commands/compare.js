// compare.js: gemma compare: how far one model file is from another of the same vocabulary, over a text: the
// Kullback-Leibler divergence, sum over the vocabulary of p_A (log p_A - log p_B), at each token; how often
// both find the same token likeliest; the perplexity of both.

import {GemmaError} from '../../base/error.js';
import {UsageError, parseArgs} from '../args.js';
import {open, printJson, progressLine} from './shared.js';
import {WINDOW_OPTIONS, cutText, evaluateWindow, readWindowOptions} from './windows.js';

/** @typedef {import('../../engine/module.js').Module} Module */

const {model: _, ...OPTIONS} = WINDOW_OPTIONS;

/** @param {string[]} argv */
export default async function run(argv) {
    const {options, words: paths} = parseArgs(argv, {...OPTIONS, json: 'flag'}, 2);
    if (paths.length < 2) throw new UsageError('Compare needs two model files.');
    const {text, ctx} = await readWindowOptions(options);
    const opened = [];
    try {
        for (const path of paths) opened.push(await open({...options, model: path, ctx}));
        checkVocabularies(paths, opened.map(({plan}) => plan.nVocab));
        const result = compare(opened.map(({module}) => module), text, ctx);
        if (options.json) printJson(result);
        else print(result);
    } finally {
        for (const {module} of opened) module.close();
    }
}

/** @param {string[]} paths @param {number[]} sizes */
function checkVocabularies([a, b], [sizeA, sizeB]) {
    if (sizeA === sizeB) return;
    throw new GemmaError('bad-argument',
        `${a} has a vocabulary of ${sizeA} tokens and ${b} one of ${sizeB}: they can't be compared.`);
}

/**
 * Holds the logits of one token, for a text of any length.
 * @param {Module[]} modules
 * @param {string} text
 * @param {number} ctx
 */
function compare(modules, text, ctx) {
    const {windows, total} = cutText(modules[0], text, ctx), progress = progressLine();
    const kl = new Float64Array(total), nll = [0, 0];
    let done = 0, agreed = 0;
    for (const ids of windows) {
        evaluateWindow(modules, ctx, ids, (sessions, begin, n) => {
            for (let i = 0; i < n && begin + i + 1 < ids.length; i++, done++) {
                const rows = sessions.map((session) => {
                    session.logitsAt(i);
                    return session.logits();
                });
                const at = divergence(rows[0], rows[1]);
                kl[done] = at.kl;
                if (at.best[0] === at.best[1]) agreed++;
                for (const m of [0, 1]) nll[m] += at.logSum[m] - rows[m][ids[begin + i + 1]];
            }
            progress({phase: 'text', done, total});
        });
    }
    const sum = kl.reduce((s, x) => s + x, 0), sorted = kl.toSorted(), [max] = sorted.subarray(-1);
    return {
        kl: {mean: sum / total, p99: sorted[Math.ceil(0.99 * total) - 1], max},
        top1: agreed / total, perplexity: nll.map((x) => Math.exp(x / total)), tokens: total,
    };
}

/** @param {Float32Array} row */
function argmax(row) {
    let best = 0;
    for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
    return best;
}

/**
 * Of logits a and b. logSum: log of the sum of exp(logit); with it, log p = logit - logSum.
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function divergence(a, b) {
    const best = [argmax(a), argmax(b)], maxA = a[best[0]], maxB = b[best[1]];
    let sumA = 0, sumB = 0, weighted = 0;       // weighted: sum of exp(a - maxA) (a - b)
    for (let i = 0; i < a.length; i++) {
        const e = Math.exp(a[i] - maxA);
        sumA += e;
        sumB += Math.exp(b[i] - maxB);
        weighted += e * (a[i] - b[i]);
    }
    const logSum = [maxA + Math.log(sumA), maxB + Math.log(sumB)];
    return {best, logSum, kl: weighted / sumA - logSum[0] + logSum[1]};
}

/** @param {ReturnType<typeof compare>} figures */
function print({kl, top1, perplexity: [a, b], tokens}) {
    process.stdout.write(`KL divergence  mean ${kl.mean.toFixed(5)}, 99th percentile ${kl.p99.toFixed(5)}, maximum ${kl.max.toFixed(5)}\n` +
        `same top token ${(100 * top1).toFixed(2)} %\nperplexity     ${a.toFixed(4)} and ${b.toFixed(4)}\nover ${tokens} tokens\n`);
}
