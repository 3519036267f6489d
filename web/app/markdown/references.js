// References to links that are defined further down: what was drawn before its definition came is drawn once
// more, at the end.
//
// Owns: what is defined, and which elements wait for a definition. Must not know: how a text is cut into what
// has ended and what has not.

import {Drawing, renew} from './draw.js';
import {labelOf, lex} from './lex.js';

/**
 * @typedef {import('./lex.js').Token} Token
 * @typedef {{element: Element, raw: string, part: 'block' | 'item' | 'head' | 'row', labels: string[]}}
 *     Waiting   raw: its source; of a table's row, with the head
 */

/** The lexer copies all that are defined for each block. More are text. */
const MOST = 500;
const LABEL = /\[([^[\]]{1,999})\]/g;

export class References {
    #labels;
    /** @type {import('./lex.js').Links} */
    #links = Object.create(null);
    #count = 0;
    /** @type {Waiting[]} */
    #waiting = [];

    /** @param {import('./draw.js').Labels} labels */
    constructor(labels) {
        this.#labels = labels;
    }

    get links() {
        return this.#links;
    }

    /** Takes what is defined in what has ended: the first counts. @param {Token[]} tokens */
    define(tokens) {
        for (const {type, tag, href, title, tokens: inner, items} of tokens) {
            if (type === 'def' && this.#count < MOST) {
                this.#count += Number(!(tag in this.#links));
                this.#links[tag] ??= {href, title};
            }
            if (type === 'blockquote' || type === 'list_item') this.define(inner);
            else if (type === 'list') this.define(items);
        }
    }

    /** An element has ended. @param {Element} element @param {string} raw @param {Waiting['part']} part */
    add(element, raw, part) {
        if (!raw.includes('[')) return;
        const labels = [...raw.matchAll(LABEL)].map(([, label]) => labelOf(label)).filter((label) => label
            && !(label in this.#links));
        if (labels.length) this.#waiting.push({element, raw, part, labels});
    }

    /**
     * Draws once more what waited for what is defined now.
     * @returns {Generator<Waiting, void>} each that was drawn
     */
    *resolve() {
        const found = this.#waiting.filter(({labels}) => labels.some((label) => label in this.#links));
        this.#waiting = [];
        for (const one of found) {
            const {element, raw, part} = one, drawing = new Drawing(this.#labels),
                [token] = lex(raw, this.#links).filter(({type}) => type !== 'space'),
                level = levelBefore(element);
            const [drawn] = part === 'item' ? drawing.list(token, level).children ?? [] : part === 'block'
                ? drawing.blocks([token], level)
                : rowsOf(drawing.table(token), part);
            if (typeof drawn === 'object') one.element = renew(element, drawn, this.#labels);
            yield one;
        }
    }
}

/** Of the heading before an element, as far as its own headings tell. @param {Element} element */
function levelBefore(element) {
    const heading = element.matches('h2, h3, h4, h5, h6') ? element
        : element.querySelector('h2, h3, h4, h5, h6');
    return heading ? Number(heading.localName[1]) - 1 : 1;
}

/** @param {Exclude<import('./draw.js').Drawn, string>} table @param {'head' | 'row'} part */
export const rowsOf = (table, part) => {
    const [inner] = table.children ?? [], [head, body] = typeof inner === 'object' ? inner.children ?? []
        : [], found = part === 'head' ? head : body;
    return typeof found === 'object' ? found.children ?? [] : [];
};
