// The one model that is loaded: loading it, with what a person must be asked for that, and giving its
// memory back.
//
// Owns: which model is loaded, or is being loaded. Must not know: conversations, and what shows while
// it loads.

import {Gemma, GemmaError} from '../gemma.js';
import {rememberCancelled} from './data/preferences.js';
import {wasCancelled} from './views/errors.js';
import {bytes, list} from './views/format.js';
import {text} from './texts.js';

/**
 * @typedef {import('../gemma.js').ModelSource} ModelSource
 * @typedef {import('../weights/file/progress.js').Progress} Progress
 * @typedef {{id: string, name: string}} Named   id: as the model is stored; '' for one that is not
 *
 * @typedef {object} EngineOptions
 * @property {() => Record<string, number>} loadingSettings
 * @property {(name: string, progress: Progress, doing?: string) => void} onProgress   doing: the title, for
 *     what is no ordinary loading
 * @property {(name: string, hint?: string, model?: ModelSource) => void} onBegin      loading begins; model:
 *     where it has an id, or may have one
 * @property {() => Promise<unknown>} prepare                     brings what a loaded model needs
 * @property {(gemma: Gemma, model: Named) => void} onLoaded
 * @property {() => Promise<unknown> | void} onEnd                loading has ended without a model
 * @property {() => void} onClosed
 * @property {(error: Error, retry: () => void) => void} onError
 * @property {(sentence: string) => void} onNotice
 */

export class Engine {
    #options;
    /** @type {Gemma | undefined} */
    #gemma;
    /** @type {Named} */
    #model = {id: '', name: ''};
    /** Ends the loading. @type {AbortController | undefined} */
    #loading;
    /** What was started last, to start it again. @type {{model: ModelSource, name: string} | undefined} */
    #started;

    /** @param {EngineOptions} options */
    constructor(options) {
        this.#options = options;
    }

    get gemma() {
        return this.#gemma;
    }

    /** What is loaded. */
    get model() {
        return this.#model;
    }

    get isBusy() {
        return Boolean(this.#gemma || this.#loading);
    }

    /**
     * Loads a model; or says why not.
     * @param {ModelSource} model
     * @param {string} name
     * @param {string} [hint]   why, where nobody asked for it just now
     * @returns {Promise<boolean>} whether it is loaded
     */
    start(model, name, hint) {
        return this.#whileLoading({name, hint, model}, async (signal) => {
            if (await hasRoom(model, name)) await this.#loadOrReplace(model, name, signal);
        }, () => this.start(model, name));
    }

    /**
     * Downloads what a model's address has now, in the place of what is stored.
     * @param {ModelSource} model
     * @param {string} name
     * @returns {Promise<boolean>}
     */
    replace(model, name) {
        return this.#whileLoading({name, model}, (signal) => this.#load(model, name, signal, true),
            () => this.replace(model, name));
    }

    /**
     * Keeps a copy of a model from the disk in this browser, then works with that.
     * @param {File[]} files
     * @param {string} name
     * @returns {Promise<boolean>}
     */
    keep(files, name) {
        return this.#whileLoading({name}, async (signal) => {
            const onProgress = (/** @type {Progress} */ progress) => this.#options.onProgress(name, progress,
                text('loading.copying', {name}));
            const stored = await Gemma.models.import(files, {signal, onProgress});
            await this.#load(stored.id, stored.name, signal);
        }, () => this.keep(files, name));
    }

    /** The same model, with the settings as they are now. */
    again() {
        return this.#started && this.start(this.#started.model, this.#started.name);
    }

    /** What a person has cancelled does not go on by itself at the next visit. */
    cancel() {
        this.#loading?.abort();
        rememberCancelled(this.#started && Gemma.models.idOf(this.#started.model));
    }

    /** Gives the model's memory back. */
    close() {
        if (!this.#gemma) return;
        this.#gemma.close();
        this.#gemma = undefined;
        this.#options.onClosed();
    }

    /**
     * Gigabytes come again only when somebody wants them.
     * @param {ModelSource} model
     * @param {string} name
     * @param {AbortSignal} signal
     */
    async #loadOrReplace(model, name, signal) {
        try {
            await this.#load(model, name, signal);
        } catch (error) {
            if (!(error instanceof GemmaError) || error.code !== 'changed'
                || !confirm(text('loading.changed', {name}))) throw error;
            await this.#load(model, name, signal, true);
        }
    }

    /** @param {ModelSource} model @param {string} name @param {AbortSignal} signal */
    async #load(model, name, signal, update = false) {
        signal.throwIfAborted();        // another one may have been started while a person was asked
        this.#started = {model, name};
        rememberCancelled(undefined);
        await unlessAborted(this.#options.prepare(), signal);
        /** @type {string | undefined} */
        let notice;
        const gemma = await Gemma.load(model, {
            ...this.#options.loadingSettings(), signal, update, shared: true,
            onProgress: (/** @type {Progress} */ progress) => {
                notice = progress.notice ?? notice;
                this.#options.onProgress(name, progress);
            },
        });
        this.#gemma = gemma;
        this.#model = {id: Gemma.models.idOf(model) ?? '', name};
        const sentences = [gemma.info.threadsFailed && text('loading.threads-failed'),
            notice].filter(Boolean);
        if (sentences.length) this.#options.onNotice(sentences.join(' '));
        this.#options.onLoaded(gemma, this.#model);
    }

    /**
     * Says that loading goes on while `work` does. What it throws is shown, with a button that calls `retry`.
     * @param {{name: string, hint?: string, model?: ModelSource}} what
     * @param {(signal: AbortSignal) => Promise<void>} work @param {() => void} retry
     */
    async #whileLoading({name, hint, model}, work, retry) {
        const {onBegin, onEnd, onError} = this.#options;
        this.#loading?.abort();
        this.close();
        this.#started = undefined;
        const loading = this.#loading = new AbortController();
        onBegin(name, hint, model);
        /** @type {any} */
        let failure;
        try {
            await work(loading.signal);
        } catch (error) {
            failure = error;
        }
        if (this.#loading === loading) this.#loading = undefined;
        if (!this.#gemma && !this.#loading) await onEnd();
        if (failure && !wasCancelled(failure)) onError(failure, retry);
        return Boolean(this.#gemma);
    }
}

/**
 * @param {Promise<unknown>} coming
 * @param {AbortSignal} signal
 * @returns {Promise<unknown>} rejects as soon as the signal says so
 */
function unlessAborted(coming, signal) {
    return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        coming.then(resolve, reject);
    });
}

/**
 * Whether what is about to be downloaded can be kept, or may run without.
 * @param {ModelSource} model
 * @param {string} name
 */
async function hasRoom(model, name) {
    if (typeof model !== 'object' || !('urls' in model && 'size' in model)) return true;
    const {urls, size} = model;
    if (!urls || size === undefined) return true;
    const {enough, needed, free, deletable} = await Gemma.models.room(size, urls[0]);
    if (enough) return true;
    const others = list(deletable.map((other) => `${other.name} (${bytes(other.storedBytes)})`));
    return confirm([text('loading.no-room', {name, needed: bytes(needed), free: bytes(free ?? 0)}), others
        && text('loading.deletable', {list: others}),
        text('loading.all-the-same')].filter(Boolean).join(' '));
}
