// The settings dialog, drawn from the list in preferences.js: the defaults, and the settings of one
// conversation.
//
// Owns: whose settings are shown, and the defaults as they are now. Must not know: conversations, models.

import {loadPreferences, readSettings, savePreferences, SETTINGS} from '../data/preferences.js';
import {group} from '../asking.js';
import {later} from '../../base/later.js';
import {announce, element, within} from './dom.js';
import {bytes} from './format.js';
import {calmly, settingRow} from './settings_fields.js';
import {text} from '../texts.js';

/**
 * @typedef {import('../data/preferences.js').Setting} Setting
 * @typedef {import('../data/preferences.js').Values} Values
 * @typedef {import('./settings_library.js').Preset} Preset
 *
 * @typedef {object} SettingsOptions
 * @property {() => void} onReload   load the model again, with the settings that need it
 * @property {(error: Error) => void} onError
 * @property {() => {id?: string, settings: Record<string, unknown>} | undefined} conversation   the one that
 *     is shown; without an id it has not begun
 * @property {(changed: Values, id?: string) => unknown} onChange    of that conversation, undefined: as the
 *     default; resolves once it is stored
 * @property {(schema: object) => Promise<unknown>} check   rejects a JSON Schema that the model can't follow
 * @property {(options: Record<string, any>) => Promise<{bytes: number, fits: boolean, reasons: string[]} |
 *     undefined>} cost   of a context
 * @property {{list: () => Promise<Preset[]>, save: (preset: Preset) => Promise<{name: string, isReplaced:
 *     boolean} | undefined>, delete: (preset: Preset) => Promise<unknown>}} presets
 */

const AS_DEFAULT = Object.fromEntries(SETTINGS.map(({key}) => [key, undefined]));

export class Settings {
    /** Fetched with the first look. @type {typeof import('./settings_library.js') | undefined} */
    #libraries;
    #root;
    #at;
    #options;
    #preferences = loadPreferences();
    #loaded = false;
    #loadingBefore = '';
    /**
     * The conversation's settings; undefined while the defaults are shown.
     * @type {Values | undefined}
     */
    #own;
    /** What of that is not stored yet. @type {Values} */
    #changed = {};
    /** Whose that is: another one may be opened meanwhile. @type {string | undefined} */
    #id;
    /** @type {() => unknown} */
    #store = () => undefined;
    /** See settings_fields.js. @type {Set<() => Promise<void>>} */
    #waiting = new Set();

