// How a character, a string and a value stand in a JSON text.
//
// Owns the escapes. A character of ASCII that needs no escape stands as it is (a slash may be escaped), so a
// key or a word of an enum has one spelling. Others may stand as they are or as \u escapes of either case,
// half by half where they are pairs. A free string, one that nothing is asked of but its length, takes every
// escape that JSON has.

import {known, spend} from './bad.js';
import {charSet, charsOf, complement, has, intersect, isSingle, minus} from './char_set.js';
import {between} from './digits.js';
import {
    choice,
    choiceOf,
    literal,
    mapParts,
    NEVER,
    oneOf,
    repeat,
    sequence,
    UNBOUNDED,
} from './expression.js';
import {parseRegex} from './regex.js';
import {textTree} from './text_tree.js';

/** @typedef {import('./expression.js').Expression} Expression */
/** @typedef {import('./char_set.js').CharSet} CharSet */
/** @typedef {import('./grammar.js').Grammar} Grammar */

const SHORT = new Map([
    [0x22, '"'],
    [0x5c, '\\'],
    [0x08, 'b'],
    [0x0c, 'f'],
    [0x0a, 'n'],
    [0x0d, 'r'],
    [0x09, 't'],
]);
const MUST_ESCAPE = [0, 0x1f, 0x22, 0x22, 0x5c, 0x5c];
const RAW = complement(MUST_ESCAPE);
/** What may stand as a \u escape. */
const ESCAPED = [0, 0x1f, 0x7f, 0xd7ff, 0xe000, 0x10ffff];
/** A set of so many ends is a rule. */
const LONG = 40;
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
        /** @type {string[]} */
        this.noKeys = [];
    }

    /** Any character of a free string. @returns {Expression} */
    get freeChar() {
        return (this.#freeChar ??= this.grammar.named(
            parseRegex(
                '[^\\0-\\x1f"\\\\]|\\\\(?:["\\\\/bfnrt]|u(?:(?:[\\dA-CEFa-cef][\\dA-Fa-f]|[Dd][0-7])[\\dA-Fa-f]{2}|[Dd][89ABab][\\dA-Fa-f]{2}\\\\u[Dd][C-Fc-f][\\dA-Fa-f]{2}))',
            ),
            'char',
        ));
    }

    /** @param {number} min @param {number} max   in code points @returns {Expression} */
    freeString(min = 0, max = UNBOUNDED) {
        return sequence(this.quote, repeat(this.freeChar, min, max), this.quote);
    }

    /**
     * The spellings of the texts of an expression over characters.
     * @param {Expression} e
     * @returns {Expression}
     */
    spell(e) {
        if (e.kind !== 'set') return mapParts(e, (part) => this.spell(part));
        const [first] = e.set;
        const isPlain = isSingle(e.set) && first >= 0x20 && first < 0x7f && !SHORT.has(first);
        spend(e.set.length);
        return isPlain ? e : known(this.#spelled, String(e.set), () => this.#makeSet(e.set));
    }

    /** @param {string[]} texts @returns {Expression} without quotes */
    list(texts) {
        return textTree(texts, this.grammar, (e) => this.spell(e));
    }

    /** @param {string} name @returns {Expression} a key that a schema names */
    name(name) {
        return this.key(this.spellKey(literal(name)));
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
        const single = isSingle(set),
            short = [...SHORT].filter(([point]) => has(set, point)).map(([, letter]) => letter);
        if (!single && has(set, 0x2f)) short.push('/');
        const long = intersect(set, single ? minus(ESCAPED, charSet(...SHORT.keys())) : ESCAPED);
        const raw = oneOf(intersect(set, RAW));
        if (!long.length && !short.length) return raw;
        const escapes = known(this.#spelled, `${long} ${short}`, () => {
            const all = choice(
                oneOf(charsOf(short.join(''))),
                long.length ? sequence(literal('u'), choiceOf(codes(long).map(parseRegex))) : NEVER,
            );
            return single || !long.length ? all : this.grammar.named(all, 'escape');
        });
        const all = choice(raw, sequence(BACKSLASH, escapes));
        return set.length > LONG ? this.grammar.named(all, 'set') : all;
    }
}

/**
 * Patterns of the four digits, or twice four with `\u` between, of the code points of a set.
 * @param {CharSet} set
 * @returns {string[]}
 */
function codes(set) {
    /** @type {string[]} */
    const ways = [];
    /** @param {number} first @param {number} last */
    const range = (first, last) =>
        between(first.toString(16).padStart(4, '0'), last.toString(16).padStart(4, '0'), 16);
    /**
     * Code points whose high halves stand from one to another, and whose low halves do.
     * @param {number[]} ends
     */
    const pairs = (...[from, to, first, last]) =>
        ways.push(`${range(0xd800 + from, 0xd800 + to)}\\\\u${range(0xdc00 + first, 0xdc00 + last)}`);
    for (let i = 0; i < set.length; i += 2) {
        if (set[i] < 0x10000) ways.push(range(set[i], Math.min(set[i + 1], 0xffff)));
        const [first, last] = [Math.max(set[i] - 0x10000, 0), set[i + 1] - 0x10000],
            [from, to] = [first >> 10, last >> 10];
        if (last < 0) continue;
        const low = first & 1023,
            high = last & 1023,
            wholeFrom = low ? from + 1 : from,
            wholeTo = high < 1023 ? to - 1 : to;
        if (wholeFrom > wholeTo && from === to) pairs(from, to, low, high);
        else {
            if (wholeFrom > from) pairs(from, from, low, 1023);
            if (wholeFrom <= wholeTo) pairs(wholeFrom, wholeTo, 0, 1023);
            if (wholeTo < to) pairs(to, to, 0, high);
        }
    }
    return ways;
}
