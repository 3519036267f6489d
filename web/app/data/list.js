// The list of conversations in memory, the same in all tabs, and who listens for changes. Owns what tabs say
// to each other. Reads summaries, writes nothing.

/**
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {import('./types.js').Change} Change
 *
 * @typedef {object} News   of another tab
 * @property {string[]} [list]            ids whose summaries have changed
 * @property {string[]} [conversations]   ids whose content has changed
 * @property {{id: string, message: string, at: number, text: string}} [piece]   of an answer
 */

import {Tabs} from './tabs.js';

/** @param {Summary} a @param {Summary} b */
const inOrder = (a, b) => Number(b.pinned) - Number(a.pinned) || b.updated - a.updated
    || (a.id < b.id ? 1 : -1);

export class List {
    #database;
    #onContent;
    /** @type {Map<string, Summary>} */
    #summaries = new Map();
    /** @type {Summary[] | undefined} */
    #sorted;
    /** @type {Set<(change: Change) => void>} */
    #listeners = new Set();

    /**
     * @param {string} name   of the database
     * @param {import('./database.js').Database} database
     * @param {(id: string) => void} onContent   called first where a conversation's content has changed
     */
    constructor(name, database, onContent) {
        this.#database = database;
        this.#onContent = onContent;
        this.tabs = new Tabs(name, (news) => void this.#hear(news));
    }

    close() {
        this.tabs.close();
        this.#listeners.clear();
    }

    all() {
        return this.#sorted ??= [...this.#summaries.values()].sort(inOrder);
    }

    /** @param {string} id */
    find(id) {
        return this.#summaries.get(id);
    }

    /** @param {(change: Change) => void} listener */
    listen(listener) {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
    }

    /** What this tab has changed. @param {Summary[]} summaries @param {string[]} [conversations] */
    apply(summaries, conversations = []) {
        this.keep(summaries);
        const list = summaries.map(({id}) => id);
        this.tabs.send({list, conversations});
        this.#tell(list, conversations);
    }

    /** @param {Summary[]} summaries */
    keep(summaries) {
        this.#sorted = undefined;
        for (const summary of summaries) {
            if (summary.deleted) this.#summaries.delete(summary.id);
            else this.#summaries.set(summary.id, summary);
        }
    }

    /** @param {string[]} list @param {string[]} conversations */
    #tell(list, conversations) {
        for (const id of conversations) this.#onContent(id);
        if (list.length) this.#call({kind: 'list'});
        for (const id of conversations) this.#call({kind: 'conversation', id});
    }

    /** @param {Change} change */
    #call(change) {
        for (const listener of this.#listeners) listener(change);
    }

    /** @param {News} news */
    async #hear({piece, list = [], conversations = []}) {
        if (piece) return this.#call({kind: 'conversation', ...piece});
        try {
            // As they are stored now: what tabs say may come in another order than it was done.
            const found = await this.#database.read(['conversations'],
                ({conversations}) => Promise.all(list.map((id) => conversations.get(id))));
            for (const [i, summary] of found.entries()) if (!summary) this.#summaries.delete(list[i]);
            this.keep(found.filter((summary) => summary));
        } catch {
            return undefined;       // this tab's next request says what is wrong
        }
        return this.#tell(list, conversations);
    }
}
