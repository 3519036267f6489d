// What this browser remembers for the copy of the app in this page's folder, in localStorage. A copy in
// another folder of the same host has its own. Owns the names there. Where storage is blocked, nothing
// is remembered.

/** @typedef {'settings' | 'theme' | 'language' | 'cancelled' | 'single-key' | 'agreed' | 'verdicts'} Name */

/** @type {Name[]} */
const NAMES = ['settings', 'theme', 'language', 'cancelled', 'single-key', 'agreed', 'verdicts'];

/** start.js knows that of the theme. @param {Name | 'drafts' | 'draft-files' | 'draft-edits'} name */
export const keyOf = (name) => `gemma-${name} ${new URL('.', document.baseURI).pathname}`;
let isReady = false, isOver = false;

/**
 * Names had no folder once, and all copies shared what was kept. The first copy that is opened since takes
 * it; it is unknown whose it was. The settings say that it was done, so that a copy of an older version
 * beside this one keeps what it writes later.
 */
function takeOver() {
    isReady = true;
    if (localStorage.getItem(keyOf('settings')) !== null) return;
    localStorage.setItem(keyOf('settings'), '{}');
    for (const name of NAMES) {
        const old = `gemma-${name}`, value = localStorage.getItem(old);
        if (value !== null) localStorage.setItem(keyOf(name), value);
        localStorage.removeItem(old);
    }
}

/** @param {Name} name @returns {string | null} */
export function recall(name) {
    try {
        if (!isReady) takeOver();
        return localStorage.getItem(keyOf(name));
    } catch {
        return null;
    }
}

/** @param {Name} name @param {string} [value]   none: forgets it */
export function remember(name, value) {
    try {
        if (value === undefined) localStorage.removeItem(keyOf(name));
        else localStorage.setItem(keyOf(name), value);
    } catch {
        // Blocked or full: it then lasts as long as the page.
    }
}

/** Of this copy alone. What is not sent yet goes with the page. */
export function forgetAll() {
    for (const name of NAMES) remember(name);
    isOver = true;
}

export const isForgotten = () => isOver;
