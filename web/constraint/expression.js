// Expressions: what a regular expression, a part of a JSON text and the right side of a grammar rule are
// made of.
//
// Owns their construction, with the simplifications that need no thought. Must not know how they are written
// or matched.

import {known, spend} from './bad.js';
import {charsOf} from './char_set.js';

/**
 * @typedef {import('./char_set.js').CharSet} CharSet
 * @typedef {{kind: 'set', set: CharSet} | {kind: 'sequence', of: Expression[]} | {kind: 'choice', of:
 *     Expression[]} | {kind: 'repeat', of: Expression, min: number, max: number} | {kind: 'rule', name:
 *     string} | {kind: 'token', name: string} | {kind: 'start'} | {kind: 'end'}} Expression   start and end
 *     are the anchors of a pattern; a token is a control token, which no text stands for
 */

/** @type {Expression} */
export const EMPTY = {kind: 'sequence', of: []};
/** What nothing matches. @type {Expression} */
export const NEVER = {kind: 'choice', of: []};
export const UNBOUNDED = Infinity;
/** What is one character, made once. @type {Map<string, Expression>} */
const SINGLES = new Map();

/** @param {Expression} e */
export const isNever = (e) => e.kind === 'choice' && e.of.length === 0;
/** @param {Expression} e */
export const isEmpty = (e) => e.kind === 'sequence' && e.of.length === 0;

/** Whether all characters of a set are halves of surrogate pairs, which no text has. @param {CharSet} set */
const isHalves = (set) => set.every((point) => point >= 0xd800 && point <= 0xdfff);

/** @param {CharSet} set @returns {Expression} */
export const oneOf = (set) => (isHalves(set) ? NEVER : {kind: 'set', set});

/** @param {string} text @returns {Expression} exactly this text */
export function literal(text) {
    spend(text.length);
    const of = Array.from(text, (char) => known(SINGLES, char, () => oneOf(charsOf(char))));
    return of.length === 1 ? of[0] : {kind: 'sequence', of};
}

/** @param {string} name @returns {Extract<Expression, {kind: 'rule'}>} */
export const rule = (name) => ({kind: 'rule', name});

/** @param {string} name   with < and > @returns {Expression} */
export const token = (name) => ({kind: 'token', name});

/** @param {Expression[]} parts @returns {Expression} */
export const sequence = (...parts) => sequenceOf(parts);

/** @param {Expression[]} parts @returns {Expression} */
function sequenceOf(parts) {
    spend(1 + parts.length);
    if (parts.some(isNever)) return NEVER;
    const of = parts.flatMap((part) => (part.kind === 'sequence' ? part.of : [part]));
    return of.length === 1 ? of[0] : {kind: 'sequence', of};
}

/** @param {Expression[]} ways @returns {Expression} */
export const choice = (...ways) => choiceOf(ways);

/** @param {Expression[]} ways @returns {Expression} */
export function choiceOf(ways) {
    spend(1 + ways.length);
    const of = ways.flatMap((way) => (way.kind === 'choice' ? way.of : [way]));
    return of.length === 1 ? of[0] : {kind: 'choice', of};
}

/** @param {Expression} of @param {number} min @param {number} max @returns {Expression} */
export function repeat(of, min, max) {
    if (min > max || (min > 0 && isNever(of))) return NEVER;
    if (max === 0 || isEmpty(of) || isNever(of)) return EMPTY;
    if (of.kind === 'repeat') {
        if (min === 0 && max === 1 && of.min <= 1) return repeat(of.of, 0, of.max);
        if (of.min <= 1 && of.max === UNBOUNDED) return repeat(of.of, of.min === 0 ? 0 : min, UNBOUNDED);
    }
    return min === 1 && max === 1 ? of : {kind: 'repeat', of, min, max};
}

/** What an expression is made of. @param {Expression} e @returns {Expression[]} */
export const partsOf = (e) =>
    e.kind === 'repeat' ? [e.of] : e.kind === 'choice' || e.kind === 'sequence' ? e.of : [];

/**
 * An expression with other parts in their places.
 * @param {Expression} e
 * @param {(part: Expression) => Expression} change
 * @returns {Expression}
 */
export function mapParts(e, change) {
    if (e.kind === 'repeat') return repeat(change(e.of), e.min, e.max);
    return e.kind === 'choice'
        ? choiceOf(e.of.map(change))
        : e.kind === 'sequence'
          ? sequenceOf(e.of.map(change))
          : e;
}

/** @param {Expression} e @returns {boolean} */
export const hasAnchor = (e) => e.kind === 'start' || e.kind === 'end' || partsOf(e).some(hasAnchor);

/** @param {Expression} of @returns {Expression} */
export const optional = (of) => repeat(of, 0, 1);
