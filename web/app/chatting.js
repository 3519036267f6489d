// The conversation that is open: a tree of messages, of which one path is shown, and the running answer.
//
// Owns: which path, and in which order things are stored and shown. Must not know: elements (views/chat.js),
// IndexedDB, sessions, how an answer is written (answering.js).

import {writeAnswer} from './answering.js';
import {newestLeafBelow, pathTo, siblingsIn, siblingsOf} from './data/tree.js';
import {Elsewhere} from './elsewhere.js';
import {asNew, lookedUp} from './files/asking.js';

/**
 * @typedef {import('./data/conversations.js').Conversations} Conversations
 * @typedef {import('./data/types.js').Summary} Summary
 * @typedef {import('./data/types.js').Message} Message
 * @typedef {import('./talk.js').Talk} Talk
 *
 * @typedef {object} Parts
 * @property {Conversations} store
 * @property {import('./views/chat.js').Chat} view
 * @property {(summary: Summary) => Promise<{talk: Talk, model: {id: string, name: string}} | undefined>} open
 *     the model that answers it, loaded where it is not; undefined where a person has said no
 * @property {(summary: Summary) => {system: string, overflow: 'error' | 'drop-oldest',
 *     options: import('../gemma.js').PromptOptions}} settingsOf
 * @property {(error: Error) => void} onError
 * @property {(result: import('../gemma.js').Result) => void} onAnswered
 * @property {(id: string | undefined, isSame: boolean) => void} onOpened   isSame: it is stored now, or gone
 */

export class Chatting {
    #parts;
    /** undefined for a new one, which is stored with its first message. @type {Summary | undefined} */
    #summary;
    /** @type {Message[]} */
    #messages = [];
    /** Stops the answer. @type {AbortController | undefined} */
    #running;
    #elsewhere = new Elsewhere(({id}) => this.#stream(id));
    /** For a new one. @type {Record<string, unknown>} */
    #settings = {};
    #turn = 0;      // counts what is asked for: only the last is opened
    #reads = 0;     // counts reads and additions: what was read before another one is old

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

    /** A new conversation. @param {boolean} [isSame]   in the place of one that is gone */
    begin(isSame = false) {
        this.#turn++;
        this.stop();
        this.#summary = undefined;
        this.#messages = [];
        this.#settings = {};
        this.#show();
        this.#parts.onOpened(undefined, isSame);
    }

