// The passages of texts that have to do with a question: by the model's embeddings, and by the words that
// they share with it.
//
// Owns: how passages are compared. Must not know: messages, elements. A chat model's embeddings are rough, so
// shared words count more. The embeddings of a text are computed once, and kept: while the page is open, and
// in a store, if it is given one.

import {cutText, placeOf} from './passages.js';

/**
 * @typedef {import('./passages.js').Passage} Passage
 * @typedef {Pick<import('../../gemma.js').Gemma, 'embed'>} Embedding
 *
 * @typedef {object} Finding
 * @property {Embedding} gemma
 * @property {number} room           tokens of all passages together
 * @property {(text: string) => Promise<number>} count
 * @property {AbortSignal} [signal]
 * @property {(share: number) => void} [onProgress]
 * @property {Kept} [kept]
 *
 * @typedef {object} Kept   embeddings of passages; see data/vectors.js
 * @property {(passages: string[]) => Promise<Float32Array[]>} read   of the first of them, as many as
 *     there are
 * @property {(passages: string[], vectors: Float32Array[]) => Promise<void>} keep   of the first of them
 */

const PASSAGE = 200, AT_ONCE = 4;
/** Texts whose embeddings are kept in memory. */
const MOST_KEPT = 16;
/** Passages after which they are kept for the first time, then after twice as many each time. */
const FIRST_KEPT = 32;
/** The name of its place, and empty lines. */
const AROUND = '\n\n[lines 1000-1000]\n';
/** What likeness counts beside shared words. */
const NEAR = 0.6;

/** @typedef {{passages: Passage[], vectors: Float32Array[]}} Known */
/**
 * By model, then by text, the last used at the end.
 * @type {WeakMap<Embedding, Map<string, Promise<Known>>>}
 */
const kept = new WeakMap();

/**
 * @param {{name: string, text: string}[]} texts @param {string} question @param {Finding} options
 * @returns {Promise<Map<string, string>>} by name, the passages in their order, each with its place
 */
export async function findPassages(texts, question, {gemma, room, count, signal, onProgress, kept}) {
    const around = await count(AROUND), most = lengthOf(Math.floor(room / 3) - around);
    /** @type {Known[]} */
    const known = [];
    for (const {text} of texts) known.push(await passagesOf(text, most, {gemma, count, signal}));
    await embedAll(known, texts, {gemma, signal, onProgress, kept});
    const [asked] = await gemma.embed([question || ' '], {signal});
    const candidates = known.flatMap(({passages, vectors}, file) =>
        passages.map((passage, i) => ({file, passage, vector: vectors[i]})));
    const words = sharedWords(candidates.map(({file, passage: {start, end}}) => texts[file].text.slice(start,
        end)), question);
    const near = ofBest(likeness(candidates.map(({vector}) => vector), asked)), alike = ofBest(words);
    const order = candidates.map((_, i) => i).sort((a, b) => alike[b] - alike[a]
        + NEAR * (near[b] - near[a]));
    return gather(texts, order.map((i) => candidates[i]), room, around);
}

/**
 * Of a passage: of few kinds, so that the next question, with a little less space, finds the same passages.
 * @param {number} most
 */
const lengthOf = (most) => most < 1 ? 1
    : Math.floor(PASSAGE / Math.SQRT2 ** Math.ceil(Math.max(0, 2 * Math.log2(PASSAGE / most))));

/**
 * What is not known yet.
 * @param {Known[]} known
 * @param {{text: string}[]} texts
 * @param {Pick<Finding, 'gemma' | 'signal' | 'onProgress' | 'kept'>} options
 */
async function embedAll(known, texts, {gemma, signal, onProgress, kept}) {
    const parts = known.map(({passages}, i) =>
        passages.map(({start, end}) => texts[i].text.slice(start, end)));
    for (const [i, {passages, vectors}] of known.entries()) {
        if (vectors.length || !passages.length) continue;
        const found = await kept?.read(parts[i]) ?? [];
        if (!vectors.length) vectors.push(...found.slice(0, passages.length));
    }
    const missing = () => known.reduce((sum, {passages, vectors}) => sum + passages.length - vectors.length,
        0), begun = missing();
    for (const [i, {passages, vectors}] of known.entries()) {
        const before = vectors.length;
        let next = Math.max(FIRST_KEPT, 2 * before);
        try {
            while (vectors.length < passages.length) {
                signal?.throwIfAborted();
                vectors.push(...await gemma.embed(parts[i].slice(vectors.length, vectors.length + AT_ONCE),
                    {signal}));
                onProgress?.(1 - missing() / begun);
                if (vectors.length < next) continue;
                await kept?.keep(parts[i], vectors);
                next = 2 * vectors.length;
            }
        } finally {
            if (vectors.length > before) await kept?.keep(parts[i], vectors);
        }
    }
}

