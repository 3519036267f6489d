// Conversations and documents as they are kept: the list, their messages, what other tabs do to them. Owns
// the object stores `conversations`, `messages` and `documents`; a change drops what `search` has of its
// conversation. Draws nothing, and knows no model.

import {later} from '../../base/later.js';
import {databaseName, openDatabase} from './database.js';
import {Writing, fold, lockOf, withPieces} from './journal.js';
import {conversationOf} from './ids.js';
import {List} from './list.js';
import {TABLES, missing, newMessage, newSummary, putBack, putMessage, removeFrom} from './messages.js';
import {Searching} from './searching.js';
import {titleOf} from './titles.js';
import {mark, purge} from './trash.js';

/**
 * @typedef {import('./database.js').Tables} Tables
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').Change} Change
 */

/** How long what was deleted can be brought back. */
const UNDO_MS = 3_600_000;
/** A tab holds it while it lives. */
const LIVES = 'lives';

export class Conversations {
    #database;
    #list;
    #search;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #purging;
    /** What this tab writes, by its message. @type {Map<string, Writing>} */
    #writing = new Map();
    /** Whose end this tab waits for. @type {Set<string>} */
    #awaited = new Set();
    /** @type {(() => void) | undefined} */
    #giveBack;

    /** @private @param {string} name @param {import('./database.js').Database} database */
    constructor(name, database) {
        this.name = name;
        this.#database = database;
        this.#search = new Searching(database, () => this.list());
        this.#list = new List(name, database, (id) => this.#search.forget(id));
    }

    /**
     * @param {string} [name]   of the database
     * @returns {Promise<Conversations>} rejects with GemmaError 'storage' where a newer page has changed it,
     *     'old-tab' where an older tab holds it. Is in memory where the browser keeps nothing: see isKept
     */
    static async open(name = databaseName()) {
        const store = new Conversations(name, await openDatabase(name));
        await store.#begin();
        return store;
    }

    /** Whether anything outlives this tab. */
    get isKept() {
        return this.#database.isKept;
    }

    /** Why nothing is kept. */
    get problem() {
        return this.#database.problem;
    }

    /** For the other files of this room. */
    get database() {
        return this.#database;
    }

    close() {
        this.#giveBack?.();
        for (const writing of this.#writing.values()) writing.close();
        clearTimeout(this.#purging);
        this.#search.close();
        this.#list.close();
        this.#database.close();
    }

    /** @returns {Summary[]} pinned ones first, then the one that was written in last */
    list() {
        return this.#list.all();
    }

    /** @param {string} id */
    find(id) {
        return this.#list.find(id);
    }

    /** @returns {string[]} */
    folders() {
        return [...new Set(this.list().map(({folder}) => folder))].filter((folder) => folder)
            .sort((a, b) => a.localeCompare(b));
    }

    /**
     * Changes of this tab and of others.
     * @param {(change: Change) => void} listener
     * @returns {() => void} ends it
     */
    listen(listener) {
        return this.#list.listen(listener);
    }

    /** @param {Partial<Summary>} [options] @returns {Promise<Summary>} */
    async create(options = {}) {
        const summary = newSummary(options);
        await this.#database.change(['conversations'], async ({conversations}) => conversations.put(summary.id, summary));
        this.#list.apply([summary]);
        return summary;
    }

    /**
     * A conversation that has its first message: no moment leaves an empty one.
     * @param {Partial<Summary>} options
     * @param {import('./messages.js').NewMessage} first
     */
    async begin(options, first) {
        const empty = newSummary(options), message = newMessage(empty.id, first);
        const summary = await this.#database.change(TABLES, async (tables) => {
            const made = putMessage(tables, empty, message);
            tables.conversations.put(made.id, made);
            return made;
        });
        this.#list.apply([summary]);
        return {summary, message};
    }

