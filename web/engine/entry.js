// entry.js: a model as a catalogue describes it, before anything of it is fetched: planned, and refused where
// it can't run. Knows no bytes of models.

import {GemmaError} from '../base/error.js';
import {SHAPE_KEYS} from './module.js';
import {makeProbe, waysToRun} from './open.js';

/**
 * @typedef {import('./module.js').Module} Module
 * @typedef {import('./module.js').Shape} Shape
 *
 * @typedef {object} Subject          a model of a catalogue
 * @property {string} name
 * @property {number} size            bytes of its file
 * @property {Shape} shape
 * @property {string} [type]          of most of its weights; default: what fits its size
 */

/**
 * Makes the reader's plan. A catalogue may come from anybody.
 * @param {Module} reader
 * @param {Subject} entry
 */
export function planEntry(reader, {name, size, shape, type}) {
    const good = typeof name === 'string' && Number.isSafeInteger(size) && size > 0
        && (type === undefined || typeof type === 'string') &&
        typeof shape?.architecture === 'string' && SHAPE_KEYS.every((key) => typeof shape[key] === 'number');
    if (!good) {
        throw new GemmaError('bad-argument',
            'An entry of a catalogue has a name, a size in bytes and a shape of architecture, ' +
            `${SHAPE_KEYS.join(', ')}.`);
    }
    reader.beginLoad(name, size);
    reader.planShape(shape, type);
    return {name, size};
}

/**
 * The way in which the reader's plan would run.
 * @param {import('./features.js').Features} features
 * @param {Module} reader
 * @param {import('./open.js').OpenOptions} options
 */
export function chooseWay(features, reader, options) {
    const need = (/** @type {number} */ threads, /** @type {number} */ context, /** @type {number} */ precision) =>
        reader.memoryNeed(threads, precision, context);
    const ways = [...waysToRun(features, options, reader.plan(), need,
        (memory64) => reader.capacity(memory64))];
    return ways.find(({refused}) => !refused) ?? ways[ways.length - 1];
}

/**
 * @param {import('./features.js').Features} features
 * @param {Subject} entry
 * @param {import('./open.js').OpenOptions} options
 */
export async function refuseTooLarge(features, entry, options) {
    const reader = await makeProbe(features, options);
    try {
        planEntry(reader, entry);
        const {refused} = chooseWay(features, reader, options);
        if (refused) throw refused;
    } finally {
        reader.close();
    }
}
