// The screen between choosing a model and using it: how far, how fast, how long, and a way out.

import {text} from '../texts.js';
import {bytes, duration} from './format.js';
import {announce, within} from './dom.js';

/** After which it is said that a host has not answered. */
const ANSWER_MS = 5000;

export class Loading {
    #root;
    #title;
    #bar;
    #figures;
    #hint;
    #lead = '';
    #asking = '';
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #waiting;

    /** @param {ParentNode} root @param {{onCancel: () => void}} options */
    constructor(root, {onCancel}) {
        const at = within(root);
        this.#root = root;
        this.#title = at('loading-title');
        this.#bar = at('loading-bar', HTMLProgressElement);
        this.#figures = at('loading-figures');
        this.#hint = at('loading-hint');
        at('cancel-loading').onclick = onCancel;
        this.#findReason().catch(() => {});     // not every browser knows this permission
    }

    /** Why the browser is asked to keep what is stored, where that may become a question to the user. */
    async #findReason() {
        const {state} = await navigator.permissions.query({name: 'persistent-storage'});
        if (state !== 'prompt') return;
        this.#asking = text('loading.asking');
    }

    /**
     * @param {string} name @param {string} [hint]   why this begins, where nobody asked for it just now
     * @param {string} [host]   another one, which must answer first
     */
    begin(name, hint = '', host = '') {
        const opening = text('loading.opening', {name});
        this.#title.textContent = opening;
        this.#figures.textContent = '\u00a0';
        this.#hint.textContent = this.#lead = hint;
        this.#bar.removeAttribute('value');     // busy, without knowing how far
        clearTimeout(this.#waiting);
        if (host) this.#waiting = setTimeout(() => {
            if (!this.#hint.checkVisibility()) return;       // it has ended
            this.#hint.textContent = text('loading.no-answer', {host});
            announce(this.#root, this.#hint.textContent);
        }, ANSWER_MS);
        this.#title.focus();
        announce(this.#root, `${opening}. ${hint}`);
    }

    /**
     * @param {string} name
     * @param {import('../../weights/file/progress.js').Progress} progress
     * @param {string} [doing]   the title, for what is no ordinary loading
     */
    progress(name, {phase, bytes: done, total, rate, secondsLeft, waiting, notice}, doing) {
        const downloading = phase === 'download';
        clearTimeout(this.#waiting);
        this.#title.textContent = doing ?? text(downloading ? 'loading.downloading'
            : 'loading.loading', {name});
        this.#bar.max = total;
        this.#bar.value = done;
        const figures = [text('count.part', {done: bytes(done), total: bytes(total)})];
        if (rate > 0) figures.push(text('count.rate', {amount: bytes(rate)}));
        if (rate > 0 && done < total) figures.push(text('count.left', {time: duration(secondsLeft)}));
        this.#figures.textContent = figures.join(' · ');
        const usual = downloading ? [this.#lead, text('loading.kept'), this.#asking]
            : [text('loading.local')];
        this.#hint.textContent = waiting ?? notice ?? usual.filter(Boolean).join(' ');
    }
}
