// perplexity.js: gemma perplexity: how surprised the model is by a text: exp of the mean of -log p(token |
// those before), over windows that begin with BOS, don't overlap, and count every position.

import {parseArgs} from '../args.js';
import {open, printJson, progressLine} from './shared.js';
import {WINDOW_OPTIONS, cutText, evaluateWindow, readWindowOptions} from './windows.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {...WINDOW_OPTIONS, json: 'flag'});
    const {text, ctx} = await readWindowOptions(options);
    const {module} = await open({...options, ctx});
    try {
        const {sum, tokens} = surprise(module, text, ctx), nll = sum / tokens,
            result = {perplexity: Math.exp(nll), nll, tokens};
        if (options.json) printJson(result);
        else process.stdout.write(`perplexity ${result.perplexity.toFixed(4)} over ${tokens} tokens\n`);
    } finally {
        module.close();
    }
}

/**
 * sum: of -log p over the text's tokens.
 * @param {import('../../engine/module.js').Module} module
 * @param {string} text
 * @param {number} ctx
 */
function surprise(module, text, ctx) {
    const {windows, total} = cutText(module, text, ctx), progress = progressLine();
    let sum = 0, done = 0;
    for (const ids of windows) {
        evaluateWindow([module], ctx, ids, ([session], begin, n) => {
            for (let i = 0; i < n && begin + i + 1 < ids.length; i++, done++) {
                session.logitsAt(i);
                sum += session.nll(ids[begin + i + 1]);
            }
            progress({phase: 'text', done, total});
        });
    }
    return {sum, tokens: total};
}
