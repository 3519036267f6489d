// What a conversation is called until a person says so. Pure.

const LONGEST = 60;
/** Within this part of the end, a title is rather cut between two words. */
const WORD = 20;
/** What shows nothing: spaces, controls, marks without width, the blank of Braille. */
const UNSEEN = /^[\s\p{Cc}\p{DI}\u2800]*$/u;
const SEGMENTER = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter() : undefined;

/** A name, or '' for one of which nothing is seen. @param {string} name */
export const seen = (name) => UNSEEN.test(name) ? '' : name.trim();

/**
 * The first line of a text that says something, cut between words, never within what is read as
 * one character.
 * @param {string} text
 * @returns {string}
 */
export function titleOf(text) {
    const line = text.slice(0, 10_000).split(/[\r\n\u2028\u2029]+/)
        .map((each) => each.replace(/[\s\p{Cc}]+/gu, ' ').trim()).find(seen) ?? '';
    const start = line.slice(0, LONGEST * 20);
    const characters = SEGMENTER ? Array.from(SEGMENTER.segment(start), ({segment}) => segment) : [...start];
    if (characters.length <= LONGEST) return characters.join('');
    const space = characters.lastIndexOf(' ', LONGEST);
    return `${characters.slice(0, space >= LONGEST - WORD ? space : LONGEST).join('').trimEnd()}…`;
}
