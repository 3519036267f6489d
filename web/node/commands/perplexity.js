// perplexity.js: gemma perplexity: how surprised the model is by a text: exp of the mean of -log p(token | those before), over windows
// that begin with BOS, don't overlap, and count every position.

import {GemmaError} from '../../engine/error.js';
import {UsageError, parseArgs} from '../args.js';
import {MODEL_OPTIONS, open, printJson, progressLine, readText} from './shared.js';

const WINDOW = 512, SMALLEST_WINDOW = 2, BATCH = 64;

export default async function run(argv) {
    const {options} = parseArgs(argv, {...MODEL_OPTIONS, file: 'text', json: 'flag'});
    if (options.file === undefined) throw new UsageError('--file is needed');
    if (options.ctx < SMALLEST_WINDOW) throw new UsageError(`--ctx ${options.ctx}: a window needs room for BOS and a token`);
    const text = await readText(options.file);
    const progress = progressLine();
    const {module, contextLength} = await open({...options, ctx: options.ctx ?? WINDOW});
    try {
        const all = module.tokenize(text), [bos] = module.tokenize('', {bos: true});
        if (!all.length) throw new GemmaError('bad-argument', `${options.file} is empty`);
        let sum = 0;
        for (let at = 0; at < all.length; at += contextLength - 1) {
            module.newSession(contextLength);       // nothing is reused: every position is evaluated
            sum += windowNll(module, [bos, ...all.slice(at, at + contextLength - 1)]);
            progress?.({phase: 'text', done: Math.min(at + contextLength - 1, all.length), total: all.length});
        }
        const nll = sum / all.length, result = {perplexity: Math.exp(nll), nll, tokens: all.length};
        if (options.json) printJson(result);
        else process.stdout.write(`perplexity ${result.perplexity.toFixed(4)} over ${result.tokens} tokens\n`);
    } finally {
        module.close();
    }
}

/** The sum of -log p over the tokens after the first. */
function windowNll(module, ids) {
    let sum = 0;
    for (let done = module.sync(ids); done < ids.length;) {
        const n = Math.min(BATCH, ids.length - done);
        module.step(n);
        for (let i = 0; i < n && done + i + 1 < ids.length; i++) {
            module.logitsAt(i);
            sum += module.nll(ids[done + i + 1]);
        }
        done += n;
    }
    return sum;
}