    /** @param {string} id @returns {Promise<boolean>} whether there is such a conversation */
    async open(id) {
        if (!this.#find(id)) return false;
        const turn = ++this.#turn;
        if (id === this.id) return true;
        this.stop();
        const {store, view} = this.#parts, [messages] = await Promise.all([store.read(id), view.ready()]),
            summary = this.#find(id);
        if (turn !== this.#turn || !summary) return Boolean(summary);
        this.#summary = summary;
        this.#messages = messages;
        this.#show();
        this.#parts.onOpened(id, false);
        return true;
    }

    /** What holds for this conversation alone. */
    get settings() {
        return this.summary?.settings ?? this.#settings;
    }

    /**
     * @param {Record<string, unknown>} settings   those that change
     * @param {string} [id]   default: the new one, not stored
     */
    async changeSettings(settings, id = this.id) {
        if (id) await this.#parts.store.change(id, {settings});
        else this.#settings = {...this.#settings, ...settings};
    }

    /** @param {string} content @param {import('./data/types.js').Attachment[]} [attachments] */
    send(content, attachments = []) {
        return this.#work(async (signal) => {
            const files = lookedUp(this.#path, attachments), {id: conversation} = this.summary ?? {};
            /** @type {Pick<Message, 'parent' | 'role' | 'content' | 'attachments'>} */
            const question = {parent: this.#path.at(-1)?.id ?? null, role: 'user', content,
                attachments: files.length ? files : undefined};
            const storing = conversation ? this.#add({...question, conversation, state: 'done'})
                : this.#create(question);
            await this.#answer(await this.#orBack(storing, content, attachments), signal, {isNew: true});
        });
    }

    /** Asks differently from a message on: a branch. @param {string} id @param {string} content */
    edit(id, content) {
        return this.#work(async (signal) => {
            const {parent, role, attachments, conversation} = this.#get(id);
            const added = await this.#orBack(this.#add({conversation, parent, role, content,
                attachments: asNew(attachments), state: 'done'}), content);
            if (role === 'user') await this.#answer(added, signal, {isNew: true});
        });
    }

    /** A question that has no answer. @param {string} id */
    answer(id) {
        return this.#work((signal) => this.#answer(this.#get(id), signal));
    }

    /** Answers again, as another branch unless the answer has no word yet. @param {string} id   of an answer */
    regenerate(id) {
        const old = this.#get(id), {parent} = old;
        if (isUnbegun(old)) return this.continue(id);
        return this.#work(async (signal) => parent && this.#answer(this.#get(parent), signal));
    }

    /** Goes on with an answer that was stopped. @param {string} id */
    continue(id) {
        const begun = this.#get(id), {parent} = begun;
        return this.#work(async (signal) => parent && this.#answer(this.#get(parent), signal, {begun}));
    }

    /** Shows another branch. @param {string} id   of a shown message @param {number} step   1: next, -1: previous */
    async walk(id, step) {
        const siblings = siblingsOf(this.#messages, id),
            next = siblings[siblings.findIndex((one) => one.id === id) + step];
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
            // All is read again when the answer ends.
            if (conversation === this.id && this.#running) return;
            if (conversation === this.id) await this.#readAgain();
            // it had no more messages, and was gone
            else if (conversation && !this.id) await this.open(conversation);
        };
    }

    /** Shows an answer as it is written. @param {string} id */
    #stream(id) {
        const {view, settingsOf} = this.#parts;
        const question = this.#messages.find((one) => one.id === this.#get(id).parent),
            isInParts = question?.attachments?.some(({how}) => how === 'parts');
        return view.stream(id, Boolean(!isInParts && this.summary && settingsOf(this.summary).options.constraint));
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

    /** A new one. @param {Pick<Message, 'parent' | 'role' | 'content' | 'attachments'>} question   the first */
    async #create(question) {
        const turn = this.#turn, settings = this.#settings,
            {summary, message} = await this.#parts.store.begin({kind: 'chat', settings}, question);
        if (turn !== this.#turn) return message;         // another one was opened meanwhile
        this.#summary = summary;
        this.#messages = [message];
        this.#parts.onOpened(summary.id, true);
        return message;
    }

    /** @param {Omit<Message, 'id' | 'created'>} message @returns {Promise<Message>} */
    async #add(message) {
        const added = await this.#parts.store.add(message.conversation, message);
        this.#reads++;
        this.#messages.push(added);
        if (this.#summary) this.#summary = {...this.#summary, leaf: added.id};
        return added;
    }

    /**
     * What can't be stored goes back into the field.
     * @param {Promise<Message>} storing
     * @param {string} content
     * @param {import('./data/types.js').Attachment[]} [attachments]
     */
    async #orBack(storing, content, attachments) {
        try {
            return await storing;
        } catch (error) {
            this.#parts.view.takeBack({content, files: {ready: attachments ?? []}});
            throw error;
        }
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
        if (this.id && !this.summary) this.begin(true);
        // What this tab writes is shown already.
        if (!this.id || this.#running || isOther) return;
        const isKnown = change.kind === 'conversation'
            ? this.#elsewhere.add(this.#messages.find(({id}) => id === change.message), change)
            : this.summary?.leaf === this.#summary?.leaf;
        if (!isKnown) this.#readAgain().catch(onError);
    }

    async #readAgain() {
        const id = this.id, read = ++this.#reads;
        if (!id) return;
        const messages = await this.#parts.store.read(id), summary = this.#find(id);
        if (id !== this.id || !summary || read !== this.#reads) return;
        this.#summary = summary;
        this.#messages = messages;
        this.#show();
    }

    #showTitle() {
        this.#parts.view.setTitle(this.summary?.title ?? '');
    }

    #show() {
        this.#elsewhere.end();
        this.#showTitle();
        const siblingsAt = siblingsIn(this.#messages),
            answered = new Set(this.#messages.filter(({role}) => role === 'assistant').map(({parent}) => parent));
        this.#parts.view.show(this.#path.map((message) => {
            const siblings = siblingsAt(message.id);
            return {message, branch: siblings.findIndex(({id}) => id === message.id) + 1,
                branches: siblings.length, isOpen: message.role === 'user' && !answered.has(message.id)};
        }));
    }

    /** Another tab may have answered. @param {Message} message @param {Message} [own]   what this tab has added */
    async #isFollowed({id, conversation}, own) {
        return (await this.#parts.store.read(conversation)).some((one) => one.parent === id && one.id !== own?.id);
    }

    /** One at a time: ignored while an answer is written. @param {(signal: AbortSignal) => Promise<unknown>} task */
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
     * @param {Message} question
     * @param {AbortSignal} signal
     * @param {{begun?: Message, isNew?: boolean}} [about]   begun: the answer that continues; isNew: it was just asked
     */
    async #answer(question, signal, {begun, isNew = false} = {}) {
        const {store, view, open, settingsOf, onError, onAnswered} = this.#parts, {summary} = this;
        let answer = begun;
        try {
            if (summary?.id !== question.conversation) return;
            this.#show();
            const [opened] = await Promise.all([open(summary), view.ready()]);
            if (!opened || signal.aborted) return;
            const {talk, model} = opened;
            if (model.id && summary.model?.id !== model.id) await store.change(summary.id, {model});
            answer ??= await this.#add({
                conversation: summary.id, parent: question.id, role: 'assistant', content: '', state: 'writing',
                model: model.name,
            });
            if (begun) await store.edit(begun.id,
                {state: 'writing', ...isUnbegun(begun) && {model: model.name}});
            this.#show();
            const result = await writeAnswer(answer, {
                store, onError, signal, talk, model: model.id, messages: this.#messages,
                settings: settingsOf(this.#find(summary.id) ?? summary), shown: this.#stream(answer.id),
            });
            if (result) onAnswered(result);
        } finally {
            if (!answer?.content && answer?.state !== 'done') {
                // If another conversation is open by now, the question stays where it was asked.
                const isBack = isNew && this.id === question.conversation, empty = isBack ? question : answer;
                if (empty && this.#find(empty.conversation) && !await this.#isFollowed(empty, answer))
                    await store.deleteFrom(empty.id).catch(ignoreGone);
                // it was the first: the conversation is gone with it
                if (isBack && !this.id) this.#settings = summary?.settings ?? {};
                const ready = (question.attachments ?? []).filter(({how}) => how !== 'found');
                if (isBack) view.takeBack({content: question.content, files: {ready}});
            }
        }
    }
}

/** An answer that ended before its first word. @param {Message} message */
const isUnbegun = ({content, state}) => !content && (state === 'stopped' || state === 'failed');

/** Another tab was faster. */
const ignoreGone = (/** @type {any} */ error) => { if (error.code !== 'gone') throw error; };
