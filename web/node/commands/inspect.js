// inspect.js: gemma inspect FILE: what a GGUF's header says, and the memory that the model will need.

import {inspectModel} from '../../engine/open.js';
import {UsageError, parseArgs} from '../args.js';
import {openSource} from '../../weights/node/disk.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options, words: [path]} = parseArgs(argv, {ctx: 'count', threads: 'count', json: 'flag'}, 1);
    if (path === undefined) throw new UsageError('Inspect needs a file.');
    const source = await openSource({kind: 'path', path});
    let about;
    try {
        about = await inspectModel(source, {contextLength: options.ctx, threads: options.threads});
    } finally {
        source.close();
    }
    process.stdout.write(`${JSON.stringify(about, null, options.json ? 0 : 2)}\n`);
}
