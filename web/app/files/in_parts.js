// A question about files that don't fit the context, asked of every part in turn; then the answers are put
// together, in rounds where even these don't fit.
//
// Owns: the order of things, and the words around the parts, which are the model's. Must not know: elements,
// how conversations are stored.

import {presentText, quotable} from './asking.js';
import {cutText, pagesOf} from './passages.js';

/**
 * @typedef {import('../data/types.js').Attachment} Attachment
 * @typedef {{content: string, tokens: number}} Answered
 * @typedef {{parts: string[], readTo?: {file: number, end: number}}} Done   parts: all answers about parts so
 *     far; readTo: where the text of the last of them ends, and in which of the files
 *
 * @typedef {object} Asking
 * @property {string} question
 * @property {Attachment[]} attachments   those with `how: 'parts'` are cut
 * @property {number} room        tokens of a part, or of answers that are put together
 * @property {(text: string) => Promise<number>} count
 * @property {(content: string, isLast: boolean, begun?: string) => Promise<string>} ask   answers one prompt,
 *     and shows it; throws where it is stopped. isLast: this is the answer to all; begun: what it continues
 * @property {(title: {part: number, parts: number, name: string, page?: number} | {round: number} | {last:
 *     true}) => void} onTitle   before each
 * @property {Done} [done]    by a run before. Without readTo, the files were cut as they are now
 * @property {(done: Done) => void} [onDone]   after each part
 * @property {string} [begun]   what the answer to all has so far; undefined: it has not begun
 * @property {AbortSignal} [signal]
 */

/** A small model follows no more at once, and an answer about less says more. */
export const LONGEST_PART = 2000;

/**
 * What stands around a part, and around answers that are put together: their tokens are no room for these.
 * @param {string} question @param {Attachment[]} attachments @returns {string[]}
 */
export const framesOf = (question, attachments) =>
    [...attachments.map(({name}) => promptOf({name, text: ''}, 1000, 1000, question)),
        together([''], question)];

/**
 * @param {{name: string, text: string}} part
 * @param {number} number
 * @param {number} parts
 * @param {string} question
 */
const promptOf = ({name, text}, number, parts, question) =>
    `${presentText(`File "${quotable(name)}", part ${number} of ${parts}`, name, text)}\n\n${question}`;

/** @param {Asking} asking @returns {Promise<void>} */
export async function askInParts(asking) {
    const {question, ask, onTitle, done = {parts: []}, onDone, begun} = asking, answers = [...done.parts],
        left = await partsAfter(done, asking), parts = answers.length + left.length;
    if (begun !== undefined && (parts === 1 || !left.length)) {
        await ask(await promptBefore(begun, answers, parts, asking), true, begun);
        return;
    }
    for (const {name, text, page, readTo} of left) {
        const part = answers.length + 1;
        onTitle({part, parts, name, page});
        answers.push(await ask(promptOf({name, text}, part, parts, question), parts === 1));
        onDone?.({parts: [...answers], readTo});
    }
    if (parts > 1) await putTogether(answers, asking);
}

/**
 * What no part that was answered has, cut as it fits now: the context or the model may have changed.
 * @param {Done} done
 * @param {Pick<Asking, 'attachments' | 'room' | 'count' | 'signal'>} asking
 */
async function partsAfter({parts, readTo}, {attachments, room, count, signal}) {
    const made = [];
    for (const [file, {name, text, how}] of attachments.entries()) {
        if (how !== 'parts' || readTo && file < readTo.file) continue;
        const from = file === readTo?.file ? readTo.end : 0,
            passages = await cutText(text, Math.min(room, LONGEST_PART), count, {signal, from}),
            pages = pagesOf(text, passages);
        made.push(...passages.map(({start, end}, i) => ({name, text: text.slice(start, end), page: pages[i],
            readTo: {file, end}})));
    }
    return readTo ? made : made.slice(parts.length);
}

/**
 * What the answer to all was asked with, as far as it fits beside what that has so far.
 * @param {string} begun
 * @param {string[]} answers
 * @param {number} parts
 * @param {Pick<Asking, 'question' | 'attachments' | 'room' | 'count' | 'signal'>} asking
 */
async function promptBefore(begun, answers, parts, {question, attachments, room, count, signal}) {
    const left = room - await count(begun);
    if (parts === 1) {
        const {name, text} = attachments.find(({how, text}) => how === 'parts' && text) ?? attachments[0];
        return promptOf({name, ...await beginningOf(text, left, count, signal)}, 1, 1, question);
    }
    const [all, ...more] = await group(answers, left, count, signal);
    if (!more.length) return together(all, question);
    const share = Math.floor(left / parts) - await countAround(count), notes = [];
    for (const answer of answers) notes.push((await beginningOf(answer, share, count, signal)).text);
    return together(notes, question);
}

/**
 * @param {string} text @param {number} most   tokens
 * @param {Asking['count']} count @param {AbortSignal} [signal]
 */
async function beginningOf(text, most, count, signal) {
    const [{end, tokens} = {end: 0, tokens: 0}] = await cutText(text, Math.max(1, most), count,
        {passages: 1, signal});
    return {text: text.slice(0, end), tokens};
}

/**
 * @param {string[]} answers
 * @param {Pick<Asking, 'question' | 'room' | 'count' | 'ask' | 'onTitle' | 'signal'>} asking
 */
async function putTogether(answers, {question, room, count, ask, onTitle, signal}) {
    for (let round = 1; ; round++) {
        const groups = await group(answers, room, count, signal);
        if (groups.length === 1) {
            onTitle({last: true});
            await ask(together(groups[0], question), true);
            return;
        }
        onTitle({round});
        const next = [];
        for (const some of groups)
            next.push(some.length === 1 ? some[0] : await ask(together(some, question), false));
        answers = next;
    }
}

/** @param {string[]} answers @param {string} question */
const together = (answers, question) =>
    `These are notes on the parts of a long text, in order:\n\n${answers.map((answer, i) => `Part ${i + 1}: ${answer.trim()}`).join('\n\n')}\n\n` +
    `Put the notes together into one answer, without repeating yourself and without naming the parts. This is what was asked: ${question}`;

/** Tokens around each answer that is put together. @param {Asking['count']} count */
const countAround = async (count) => await count(together(['', ''], '')) - await count(together([''], ''));

/**
 * As many at once as fit: at least two, which have at most half of it each, so that every round leaves fewer.
 * @param {string[]} answers
 * @param {number} room
 * @param {Asking['count']} count
 * @param {AbortSignal} [signal]
 */
async function group(answers, room, count, signal) {
    /** @type {string[][]} */
    const groups = [], around = await countAround(count);
    let left = 0;
    for (const answer of answers) {
        const {text, tokens} = await beginningOf(answer, Math.floor(room / 2) - around, count, signal),
            needed = tokens + around, last = groups.at(-1);
        if (last && needed <= left) last.push(text);
        else {
            groups.push([text]);
            left = room;
        }
        left -= needed;
    }
    return groups;
}
