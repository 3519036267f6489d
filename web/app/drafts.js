// What is written and not sent: a message with its files for each conversation, and edits of messages. It
// lasts as long as the tab, over a reload, which an update or an error often asks for, and on a phone that
// ends pages in the background without a word; the words also where a page's process ends while it is seen.
//
// Owns: where it is kept meanwhile. Must not know: how files are read, what is done with a message.

import {isForgotten, keyOf} from './data/local.js';

/**
 * @typedef {import('./data/types.js').Attachment} Attachment
 * @typedef {import('./views/chat.js').Unsent} Unsent
 * @typedef {[string, string][]} Edits   of messages: ids and texts
 * @typedef {{draft: {content: string, attachments: Attachment[], edits: any[]}, takeBack: (other:
 *     Unsent, edits?: Edits) => void, exchange: (other?: Unsent) => Unsent}} Field
 */

/** Files may be too large to be kept; the words are not lost with them. */
const NAMES = /** @type {const} */ (['drafts', 'draft-files', 'draft-edits']);
/** After this much time without a change, the words are kept. */
const KEEP_MS = 500;

export class Drafts {
    #field;
    #current;
    #isStored;
    /** Of the other conversations; '' is the new one. @type {Map<string, Unsent>} */
    #others = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;

    /**
     * @param {Field} field
     * @param {string | undefined} current   the conversation that is open; none: a new one
     * @param {(id: string) => unknown} isStored   a conversation
     */
    constructor(field, current = '', isStored) {
        this.#field = field;
        this.#current = current;
        this.#isStored = isStored;
        try {
            this.#restore();
            addEventListener('pagehide', () => this.#keep());
            addEventListener('visibilitychange', () => document.hidden && this.#keep());
            addEventListener('input', () => {
                clearTimeout(this.#timer);
                this.#timer = setTimeout(() => this.#keep(true), KEEP_MS);
            });
        } catch {
            // Storage is blocked.
        }
    }

    /**
     * Another conversation is open.
     * @param {string} [id]
     * @param {boolean} [isSame]   the new one, which is stored now, or a new one in the place of one that is gone
     */
    turnTo(id = '', isSame = false) {
        if (id === this.#current) return;
        const other = this.#others.get(id);
        this.#others.delete(id);
        if (isSame) this.#field.takeBack(other ?? {});
        else {
            const before = this.#field.exchange(other);
            const {ready = [], reading = [], given = []} = before.files ?? {};
            if (before.content || ready.length || reading.length || given.length)
                this.#others.set(this.#current, before);
        }
        this.#current = id;
    }

    #restore() {
        const [texts, files, edits] = NAMES.map((name) => takeKept(keyOf(name)));
        for (const id of new Set([...texts, ...files].map(([id]) => id))) {
            const content = new Map(texts).get(id) ?? '', ready = new Map(files).get(id) ?? [];
            if (id !== this.#current) this.#others.set(id, {content, files: {ready}});
            // A browser may have kept the words, too.
            else this.#field.takeBack({content: this.#field.draft.content ? '' : content, files: {ready}});
        }
        if (edits.length) this.#field.takeBack({}, edits);
    }

    /** @param {boolean} [isHaste]   files that are there are not written: they may be large */
    #keep(isHaste) {
        const {content, attachments, edits} = this.#field.draft,
            others = [...this.#others].filter(([id]) => !id || this.#isStored(id)),
            all = [...others, /** @type {const} */ ([this.#current, {content, files: {ready: attachments}}])];
        const lists = isForgotten() ? [[], [], []] : [
            all.flatMap(([id, {content}]) => content ? [[id, content]] : []),
            all.flatMap(([id, {files}]) => files?.ready.length ? [[id, files.ready]] : []),
            edits,
        ];
        NAMES.forEach((name, i) => {
            if (!isHaste || i !== 1) put(keyOf(name), lists[i]);
        });
    }
}

/** @param {string} key @returns {[string, any][]} what was there before the reload */
function takeKept(key) {
    const kept = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return JSON.parse(kept ?? '[]');
}

/** @param {string} key @param {unknown[]} list */
function put(key, list) {
    try {
        sessionStorage.removeItem(key);
        if (list.length) sessionStorage.setItem(key, JSON.stringify(list));
    } catch {
        // It is too large.
    }
}
