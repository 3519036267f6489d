// How an answer is asked for and written: each piece is stored before it is shown, so nothing that was seen
// is lost. What can't be stored is shown as well, and said once.
//
// Owns: what the model is asked, with the files of a question, and how an answer ends. Must not know:
// elements, and which branch is shown.

import {later} from '../base/later.js';
import {seedOf} from './asking.js';
import {pathTo, siblingsOf} from './data/tree.js';
import {toAsked} from './files/asking.js';

/**
 * @typedef {import('./data/types.js').Message} Message
 * @typedef {import('../gemma.js').Result} Result
 *
 * @typedef {object} Asking
 * @property {import('./data/conversations.js').Conversations} store
 * @property {import('./talk.js').Talk} talk
 * @property {string} model   its id; '' for one that is not stored
 * @property {Message[]} messages   all of the conversation
 * @property {{system: string, overflow: 'error' | 'drop-oldest', options:
 *     import('../gemma.js').PromptOptions}} settings
 * @property {AbortSignal} signal
 * @property {import('./views/chat.js').Stream} shown
 * @property {(error: Error) => void} onError
 */

/**
 * @param {Message} answer   what it has is continued
 * @param {Asking} asking
 * @returns {Promise<Result | undefined>} undefined where it was stopped before it began
 */
export async function writeAnswer(answer, asking) {
    const {store, shown, signal, onError} = asking, writer = store.write(answer.id);
    let isSaid = false;
    const onUnkept = (/** @type {Error} */ error) => {
        if (!isSaid) onError(error);
        isSaid = true;
    };
    const onPiece = (/** @type {string} */ piece) => {
        answer.content += piece;
        void writer.append(piece).catch(onUnkept).then(() => shown.add(piece));
    };
    /** @type {Partial<Message>} */
    let end = {state: 'failed'};
    /** @type {Partial<Message>} */
    const done = {};
    const onDone = (/** @type {Partial<Message>} */ more) => void store.edit(answer.id,
        Object.assign(done, more)).catch(onUnkept);
    try {
        const result = await ask(answer, asking, {onPiece, onDone});
        end = toEnd(result);
        return result;
    } catch (error) {
        if (!signal.aborted) throw error;
        end = {state: 'stopped', finishReason: 'abort'};
        return undefined;
    } finally {
        // What could not be kept of a part is tried again with the end.
        Object.assign(end, done);
        await writer.finish(end).catch(onUnkept);
        Object.assign(answer, end);
        shown.end();
    }
}

/**
 * @param {Message} answer
 * @param {Asking} asking
 * @param {{onPiece: (piece: string) => void, onDone: (done: Partial<Message>) => void}} on   onDone: what an
 *     answer in parts needs to continue
 * @returns {Promise<Result>}
 */
async function ask(answer, {store, talk, model, messages, settings: {system, overflow, options: settings},
    signal, shown}, {onPiece, onDone}) {
    const question = messages.find(({id}) => id === answer.parent),
        options = {...settings, sampling: withSeed(settings.sampling, answer, messages), signal};
    if (!question) throw new Error(`There is no question to the answer ${answer.id}.`);
    if (question.attachments?.some(({how}) => how)) {
        const files = await later(() => import('./with_files.js')),
            kept = files.vectorsOf(store, answer.conversation, model);
        const about = {gemma: talk.gemma, system, options, onReading: shown.reading, kept};
        if (question.attachments.some(({how, text}) => how === 'parts' && text))
            return files.answerInParts(question, answer, {...about, onPiece, onDone});
        const attachments = await files.completeQuestion(question, pathTo(messages, question.parent), about);
        if (attachments !== question.attachments) await store.edit(question.id, {attachments});
        question.attachments = attachments;
    }
    const asked = pathTo(messages, answer.content ? answer.id : question.id)
        .map((message) => toAsked(message, message.id === question.id));
    if (system) asked.unshift({role: 'system', content: system});
    const onProgress = (/** @type {{done: number, total: number}} */ {done, total}) => done < total
        && shown.reading(done / total);
    return talk.ask({conversation: answer.conversation, messages: asked, overflow, onPiece,
        onOverflow: shown.dropped, options: {...options, onProgress}});
}

/**
 * Each version has another seed, also where a person has set one.
 * @param {import('../gemma.js').Sampling | undefined} sampling
 * @param {Message} answer
 * @param {Message[]} messages
 */
function withSeed(sampling = {}, {id, created}, messages) {
    const others = siblingsOf(messages, id).filter((other) => other.id !== id),
        used = new Set(others.map(({seed}) => seed));
    let before = others.filter((other) => other.created <= created).length;
    while (sampling.seed !== undefined && used.has(seedOf(sampling, before))) before++;
    return {...sampling, seed: seedOf(sampling, before)};
}

/** What is kept of a result. @param {import('../gemma.js').Result} result @returns {Partial<Message>} */
function toEnd({finishReason, seed, tokens, cachedTokens, promptTokens,
    timings: {decodeTokens, decodeMs, prefillMs}}) {
    return {
        state: finishReason === 'abort' ? 'stopped' : 'done', finishReason, seed,
        figures: {tokens: tokens.length, cachedTokens, promptTokens: promptTokens.length, decodeTokens,
            decodeMs, prefillMs},
    };
}
