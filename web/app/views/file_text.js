// The text of an attached file, in a dialog: what the model reads of it, and all of it.
//
// Owns: this dialog. It shows text, for any kind of file.

import {element} from './dom.js';
import {bytes} from './format.js';
import {text} from '../texts.js';

/** More at once makes a page slow. */
const MOST_SHOWN = 200_000;

/** @param {ParentNode} root @param {import('../data/types.js').Attachment} attachment */
export function showText(root, {name, size, tokens, text: whole, asked, how}) {
    const title = element('h2', {textContent: name, id: 'file-text-title', dir: 'auto'});
    const about = [
        bytes(size), tokens ? text('count.tokens', {count: tokens}) : '', how ? text(`files.how-${how}`) : '',
    ].filter(Boolean).join(' · ');
    const dialog = element('dialog', {className: 'file-text', onclose: () => dialog.remove()},
        element('header', {}, title,
            element('button', {type: 'button', className: 'quiet', textContent: text('action.close'),
                onclick: () => dialog.close()})),
        element('p', {className: 'soft', textContent: about}));
    dialog.setAttribute('aria-labelledby', title.id);
    if (asked !== undefined) dialog.append(element('h3', {textContent: text('files.asked')}),
        ...shown(asked));
    if (asked !== undefined && whole) dialog.append(element('h3', {textContent: text('files.whole')}));
    if (whole) dialog.append(...shown(whole));
    (root instanceof Document ? root.body : /** @type {Element} */ (root)).append(dialog);
    dialog.showModal();
}

/** @param {string} whole */
function shown(whole) {
    const pre = element('pre',
        {dir: 'auto', textContent: whole.slice(0, MOST_SHOWN).replaceAll('\f', '\n\n')});
    return whole.length > MOST_SHOWN
        ? [pre, element('p', {className: 'soft', textContent: text('files.shown', {count: MOST_SHOWN})})]
        : [pre];
}
