// Bytes -> text: which encoding they are in.
//
// Owns: what the bytes say of it, and what the reader's languages make likely. Must not know: files.

/** @typedef {{text: string, encoding?: string}} Decoded   encoding: where it was assumed */

/** What bytes say of themselves is within this many first ones. */
const HEAD = 4096;
const WESTERN = 'windows-1252';

/**
 * What older programs write, by the reader's language. EUC-JP refuses nearly all texts in Shift_JIS, which
 * takes most texts in EUC-JP for others.
 * @type {[languages: RegExp, encoding: string][]}
 */
const EAST_ASIAN = [
    [/^zh-(.+-)?(hant|tw|hk|mo)\b/i, 'Big5'], [/^zh\b/i, 'GB18030'], [/^ja\b/i, 'EUC-JP'],
    [/^ja\b/i, 'Shift_JIS'], [/^ko\b/i, 'EUC-KR'],
];
/** These take nearly any bytes, so they come later. @type {typeof EAST_ASIAN} */
const OTHER_SCRIPTS = [
    [/^(ru|uk|be|bg|mk|sr)\b/i, 'windows-1251'], [/^el\b/i, 'windows-1253'], [/^he\b/i, 'windows-1255'],
    [/^(ar|fa|ur)\b/i, 'windows-1256'], [/^th\b/i, 'windows-874'],
];
/** Of Latin letters: nothing in a text says which of them it is. @type {typeof EAST_ASIAN} */
const LATIN = [
    [/^(pl|cs|sk|hu|sl|hr|bs|ro)\b/i, 'windows-1250'], [/^(tr|az)\b/i, 'windows-1254'],
    [/^(et|lv|lt)\b/i, 'windows-1257'], [/^(?!en\b)/i, WESTERN],
];

/** Accented Latin letters that are read as another script: one or two letters of it in a Latin word. */
const IN_WORDS = new RegExp(['(?<=[A-Za-z])[^\\0-\\x7f]{1,2}(?=[A-Za-z])',
    '(?<=[A-Za-z])[^\\0-\\x7f](?![^\\0-\\x7f])', '(?<![^\\0-\\x7f])[^\\0-\\x7f](?=[A-Za-z])'].join('|'), 'g');

/**
 * @param {Uint8Array} bytes
 * @param {{isCut?: boolean, languages?: readonly string[]}} options   isCut: they may end within a
 *     character; languages: the reader's, as navigator.languages
 * @returns {Decoded | undefined} undefined where they are no text
 */
export function textOf(bytes, {isCut = false, languages = []}) {
    const said = sniff(bytes), text = decode(bytes, said, isCut);
    if (text !== undefined) return {text};
    return said === 'utf-8' ? otherwise(bytes, isCut, languages) : undefined;
}

/** @param {Uint8Array} bytes @param {string} encoding @param {boolean} isCut @returns {string | undefined} */
function decode(bytes, encoding, isCut) {
    try {
        return new TextDecoder(encoding, {fatal: true}).decode(bytes, {stream: isCut});
    } catch {
        return undefined;
    }
}

/**
 * UTF-8 with some bad bytes, as logs and files that were cut have them; else of an older program, in what
 * HTML or XML says, or in an encoding of the reader's languages.
 * @param {Uint8Array} bytes @param {boolean} isCut @param {readonly string[]} languages
 * @returns {Decoded}
 */
function otherwise(bytes, isCut, languages) {
    const text = new TextDecoder().decode(bytes), bad = (text.match(/\ufffd/g) ?? []).length,
        good = (text.match(/[^\0-\x7f\ufffd]/g) ?? []).length;
    if (good && bad <= Math.max(1, good / 10)) return {text};
    return decodeAsSaid(bytes) ?? decodeAsLikely(bytes, isCut, languages);
}

/** @param {Uint8Array} bytes @returns {Decoded | undefined} */
function decodeAsSaid(bytes) {
    const [, label] = /<(?:meta[^>]{0,200}charset|\?xml[^>]{0,100}encoding)=["']?([\w-]+)/i
        .exec(String.fromCharCode(...bytes.subarray(0, HEAD))) ?? [];
    try {
        return label ? {text: new TextDecoder(label).decode(bytes)} : undefined;
    } catch {
        return undefined;       // there is no such encoding
    }
}

/**
 * @param {Uint8Array} bytes @param {boolean} isCut @param {readonly string[]} languages
 * @returns {Decoded}
 */
function decodeAsLikely(bytes, isCut, languages) {
    const likely = (/** @type {typeof EAST_ASIAN} */ known) => languages.flatMap((language) =>
        known.filter(([tags]) => tags.test(language)).map(([, encoding]) => encoding));
    for (const encoding of [...likely(EAST_ASIAN), ...likely(OTHER_SCRIPTS)]) {
        const text = decode(bytes, encoding, isCut);
        if (text !== undefined && isPlausible(text)) return {text, encoding};
    }
    const [encoding = WESTERN] = likely(LATIN);
    return {text: new TextDecoder(encoding).decode(bytes), encoding};
}

/** Whether it looks like a text in another script than Latin. @param {string} text */
const isPlausible = (text) => 2 * (text.match(IN_WORDS) ?? []).join('').length
    <= text.replace(/[\0-\x7f]+/g, '').length;

/** UTF-16 says so by its first two bytes, or by every second byte being zero. @param {Uint8Array} bytes */
function sniff(bytes) {
    const [first, second] = bytes;
    if (first === 0xff && second === 0xfe) return 'utf-16le';
    if (first === 0xfe && second === 0xff) return 'utf-16be';
    const zeros = [0, 0], length = Math.min(bytes.length, HEAD);
    for (let i = 0; i < length; i++) if (bytes[i] === 0) zeros[i % 2]++;
    const many = length / 8;
    if (zeros[1] > many && zeros[0] * 20 < zeros[1]) return 'utf-16le';
    return zeros[0] > many && zeros[1] * 20 < zeros[0] ? 'utf-16be' : 'utf-8';
}
