// Things that are kept under a name, to be chosen again: sets of settings, and system prompts.
//
// Owns: the elements of such a choice. Must not know: what is in an item.

import {element} from './dom.js';
import {text} from '../texts.js';

/**
 * @typedef {{name: string, settings?: Record<string, unknown>, system?: string}} Preset
 *
 * @typedef {object} LibraryOptions
 * @property {string} id
 * @property {string} label
 * @property {Preset[]} builtIn
 * @property {() => Promise<Preset[]>} list
 * @property {(item: Preset) => void} onChoose
 * @property {(name: string) => Promise<unknown>} onSave     what is set now, under a name
 * @property {(name: string) => Promise<unknown>} onDelete
 * @property {(error: Error) => void} onError
 */

/** @param {LibraryOptions} options */
export function library({id, label, builtIn, list, onChoose, onSave, onDelete, onError}) {
    /** @type {Preset[]} */
    let stored = [];
    const choice = element('select', {id}),
        button = (/** @type {string} */ key, /** @type {() => void} */ onclick) =>
        element('button', {type: 'button', className: 'quiet', textContent: text(key), onclick});
    const remove = button('action.delete', () => onDelete(choice.value.slice(1)).then(() => show(''))
        .catch(onError));
    const save = button('preset.save', () => {
        buttons.replaceWith(naming);
        name.value = '';
        name.focus();
    });
    const name = element('input', {maxLength: 80, placeholder: text('preset.name'), autocomplete: 'off'});
    const keep = () => {
        const wanted = name.value.trim();
        if (!wanted) return name.focus();
        end();
        onSave(wanted).then(() => show(`1${wanted}`)).catch(onError);
    };
    const end = () => {
        naming.replaceWith(buttons);
        save.focus();
    };
    const buttons = element('div', {className: 'library-buttons'}, save, remove);
    const naming = element('div', {className: 'library-buttons'}, name, button('action.save', keep),
        button('action.cancel', end));
    name.setAttribute('aria-label', text('preset.name'));
    naming.onkeydown = (event) => {
        if (event.key !== 'Enter' && event.key !== 'Escape' || event.target !== name) return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key === 'Enter') keep();
        else end();
    };
    const option = (/** @type {string} */ kind) => (/** @type {Preset} */ item) => element('option',
        {value: kind + item.name, textContent: item.name});
    const draw = (/** @type {string} */ chosen) => {
        choice.replaceChildren(element('option', {value: '', textContent: text('preset.choose')}),
            ...builtIn.map(option('0')), ...stored.map(option('1')));
        choice.value = chosen;
        remove.hidden = !chosen.startsWith('1');
    };
    const show = async (/** @type {string | undefined} */ chosen = undefined) => {
        stored = await list().catch(() => []);
        draw(chosen ?? choice.value);
    };
    choice.onchange = () => {
        const item = (choice.value.startsWith('1') ? stored : builtIn)
            .find((one) => one.name === choice.value.slice(1));
        remove.hidden = !choice.value.startsWith('1');
        if (item) onChoose(item);
    };
    draw('');
    show();
    return element('div', {className: 'setting library'}, element('label', {htmlFor: id, textContent: label}),
        choice, buttons);
}
