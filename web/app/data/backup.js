// A folder of a person's choice in which each conversation lies as JSON, as it is exported, and as Markdown,
// written a few seconds after it has changed. What was deleted in the app stays there. Owns the folder's
// handle and which state of which conversation lies in it. Only browsers that let pages write into folders.
// All tabs share the folder: each looks which one it is now before it writes.
//
// kept:  backup      its handle
//        backup/     its mark: which choice of a folder it is
//        backup/ID   {name, stamp, mark}: what lies in it of a conversation

import {messageOf} from '../../base/error.js';
import {newId} from './ids.js';
import {exportOne, toJson, toMarkdown} from './transfer.js';
import {pathTo} from './tree.js';

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {import('./types.js').Summary} Summary
 *
 * @typedef {object} State
 * @property {'off' | 'on' | 'writing' | 'no-permission' | 'failed'} state   'no-permission': allow() asks for
 *     it again, from a click
 * @property {string} [folder]   its name
 * @property {string} [problem]  what the browser said
 *
 * @typedef {FileSystemDirectoryHandle & Record<'queryPermission' | 'requestPermission', (how: {mode:
 *     'readwrite'}) => Promise<PermissionState>>} Folder
 */

const PAUSE_MS = 3000;
const KEY = 'backup';
const LONGEST_NAME = 60;
/** @type {{mode: 'readwrite'}} */
const WRITE = {mode: 'readwrite'};

/** Whether this browser lets a page write into a folder. */
export const canBackUp = () => 'showDirectoryPicker' in globalThis;

/**
 * Of its files, without ending: what every system takes, and no two conversations share.
 * @param {Summary} summary
 */
