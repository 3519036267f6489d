// Named presets of settings, and system prompts. Owns the object store `presets`. Must not know what a
// setting means.

import {asObject, asText, plain} from './transfer/clean.js';

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {{name: string, settings?: Record<string, unknown>, system?: string, updated: number}} Preset
 */

const LONGEST_NAME = 100;

/** @param {string} name   as it is looked for: two that only differ in case or spaces are the same */
const keyOf = (name) => name.toLocaleLowerCase('en').normalize('NFKC');

/** @param {Conversations} store @returns {Promise<Preset[]>} by name */
export async function listPresets({database}) {
    const presets = /** @type {Preset[]} */ (await database.read(['presets'], ({presets}) => presets.all()));
    return presets.sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * Keeps a preset, in the place of one of the same name.
 * @param {Conversations} store
 * @param {Partial<Preset>} preset
 * @param {{isNewOnly?: boolean}} [options]   isNewOnly: one that is there stays
 * @returns {Promise<boolean>} whether it was kept
 */
export function savePreset({database}, {name, settings, system}, {isNewOnly = false} = {}) {
    const shown = asText(name).replace(/\s+/g, ' ').trim().slice(0, LONGEST_NAME).toWellFormed(),
        key = keyOf(shown);
    /** @type {Preset} */
    const preset = {
        name: shown, ...settings !== undefined && {settings: asObject(plain(settings))},
        ...typeof system === 'string' && {system}, updated: Date.now(),
    };
    return database.change(['presets'], async ({presets}) => {
        if (!key || isNewOnly && await presets.get(key)) return false;
        presets.put(key, preset);
        return true;
    });
}

/** @param {Conversations} store @param {string} name */
export function deletePreset({database}, name) {
    return database.change(['presets'], async ({presets}) => presets.delete(keyOf(name)));
}
