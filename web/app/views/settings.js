// The settings dialog, drawn from the list in preferences.js.

import {element, within} from './dom.js';
import {SETTINGS, loadPreferences, savePreferences} from '../data/preferences.js';

/** @typedef {import('../data/preferences.js').Setting} Setting */

export class Settings {
    #at;
    #preferences = loadPreferences();
    #loaded = false;
    #loadingBefore = '';

    /**
     * @param {ParentNode} root
     * @param {{onReload: () => void}} options   onReload: load the model again, with the settings that need it
     */
    constructor(root, {onReload}) {
        const at = this.#at = within(root), dialog = at('settings', HTMLDialogElement);
        at('open-settings').onclick = () => {
            this.#draw();
            dialog.showModal();
        };
        dialog.onclick = (event) => {
            if (event.target === dialog) dialog.close();        // beside the panel
        };
        at('settings-reset').onclick = () => {
            savePreferences({});
            this.#preferences = loadPreferences();
            this.#draw();
        };
        at('settings-reload').onclick = () => {
            dialog.close();
            onReload();
        };
    }

    /** The values that are set, by key. @param {Setting['group']} name @returns {Record<string, number>} */
    group(name) {
        /** @type {Record<string, number>} */
        const values = {};
        for (const {key, group} of SETTINGS) {
            const value = this.#preferences[key];
            if (group === name && value !== undefined) values[key] = value;
        }
        return values;
    }

    /** @param {boolean} loaded   a model is loaded, with the settings as they are now */
    setLoaded(loaded) {
        this.#loaded = loaded;
        this.#loadingBefore = JSON.stringify(this.group('loading'));
    }

    #draw() {
        this.#at('settings-fields').replaceChildren(
            this.#fieldset('Choosing words', 'sampling'),
            this.#fieldset('Engine', 'loading', 'These take effect when the model is loaded.'));
        this.#offerReload();
    }

    /** @param {string} title @param {Setting['group']} name @param {string} [note] */
    #fieldset(title, name, note) {
        const made = element('fieldset', {}, element('legend', {textContent: title}));
        if (note) made.append(element('p', {className: 'soft', textContent: note}));
        for (const setting of SETTINGS) if (setting.group === name) made.append(this.#field(setting));
        return made;
    }

    /** @param {Setting} setting */
    #field({key, label, hint, unit, empty, initial, min, max, step, field: kind = 'range'}) {
        const id = `setting-${key}`, value = this.#preferences[key];
        const input = element('input', {id, type: kind, min, max, step, value: value ?? '', placeholder: empty ?? ''});
        const shown = element('output', {htmlFor: id, textContent: kind === 'range' ? value : unit ?? ''});
        input.oninput = () => {
            if (!input.checkValidity()) return;
            this.#preferences[key] = input.value === '' ? initial : input.valueAsNumber;
            if (kind === 'range') shown.textContent = input.value;
            savePreferences(this.#preferences);
            this.#offerReload();
        };
        const row = element('div', {className: `setting ${kind}`}, element('label', {htmlFor: id, textContent: label}), shown, input);
        if (hint) {
            row.append(element('p', {id: `${id}-hint`, className: 'soft', textContent: hint}));
            input.setAttribute('aria-describedby', `${id}-hint`);
        }
        return row;
    }

    #offerReload() {
        this.#at('settings-reload').hidden = !this.#loaded || JSON.stringify(this.group('loading')) === this.#loadingBefore;
    }
}
