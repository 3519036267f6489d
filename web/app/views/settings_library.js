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
 * @property {(name: string) => Promise<{name: string, isReplaced: boolean} | undefined>} onSave   what is set
 *     now, under a name; resolves with the name that it has got
 * @property {(item: Preset) => Promise<unknown>} onDelete
 * @property {(error: Error) => void} onError
 */

/** @param {string} kind   '1': it is stored @returns {(item: Preset) => HTMLOptionElement} */
const option = (kind) => ({name}) => element('option', {value: kind + name, textContent: name});

/**
 * Enter and Escape, in a field of a form.
 * @param {HTMLElement} field @param {() => void} enter @param {() => void} escape
 */
function takeKeys(field, enter, escape) {
    field.onkeydown = (event) => {
        if (event.key !== 'Enter' && event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key === 'Enter') enter();
        else escape();
    };
}

/** @param {LibraryOptions} options */
export function library({id, label, builtIn, list, onChoose, onSave, onDelete, onError}) {
    /** @type {Preset[]} */
    let stored = [];
    const choice = element('select', {id}),
        button = (/** @type {string} */ key, /** @type {() => void} */ onclick) =>
        element('button', {type: 'button', className: 'quiet', textContent: text(key), onclick});
    const chosen = () => (choice.value.startsWith('1') ? stored : builtIn)
        .find((one) => one.name === choice.value.slice(1));
    const remove = button('action.delete', () => {
        const item = chosen();
        if (item) onDelete(item).then(() => show('')).catch(onError);
    });
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
        onSave(wanted).then(async (saved) => {
            if (!saved) return;
            await show(`1${saved.name}`);
            note.textContent = saved.isReplaced ? text('preset.replaced', {name: saved.name}) : '';
        }).catch(onError);
    };
    const end = () => {
        naming.replaceWith(buttons);
        save.focus();
    };
    const buttons = element('div', {className: 'library-buttons'}, save, remove);
    const naming = element('div', {className: 'library-buttons'}, name, button('action.save', keep),
        button('action.cancel', end));
    name.setAttribute('aria-label', text('preset.name'));
    takeKeys(name, keep, end);
    const note = element('p', {className: 'soft', role: 'status'});
    const draw = (/** @type {string} */ value) => {
        choice.replaceChildren(element('option', {value: '', textContent: text('preset.choose')}),
            ...builtIn.map(option('0')), ...stored.map(option('1')));
        choice.value = value;
        remove.hidden = !value.startsWith('1');
    };
    const show = async (/** @type {string | undefined} */ value = undefined) => {
        stored = await list().catch(() => []);
        draw(value ?? choice.value);
    };
    choice.onchange = () => {
        const item = chosen();
        remove.hidden = !choice.value.startsWith('1');
        if (item) onChoose(item);
    };
    draw('');
    show();
    return element('div', {className: 'setting library'}, element('label', {htmlFor: id, textContent: label}),
        choice, buttons, note);
}
