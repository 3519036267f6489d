// How a character, a string and a value stand in a JSON text.
//
// Owns the escapes. A character of ASCII that needs no escape stands as it is (a slash may be escaped), so a key or a word of an
// enum has one spelling. Others may stand as they are or as \u escapes of either case, half by half where they are pairs.
// A free string, one that nothing is asked of but its length, takes every escape that JSON has.

import {known} from './bad.js';
import {charSet, charsOf, complement, has, intersect, isSingle, minus} from './char_set.js';
import {choice, EMPTY, literal, mapParts, NEVER, oneOf, repeat, sequence, UNBOUNDED} from './expression.js';
import {parseRegex} from './regex.js';

/** @typedef {import('./expression.js').Expression} Expression */
/** @typedef {import('./char_set.js').CharSet} CharSet */
/** @typedef {import('./grammar.js').Grammar} Grammar */

const SHORT = new Map([[0x22, '"'], [0x5c, '\\'], [0x08, 'b'], [0x0c, 'f'], [0x0a, 'n'], [0x0d, 'r'], [0x09, 't']]);
const MUST_ESCAPE = [0, 0x1f, 0x22, 0x22, 0x5c, 0x5c];
const RAW = complement(MUST_ESCAPE);
/** What may stand as a \u escape. */
const ESCAPED = [0, 0x1f, 0x7f, 0xd7ff, 0xe000, 0x10ffff];
const BACKSLASH = literal('\\');

/** The JSON spellings of characters, as rules of one grammar where they are long. */
export class JsonText {
    /** @type {Map<string, Expression>} */
    #spelled = new Map();
    /** @type {Expression | undefined} */
    #freeChar;

    /** @param {Grammar} grammar */
    constructor(grammar) {
        this.grammar = grammar;
        this.quote = literal('"');
    }

    /** Any character of a free string. @returns {Expression} */
    get freeChar() {
        return this.#freeChar ??= this.grammar.named(parseRegex(
            '[^\\0-\\x1f"\\\\]|\\\\(?:["\\\\/bfnrt]|u(?:(?:[\\dA-CEFa-cef][\\dA-Fa-f]|[Dd][0-7])[\\dA-Fa-f]{2}|[Dd][89ABab][\\dA-Fa-f]{2}\\\\u[Dd][C-Fc-f][\\dA-Fa-f]{2}))'), 'char');
    }

    /** @param {number} min @param {number} max   in code points @returns {Expression} */
    freeString(min = 0, max = UNBOUNDED) {
        return sequence(this.quote, repeat(this.freeChar, min, max), this.quote);
    }

    /** The spellings of the texts of an expression over characters. @param {Expression} e @returns {Expression} */
    spell(e) {
        return e.kind === 'set' ? known(this.#spelled, String(e.set), () => this.#makeSet(e.set)) : mapParts(e, (part) => this.spell(part));
    }

    /** @param {string} text @returns {Expression} with its quotes */
    string(text) {
        return sequence(this.quote, this.spell(literal(text)), this.quote);
    }

    /** @param {Expression} spelled @returns {Expression} a key */
    key(spelled) {
        return sequence(this.quote, spelled, this.quote);
    }

    /** A key that nothing is asked of. @returns {Expression} */
    anyKey() {
        return this.freeString();
    }

    /** @param {Expression} e @returns {Expression} the spellings of the texts of an expression, in a key */
    spellKey(e) {
        return this.spell(e);
    }

    /** @param {CharSet} set @returns {Expression} */
    #makeSet(set) {
        const single = isSingle(set), short = [...SHORT].filter(([point]) => has(set, point)).map(([, letter]) => letter);
        if (!single && has(set, 0x2f)) short.push('/');
        const long = intersect(set, single ? minus(ESCAPED, charSet(...SHORT.keys())) : ESCAPED);
        const raw = oneOf(intersect(set, RAW));
        if (!long.length && !short.length) return raw;
        const escapes = known(this.#spelled, `${long} ${short}`, () => {
            const all = choice(oneOf(charsOf(short.join(''))), long.length ? sequence(literal('u'), codes(long)) : NEVER);
            return single || !long.length ? all : this.grammar.named(all, 'escape');
        });
        return choice(raw, sequence(BACKSLASH, escapes));
    }
}

/** The four digits, or twice four with `\u` between, of each code point of a set. @param {CharSet} set @returns {Expression} */
function codes(set) {
    const low = intersect(set, [0, 0xffff]);
    const ways = [];
    for (let i = 0; i < low.length; i += 2) ways.push(digits(low[i], low[i + 1], 4));
    return choice(...ways, pairs(intersect(set, [0x10000, 0x10ffff])));
}

/** @param {CharSet} set   beyond the first plane @returns {Expression} */
function pairs(set) {
    /** @type {Expression[]} */
    const ways = [];
    /** @param {number} first @param {number} last   their high halves @param {number} from @param {number} to   their low halves */
    const add = (first, last, from, to) => ways.push(sequence(digits(first, last, 4), literal('\\u'), digits(from, to, 4)));
    for (let i = 0; i < set.length; i += 2) {
        const [first, last] = [set[i] - 0x10000, set[i + 1] - 0x10000];
        let high = first >> 10;
        const end = last >> 10;
        if (high === end) {
            add(0xd800 + high, 0xd800 + high, 0xdc00 + (first & 1023), 0xdc00 + (last & 1023));
            continue;
        }
        if (first & 1023) add(0xd800 + high, 0xd800 + high++, 0xdc00 + (first & 1023), 0xdfff);
        const whole = (last & 1023) === 1023 ? end : end - 1;
        if (high <= whole) add(0xd800 + high, 0xd800 + whole, 0xdc00, 0xdfff);
        if (whole < end) add(0xd800 + end, 0xd800 + end, 0xdc00, 0xdc00 + (last & 1023));
    }
    return choice(...ways);
}

/** The hexadecimal numbers of so many digits from `first` to `last`. @param {number} first @param {number} last @param {number} n @returns {Expression} */
function digits(first, last, n) {
    if (n === 0) return EMPTY;
    const unit = 16 ** (n - 1);
    const [from, to] = [Math.floor(first / unit), Math.floor(last / unit)];
    if (from === to) return sequence(oneOf(hexDigits(from, to)), digits(first % unit, last % unit, n - 1));
    const ways = [];
    const wholeFrom = first % unit === 0 ? from : from + 1, wholeTo = last % unit === unit - 1 ? to : to - 1;
    if (wholeFrom > from) ways.push(sequence(oneOf(hexDigits(from, from)), digits(first % unit, unit - 1, n - 1)));
    if (wholeFrom <= wholeTo) ways.push(sequence(oneOf(hexDigits(wholeFrom, wholeTo)), repeat(oneOf(hexDigits(0, 15)), n - 1, n - 1)));
    if (wholeTo < to) ways.push(sequence(oneOf(hexDigits(to, to)), digits(0, last % unit, n - 1)));
    return choice(...ways);
}

/** @param {number} from @param {number} to @returns {CharSet} */
function hexDigits(from, to) {
    const all = '0123456789abcdef'.slice(from, to + 1);
    return charsOf(all + all.toUpperCase());
}

