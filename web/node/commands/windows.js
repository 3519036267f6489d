// windows.js: a text as a model reads it to be measured: in windows that begin with BOS, don't overlap, and
// have every token of the text once.

import {GemmaError} from '../../base/error.js';
import {UsageError} from '../args.js';
import {MODEL_OPTIONS, readText} from './shared.js';

/** @typedef {import('../../engine/module.js').Module} Module */

const WINDOW = 512, SMALLEST_WINDOW = 2, BATCH = 64;

/** What a command over a text takes: --text F, --ctx, which is the size of a window, and MODEL_OPTIONS. */
export const WINDOW_OPTIONS = /** @satisfies {import('../args.js').OptionTable} */ ({...MODEL_OPTIONS,
    text: 'text'});

/**
 * Checks them, and reads the text. @returns {Promise<{text: string, ctx: number}>}
 * @param {{text?: string, ctx?: number}} options
 */
export async function readWindowOptions({text: path, ctx = WINDOW}) {
    if (path === undefined) throw new UsageError('--text is needed.');
    if (ctx < SMALLEST_WINDOW) throw new UsageError(`--ctx ${ctx}: a window needs room for BOS and a token.`);
    const text = await readText(path);
    if (!text) throw new GemmaError('bad-argument', `${path} is empty.`);
    return {text, ctx};
}

/**
 * @returns {{windows: number[][], total: number}} ids, with BOS in front of each window; tokens of the text
 * @param {Module} module
 * @param {string} text
 * @param {number} contextLength
 */
export function cutText(module, text, contextLength) {
    const all = module.tokenize(text), [bos] = module.tokenize('', {bos: true}), windows = [];
    for (let at = 0; at < all.length; at += contextLength - 1)
        windows.push([bos, ...all.slice(at, at + contextLength - 1)]);
    return {windows, total: all.length};
}

/**
 * Evaluates every token of a window in fresh sessions, one of each of `modules`, a batch of each in turn.
 * @param {Module[]} modules @param {number} contextLength @param {number[]} ids
 * @param {(sessions: import('../../engine/engine_session.js').EngineSession[], begin: number, n: number) =>
 *     void} [then]   called after each batch: the tokens [begin, begin + n)
 */
export function evaluateWindow(modules, contextLength, ids, then) {
    const sessions = modules.map((module) => module.newSession(contextLength));
    for (const session of sessions) session.sync(ids);
    for (let begin = 0; begin < ids.length; begin += BATCH) {
        const n = Math.min(BATCH, ids.length - begin);
        for (const session of sessions) session.step(n);
        then?.(sessions, begin, n);
    }
    for (const session of sessions) session.close();
}
