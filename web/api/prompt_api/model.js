// model.js: the one model of a page's LanguageModel: whether it is here, loaded once for all sessions, let go
// when no session uses it. Knows neither sessions nor options.

import {unlessAborted} from '../../base/abort.js';
import {Gemma} from '../../gemma.js';

/**
 * @typedef {import('../../gemma.js').ModelSource} ModelSource
 * @typedef {import('../../gemma.js').LoadOptions} LoadOptions
 * @typedef {'unavailable' | 'downloadable' | 'downloading' | 'available'} Availability
 * @typedef {{gemma: Promise<Gemma>, stopping: AbortController, waiting: number, listeners: Set<(fraction:
 *   number) => void>, isDownload: boolean}} Loading
 */

export class Model {
    #source;
    #options;
    #unloadAfter;
    /** @type {Gemma | undefined} */
    #gemma;
    /** @type {Loading | undefined} */
    #loading;
    #users = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;

    /**
     * @param {ModelSource | Gemma} model
     * @param {LoadOptions} options
     * @param {number} unloadAfter   milliseconds without a session
     */
    constructor(model, options, unloadAfter) {
        this.#options = options;
        this.#unloadAfter = model instanceof Gemma ? Infinity : unloadAfter;
        if (model instanceof Gemma) this.#gemma = model;
        else this.#source = model;
        this.#id; // throws for what is no model
    }

    /** Under which the model is stored; undefined for what need not be downloaded. */
    get #id() {
        return this.#source === undefined ? undefined : Gemma.models.idOf(this.#source);
    }

    /** @returns {Promise<Availability>} */
    async availability() {
        if (typeof WebAssembly !== 'object') return 'unavailable';
        if (this.#loading?.isDownload) return 'downloading';
        const id = this.#id;
        if (this.#gemma || id === undefined) return 'available';
        return (await Gemma.models.list()).some((one) => one.id === id && one.state === 'complete')
            ? 'available'
            : 'downloadable';
    }

    /**
     * The model, loaded if it isn't yet, until `release` is called.
     * @param {AbortSignal} [signal]   where no other caller waits for it, loading stops; what is stored of
     *     it stays
     * @param {(fraction: number) => void} [onDownload]
     * @returns {Promise<{gemma: Gemma, release: () => void}>}
     */
    async use(signal, onDownload = () => {}) {
        this.#users++;
        clearTimeout(this.#timer);
        let isUsed = true;
        const release = () => {
            if (isUsed) this.#leave();
            isUsed = false;
        };
        try {
            return {gemma: this.#gemma ?? (await this.#wait(signal, onDownload)), release};
        } catch (error) {
            release();
            throw error;
        }
    }

    /** @param {AbortSignal | undefined} signal @param {(fraction: number) => void} onDownload */
    async #wait(signal, onDownload) {
        const loading = (this.#loading ??= this.#load());
        loading.waiting++;
        loading.listeners.add(onDownload);
        try {
            return await unlessAborted(loading.gemma, signal);
        } finally {
            loading.listeners.delete(onDownload);
            if (--loading.waiting === 0 && this.#loading === loading) {
                this.#loading = undefined;
                loading.stopping.abort();
            }
        }
    }

    /** @returns {Loading} */
    #load() {
        const stopping = new AbortController();
        /** @type {Loading} */
        const loading = {
            stopping,
            waiting: 0,
            listeners: new Set(),
            isDownload: false,
            gemma: /** @type {any} */ (undefined),
        };
        loading.gemma = this.#loadFor(loading);
        loading.gemma.catch(() => {}); // told to those who wait
        return loading;
    }

    /** @param {Loading} loading */
    async #loadFor(loading) {
        const {onProgress, ...options} = this.#options;
        let first = -1;
        /** @param {Parameters<NonNullable<LoadOptions['onProgress']>>[0]} progress */
        const tell = (progress) => {
            const {phase, bytes, total} = progress;
            if (phase === 'download') {
                if (first < 0) first = bytes < total ? bytes : 0;
                loading.isDownload = true;
                for (const listener of loading.listeners) listener((bytes - first) / (total - first));
            }
            return onProgress?.(progress);
        };
        try {
            const gemma = await Gemma.load(/** @type {ModelSource} */ (this.#source), {
                ...options,
                signal: loading.stopping.signal,
                onProgress: tell,
            });
            return (this.#gemma = gemma);
        } finally {
            if (this.#loading === loading) this.#loading = undefined;
        }
    }

    /** One that has ended by itself is loaded anew for the next session. @param {Gemma} gemma */
    lost(gemma) {
        if (this.#gemma === gemma && this.#source !== undefined) this.#gemma = undefined;
    }

    #leave() {
        if (--this.#users > 0 || this.#unloadAfter === Infinity) return;
        this.#timer = setTimeout(() => {
            this.#gemma?.close();
            this.#gemma = undefined;
        }, this.#unloadAfter);
        /** @type {any} */ (this.#timer).unref?.(); // under Node it keeps nothing alive
    }
}
