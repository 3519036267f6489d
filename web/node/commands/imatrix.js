// imatrix.js: gemma imatrix: an importance matrix: of each matrix in the layers how much its columns matter
// over a text, as the sum of the squares of what is multiplied with them. The file is llama-imatrix's
// (tensors NAME.in_sum2 and NAME.counts); build/quantize reads it.

import {access, constants, writeFile} from 'node:fs/promises';
import {basename, dirname} from 'node:path';
import {UsageError, parseArgs} from '../args.js';
import {ggufBytes} from '../gguf_write.js';
import {open, progressLine} from './shared.js';
import {WINDOW_OPTIONS, cutText, evaluateWindow, readWindowOptions} from './windows.js';

/**
 * @typedef {import('../../engine/module.js').Module} Module
 * @typedef {ReturnType<Module['observed']>[number]} Observed
 */

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {...WINDOW_OPTIONS, out: 'text'});
    if (options.out === undefined) throw new UsageError('--out is needed.');
    const {text, ctx} = await readWindowOptions(options);
    await access(dirname(options.out), constants.W_OK);     // rather now than after the text
    const {module} = await open({...options, ctx, observe: true});
    try {
        const {matrices, chunks} = collect(module, text, ctx);
        const metadata = {
            'general.type': 'imatrix', 'imatrix.datasets': [basename(options.text)],
            'imatrix.chunk_count': chunks, 'imatrix.chunk_size': ctx,
        };
        const tensors = matrices.flatMap(({name, tokens, squares}) => [
            {name: `${name}.in_sum2`, values: squares}, {name: `${name}.counts`, values: [tokens]},
        ]);
        await writeFile(options.out, ggufBytes(metadata, tensors));
        process.stdout.write(
            `${matrices.length} matrices over ${matrices[0].tokens} tokens, BOS of each window among them\n`);
    } finally {
        module.close();
    }
}

/**
 * What goes into each matrix, added up over the windows.
 * @param {Module} module
 * @param {string} text
 * @param {number} ctx
 */
function collect(module, text, ctx) {
    const {windows, total} = cutText(module, text, ctx), progress = progressLine();
    /** @type {Observed[]} */
    let matrices = [];
    let before = 0;
    for (const ids of windows) {
        module.observe();
        evaluateWindow([module], ctx, ids, (sessions, begin, n) =>
            progress({phase: 'text', done: before + Math.min(begin + n, ids.length - 1), total}));
        before += ids.length - 1;
        matrices = addUp(matrices, module.observed());
    }
    return {matrices, chunks: windows.length};
}

/** @param {Observed[]} sums @param {Observed[]} more */
function addUp(sums, more) {
    if (!sums.length) return more;
    sums.forEach((sum, i) => {
        sum.tokens += more[i].tokens;
        sum.squares.forEach((x, k) => { sum.squares[k] = x + more[i].squares[k]; });
    });
    return sums;
}
