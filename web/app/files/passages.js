// A long text in passages of a limited number of tokens, cut where people would: between paragraphs, lines,
// sentences, words.
//
// Owns: where it is cut. Must not know: models (it is given what counts tokens), files.

/** @typedef {{start: number, end: number, tokens: number}} Passage   of a text: from start to before end */

/** The best places first: each border ends a piece. A piece without any is cut within words. */
const BORDERS = [/\f+/g, /\n[^\S\n\f]*\n\s*/g, /\n/g, /(?<=[.!?…؟।][)\]"'”’»]?)\s+|(?<=[。！？])/gu, /\s+/g];
/** A token of text rarely has more characters: a longer text is cut without being counted. */
const LONGEST_TOKEN = 12;
/**
 * Characters of a piece without borders, and fewest of one with borders, for each of a passage's tokens: so
 * that few pieces need to be counted.
 */
const HARD = 1.5, FEWEST = 0.75;

/**
 * @param {string} text
 * @param {number} most   tokens of a passage
 * @param {(text: string) => Promise<number>} count   tokens
 * @param {{signal?: AbortSignal, passages?: number, from?: number}} [options]   passages: how many, from the
 *     start, are enough; from: where in the text the first begins
 * @returns {Promise<Passage[]>} in order, without gaps
 */
export async function cutText(text, most, count, {signal, passages = Infinity, from = 0} = {}) {
    /** @type {Passage[]} */
    const made = [];
    for await (const piece of piecesOf(text, {start: from, end: text.length}, 0, most, count)) {
        signal?.throwIfAborted();
        const last = made.at(-1);
        if (last && last.tokens + piece.tokens <= most) {
            last.end = piece.end;
            last.tokens += piece.tokens;
        } else if (made.length >= passages) break;
        else made.push(piece);
    }
    return made;
}

/**
 * @param {string} text
 * @param {{start: number, end: number}} range
 * @param {number} level   of BORDERS
 * @param {number} most
 * @param {(text: string) => Promise<number>} count
 * @returns {AsyncGenerator<Passage>} of at most `most` tokens each
 */
async function* piecesOf(text, {start, end}, level, most, count) {
    for (const piece of level < BORDERS.length ? split(text, {start, end}, BORDERS[level], most * FEWEST)
        : chop(text, start, end, Math.max(1, Math.floor(most * HARD)))) {
        const length = piece.end - piece.start, tokens = length > most * LONGEST_TOKEN ? Infinity
            : await count(text.slice(piece.start, piece.end));
        if (tokens <= most || length <= 1) yield {...piece, tokens};
        else if (level < BORDERS.length) yield* piecesOf(text, piece, level + 1, most, count);
        else yield* halves(text, piece, most, count);
    }
}

/**
 * @param {string} text
 * @param {{start: number, end: number}} range
 * @param {RegExp} border
 * @param {number} fewest   characters of a piece
 */
function* split(text, {start, end}, border, fewest) {
    // A copy of the part alone: a search never runs on behind its end.
    const part = text.slice(start, end);
    let from = 0;
    for (const {index, 0: mark} of part.matchAll(border)) {
        const to = index + mark.length;
        if (to - from < fewest) continue;
        yield {start: start + from, end: start + to};
        from = to;
    }
    if (from < part.length) yield {start: start + from, end};
}

/** @param {string} text @param {number} start @param {number} end @param {number} length */
function* chop(text, start, end, length) {
    for (let at = start; at < end;) {
        const to = wholeCharacter(text, Math.min(end, at + length), end);
        yield {start: at, end: to};
        at = to;
    }
}

/**
 * @param {string} text
 * @param {{start: number, end: number}} range
 * @param {number} most
 * @param {(text: string) => Promise<number>} count
 * @returns {AsyncGenerator<Passage>}
 */
async function* halves(text, {start, end}, most, count) {
    const middle = wholeCharacter(text, start + Math.ceil((end - start) / 2), end);
    for (const piece of middle < end ? [{start, end: middle}, {start: middle, end}] : [{start, end}]) {
        const tokens = await count(text.slice(piece.start, piece.end));
        if (tokens <= most || middle === end) yield {...piece, tokens: Math.min(tokens, most)};
        else yield* halves(text, piece, most, count);
    }
}

/** Not within a character of two code units. @param {string} text @param {number} at @param {number} end */
const wholeCharacter = (text, at, end) => at < end && (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at + 1 : at;

/**
 * The page on which each passage begins, where the text has pages.
 * @param {string} text @param {{start: number}[]} passages   in their order @returns {(number | undefined)[]}
 */
export function pagesOf(text, passages) {
    if (!text.includes('\f')) return passages.map(() => undefined);
    let page = 1, next = text.indexOf('\f');
    return passages.map(({start}) => {
        for (; next >= 0 && next < start; next = text.indexOf('\f', next + 1)) page++;
        return page;
    });
}

/**
 * Where a passage is, for people and models: its page, or its lines.
 * @param {string} text @param {{start: number, end: number}} passage
 * @returns {{page?: number, lines?: [number, number]}}
 */
export function placeOf(text, {start, end}) {
    const before = text.slice(0, start),
        ends = (/** @type {string} */ part, /** @type {string} */ mark) => part.split(mark).length - 1;
    if (text.includes('\f')) return {page: 1 + ends(before, '\f')};
    const first = 1 + ends(before, '\n');
    return {lines: [first, first + ends(text.slice(start, end).trimEnd(), '\n')]};
}
