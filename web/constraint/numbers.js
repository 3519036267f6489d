// Sets of numbers, and how their members are written in JSON.
//
// Owns both. An integer is written without a fraction. A number between bounds is written with a fraction, and with an exponent only
// where its bounds can't tell. Lengths are limited so that a reader that computes in doubles sees no number beyond its range, and
// none that it rounds onto a bound that it must not reach.

import {bad} from './bad.js';
import {intersection, toAutomaton, toRules} from './automaton.js';
import {charsOf} from './char_set.js';
import {choice, EMPTY, isNever, literal, NEVER, oneOf, optional, repeat, sequence} from './expression.js';

/** @typedef {import('./expression.js').Expression} Expression */

/**
 * @typedef {object} NumberSet
 * @property {number[]} [only]   what an enum leaves
 * @property {boolean} integer
 * @property {number} min
 * @property {number} max
 * @property {boolean} above     min itself is not in it
 * @property {boolean} below     max itself is not in it
 * @property {bigint} [step]     what it is a multiple of
 */

/** @type {NumberSet} */
export const ALL_NUMBERS = {integer: false, min: -Infinity, max: Infinity, above: false, below: false};

const MAX_DIGITS = 99, MAX_FRACTION = 25, MAX_ZEROS = 20, EXACT_DIGITS = 15, MAX_LISTED = 2000, MAX_STEP = 3000;
const MINUS = literal('-'), ZERO = literal('0'), POINT = literal('.');
const DIGIT = oneOf([0x30, 0x39]), FIRST = oneOf([0x31, 0x39]), E = oneOf(charsOf('eE'));
const LARGE = sequence(E, optional(literal('+')), choice(sequence(optional(ZERO), DIGIT), sequence(optional(literal('1')), DIGIT, DIGIT)));
const SMALL = sequence(E, MINUS, repeat(DIGIT, 1, 3));

/** @param {NumberSet} a @param {NumberSet} b @returns {NumberSet | undefined} undefined where no number is in both */
export function intersectNumbers(a, b) {
    const min = Math.max(a.min, b.min), max = Math.min(a.max, b.max);
    const both = {
        integer: a.integer || b.integer,
        min, max,
        above: a.min === min && a.above || b.min === min && b.above,
        below: a.max === max && a.below || b.max === max && b.below,
        step: a.step && b.step ? a.step * b.step / divisor(a.step, b.step) : a.step ?? b.step,
    };
    const only = a.only && b.only ? a.only.filter((value) => b.only?.includes(value)) : a.only ?? b.only;
    if (!only) return isVoidRange(both) ? undefined : both;
    const left = only.filter((value) => contains(both, value));
    return left.length ? {...both, only: left} : undefined;
}

/** @param {bigint} a @param {bigint} b @returns {bigint} */
const divisor = (a, b) => b ? divisor(b, a % b) : a;

/** @param {NumberSet} set @param {number} value @returns {boolean} */
function contains(set, value) {
    return (!set.integer || Number.isInteger(value)) && (set.above ? value > set.min : value >= set.min)
        && (set.below ? value < set.max : value <= set.max)
        && (!set.step || Number.isInteger(value) && BigInt(value) % set.step === 0n);
}

/** @param {NumberSet} set @returns {boolean} */
function isVoidRange(set) {
    if (!set.integer) return set.min > set.max || set.min === set.max && (set.above || set.below);
    const {low, high} = integerBounds(set);
    return low !== undefined && high !== undefined && low > high;
}

/** The least and the greatest integer, in steps where it has steps. @param {NumberSet} set @returns {{low?: bigint, high?: bigint}} */
function integerBounds({min, max, above, below, step = 1n}) {
    let low = Number.isFinite(min) ? BigInt(Math.ceil(min)) : undefined;
    let high = Number.isFinite(max) ? BigInt(Math.floor(max)) : undefined;
    if (low !== undefined && above && Number.isInteger(min)) low++;
    if (high !== undefined && (below && Number.isInteger(max) || isRounded(high))) high--;
    if (low !== undefined) low = low > 0 ? (low + step - 1n) / step * step : low / step * step;
    if (high !== undefined) high = high < 0 ? (high - step + 1n) / step * step : high / step * step;
    return {low, high};
}

