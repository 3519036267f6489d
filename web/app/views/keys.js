// The page by keyboard: what its shortcuts do, and the sheet that lists them (keys_sheet.js).
//
// Owns: which keys. Must not know: what is done; that is told by name.
//
// Alt + Shift + letter, and Control + Shift + letter on a Mac, are nobody else's: browsers and systems have
// Ctrl, Alt and Command with a letter, VoiceOver has Control + Option, other screen readers have Insert or
// Caps Lock, and Option with a letter writes signs. Letters that ChromeOS, Edge or Chrome take with Alt +
// Shift (A, B, I, L, M, N, S, T) are left out. A letter alone would be in the way of dictation and screen
// readers (WCAG 2.1.4).

import {later} from '../../base/later.js';
import {recall, remember} from '../data/local.js';
import {isComposing, within} from './dom.js';

/**
 * @typedef {'chat' | 'document' | 'search' | 'write' | 'again' | 'copy' | 'back' | 'next' | 'list' |
 *     'settings' | 'stop'} Done
 */

/** @type {[letter: string, done: Done][]} */
const LETTERS = [['O', 'chat'], ['D', 'document'], ['F', 'search'], ['W', 'write'], ['R', 'again'],
    ['C', 'copy'], ['K', 'back'], ['J', 'next'], ['H', 'list'], ['G', 'settings']];
const MAC = /mac|iphone|ipad/i.test(navigator.userAgent);

/** @param {KeyboardEvent} event */
const isHeld = ({altKey, ctrlKey, shiftKey, metaKey}) => shiftKey && !metaKey && altKey !== MAC
    && ctrlKey === MAC;

/**
 * The letter on the key; where the layout has no Latin letters, that of its place.
 * @param {KeyboardEvent} event
 */
const letterOf = ({key, code}) => /^[a-z]$/i.test(key) ? key.toUpperCase() : code.replace(/^Key/, '');

/** @param {EventTarget | null} target */
const isField = (target) => target instanceof HTMLElement && (target.isContentEditable
    || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=range])'));

/** Whether ? alone opens the sheet, which a person may switch off. */
const isSingle = () => recall('single-key') !== 'off';

/** @param {ParentNode} root @param {(done: Done) => void} act @param {(error: Error) => void} onError */
export function listenToKeys(root, act, onError) {
    const at = within(root), sheet = at('keys', HTMLDialogElement),
        single = at('keys-single', HTMLInputElement);
    const open = () => later(() => import('./keys_sheet.js')).then(({rows}) => {
        single.checked = isSingle();
        at('keys-list').replaceChildren(...rows(LETTERS, MAC));
        if (!sheet.open) sheet.showModal();
    }).catch(onError);
    at('open-keys').onclick = open;
    sheet.onclick = ({target}) => {
        if (target === sheet) sheet.close();        // beside the panel
    };
    single.onchange = () => remember('single-key', single.checked ? 'on' : 'off');
    document.addEventListener('keydown', (event) => {
        if (isComposing(event) || event.defaultPrevented || document.querySelector('dialog[open]')) return;
        // In these, Escape leaves what is written there.
        if (event.key === 'Escape' && !document.querySelector(':popover-open'))
            return /** @type {Element} */ (event.target).closest('#search, .edit') || act('stop');
        const done = isHeld(event) && LETTERS.find(([letter]) => letter === letterOf(event))?.[1];
        const isHelp = event.key === '?' && !event.metaKey
            && (isHeld(event) || (!event.altKey && !event.ctrlKey && isSingle() && !isField(event.target)));
        if (!done && !isHelp) return;
        event.preventDefault();
        if (done) act(done);
        else open();
    });
}
