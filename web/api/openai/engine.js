// engine.js: what all requests of one object share: the model, what it is called, the gate, and the sessions
// that are kept. Knows no requests.

import {GemmaError} from '../../gemma.js';
import {Gate} from './gate.js';
import {Pool} from './pool.js';
import {Tokens} from './tokens.js';

/**
 * @typedef {object} Options
 * @property {import('../../gemma.js').Gemma} gemma   a loaded model
 * @property {string} [model]      its id in answers; default: its name
 * @property {number} [parallel]   texts that are written at the same time; default: 4
 * @property {number} [queue]      requests that may wait besides; one more is refused with status 429.
 *     Default: any number
 * @property {number} [sessions]   that are kept for what they have evaluated, those in use among them;
 *     default: 2 more than parallel, at least 6
 *
 * @typedef {object} Engine
 * @property {import('../../gemma.js').Gemma} gemma
 * @property {Gate} gate
 * @property {Pool} pool
 * @property {Tokens} tokens
 * @property {{id: string, created: number}} model
 */

/** @param {string} name @param {any} value @param {number} least */
function checkCount(name, value, least) {
    if (Number.isSafeInteger(value) && value >= least || name === 'queue' && value === Infinity) return;
    throw new GemmaError('bad-argument',
        `${name} is ${String(value)}; a whole number from ${least} is expected.`);
}

/**
 * @param {Options} options
 * @param {string} owner   what the options are given to, for sentences
 * @returns {Engine}
 */
export function createEngine({gemma, model, parallel: given, queue, sessions, ...more}, owner) {
    const parallel = given ?? 4;
    const odd = Object.keys(more)[0];
    if (odd) throw new GemmaError('bad-argument',
        `${owner} has no option ${odd}; it takes gemma, model, parallel, queue and sessions.`);
    if (!gemma?.info) throw new GemmaError('bad-argument',
        `${owner} needs a model: {gemma: await Gemma.load(...)}.`);
    checkCount('parallel', parallel, 1);
    checkCount('queue', queue ??= Infinity, 0);
    checkCount('sessions', sessions ??= Math.max(parallel, 4) + 2, 1);
    const about = {id: model ?? (gemma.info.name || gemma.info.architecture),
        created: Math.floor(Date.now() / 1000)};
    return {gemma, gate: new Gate(parallel, queue), pool: new Pool(gemma, sessions),
        tokens: new Tokens(gemma), model: about};
}
