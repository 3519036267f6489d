// The text that is open in the writer: stored as it is written, by a person or by the model.
//
// Owns: which text, and when it is stored. Must not know: elements (views/writer.js), how texts are stored.

/**
 * @typedef {import('./data/conversations.js').Conversations} Conversations
 *
 * @typedef {object} WritingParts
 * @property {Conversations} store
 * @property {import('./views/writer.js').Writer} view
 * @property {(error: Error) => void} onError
 * @property {(id: string | undefined) => void} onOpened   another text is open now
 */

const STORE_MS = 300;

export class Writing {
    #parts;
    /** What is open; a new one is stored with its first character. */
    #open = {id: '', stored: ''};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;
    /** @type {Promise<unknown>} */
    #storing = Promise.resolve();

    /** @param {WritingParts} parts */
    constructor(parts) {
        this.#parts = parts;
        parts.store.listen((change) => {
            if (change.kind === 'conversation' && change.id === this.#open.id) this.#readAgain().catch(parts.onError);
            if (change.kind === 'list' && this.id && !this.#find(this.id)) this.begin();
        });
        addEventListener('pagehide', () => this.#store());
    }

    get id() {
        return this.#open.id || undefined;
    }

    /** A new text. */
    begin() {
        this.#leave();
        this.#open = {id: '', stored: ''};
        this.#parts.view.setText('');
        this.#parts.onOpened(undefined);
    }

    /** @param {string} id @returns {Promise<boolean>} whether there is such a text */
    async open(id) {
        if (!this.#find(id)) return false;
        if (id === this.id) return true;
        this.#leave();
        const found = await this.#parts.store.readText(id);
        this.#open = {id, stored: found};
        this.#parts.view.setText(found);
        this.#parts.onOpened(id);
        return true;
    }

    /** The text was changed, or is being written. */
    changed() {
        this.#timer ??= setTimeout(() => this.#store(), STORE_MS);
    }

    #leave() {
        this.#parts.view.stop();
        this.#store();
    }

    #store() {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        const {store, view, onError, onOpened} = this.#parts, open = this.#open, written = view.text;
        if (written === open.stored) return;
        open.stored = written;
        this.#storing = this.#storing.then(async () => {
            const isNew = !open.id;
            open.id ||= (await store.create({kind: 'document'})).id;
            if (isNew && open === this.#open) onOpened(open.id);
            await store.writeText(open.id, written);
        }).catch(onError);
    }

    /** Another tab has changed it. */
    async #readAgain() {
        const {store, view} = this.#parts, open = this.#open, found = await store.readText(open.id);
        if (open !== this.#open || found === open.stored || view.text !== open.stored) return;
        open.stored = found;
        view.setText(found);
    }

    /** @param {string} id */
    #find(id) {
        return this.#parts.store.list().find((one) => one.id === id);
    }
}
