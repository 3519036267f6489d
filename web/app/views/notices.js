// The lines above the page: an error with what to do about it, and things worth knowing.

import {text} from '../texts.js';
import {describe} from './details.js';
import {toClipboard, touch, within} from './dom.js';
import {explain} from './errors.js';

export class Notices {
    #root;
    #at;
    #about;
    /** What had the focus before one of these. @type {EventTarget | null} */
    #from = null;
    /** What can be undone, the last last. @type {{sentence: string, undo: () => Promise<unknown>}[]} */
    #done = [];

    /**
     * @param {ParentNode} root
     * @param {{about: () => Record<string, unknown>}} options   about: the engine, for the details of
     *     an error
     */
    constructor(root, {about}) {
        this.#about = about;
        const at = this.#at = within(root);
        this.#root = root;
        for (const place of [at('notice'), at('error')]) {
            place.addEventListener('focusin', ({relatedTarget}) => {
                if (!place.contains(/** @type {Node | null} */ (relatedTarget))) this.#from = relatedTarget;
            });
        }
        at('notice-close').onclick = () => {
            this.#done = [];
            this.#hide('notice');
        };
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
            this.#hide('notice');
            action?.onPress();
        };
        this.#at('notice').hidden = false;
    }

    /**
     * Says what was done. Once it is undone, what was done before it can be, too.
     * @param {string} sentence @param {() => Promise<unknown>} undo
     */
    showDone(sentence, undo) {
        this.#done.push({sentence, undo});
        this.show(sentence, {label: text('action.undo'), onPress: async () => {
            this.#done.pop();
            await undo().catch((error) => this.showError(error));
            const before = this.#done.pop();
            if (before && this.#at('notice').hidden) this.showDone(before.sentence, before.undo);
            else if (before) this.#done.push(before);
        }});
    }

    /**
     * The console has the error whole, with what caused it.
     * @param {Error} error
     * @param {() => void} [retry]   what "Try again" does; without, there is no such button
     * @param {{label: string, onPress: () => void}} [other]   what a person may do instead
     */
    showError(error, retry, other) {
        const at = this.#at, {title, message, advice} = explain(error);
        console.info(error);
        at('error-title').textContent = title;
        at('error-message').textContent = message;
        at('error-advice').textContent = advice;
        for (const [id, act] of Object.entries({retry, other: other?.onPress})) {
            at(`error-${id}`).hidden = !act;
            at(`error-${id}`).onclick = () => {
                this.hideError();
                act?.();
            };
        }
        at('error-other').textContent = other?.label ?? '';
        const copy = at('error-copy'), details = at('error-details', HTMLTextAreaElement);
        copy.textContent = text('error.copy');
        details.hidden = true;
        copy.onclick = () => {
            details.value = describe(error, this.#about());
            toClipboard(details.value).then(() => { copy.textContent = text('message.copied'); }, () => {
                details.hidden = false;
                details.select();
            });
        };
        at('error').hidden = false;
        at('error').focus();
    }

    hideError() {
        this.#hide('error');
    }

    /**
     * Gives the focus back to where it was, or to where a person continues.
     * @param {'notice' | 'error'} id
     */
    #hide(id) {
        const place = this.#at(id), isHeld = place.contains(document.activeElement), from = this.#from;
        place.hidden = true;
        if (!isHeld) return;
        const shown = this.#root.querySelector('main > section:not([hidden])'),
            other = !touch && shown?.querySelector('textarea') || shown?.querySelector('h1');
        (from instanceof HTMLElement && from.checkVisibility() ? from
            : /** @type {HTMLElement | null | undefined} */ (other))?.focus();
    }
}
