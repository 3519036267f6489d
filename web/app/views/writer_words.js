// Parts of a text that a person takes one by one, and white space made visible.
//
// Owns: where words and sentences end. Must not know: elements, models.

/** @type {Map<string, Intl.Segmenter>} */
const made = new Map();

/** @param {'word' | 'sentence'} granularity */
function segmenter(granularity) {
    if (!('Segmenter' in Intl)) return undefined;
    const found = made.get(granularity) ?? new Intl.Segmenter(undefined, {granularity});
    made.set(granularity, found);
    return found;
}

/**
 * The first word, with the white space before it and the punctuation that follows it at once.
 * @param {string} text @returns {string} all of it, where it has no word
 */
export function nextWord(text) {
    const segments = segmenter('word');
    if (!segments) return /^\s*\S+/u.exec(text)?.[0] ?? text;
    let end = 0, hasWord = false;
    for (const {segment, index, isWordLike} of segments.segment(text)) {
        if (hasWord && (isWordLike || /^\s|^[\p{Ps}\p{Pi}]/u.test(segment))) break;
        hasWord ||= Boolean(isWordLike);
        end = index + segment.length;
    }
    return text.slice(0, end);
}

/**
 * The first sentence, with the white space before it; white space after it belongs to the next one.
 * @param {string} text
 */
export function nextSentence(text) {
    const segments = segmenter('sentence');
    if (!segments) return /^\s*[\s\S]*?[.!?…。！？।؟]+["'”’)\]]*(?=\s|$)/u.exec(text)?.[0] ?? text;
    for (const {segment, index} of segments.segment(text)) {
        if (/\S/u.test(segment)) return text.slice(0, index + segment.trimEnd().length);
    }
    return text;
}

/** What stands for white space where it must be seen. @type {Record<string, string>} */
const SIGNS = {' ': '·', '\n': '↵', '\r': '↵', '\t': '⇥', '\u00a0': '⍽', '\u3000': '□'};
const SPACE = /([ \n\r\t\u00a0\u3000]+)/;

/**
 * A token with its white space as signs.
 * @param {string} token
 * @returns {{text: string, isSpace: boolean}[]}
 */
export function showSpace(token) {
    return token.split(SPACE).map((part, i) => ({
        text: i % 2 ? [...part].map((space) => SIGNS[space]).join('') : part, isSpace: i % 2 === 1,
    })).filter(({text}) => text);
}
