// Regular expressions in ECMAScript's syntax -> expressions.
//
// Owns the syntax, with the meaning that the flag `u` gives it. What no finite automaton can do or what is another dialect's is
// refused by name: look-around, back-references, word boundaries, inline flags. Escaped punctuation stands for itself.

import {GemmaError} from '../base/error.js';
import {ANY, charSet, charsOf, complement, has, minus, NONE, union} from './char_set.js';
import {choice, oneOf, repeat, sequence, UNBOUNDED} from './expression.js';

/** @typedef {import('./expression.js').Expression} Expression */
/** @typedef {import('./char_set.js').CharSet} CharSet */

const MAX_LENGTH = 20_000, MAX_DEPTH = 200, MAX_TIMES = 100_000;
const DIGIT = [0x30, 0x39];
const WORD = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const SPACE = [0x09, 0x0d, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff];
const DOT = complement(charSet(0x0a, 0x0d, 0x2028, 0x2029));
const CLASSES = new Map([['d', DIGIT], ['D', complement(DIGIT)], ['w', WORD], ['W', complement(WORD)], ['s', SPACE], ['S', complement(SPACE)]]);
const CONTROLS = new Map([['n', 10], ['r', 13], ['t', 9], ['v', 11], ['f', 12]]);
const REFUSED = new Map([['(?=', 'a look-ahead'], ['(?!', 'a look-ahead'], ['(?<=', 'a look-behind'], ['(?<!', 'a look-behind']]);

/**
 * @param {string} source
 * @returns {Expression} over characters, with its anchors
 */
export function parseRegex(source) {
    return new Parser(source).parse();
}

class Parser {
    #at = 0;
    #depth = 0;

    /** @param {string} source */
    constructor(source) {
        this.source = source;
        this.chars = Array.from(source);
        if (this.chars.length > MAX_LENGTH) this.#fail(`is longer than ${MAX_LENGTH} characters`);
    }

