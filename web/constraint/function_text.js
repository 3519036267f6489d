// FunctionGemma's own form of values: keys stand bare and strings stand between <escape> and <escape>,
// without escapes of their own.
//
// Owns that form, written as grammar and as text, and read. Must not know what tools are.

import {toRules, without} from './automaton.js';
import {bad} from './bad.js';
import {charsOf, complement, has, intersect} from './char_set.js';
import {literal, mapParts, oneOf, repeat, sequence, token, UNBOUNDED} from './expression.js';
import {JsonText} from './json_text.js';
import {textTree} from './text_tree.js';

/** @typedef {import('./expression.js').Expression} Expression */

const ESCAPE = '<escape>';
const KEY = complement(charsOf('<>{}[]:,"\' \t\r\n')),
    IN_STRING = complement(charsOf('<'));

export class FunctionText extends JsonText {
    quote = token(ESCAPE);
    noKeys = [''];

    get freeChar() {
        return oneOf(IN_STRING);
    }

    /** @param {number} [min] @param {number} [max] @returns {Expression} */
    freeString(min = 0, max = UNBOUNDED) {
        if (min > 0 || max !== UNBOUNDED) return super.freeString(min, max);
        return sequence(
            this.quote,
            toRules(without(ESCAPE), this.grammar, {spell: oneOf, after: this.quote}),
        );
    }

    /** @param {Expression} e @returns {Expression} */
    spell(e) {
        return mapSets(e, IN_STRING);
    }

    /** @param {string[]} texts */
    list(texts) {
        const odd = texts.find((text) => text.includes(ESCAPE));
        if (odd !== undefined) bad(`The text ${JSON.stringify(odd)} can't be written: it has ${ESCAPE}.`);
        return textTree(texts, this.grammar, (e) => e);
    }

    /** @param {string} name */
    name(name) {
        const isKey = name && Array.from(name).every((char) => has(KEY, char.codePointAt(0) ?? 0));
        return isKey
            ? literal(name)
            : bad(`The name ${JSON.stringify(name)} can't be written: keys have no spaces, quotes nor <>{}[]:,.`);
    }

    /** @param {Expression} spelled */
    key(spelled) {
        return spelled;
    }

    anyKey() {
        return repeat(oneOf(KEY), 1, UNBOUNDED);
    }

    /** @param {Expression} e @returns {Expression} */
    spellKey(e) {
        return mapSets(e, KEY);
    }
}

/**
 * An expression without the characters that can't stand there.
 * @param {Expression} e
 * @param {import('./char_set.js').CharSet} allowed
 * @returns {Expression}
 */
function mapSets(e, allowed) {
    if (e.kind === 'set') return oneOf(intersect(e.set, allowed));
    return mapParts(e, (part) => mapSets(part, allowed));
}

/** Names of tokens for tools. */
const TOKENS = /<(?=(?:escape|(?:start|end)_function_(?:declaration|call|response))>)/g;

/** A text that can't be taken for a token: this form has no escapes. @param {string} text */
const plain = (text) => text.replace(TOKENS, '< ');

/** @param {any} value @returns {string} keys in the order of their letters */
export function writeValue(value) {
    if (typeof value === 'string') return ESCAPE + plain(value) + ESCAPE;
    if (Array.isArray(value)) return `[${value.map(writeValue).join()}]`;
    if (typeof value !== 'object' || value === null) return String(value);
    return `{${Object.keys(value)
        .sort()
        .filter((key) => value[key] !== undefined)
        .map((key) => `${plain(key)}:${writeValue(value[key])}`)
        .join()}}`;
}

/** @param {string} text @returns {any} */
export function readValue(text) {
    // Strings become JSON's, and then keys do, which stand before a colon outside of them.
    const parts = text.split(ESCAPE);
    return JSON.parse(
        parts
            .map((part, i) =>
                i % 2
                    ? JSON.stringify(part)
                    : part.replace(
                          /([{,])([^{}[\]:,]+):/g,
                          (_, before, key) => `${before}${JSON.stringify(key)}:`,
                      ),
            )
            .join(''),
    );
}
