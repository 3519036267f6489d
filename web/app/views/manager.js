// The models that are on this device: what they are, when they were used, and what can be done with them.

import {Gemma} from '../../gemma.js';
import {bytes, count, percent} from './format.js';
import {announce, byId, element} from './dom.js';
import {wasCancelled} from './errors.js';

/** @typedef {import('../../weights/store/store.js').Stored} Stored */

/**
 * @param {object} options
 * @param {(model: Stored) => void} options.onStart
 * @param {(model: Stored) => void} options.onReplace   downloads what the model's address has now
 * @param {(model: Stored) => string} options.titleOf   its name for people
 * @param {(error: Error) => void} options.onError
 * @param {(sentence: string) => void} options.onNotice
 * @param {() => Promise<void>} options.onChange   something was deleted or repaired
 * @returns {{show: (stored: Stored[]) => void, stop: () => void}}
 */
export function createManager({onStart, onReplace, titleOf, onError, onNotice, onChange}) {
    /** Ends what is being done. @type {AbortController | undefined} */
    let working;

    byId('delete-all').onclick = async () => {
        if (!confirm('Delete all models from this device? Those that came from the network can be downloaded again.')) return;
        try {
            const left = await Gemma.models.deleteAll();
            if (left.length) onNotice(`In use, and therefore still here: ${left.join(', ')}. Close the other tabs first.`);
        } catch (error) {
            onError(error);
        }
        await onChange();
    };

    /** @param {Stored} model */
    function row(model) {
        const {id, state} = model, name = titleOf(model);
        const line = element('p', {className: 'soft', textContent: summary(model)});
        const actions = element('div', {className: 'actions'}), buttons = [];
        let replaceable = false;
        const button = (label, what, onclick) => {
            const made = element('button', {type: 'button', className: 'quiet', textContent: label, onclick});
            made.setAttribute('aria-label', `${what}: ${name}`);
            return made;
        };

        /** Runs what takes a while: its progress is told in the row, with a button that ends it. */
        async function work(doing, task) {
            working?.abort();
            const {signal} = working = new AbortController();
            const cancel = button('Cancel', `Cancel ${doing.toLowerCase()}`, () => working?.abort());
            actions.replaceChildren(cancel);
            cancel.focus();
            line.textContent = `${doing}…`;
            try {
                const said = await task({signal, onProgress: ({bytes: done, total, waiting}) => {
                    line.textContent = waiting ?? `${doing}… ${percent(done / total)}`;
                }});
                line.textContent = said;
                announce(`${name}: ${said}`);
            } catch (error) {
                line.textContent = summary(model);
                if (!wasCancelled(error) && !signal.aborted) onError(error);
            }
            actions.replaceChildren(...buttons);
            actions.firstElementChild?.focus();
        }

        const check = () => work('Checking', async (watched) => {
            const {chunks, missing, damaged} = await Gemma.models.verify(id, watched);
            const good = chunks - missing.length - damaged.length;
            if (damaged.length) {
                await onChange();
                return `${damaged.length} of ${count(chunks, 'piece')} are damaged.`;
            }
            if (missing.length) return `The ${count(good, 'piece')} of ${chunks} that are here are as they came.`;
            const said = `All ${count(chunks, 'piece')} are as they came.`;
            if (!/^https?:/.test(id)) return said;
            // Without the network nothing is said of the address, and nothing is wrong.
            const {same} = await Gemma.models.compare(id, {signal: watched.signal}).catch(() => ({}));
            if (same) return `${said} Its address has the same file.`;
            if (same === undefined) return said;
            if (!replaceable) buttons.push(button('Replace', 'Download what its address has now, in the place of', () => onReplace(model)));
            replaceable = true;
            return `${said} Its address has another file now.`;
        });
        const repair = () => work('Repairing', async (watched) => {
            await Gemma.models.repair(id, watched);
            await onChange();
            return 'Repaired.';
        });
        const remove = async () => {
            if (!confirm(`Delete ${name} from this device?`)) return;
            await Gemma.models.delete(id).catch(onError);
            await onChange();
        };

        if (state !== 'damaged') buttons.push(button(state === 'partial' ? 'Continue' : 'Start', state === 'partial' ? 'Continue the download' : 'Start', () => onStart(model)));
        buttons.push(state === 'damaged' ? button('Repair', 'Repair', repair) : button('Check', 'Check what is stored', check));
        if (state === 'complete') buttons.push(button('Export', 'Export to a file', () => exportModel(model, work, onError)));
        buttons.push(button('Delete', 'Delete from this device', remove));
        actions.append(...buttons);
        return element('li', {}, element('div', {}, element('strong', {textContent: name}), line), actions);
    }

    return {
        stop: () => working?.abort(),
        show(stored) {
            const focused = byId('stored').contains(document.activeElement);
            byId('stored').hidden = stored.length === 0;
            byId('delete-all').hidden = stored.length < 2;
            byId('stored-list').replaceChildren(...stored.map(row));
            if (focused) byId(stored.length ? 'stored-title' : 'welcome-title').focus();
        },
    };
}

/** @param {Stored} model */
function summary({id, size, storedBytes, state, lastUsed}) {
    const amount = state === 'partial' ? `${bytes(storedBytes)} of ${bytes(size)} on this device` : `${bytes(size)} on this device`;
    const origin = /^https?:/.test(id) ? `from ${new URL(id).host}` : 'from a file';
    return [amount, ...state === 'damaged' ? ['damaged'] : [], origin, used(lastUsed)].join(' · ');
}

/** @param {number} at   milliseconds since 1970 */
function used(at) {
    const day = new Date(at).toDateString(), ago = (days) => new Date(Date.now() - days * 864e5).toDateString();
    if (day === ago(0)) return 'used today';
    if (day === ago(1)) return 'used yesterday';
    return `used ${new Date(at).toLocaleDateString('en', {day: 'numeric', month: 'short', year: 'numeric'})}`;
}

/** The model and its digests, by which an import is checked: into a folder where the browser can ask for one, else as two downloads. */
async function exportModel({id, fileName: name}, work, onError) {
    const digests = `${name}.json`;
    if (!globalThis.showDirectoryPicker) {
        await work('Exporting', async (watched) => {
            const file = await Gemma.models.export(id, watched);
            download(file, name);
            download(new Blob([JSON.stringify(await Gemma.models.manifest(id))], {type: 'application/json'}), digests);
            return `Saved as ${name}, with its digests beside it.`;
        });
        return;
    }
    let folder;
    try {
        folder = await showDirectoryPicker({id: 'gemma-export', mode: 'readwrite'});
    } catch (error) {
        if (!wasCancelled(error)) onError(error);
        return;
    }
    await work('Exporting', async (watched) => {
        const there = await folder.getFileHandle(name).then(() => true, () => false);
        if (there && !confirm(`There is a ${name} in ${folder.name}. Replace it?`)) return 'Not exported.';
        const writable = async (file) => (await folder.getFileHandle(file, {create: true})).createWritable();
        await Gemma.models.export(id, {...watched, writable: await writable(name)});
        const json = await writable(digests);
        await json.write(JSON.stringify(await Gemma.models.manifest(id)));
        await json.close();
        return `Saved in ${folder.name}, with its digests beside it.`;
    });
}

function download(blob, name) {
    const href = URL.createObjectURL(blob);
    element('a', {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
