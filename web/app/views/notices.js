// The lines above the page: an error with what to do about it, and things worth knowing.

import {text} from '../texts.js';
import {describe} from './details.js';
import {within} from './dom.js';
import {explain} from './errors.js';

export class Notices {
    #at;
    #about;

    /** @param {ParentNode} root @param {{about: () => Record<string, unknown>}} options   about: the engine, for the details of an error */
    constructor(root, {about}) {
        this.#about = about;
        const at = this.#at = within(root);
        at('notice-close').onclick = () => { at('notice').hidden = true; };
        at('error-close').onclick = () => this.hideError();
    }

    /**
     * @param {string} sentence
     * @param {{label: string, onPress: () => void}} [action]   what can be done about it
     */
    show(sentence, action) {
        const act = this.#at('notice-act');
        this.#at('notice-text').textContent = sentence;
        act.hidden = !action;
        act.textContent = action?.label ?? '';
        act.onclick = () => {
            this.#at('notice').hidden = true;
            action?.onPress();
        };
        this.#at('notice').hidden = false;
    }

    /**
     * The console has the error whole, with what caused it.
     * @param {Error} error
     * @param {() => void} [retry]   what "Try again" does; without, there is no such button
     */
    showError(error, retry) {
        const at = this.#at, {title, message, advice} = explain(error);
        console.info(error);
        at('error-title').textContent = title;
        at('error-message').textContent = message;
        at('error-advice').textContent = advice;
        at('error-retry').hidden = !retry;
        at('error-retry').onclick = () => {
            this.hideError();
            retry?.();
        };
        const copy = at('error-copy');
        copy.textContent = text('error.copy');
        copy.onclick = () => navigator.clipboard.writeText(describe(error, this.#about())).then(() => { copy.textContent = text('message.copied'); }, () => {});
        at('error').hidden = false;
        at('error').focus();
    }

    hideError() {
        this.#at('error').hidden = true;
    }
}
