// The settings dialog, drawn from the list in preferences.js.

import {byId, element} from './dom.js';
import {SETTINGS, loadPreferences, savePreferences} from '../data/preferences.js';

/**
 * @param {object} options
 * @param {() => void} options.onReload   load the model again, with the settings that need it
 * @returns {{group: (name: 'sampling' | 'loading') => Record<string, number>, setLoaded: (loaded: boolean) => void}}
 *     group: the values that are set, by key
 */
export function createSettings({onReload}) {
    let preferences = loadPreferences();
    let loaded = false;
    let loadingBefore = '';
    const dialog = byId('settings');

    const group = (name) => Object.fromEntries(SETTINGS
        .filter((setting) => setting.group === name && preferences[setting.key] !== undefined)
        .map(({key}) => [key, preferences[key]]));

    const draw = () => byId('settings-fields').replaceChildren(
        fieldset('Choosing words', 'sampling'),
        fieldset('Engine', 'loading', 'These take effect when the model is loaded.'));

    function fieldset(title, name, note) {
        const made = element('fieldset', {}, element('legend', {textContent: title}));
        if (note) made.append(element('p', {className: 'soft', textContent: note}));
        for (const setting of SETTINGS) if (setting.group === name) made.append(field(setting));
        return made;
    }

    function field({key, label, hint, unit, empty, min, max, step, field: kind = 'range'}) {
        const id = `setting-${key}`;
        const value = preferences[key];
        const input = element('input', {id, type: kind, min, max, step, value: value ?? '', placeholder: empty ?? ''});
        const shown = element('output', {htmlFor: id, textContent: kind === 'range' ? value : unit ?? ''});
        input.oninput = () => {
            if (!input.checkValidity()) return;
            preferences[key] = input.value === '' ? SETTINGS.find((setting) => setting.key === key).initial : input.valueAsNumber;
            if (kind === 'range') shown.textContent = input.value;
            savePreferences(preferences);
            offerReload();
        };
        const row = element('div', {className: `setting ${kind}`}, element('label', {htmlFor: id, textContent: label}), shown, input);
        if (hint) {
            row.append(element('p', {id: `${id}-hint`, className: 'soft', textContent: hint}));
            input.setAttribute('aria-describedby', `${id}-hint`);
        }
        return row;
    }

    function offerReload() {
        byId('settings-reload').hidden = !loaded || JSON.stringify(group('loading')) === loadingBefore;
    }

    byId('open-settings').onclick = () => {
        draw();
        offerReload();
        dialog.showModal();
    };
    dialog.onclick = (event) => {
        if (event.target === dialog) dialog.close();        // beside the panel
    };
    byId('settings-reset').onclick = () => {
        savePreferences({});
        preferences = loadPreferences();
        draw();
        offerReload();
    };
    byId('settings-reload').onclick = () => {
        dialog.close();
        onReload();
    };

    return {
        group,
        setLoaded(value) {
            loaded = value;
            loadingBefore = JSON.stringify(group('loading'));
        },
    };
}
