// The likeliest next tokens as a row of buttons, each with its probability; white space is made visible.
//
// Owns: the row. Must not know: the text, models.

import {element} from './dom.js';
import {showSpace} from './writer_words.js';
import {currentLanguage, text} from '../texts.js';

/** @typedef {import('../drafting.js').Likely} Likely */

/** What a screen reader says for a token. @param {string} token */
const spoken = (token) => token.trim() || text(token.includes('\n') ? 'writer.new-line' : 'writer.space');

export class LikelyRow {
    #element;
    #list;
    #onPick;

    /** @param {HTMLElement} root @param {(token: Likely, isByKey: boolean) => void} onPick */
    constructor(root, onPick) {
        this.#element = root;
        this.#list = /** @type {HTMLElement} */ (root.querySelector('ul'));
        this.#onPick = onPick;
    }

    get isOpen() {
        return !this.#element.hidden;
    }

    /** @param {Likely[]} tokens @param {boolean} hasFocus   the first one gets it */
    show(tokens, hasFocus) {
        const percent = new Intl.NumberFormat(currentLanguage(), {style: 'percent', maximumSignificantDigits: 2});
        this.#list.replaceChildren(...tokens.map((token) => element('li', {}, this.#create(token, percent.format(token.probability)))));
        this.#element.hidden = false;
        this.#element.classList.remove('stale');
        if (hasFocus) this.#list.querySelector('button')?.focus();
    }

    /** The text is another one now. */
    setStale() {
        this.#element.classList.add('stale');
    }

    close() {
        this.#element.hidden = true;
        this.#list.replaceChildren();
    }

    /** @param {Likely} likely @param {string} percent */
    #create(likely, percent) {
        const {text: token, isControl} = likely;
        // The end of a text, and a part of a character, can't be inserted.
        const isWhole = !isControl && !token.includes('\ufffd'), name = isControl ? text('writer.end-token') : isWhole ? spoken(token) : text('writer.part-token');
        const parts = isWhole ? showSpace(token).map(({text, isSpace}) => isSpace ? element('i', {textContent: text}) : text) : [name];
        const button = element('button', {type: 'button', disabled: !isWhole, onclick: (/** @type {MouseEvent} */ event) => this.#onPick(likely, event.detail === 0)},
            element('bdi', {}, ...parts), element('small', {textContent: percent}));
        button.setAttribute('aria-label', `${name}, ${percent}`);
        return button;
    }
}
