// detokenize.js: gemma detokenize: ids on standard input to the bytes that they stand for.

import {GemmaError} from '../../base/error.js';
import {parseArgs} from '../args.js';
import {MODEL_OPTIONS, open, parseIds, readStdin} from './shared.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, MODEL_OPTIONS);
    const ids = parseIds((await readStdin()).toString());
    const {module, plan} = await open({...options, ctx: 1, threads: 1});
    const odd = ids.find((id) => id >= plan.nVocab);
    if (odd !== undefined) throw new GemmaError('bad-argument',
        `Token id ${odd} is outside the vocabulary of ${plan.nVocab}.`);
    process.stdout.write(Buffer.concat(ids.map((id) => module.tokenBytes(id))));
    module.close();
}
