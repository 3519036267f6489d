// Search in titles and texts. Owns the object store `search`: of each conversation, the folded texts of its
// messages in one, which is dropped when they change and made again soon after, or when it is searched. So it
// is never older than what it tells of.

import {foldText, unfolded} from './fold.js';

/**
 * @typedef {object} Searchable   of one conversation
 * @property {string} text      folded
 * @property {Uint32Array} starts   of each message, in the text
 * @property {string} ids       of the messages, a line each, which are read faster than a list; empty for the
 *     text of a document
 *
 * @typedef {{id: string, excerpt?: string, at?: [start: number, end: number]}} Found   at: the first word,
 *     in the excerpt
 * @typedef {import('./types.js').Summary} Summary
 */

/** Characters that stay in memory. */
const LARGEST = 24_000_000;
/** Conversations in one transaction. */
const READ_AT_ONCE = 50, MADE_AT_ONCE = 4;
/** After the last change. */
const PAUSE_MS = 500;
/** Results that come with an excerpt, and its length. */
const EXCERPTS = 100, BEFORE = 40, EXCERPT = 160;

/** @type {Searchable} */
const NOTHING = {text: '', starts: new Uint32Array(), ids: ''};

/**
 * @param {Summary} summary
 * @param {import('./types.js').Message[]} messages
 * @param {string} document
 * @returns {Searchable}
 */
function makeSearchable({kind}, messages, document) {
    /** @type {[id: string, text: string][]} */
    const texts = messages.map(({id, content, attachments = []}) => [id,
        [content, ...attachments.map(({name}) => name)].join('\n')]);
    if (kind === 'document') texts.push(['', document]);
    const starts = [], folded = [];
    let length = 0;
    for (const [, text] of texts) {
        starts.push(length);
        folded.push(foldText(text));
        length += folded[folded.length - 1].length + 1;
    }
    return {text: folded.join('\n'), starts: Uint32Array.from(starts),
        ids: texts.map(([id]) => id).join('\n')};
}

export class Search {
    #database;
    #list;
    /** @type {Map<string, Searchable>} */
    #known = new Map();
    #size = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;

    /** @param {import('./database.js').Database} database @param {() => Summary[]} list */
    constructor(database, list) {
        this.#database = database;
        this.#list = list;
    }