function nameOf({id, title}) {
    // eslint-disable-next-line no-control-regex
    const shown = title.replace(/[\0-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, ' ')
        .replace(/\s+/g, ' ').trim().slice(0, LONGEST_NAME).toWellFormed();
    return `${shown.replace(/[. ]+$/, '')} ${id.replace(/[^\w-]/g, '').slice(-60)}`.trim();
}

/** File systems that take letters of either case for the same. @param {string} name */
const asFile = (name) => name.normalize('NFC').toLowerCase();

export class Backup {
    #store;
    #pause;
    #onState;
    #names;
    /** @type {Folder | undefined} */
    #folder;
    /** Of this folder. @type {string | undefined} */
    #mark;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;
    #ignore;
    /** Whose content has changed. @type {Set<string>} */
    #changed = new Set();
    /** @type {Promise<void>} */
    #last = Promise.resolve();
    /** @type {State} */
    state = {state: 'off'};

    /**
     * @param {Conversations} store
     * @param {{onState?: (state: State) => void, names?: import('./transfer.js').Names, pause?:
     *     number}} [options]
     */
    constructor(store, {onState = () => {}, names, pause = PAUSE_MS} = {}) {
        this.#store = store;
        this.#onState = onState;
        this.#names = names;
        this.#pause = pause;
        this.#ignore = store.listen((change) => {
            if (change.kind === 'conversation') this.#changed.add(change.id);
            this.#schedule();
        });
    }

    /** Continues with the folder that was chosen before, perhaps in another tab. */
    async begin() {
        const {folder} = await this.#look(), {state, folder: said} = this.state;
        if (!folder && state !== 'off') this.#say('off');
        if (!folder) return;
        if (await folder.queryPermission(WRITE).catch(() => 'denied') === 'granted') await this.#write();
        else if (state !== 'no-permission' || said !== folder.name) this.#say('no-permission');
    }

    /** Lets a person choose a folder, in which all conversations are written; from a click. */
    async choose() {
        /** @type {Folder} */
        const folder = await /** @type {any} */ (globalThis)
            .showDirectoryPicker({id: 'conversations', ...WRITE});
        await this.#store.database.change(['kept'], async ({kept}) => {
            kept.put(KEY, folder);
            kept.deleteBelow(KEY);
            kept.put(`${KEY}/`, newId());
        });
        await this.#write();
    }

    /** Asks for the permission again; from a click. */
    async allow() {
        const {folder} = await this.#look();
        if (!folder) this.#say('off');
        else if (await folder.requestPermission(WRITE) === 'granted') await this.#write();
    }

    /** Writes no more; what was written stays. */
    async forget() {
        clearTimeout(this.#timer);
        await this.#store.database.change(['kept'], async ({kept}) => {
            kept.delete(KEY);
            kept.deleteBelow(KEY);
        });
        this.#folder = undefined;
        this.#say('off');
    }

    /** What is being written is written; nothing is said any more. */
    close() {
        this.#ignore();
        this.#onState = () => {};
        clearTimeout(this.#timer);
    }

    /** @param {State['state']} state @param {unknown} [error] */
    #say(state, error) {
        this.state = {state, ...this.#folder && {folder: this.#folder.name}, ...error !== undefined
            && {problem: messageOf(error)}};
        this.#onState(this.state);
    }

    #schedule() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
            const {state} = this.state;
            // Another tab may have chosen a folder, or got the permission.
            if (state === 'off' || state === 'no-permission') this.begin().catch(() => {});
            else void this.#write();
        }, this.#pause);
    }

    /**
     * The folder that is chosen now, and what lies in it of a conversation. The handle stays the one that
     * this tab has, and so its permission, until another choice is made.
     * @param {string} [id]
     */
    async #look(id = '') {
        const [folder, mark, before] = await this.#store.database.read(['kept'], ({kept}) =>
            Promise.all([KEY, `${KEY}/`, `${KEY}/${id}`].map((key) => kept.get(key))));
        if (!folder || !this.#folder || mark !== this.#mark) this.#folder = folder;
        this.#mark = mark;
        return {folder: this.#folder, mark, before: before?.mark === mark ? before : undefined};
    }

    /** One after the other, also among tabs: the second finds that all is written. */
    #write() {
        return this.#last = this.#last.then(async () => {
            try {
                const {locks} = navigator;
                if (locks) await locks.request(`${this.#store.name} backup`, () => this.#writeAll());
                else await this.#writeAll();
                this.#say(this.#folder ? 'on' : 'off');
            } catch (error) {
                this.#say(/** @type {Error} */ (error).name === 'NotAllowedError' ? 'no-permission'
                    : 'failed', error);
            }
        });
    }

    async #writeAll() {
        const {database} = this.#store, changed = this.#changed;
        if (!(await this.#look()).folder) return;
        this.#say('writing');
        this.#changed = new Set();
        /** @type {unknown} */
        let failure;
        for (const summary of this.#store.list()) {
            try {
                const key = `${KEY}/${summary.id}`, stamp = JSON.stringify(summary),
                    {folder, mark, before} = await this.#look(summary.id);
                if (!folder) return;
                if (before?.stamp === stamp && !changed.has(summary.id)) continue;
                const name = await this.#writeOne(folder, summary);
                if (before && asFile(before.name) !== asFile(name)) for (const end of ['json', 'md'])
                    await folder.removeEntry(`${before.name}.${end}`).catch(() => {});
                await database.change(['kept'], async ({kept}) => kept.put(key, {name, stamp, mark}));
                changed.delete(summary.id);
            } catch (error) {
                // Another program may hold one file: the others are written all the same.
                failure ??= error;
                if (/** @type {Error} */ (error).name === 'NotAllowedError') break;
            }
        }
        if (!failure) return;
        for (const id of changed) this.#changed.add(id);
        throw failure;
    }

    /** @param {Folder} folder @param {Summary} summary @returns {Promise<string>} the files' name */
    async #writeOne(folder, summary) {
        const whole = await exportOne(this.#store, summary), name = nameOf(summary);
        const text = whole.text === undefined ? toMarkdown(summary, pathTo(whole.messages, summary.leaf),
            this.#names) : `# ${summary.title}\n\n${whole.text}\n`;
        for (const [end, content] of [['json', toJson([whole])], ['md', text]]) {
            const file = await (await folder.getFileHandle(`${name}.${end}`, {create: true}))
                .createWritable();
            await file.write(content);
            await file.close();
        }
        return name;
    }
}