/** Whether a bound is what a double makes of 2^63 - 1 or a limit like it. @param {bigint} bound */
const isRounded = (bound) => bound > 2n ** 53n && (bound & bound - 1n) === 0n;

/**
 * @param {NumberSet} set
 * @param {import('./grammar.js').Grammar} grammar
 * @returns {Expression}
 */
export function numberText(set, grammar) {
    if (set.only) return choice(...set.only.map(valueText));
    if (set.step !== undefined && set.step !== 1n) return multiples(set, grammar);
    return set.integer ? integers(integerBounds(set)) : decimals(set);
}

/** As JavaScript and as Python write a number. @param {number} value @returns {Expression} */
export function valueText(value) {
    const text = String(value === 0 ? 0 : value), [digits, exponent] = text.split('e');
    const ways = new Set([text]);
    if (exponent) ways.add(`${digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`);
    else if (Math.abs(value) >= 1e16) ways.add(value.toExponential());
    else if (value !== 0 && Math.abs(value) < 1e-4) ways.add(value.toExponential().replace(/e-(\d)$/, 'e-0$1'));
    return choice(...Array.from(ways, literal));
}

/** @param {{low?: bigint, high?: bigint}} bounds @returns {Expression} */
function integers({low, high}) {
    if (low === undefined && high === undefined) return sequence(optional(MINUS), size(0n));
    const below = low === undefined || low < 0 ? size(high !== undefined && high < 0 ? -high : 1n, low === undefined ? undefined : -low) : NEVER;
    const above = high === undefined || high >= 0 ? size(low !== undefined && low > 0 ? low : 0n, high) : NEVER;
    return choice(sequence(MINUS, below), above);
}

/** The whole numbers from one to another, neither of them below 0. @param {bigint} from @param {bigint} [to] @returns {Expression} */
function size(from, to) {
    if (to !== undefined && from > to) return NEVER;
    if (from === 0n) return choice(ZERO, size(1n, to));
    const a = String(from);
    if (to === undefined && /^10*$/.test(a)) return sequence(FIRST, repeat(DIGIT, a.length - 1, MAX_DIGITS - 1));
    if (to === undefined) {
        return choice(between(a, '9'.repeat(a.length)), a.length < MAX_DIGITS ? sequence(FIRST, repeat(DIGIT, a.length, MAX_DIGITS - 1)) : NEVER);
    }
    const b = String(to);
    if (a.length === b.length) return between(a, b);
    const middle = b.length - a.length > 1 ? sequence(FIRST, repeat(DIGIT, a.length, b.length - 2)) : NEVER;
    return choice(between(a, '9'.repeat(a.length)), middle, between(`1${'0'.repeat(b.length - 1)}`, b));
}

/** Numbers of the same length. @param {string} a @param {string} b @returns {Expression} */
function between(a, b) {
    if (a === '') return EMPTY;
    const rest = a.length - 1, low = Number(a[0]), high = Number(b[0]);
    if (low === high) return sequence(literal(a[0]), between(a.slice(1), b.slice(1)));
    const from = /^0*$/.test(a.slice(1)) ? low : low + 1, to = /^9*$/.test(b.slice(1)) ? high : high - 1;
    return choice(
        from > low ? sequence(literal(a[0]), between(a.slice(1), '9'.repeat(rest))) : NEVER,
        from <= to ? sequence(digit(from, to), repeat(DIGIT, rest, rest)) : NEVER,
        to < high ? sequence(literal(b[0]), between('0'.repeat(rest), b.slice(1))) : NEVER);
}

/** @param {number} from @param {number} to @returns {Expression} */
const digit = (from, to) => from > to ? NEVER : oneOf([0x30 + from, 0x30 + to]);

