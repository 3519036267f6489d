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
 *
 * @typedef {object} Asking
 * @property {string} question
 * @property {Attachment[]} attachments   those with `how: 'parts'` are cut
 * @property {number} room        tokens of a part, or of answers that are put together
 * @property {(text: string) => Promise<number>} count
 * @property {(content: string, isLast: boolean) => Promise<string>} ask      answers one prompt, and shows
 *     it; throws where it is stopped. isLast: this is the answer to all
 * @property {(title: {part: number, parts: number, name: string, page?: number} | {round: number} | {last:
 *     true}) => void} onTitle   before each
 * @property {string[]} [done]    the answers of a run before, which was stopped
 * @property {(answers: string[]) => void} [onAnswers]   all answers about parts so far
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
export async function askInParts({question, attachments, room, count, ask, onTitle, done = [],
    onAnswers, signal}) {
    const parts = [];
    for (const {name, text, how} of attachments) {
        if (how !== 'parts') continue;
        const passages = await cutText(text, Math.min(room, LONGEST_PART), count, {signal}),
            pages = pagesOf(text, passages);
        parts.push(...passages.map(({start, end}, i) => ({name, text: text.slice(start, end),
            page: pages[i]})));
    }
    const answers = done.slice(0, parts.length);
    for (const [i, {name, text, page}] of parts.entries()) {
        if (i < answers.length) continue;
        onTitle({part: i + 1, parts: parts.length, name, page});
        answers.push(await ask(promptOf({name, text}, i + 1, parts.length, question), parts.length === 1));
        onAnswers?.(answers);
    }
    if (parts.length > 1) await putTogether(answers, {question, room, count, ask, onTitle, signal});
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

/**
 * As many at once as fit: at least two, which have at most half of it each, so that every round leaves fewer.
 * @param {string[]} answers
 * @param {number} room
 * @param {Asking['count']} count
 * @param {AbortSignal} [signal]
 */
async function group(answers, room, count, signal) {
    /** @type {string[][]} */
    const groups = [], around = await count(together(['', ''], '')) - await count(together([''], ''));
    let left = 0;
    for (const answer of answers) {
        const [{end, tokens}] = answer ? await cutText(answer, Math.max(1, Math.floor(room / 2) - around),
            count, {passages: 1, signal}) : [{end: 0, tokens: 0}];
        const needed = tokens + around, last = groups.at(-1);
        if (last && needed <= left) last.push(answer.slice(0, end));
        else {
            groups.push([answer.slice(0, end)]);
            left = room;
        }
        left -= needed;
    }
    return groups;
}
