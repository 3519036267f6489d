// The text that is open in the writer: stored as it is written, by a person or by the model.
//
// Owns: which text, and when it is stored. Must not know: elements (views/writer.js), how texts are stored.

import {setUnkept} from './data/unkept.js';

/**
 * @typedef {import('./data/conversations.js').Conversations} Conversations
 *
 * @typedef {object} WritingParts
 * @property {Conversations} store
 * @property {Pick<import('./views/writer.js').Writer, 'text' | 'setText' | 'stop'>} view
 * @property {(error: Error) => void} onError
 * @property {(id: string | undefined, isSame: boolean) => void} onOpened   another text is open now; isSame:
 *     it is stored now, or gone
 * @property {() => void} onConflict   another tab has changed the text that is open, and what was written
 *     here has become a new text
 */

/** Between two times that what a person writes is stored: the list is drawn anew each time. */
const STORE_MS = 150;
/** Until what could not be stored is tried again. */
const AGAIN_MS = 3000;

/**
 * A text that is open, or was: `stored` is what it was when it was stored or read last, `written` what it is
 * to be. isRefused: the last try to store it failed.
 * @typedef {{id: string, stored: string, written: string, isRefused?: boolean}} Open
 */

/** @param {string} [id] @param {string} [stored] @returns {Open} */
const opened = (id = '', stored = '') => ({id, stored, written: stored});

export class Writing {
    #parts;
    /** What is open; a new one is stored with its first character. @type {Open} */
    #open = opened();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;
    #last = -Infinity;
    /** Counts what is asked for: only the last is opened. */
    #turn = 0;
    /** Ends when everything was tried. @type {Promise<unknown>} */
    #storing = Promise.resolve();
    /** What waits to be stored, also where that has failed. @type {Set<Open>} */
    #unstored = new Set();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #again;

    /** @param {WritingParts} parts */
    constructor(parts) {
        this.#parts = parts;
        parts.store.listen((change) => {
            if (change.kind === 'conversation' && change.id === this.id)
                this.#readAgain().catch(parts.onError);
            if (change.kind === 'list' && this.id && !this.#find(this.id)) this.#lose();
        });
        addEventListener('pagehide', () => this.#storeAll());
        document.addEventListener('visibilitychange', () => document.hidden && this.#storeAll());
    }

    get id() {
        return this.#open.id || undefined;
    }

    /** Whether something is written that is not stored. */
    get isUnstored() {
        return this.#unstored.size > 0;
    }

    /**
     * A new text. One that could not be stored yet is shown again: it is in no list.
     * @param {boolean} [isSame]   in the place of one that is gone
     */
    begin(isSame = false) {
        this.#turn++;
        this.#parts.view.stop();
        const refused = [...this.#unstored].find(({id, isRefused}) => !id && isRefused);
        this.#show(refused ?? opened(), isSame);
    }

    /** @param {string} id @returns {Promise<boolean>} whether there is such a text */
    async open(id) {
        if (!this.#find(id)) return false;
        const turn = ++this.#turn;
        if (id === this.id) return true;
        this.#parts.view.stop();
        // What was written last may not be what is stored.
        const found = [...this.#unstored].find((one) => one.id === id)
            ?? opened(id, await this.#parts.store.readText(id));
        if (turn === this.#turn) this.#show(found);
        return true;
    }

    /** The text was changed by a person. */
    changed() {
        this.#timer ??= setTimeout(() => this.#storeNow(),
            Math.max(0, this.#last + STORE_MS - performance.now()));
    }

    /**
     * Stores a text that is about to be shown.
     * @param {string} written
     * @returns {Promise<void>} when it is stored, or cannot be, which is shown; then it is tried again
     */
    keep(written) {
        this.#open.written = written;
        return this.#try(this.#open, this.#parts.onError);
    }

    #storeNow() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#last = performance.now();
        const {text} = this.#parts.view;
        if (text !== asShown(this.#open.written)) this.keep(text);
    }

    #storeAll() {
        this.#storeNow();
        this.#tryAgain();
    }

    #tryAgain() {
        clearTimeout(this.#again);
        this.#again = undefined;
        for (const open of this.#unstored) this.#try(open);
    }

    /**
     * One after the other.
     * @param {Open} open @param {(error: Error) => void} [onError]   default: it is known already
     * @returns {Promise<void>}
     */
    #try(open, onError = () => {}) {
        this.#unstored.add(open);
        const tried = this.#storing.then(() => this.#store(open)).then(() => {
            open.isRefused = false;
            if (open.written === open.stored) this.#unstored.delete(open);
            setUnkept(open, false);
        }, (error) => {
            open.isRefused = true;
            setUnkept(open, true);
            this.#again ??= setTimeout(() => this.#tryAgain(), AGAIN_MS);
            onError(error);
            // A new text is in no list yet: it comes back where nothing else is written.
            if (open !== this.#open && !open.id && !this.id && !this.#parts.view.text) this.#show(open, true);
        });
        this.#storing = tried;
        return tried;
    }

    /** What was written in the one before is stored. @param {Open} open @param {boolean} [isSame] */
    #show(open, isSame = false) {
        this.#storeNow();
        this.#open = open;
        this.#parts.view.setText(open.written);
        this.#parts.onOpened(open.id || undefined, isSame);
    }

    /**
     * One tab at a time. Where another tab wrote first, what is written here becomes a new text.
     * @param {Open} open
     */
    async #store(open) {
        const {store} = this.#parts, {written} = open;
        if (written === open.stored) return;
        if (!open.id) return this.#create(open, written);
        await alone(`${store.name} ${open.id}`, async () => {
            const there = this.#find(open.id) ? await store.readText(open.id) : undefined;
            if (there !== open.stored) {
                await this.#create(open, written);
                if (there !== undefined) this.#parts.onConflict();
            } else {
                await store.writeText(open.id, written);
                open.stored = written;
            }
        });
    }

    /** @param {Open} open @param {string} written */
    async #create(open, written) {
        const {store, onOpened} = this.#parts;
        // A text keeps its folder when it is written twice.
        const {folder = ''} = this.#find(open.id) ?? {},
            {id} = await store.create({kind: 'document', folder});
        // Where its text can't be stored now, the next try stores it in what is there.
        Object.assign(open, {id, stored: ''});
        if (open === this.#open) onOpened(id, true);
        await store.writeText(id, written);
        open.stored = written;
    }

    /** It was deleted: what is not stored is written once more. */
    #lose() {
        const {text} = this.#parts.view;
        if (text === asShown(this.#open.stored)) this.begin(true);
        else this.changed();
    }

    /** Another tab has changed it. */
    async #readAgain() {
        const {store, view} = this.#parts, open = this.#open, {stored} = open,
            found = await store.readText(open.id);
        // What was stored meanwhile is newer, and what was written here must not be lost.
        if (open !== this.#open || open.stored !== stored || found === stored || open.written !== stored
            || view.text !== asShown(stored)) return;
        open.stored = open.written = found;
        view.setText(found);
    }

    /** @param {string} id */
    #find(id) {
        return this.#parts.store.list().find((one) => one.id === id);
    }
}

/** A field has one kind of line ends. @param {string} stored */
const asShown = (stored) => stored.replace(/\r\n?/g, '\n');

/**
 * No other tab does the like meanwhile, where the browser has locks for this page.
 * @param {string} name @param {() => Promise<void>} work
 */
async function alone(name, work) {
    let isBegun = false;
    try {
        await navigator.locks.request(name, () => {
            isBegun = true;
            return work();
        });
    } catch (error) {
        if (isBegun) throw error;
        await work();
    }
}
