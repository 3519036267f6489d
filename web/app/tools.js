// What few people open, fetched then: a person's data, and the blind comparison.
//
// Owns: how these are wired. Must not know: which screen shows.

import {Gemma} from '../gemma.js';
import {toAsking} from './asking.js';
import {Backup} from './data/backup.js';
import {BUILT_IN} from './data/preferences.js';
import {listPresets} from './data/presets.js';
import {toMarkdown} from './data/transfer.js';
import {pathTo} from './data/tree.js';
import {text} from './texts.js';
import {Compare} from './views/compare.js';
import {saveFile} from './views/files.js';
import {openTransfer} from './views/transfer.js';

/**
 * @typedef {import('./data/conversations.js').Conversations} Conversations
 * @typedef {import('./compare.js').Side} Side
 *
 * @typedef {object} ToolsParts
 * @property {Conversations} store
 * @property {import('./engine.js').Engine} engine
 * @property {import('./views/welcome.js').Welcome} welcome
 * @property {(stored: import('../weights/store/store.js').Stored) => Promise<void>} switchTo   loads a model
 *     in place of the present one
 * @property {() => void} onSwitch   before that
 * @property {() => import('./data/preferences.js').Preferences} preferences
 * @property {(sentence: string, action?: {label: string, onPress: () => void}) => void} onNotice
 * @property {(error: Error) => void} onError
 */

const OWN_PROMPTS = 10, OWN_CONVERSATIONS = 30, KEPT = 'compare';

/** As Markdown names them. */
const speakers = () => ({system: text('speaker.system'), user: text('chat.you'), assistant: 'Gemma',
    tool: text('speaker.tool')});

export class Tools {
    #parts;
    #backup;
    /** @type {Set<() => void>} */
    #listening = new Set();

    /** @param {ToolsParts} parts */
    constructor(parts) {
        const {store, onNotice, onError} = this.#parts = parts;
        this.#backup = new Backup(store, {names: speakers(), onState: ({state, folder = ''}) => {
            for (const listener of this.#listening) listener();
            if (state !== 'no-permission') return;
            onNotice(text('backup.no-permission', {folder}),
                {label: text('backup.allow'), onPress: () => void this.#backup.allow().catch(onError)});
        }});
        this.#backup.begin().catch(onError);
    }

    openData() {
        openTransfer({store: this.#parts.store, backup: this.#backup, names: speakers(),
            onBackup: (listener) => {
            this.#listening.add(listener);
            return () => this.#listening.delete(listener);
        }});
    }

    async openCompare() {
        const {store, preferences, onNotice} = this.#parts, {database} = store;
        if (!(await this.#models()).length) return onNotice(text('models.choose-first'));
        new Compare({
            preferences, models: () => this.#models(), ownPrompts: () => this.#ownPrompts(),
            presets: async () => [...BUILT_IN.map(([name, settings]) => ({name: text(`preset.${name}`),
                settings})), ...await listPresets(store)],
            ask: (side, prompt, about) => this.#ask(side, prompt, about),
            kept: {
                list: () => database.read(['kept'], async ({kept}) => (await kept.all(KEPT))
                    .sort((a, b) => b.created - a.created)),
                put: (one) => database.change(['kept'], async ({kept}) => kept.put(`${KEPT}/${one.id}`,
                    structuredClone(one))),
                delete: (id) => database.change(['kept'], async ({kept}) => kept.delete(`${KEPT}/${id}`)),
            },
        });
    }

    /** As Markdown. @param {string} id */
    async exportOne(id) {
        const {store} = this.#parts, summary = store.list().find((one) => one.id === id);
        if (!summary) return;
        const path = async () => toMarkdown(summary, pathTo(await store.read(id), summary.leaf), speakers());
        const content = summary.kind === 'document' ? await store.readText(id) : await path();
        saveFile(new Blob([content], {type: 'text/markdown'}), `${summary.title || text('tabs.chat')}.md`);
    }

    /** A model that is not stored has its name for an id. */
    get #loaded() {
        const {gemma, model: {id, name}} = this.#parts.engine;
        return gemma && {id: id || `file:${name}`, name};
    }

    /** The loaded one first. */
    async #models() {
        const {welcome} = this.#parts, loaded = this.#loaded,
            stored = (await Gemma.models.list()).filter(({state, id}) => state === 'complete'
                && id !== loaded?.id);
        return [...loaded ? [loaded] : [],
            ...stored.map((one) => ({id: one.id, name: welcome.titleOf(one)}))];
    }

    /** What a person asked last, of one line. */
    async #ownPrompts() {
        const {store} = this.#parts;
        /** @type {Set<string>} */
        const found = new Set();
        for (const {id, kind} of store.list().slice(0, OWN_CONVERSATIONS)) {
            if (kind !== 'chat' || found.size >= OWN_PROMPTS) continue;
            for (const {role, content} of await store.read(id))
                if (role === 'user' && content.trim() && !content.trim().includes('\n'))
                found.add(content.trim());
        }
        return [...found].slice(0, OWN_PROMPTS);
    }

    /**
     * An answer to one prompt, by a model that is loaded where it is not.
     * @param {Side} side
     * @param {string} prompt
     * @param {{signal: AbortSignal, onLoading: (name: string) => void}} about
     */
    async #ask({model, settings}, prompt, {signal, onLoading}) {
        const {engine, welcome, switchTo, onSwitch} = this.#parts;
        if (this.#loaded?.id !== model) {
            const stored = (await Gemma.models.list()).find(({id, state}) => id === model
                && state === 'complete'), cancel = () => engine.cancel();
            if (stored) {
                onLoading(welcome.titleOf(stored));
                signal.addEventListener('abort', cancel);
                onSwitch();
                await switchTo(stored);
                signal.removeEventListener('abort', cancel);
            }
        }
        const {gemma} = engine, {system, options} = toAsking(settings);
        if (!gemma || this.#loaded?.id !== model) throw new Error(text('compare.unavailable'));
        const session = await gemma.session(system ? {system} : {});
        try {
            return (await session.prompt(prompt, {...options, signal}).result).text;
        } finally {
            await session.close();
        }
    }
}
