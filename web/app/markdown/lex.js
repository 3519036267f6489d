// Markdown's source to marked's tokens, in bounded time for any source.
//
// Owns: what is too much for the lexer. Must not know: how tokens are drawn.
//
// Of the 540 examples of CommonMark 0.31 that have no HTML, marked 18.2.1 gives 532 as they must be and
// streaming-markdown 0.2.15 gives 130, at 15.7 and 4.7 KB gzipped. Models write nested lists and tables, so
// it is marked. What takes it more than its length says is listed below.

import {Lexer, Tokenizer} from './marked.js';

/**
 * @typedef {{type: string, raw: string, [name: string]: any}} Token
 * @typedef {Record<string, {href: string, title: string}>} Links   what references lead to, by their labels
 */

/**
 * Of a block that is read at once. The lexer reads a line of a list's item with all that follow, and for a mark
 * it looks for what closes it.
 */
export const MOST = {characters: 12_000, lines: 400, marks: 2000};
const MARKS = /[*_~`[<!\\@]/g;
/** Quotes and lists in one line, and lists by their indent: the lexer calls itself for each. */
const DEEP = /^(?:[ \t]*(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){12,}/m, FAR = /^[ \t]{48,}(?:[-*+>]|\d{1,9}[.)])/m;
/**
 * Where the marks of a paragraph times its characters are more than this, or each few characters have one, it is
 * read in parts, and marks pair within a part.
 */
const MOST_WORK = 1_000_000, PART = {characters: 300, lines: 300, marks: 300};
/** Emphasis and links in each other: the lexer reads what is in them once more for each. */
const DEEPEST = 6;
/** The lexer fills each row up to the columns of the head. A wider table is text. */
const MOST_COLUMNS = 64;

/**
 * How much of a text is at most so much. It ends with a line if it can, else between words if it can.
 * @param {string} text @param {typeof MOST} most
 */
export function reach(text, {characters, lines, marks}) {
    let most = Math.min(characters, text.length), end = 0;
    if (count(text.slice(0, most), MARKS) > marks) {
        MARKS.lastIndex = 0;
        for (let i = 0; i <= marks; i++) most = MARKS.exec(text)?.index ?? most;
    }
    for (let line = 0; line < lines; line++) {
        const next = text.indexOf('\n', end) + 1;
        if (!next || next > most) break;
        end = next;
        if (line === lines - 1) return end;
    }
    if (most === text.length || end > most / 2) return most === text.length ? most : end;
    const space = text.lastIndexOf(' ', most - 1) + 1;
    if (space > most / 2) return space;
    return /[\ud800-\udbff]/.test(text[most - 1]) ? most - 1 : most;
}

class BoundedLexer extends Lexer {
    #depth = 0;

    /** @override @param {string} source @param {any[]} [tokens] */
    inlineTokens(source, tokens = []) {
        if (this.#depth === DEEPEST) {
            tokens.push({type: 'text', raw: source, text: source});
            return tokens;
        }
        this.#depth++;
        let rest = source;
        if (isHard(source, count(source, MARKS))) {
            for (; rest.length > PART.characters; rest = rest.slice(reach(rest, PART)))
                super.inlineTokens(rest.slice(0, reach(rest, PART)), tokens);
        }
        super.inlineTokens(rest, tokens);
        this.#depth--;
        return tokens;
    }
}

class BoundedTokenizer extends Tokenizer {
    /** @override @param {string} source */
    table(source) {
        return count(source.split('\n', 1)[0], /\|/g) > MOST_COLUMNS ? undefined : super.table(source);
    }
}

/** What it takes to read a text, in characters without marks. @param {string} text */
export const costOf = (text) => text.length + 10 * count(text, MARKS);

/** @param {string} source @param {number} marks   in it */
function isHard({length}, marks) {
    return length > PART.characters && (length * marks > MOST_WORK || marks > PART.marks && 8 * marks > length);
}

/** @param {string} source @param {RegExp} marks */
const count = (source, marks) => source.match(marks)?.length ?? 0;

/**
 * @param {string} source   about MOST
 * @param {Links} links   that were defined before
 * @returns {Token[]} that together have all of it; what the lexer can't do is one token of text
 */
export function lex(source, links) {
    if (DEEP.test(source) || FAR.test(source)) return [plain(source)];
    try {
        const lexer = new BoundedLexer({gfm: true, tokenizer: new BoundedTokenizer()});
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