/**
 * A bound as text, and whether it is not reached.
 * @typedef {{whole: bigint, part: string, open: boolean}} Bound
 */

/** @param {number} value @param {boolean} open @returns {Bound} of its size */
function boundOf(value, open) {
    const [digits, exponent = '0'] = String(Math.abs(value)).split('e');
    const [whole, part = ''] = digits.split('.'), shift = Number(exponent);
    const all = whole + part, point = whole.length + shift;
    const padded = point <= 0 ? '0'.repeat(1 - point) + all : all.padEnd(point, '0');
    const at = Math.max(point, 1);
    return {whole: BigInt(padded.slice(0, at)), part: padded.slice(at).replace(/0+$/, ''), open};
}

/** @param {NumberSet} set @returns {Expression} */
function decimals({min, max, above, below}) {
    if (min === -Infinity && max === Infinity) {
        return sequence(optional(MINUS), size(0n), fraction(MAX_FRACTION), optional(choice(LARGE, SMALL)));
    }
    const zero = {whole: 0n, part: '', open: true};
    const negative = min < 0 ? sizes(max < 0 ? boundOf(max, below) : zero, min === -Infinity ? undefined : boundOf(min, above)) : NEVER;
    const holdsZero = min < 0 || min === 0 && !above;
    const positive = max < 0 ? NEVER
        : sizes(min > 0 ? boundOf(min, above) : {...zero, open: !holdsZero}, max === Infinity ? undefined : boundOf(max, below));
    return choice(sequence(MINUS, negative), positive);
}

/** @param {number} digits @returns {Expression} */
const fraction = (digits) => optional(sequence(POINT, repeat(DIGIT, 1, digits)));

/** Numbers from one to another, neither of them below 0. @param {Bound} from @param {Bound} [to] @returns {Expression} */
function sizes(from, to) {
    const isZero = from.whole === 0n && from.part === '';
    // A double rounds a long fraction beside an open bound onto it.
    const below = to?.open ? Math.max(1, EXACT_DIGITS - String(to.whole).length) : MAX_FRACTION;
    if (to && from.whole === to.whole) return sequence(literal(String(from.whole)), tail(from, to, below));
    if (to && from.whole > to.whole) return NEVER;
    const last = to && to.whole - 1n, edge = last !== undefined && last > from.whole ? last : undefined;
    const ways = [
        sequence(literal(String(from.whole)), tail(from, undefined, last === from.whole ? below : MAX_FRACTION)),
        sequence(size(from.whole + 1n, edge && edge - 1n), to && edge === undefined ? NEVER : fraction(MAX_FRACTION)),
        edge === undefined ? NEVER : sequence(literal(String(edge)), fraction(below)),
        to ? sequence(literal(String(to.whole)), tail(undefined, to, below)) : NEVER,
    ];
    const tiny = isZero && (!to || to.whole >= 1n), huge = !to && (from.whole === 0n || from.whole === 1n && from.part === '' && !from.open);
    if (tiny) ways.push(sequence(FIRST, fraction(below), E, MINUS, optional(ZERO), FIRST, repeat(DIGIT, 0, 1)));
    if (huge) ways.push(sequence(FIRST, fraction(MAX_FRACTION), LARGE));
    return choice(...ways);
}

/**
 * The fraction after a whole part that is that of one or of both bounds.
 * @param {Bound | undefined} from
 * @param {Bound | undefined} to
 * @param {number} digits   at most so many
 * @returns {Expression}
 */
