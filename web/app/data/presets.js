// Named presets of settings, and system prompts: two libraries, each with its own names. Owns the object
// store `presets`. Must not know what a setting means.

import {seen} from './titles.js';
import {asObject, asText, plain} from './transfer/clean.js';

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {{name: string, settings?: Record<string, unknown>, system?: string, updated: number}} Preset
 */

const LONGEST_NAME = 100;

/** As it is shown and stored. @param {unknown} name */
const nameOf = (name) => seen(asText(name).normalize('NFC').replace(/\s+/g, ' ').trim().slice(0, LONGEST_NAME)
    .toWellFormed());

/** A preset of nothing but a system prompt is in the library of those. @param {Partial<Preset>} preset */
export const isPrompt = ({settings}) => !settings;

/** No name begins with a space. @param {Partial<Preset>} preset   its name as nameOf() makes it */
const keyOf = (preset) => (isPrompt(preset) ? ' ' : '') + preset.name;

/**
 * Moves what an older version has stored: both libraries had the same keys once, without case.
 * @param {import('./database.js').Table} presets
 */
async function move(presets) {
    const [keys, all] = await Promise.all([presets.keys(), presets.all()]);
    for (const [i, preset] of all.entries()) {
        const key = keyOf(preset);
        if (key === keys[i]) continue;
        presets.delete(keys[i]);
        if (!keys.includes(key)) presets.put(key, preset);
    }
}

/** @param {Conversations} store @returns {Promise<Preset[]>} by name */
export async function listPresets({database}) {
    const presets = /** @type {Preset[]} */ (await database.read(['presets'], ({presets}) => presets.all()));
    return presets.sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * Keeps a preset, in the place of one of the same kind and name.
 * @param {Conversations} store
 * @param {Partial<Preset>} preset
 * @param {{isNewOnly?: boolean}} [options]   isNewOnly: one that is there stays
 * @returns {Promise<{name: string, isReplaced: boolean} | undefined>} the name that it has now; undefined
 *     where it was not kept
 */
export function savePreset({database}, {name, settings, system}, {isNewOnly = false} = {}) {
    const shown = nameOf(name);
    /** @type {Preset} */
    const preset = {
        name: shown, ...settings !== undefined && {settings: asObject(plain(settings))},
        ...typeof system === 'string' && {system}, updated: Date.now(),
    };
    return database.change(['presets'], async ({presets}) => {
        await move(presets);
        const key = keyOf(preset), isReplaced = Boolean(await presets.get(key));
        if (!shown || isReplaced && isNewOnly) return undefined;
        presets.put(key, preset);
        return {name: shown, isReplaced};
    });
}

/** @param {Conversations} store @param {Omit<Preset, 'updated'>} preset   as it was listed */
export function deletePreset({database}, preset) {
    return database.change(['presets'], async ({presets}) => {
        await move(presets);
        presets.delete(keyOf(preset));
    });
}
