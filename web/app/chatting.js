// The conversation that is open: a tree of messages, of which one path is shown, and the answer that is being written.
//
// Owns: which path, and in which order things are stored, asked and shown. Must not know: elements (views/chat.js), IndexedDB, sessions.

import {asNew, lookedUp, toAsked} from './files/asking.js';
import {newestLeafBelow, pathTo, siblingsOf} from './data/tree.js';

/**
 * @typedef {import('./data/conversations.js').Conversations} Conversations
 * @typedef {import('./data/types.js').Summary} Summary
 * @typedef {import('./data/types.js').Message} Message
 * @typedef {import('./talk.js').Talk} Talk
 *
 * @typedef {object} Parts
 * @property {Conversations} store
 * @property {import('./views/chat.js').Chat} view
 * @property {(summary: Summary) => Promise<{talk: Talk, model: {id: string, name: string}} | undefined>} open   the model that answers it, loaded where it is not; undefined where
 *   a person has said no
 * @property {(summary: Summary) => {system: string, overflow: 'error' | 'drop-oldest', options: import('../gemma.js').PromptOptions}} settingsOf
 * @property {(error: Error) => void} onError
 * @property {(result: import('../gemma.js').Result) => void} onAnswered
 * @property {(id: string | undefined) => void} onOpened   another conversation is open now
 */

export class Chatting {
    #parts;
    /** undefined for a new one, which is stored with its first message. @type {Summary | undefined} */
    #summary;
    /** @type {Message[]} */
    #messages = [];
    /** Stops the answer. @type {AbortController | undefined} */
    #running;
    /** Answers that other tabs write. @type {Map<string, import('./views/chat.js').Stream>} */
    #streams = new Map();
    /** For a new one. @type {Record<string, unknown>} */
    #settings = {};

    /** @param {Parts} parts */
    constructor(parts) {
        this.#parts = parts;
        parts.store.listen((change) => this.#hear(change));
    }

    get id() {
        return this.#summary?.id;
    }

    get summary() {
        return this.id ? this.#find(this.id) : undefined;
    }

    get isBusy() {
        return Boolean(this.#running);
    }

    stop() {
        this.#running?.abort();
    }

    /** A new conversation. */
    begin() {
        this.stop();
        this.#summary = undefined;
        this.#messages = [];
        this.#settings = {};
        this.#show();
        this.#parts.onOpened(undefined);
    }

    /** @param {string} id @returns {Promise<boolean>} whether there is such a conversation */
    async open(id) {
        const summary = this.#find(id);
        if (!summary) return false;
        if (id === this.id) return true;
        this.stop();
        const [messages] = await Promise.all([this.#parts.store.read(id), this.#parts.view.ready()]);
        this.#summary = summary;
        this.#messages = messages;
        this.#show();
        this.#parts.onOpened(id);
        return true;
    }

    /** What holds for this conversation alone. */
    get settings() {
        return this.summary?.settings ?? this.#settings;
    }

    /** @param {Record<string, unknown>} settings */
    async changeSettings(settings) {
        this.#settings = settings;
        if (this.id) await this.#parts.store.change(this.id, {settings});
    }

    /** @param {string} content @param {import('./data/types.js').Attachment[]} [attachments] */
    send(content, attachments = []) {
        return this.#work(async (signal) => {
            const {id: conversation} = this.summary ?? await this.#create(), parent = this.#path.at(-1)?.id ?? null, files = lookedUp(this.#path, attachments);
            await this.#answer(await this.#add({conversation, parent, role: 'user', content, attachments: files.length ? files : undefined, state: 'done'}), signal, {isNew: true});
        });
    }

    /** Asks differently from a message on: a branch. @param {string} id @param {string} content */
    edit(id, content) {
        return this.#work(async (signal) => {
            const {parent, role, attachments, conversation} = this.#get(id);
            const added = await this.#add({conversation, parent, role, content, attachments: asNew(attachments), state: 'done'});
            if (role === 'user') await this.#answer(added, signal, {isNew: true});
        });
    }

    /** Answers once more: another branch. @param {string} id   of an answer */
    regenerate(id) {
        const {parent} = this.#get(id);
        return this.#work(async (signal) => parent && this.#answer(this.#get(parent), signal));
    }

    /** Goes on with an answer that was stopped. @param {string} id */
    continue(id) {
        const begun = this.#get(id), {parent} = begun;
        return this.#work(async (signal) => parent && this.#answer(this.#get(parent), signal, {begun}));
    }

