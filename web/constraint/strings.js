// Sets of strings, and how their members are written in JSON.
//
// Owns both: patterns, formats and lengths together. Must not know schemas.

import {accepts, intersection, looking, toAutomaton, toRules} from './automaton.js';
import {known} from './bad.js';
import {ANY} from './char_set.js';
import {
    choice,
    EMPTY,
    hasAnchor,
    isNever,
    NEVER,
    oneOf,
    partsOf,
    repeat,
    sequence,
    UNBOUNDED,
} from './expression.js';
import {SHORTER} from './formats.js';
import {parsePattern} from './regex.js';

/** @typedef {import('./expression.js').Expression} Expression */
/** @typedef {import('./automaton.js').Automaton} Automaton */

/**
 * @typedef {object} StringSet
 * @property {string[]} [only]   what an enum leaves
 * @property {number} min        code points
 * @property {number} max
 * @property {string[]} patterns
 */

/** @type {StringSet} */
export const ALL_STRINGS = {min: 0, max: UNBOUNDED, patterns: []};

/** More than these are written as the expression that they come from, where that can be. */
const FEW_STATES = 300,
    FEW_WITH_LENGTHS = 6000;
const ANYTHING = repeat(oneOf(ANY), 0, UNBOUNDED);

/** Patterns, each of them parsed once. */
export class Patterns {
    /** @type {Map<string, import('./regex.js').Pattern & {automaton?: Automaton}>} */
    #known = new Map();

    /** @param {string} source @returns {Expression | undefined} with its anchors, where that is all of it */
    expression(source) {
        const {expression, looks} = this.#get(source);
        return looks.length ? undefined : expression;
    }

    /** What has a part that matches. @param {string} source @returns {Automaton} */
    automaton(source) {
        const pattern = this.#get(source);
        return (pattern.automaton ??= intersection([
            toAutomaton(pattern.expression, {search: true}),
            ...looking(pattern.looks),
        ]));
    }

    /** @param {string} source @param {string} text @returns {boolean} */
    test(source, text) {
        return accepts(this.automaton(source), text);
    }

    /** @param {string} source @returns {import('./regex.js').Pattern & {automaton?: Automaton}} */
    #get(source) {
        return known(this.#known, source, () => parsePattern(source));
    }
}

/**
 * @param {StringSet} a
 * @param {StringSet} b
 * @param {Patterns} patterns
 * @returns {StringSet | undefined} undefined where no string is in both
 */
export function intersectStrings(a, b, patterns) {
    const both = {
        min: Math.max(a.min, b.min),
        max: Math.min(a.max, b.max),
        patterns: [...new Set([...a.patterns, ...b.patterns])],
    };
    if (both.min > both.max) return;
    if (!a.only && !b.only) return both;
    const other = a.only && b.only ? new Set(b.only) : undefined;
    const only = (a.only ?? b.only ?? []).filter(
        (text) => (!other || other.has(text)) && contains(both, text, patterns),
    );
    return only.length ? {...ALL_STRINGS, only} : undefined;
}

/** @param {StringSet} set @param {string} text @param {Patterns} patterns */
function contains(set, text, patterns) {
    const length = Array.from(text).length;
    return (
        length >= set.min && length <= set.max && set.patterns.every((source) => patterns.test(source, text))
    );
}

/**
 * @param {StringSet} set
 * @param {Patterns} patterns
 * @param {import('./json_text.js').JsonText} json
 * @returns {Expression} with its quotes
 */
export function stringText(set, patterns, json) {
    if (set.only)
        return sequence(json.quote, json.list(set.only), json.quote);
    if (set.patterns.length === 0) return json.freeString(set.min, set.max);
    let short = set,
        whole = plainPattern(set, patterns);
    if (!whole) {
        short = shortened(set, patterns);
        whole = plainPattern(short, patterns) ?? openPattern(short, patterns);
    }
    const body = whole
        ? json.spell(whole)
        : toRules(automatonOf(short, patterns), json.grammar, {spell: (chars) => json.spell(oneOf(chars))});
    return sequence(json.quote, body, json.quote);
}

/** @param {StringSet} set @param {Patterns} patterns @returns {Automaton} */
export function automatonOf({min, max, patterns: sources}, patterns) {
    const automata = sources.map((source) => patterns.automaton(source));
    if (min > 0 || max !== UNBOUNDED) automata.push(toAutomaton(repeat(oneOf(ANY), min, max)));
    return intersection(automata);
}

/**
 * Whether there are few states for a pattern and its lengths.
 * @param {StringSet} set
 * @param {Patterns} patterns
 */
function isSmall({max, patterns: [source]}, patterns) {
    const {length} = patterns.automaton(source);
    return max === UNBOUNDED ? length <= FEW_STATES : length * max <= FEW_WITH_LENGTHS;
}

/**
 * A set with a simpler form of its format, where a length needs that.
 * @param {StringSet} set
 * @param {Patterns} patterns
 */
function shortened(set, patterns) {
    const [source, other] = set.patterns,
        shorter = SHORTER.get(source);
    return other !== undefined || !shorter || set.max === UNBOUNDED || isSmall(set, patterns)
        ? set
        : {...set, patterns: [shorter]};
}