function tail(from, to, digits) {
    const zeros = from?.whole || from?.part ? Math.max(0, EXACT_DIGITS - 1 - `${from.whole}${from.part}`.length) : MAX_ZEROS;
    /** @param {string | undefined} low @param {string | undefined} high   what is left of the bounds that it still equals */
    const mayEnd = (low, high) => (low === undefined || low === '' && !from?.open) && (high === undefined || high !== '' || !to?.open);
    /** @param {string | undefined} low @param {string | undefined} high @param {number} left @returns {Expression} */
    const more = (low, high, left) => {
        if (low === undefined && high === undefined) return repeat(DIGIT, 1, Math.max(1, left));
        if (high === undefined && low === '') {
            return from?.open ? sequence(repeat(ZERO, 0, zeros), FIRST, repeat(DIGIT, 0, Math.max(0, left))) : repeat(DIGIT, 1, Math.max(1, left));
        }
        if (high === '' && !low) return to?.open || low === '' && from?.open ? NEVER : repeat(ZERO, 1, MAX_ZEROS);
        const first = Number(low?.[0] ?? 0), last = high === undefined ? 9 : Number(high[0] ?? 0);
        const ways = [];
        for (const each of new Set([first, last])) {
            if (each < first || each > last) continue;
            const rest = /** @type {const} */ ([each === first ? low?.slice(1) : undefined, each === last ? high?.slice(1) : undefined]);
            ways.push(sequence(digit(each, each), choice(mayEnd(...rest) ? EMPTY : NEVER, more(...rest, left - 1))));
        }
        if (first + 1 <= last - 1) ways.push(sequence(digit(first + 1, last - 1), repeat(DIGIT, 0, Math.max(0, left - 1))));
        return choice(...ways);
    };
    const low = from?.part, high = to?.part;
    return choice(mayEnd(low, high) ? EMPTY : NEVER, sequence(POINT, more(low, high, digits)));
}

/** @param {NumberSet} set @param {import('./grammar.js').Grammar} grammar @returns {Expression} */
function multiples(set, grammar) {
    const step = /** @type {bigint} */ (set.step), {low, high} = integerBounds(set);
    if (low !== undefined && high !== undefined && (high - low) / step <= MAX_LISTED) {
        const all = [];
        for (let value = low; value <= high; value += step) all.push(literal(String(value)));
        return choice(...all);
    }
    if (step > MAX_STEP) bad(`"multipleOf" is ${step}: more than ${MAX_STEP} takes a minimum and a maximum near each other.`);
    const limit = 10n ** BigInt(EXACT_DIGITS) - 1n;
    const range = integers({low: low === undefined || low < -limit ? -limit : low, high: high === undefined || high > limit ? limit : high});
    return isNever(range) ? NEVER : toRules(intersection([remainders(Number(step)), toAutomaton(range)]), grammar, {spell: oneOf});
}

/** The multiples of a number, as an automaton of remainders that is as small as can be. @param {number} step @returns {import('./automaton.js').Automaton} */
function remainders(step) {
    // Two remainders are alike where the same further digits make both a multiple: those that agree after so many digits.
    let classes = 0;
    /** @type {number[]} */
    let of = Array.from({length: step}, (_, r) => r === 0 ? 1 : 0);
    for (;;) {
        /** @type {Map<string, number>} */
        const names = new Map();
        const next = of.map((each, r) => {
            const key = [each, ...Array.from({length: 10}, (_, d) => of[(r * 10 + d) % step])].join();
            return names.get(key) ?? (names.set(key, names.size), names.size - 1);
        });
        if (names.size === classes) break;
        classes = names.size;
        of = next;
    }
    /** @type {import('./automaton.js').Automaton} */
    const states = [{accepts: false, edges: [[[0x2d, 0x2d], 1], [[0x30, 0x30], 2]]}, {accepts: false, edges: []}, {accepts: true, edges: []}];
    const first = /** @type {number[]} */ ([]);
    of.forEach((each, r) => first[each] ??= r);
    first.forEach((r) => states.push({accepts: r === 0, edges: Array.from({length: 10}, (_, d) => [[0x30 + d, 0x30 + d], 3 + of[(r * 10 + d) % step]])}));
    for (const from of [0, 1]) for (let d = 1; d < 10; d++) states[from].edges.push([[0x30 + d, 0x30 + d], 3 + of[d % step]]);
    return states;
}
