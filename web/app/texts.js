// The words of the interface, in the reader's language: texts/LANGUAGE.json. English is also in the page
// itself, so that it is there at once.
//
// Owns: which language, and how values and plurals come into a text. Must not know: who shows it.

import {recall, remember} from './data/local.js';

/** Those that have a file in texts/, by their names in themselves. */
export const LANGUAGES = {
    en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', pt: 'Português', zh: '中文', ja: '日本語',
    ar: 'العربية', hi: 'हिन्दी',
};
const RIGHT_TO_LEFT = new Set(['ar']), VALUE = /\{(\w+)\}/;

/**
 * A text, or its forms by Intl.PluralRules' names: one, other, ...
 * @typedef {string | Record<string, string>} Text
 */
/** Until a file is read, only what is no view's own. @type {Record<string, Text>} */
let texts = {'count.speed': '{speed} tokens/s'};
let language = 'en', plurals = new Intl.PluralRules('en'), whole = new Intl.NumberFormat('en');

/** The language that is shown, for Intl. */
export const currentLanguage = () => language;

/** What a person has chosen; '' follows the browser. */
export const chosenLanguage = () => recall('language') ?? '';

/** Takes effect with the next visit. @param {string} chosen   '' follows the browser */
export const chooseLanguage = (chosen) => remember('language', chosen);

/**
 * The first language of a person's that there is a file for.
 * @param {readonly string[]} wanted   as navigator.languages
 */
export function findLanguage(wanted) {
    const known = wanted.map((tag) => tag.toLowerCase().split('-')[0])
        .find((tag) => Object.hasOwn(LANGUAGES, tag));
    return known ?? 'en';
}

/** Reads the texts and says the page's language. Before that, text() gives keys. */
export async function loadTexts() {
    const wanted = findLanguage([chosenLanguage(), ...navigator.languages].filter(Boolean));
    // Beside this script, whose address says the page's version.
    const read = (/** @type {string} */ tag) => fetch(new URL(`./texts/${tag}.json`, import.meta.url))
        .then((response) => response.json()).catch(() => undefined);
    const [english, found] = await Promise.all(['en', ...wanted === 'en' ? [] : [wanted]].map(read));
    // What another version's file lacks is said in English.
    useTexts(found ? wanted : 'en', {...english, ...found});
    Object.assign(document.documentElement, {lang: language, dir: RIGHT_TO_LEFT.has(language)
        ? 'rtl' : 'ltr'});
}

/** @param {string} tag @param {Record<string, Text>} found */
export function useTexts(tag, found) {
    texts = found;
    language = tag;
    plurals = new Intl.PluralRules(tag);
    whole = new Intl.NumberFormat(tag);
}

/** @param {string} key @param {unknown} count */
function formOf(key, count) {
    const found = texts[key] ?? key;
    return typeof found === 'string' ? found : found[plurals.select(Number(count))] ?? found.other;
}

/**
 * A text of the interface.
 * @param {string} key
 * @param {Record<string, string | number>} [values]   for {NAME} in it; `count` also chooses the
 *     plural's form
 */
export function text(key, values = {}) {
    return formOf(key, values.count).replace(new RegExp(VALUE, 'g'), (_, name) => {
        const value = values[name] ?? '';
        return typeof value === 'number' ? whole.format(value) : value;
    });
}

/**
 * A text with elements in it, as links.
 * @param {string} key @param {Record<string, Node>} nodes   for {NAME} in it
 * @returns {(string | Node)[]}
 */
export function textWith(key, nodes) {
    return formOf(key, 0).split(VALUE).map((part, i) => i % 2 ? nodes[part] : part).filter(Boolean);
}

/**
 * Puts the texts into a page that is written in English: data-text, data-label (aria-label), data-hint
 * (placeholder) and data-title name their keys.
 * @param {ParentNode} root
 */
export function translate(root) {
    if (language === 'en') return;
    document.title = text('page.title');
    /** @type {[string, string][]} */
    const attributes = [['label', 'aria-label'], ['hint', 'placeholder'], ['title', 'title']];
    for (const found of root.querySelectorAll('[data-text]'))
        found.textContent = text(found.getAttribute('data-text') ?? '');
    for (const [name, attribute] of attributes) {
        for (const found of root.querySelectorAll(`[data-${name}]`))
            found.setAttribute(attribute, text(found.getAttribute(`data-${name}`) ?? ''));
    }
}
