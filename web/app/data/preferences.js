// What the user has set and decided. Owns the list of settings with their ranges and defaults; draws nothing.
// Their words are in texts/: setting.KEY, setting.KEY-hint and, where a field may be empty,
// setting.KEY-empty.

import {recall, remember} from './local.js';

/**
 * @typedef {object} Setting
 * @property {string} key
 * @property {'prompt' | 'sampling' | 'answer' | 'loading'} group   'loading' needs the model to be loaded
 *     again; the others go to every prompt
 * @property {'range' | 'number' | 'text' | 'choice' | 'schema'} field
 * @property {number | string} [initial]   without, it may be left empty, which means what
 *     setting.KEY-empty says
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {string} [unit]           the key of its word
 * @property {string[]} [choices]      their words: setting.KEY.CHOICE
 * @property {boolean} [rare]          few people need it
 *
 * @typedef {string | number | null | undefined} Value   null: empty, where the default is not
 * @typedef {Record<string, Value>} Values   by key
 * @typedef {Record<string, Value>} Preferences   every setting's value, by key; undefined where the field
 *     is empty
 */

/**
 * @param {string} key
 * @param {number} initial
 * @param {number} min
 * @param {number} max
 * @param {number} step
 * @param {boolean} [rare]
 * @returns {Setting}
 */
const range = (key, initial, min, max, step, rare) => ({key, group: 'sampling', field: 'range', initial, min,
    max, step, rare});
/**
 * @param {string} key
 * @param {Setting['group']} group
 * @param {number} min
 * @param {number} max
 * @param {Partial<Setting>} [more]
 * @returns {Setting}
 */
const number = (key, group, min, max, more) => ({key, group, field: 'number', min, max, step: 1, ...more});

/** @type {Setting[]} */
export const SETTINGS = [
    {key: 'system', group: 'prompt', field: 'text', initial: ''},
    range('temperature', 0.8, 0, 2, 0.05),
    range('topK', 64, 0, 200, 1),
    range('topP', 0.95, 0, 1, 0.01),
    range('minP', 0, 0, 1, 0.01, true),
    range('repeatPenalty', 1.1, 1, 2, 0.01, true),
    range('presencePenalty', 0, -2, 2, 0.05, true),
    range('frequencyPenalty', 0, -2, 2, 0.05, true),
    number('maxTokens', 'sampling', 1, 8192, {initial: 256, unit: 'setting.tokens'}),
    number('seed', 'sampling', 0, 4294967295),
    {key: 'overflow', group: 'answer', field: 'choice', initial: 'error', choices: ['error', 'drop-oldest']},
    {key: 'stop', group: 'answer', field: 'text', initial: '', rare: true},
    {key: 'schema', group: 'answer', field: 'schema', initial: '', rare: true},
    number('contextLength', 'loading', 64, 131072, {unit: 'setting.tokens'}),
    {key: 'kvType', group: 'loading', field: 'choice', initial: 'f16', choices: ['f16', 'int8']},
    number('threads', 'loading', 1, 64),
];

/** Presets that are always there. @type {[name: string, settings: Values][]} */
export const BUILT_IN = [
    ['exact', {temperature: 0, repeatPenalty: 1}], ['balanced', {}],
    ['bold', {temperature: 1.2, topK: 0, topP: 1, minP: 0.05}],
];

/** Characters; what is longer is not read again. */
export const LONGEST_TEXT = 100_000;

/**
 * A JSON Schema that a person wrote.
 * @param {unknown} written
 * @returns {object | undefined} undefined for what is none
 */
export function readSchema(written) {
    try {
        const schema = JSON.parse(String(written));
        return typeof schema === 'object' && schema && !Array.isArray(schema) ? schema : undefined;
    } catch {
        return undefined;
    }
}

/** Whether a setting may have a value. @param {Setting} setting @param {any} value */
function isGood({field, initial, min, max, choices}, value) {
    if (value === null) return initial === undefined;
    if (field === 'range' || field === 'number') return Number.isFinite(value) && value >= Number(min)
        && value <= Number(max);
    if (field === 'choice') return Boolean(choices?.includes(value));
    return typeof value === 'string' && value.length <= LONGEST_TEXT
        && (field !== 'schema' || !value || Boolean(readSchema(value)));
}

/**
 * Settings that somebody else may have written: what is none of ours, or out of range, is left out.
 * @param {any} given
 * @returns {Values}
 */
export function readSettings(given) {
    const known = SETTINGS.filter((setting) => given && Object.hasOwn(given, setting.key)
        && isGood(setting, given[setting.key]));
    return Object.fromEntries(known.map(({key}) => [key, given[key]]));
}

/** @returns {Preferences} */
export function defaultPreferences() {
    return Object.fromEntries(SETTINGS.map(({key, initial}) => [key, initial]));
}

/** @returns {Preferences} */
export function loadPreferences() {
    try {
        return {...defaultPreferences(), ...readSettings(JSON.parse(recall('settings') ?? '{}'))};
    } catch {
        return defaultPreferences();        // not ours: the defaults do
    }
}

/**
 * Keeps what differs from the defaults, so that better defaults reach those who never chose.
 * @param {Preferences} preferences
 */
export function savePreferences(preferences) {
    const chosen = SETTINGS.filter(({key, initial}) => preferences[key] !== initial)
        .map(({key}) => [key, preferences[key]]);
    remember('settings', JSON.stringify(Object.fromEntries(chosen)));
}

/**
 * Remembers the download that the user cancelled last.
 * @param {unknown} id   of a model; what is no id forgets it
 */
export const rememberCancelled = (id) => remember('cancelled', typeof id === 'string' ? id : undefined);

/** @param {string} id */
export const wasCancelledBefore = (id) => recall('cancelled') === id;

/**
 * The addresses of the terms that a person has accepted: a visit knows them where the browser keeps
 * nothing, too.
 */
const agreed = new Set(recall('agreed')?.split(' '));

/** Models of the same terms ask once. @param {{url: string} | undefined} licence */
export const hasAgreed = (licence) => !licence || agreed.has(licence.url);

/** @param {{url: string} | undefined} licence */
export function rememberAgreement(licence) {
    if (!licence) return;
    agreed.add(licence.url);
    remember('agreed', [...agreed].join(' '));
}
