// A model's terms, shown once before the first download from another host.
//
// Owns: that dialog. Must not know: whether it is needed, where the answer is kept.

import {element} from './dom.js';
import {button} from './dialog.js';
import {bytes} from './format.js';
import {hostOf, linkTo} from './offer.js';
import {text, textWith} from '../texts.js';

/**
 * @param {import('../data/catalogue.js').Offer} offer   of one with terms
 * @returns {Promise<boolean>} whether a person agrees
 */
export function askTerms(offer) {
    const {name, size, licence} = offer, {policy} = licence ?? {};
    if (!licence) return Promise.resolve(true);
    return new Promise((answer) => {
        const dialog = element('dialog', {className: 'small', id: 'terms'}),
            title = element('h2', {id: 'terms-title', tabIndex: -1, textContent: text('terms.title')});
        const close = (/** @type {boolean} */ isAgreed) => {
            answer(isAgreed);
            dialog.close();
        };
        const links = {licence: linkTo(licence), ...policy && {policy: linkTo(policy)}};
        const agree = button('terms.agree', () => close(true), 'primary');
        dialog.append(element('div', {className: 'sheet'}, element('header', {}, title),
            element('p', {}, ...textWith(policy ? 'terms.ask-both' : 'terms.ask', links)),
            element('p', {className: 'soft',
                textContent: text('terms.from', {name, size: bytes(size), host: hostOf(offer)})}),
            element('div', {className: 'actions'}, agree, button('action.cancel', () => close(false)))));
        dialog.setAttribute('aria-labelledby', 'terms-title');
        dialog.onclose = () => {
            answer(false);      // by Escape; what was answered stays
            dialog.remove();
        };
        document.body.append(dialog);
        dialog.showModal();
        title.focus();
    });
}
