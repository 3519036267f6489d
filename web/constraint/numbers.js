// Sets of numbers, and how their members are written in JSON.
//
// Owns both. An integer is written without a fraction. A number between bounds is written with a fraction,
// and with an exponent only where its bounds can't tell. Lengths are limited so that a reader that computes
// in doubles sees no number beyond its range, and none that it rounds onto a bound that it must not reach.

import {bad} from './bad.js';
import {intersection, toAutomaton, toRules} from './automaton.js';
import {any, between, digit, NOTHING} from './digits.js';
import {choice, isNever, literal, NEVER, oneOf} from './expression.js';
import {parseRegex} from './regex.js';
import {remainders} from './remainders.js';

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
 * @property {string[]} [parts]   patterns of decimals that it is in, as multiples are
 */

/** @type {NumberSet} */
export const ALL_NUMBERS = {integer: false, min: -Infinity, max: Infinity, above: false, below: false};

const FAR = 1e90;
/** Below 2^53, so that doubles are exact, with a first digit that needs few states. */
const MOST_MULTIPLE = 8_999_999_999_999_999n;
/**
 * A small model that is free to goes on with digits for ever. Of whole numbers without bounds, those of 64 bits;
 * of others, those of the longest that llama.cpp's tests write.
 */
const MAX_FREE_DIGITS = 20,
    MAX_DIGITS = 33,
    MAX_FRACTION = 25,
    EXACT_DIGITS = 15,
    MAX_LISTED = 2000,
    MAX_STEP = 3000;
const LARGE = '[eE]\\+?(?:0?\\d|1?\\d\\d)',
    TINY = '[eE]-(?:0?[1-9]|[1-8]\\d)',
    LEAST = 1e-89;

/**
 * @param {NumberSet} a
 * @param {NumberSet} b
 * @returns {NumberSet | undefined} undefined where no number is in both
 */
export function intersectNumbers(a, b) {
    const min = Math.max(a.min, b.min),
        max = Math.min(a.max, b.max);
    /** @type {NumberSet} */
    const both = {
        integer: a.integer || b.integer,
        min,
        max,
        above: (a.min === min && a.above) || (b.min === min && b.above),
        below: (a.max === max && a.below) || (b.max === max && b.below),
        step: a.step && b.step ? (a.step * b.step) / divisor(a.step, b.step) : (a.step ?? b.step),
    };
    const parts = [...(a.parts ?? []), ...(b.parts ?? [])];
    if (parts.length && !both.integer) both.parts = parts;
    const only = a.only && b.only ? a.only.filter((value) => b.only?.includes(value)) : (a.only ?? b.only);
    if (!only) return isVoidRange(both) ? undefined : both;
    const left = only.filter((value) => contains(both, value));
    return left.length ? {...both, only: left} : undefined;
}

/** @param {bigint} a @param {bigint} b @returns {bigint} */
const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** @param {NumberSet} set @param {number} value @returns {boolean} */
function contains(set, value) {
    return (
        (!set.integer || Number.isInteger(value))
        && (set.above ? value > set.min : value >= set.min)
        && (set.below ? value < set.max : value <= set.max)
        && (Number.isInteger(value) || (set.parts ?? []).every((part) => RegExp(part).test(String(value))))
        && (!set.step || (Number.isInteger(value) && BigInt(value) % set.step === 0n))
    );
}

/** @param {NumberSet} set @returns {boolean} */
function isVoidRange(set) {
    if (!set.integer) return set.min > set.max || (set.min === set.max && (set.above || set.below));
    const {low, high} = integerBounds(set);
    return low !== undefined && high !== undefined && low > high;
}

/**
 * The least and the greatest integer, in steps where it has steps.
 * @param {NumberSet} set
 * @returns {{low?: bigint, high?: bigint}}
 */
function integerBounds({min, max, above, below, step = 1n}) {
    let low = Number.isFinite(min) ? BigInt(Math.ceil(min)) : undefined;
    let high = Number.isFinite(max) ? BigInt(Math.floor(max)) : undefined;
    if (low !== undefined && above && Number.isInteger(min)) low += gapOf(low);
    if (high !== undefined && below && Number.isInteger(max)) high -= gapOf(high);
    else if (high !== undefined && isRounded(high)) high--;
    if (low !== undefined) low = low > 0 ? ((low + step - 1n) / step) * step : (low / step) * step;
    if (high !== undefined) high = high < 0 ? ((high - step + 1n) / step) * step : (high / step) * step;
    return {low, high};
}

/** How far from a whole bound that is not reached a double does not round onto it. @param {bigint} bound */
const gapOf = (bound) => 1n + (bound < 0 ? -bound : bound) / 2n ** 52n;

/** Whether a bound is what a double makes of 2^63 - 1 or a limit like it. @param {bigint} bound */
const isRounded = (bound) => bound > 2n ** 53n && (bound & (bound - 1n)) === 0n;

/**
 * @param {NumberSet} set
 * @param {import('./grammar.js').Grammar} grammar
 * @returns {Expression}
 */
