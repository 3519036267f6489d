// The screen between choosing a model and using it: how far, how fast, how long, and a way out.

import {bytes, duration} from './format.js';
import {announce, byId} from './dom.js';

/** @param {{onCancel: () => void}} options */
export function createLoading({onCancel}) {
    byId('cancel-loading').onclick = onCancel;
    const bar = byId('loading-bar');
    let lead = '', asking = '';

    /** Why the browser is asked to keep what is stored, where that may become a question to the user. */
    async function findReason() {
        const {state} = await navigator.permissions.query({name: 'persistent-storage'});
        if (state === 'prompt') asking = 'Your browser may ask whether this site may keep its data: with a yes, the model stays also when the disk is full.';
    }
    findReason().catch(() => {});       // not every browser knows this permission

    return {
        /** @param {string} name @param {string} [hint]   why this begins, where nobody asked for it just now */
        begin(name, hint = '') {
            byId('loading-title').textContent = `Opening ${name}`;
            byId('loading-figures').textContent = '\u00a0';
            byId('loading-hint').textContent = lead = hint;
            bar.removeAttribute('value');       // busy, without knowing how far
            byId('loading-title').focus();
            announce(`Opening ${name}. ${hint}`);
        },

        /** @param {string} name @param {import('../../weights/file/progress.js').Progress} progress @param {string} [doing] */
        progress(name, {phase, bytes: done, total, rate, secondsLeft, waiting, notice}, doing) {
            const downloading = phase === 'download';
            byId('loading-title').textContent = `${doing ?? (downloading ? 'Downloading' : 'Loading')} ${name}`;
            bar.max = total;
            bar.value = done;
            const figures = [`${bytes(done)} of ${bytes(total)}`];
            if (rate > 0) figures.push(`${bytes(rate)}/s`);
            if (rate > 0 && done < total) figures.push(`${duration(secondsLeft)} left`);
            byId('loading-figures').textContent = figures.join(' · ');
            const usual = downloading ? [lead, 'You can cancel at any time: what has arrived is kept.', asking].filter(Boolean).join(' ')
                : 'It is read from this device, without the network.';
            byId('loading-hint').textContent = waiting ?? notice ?? usual;
        },
    };
}
