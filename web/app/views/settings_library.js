// Things that are kept under a name, to be chosen again: sets of settings, and system prompts.
//
// Owns: the elements of such a choice, and what its items hold. Must not know: for whom values hold.

import {BUILT_IN, SETTINGS, defaultPreferences, readSettings} from '../data/preferences.js';
import {element, isComposing} from './dom.js';
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

/**
 * @typedef {object} Place   where values come from, and go to
 * @property {import('./settings.js').SettingsOptions['presets']} stored
 * @property {(error: Error) => void} onError
 * @property {(key: string) => import('../data/preferences.js').Value} get
 * @property {(system: string) => void} onSystem
 * @property {(values: import('../data/preferences.js').Values, name: string) => void} onSettings
 */

const PROMPTS = ['brief', 'simple', 'correct', 'translate', 'summary', 'ideas'];
/** A preset of nothing but a system prompt is in the library of those. @param {Preset} preset */
const isPrompt = ({settings}) => !settings;
/** What a preset says: all but what belongs to the loaded model. */
const ASKED = SETTINGS.filter(({group}) => group !== 'loading');

/** @param {Place} place */
export function presets({stored, onError, get, onSettings}) {
    const initial = defaultPreferences();
    return library({
        id: 'preset', label: text('preset.title'), onError, onDelete: stored.delete,
        builtIn: BUILT_IN.map(([name, settings]) => ({name: text(`preset.${name}`), settings})),
        list: async () => (await stored.list()).filter((preset) => !isPrompt(preset)),
        onChoose: ({name, settings}) => {
            const wanted = {...initial, ...readSettings(settings)};
            onSettings(Object.fromEntries(ASKED.map(({key}) =>
                [key, wanted[key] ?? initial[key] ?? null])), name);
        },
        onSave: (name) => stored.save({name, settings: Object.fromEntries(ASKED
            .map(({key}) => [key, get(key)]).filter(([key, value]) => (value ?? undefined) !== initial[String(key)]))}),
    });
}

/** @param {Place} place */
export function prompts({stored, onError, get, onSystem}) {
    return library({
        id: 'prompt-library', label: text('prompt.library'), onError, onDelete: stored.delete,
        builtIn: PROMPTS.map((key) => ({name: text(`prompt.${key}`), system: text(`prompt.${key}-text`)})),
        list: async () => (await stored.list()).filter(isPrompt),
        onChoose: ({system = ''}) => onSystem(system),
        onSave: (name) => stored.save({name, system: String(get('system') ?? '')}),
    });
}

/** @param {string} kind   '1': it is stored @returns {(item: Preset) => HTMLOptionElement} */
const option = (kind) => ({name}) => element('option', {value: kind + name, textContent: name});

/**
 * Enter and Escape, in a field of a form.
 * @param {HTMLElement} field @param {() => void} enter @param {() => void} escape
 */
function takeKeys(field, enter, escape) {
    field.onkeydown = (event) => {
        if (isComposing(event) || event.key !== 'Enter' && event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key === 'Enter') enter();
        else escape();
    };
}

/** @param {LibraryOptions} options */
function library({id, label, builtIn, list, onChoose, onSave, onDelete, onError}) {
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
