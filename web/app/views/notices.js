// The lines above the page: an error with what to do about it, and things worth knowing.

import {byId} from './dom.js';
import {explain} from './errors.js';

/** @param {string} text */
export function showNotice(text) {
    byId('notice-text').textContent = text;
    byId('notice').hidden = false;
    byId('notice-close').onclick = () => { byId('notice').hidden = true; };
}

/**
 * @param {Error} error
 * @param {() => void} [retry]   what "Try again" does; without, there is no such button
 */
export function showError(error, retry) {
    const {title, message, advice} = explain(error);
    byId('error-title').textContent = title;
    byId('error-message').textContent = message;
    byId('error-advice').textContent = advice;
    byId('error-retry').hidden = !retry;
    byId('error-retry').onclick = () => {
        hideError();
        retry();
    };
    byId('error-close').onclick = hideError;
    byId('error').hidden = false;
    byId('error').focus();
}

export function hideError() {
    byId('error').hidden = true;
}
