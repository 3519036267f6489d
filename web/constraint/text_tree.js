// Lists of texts as trees of their beginnings, so that a reader follows one way through them however many
// there are.
//
// Owns the trees: of texts, and of all texts but those. Must not know how characters are spelled.

import {known, spend} from './bad.js';
import {charsOf, complement, union} from './char_set.js';
import {choiceOf, literal, oneOf, optional, sequence} from './expression.js';

/** @typedef {import('./expression.js').Expression} Expression */

const MAX_NESTED = 30;

/**
 * @param {string[]} texts
 * @param {import('./grammar.js').Grammar} grammar
 * @param {(e: Expression) => Expression} spell   how characters are written
 * @param {Expression} [others]   what may follow the first character that none of them has; with it, all
 *     other texts are meant
 * @returns {Expression}
 */
export function textTree(texts, grammar, spell, others) {
    for (const text of texts) spend(text.length);
    /**
     * @param {string[][]} group   texts that are alike before a place
     * @param {number} from   the place
     * @param {number} depth
     * @returns {Expression}
     */
    const after = (group, from, depth) => {
        let at = from;
        if (!others) while (group.every((text) => at < text.length && text[at] === group[0][at])) at++;
        const before = spell(literal(group[0].slice(from, at).join('')));
        /** @type {Map<string, string[][]>} */
        const ways = new Map();
        for (const text of group)
            if (at < text.length) known(ways, text[at], () => /** @type {string[][]} */ ([])).push(text);
        const all = Array.from(ways, ([char, each]) =>
            sequence(spell(literal(char)), after(each, at + 1, depth + 1)),
        );
        if (others)
            all.push(sequence(spell(oneOf(complement(union(...Array.from(ways.keys(), charsOf))))), others));
        const ends = group.some((text) => text.length === at) !== Boolean(others),
            rest = ends ? optional(choiceOf(all)) : choiceOf(all);
        return sequence(before, depth % MAX_NESTED ? rest : grammar.named(rest, 't'));
    };
    return after(
        [...new Set(texts)].map((text) => Array.from(text)),
        0,
        1,
    );
}
