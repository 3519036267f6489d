// What an answer may be -> a grammar in GBNF, the one form that the engine knows.
//
// Owns the kinds of constraint. Must not know how grammars are matched.

import {intersection, looking, toAutomaton, toRules} from './automaton.js';
import {bad, begin, tooMuch} from './bad.js';
import {NEVER, oneOf} from './expression.js';
import {Grammar} from './grammar.js';
import {parsePattern} from './regex.js';
import {schemaGrammar} from './schema.js';
import {anchored, hasEmptyLoop} from './strings.js';
import {textTree} from './text_tree.js';

/**
 * What the whole answer must be. One of the first four is given.
 * @typedef {object} Constraint
 * @property {any} [schema]       a JSON Schema (an object, true or false)
 * @property {string | RegExp} [regex]   a regular expression in ECMAScript's syntax that matches the
 *     answer as a whole
 * @property {string[]} [choices]
 * @property {string} [grammar]   GBNF
 * @property {import('./schema.js').Whitespace} [whitespace]   of JSON; 'free' if omitted
 */

const KINDS = /** @type {const} */ (['schema', 'regex', 'choices', 'grammar']);
const WHITE_SPACE = ['none', 'space', 'free'],
    MAX_CHARACTERS = 500_000;

/** @param {Constraint} constraint @returns {string} GBNF */
export function toGrammar(constraint) {
    begin();
    const given = KINDS.filter((kind) => constraint?.[kind] !== undefined);
    if (given.length !== 1)
        bad(
            `A constraint has exactly one of ${KINDS.join(', ')}, found ${given.join(' and ') || 'none of them'}.`,
        );
    const {schema, regex, choices, grammar, whitespace} = constraint;
    if (whitespace !== undefined && !WHITE_SPACE.includes(whitespace))
        bad(`"whitespace" must be one of ${WHITE_SPACE.join(', ')}.`);
    if (schema !== undefined) return schemaGrammar(schema, whitespace);
    if (regex !== undefined) return regexGrammar(regex);
    if (choices !== undefined) return choicesGrammar(choices);
    return typeof grammar === 'string' ? grammar : bad('"grammar" must be GBNF text.');
}

/**
 * What a grammar's text is made of; the names of its rules are caught. What is not closed goes to the end:
 * else each of many openers would be looked for to the end.
 */
const PIECES = /"(?:\\.|[^"\\])*"?|\[(?:\\.|[^\]\\])*\]?|#[^\n\r]*|<[^>]*>?|\{[^}]*\}?|([a-z\d-]+)/gis;

/** @param {string} one @param {string} other   GBNF, both @returns {string} GBNF of the texts of either */
export function either(one, other) {
    /**
     * @param {string} gbnf
     * @param {string} prefix   of the names of its rules, so that no two are the same
     */
    const renamed = (gbnf, prefix) =>
        gbnf.replace(PIECES, (piece, name) => (name === undefined ? piece : prefix + name));
    return `${renamed(one, 'a-')}\n${renamed(other, 'b-')}\nroot ::= a-root | b-root\n`;
}

/** @param {string | RegExp} regex @returns {string} */
function regexGrammar(regex) {
    const source = regex instanceof RegExp ? regex.source : regex;
    if (typeof source !== 'string') bad('"regex" must be a regular expression or its text.');
    const flag = regex instanceof RegExp && /[imsv]/.exec(regex.flags)?.[0];
    if (flag) bad(`The regular expression has the flag "${flag}", which is not supported; write it without it.`);
    const {expression, looks} = parsePattern(source),
        whole = looks.length ? undefined : (anchored(expression, NEVER) ?? withoutAnchors(expression));
    const grammar = new Grammar();
    const root =
        whole && !hasEmptyLoop(whole)
            ? whole
            : toRules(intersection([toAutomaton(expression), ...looking(looks)]), grammar, {spell: oneOf});
    return grammar.write(root) ?? bad('No text matches the regular expression.');
}

/** @param {import('./expression.js').Expression} e */
function withoutAnchors(e) {
    return anchored({kind: 'sequence', of: [{kind: 'start'}, e, {kind: 'end'}]}, NEVER);
}

/** @param {string[]} choices @returns {string} */
function choicesGrammar(choices) {
    if (!Array.isArray(choices) || choices.length === 0 || choices.some((each) => typeof each !== 'string')) {
        bad('"choices" must be a list of texts, one at least.');
    }
    const broken = choices.find((each) => /\p{Surrogate}/u.test(each));
    if (broken !== undefined)
        bad(`A choice has half of a surrogate pair, which no text has: ${JSON.stringify(broken)}.`);
    if (choices.reduce((sum, each) => sum + each.length, 0) > MAX_CHARACTERS)
        tooMuch(MAX_CHARACTERS, 'characters in "choices"');
    const grammar = new Grammar();
    return /** @type {string} */ (grammar.write(textTree(choices, grammar, (e) => e)));
}
