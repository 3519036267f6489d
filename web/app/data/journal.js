// The journal: an answer is kept piece by piece while it is written, so that a tab that ends in the middle
// loses nothing that it has shown. Pieces are small records after their message's content; now and then they
// become a part of it. Owns the object store `journal`.

import {GemmaError, codeOf} from '../../base/error.js';
import {setUnkept} from './unkept.js';

/**
 * @typedef {import('./database.js').Tables} Tables
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {{message: string, text: string}} Piece
 *
 * @typedef {object} Host   what the journal needs of the conversations
 * @property {import('./database.js').Database['change']} change
 * @property {import('./tabs.js').Tabs} tabs
 * @property {(message: string, at: number, text: string) => void} onPiece   it is committed
 * @property {(tables: Tables) => Promise<Summary | undefined>} onFinish   in the transaction that ends
 *     the message
 */

/** Pieces between two times that they become a part of the message's content. */
const FOLD = 256;
const DIGITS = 8;
const TRIES = 3, PAUSE_MS = 30;
/** Until an end that could not be kept is tried again. */
const AGAIN_MS = 3000;

/** Whether it may be kept later. @param {any} error */
const isOfRoom = (error) => ['no-room', 'storage'].includes(codeOf(error) ?? '');

/** What a tab holds while it writes. @param {string} id */
export const lockOf = (id) => `writes ${id}`;

/**
 * Messages with what the journal has of them.
 * @param {Message[]} messages @param {Piece[]} pieces   in their order
 * @returns {Message[]}
 */
export function withPieces(messages, pieces) {
    /** @type {Map<string, string[]>} */
    const texts = new Map();
    for (const {message, text} of pieces) {
        const before = texts.get(message);
        if (before) before.push(text);
        else texts.set(message, [text]);
    }
    return messages.map((message) => texts.has(message.id)
        ? {...message, content: message.content + texts.get(message.id)?.join('')} : message);
}

/**
 * Within a transaction: makes the journal's pieces a part of their message.
 * @param {Tables} tables @param {string} id @param {Partial<Message>} [changes]
 * @returns {Promise<Message | undefined>} undefined where the message is gone; then its pieces stay, for it
 *     may be brought back
 */
export async function fold({messages, journal}, id, changes) {
    const [message, pieces] = await Promise.all([messages.get(id), journal.all(id)]);
    if (!message) return undefined;
    const [whole] = withPieces([{...message, ...changes}], pieces);
    messages.put(id, whole);
    journal.deleteBelow(id);
    return whole;
}

/** One message that is being written, by this tab alone. */
export class Writing {
    #id;
    #host;
    #onEnd;
    /** What is committed. */
    #content = '';
    /** What is on its way, and what waits. */
    #flying = '';
    #pending = '';
    #pieces = 0;
    /** @type {Promise<void> | undefined} */
    #begun;
    /** @type {Promise<unknown>} */
    #settled = Promise.resolve();
    /** The transaction that takes what comes while another one runs. @type {Promise<void> | undefined} */
    #next;
    #giveBack = () => {};
    /** What the message is at its end, once that is known. @type {Partial<Message> | undefined} */
    #end;
    #isKept = false;
    /** Nothing is wrong but that there is no room. */
    #isFull = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #again;
    #isOver = false;

    /** @param {string} id @param {Host} host @param {(conversation: Summary | undefined) => void} onEnd */
    constructor(id, host, onEnd) {
        this.#id = id;
        this.#host = host;
        this.#onEnd = onEnd;
        this.#settled = this.#begin().catch(() => {});
    }

    /**
     * Adds to the content.
     * @param {string} text
     * @returns {Promise<void>} resolves once it is kept, even if this tab ends then. Where it rejects, the
     *     text is tried again with the next
     */
    append(text) {
        this.#pending += text;
        return this.#next ??= this.#after(() => {
            this.#next = undefined;
            return this.#commit();
        });
    }

    /**
     * Ends the message; its content is all that was appended, also where that could not be kept meanwhile.
     * @param {Partial<Message>} [changes]   `state` is 'done' where they do not say
     * @returns {Promise<void>} where it rejects for want of room, it is tried again until there is some
     */
    finish(changes) {
        clearTimeout(this.#again);
        this.#end = {state: 'done', ...changes};
        return this.#after(() => this.#finish(changes).then(() => setUnkept(this, false), (error) => {
            const isTriedAgain = isOfRoom(error) && !this.#isOver;
            setUnkept(this, isTriedAgain);
            if (isTriedAgain)
                this.#again = setTimeout(() => void this.finish(changes).catch(() => {}), AGAIN_MS);
            else this.#onEnd(undefined);
            throw error;
        }));
    }

    /** Nothing is tried again. */
    close() {
        this.#isOver = true;
        clearTimeout(this.#again);
        setUnkept(this, false);
    }

    /** A stored message as it is, also where that could not be kept yet. @param {Message} message */
    over(message) {
        if (!this.#isKept && !this.#isFull) return message;
        return {...message, content: (this.#isKept ? this.#content : message.content) + this.#flying
            + this.#pending, ...this.#end};
    }

    /** @param {Partial<Message>} [changes] */
    async #finish(changes) {
        await this.#begin();
        const content = this.#content + this.#pending;
        const summary = await this.#host.change(['conversations', 'messages', 'journal', 'search'],
            async (tables) => {
            const message = await tables.messages.get(this.#id);
            if (!message) return undefined;     // deleted meanwhile
            tables.messages.put(this.#id, {...message, state: 'done', content, ...changes});
            tables.journal.deleteBelow(this.#id);
            return this.#host.onFinish(tables);
        });
        this.#giveBack();
        this.#onEnd(summary);
    }

    /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
    #after(work) {
        const done = this.#settled.then(work);
        this.#settled = done.catch(() => {});
        return done;
    }

    #begin() {
        return this.#begun ??= this.#start().catch((error) => {
            this.#begun = undefined;
            this.#isFull = isOfRoom(error);
            throw error;
        });
    }

    async #start() {
        let giveBack = await this.#host.tabs.hold(lockOf(this.#id));
        // A tab that waits for this answer's end takes its lock for a moment.
        for (let again = 0; !giveBack && again < TRIES; again++) {
            await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
            giveBack = await this.#host.tabs.hold(lockOf(this.#id));
        }
        if (!giveBack) throw new GemmaError('other-tab',
            'Another tab writes this answer: wait for its end, or stop it there.');
        try {
            const message = await this.#host.change(['messages', 'journal'],
                (tables) => fold(tables, this.#id, {state: 'writing'}));
            if (!message) throw new GemmaError('gone', 'This message was deleted: it cannot be continued.');
            this.#content = message.content;
            this.#isKept = true;
            this.#giveBack = giveBack;
        } catch (error) {
            giveBack();
            throw error;
        }
    }

    async #commit() {
        const text = this.#flying = this.#pending;
        this.#pending = '';
        if (!text) return;
        try {
            await this.#begin();
            const at = this.#content.length, content = this.#content + text,
                isFolded = ++this.#pieces % FOLD === 0, id = this.#id;
            const key = `${id}/${String(this.#pieces).padStart(DIGITS, '0')}`;
            await this.#host.change(isFolded ? ['messages', 'journal'] : ['journal'], async (tables) => {
                tables.journal.put(key, {message: id, text});
                if (isFolded) await fold(tables, id);
            });
            this.#content = content;
            this.#host.onPiece(id, at, text);
        } catch (error) {
            this.#pending = text + this.#pending;
            throw error;
        } finally {
            this.#flying = '';
        }
    }
}
