// Two rows of the settings: the page's colours and its language.
//
// Owns: these two fields, and the colours that are kept. Must not know: other settings.

import {remember} from '../data/local.js';
import {LANGUAGES, chooseLanguage, chosenLanguage} from '../texts.js';
import {element, within} from './dom.js';

const system = matchMedia('(prefers-color-scheme: dark)');

/** @returns {'light' | 'dark' | ''} '' follows the system */
function chosenTheme() {
    const {theme} = document.documentElement.dataset;
    return theme === 'light' || theme === 'dark' ? theme : '';
}

/** @param {string} theme */
function chooseTheme(theme) {
    document.documentElement.dataset.theme = theme || 'system';
    remember('theme', theme);       // start.js reads it before anything is drawn
    colourFrame();
}

/** The browser's own bars have the colour of the page's paper. */
function colourFrame() {
    const paper = getComputedStyle(document.body).backgroundColor;
    for (const meta of document.querySelectorAll('meta[name=theme-color]')) {
        meta.removeAttribute('media');
        meta.setAttribute('content', paper);
    }
}

/**
 * @param {ParentNode} root
 * @param {() => void} onLanguage   another language was chosen: the page must be loaded again
 */
export function showAppearance(root, onLanguage) {
    const at = within(root), theme = at('theme', HTMLSelectElement),
        language = at('language', HTMLSelectElement);
    theme.value = chosenTheme();
    theme.onchange = () => chooseTheme(theme.value);
    for (const [value, textContent] of Object.entries(LANGUAGES))
        language.append(element('option', {value, textContent, lang: value}));
    language.value = Object.hasOwn(LANGUAGES, chosenLanguage()) ? chosenLanguage() : '';
    language.onchange = () => {
        chooseLanguage(language.value);
        onLanguage();
    };
    system.addEventListener('change', colourFrame);
    colourFrame();
}
