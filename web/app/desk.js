// The writer's desk, fetched when a text is opened: its view, what the model writes into it, and where it
// is stored.
//
// Owns: how these are wired. Must not know: conversations, and which screen shows.

import {Drafting} from './drafting.js';
import {text} from './texts.js';
import {Writer} from './views/writer.js';
import {Writing} from './writing.js';

/**
 * @typedef {import('./drafting.js').DraftingParts & Pick<import('./writing.js').WritingParts, 'store' |
 *     'onError' | 'onOpened'> & Pick<import('./views/writer.js').WriterOptions, 'onBegin'> & {onNotice:
 *     (sentence: string) => void}} DeskParts
 */

export class Desk {
    #drafting;
    #view;
    #writing;

    /** @param {ParentNode} root @param {DeskParts} parts */
    constructor(root, {store, onError, onOpened, onBegin, onNotice, ...parts}) {
        const drafting = this.#drafting = new Drafting(parts);
        /** @type {Writer} */
        const view = this.#view = new Writer(root, {
            drafting, onBegin, onError, keep: (written) => writing.keep(written),
            onChange: () => writing.changed(),
        });
        const writing = this.#writing = new Writing({store, view, onError, onOpened,
            onConflict: () => onNotice(text('writer.conflict'))});
    }

    /** Of the text that is open. */
    get id() {
        return this.#writing.id;
    }

    /** Whether something is written that is not stored. */
    get isUnstored() {
        return this.#writing.isUnstored;
    }

    /** A new text. */
    begin() {
        this.#writing.begin();
    }

    /** @param {string} id */
    open(id) {
        return this.#writing.open(id);
    }

    focus() {
        this.#view.focus();
    }

    stop() {
        this.#view.stop();
    }

    /** The model is gone. */
    reset() {
        this.#view.stop();
        this.#drafting.reset();
    }
}