export function numberText(set, grammar) {
    if (set.only) return choice(...set.only.map(valueText));
    const text = rangeText(set, grammar);
    if (isNever(text))
        bad(
            `From ${set.min} to ${set.max} ("minimum", "maximum") no number can be written: `
                + `sizes are ${LEAST} to ${FAR}, and multiples are at most ${MOST_MULTIPLE}.`,
        );
    return text;
}

/** @param {NumberSet} set @param {import('./grammar.js').Grammar} grammar @returns {Expression} */
function rangeText(set, grammar) {
    if (set.min > FAR || set.max < -FAR) return NEVER;
    if (set.step !== undefined && set.step !== 1n) return multiples(set, grammar);
    // A bound beyond all that is ever written is one that can be written.
    const min = set.min > -Infinity ? Math.max(set.min, -FAR) : set.min,
        max = set.max < Infinity ? Math.min(set.max, FAR) : set.max;
    const near = {...set, min, max};
    const all = parseRegex(set.integer ? integers(integerBounds(near)) : decimals(near));
    if (set.integer || !set.parts) return all;
    const automata = [all, ...set.parts.map(parseRegex)].map((e) => toAutomaton(e));
    return toRules(intersection(automata), grammar, {spell: oneOf});
}

/** As JavaScript and as Python write a number. @param {number} value @returns {Expression} */
function valueText(value) {
    const text = String(value === 0 ? 0 : value),
        size = Math.abs(value),
        ways = new Set([text]);
    if (size >= 1e16 || (size < 1e-4 && size > 0))
        ways.add(value.toExponential().replace(/([+-])(\d)$/, '$10$2'));
    return choice(...Array.from(ways, literal));
}

/** @param {{low?: bigint, high?: bigint}} bounds @returns {string} a pattern */
function integers({low, high}) {
    if (low === undefined && high === undefined) return `-?${size(0n, undefined, MAX_FREE_DIGITS)}`;
    const below =
        low === undefined || low < 0
            ? size(high !== undefined && high < 0 ? -high : 1n, low && -low)
            : NOTHING;
    const above =
        high === undefined || high >= 0 ? size(low !== undefined && low > 0 ? low : 0n, high) : NOTHING;
    return any(`-${below}`, above);
}

/**
 * The whole numbers from one to another, neither of them below 0.
 * @param {bigint} from
 * @param {bigint} [to]
 * @param {number} [digits]   of the longest, where there is no end
 * @returns {string} a pattern
 */
function size(from, to, digits = MAX_DIGITS) {
    if (to !== undefined && from > to) return NOTHING;
    if (from === 0n) return any('0', size(1n, to, digits));
    const a = String(from),
        b = to === undefined ? undefined : String(to),
        n = a.length;
    if (b?.length === n) return between(a, b);
    const most = b ? b.length - 1 : Math.max(n + 1, digits),
        isRound = /^10*$/.test(a);
    const longer = isRound || n < most ? `[1-9]\\d{${isRound ? n - 1 : n},${most - 1}}` : NOTHING;
    return any(
        isRound ? NOTHING : between(a, '9'.repeat(n)),
        longer,
        b ? between(`1${'0'.repeat(b.length - 1)}`, b) : NOTHING,
    );
}

/**
 * A bound as text, and whether it is not reached.
 * @typedef {{whole: bigint, part: string, open: boolean}} Bound
 */

/**
 * @param {number} size
 * @param {boolean} open
 * @param {1n | -1n} inwards   where what it bounds lies
 * @param {boolean} isNear   whether the other bound is close to it
 * @returns {Bound}
 */
function boundOf(size, open, inwards, isNear) {
    if (size > 0 && size < LEAST) return {whole: 0n, part: '', open: inwards > 0};
    const [digits, exponent = '0'] = String(size).split('e');
    const [whole, rest = ''] = digits.split('.'),
        point = whole.length + Number(exponent);
    const all = point < 1 ? '0'.repeat(1 - point) + whole + rest : (whole + rest).padEnd(point, '0'),
        at = Math.max(point, 1);
    const part = all.slice(at).replace(/0+$/, '');
    // A double rounds what is close to a bound onto it: the next double is the first that is not.
    if (open && size > 0 && (isNear || at + part.length >= EXACT_DIGITS - 1))
        return boundOf(neighbour(size, inwards), false, inwards, false);
    return {whole: BigInt(all.slice(0, at)), part, open};
}

/** The next double. @param {number} size @param {1n | -1n} way */
function neighbour(size, way) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, size);
    view.setBigInt64(0, view.getBigInt64(0) + way);
    return view.getFloat64(0);
}

