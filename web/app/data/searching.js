// Search, which is fetched when there is something to search. Must not know how it is done (search.js).

import {later, once} from '../../base/later.js';

/** @typedef {import('./search.js').Search} Search */

export class Searching {
    #open;
    #list;
    #isClosed = false;
    /** @type {Search | undefined} */
    #search;

    /** @param {import('./database.js').Database} database @param {() => import('./types.js').Summary[]} list */
    constructor(database, list) {
        this.#list = list;
        this.#open = once(async () => {
            const {Search} = await later(() => import('./search.js'));
            return this.#search = new Search(database, list);
        });
    }

    /** @param {Parameters<Search['find']>} asked @returns {ReturnType<Search['find']>} */
    async find(...asked) {
        return (await this.#open()).find(...asked);
    }

    /** Makes what is missing, a little at a time. */
    async prepare() {
        if (this.#list().length) await (await this.#open()).prepare();
    }

    /** Its texts have changed. @param {string} id */
    forget(id) {
        this.#open().then((search) => this.#isClosed || search.forget(id), () => {});
    }

    close() {
        this.#isClosed = true;
        this.#search?.close();
    }
}