    /**
     * Adds whole conversations of an import. What is there stays: a conversation gets the messages that it
     * lacks, and a document whose text is another one gets a second document beside it.
     * @param {import('./bring.js').Whole[]} wholes
     * @returns {Promise<{conversations: number, messages: number}>} that were not there
     */
    async bring(wholes) {
        const {bring} = await later(() => import('./bring.js')), {summaries, messages} = await bring(this.#database, wholes);
        this.#list.apply(summaries, summaries.map(({id}) => id));
        return {conversations: summaries.length, messages};
    }

    /**
     * @param {string} id
     * @returns {Promise<Message[]>} in the order in which they were made, with all that a tab wrote before it crashed
     */
    async read(id) {
        const {messages, pieces} = await this.#database.read(['messages', 'journal'], async ({messages, journal}) => {
            const [all, pieces] = await Promise.all([messages.all(id), journal.all(id)]);
            return {messages: /** @type {Message[]} */ (all), pieces};
        });
        const inJournal = new Set(pieces.map(({message}) => message));
        const open = messages.filter((message) => (message.state === 'writing' || inJournal.has(message.id))
            && !this.#writing.has(message.id));
        const held = open.length ? await this.#list.tabs.held() : undefined,
            left = open.filter((message) => !held?.has(lockOf(message.id)));
        for (const message of open) if (!left.includes(message)) void this.#await(message.id);
        const settled = await this.#settle(left.map((message) => message.id));
        const withAll = withPieces(messages, pieces).map((message) => settled.get(message.id) ?? message);
        return withAll.map((message) => this.#writing.get(message.id)?.over(message) ?? message);
    }

    /** Looks again once a tab no longer writes a message: it may have ended without a word. @param {string} id */
    async #await(id) {
        if (this.#awaited.has(id)) return;
        this.#awaited.add(id);
        try {
            await this.#list.tabs.gone(lockOf(id));
            const message = await this.#database.read(['messages'], ({messages}) => messages.get(id));
            if (message?.state === 'writing') this.#list.apply([], [conversationOf(id)]);
        } catch {
            // this tab has ended
        }
        this.#awaited.delete(id);
    }

    /** Ends messages whose tab is gone. @param {string[]} ids @returns {Promise<Map<string, Message>>} */
    async #settle(ids) {
        const /** @type {Map<string, Message>} */ settled = new Map();
        if (!ids.length) return settled;
        await this.#database.change(['messages', 'journal', 'search'], async (tables) => {
            for (const id of ids) {
                const there = /** @type {Message | undefined} */ (await tables.messages.get(id));
                const message = await fold(tables, id, there?.state === 'writing' ? {state: 'stopped'} : {});
                if (message) settled.set(id, message);
                tables.search.delete(conversationOf(id));
            }
        });
        return settled;
    }

    /**
     * @param {string} id
     * @param {Partial<Summary>} changes   a title is a person's; settings: those that change, undefined: as default
     */
    async change(id, changes) {
        const {title, settings} = changes, titled = title === undefined ? {} : {isTitled: title !== ''};
        await this.#edit(id, ['conversations'], async (_, summary) => ({...summary, ...titled, ...changes,
            ...settings && {settings: {...summary.settings, ...settings}}}));
    }

    /**
     * Deletes conversations, which can be brought back until the app is started anew, or for an hour.
     * @param {string[]} ids
     * @returns {Promise<() => Promise<void>>} brings them back
     */
    async delete(ids) {
        await this.#mark(ids, Date.now());
        this.#purgeLater();
        return () => this.#mark(ids, undefined);
    }

    #purgeLater() {
        clearTimeout(this.#purging);
        this.#purging = setTimeout(() => void purge(this.#database, UNDO_MS).catch(() => {}), UNDO_MS + 1000);
    }

    /** @param {string[]} ids @param {number | undefined} deleted */
    async #mark(ids, deleted) {
        this.#list.apply(await mark(this.#database, ids, deleted), ids);
    }

    /**
     * Adds a message, at which the shown branch ends then. The first one of a user gives the title.
     * @param {string} conversation
     * @param {import('./messages.js').NewMessage} message
     * @returns {Promise<Message>}
     */
    async add(conversation, message) {
        const whole = newMessage(conversation, message);
        await this.#edit(conversation, TABLES, async (tables, summary) => putMessage(tables, summary, whole), true);
        return whole;
    }

    /** @param {string} id @param {Partial<Message>} changes */
    async edit(id, changes) {
        const conversation = conversationOf(id);
        await this.#edit(conversation, ['conversations', 'messages', 'search'], async ({messages, search}, summary) => {
            const message = await messages.get(id) ?? missing('message');
            messages.put(id, {...message, ...changes, id, conversation});
            search.delete(conversation);
            return changes.content === undefined ? summary : {...summary, updated: Date.now()};
        }, true);
    }

    /**
     * Deletes a message and all that follow it; with the last one, the conversation.
     * @param {string} id
     * @returns {Promise<() => Promise<void>>} brings them back
     */
    async deleteFrom(id) {
        const conversation = conversationOf(id);
        let /** @type {Parameters<typeof putBack>[2]} */ removed = {gone: [], leaf: null, left: null};
        const {deleted} = await this.#edit(conversation, TABLES, async (tables, before) => {
            const {summary, gone} = await removeFrom(tables, before, id);
            removed = {gone, leaf: before.leaf, left: summary.leaf};
            return summary;
        }, true);
        if (deleted) this.#purgeLater();
        return async () => void await this.#edit(conversation, TABLES,
            async (tables, summary) => putBack(tables, summary, removed), true);
    }

    /** Writes a message that was added, after the content that it has. @param {string} id @returns {Writing} */
    write(id) {
        const conversation = conversationOf(id);
        const writing = new Writing(id, {
            change: (names, work) => this.#database.change(names, work),
            tabs: this.#list.tabs,
            onPiece: (message, at, text) => this.#list.tabs.send({piece: {id: conversation, message, at, text}}),
            onFinish: async ({conversations, search}) => {
                search.delete(conversation);
                const summary = await conversations.get(conversation);
                if (!summary) return undefined;
                const changed = {...summary, updated: Date.now()};
                conversations.put(conversation, changed);
                return changed;
            },
        }, (summary) => {
            if (this.#writing.get(id) === writing) this.#writing.delete(id);
            this.#list.apply(summary ? [summary] : [], [conversation]);
        });
        this.#writing.set(id, writing);
        return writing;
    }

    /** A document's text. @param {string} id @returns {Promise<string>} */
    readText(id) {
        return this.#database.read(['documents'], async ({documents}) => await documents.get(id) ?? '');
    }

    /** @param {string} id @param {string} text */
    async writeText(id, text) {
        await this.#edit(id, ['conversations', 'documents', 'search'], async ({documents, search}, summary) => {
            documents.put(id, text);
            search.delete(id);
            return {...summary, title: summary.isTitled ? summary.title : titleOf(text), updated: Date.now()};
        }, true);
    }

    /**
     * Where all words of a query occur, in titles and texts. Case and accents do not count.
     * @param {string} query
     * @param {{signal?: AbortSignal}} [options]
     */
    search(query, options) {
        return this.#search.find(query, options);
    }

    /**
     * @param {string} id
     * @param {string[]} names   of the object stores
     * @param {(tables: Tables, summary: Summary) => Promise<Summary>} work   gives the new summary
     * @param {boolean} [isContent]   also the conversation itself changes
     */
    async #edit(id, names, work, isContent = false) {
        const summary = await this.#database.change(names, async (tables) => {
            const changed = await work(tables, await tables.conversations.get(id) ?? missing('conversation'));
            tables.conversations.put(id, changed);
            return changed;
        });
        this.#list.apply([summary], isContent ? [id] : []);
        return summary;
    }

    async #begin() {
        const held = await this.#list.tabs.held();
        this.#giveBack = await this.#list.tabs.hold(LIVES, 'shared');
        const summaries = await this.#database.read(['conversations'], ({conversations}) => conversations.all());
        this.#list.keep(summaries);
        const isAlone = held !== undefined && !held.has(LIVES);
        if (summaries.some(({deleted}) => deleted)) await purge(this.#database, isAlone ? 0 : UNDO_MS);
        void this.#recover(isAlone).catch(() => {});       // who reads or searches a conversation does the same
    }

    /** Puts what crashed tabs wrote into its messages; what is of no message goes. @param {boolean} isAlone */
    async #recover(isAlone) {
        const keys = await this.#database.read(['journal'], ({journal}) => journal.keys());
        for (const id of new Set(keys.map(conversationOf))) await this.read(id);
        if (isAlone && keys.length) await this.#database.change(['messages', 'journal'], async ({messages, journal}) => {
            const left = (await journal.keys()).map((key) => key.slice(0, key.lastIndexOf('/')));
            for (const id of new Set(left)) if (!await messages.get(id)) journal.deleteBelow(id);
        });
        await this.#search.prepare();
    }
}

/** @param {string} [name] */
export const openConversations = (name) => Conversations.open(name);
