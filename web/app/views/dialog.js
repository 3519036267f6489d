// Dialogs that few people open: made when they are, and gone when they are closed.

import {element} from './dom.js';
import {text} from '../texts.js';

/**
 * @param {string} title @param {string} className @param {...HTMLElement} children
 */
export function openDialog(title, className, ...children) {
    const heading = element('h2', {id: 'dialog-title', textContent: title, tabIndex: -1});
    const done = element('button', {type: 'button', className: 'quiet', textContent: text('action.done'),
        onclick: () => dialog.close()});
    const dialog = element('dialog', {className}, element('div', {className: 'sheet'},
        element('header', {}, heading, done), ...children));
    dialog.setAttribute('aria-labelledby', 'dialog-title');
    dialog.onclose = () => dialog.remove();
    document.body.append(dialog);
    dialog.showModal();
    heading.focus();
    return dialog;
}

/** @param {string} key @param {(event: MouseEvent) => unknown} onclick @param {string} [className] */
export const button = (key, onclick, className = '') => element('button',
    {type: 'button', className, textContent: text(key), onclick});
