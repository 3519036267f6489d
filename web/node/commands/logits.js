// logits.js: gemma logits: the model's logits after given tokens: the best of the last position, or all of
// every position into a file.

import {open as openFile} from 'node:fs/promises';
import {UsageError, parseArgs} from '../args.js';
import {MODEL_OPTIONS, open, parseIds, printJson, readText} from './shared.js';

/** @typedef {import('../../engine/engine_session.js').EngineSession} EngineSession */

const BATCH = 64;

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, {...MODEL_OPTIONS, tokens: 'text', 'tokens-file': 'text', top: 'count',
        json: 'flag', out: 'text'});
    if ((options.tokens === undefined) === (options.tokensFile === undefined))
        throw new UsageError('One of --tokens and --tokens-file is needed.');
    const ids = parseIds(options.tokens ?? await readText(options.tokensFile));
    const {module, session} = await open({...options, ctx: options.ctx ?? ids.length});
    try {
        session.sync(ids);
        if (options.out !== undefined) await writeAll(session, ids, options.out);
        else printBest(session, options.top ?? 20);
    } finally {
        module.close();
    }
}

/**
 * Little-endian float32 [n_tokens, n_vocab], row by row.
 * @param {EngineSession} session
 * @param {number[]} ids
 * @param {string} path
 */
async function writeAll(session, ids, path) {
    const file = await openFile(path, 'w');
    try {
        for (let done = 0; done < ids.length;) {
            const n = Math.min(BATCH, ids.length - done);
            session.step(n);
            for (let i = 0; i < n; i++) {
                session.logitsAt(i);
                await file.writeFile(new Uint8Array(session.logits().buffer));
            }
            done += n;
        }
    } finally {
        await file.close();
    }
}

/** @param {EngineSession} session @param {number} top */
function printBest(session, top) {
    while (session.step(BATCH) > 0);
    const logits = session.logits();
    const ids = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b).slice(0, top);
    printJson({logits: ids.map((id) => [id, logits[id]])});
}
