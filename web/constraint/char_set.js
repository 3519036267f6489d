// Sets of code points: sorted intervals [first, last, first, last, ...], both ends inclusive.
//
// Owns their algebra. Must not know what they are for.

/** @typedef {number[]} CharSet */

export const LAST = 0x10ffff;
/** @type {CharSet} */
export const NONE = [];
/** Every code point that a text may have: no halves of surrogate pairs. @type {CharSet} */
export const ANY = [0, 0xd7ff, 0xe000, LAST];

/** @param {number[]} points @returns {CharSet} */
export const charSet = (...points) => union(...points.map((point) => [point, point]));

/** @param {CharSet} set */
export const isSingle = (set) => set.length === 2 && set[0] === set[1];

/** The set of a text's characters. @param {string} text @returns {CharSet} */
export function charsOf(text) {
    const points = Array.from(text, (char) => /** @type {number} */ (char.codePointAt(0)));
    return points.length === 1 ? [points[0], points[0]] : charSet(...points);
}

/** @param {CharSet[]} sets @returns {CharSet} */
export function union(...sets) {
    /** @type {[number, number][]} */
    const spans = [];
    for (const set of sets) for (let i = 0; i < set.length; i += 2) spans.push([set[i], set[i + 1]]);
    spans.sort((a, b) => a[0] - b[0]);
    /** @type {CharSet} */
    const out = [];
    for (const [first, last] of spans) {
        if (out.length && first <= out[out.length - 1] + 1)
            out[out.length - 1] = Math.max(out[out.length - 1], last);
        else out.push(first, last);
    }
    return out;
}

/** @param {CharSet} a @param {CharSet} b @returns {CharSet} */
export function intersect(a, b) {
    const out = [];
    for (let i = 0, j = 0; i < a.length && j < b.length; ) {
        const first = Math.max(a[i], b[j]),
            last = Math.min(a[i + 1], b[j + 1]);
        if (first <= last) out.push(first, last);
        if (a[i + 1] < b[j + 1]) i += 2;
        else j += 2;
    }
    return out;
}

/** What a text may have beside a set. @param {CharSet} set @returns {CharSet} */
export function complement(set) {
    const out = [];
    let next = 0;
    for (let i = 0; i < set.length; i += 2) {
        if (set[i] > next) out.push(next, set[i] - 1);
        next = set[i + 1] + 1;
    }
    if (next <= LAST) out.push(next, LAST);
    return intersect(out, ANY);
}

/** @param {CharSet} a @param {CharSet} b @returns {CharSet} */
export const minus = (a, b) => intersect(a, complement(b));

/** @param {CharSet} set @param {number} point @returns {boolean} */
export function has(set, point) {
    for (let i = 0; i < set.length && set[i] <= point; i += 2) if (point <= set[i + 1]) return true;
    return false;
}
