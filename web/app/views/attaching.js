// Files for the message that is being written: chosen by a button, dropped on the chat, or pasted. What shows
// of them comes only then (attachments.js).
//
// Owns: how files come in. Must not know: what is in them.

import {later} from '../../base/later.js';
import {within} from './dom.js';

/**
 * @typedef {import('../data/types.js').Attachment} Attachment
 *
 * @typedef {{ready: Attachment[], reading?: import('./attachments.js').Entry[], given?: File[]}} Files   of a
 *     message: those that have been read, are being read, and wait for that
 *
 * @typedef {object} AttachingOptions
 * @property {() => {gemma?: import('../../gemma.js').Gemma, messages: import('../../gemma.js').Message[],
 *     maxTokens?: number}} about   the model that is loaded, what is said so far, and the longest answer
 * @property {(files: File[]) => void} onModel   somebody gives a model
 * @property {(error: Error) => void} onError
 */

const MODEL = /\.gguf(\.json)?$/i;

export class Attaching {
    #root;
    #options;
    /** @type {Promise<import('./attachments.js').Attachments> | undefined} */
    #tray;
    /** None is there, nor being read. */
    #isEmpty = true;
    /** Once it is there. @type {import('./attachments.js').Attachments | undefined} */
    #loaded;
    /** What waits for it. @type {{ready: Attachment[], given: File[]}} */
    #waiting = {ready: [], given: []};

    /** @param {ParentNode} root @param {AttachingOptions} options */
    constructor(root, options) {
        this.#root = root;
        this.#options = options;
        const at = within(root), picker = at('attach-file', HTMLInputElement), chat = at('chat');
        at('attach').onclick = () => picker.click();
        picker.onchange = () => {
            this.give([...picker.files ?? []]);
            picker.value = '';
        };
        at('message').onpaste = (event) => {
            const files = [...event.clipboardData?.files ?? []];
            // What an office program copies is a text, and a picture of it.
            if (!files.length || event.clipboardData?.types.includes('text/plain')) return;
            event.preventDefault();
            this.give(files);
        };
        acceptDrops(chat, (files) => this.give(files));
    }

    get isEmpty() {
        return this.#isEmpty;
    }

    get ready() {
        return [...this.#loaded?.ready ?? [], ...this.#waiting.ready];
    }

    /**
     * What to send; undefined where there is still something to decide.
     * @param {string} content   of the message
     * @param {() => boolean} isWanted   asked once all is read
     * @returns {Promise<Attachment[] | undefined>}
     */
    async take(content, isWanted) {
        return this.#tray ? (await this.#tray).take(content, isWanted) : [];
    }

    /** What was not sent. @param {Files} [files]   of a message */
    put({ready, reading = [], given = []} = {ready: []}) {
        if (reading.length) this.#loaded?.takeBack(reading);
        if (!ready.length && !given.length) return;
        this.#waiting.ready.push(...ready);
        this.#waiting.given.push(...given);
        this.#open().then((tray) => {
            const waiting = this.#takeWaiting();
            if (waiting.ready.length) tray.put(waiting.ready);
            if (waiting.given.length) tray.add(waiting.given);
        }, this.#options.onError);
    }

    #takeWaiting() {
        const waiting = this.#waiting;
        this.#waiting = {ready: [], given: []};
        return waiting;
    }

    /** @param {Files} [others]   of another message @returns {Files} those of this one */
    exchange(others) {
        const waiting = this.#takeWaiting(), {ready, reading} = this.#loaded?.takeAway() ?? {ready: []};
        this.put(others);
        return {ready: [...ready, ...waiting.ready], reading, given: waiting.given};
    }

    /** Another model, or another conversation: the sums change. */
    refresh() {
        if (!this.#isEmpty) this.#tray?.then((tray) => tray.refresh(), () => {});
    }

    /** Adds files to what is written; models are given on. @param {File[]} files */
    give(files) {
        const models = files.filter(({name}) => MODEL.test(name)),
            others = files.filter(({name}) => !MODEL.test(name));
        if (models.length) this.#options.onModel(models);
        this.put({ready: [], given: others});
    }

    /** For files that come: what is sent from now on waits for them. */
    #open() {
        const {about, onError} = this.#options;
        this.#isEmpty = false;
        this.#tray ??= later(() => import('../with_files.js')).then(({Attachments}) => {
            const tray = new Attachments(this.#root,
                {about, onError, onChange: (count) => { this.#isEmpty = !count; }});
            return this.#loaded = tray;
        });
        this.#tray.catch(() => { this.#tray = undefined; });
        return this.#tray;
    }
}

/**
 * Files may be dropped anywhere on the page while `place` is seen and no dialog is open; else nothing comes
 * of them.
 * @param {HTMLElement} place
 * @param {(files: File[]) => void} onFiles
 */
export function acceptDrops(place, onFiles) {
    const filesOf = (/** @type {DragEvent} */ {dataTransfer}) =>
        dataTransfer?.types.includes('Files') ? dataTransfer : undefined;
    const isOpen = () => place.offsetParent !== null && !document.querySelector('dialog[open]');
    let over = 0;
    const mark = (/** @type {number} */ change) => {
        over += change;
        place.classList.toggle('over', over > 0 && isOpen());
    };
    addEventListener('dragenter', (event) => filesOf(event) && mark(1));
    addEventListener('dragleave', (event) => filesOf(event) && mark(-1));
    addEventListener('dragover', (event) => filesOf(event) && event.preventDefault());
    addEventListener('drop', (event) => {
        const dropped = filesOf(event);
        if (!dropped) return;
        event.preventDefault();
        mark(-over);
        if (isOpen()) onFiles([...dropped.files]);
    });
}
