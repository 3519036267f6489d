// The screen between choosing a model and using it: how far, how fast, how long, and a way out.

import {bytes, duration} from './format.js';
import {announce, within} from './dom.js';

export class Loading {
    #root;
    #title;
    #bar;
    #figures;
    #hint;
    #lead = '';
    #asking = '';

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
        this.#asking = 'Your browser may ask whether this site may keep its data: with a yes, the model stays also when the disk is full.';
    }

    /** @param {string} name @param {string} [hint]   why this begins, where nobody asked for it just now */
    begin(name, hint = '') {
        this.#title.textContent = `Opening ${name}`;
        this.#figures.textContent = '\u00a0';
        this.#hint.textContent = this.#lead = hint;
        this.#bar.removeAttribute('value');     // busy, without knowing how far
        this.#title.focus();
        announce(this.#root, `Opening ${name}. ${hint}`);
    }

    /** @param {string} name @param {import('../../weights/file/progress.js').Progress} progress @param {string} [doing] */
    progress(name, {phase, bytes: done, total, rate, secondsLeft, waiting, notice}, doing) {
        const downloading = phase === 'download';
        this.#title.textContent = `${doing ?? (downloading ? 'Downloading' : 'Loading')} ${name}`;
        this.#bar.max = total;
        this.#bar.value = done;
        const figures = [`${bytes(done)} of ${bytes(total)}`];
        if (rate > 0) figures.push(`${bytes(rate)}/s`);
        if (rate > 0 && done < total) figures.push(`${duration(secondsLeft)} left`);
        this.#figures.textContent = figures.join(' · ');
        const usual = downloading ? [this.#lead, 'You can cancel at any time: what has arrived is kept.', this.#asking]
            : ['It is read from this device, without the network.'];
        this.#hint.textContent = waiting ?? notice ?? usual.filter(Boolean).join(' ');
    }
}
