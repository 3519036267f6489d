// A question about files that do not fit, and the model: what must be known before it is asked, and an answer
// that is made of many.
//
// Owns: how answers about parts are written into one. Must not know: elements, how conversations are stored.

import {askInParts, framesOf} from './in_parts.js';
import {answerTokens, counting, isOpen, prepare} from './prepare.js';
import {text} from '../texts.js';

/**
 * @typedef {import('../data/types.js').Message} Message
 * @typedef {import('../../gemma.js').Result} Result
 * @typedef {import('../../gemma.js').PromptOptions & {signal: AbortSignal}} Options
 *
 * @typedef {object} About
 * @property {import('./prepare.js').Model} gemma
 * @property {string} system
 * @property {Options} options
 * @property {(share: number) => void} onReading
 * @property {import('./finding.js').Kept} [kept]   embeddings of a time before
 */

/** Two texts may have a token more than each by itself. */
const AROUND = 8;
/** Lines that begin or end code. */
const FENCES = /^ {0,3}(?:`{3,}|~{3,})/gm;

/**
 * The files of a question, with what is read of them.
 * @param {Message} question
 * @param {Message[]} path   before it
 * @param {About} about
 */
export async function completeQuestion(question, path, {gemma, system, options: {maxTokens, signal},
    onReading, kept}) {
    return isOpen(question) ? prepare(question, {gemma, path, system, maxTokens, signal,
        onProgress: onReading, kept}) : question.attachments;
}

/**
 * The answer to all has the form that was asked for, and stands as code below what was written about the
 * parts; these are free.
 * @param {Message} question
 * @param {Message} answer   one that was stopped continues where the text of its last part ended; where all
 *     parts are answered, its answer to all continues
 * @param {About & {onPiece: (piece: string) => void, onDone: (done: Pick<Message, 'parts' | 'readTo' |
 *     'lastAt'>) => void}} about   onDone: what such an answer needs to continue
 * @returns {Promise<Result>} of all that was written
 */
export async function answerInParts(question, answer, {gemma, system, options, onReading,
    onPiece, onDone}) {
    const {contextLength} = gemma.info, {signal} = options, {constraint, ...free} = options,
        before = system ? [{role: 'system', content: system}] : [];
    const maxTokens = answerTokens(contextLength, options.maxTokens),
        whole = {role: 'user', content: question.content};
    const frames = framesOf(question.content, question.attachments ?? [])
        .map((content) => gemma.count(/** @type {any} */ ([...before, {...whole, content}])));
    const room = contextLength - maxTokens - AROUND - Math.max(...await Promise.all(frames));
    const session = await gemma.session();
    /** @type {Result | undefined} */
    let all;
    let shown = answer.content;
    const show = (/** @type {string} */ piece) => {
        shown += piece;
        onPiece(piece);
    };
    const ask = async (/** @type {string} */ content, /** @type {boolean} */ isLast,
        /** @type {string | undefined} */ begun) => {
        const onProgress = (/** @type {{done: number, total: number}} */ {done, total}) => done < total
            && onReading(done / total);
        const messages = /** @type {any} */ ([...before, {...whole, content},
            ...begun ? [{role: 'assistant', content: begun}] : []]);
        const form = isLast && constraint ? {constraint} : {},
            written = session.prompt(messages, {...free, ...form, maxTokens, stateless: true, onProgress});
        if (form.constraint && begun === undefined) show('```json\n');
        if (isLast && begun === undefined) onDone({lastAt: shown.length});
        for await (const piece of written) show(piece);
        const result = await written.result;
        // Nothing follows the last but what continues it.
        if (!isLast || result.finishReason === 'stop') closeCode();
        all = all ? sumOf(all, result) : result;
        if (result.finishReason === 'abort') throw signal.reason;
        return result.text;
    };
    /** An answer that was cut within code must not take in what follows. */
    const closeCode = () => {
        if ((shown.match(FENCES)?.length ?? 0) % 2) show('\n```');
    };
    const onTitle = (/** @type {Parameters<import('./in_parts.js').Asking['onTitle']>[0]} */ title) => {
        closeCode();
        show(`${shown ? '\n\n' : ''}### ${titleOf(title)}\n\n`);
    };
    try {
        await askInParts({
            question: question.content, attachments: question.attachments ?? [], room: Math.max(16, room),
            count: counting(gemma), ask, onTitle, done: {parts: answer.parts ?? [], readTo: answer.readTo},
            begun: lastOf(answer), onDone, signal,
        });
    } catch (error) {
        if (!signal.aborted || !all) throw error;
        return {...all, finishReason: 'abort'};
    } finally {
        await session.close().catch(() => {});
    }
    if (!all) throw new Error('There was no part to ask about.');
    return all;
}

/**
 * The answer to all, as far as it was written. Of an only part, older versions kept the answer, but not where
 * it begins.
 * @param {Message} answer
 */
function lastOf({content, parts = [], lastAt}) {
    const at = lastAt ?? (parts.length === 1 ? Math.max(0, content.lastIndexOf(parts[0])) : undefined);
    return at === undefined ? undefined : content.slice(at);
}

/** @param {Parameters<import('./in_parts.js').Asking['onTitle']>[0]} title */
function titleOf(title) {
    if ('last' in title) return text('files.part-all');
    if ('round' in title) return text('files.part-round', {count: title.round});
    const {part, parts, name, page} = title,
        where = [text('files.part', {part, parts}), name.replace(/[\\`*_[\]<>#|~&!]/g, '\\$&'),
            page ? text('files.page', {page}) : ''];
    return where.filter(Boolean).join(' · ');
}

/**
 * What was written, and the time of all; the prompt is the last one.
 * @param {Result} a
 * @param {Result} b
 * @returns {Result}
 */
function sumOf(a, b) {
    const timings = /** @type {Result['timings']} */ ({...b.timings});
    for (const name of /** @type {const} */ (['prefillTokens', 'prefillMs', 'decodeTokens', 'decodeMs']))
        timings[name] += a.timings[name];
    return {...b, timings, tokens: [...a.tokens, ...b.tokens]};
}

