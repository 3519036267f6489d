// What is asked of a model beside the conversation: the defaults, and over them the conversation's settings.
//
// Owns: how settings become the library's options. Must not know: who sets them, or where they are kept.

import {SETTINGS, readSchema, readSettings} from './data/preferences.js';

/**
 * @typedef {import('./data/preferences.js').Preferences} Preferences
 * @typedef {{system: string, overflow: 'error' | 'drop-oldest', options:
 *     import('../gemma.js').PromptOptions}} Asking
 */

/**
 * What holds for a conversation.
 * @param {{settings?: Record<string, unknown>} | undefined} summary
 * @param {Preferences} preferences
 * @returns {Asking}
 */
export function settingsOf(summary, preferences) {
    return toAsking({...preferences, ...readSettings(summary?.settings)});
}

/** @param {Preferences} values @returns {Asking} */
export function toAsking(values) {
    const {system, overflow, stop, schema} = values, {maxTokens, ...sampling} = group(values, 'sampling');
    const stops = stopsOf(stop), asked = schema ? readSchema(schema) : undefined;
    return {
        system: String(system ?? ''), overflow: overflow === 'drop-oldest' ? overflow : 'error',
        options: {
            maxTokens, sampling, ...stops.length && {stop: stops}, ...asked && {constraint: {schema: asked}},
        },
    };
}

/**
 * The seed of the next answer to one question, where a person has set one: another one than before, and the
 * same one each time that it is done anew.
 * @param {{seed?: number}} sampling @param {number} before   answers @returns {number | undefined}
 */
export const seedOf = ({seed}, before) => seed === undefined ? undefined : (seed + before) % 2 ** 32;

/**
 * The values of one group that are set.
 * @param {Preferences} values
 * @param {import('./data/preferences.js').Setting['group']} name
 * @returns {Record<string, any>}
 */
export function group(values, name) {
    return Object.fromEntries(SETTINGS.filter((one) => one.group === name
        && (values[one.key] ?? undefined) !== undefined).map(({key}) => [key, values[key]]));
}

/** One a line; \n and \t are a line's end and a tab. @param {unknown} written @returns {string[]} */
function stopsOf(written) {
    return String(written ?? '').split('\n').filter(Boolean).map((line) => line.replaceAll('\\n', '\n')
        .replaceAll('\\t', '\t'));
}

/**
 * What a full context of the loaded model takes: what probe says that the model needs with it, less what it
 * needs with a context of one token.
 * @param {typeof import('../gemma.js').Gemma} Gemma
 * @param {any} info   of the loaded model
 * @param {Record<string, any>} options   contextLength and kvType
 * @returns {Promise<{bytes: number, fits: boolean, reasons: string[]}>}
 */
export async function contextCost(Gemma, {name, shape, type, ...info}, {contextLength = info.contextLength,
    ...options}) {
    const entry = {name: name || 'model', size: 1, shape, type, urls: ['']};
    const need = (/** @type {number} */ length) => Gemma.probe(entry, {...options, contextLength: length,
        speed: false});
    const [full, least] = await Promise.all([need(contextLength), need(1)]);
    return {
        bytes: full.memoryBytes - least.memoryBytes, fits: full.fits, reasons: full.fits ? [] : full.reasons,
    };
}