/**
 * @param {{name: string, text: string}[]} texts
 * @param {{file: number, passage: Passage}[]} best   first
 * @param {number} room
 * @param {number} around   tokens
 */
function gather(texts, best, room, around) {
    /** @type {typeof best} */
    const chosen = [];
    let left = room;
    for (const each of best) {
        if (each.passage.tokens + around > left) break;
        left -= each.passage.tokens + around;
        chosen.push(each);
    }
    chosen.sort((a, b) => a.file - b.file || a.passage.start - b.passage.start);
    return new Map(texts.map(({name, text}, file) => [name, chosen.filter((each) => each.file === file)
        .map(({passage}) => {
        const {page, lines} = placeOf(text, passage);
        return `[${page ? `page ${page}` : lines?.[0] === lines?.[1] ? `line ${lines?.[0]}` : `lines ${lines?.join('-')}`}]\n${text.slice(passage.start, passage.end).trim()}`;
    }).join('\n\n')]));
}

/**
 * @param {string} text
 * @param {number} most
 * @param {Pick<Finding, 'gemma' | 'count' | 'signal'>} options
 * @returns {Promise<Known>}
 */
function passagesOf(text, most, {gemma, count, signal}) {
    const texts = kept.get(gemma) ?? new Map(), key = `${most} ${text}`;
    kept.set(gemma, texts);
    /** @type {Promise<Known>} */
    const known = texts.get(key) ?? cutText(text, most, count, {signal})
        .then((passages) => ({passages, vectors: []}));
    texts.delete(key);
    texts.set(key, known);
    known.catch(() => texts.delete(key));
    if (texts.size > MOST_KEPT) texts.delete(texts.keys().next().value);
    return known;
}

/**
 * What all vectors have in common says nothing of one.
 * @param {Float32Array[]} vectors
 * @param {Float32Array} asked
 * @returns {number[]}
 */
function likeness(vectors, asked) {
    const mean = asked.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0) / vectors.length);
    const from = (/** @type {Float32Array} */ vector) => vectors.length < 3 ? vector
        : vector.map((value, i) => value - mean[i]), wanted = from(asked);
    return vectors.map((vector) => {
        const own = from(vector), length = Math.hypot(...own) || 1;
        return own.reduce((sum, value, i) => sum + value * wanted[i], 0) / length;
    });
}

/**
 * Words, and pairs of letters where words have no spaces between them.
 * @param {string} text
 * @returns {string[]}
 */
function wordsOf(text) {
    return (text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
        .flatMap((word) => {
        const letters = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/.test(word) ? [...word] : [];
        return letters.length > 1 ? letters.slice(1).map((letter, i) => letters[i] + letter) : [word];
    });
}

/**
 * BM25: rare words count more, and long passages less.
 * @param {string[]} texts
 * @param {string} question
 * @returns {number[]}
 */
function sharedWords(texts, question) {
    const wanted = new Set(wordsOf(question)), all = texts.map(wordsOf),
        mean = all.reduce((sum, {length}) => sum + length, 0) / all.length || 1;
    const counts = all.map((words) => {
        /** @type {Map<string, number>} */
        const found = new Map();
        for (const word of words) if (wanted.has(word)) found.set(word, (found.get(word) ?? 0) + 1);
        return found;
    });
    const weights = new Map([...wanted].map((word) => {
        const having = counts.filter((found) => found.has(word)).length;
        return [word, Math.log(1 + (texts.length - having + 0.5) / (having + 0.5))];
    }));
    return counts.map((found, i) => [...found].reduce((sum, [word, n]) => sum
        + (weights.get(word) ?? 0) * n * 2.2 / (n + 1.2 * (0.25 + 0.75 * all[i].length / mean)), 0));
}

/** From 0 to 1, which is the best of them. @param {number[]} scores @returns {number[]} */
function ofBest(scores) {
    const best = Math.max(...scores);
    return scores.map((score) => score > 0 ? score / best : 0);
}
