// tokenize.js: gemma tokenize: text on standard input to ids.

import {parseArgs} from '../args.js';
import {MODEL_OPTIONS, open, printJson, readStdin} from './shared.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {...MODEL_OPTIONS, bos: 'flag', special: 'flag', json: 'flag'});
    const text = await readStdin();
    const {module} = await open({...options, ctx: 1, threads: 1});
    const tokens = module.tokenize(text, {bos: options.bos, special: options.special});
    module.close();
    if (options.json) printJson({tokens});
    else process.stdout.write(`${tokens.join(' ')}\n`);
}
