// Numbers as people read them, in the language of the page.

import {currentLanguage, text} from '../texts.js';

/**
 * By its options; made anew where the language has changed.
 * @type {{language?: string, made: Map<string, Intl.NumberFormat>}}
 */
const formats = {made: new Map()};

/** @param {number} n @param {Intl.NumberFormatOptions} [options] */
export function number(n, options = {}) {
    const language = currentLanguage(), key = JSON.stringify(options);
    if (formats.language !== language) Object.assign(formats, {language, made: new Map()});
    const format = formats.made.get(key) ?? new Intl.NumberFormat(language, options);
    formats.made.set(key, format);
    return format.format(n);
}

/**
 * @param {number} n
 * @param {'kilobyte' | 'megabyte' | 'gigabyte'} unit
 * @param {number} [fewest]   digits after the point
 * @param {number} [most]
 */
const inUnit = (n, unit, fewest = 0, most = fewest) => number(n,
    {style: 'unit', unit, minimumFractionDigits: fewest, maximumFractionDigits: most});

/** Decimal units, as download pages and disks use them. @param {number} n */
export function bytes(n) {
    if (n < 1e6) return inUnit(Math.ceil(n / 1e3), 'kilobyte');
    if (n < 1e9) return n < 1e7 ? inUnit(n / 1e6, 'megabyte', 0, 1) : inUnit(Math.round(n / 1e6), 'megabyte');
    return inUnit(n / 1e9, 'gigabyte', 2);
}

/**
 * @param {number} share   0 to 1
 * @param {(n: number) => number} [round]   default: down, so that 100 % means done
 */
export function percent(share, round = Math.floor) {
    // 0.58 * 100 is a little less than 58
    return number(round(share * 100 + 1e-9) / 100, {style: 'percent'});
}

/** Seconds as "12 s", "3 min", "2 h 10 min". @param {number} seconds */
export function duration(seconds) {
    if (seconds < 60) return text('unit.seconds', {seconds: Math.max(1, Math.ceil(seconds))});
    const minutes = Math.ceil(seconds / 60);
    return minutes < 60 ? text('unit.minutes', {minutes})
        : text('unit.hours', {hours: Math.floor(minutes / 60), minutes: minutes % 60});
}

/** A number of which two digits are worth reading. @param {number} n */
export const rough = (n) => n < 10 ? number(n, {minimumFractionDigits: 1, maximumFractionDigits: 1})
    : number(Math.round(n));

/**
 * Tokens per second; '' when there was nothing to measure, or less than the clock can tell.
 * @param {number} tokens @param {number} ms @param {import('../../base/clock.js').Clock} clock
 */
export function speed(tokens, ms, clock) {
    if (!tokens || !clock.tells(ms)) return '';
    const perSecond = tokens / ms * 1000;
    const shown = perSecond < 100 ? number(perSecond, {minimumFractionDigits: 1, maximumFractionDigits: 1})
        : number(Math.round(perSecond));
    return text('count.speed', {speed: shown});
}

/** @param {number} at   milliseconds since 1970 */
export function date(at) {
    return new Intl.DateTimeFormat(currentLanguage(), {day: 'numeric', month: 'short', year: 'numeric'})
        .format(at);
}

/** @param {string[]} items */
export function list(items) {
    return new Intl.ListFormat(currentLanguage(), {style: 'narrow'}).format(items);
}
