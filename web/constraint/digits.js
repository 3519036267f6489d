// Patterns of numbers by their digits: what lies between two others that have as many of them.
//
// Owns that, in base 10 and 16. Patterns are the text of regular expressions, for they are short.

/** A pattern that nothing matches. */
export const NOTHING = '[]';

/** @param {string[]} ways @returns {string} */
export const any = (...ways) => `(?:${ways.join('|')})`;

/** @param {number} from @param {number} to @returns {string} one digit, letters in either case */
export function digit(from, to) {
    const all = '0123456789abcdef'.slice(from, to + 1);
    return `[${all}${all.slice(-1) > '9' ? all.toUpperCase() : ''}]`;
}

/** @param {string} a @param {string} b @param {number} [base] @returns {string} */
export function between(a, b, base = 10) {
    const n = a.length - 1;
    if (n < 0) return '';
    const [x, y] = [parseInt(a[0], base), parseInt(b[0], base)],
        free = `${base > 10 ? '[\\da-fA-F]' : '\\d'}{${n}}`;
    const [low, high] = ['0'.repeat(n), (base - 1).toString(base).repeat(n)];
    const from = a.slice(1) === low ? x : x + 1,
        to = b.slice(1) === high ? y : y - 1;
    if (x === y && from > to) return digit(x, x) + between(a.slice(1), b.slice(1), base);
    return any(
        from > x ? digit(x, x) + between(a.slice(1), high, base) : NOTHING,
        from > to ? NOTHING : digit(from, to) + free,
        to < y ? digit(y, y) + between(low, b.slice(1), base) : NOTHING,
    );
}
