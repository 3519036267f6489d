// The likeliest next tokens as a row of buttons, each with its probability; white space is made visible.
//
// Owns: the row. Must not know: the text, models.

import {element} from './dom.js';
import {number} from './format.js';
import {showSpace} from './writer_words.js';
import {text} from '../texts.js';

/** @typedef {import('../drafting.js').Likely} Likely */

/** Below LITTLE a percentage has a digit more; below LEAST it says only that. */
const LITTLE = 0.1, LEAST = 0.001;

/** White space, for eyes alone. @param {string} signs */
function sign(signs) {
    const made = element('i', {textContent: signs});
    made.setAttribute('aria-hidden', 'true');
    return made;
}

/** @param {number} probability */
function percentOf(probability) {
    const percent = (/** @type {number} */ n) =>
        number(n, {style: 'percent', maximumFractionDigits: probability < LITTLE ? 1 : 0});
    return probability < LEAST / 2 ? `< ${percent(LEAST)}` : percent(probability);
}

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
        this.#list.replaceChildren(...tokens.map((token) => element('li', {},
            this.#create(token, percentOf(token.probability)))));
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
        const isWhole = !isControl && !token.includes('\ufffd'),
            name = isControl ? text('writer.end-token') : text('writer.part-token');
        const parts = isWhole ? showSpace(token).map(({text, isSpace}) => isSpace ? sign(text) : text)
            : [name];
        if (isWhole && !token.trim())
            parts.push(element('span',
                {className: 'hidden', textContent: text(token.includes('\n') ? 'writer.new-line'
                    : 'writer.space')}));
        return element('button', {type: 'button', disabled: !isWhole,
            onclick: (/** @type {MouseEvent} */ event) => this.#onPick(likely, event.detail === 0)},
            element('bdi', {}, ...parts), element('small', {textContent: percent}));
    }
}