    /** @param {ParentNode} root @param {SettingsOptions} options */
    constructor(root, options) {
        this.#root = root;
        this.#options = options;
        const at = this.#at = within(root), dialog = at('settings', HTMLDialogElement);
        at('open-settings').onclick = () => this.open();
        dialog.onclick = (event) => {
            if (event.target === dialog) dialog.close();        // beside the panel
        };
        dialog.onclose = () => this.settled();
        // Of another tab.
        addEventListener('storage', () => { this.#preferences = loadPreferences(); });
        at('settings-reset').onclick = () => this.#reset();
        at('settings-reload').onclick = () => {
            dialog.close();
            options.onReload();
        };
    }

    open() {
        const found = this.#options.conversation();
        this.#own = found?.id ? readSettings(found.settings) : undefined;
        this.#id = found?.id;
        this.#draw();
        const dialog = this.#at('settings', HTMLDialogElement);
        dialog.showModal();
        dialog.scrollTop = 0;
    }

    /** What was set holds for what is asked from now on. */
    async settled() {
        for (const take of this.#waiting) await take();
        await this.#store();
    }

    /** The defaults as they are now. */
    get preferences() {
        return this.#preferences;
    }

    /** The values that are set, by key. @param {Setting['group']} name */
    group(name) {
        return group(this.#preferences, name);
    }

    /** @param {boolean} loaded   a model is loaded, with the settings as they are now */
    setLoaded(loaded) {
        this.#loaded = loaded;
        this.#loadingBefore = JSON.stringify(this.group('loading'));
    }

    #reset() {
        if (this.#own) this.#change(AS_DEFAULT);
        else {
            savePreferences({});
            this.#preferences = loadPreferences();
        }
        this.#draw();
    }

    /** @param {string} key */
    #get(key) {
        return this.#own && Object.hasOwn(this.#own, key) ? this.#own[key] : this.#preferences[key];
    }

    /**
     * @param {Setting} setting
     * @param {import('../data/preferences.js').Value} value   undefined: as the default
     */
    #set({key, group: name, initial}, value) {
        if (this.#own && name !== 'loading') {
            this.#change({[key]: (value ?? undefined) === this.#preferences[key] ? undefined : value});
        } else {
            this.#preferences[key] = value ?? initial;
            savePreferences(this.#preferences);
            this.#offerReload();
        }
    }

    /**
     * Is stored once sliders rest: only that, as another tab may change the others.
     * @param {Values} changed
     */
    #change(changed) {
        this.#own = readSettings({...this.#own, ...changed});
        const all = this.#changed = {...this.#changed, ...changed}, id = this.#id;
        /** @type {unknown} */
        let storing;
        const store = this.#store = () => {
            this.#changed = {};
            return storing ??= this.#options.onChange(all, id);
        };
        setTimeout(() => this.#store === store && store(), 300);
    }

    #draw() {
        this.#waiting.clear();
        const rows = (/** @type {Setting['group']} */ name, rare = false) =>
            SETTINGS.filter((one) => one.group === name && Boolean(one.rare) === rare)
            .map((setting) => settingRow(setting, {
                get: (key) => this.#get(key), set: (key, value) => this.#set(setting, value),
                isOwn: (key) => Boolean(this.#own && Object.hasOwn(this.#own, key)),
                check: this.#options.check, waiting: this.#waiting,
            }));
        const fieldset = (/** @type {string} */ key, /** @type {HTMLElement[]} */ ...children) =>
            element('fieldset', {}, element('legend', {textContent: text(key)}), ...children);
        const more = (/** @type {HTMLElement[]} */ children) =>
            element('details', {className: 'more'}, element('summary', {textContent: text('settings.more')}),
                ...children);
        this.#at('settings-fields').replaceChildren(
            ...this.#scopes(),
            this.#library('presets'),
            fieldset('settings.prompt', ...rows('prompt'), this.#library('prompts')),
            fieldset('settings.sampling', ...rows('sampling'), more(rows('sampling', true))),
            fieldset('settings.answers', ...rows('answer'), more(rows('answer', true))),
            fieldset('settings.engine',
                element('p', {className: 'soft', textContent: text('settings.engine-note')}),
                ...rows('loading')));
        this.#showCost();
        this.#at('settings-reset').textContent = text(this.#own ? 'settings.reset-own' : 'settings.reset');
        this.#offerReload();
    }

    /** Whose settings these are. @returns {HTMLElement[]} */
    #scopes() {
        const found = this.#options.conversation();
        if (!found) return [];
        const tab = (/** @type {string} */ key, /** @type {boolean} */ isSelected, /** @type {() => void} */ then) => {
            const made = element('button', {type: 'button', textContent: text(key), onclick: async () => {
                await this.settled();
                then();
                this.#draw();
                /** @type {HTMLElement | null} */ (this.#at('settings-fields')
                    .querySelector('.scopes [aria-pressed=true]'))?.focus();
            }});
            made.setAttribute('aria-pressed', String(isSelected));
            return made;
        };
        const scopes = element('div', {className: 'tabs scopes', role: 'group'},
            tab('settings.own', this.#own !== undefined,
                () => { this.#own = readSettings(this.#options.conversation()?.settings); }),
            tab('settings.all', this.#own === undefined, () => { this.#own = undefined; }));
        scopes.setAttribute('aria-label', text('settings.scope'));
        return [scopes, element('p',
            {className: 'soft', textContent: text(this.#own ? 'settings.own-note' : 'settings.all-note')})];
    }

    /** Presets of settings, or system prompts. @param {'presets' | 'prompts'} kind @returns {HTMLElement} */
    #library(kind) {
        const {presets: stored, onError} = this.#options, made = this.#libraries;
        if (made) return made[kind]({stored, onError, get: (key) => this.#get(key),
            onSystem: (system) => {
                const field = this.#at('setting-system', HTMLTextAreaElement);
                field.value = system;
                field.dispatchEvent(new Event('input'));
            },
            onSettings: (values, name) => {
                for (const one of SETTINGS) if (one.key in values) this.#set(one, values[one.key]);
                this.#draw();
                this.#at('preset').focus();
                announce(this.#root, text('preset.applied', {name}));
            }});
        const place = element('div');
        later(() => import('./settings_library.js')).then((libraries) => {
            this.#libraries = libraries;
            place.replaceWith(this.#library(kind));
        }).catch(onError);
        return place;
    }

    /** What a full context of the loaded model takes, below the field that says how long it is. */
    #showCost() {
        if (!this.#loaded) return;
        const note = element('p', {className: 'soft', id: 'context-cost'});
        this.#at('setting-contextLength').parentElement?.append(note);
        const show = async () => {
            const {contextLength, kvType} = this.group('loading'),
                cost = await this.#options.cost({contextLength, kvType}).catch((error) => ({error}));
            if (!cost || !note.isConnected) return;
            note.textContent = 'error' in cost ? cost.error.message
                : [text('setting.context-cost', {memory: bytes(cost.bytes)}), ...cost.reasons].join(' ');
        };
        const later = calmly(show);
        for (const id of ['setting-contextLength', 'setting-kvType'])
            this.#at(id).addEventListener('input', later);
        show();
    }

    #offerReload() {
        this.#at('settings-reload').hidden = !this.#loaded
            || JSON.stringify(this.group('loading')) === this.#loadingBefore;
    }
}
