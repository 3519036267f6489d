// A person's data: taken along, brought here, written into a folder as it changes, and deleted. Fetched when
// it is opened.
//
// Owns: the dialog's elements. Must not know: formats of files.

import {button, openDialog} from './dialog.js';
import {element, within} from './dom.js';
import {bytes} from './format.js';
import {saveFile} from './files.js';
import {messageOf} from '../../base/error.js';
import {forgetShared} from '../sharing.js';
import {text} from '../texts.js';
import {canBackUp} from '../data/backup.js';
import {forgetAll} from '../data/local.js';
import {exportAll, importFile, toMarkdown} from '../data/transfer.js';
import {pathTo} from '../data/tree.js';

/**
 * @typedef {import('../data/conversations.js').Conversations} Conversations
 *
 * @typedef {object} TransferParts
 * @property {Conversations} store
 * @property {import('../data/backup.js').Backup} backup
 * @property {import('../data/transfer.js').Names} names
 * @property {(show: () => void) => () => void} onBackup   its state has changed; returns what ends listening
 */

/** @param {TransferParts} parts */
export function openTransfer({store, backup, names, onBackup}) {
    const outcome = element('p', {className: 'transfer-outcome', role: 'status'}),
        used = element('p', {className: 'soft'});
    const section = (/** @type {string} */ key, /** @type {(Node | string)[]} */ ...children) =>
        element('section', {}, element('h3', {textContent: text(`data.${key}`)}),
            element('p', {className: 'soft', textContent: text(`data.${key}-hint`)}), ...children);
    /** Says what is done, and what came of it. @param {() => Promise<string>} work */
    const run = async (work) => {
        outcome.textContent = text('data.working');
        outcome.textContent = await work().catch((error) => messageOf(error));
        showUse();
    };
    const showUse = async () => {
        const {usage} = await navigator.storage?.estimate?.().catch(() => undefined) ?? {},
            count = store.list().length;
        used.textContent = [text('data.count', {count}), usage ? text('data.used', {used: bytes(usage)})
            : ''].filter(Boolean).join(' ');
    };
    const day = new Date().toISOString().slice(0, 10);
    const file = element('input', {type: 'file', accept: '.json,.jsonl,.zip', hidden: true, id: 'import-file',
        onchange: () => {
        const [chosen] = file.files ?? [];
        if (chosen) run(() => bring(store, chosen));
        file.value = '';
    }});
    const dialog = openDialog(text('data.title'), 'data', used, outcome,
        section('export', element('div', {className: 'actions'},
            button('data.export-json',
                () => run(async () => save(await exportAll(store), `gemma-${day}.json`))),
            button('data.export-markdown',
                () => run(async () => save(await allMarkdown(store, names), `gemma-${day}.md`))))),
        section('import', file, button('data.import-file', () => file.click())),
        section('backup', backupOf(backup, onBackup)),
        section('delete', deletion(store, outcome)));
    dialog.id = 'data';
    showUse();
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
    saveFile(blob, name);
    return text('data.exported', {name, size: bytes(blob.size)});
}

/** @param {Conversations} store @param {File} file */
async function bring(store, file) {
    const {conversations, messages, presets, skipped} = await importFile(store, file);
    return [text('data.imported', {count: conversations, messages}), presets ? text('data.imported-presets',
        {count: presets}) : '',
        skipped.length ? text('data.skipped', {count: skipped.length, first: skipped[0]})
            : ''].filter(Boolean).join(' ');
}

/** @param {Conversations} store @param {TransferParts['names']} names */
async function allMarkdown(store, names) {
    const parts = [];
    for (const summary of store.list()) {
        const content = summary.kind === 'document'
            ? `# ${summary.title}\n\n${await store.readText(summary.id)}\n`
            : toMarkdown(summary, pathTo(await store.read(summary.id), summary.leaf), names);
        parts.push(parts.length ? '\n---\n\n' : '', content);
    }
    return new Blob(parts, {type: 'text/markdown'});
}

/** @param {import('../data/backup.js').Backup} backup @param {TransferParts['onBackup']} listen */
function backupOf(backup, listen) {
    if (!canBackUp()) return element('p', {textContent: text('backup.cannot')});
    const state = element('p', {role: 'status'}), actions = element('div', {className: 'actions'});
    const run = (/** @type {Promise<void>} */ work) => void work.catch((error) => {
        if (error.name !== 'AbortError') state.textContent = messageOf(error);
    });
    const show = () => {
        const {state: name, folder = '', problem = ''} = backup.state;
        state.textContent = text(`backup.${name}`, {folder, problem});
        actions.replaceChildren(
            ...name === 'no-permission' ? [button('backup.allow', () => run(backup.allow()))] : [],
            ...name === 'off' ? [button('backup.choose', () => run(backup.choose()))]
                : [button('backup.forget', () => run(backup.forget()))]);
    };
    const end = listen(() => state.isConnected ? show() : end());
    show();
    return element('div', {}, state, actions);
}

/** Asked twice, and then nothing comes back. @param {Conversations} store @param {HTMLElement} outcome */
function deletion(store, outcome) {
    const first = button('data.delete-all', () => {
        first.replaceWith(second);
        second.querySelector('button')?.focus();
    });
    const second = element('div', {role: 'group', className: 'notice error'},
        element('p', {textContent: text('data.delete-sure')}),
        element('div', {className: 'actions'}, button('action.cancel', () => {
            second.replaceWith(first);
            first.focus();
        }), button('data.delete-now', () => confirm(text('data.delete-last'))
            && deleteAll(store).catch((error) => { outcome.textContent = messageOf(error); }))));
    second.setAttribute('aria-label', text('data.delete'));
    return first;
}

/**
 * Conversations, texts, presets and settings; models have a list of their own.
 * @param {Conversations} store
 */
async function deleteAll(store) {
    await store.delete(store.list().map(({id}) => id));         // other tabs hear of it
    store.close();
    await new Promise((done) => {
        const request = indexedDB.deleteDatabase(store.name);
        request.onsuccess = request.onerror = request.onblocked = done;
    });
    await forgetShared();
    forgetAll();
    within(document)('message', HTMLTextAreaElement).value = '';        // a browser may keep the words
    location.href = location.pathname;
}