/**
 * A pattern of many states as an expression. Beside a length it may leave out long texts.
 * @param {StringSet} set
 * @param {Patterns} patterns
 * @returns {Expression | undefined}
 */
function openPattern(set, patterns) {
    if (set.patterns.length > 1 || isSmall(set, patterns)) return;
    const {min, max} = set,
        e = patterns.expression(set.patterns[0]),
        whole = e && anchored(e, ANYTHING);
    if (!whole || hasEmptyLoop(whole)) return;
    const short = max === UNBOUNDED ? whole : clipped(whole, max);
    return lengths(short)[0] >= min && !isNever(short) ? short : undefined;
}

/**
 * Texts of an expression that have at most some characters. Its parts share these, so it leaves out others
 * that are not longer.
 * @param {Expression} e
 * @param {number} most
 * @returns {Expression}
 */
function clipped(e, most) {
    const [least, all] = lengths(e);
    if (all <= most) return e;
    if (least > most) return NEVER;
    if (e.kind === 'choice') return choice(...e.of.map((way) => clipped(way, most)));
    if (e.kind === 'repeat') {
        const [few, many] = lengths(e.of),
            side = Math.floor(Math.sqrt(most)),
            fit = many <= side ? most / many : Math.min(Math.max(e.min, side), most / few);
        const times = Math.min(e.max, Math.floor(fit));
        return repeat(clipped(e.of, Math.floor(most / times)), e.min, times);
    }
    const of = [...partsOf(e)];
    let left = most - least;
    const wishes = of.map((part, i) => {
        const [few, many] = lengths(part);
        return {i, few, wish: many - few};
    });
    wishes.sort((a, b) => a.wish - b.wish).forEach(({i, few, wish}, k) => {
        const more = Math.min(wish, Math.floor(left / (of.length - k)));
        of[i] = clipped(of[i], few + more);
        left -= more;
    });
    return sequence(...of);
}

/**
 * A pattern that holds a whole text, within lengths, where no automaton is needed for it.
 * @param {StringSet} set
 * @param {Patterns} patterns
 * @returns {Expression | undefined}
 */
function plainPattern({min, max, patterns: [source, other]}, patterns) {
    const e = other === undefined ? patterns.expression(source) : undefined,
        whole = e && anchored(e, NEVER);
    if (!whole || hasEmptyLoop(whole)) return;
    if (min === 0 && max === UNBOUNDED) return whole;
    const [least, most] = lengths(whole);
    if (least >= min && most <= max) return whole;
    const parts = whole.kind === 'sequence' ? whole.of : [whole];
    const free = parts.filter((part) => !isFixed(part));
    if (free.length !== 1 || free[0].kind !== 'repeat' || !isFixed(free[0].of)) return;
    const {of, min: few, max: many} = free[0],
        unit = lengths(of)[0];
    const rest = parts.reduce((sum, part) => (part === free[0] ? sum : sum + lengths(part)[0]), 0);
    const loop = repeat(
        of,
        Math.max(few, Math.ceil((min - rest) / unit)),
        Math.min(many, Math.floor((max - rest) / unit)),
    );
    return sequence(...parts.map((part) => (part === free[0] ? loop : part)));
}

/**
 * Whole texts from an expression with anchors, where those stand only at its ends.
 * @param {Expression} e
 * @param {Expression} around   what an end without an anchor may have beside it; NEVER where it must have one
 * @returns {Expression | undefined}
 */
export function anchored(e, around) {
    const ways = [];
    for (const way of e.kind === 'choice' ? e.of : [e]) {
        let parts = way.kind === 'sequence' ? way.of : [way];
        const start = parts[0]?.kind === 'start',
            end = parts.length > 0 && parts[parts.length - 1].kind === 'end';
        if (around === NEVER && !(start && end)) return;
        parts = parts.slice(start ? 1 : 0, end ? -1 : undefined);
        if (parts.some(hasAnchor)) return;
        ways.push(sequence(start ? EMPTY : around, ...parts, end ? EMPTY : around));
    }
    return choice(...ways);
}

/** @param {Expression} e @returns {[number, number]} the least and the greatest number of characters */
function lengths(e) {
    if (e.kind === 'set') return [1, 1];
    if (e.kind === 'repeat') {
        const [least, most] = lengths(e.of);
        return [least * e.min, most === 0 ? 0 : most * e.max];
    }
    if (e.kind === 'choice') {
        const all = e.of.map(lengths);
        return [Math.min(...all.map(([least]) => least)), Math.max(...all.map(([, most]) => most))];
    }
    /** @type {[number, number]} */
    const sum = [0, 0];
    for (const part of e.kind === 'sequence' ? e.of : []) lengths(part).forEach((n, i) => (sum[i] += n));
    return sum;
}

/** @param {Expression} e */
function isFixed(e) {
    const [least, most] = lengths(e);
    return least === most;
}

/**
 * Whether it repeats what may be empty, which a grammar must not.
 * @param {Expression} e
 * @returns {boolean}
 */
export const hasEmptyLoop = (e) =>
    (e.kind === 'repeat' && lengths(e.of)[0] === 0) || partsOf(e).some(hasEmptyLoop);
