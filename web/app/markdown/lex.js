// Markdown's source to marked's tokens, in bounded time for any source.
//
// Owns: what is too much for the lexer. Must not know: how tokens are drawn.
//
// Of the 540 examples of CommonMark 0.31 that have no HTML, marked 18.2.1 gives 532 as they must be and
// streaming-markdown 0.2.15 gives 130, at 15.7 and 4.7 KB gzipped. Models write nested lists and tables, so
// it is marked. What takes it more than its length says is listed below.

import {Lexer} from './marked.js';

/**
 * @typedef {{type: string, raw: string, [name: string]: any}} Token
 * @typedef {Record<string, {href: string, title: string}>} Links   what references lead to, by their labels
 */

/** Characters of one block. */
const LONGEST = 100_000;
/** Quotes and lists in one line, and lists by their indent: the lexer calls itself for each. */
const DEEP = /^(?:[ \t]*(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){12,}/m, FAR = /^[ \t]{48,}(?:[-*+>]|\d{1,9}[.)])/m;

/**
 * @param {string} source
 * @param {Links} links   that were defined before
 * @returns {Token[]} that together have all of it; what the lexer can't do is one token of text
 */
export function lex(source, links) {
    if (source.length > LONGEST || DEEP.test(source) || FAR.test(source)) return [plain(source)];
    try {
        const lexer = new Lexer({gfm: true});
        Object.assign(lexer.tokens.links, links);
        return lexer.lex(source);
    } catch {
        return [plain(source)];
    }
}

/**
 * Where a reference leads is said by the definition of its label, as the lexer writes it.
 * @param {string} label
 */
export const labelOf = (label) => label.trim().replace(/\s+/g, ' ').toLowerCase().toUpperCase().toLowerCase();

/** @param {string} source @returns {Token} */
const plain = (source) => ({type: 'html', raw: source, block: true});