/** @param {NumberSet} set @returns {string} a pattern */
function decimals({min, max, above, below}) {
    if (min === -Infinity && max === Infinity)
        return `-?${size(0n)}${fraction(MAX_FRACTION)}${any('', LARGE, '[eE]-\\d{1,3}')}`;
    const isNear = min * max > 0 && Math.abs(Math.trunc(max) - Math.trunc(min)) < 2,
        zero = {whole: 0n, part: '', open: min >= 0 && above};
    const negative =
        min < 0
            ? sizes(
                  max < 0 ? boundOf(-max, below, 1n, isNear) : {...zero, open: true},
                  min === -Infinity ? undefined : boundOf(-min, above, -1n, isNear),
              )
            : NOTHING;
    const positive =
        max < 0
            ? NOTHING
            : sizes(
                  min > 0 ? boundOf(min, above, 1n, isNear) : zero,
                  max === Infinity ? undefined : boundOf(max, below, -1n, isNear),
              );
    return any(`-${negative}`, positive);
}

/** @param {string} one @param {string} other @returns {string} a pattern that nests no more than it must */
const either = (one, other) => (one === NOTHING ? other : any(one, other));

/** @param {number} digits @returns {string} a pattern */
const fraction = (digits) => `(?:\\.\\d{1,${digits}})?`;

/**
 * Numbers from one to another, neither of them below 0.
 * @param {Bound} from
 * @param {Bound} [to]
 * @returns {string} a pattern
 */
function sizes(from, to) {
    // A double rounds a long fraction beside an open bound onto it.
    const digits = to?.open ? Math.max(1, EXACT_DIGITS - String(to.whole).length) : MAX_FRACTION;
    if (to && from.whole >= to.whole)
        return from.whole > to.whole ? NOTHING : from.whole + tail(from, to, digits);
    const isZero = from.whole === 0n && from.part === '',
        last = to && to.whole - 1n,
        isNext = last === from.whole;
    const ways = [
        from.whole + tail(from, undefined, isNext ? digits : MAX_FRACTION),
        isNext ? NOTHING : size(from.whole + 1n, last && last - 1n) + fraction(MAX_FRACTION),
        last === undefined || isNext ? NOTHING : last + fraction(digits),
        to ? to.whole + tail(undefined, to, digits) : NOTHING,
    ];
    if (isZero) ways.push(`[1-9]${fraction(digits)}${TINY}`);
    if (!to && (from.whole === 0n || (from.whole === 1n && from.part === '' && !from.open)))
        ways.push(`[1-9]${fraction(MAX_FRACTION)}${LARGE}`);
    return any(...ways);
}

/**
 * The fraction after a whole part that is that of one or of both bounds.
 * @param {Bound | undefined} from
 * @param {Bound | undefined} to
 * @param {number} digits   the most
 * @returns {string} a pattern
 */
function tail(from, to, digits) {
    const zeros =
        from?.whole || from?.part
            ? Math.max(0, EXACT_DIGITS - 1 - `${from.whole}${from.part}`.length)
            : MAX_FRACTION;
    /**
     * @param {string | undefined} low
     * @param {string | undefined} high   what is left of the bounds that it still equals
     */
    const end = (low, high) =>
        (low !== undefined && (low || from?.open)) || (high === '' && to?.open) ? NOTHING : '';
    /**
     * @param {string | undefined} low
     * @param {string | undefined} high
     * @param {number} left
     * @returns {string}
     */
    const more = (low, high, left) => {
        const rest = Math.max(0, left - 1);
        if (high === undefined && !low)
            return low === '' && from?.open ? `0{0,${zeros}}[1-9]\\d{0,${rest}}` : `\\d{1,${rest + 1}}`;
        if (high === '' && !low) return end(low, high) || `0{1,${MAX_FRACTION}}`;
        const first = Number(low?.[0] ?? 0),
            last = high === undefined ? 9 : Number(high[0] ?? 0);
        const edges = [...new Set([first, last])]
            .filter((each) => each >= first && each <= last)
            .map((each) => {
                const [a, b] = [
                    each === first ? low?.slice(1) : undefined,
                    each === last ? high?.slice(1) : undefined,
                ];
                return each + either(end(a, b), more(a, b, rest));
            });
        return any(...edges, first + 1 < last ? `${digit(first + 1, last - 1)}\\d{0,${rest}}` : NOTHING);
    };
    return any(end(from?.part, to?.part), `\\.${more(from?.part, to?.part, digits)}`);
}

/** @param {NumberSet} set @param {import('./grammar.js').Grammar} grammar @returns {Expression} */
function multiples(set, grammar) {
    const step = /** @type {bigint} */ (set.step),
        {low, high} = integerBounds(set);
    if (low !== undefined && high !== undefined && (high - low) / step <= MAX_LISTED) {
        const all = [];
        for (let value = low; value <= high; value += step) all.push(literal(String(value)));
        return choice(...all);
    }
    if (step > MAX_STEP)
        bad(`"multipleOf" is ${step}: more than ${MAX_STEP} takes a minimum and a maximum near each other.`);
    const limit = MOST_MULTIPLE;
    const range = parseRegex(
        integers({
            low: low === undefined || low < -limit ? -limit : low,
            high: high === undefined || high > limit ? limit : high,
        }),
    );
    return toRules(intersection([remainders(Number(step)), toAutomaton(range)]), grammar, {spell: oneOf});
}
