// Regular expressions in ECMAScript's syntax -> expressions.
//
// Owns the syntax, with the meaning that the flag `u` gives it. What no finite automaton can do or what is
// another dialect's is refused by name: look-around but for
// what follows a first `^`, back-references, word boundaries, inline flags, `{,3}`.
// Escaped punctuation stands for itself, and so do braces and brackets that mean nothing else in any dialect.

import {bad, known, spend} from './bad.js';
import {ANY, charSet, complement, has, intersect, isSingle, LAST, NONE, union} from './char_set.js';
import {choice, EMPTY, oneOf, repeat, sequence} from './expression.js';

/** @typedef {import('./expression.js').Expression} Expression */
/** @typedef {import('./char_set.js').CharSet} CharSet */

const MAX_LENGTH = 20_000,
    MAX_DEPTH = 200,
    MAX_TIMES = 100_000;
const DIGIT = [0x30, 0x39],
    WORD = [...DIGIT, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const SPACE = [
    9, 13, 32, 32, 160, 160, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f,
    0x3000, 0x3000, 0xfeff, 0xfeff,
];
/** @type {Record<string, CharSet>} */
const CLASSES = {
    d: DIGIT,
    D: complement(DIGIT),
    w: WORD,
    W: complement(WORD),
    s: SPACE,
    S: complement(SPACE),
    '.': complement(charSet(10, 13, 0x2028, 0x2029)),
    n: [10, 10],
    r: [13, 13],
    t: [9, 9],
    v: [11, 11],
    f: [12, 12],
    0: [0, 0],
};
const ESCAPE = new RegExp(
    '\\\\(?:([dDwWsSnrtvf]|0(?!\\d))|([pP])\\{([\\w=]+)\\}|c([a-zA-Z])|u([dD][89abAB]..)\\\\u([dD][c-fC-F]..)'
        + '|(?:x([\\da-fA-F]{2})|u([\\da-fA-F]{4})|u\\{([\\da-fA-F]{1,6})\\})|([^a-zA-Z0-9]))',
    'yu',
);

/**
 * A regular expression over characters, with its anchors, and what the beginning of a text must match besides.
 * @typedef {{body: Expression, isNot: boolean}} Look
 * @typedef {{expression: Expression, looks: Look[]}} Pattern
 */

/** @param {string} source @returns {Pattern} */
export function parsePattern(source) {
    spend(source.length);
    const parser = new Parser(source);
    return {expression: parser.parse(), looks: parser.looks};
}

/** @param {string} source   without look-around @returns {Expression} */
export const parseRegex = (source) => parsePattern(source).expression;

class Parser {
    #at = 0;
    #depth = 0;
    #atStart = false;
    /** @type {Look[]} */
    looks = [];

    /** @param {string} source */
    constructor(source) {
        this.source = source;
    }

    parse() {
        if (this.source.length > MAX_LENGTH) this.#fail(`has more than ${MAX_LENGTH} characters`);
        const whole = this.#choice();
        if (this.looks.length && whole.kind === 'choice') this.#fail('has look-around beside a "|"');
        return this.#at < this.source.length ? this.#fail('has a ")" too many') : whole;
    }

    /** @returns {Expression} */
    #choice() {
        if (++this.#depth > MAX_DEPTH) this.#fail(`nests more than ${MAX_DEPTH} groups`);
        const ways = [];
        do {
            const parts = [];
            while (this.#at < this.source.length && !'|)'.includes(this.source[this.#at]))
                parts.push(this.#item());
            ways.push(sequence(...parts));
        } while (this.#take(/\|/y));
        this.#depth--;
        return choice(...ways);
    }

    /** @returns {Expression} */
    #item() {
        const look = this.#atStart && this.#depth === 1 && this.#take(/\(\?[=!]/y);
        if (look) {
            this.looks.push({body: this.#group(), isNot: look[0] === '(?!'});
            this.#atStart = true;
            return EMPTY;
        }
        this.#atStart = false;
        const atom = this.#atom(),
            times = this.#take(/(?:([*+?])|\{(\d+)(,(\d*))?\})\??/y);
        if (!times) return atom;
        const [, sign, from, comma, to] = times;
        const min = sign ? Number(sign === '+') : Number(from),
            max = sign === '?' ? 1 : sign || (comma && !to) ? Infinity : Number(to || from);
        if (atom.kind === 'start' || atom.kind === 'end')
            this.#fail(`has a "${times[0]}" that repeats nothing`);
        if (min > max || min > MAX_TIMES || (max > MAX_TIMES && max < Infinity))
            this.#fail(`repeats "${times[0]}" times, expected at most ${MAX_TIMES}`);
        return repeat(atom, min, max);
    }

    #group() {
        const body = this.#choice();
        return this.#take(/\)/y) ? body : this.#fail('has a group that is not closed');
    }

    /** @returns {Expression} */
    #atom() {
        if (this.#take(/\((?!\?)|\(\?(?::|<[\p{ID_Start}$_][\p{ID_Continue}$]*>)/uy)) return this.#group();
        const other = this.#take(/\(\?<?[^]?/y);
        if (other)
            this.#fail(
                `has ${/[=!]/.test(other[0]) ? 'look-around' : 'a group of an unknown kind'} "${other[0]}", which is not supported`,
            );
        if (this.#take(/\^/y)) {
            this.#atStart = this.#depth === 1;
            return {kind: 'start'};
        }
        if (this.#take(/\$/y)) return {kind: 'end'};
        const repeated = this.#take(/[*+?]/y);
        if (repeated) this.#fail(`has a "${repeated[0]}" that repeats nothing`);
        const braces = this.#take(/\{[\d,\s][^}]*\}?/y);
        if (braces) this.#fail(`has "${braces[0]}", which is no quantifier here`);
        if (this.#take(/\./y)) return oneOf(CLASSES['.']);
        return oneOf(this.#take(/\[/y) ? this.#class() : this.#char(false));
    }

    /** Between brackets. @returns {CharSet} */
    #class() {
        const negated = this.#take(/\^/y);
        /** @type {CharSet[]} */
        const sets = [];
        if (this.#take(/\[:\^?[a-z]+:\]/y)) this.#fail('has a POSIX class, which ECMAScript does not have');
        while (!this.#take(/\]/y)) {
            const from = this.#char(true);
            sets.push(from);
            if (!this.#take(/-(?!\])/y)) continue;
            const to = this.#char(true);
            if (!isSingle(from) || !isSingle(to)) this.#fail('has a range whose ends are no characters');
            else if (from[0] > to[0]) this.#fail('has a range whose ends are out of order');
            else sets.push([from[0], to[0]]);
        }
        const all = union(...sets);
        return negated ? complement(all) : intersect(all, ANY);
    }

    /** One character or what an escape stands for. @param {boolean} inClass @returns {CharSet} */
    #char(inClass) {
        const plain = this.#take(/[^\\]/uy);
        if (plain) return charSet(/** @type {number} */ (plain[0].codePointAt(0)));
        if (inClass && this.#take(/\\b/y)) return [8, 8];
        const found = this.#take(ESCAPE);
        if (!found) {
            const next = this.source.slice(this.#at, this.#at + 2);
            return this.#fail(
                next
                    ? `has ${/[1-9k]/.test(next) ? 'a back-reference' : /b/i.test(next) ? 'a word boundary' : 'an escape'} "${next}", which is not supported`
                    : 'has a "[" that is not closed',
            );
        }
        const [, named, p, property, control, high, low, x, u, braces, punctuation] = found;
        if (named) return CLASSES[named];
        if (property) {
            const set =
                propertySet(property)
                ?? this.#fail(`has a property "${property}" that ECMAScript does not have`);
            return p === 'P' ? complement(set) : set;
        }
        if (punctuation) return charSet(/** @type {number} */ (punctuation.codePointAt(0)));
        const point = control
            ? control.charCodeAt(0) & 31
            : high
              ? 0x10000 + ((parseInt(high, 16) & 1023) << 10) + (parseInt(low, 16) & 1023)
              : parseInt(x || u || braces, 16);
        if (point > LAST) this.#fail(`has an escape "${found[0]}" beyond the last code point`);
        return has(ANY, point) ? [point, point] : NONE;
    }

    /** @param {RegExp} what   sticky @returns {RegExpExecArray | null} */
    #take(what) {
        what.lastIndex = this.#at;
        const found = what.exec(this.source);
        if (found) this.#at = what.lastIndex;
        return found;
    }

    /** @param {string} what @returns {never} */
    #fail(what) {
        return bad(
            `The regular expression /${this.source.slice(0, 80)}/ ${what} (before character ${this.#at + 1}).`,
        );
    }
}

/** @type {Map<string, CharSet | null>} */
const properties = new Map();
/** Every character once; made when a property is first asked for. */
let everything = '';

/**
 * A Unicode property, as the host's own regular expressions know it.
 * @param {string} name
 * @returns {CharSet | null}
 */
function propertySet(name) {
    return known(properties, name, () => {
        spend(40_000);
        try {
            const runs = new RegExp(`\\p{${name}}+`, 'gu');
            if (!everything)
                for (let point = 0; point <= LAST; point++)
                    if (has(ANY, point)) everything += String.fromCodePoint(point);
            return union(
                ...Array.from(everything.matchAll(runs), ([run]) => {
                    const last = run.codePointAt(run.length - 2) ?? 0;
                    return [
                        /** @type {number} */ (run.codePointAt(0)),
                        last > 0xffff ? last : run.charCodeAt(run.length - 1),
                    ];
                }),
            );
        } catch {
            return null;
        }
    });
}
