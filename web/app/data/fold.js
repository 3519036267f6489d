// Texts without case and accents, and the way back from a place in such a text to the place in the text
// itself. Pure.

const ASCII = /^[\0-\x7f]*$/;
/**
 * Accents, breathings, vowel points: marks that a person leaves out. Vowel signs of Indic scripts are no
 * such marks.
 */
const ACCENTS = /(?=\p{M})\p{Diacritic}/gu;

/** What people type otherwise. @type {Record<string, string>} */
const PLAIN = {'ß': 'ss', 'ς': 'σ', '‘': "'", '’': "'", '“': '"', '”': '"', '„': '"', '–': '-', '—': '-',
    '‐': '-', 'ø': 'o', 'ł': 'l', 'đ': 'd', 'ı': 'i', 'æ': 'ae', 'œ': 'oe'};
const ALIKE = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g');

/** @param {string} text @returns {string} */
export function foldText(text) {
    const lower = text.toLowerCase();
    return ASCII.test(lower) ? lower : lower.normalize('NFKD').replace(ACCENTS, '').replace(ALIKE,
        (character) => PLAIN[character]);
}

/**
 * @param {string} text
 * @param {number} at   in the folded text
 * @param {number} length
 * @returns {[start: number, end: number]} in the text, of whole characters
 */
export function unfolded(text, at, length) {
    if (ASCII.test(text)) return [at, at + length];
    let folded = 0, from = 0, start = -1;
    for (const character of text) {
        const size = foldText(character).length;
        if (start < 0 && folded + size > at) start = from;
        if (folded >= at + length && size > 0) break;
        folded += size;
        from += character.length;
    }
    return [start < 0 ? text.length : start, from];
}
