// What the user has set and decided, kept in localStorage. Owns the list of settings with their ranges and defaults; draws nothing.

/**
 * @typedef {object} Setting
 * @property {string} key
 * @property {'sampling' | 'loading'} group   'sampling' goes to every prompt, 'loading' needs the model to be loaded again
 * @property {string} label
 * @property {number} [initial]   without, it may be left empty, which means
 * @property {string} [empty]
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {string} [unit]
 * @property {'range' | 'number'} [field]   a slider, where it does not say
 * @property {string} [hint]
 *
 * @typedef {Record<string, number | undefined>} Preferences   every setting's value, by key; undefined where the field is empty
 */

/** @type {Setting[]} */
export const SETTINGS = [
    {
        key: 'temperature', group: 'sampling', label: 'Temperature', initial: 0.8,
        min: 0, max: 2, step: 0.05, hint: '0 always takes the likeliest word; more is bolder',
    },
    {
        key: 'topK', group: 'sampling', label: 'Top-k', initial: 64,
        min: 0, max: 200, step: 1, hint: 'only the k likeliest tokens; 0 is off',
    },
    {
        key: 'topP', group: 'sampling', label: 'Top-p', initial: 0.95,
        min: 0, max: 1, step: 0.01, hint: 'only the likeliest that add up to p; 1 is off',
    },
    {
        key: 'minP', group: 'sampling', label: 'Min-p', initial: 0,
        min: 0, max: 1, step: 0.01, hint: 'none below this share of the likeliest; 0 is off',
    },
    {
        key: 'repeatPenalty', group: 'sampling', label: 'Repetition penalty', initial: 1.1,
        min: 1, max: 2, step: 0.01, hint: 'over the last 64 tokens; 1 is off',
    },
    {
        key: 'maxTokens', group: 'sampling', label: 'Longest answer', unit: 'tokens', initial: 256,
        min: 1, max: 8192, step: 1, field: 'number',
    },
    {
        key: 'seed', group: 'sampling', label: 'Seed', empty: 'random',
        min: 0, max: 4294967295, step: 1, field: 'number', hint: 'the same seed and text give the same answer',
    },
    {
        key: 'contextLength', group: 'loading', label: 'Context', unit: 'tokens', empty: "the model's own",
        min: 64, max: 131072, step: 1, field: 'number',
    },
    {
        key: 'threads', group: 'loading', label: 'Threads', empty: 'automatic',
        min: 1, max: 64, step: 1, field: 'number',
    },
];

const KEY = 'gemma-settings';

/** @returns {Preferences} */
export function loadPreferences() {
    /** @type {Preferences} */
    const defaults = Object.fromEntries(SETTINGS.map(({key, initial}) => [key, initial]));
    try {
        return {...defaults, ...JSON.parse(localStorage.getItem(KEY) ?? '{}')};
    } catch {
        return defaults;        // storage is blocked, or not ours: the defaults do
    }
}

/** Keeps what differs from the defaults, so that better defaults reach those who never chose. @param {Preferences} preferences */
export function savePreferences(preferences) {
    const chosen = SETTINGS.filter(({key, initial}) => preferences[key] !== initial).map(({key}) => [key, preferences[key]]);
    try {
        localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(chosen)));
    } catch {
        // Blocked or full: the settings then last as long as the page.
    }
}

const CANCELLED = 'gemma-cancelled';

/** Remembers the download that the user cancelled last. @param {unknown} id   of a model; what is no id forgets it */
export function rememberCancelled(id) {
    try {
        if (typeof id === 'string') localStorage.setItem(CANCELLED, id);
        else localStorage.removeItem(CANCELLED);
    } catch {
        // Blocked: then nothing is stored, and nothing goes on by itself.
    }
}

/** @param {string} id */
export function wasCancelledBefore(id) {
    try {
        return localStorage.getItem(CANCELLED) === id;
    } catch {
        return false;
    }
}
