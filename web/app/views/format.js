// Numbers as people read them.

const whole = new Intl.NumberFormat('en');
const oneDigit = new Intl.NumberFormat('en', {maximumFractionDigits: 1});

/** @param {number} n @param {string} one @param {string} [many] */
export function count(n, one, many = `${one}s`) {
    return `${whole.format(n)} ${n === 1 ? one : many}`;
}

/** Decimal units, as download pages and disks use them. @param {number} n */
export function bytes(n) {
    if (n < 1e6) return `${whole.format(Math.ceil(n / 1e3))} kB`;
    if (n < 1e9) return `${n < 1e7 ? oneDigit.format(n / 1e6) : whole.format(Math.round(n / 1e6))} MB`;
    return `${(n / 1e9).toFixed(2)} GB`;
}

/** @param {number} share   0 to 1 */
export function percent(share) {
    return `${Math.floor(share * 100)} %`;
}

/** Seconds as "12 s", "3 min", "2 h 10 min". @param {number} seconds */
export function duration(seconds) {
    if (seconds < 60) return `${Math.max(1, Math.ceil(seconds))} s`;
    const minutes = Math.ceil(seconds / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * Tokens per second; '' when there was nothing to measure, or less than the clock can tell.
 * @param {number} tokens @param {number} ms @param {import('../../base/clock.js').Clock} clock
 */
export function speed(tokens, ms, clock) {
    if (!tokens || !clock.tells(ms)) return '';
    const perSecond = tokens / ms * 1000;
    return `${perSecond < 100 ? perSecond.toFixed(1) : whole.format(Math.round(perSecond))} tokens/s`;
}