    /** What is known of a conversation is old. @param {string} id */
    forget(id) {
        const known = this.#known.get(id);
        if (known) this.#size -= known.text.length;
        this.#known.delete(id);
        clearTimeout(this.#timer);
        // a search does the same
        this.#timer = setTimeout(() => void this.prepare().catch(() => {}), PAUSE_MS);
    }

    close() {
        clearTimeout(this.#timer);
    }

    /** Makes what is missing, a little at a time. */
    async prepare() {
        const there = new Set(await this.#database.read(['search'], ({search}) => search.keys()));
        const missing = this.#list().filter(({id}) => !there.has(id));
        for (let i = 0; i < missing.length; i += MADE_AT_ONCE)
            await this.#make(missing.slice(i, i + MADE_AT_ONCE));
    }

    /**
     * @param {string} query
     * @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<Found[]>} those whose titles have all words first. Without a word there are none;
     *     then it only reads what a search needs
     */
    async find(query, {signal} = {}) {
        const words = [...new Set(foldText(query).split(/\s+/))].filter((word) => word)
            .sort((a, b) => b.length - a.length);
        const summaries = this.#list();
        /** @type {Found[]} */
        const inTitles = [];
        /** @type {{id: string, searchable: Searchable, at: number}[]} */
        const inTexts = [];
        const parts = Array.from({length: Math.ceil(summaries.length / READ_AT_ONCE)},
            (_, i) => summaries.slice(i * READ_AT_ONCE, (i + 1) * READ_AT_ONCE));
        let next = this.#read(parts[0] ?? []);
        for (const [i, part] of parts.entries()) {
            const all = await next;
            signal?.throwIfAborted();
            // The database reads while this thread looks.
            next = this.#read(parts[i + 1] ?? []);
            next.catch(() => {});
            for (const [j, {id, title}] of part.entries()) {
                const inTitle = foldText(title), searchable = all[j];
                const left = words.filter((word) => !inTitle.includes(word));
                const places = left.map((word) => searchable.text.indexOf(word));
                if (!words.length) continue;
                if (!left.length) inTitles.push({id});
                else if (places.every((at) => at >= 0)) inTexts.push({id, searchable, at: places[0]});
            }
        }
        const excerpts = await this.#excerpts(inTexts.slice(0, EXCERPTS), words);
        signal?.throwIfAborted();
        return [...inTitles, ...inTexts.map(({id}, i) => ({id, ...excerpts[i]}))];
    }

    /** @param {Summary[]} summaries @returns {Promise<Searchable[]>} */
    async #read(summaries) {
        const unknown = summaries.filter(({id}) => !this.#known.has(id));
        /** @type {Map<string, Searchable>} */
        const found = new Map();
        if (unknown.length) {
            const stored = await this.#database.read(['search'],
                ({search}) => Promise.all(unknown.map(({id}) => search.get(id))));
            for (const [i, {id}] of unknown.entries()) if (stored[i])
                found.set(id, this.#remember(id, stored[i]));
            const made = await this.#make(unknown.filter(({id}) => !found.has(id)));
            for (const [id, searchable] of made) found.set(id, this.#remember(id, searchable));
        }
        return summaries.map(({id}) => found.get(id) ?? this.#known.get(id) ?? NOTHING);
    }

    /** @param {string} id @param {Searchable} searchable */
    #remember(id, searchable) {
        if (this.#known.has(id) || this.#size + searchable.text.length > LARGEST) return searchable;
        this.#size += searchable.text.length;
        this.#known.set(id, searchable);
        return searchable;
    }

    /** @param {Summary[]} summaries @returns {Promise<[string, Searchable][]>} */
    async #make(summaries) {
        if (!summaries.length) return [];
        return this.#database.change(['messages', 'documents', 'search'], ({messages, documents, search}) =>
            Promise.all(summaries.map(async (summary) => {
            const {id} = summary, [all, document = ''] = await Promise.all([messages.all(id),
                documents.get(id)]);
            const searchable = makeSearchable(summary, all, document);
            search.put(id, searchable);
            return /** @type {[string, Searchable]} */ ([id, searchable]);
        })));
    }

    /**
     * @param {{id: string, searchable: Searchable, at: number}[]} found
     * @param {string[]} words
     * @returns {Promise<Partial<Found>[]>}
     */
    async #excerpts(found, words) {
        const places = found.map(({id, searchable: {starts, ids}, at}) => {
            const index = starts.findLastIndex((start) => start <= at);
            return {id, message: ids.split('\n')[index], at: at - starts[index]};
        });
        const texts = await this.#database.read(['messages', 'documents'],
            ({messages, documents}) => Promise.all(places.map(async ({id, message}) => {
            if (!message) return await documents.get(id) ?? '';
            const {content = '', attachments = []} = await messages.get(message) ?? {};
            return [content, ...attachments.map((/** @type {{name: string}} */ {name}) => name)].join('\n');
        })));
        return places.map(({at}, i) => {
            const word = words.find((each) => foldText(texts[i]).startsWith(each, at));
            return word ? excerptOf(texts[i], ...unfolded(texts[i], at, word.length)) : {};
        });
    }
}

/** @param {string} text @param {number} start @param {number} end @returns {Partial<Found>} */
function excerptOf(text, start, end) {
    const before = text.slice(Math.max(0, start - BEFORE), start), space = before.search(/\s/);
    const from = start <= BEFORE ? 0 : start - before.length + space + 1, to = Math.max(end, from + EXCERPT);
    return {excerpt: text.slice(from, to).toWellFormed().replace(/\s/g, ' '), at: [start - from, end - from]};
}