    parse() {
        const whole = this.#choice();
        if (this.#at < this.chars.length) this.#fail(`has a ")" too many at character ${this.#at + 1}`);
        return whole;
    }

    /** @returns {Expression} */
    #choice() {
        if (++this.#depth > MAX_DEPTH) this.#fail(`nests more than ${MAX_DEPTH} groups`);
        const ways = [this.#sequence()];
        while (this.#take('|')) ways.push(this.#sequence());
        this.#depth--;
        return choice(...ways);
    }

    #sequence() {
        const parts = [];
        while (this.#at < this.chars.length && this.chars[this.#at] !== '|' && this.chars[this.#at] !== ')') parts.push(this.#item());
        return sequence(...parts);
    }

    /** @returns {Expression} */
    #item() {
        const atom = this.#atom();
        const anchor = atom.kind === 'start' || atom.kind === 'end', times = this.#times();
        if (times && anchor) this.#fail('repeats an anchor');
        return times ? repeat(atom, ...times) : atom;
    }

    /** @returns {[number, number] | undefined} */
    #times() {
        /** @type {[number, number] | undefined} */
        let times;
        if (this.#take('*')) times = [0, UNBOUNDED];
        else if (this.#take('+')) times = [1, UNBOUNDED];
        else if (this.#take('?')) times = [0, 1];
        else times = this.#braces();
        if (!times) return;
        if (!this.#take('?') && this.chars[this.#at] === '+') this.#fail('has a possessive quantifier, which ECMAScript does not have');
        if (times[0] > times[1]) this.#fail('has a quantifier whose numbers are out of order');
        if (times[0] > MAX_TIMES || times[1] !== UNBOUNDED && times[1] > MAX_TIMES) this.#fail(`repeats something more than ${MAX_TIMES} times`);
        return times;
    }

    /** @returns {[number, number] | undefined} */
    #braces() {
        if (this.chars[this.#at] !== '{') return;
        const found = /^\{(\d+)(,(\d*))?\}/.exec(this.chars.slice(this.#at, this.#at + 40).join(''));
        if (!found) return;
        this.#at += found[0].length;
        return [Number(found[1]), found[2] === undefined ? Number(found[1]) : found[3] ? Number(found[3]) : UNBOUNDED];
    }

    /** @returns {Expression} */
    #atom() {
        const char = this.chars[this.#at++];
        if (char === '^') return {kind: 'start'};
        if (char === '$') return {kind: 'end'};
        if (char === '.') return oneOf(DOT);
        if (char === '(') return this.#group();
        if (char === '[') return oneOf(this.#class());
        if (char === '\\') return oneOf(this.#escape(false));
        if ('*+?'.includes(char)) this.#fail(`has a "${char}" that repeats nothing at character ${this.#at}`);
        return oneOf(charsOf(char));
    }

    /** @returns {Expression} */
    #group() {
        for (const [open, name] of REFUSED) {
            if (this.#ahead(open.slice(1))) this.#fail(`has ${name} "${open}…", which no finite automaton can follow`);
        }
        if (this.#take('?') && !this.#take(':')) {
            const name = /^<[\p{L}\p{Nl}$_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}$]*>/u.exec(this.chars.slice(this.#at).join(''));
            if (!name) this.#fail(`has a group that begins with "(?${this.chars[this.#at] ?? ''}", such as inline flags, which is not supported`);
            this.#at += Array.from(/** @type {RegExpExecArray} */ (name)[0]).length;
        }
        const body = this.#choice();
        if (!this.#take(')')) this.#fail('has a group that is not closed');
        return body;
    }

    /** Between brackets. @returns {CharSet} */
    #class() {
        const negated = this.#take('^');
        /** @type {CharSet[]} */
        const sets = [];
        while (!this.#take(']')) {
            const from = this.#classItem();
            if (this.chars[this.#at] !== '-' || this.chars[this.#at + 1] === ']' || this.#at + 1 >= this.chars.length) {
                sets.push(from);
                continue;
            }
            this.#at++;
            const to = this.#classItem();
            const single = from.length === 2 && from[0] === from[1] && to.length === 2 && to[0] === to[1];
            if (!single) sets.push(from, charSet(0x2d), to);
            else if (from[0] > to[0]) this.#fail('has a range whose ends are out of order');
            else sets.push([from[0], to[0]]);
        }
        const all = union(...sets);
        return negated ? complement(all) : minus(all, complement(ANY));
    }

    /** @returns {CharSet} */
    #classItem() {
        if (this.#at >= this.chars.length) this.#fail('has a "[" that is not closed');
        const char = this.chars[this.#at++];
        if (char === '[' && this.chars[this.#at] === ':' && /^:\^?[a-z]+:\]/.test(this.chars.slice(this.#at, this.#at + 20).join(''))) {
            this.#fail('has a POSIX class, which ECMAScript does not have');
        }
        return char === '\\' ? this.#escape(true) : charsOf(char);
    }

    /** What follows a backslash. @param {boolean} inClass @returns {CharSet} */
    #escape(inClass) {
        const char = this.chars[this.#at++];
        if (char === undefined) this.#fail('ends in a backslash');
        const known = CLASSES.get(char);
        if (known) return known;
        const control = CONTROLS.get(char) ?? (char === 'b' && inClass ? 8 : undefined);
        if (control !== undefined) return charSet(control);
        if (char === 'p' || char === 'P') return this.#property(char === 'P');
        if (char === 'x' || char === 'u') return this.#code(char);
        if (char === 'c' && /[a-z]/i.test(this.chars[this.#at] ?? '')) return charSet(this.chars[this.#at++].charCodeAt(0) & 31);
        if (char === '0' && !/\d/.test(this.chars[this.#at] ?? '')) return charSet(0);
        if (/[1-9]/.test(char) && !inClass || char === 'k') this.#fail(`has a back-reference "\\${char}", which no finite automaton can follow`);
        if (char === 'b' || char === 'B') this.#fail(`has a word boundary "\\${char}", which is not supported`);
        if (/[a-zA-Z0-9]/.test(char)) this.#fail(`has an escape "\\${char}" that ECMAScript does not have`);
        return charsOf(char);
    }

    /** @param {string} kind @returns {CharSet} */
    #code(kind) {
        const rest = this.chars.slice(this.#at, this.#at + 12).join('');
        const braces = kind === 'u' && /^\{([0-9a-f]{1,8})\}/i.exec(rest);
        const pair = kind === 'u' && /^(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/i.exec(rest);
        const plain = (kind === 'u' ? /^([0-9a-f]{4})/i : /^([0-9a-f]{2})/i).exec(rest);
        const found = braces || pair || plain;
        if (!found) return this.#fail(`has an escape "\\${kind}" without its digits`);
        this.#at += found[0].length;
        const code = parseInt(found[1], 16);
        const point = pair ? 0x10000 + ((code & 1023) << 10) + (parseInt(pair[2], 16) & 1023) : code;
        if (point > 0x10ffff) this.#fail(`has an escape beyond the last code point, "\\u${found[0]}"`);
        return has(ANY, point) ? charSet(point) : NONE;
    }

    /** @param {boolean} negated @returns {CharSet} */
    #property(negated) {
        const found = /^\{([\w=]{1,60})\}/.exec(this.chars.slice(this.#at, this.#at + 70).join(''));
        if (!found) return this.#fail('has a "\\p" without a property in braces');
        this.#at += found[0].length;
        const set = property(found[1]) ?? this.#fail(`has a property "${found[1]}" that ECMAScript does not have`);
        return negated ? complement(set) : set;
    }

    /** @param {string} text */
    #ahead(text) {
        return this.chars.slice(this.#at, this.#at + text.length).join('') === text;
    }

    /** @param {string} char */
    #take(char) {
        const is = this.chars[this.#at] === char;
        if (is) this.#at++;
        return is;
    }

    /** @param {string} what @returns {never} */
    #fail(what) {
        const short = this.chars.length > 60 ? `${this.chars.slice(0, 60).join('')}…` : this.source;
        throw new GemmaError('bad-constraint', `The regular expression /${short}/ ${what}.`);
    }
}

/** @param {Expression} e @returns {boolean} */
export function hasAnchor(e) {
    if (e.kind === 'start' || e.kind === 'end') return true;
    if (e.kind === 'repeat') return hasAnchor(e.of);
    return (e.kind === 'choice' || e.kind === 'sequence') && e.of.some(hasAnchor);
}

/** @type {Map<string, CharSet | undefined>} */
const properties = new Map();
/** Every character once; made when a property is first asked for. */
let everything = '';

/** A Unicode property, as the host's own regular expressions know it. @param {string} name @returns {CharSet | undefined} */
function property(name) {
    if (properties.has(name)) return properties.get(name);
    const set = [];
    try {
        const runs = new RegExp(`\\p{${name}}+`, 'gu');
        if (!everything) {
            const parts = [];
            for (let point = 0; point <= 0x10ffff; point++) if (has(ANY, point)) parts.push(String.fromCodePoint(point));
            everything = parts.join('');
        }
        for (const [run] of everything.matchAll(runs)) {
            set.push(/** @type {number} */ (run.codePointAt(0)), /** @type {number} */ (Array.from(run).at(-1)?.codePointAt(0)));
        }
        properties.set(name, union(set));
    } catch {
        properties.set(name, undefined);
    }
    return properties.get(name);
}