    /** Shows another branch. @param {string} id   of the message that is shown @param {number} step   1: the next, -1: the one before */
    async walk(id, step) {
        const siblings = siblingsOf(this.#messages, id), next = siblings[siblings.findIndex((one) => one.id === id) + step];
        if (!next || !this.id) return;
        await this.#lead(newestLeafBelow(this.#messages, next.id) ?? next.id);
        this.#show();
        this.#parts.view.focusOn(next.id);
    }

    /** A message and all that follows it. @param {string} id @returns {Promise<() => Promise<void>>} undoes it */
    async deleteFrom(id) {
        this.stop();
        const conversation = this.id, undo = await this.#parts.store.deleteFrom(id);
        await this.#readAgain();
        return async () => {
            await undo();
            if (conversation === this.id) await this.#readAgain();
        };
    }

    /** Shows an answer as it is written. @param {string} id */
    #stream(id) {
        const {view, settingsOf} = this.#parts;
        return view.stream(id, Boolean(this.summary && settingsOf(this.summary).options.constraint));
    }

    /** The path that is shown. */
    get path() {
        return this.#path;
    }

    get #path() {
        return pathTo(this.#messages, this.#summary?.leaf ?? null);
    }

    /** @param {string} id */
    #find(id) {
        return this.#parts.store.list().find((one) => one.id === id);
    }

    /** @param {string} id */
    #get(id) {
        const found = this.#messages.find((one) => one.id === id);
        if (!found) throw new Error(`There is no message ${id} in this conversation.`);
        return found;
    }

    async #create() {
        this.#summary = await this.#parts.store.create({kind: 'chat', settings: this.#settings});
        this.#parts.onOpened(this.#summary.id);
        return this.#summary;
    }

    /** @param {Omit<Message, 'id' | 'created'>} message @returns {Promise<Message>} */
    async #add(message) {
        const added = await this.#parts.store.add(message.conversation, message);
        this.#messages.push(added);
        if (this.#summary) this.#summary = {...this.#summary, leaf: added.id};
        return added;
    }

    /** @param {string} leaf */
    async #lead(leaf) {
        if (!this.#summary) return;
        this.#summary = {...this.#summary, leaf};
        await this.#parts.store.change(this.#summary.id, {leaf});
    }

    /** @param {import('./data/types.js').Change} change   of this tab or another */
    #hear(change) {
        const {onError} = this.#parts, isOther = change.kind === 'conversation' && change.id !== this.id;
        if (change.kind === 'list') this.#showTitle();
        if (this.id && !this.summary) this.begin();
        // What this tab writes is shown already.
        else if (!this.#running && !isOther && (change.kind === 'conversation' ? !this.#follow(change) : this.summary?.leaf !== this.#summary?.leaf)) this.#readAgain().catch(onError);
    }

    /** Shows a piece that another tab writes. @param {Extract<import('./data/types.js').Change, {kind: 'conversation'}>} change @returns {boolean} whether it fits what is here */
    #follow({message: id, at, text}) {
        const message = this.#messages.find((one) => one.id === id);
        if (!message || text === undefined || message.content.length !== at) return false;
        message.content += text;
        const stream = this.#streams.get(message.id) ?? this.#stream(message.id);
        this.#streams.set(message.id, stream);
        stream.add(text);
        return true;
    }

    async #readAgain() {
        const id = this.id;
        if (!id) return;
        for (const stream of this.#streams.values()) stream.end();
        this.#streams.clear();
        const messages = await this.#parts.store.read(id), summary = this.#find(id);
        if (id !== this.id || !summary) return;
        this.#summary = summary;
        this.#messages = messages;
        this.#show();
    }

    #showTitle() {
        this.#parts.view.setTitle(this.summary?.title ?? '');
    }

    #show() {
        this.#showTitle();
        this.#parts.view.show(this.#path.map((message) => {
            const siblings = siblingsOf(this.#messages, message.id);
            return {message, branch: siblings.findIndex(({id}) => id === message.id) + 1, branches: siblings.length};
        }));
    }

    /** One thing after the other: who asks while an answer is written is not heard. @param {(signal: AbortSignal) => Promise<unknown>} task */
    async #work(task) {
        const {view, onError} = this.#parts;
        if (this.#running) return;
        const {signal} = this.#running = new AbortController();
        view.setBusy(true);
        try {
            await task(signal);
        } catch (error) {
            onError(/** @type {Error} */ (error));
        }
        this.#running = undefined;
        await this.#readAgain().catch(onError);
        view.setBusy(false);
    }

    /**
     * Answers a question. One that is not answered at all goes back into the field.
     * @param {Message} question @param {AbortSignal} signal @param {{begun?: Message, isNew?: boolean}} [about]   begun: the answer that continues; isNew: it was
     *     just asked
     */
    async #answer(question, signal, {begun, isNew = false} = {}) {
        const {store, view, open} = this.#parts, {summary} = this;
        let answer = begun;
        try {
            if (!summary) return;
            this.#show();
            const [opened] = await Promise.all([open(summary), view.ready()]);
            if (!opened || signal.aborted) return;
            if (opened.model.id && summary.model?.id !== opened.model.id) await store.change(summary.id, {model: opened.model});
            answer ??= await this.#add({
                conversation: summary.id, parent: question.id, role: 'assistant', content: '', state: 'writing', model: opened.model.name,
            });
            if (begun) await store.edit(begun.id, {state: 'writing'});
            this.#show();
            await this.#write(answer, summary, opened.talk, signal);
        } finally {
            if (!answer?.content && answer?.state !== 'done') {
                // Who has gone on to another conversation finds the question where it was asked.
                const isBack = isNew && this.id === question.conversation, empty = isBack ? question : answer;
                if (empty && this.#find(empty.conversation)) await store.deleteFrom(empty.id).catch(ignoreGone);
                if (isBack) view.takeBack(question.content, question.attachments?.filter(({how}) => how !== 'found'));
            }
        }
    }

    /**
     * Writes an answer. Each piece is stored before it is shown, so nothing that was seen is lost.
     * @param {Message} answer @param {Summary} summary @param {Talk} talk @param {AbortSignal} signal
     */
    async #write(answer, summary, talk, signal) {
        const {store, settingsOf, onError, onAnswered} = this.#parts, {system, overflow, options} = settingsOf(summary);
        const writer = store.write(answer.id), shown = this.#stream(answer.id);
        const onPiece = (/** @type {string} */ piece) => {
            answer.content += piece;
            writer.append(piece).then(() => shown.add(piece), onError);
        };
        /** @type {Partial<Message>} */
        let end = {state: 'failed'};
        try {
            const result = await this.#ask(answer, {conversation: summary.id, system, overflow, talk, options: {...options, signal}, onPiece, shown});
            end = toEnd(result);
            onAnswered(result);
        } catch (error) {
            if (!signal.aborted) throw error;
            end = {state: 'stopped', finishReason: 'abort'};
        } finally {
            await writer.finish(end).catch(onError);
            Object.assign(answer, end);
            shown.end();
        }
    }

    /**
     * @param {Message} answer
     * @param {{conversation: string, system: string, overflow: 'error' | 'drop-oldest', talk: Talk, options: import('../gemma.js').PromptOptions & {signal: AbortSignal},
     *     onPiece: (piece: string) => void, shown: import('./views/chat.js').Stream}} how
     */
    async #ask(answer, {conversation, system, overflow, talk, options, onPiece, shown}) {
        const question = this.#get(answer.parent ?? ''), {store} = this.#parts;
        if (question.attachments?.some(({how}) => how)) {
            const files = await import('./with_files.js'), about = {gemma: talk.gemma, system, options, onReading: shown.reading};
            if (question.attachments.some(({how}) => how === 'parts')) {
                const onAnswers = (/** @type {string[]} */ parts) => void store.edit(answer.id, {parts}).catch(this.#parts.onError);
                return files.answerInParts(question, answer, {...about, onPiece, onAnswers});
            }
            const attachments = await files.completeQuestion(question, pathTo(this.#messages, question.parent), about);
            if (attachments !== question.attachments) await store.edit(question.id, {attachments});
            question.attachments = attachments;
        }
        const messages = pathTo(this.#messages, answer.content ? answer.id : answer.parent).map((message) => toAsked(message, message.id === question.id));
        if (system) messages.unshift({role: 'system', content: system});
        const onProgress = (/** @type {{done: number, total: number}} */ {done, total}) => done < total && shown.reading(done / total);
        return talk.ask({conversation, messages, overflow, onPiece, onOverflow: shown.dropped, options: {...options, onProgress}});
    }
}

/** Another tab was faster. @param {any} error */
function ignoreGone(error) {
    if (error.code !== 'not-found') throw error;
}

/** What is kept of a result. @param {import('../gemma.js').Result} result @returns {Partial<Message>} */
function toEnd({finishReason, seed, tokens, cachedTokens, promptTokens, timings: {decodeTokens, decodeMs, prefillMs}}) {
    return {
        state: finishReason === 'abort' ? 'stopped' : 'done', finishReason, seed,
        figures: {tokens: tokens.length, cachedTokens, promptTokens: promptTokens.length, decodeTokens, decodeMs, prefillMs},
    };
}
