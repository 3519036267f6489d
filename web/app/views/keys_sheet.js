// What the sheet of shortcuts says, fetched when it is opened.
//
// Owns: how keys are written. Must not know: what they do.

import {text} from '../texts.js';
import {element} from './dom.js';

/**
 * Of each shortcut, what it does and its keys.
 * @param {[letter: string, done: string][]} letters
 * @param {boolean} isMac
 */
export function rows(letters, isMac) {
    const held = isMac ? ['⌃', '⇧'] : ['Alt', 'Shift'], command = isMac ? '⌘' : 'Ctrl',
        shift = isMac ? '⇧' : 'Shift';
    /** @type {[name: string, keys: string[]][]} */
    const all = [...letters.map(([letter, done]) => /** @type {[string, string[]]} */ ([`keys.${done}`,
        [...held, letter]])),
        ['keys.stop', ['Esc']], ['keys.send', ['Enter']], ['keys.line', [shift, 'Enter']],
        ['keys.edit', ['↑']], ['keys.help', [...held, '?']],
        ['writer.continue', [command, 'Enter']], ['writer.alternatives', [command, shift, 'Enter']],
        ['writer.likely', [isMac ? '⌥' : 'Alt', 'Enter']],
        ['action.undo', [command, 'Z']], ['writer.redo', [command, shift, 'Z']]];
    return all.flatMap(([name, keys]) => [
        element('dt', {textContent: text(name)}),
        element('dd', {}, ...keys.map((key) => element('kbd', {textContent: key}))),
    ]);
}
