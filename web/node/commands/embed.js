// embed.js: gemma embed: each line of standard input as a vector of length 1, one JSON array a line; lines of
// like meaning have like vectors.

import {Gemma} from '../../gemma.js';
import {parseArgs} from '../args.js';
import {MODEL_OPTIONS, engineOptions, modelPath, progressLine, readStdin} from './shared.js';

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, MODEL_OPTIONS);
    const lines = (await readStdin()).toString('utf8').split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    const gemma = await Gemma.load({kind: 'path', path: await modelPath(options)},
        {...engineOptions(options), onProgress: progressLine()});
    try {
        for (const vector of await gemma.embed(lines))
            process.stdout.write(`${JSON.stringify(Array.from(vector))}\n`);
    } finally {
        gemma.close();
    }
}
