// What the model reads of files that don't fit its context, for one question: their first part, or the
// passages that have to do with it.
//
// Owns: the sums. Must not know: elements, how conversations are stored.

import {GemmaError} from '../../gemma.js';
import {toAsked} from './asking.js';
import {findPassages} from './finding.js';
import {cutText} from './passages.js';

/**
 * @typedef {import('../data/types.js').Message} Message
 * @typedef {import('../data/types.js').Attachment} Attachment
 * @typedef {Pick<import('../../gemma.js').Gemma, 'count' | 'tokenize' | 'embed' | 'session'> & {info:
 *     {contextLength: number}}} Model
 *
 * @typedef {object} Preparing
 * @property {Model} gemma
 * @property {Message[]} path        what was said before
 * @property {string} system
 * @property {number} [maxTokens]    of the answer
 * @property {AbortSignal} signal
 * @property {(share: number) => void} onProgress   of looking passages up
 * @property {import('./finding.js').Kept} [kept]
 */

/** Two texts may have a token more than each by itself. */
const AROUND = 4;
/** Small models lose themselves in more, and reading it takes its time. */
const MOST_FOUND = 2000;
/** Tokens of a file that are worth reading. */
export const FEWEST = 64;

/**
 * What an answer gets of the context, at most a quarter of it.
 * @param {number} contextLength
 * @param {number} [maxTokens]
 */
export const answerTokens = (contextLength, maxTokens = Infinity) => Math.min(maxTokens,
    Math.floor(contextLength / 4));

/** @param {Pick<Model, 'tokenize'>} gemma @returns {(text: string) => Promise<number>} */
export const counting = (gemma) => async (text) => (await gemma.tokenize(text, {bos: false})).length;

/** Whether a question must be prepared. @param {Message} question */
export const isOpen = ({attachments = []}) => attachments.some(({how, asked, text}) => how === 'found' ? !text
    : (how === 'first' || how === 'search') && asked === undefined);

/**
 * @param {Message} question
 * @param {Preparing} options
 * @returns {Promise<Attachment[]>} the question's, with what is read of each
 */
export async function prepare(question, {gemma, path, system, maxTokens, signal, onProgress, kept}) {
    const {content, attachments = []} = question, {contextLength} = gemma.info;
    const frames = {...question, attachments: attachments.map((attachment) => attachment.how
        ? {...attachment, text: '', asked: ''} : attachment)};
    const messages = [...path.map((message) => toAsked(message)), toAsked(frames, true)];
    const held = await gemma.count(system ? [{role: 'system', content: system}, ...messages] : messages);
    const room = contextLength - held - answerTokens(contextLength,
        maxTokens) - AROUND * (attachments.length + 1);
    if (room < FEWEST) {
        throw new GemmaError('context-full',
            `The conversation has ${held} tokens of the ${contextLength} that the context holds: no passage of a file fits beside it.`);
    }
    if (attachments.some(({how}) => how === 'first')) return firstParts(attachments, room, counting(gemma));
    const texts = attachments.flatMap((attachment) => {
        const found = attachment.how === 'search' ? attachment : attachment.how === 'found'
            ? wholeOf(attachment.name, path) : undefined;
        return found ? [{name: found.name, text: found.text}] : [];
    });
    const passages = await findPassages(texts, content,
        {gemma, room: Math.min(Math.max(FEWEST, room / 2), MOST_FOUND), count: counting(gemma), signal,
            onProgress, kept});
    return attachments.map((attachment) => {
        const {name, how} = attachment, found = passages.get(name) ?? '';
        return how === 'search' ? {...attachment, asked: found} : how === 'found'
            ? {...attachment, text: found} : attachment;
    }).filter(({how, text}) => how !== 'found' || text);
}

/** @param {string} name @param {Message[]} path */
const wholeOf = (name, path) => path.flatMap(({attachments = []}) => attachments)
    .findLast((other) => other.how === 'search' && other.name === name);

/**
 * Small files are read whole; what is left is shared by the large ones.
 * @param {Attachment[]} attachments @param {number} room @param {(text: string) => Promise<number>} count
 */
async function firstParts(attachments, room, count) {
    const cut = attachments.filter(({how}) => how === 'first')
        .sort((a, b) => (a.tokens ?? Infinity) - (b.tokens ?? Infinity));
    /** @type {Map<Attachment, Attachment>} */
    const made = new Map();
    let left = room;
    for (const [i, attachment] of cut.entries()) {
        const share = Math.floor(left / (cut.length - i)), {text} = attachment;
        const [first] = await cutText(text, Math.max(1, share), count, {passages: 1});
        left -= first.tokens;
        made.set(attachment, first.end < text.length ? {...attachment, asked: text.slice(0, first.end)}
            : {...attachment, how: undefined});
    }
    return attachments.map((attachment) => made.get(attachment) ?? attachment);
}
