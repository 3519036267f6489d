// The models that are on this device: what they are, when they were used, and what can be done with them.

import {Gemma} from '../../gemma.js';
import {bytes, count, percent} from './format.js';
import {announce, element, within} from './dom.js';
import {wasCancelled} from './errors.js';

/**
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {{signal: AbortSignal, onProgress: (progress: {bytes: number, total: number, waiting?: string}) => void}} Watched
 *
 * @typedef {object} ManagerOptions
 * @property {(model: Stored) => void} onStart
 * @property {(model: Stored) => void} onReplace   downloads what the model's address has now
 * @property {(model: Stored) => string} titleOf   its name for people
 * @property {(error: Error) => void} onError
 * @property {(sentence: string) => void} onNotice
 * @property {() => Promise<unknown>} onChange   something was deleted or repaired
 */

export class Manager {
    #root;
    #at;
    #options;
    /** Ends what is being done. @type {AbortController | undefined} */
    #working;

    /** @param {ParentNode} root @param {ManagerOptions} options */
    constructor(root, options) {
        this.#root = root;
        this.#at = within(root);
        this.#options = options;
        this.#at('delete-all').onclick = () => this.#deleteAll();
    }

    /** Ends what is being done. */
    stop() {
        this.#working?.abort();
    }

    /** @param {Stored[]} stored */
    show(stored) {
        const at = this.#at, place = at('stored'), {activeElement} = /** @type {Document | ShadowRoot} */ (place.getRootNode());
        const focused = place.contains(activeElement);
        place.hidden = stored.length === 0;
        at('delete-all').hidden = stored.length < 2;
        at('stored-list').replaceChildren(...stored.map((model) => new Row(model, this.#options, {
            announce: (text) => announce(this.#root, text),
            begin: () => {
                this.stop();
                return this.#working = new AbortController();
            },
        }).element));
        if (focused) at(stored.length ? 'stored-title' : 'welcome-title').focus();
    }

    async #deleteAll() {
        const {onError, onNotice, onChange} = this.#options;
        if (!confirm('Delete all models from this device? Those that came from the network can be downloaded again.')) return;
        try {
            const left = await Gemma.models.deleteAll();
            if (left.length) onNotice(`In use, and therefore still here: ${left.join(', ')}. Close the other tabs first.`);
        } catch (error) {
            onError(/** @type {Error} */ (error));
        }
        await onChange();
    }
}

/** One model, and what can be done with it. */
class Row {
    #model;
    #name;
    #options;
    #shared;
    #line;
    #actions = element('div', {className: 'actions'});
    /** @type {HTMLButtonElement[]} */
    #buttons = [];
    #replaceable = false;

    /**
     * @param {Stored} model
     * @param {ManagerOptions} options
     * @param {{announce: (text: string) => void, begin: () => AbortController}} shared   begin: ends what another row does
     */
    constructor(model, options, shared) {
        this.#model = model;
        this.#name = options.titleOf(model);
        this.#options = options;
        this.#shared = shared;
        this.#line = element('p', {className: 'soft', textContent: summary(model)});
        const {state} = model, isPartial = state === 'partial', isDamaged = state === 'damaged';
        const start = () => options.onStart(model);
        if (isPartial) this.#add('Continue', 'Continue the download', start);
        else if (!isDamaged) this.#add('Start', 'Start', start);
        if (isDamaged) this.#add('Repair', 'Repair', () => this.#repair());
        else this.#add('Check', 'Check what is stored', () => this.#check());
        if (state === 'complete') this.#add('Export', 'Export to a file', () => this.#export());
        this.#add('Delete', 'Delete from this device', () => this.#delete());
        this.#actions.append(...this.#buttons);
        this.element = element('li', {},
            element('div', {}, element('strong', {textContent: this.#name}), this.#line), this.#actions);
    }

    /** @param {string} label @param {string} what   it does, for a screen reader @param {() => void} onclick */
    #button(label, what, onclick) {
        const made = element('button', {type: 'button', className: 'quiet', textContent: label, onclick});
        made.setAttribute('aria-label', `${what}: ${this.#name}`);
        return made;
    }

    /** @type {(label: string, what: string, onclick: () => void) => void} */
    #add(...args) {
        this.#buttons.push(this.#button(...args));
    }

    /**
     * Runs what takes a while. The row shows its progress, with a button that ends it.
     * @param {string} doing
     * @param {(watched: Watched) => Promise<string>} task   what came of it, in a sentence
     */
    async #work(doing, task) {
        const working = this.#shared.begin(), {signal} = working, line = this.#line;
        const cancel = this.#button('Cancel', `Cancel ${doing.toLowerCase()}`, () => working.abort());
        this.#actions.replaceChildren(cancel);
        cancel.focus();
        line.textContent = `${doing}…`;
        try {
            const said = await task({signal, onProgress: ({bytes: done, total, waiting}) => {
                line.textContent = waiting ?? `${doing}… ${percent(done / total)}`;
            }});
            line.textContent = said;
            this.#shared.announce(`${this.#name}: ${said}`);
        } catch (error) {
            line.textContent = summary(this.#model);
            if (!wasCancelled(error) && !signal.aborted) this.#options.onError(/** @type {Error} */ (error));
        }
        this.#actions.replaceChildren(...this.#buttons);
        this.#buttons[0].focus();
    }

    #check() {
        return this.#work('Checking', async (watched) => {
            const {chunks, missing, damaged} = await Gemma.models.verify(this.#model.id, watched);
            const good = chunks - missing.length - damaged.length;
            if (damaged.length) {
                await this.#options.onChange();
                return `${damaged.length} of ${count(chunks, 'piece')} are damaged.`;
            }
            if (missing.length) return `The ${count(good, 'piece')} of ${chunks} that are here are as they came.`;
            return `All ${count(chunks, 'piece')} are as they came.${await this.#compare(watched.signal)}`;
        });
    }

    /**
     * Whether the model's address still has it, as another sentence. Without the network nothing is said, and nothing is wrong.
     * @param {AbortSignal} signal
     */
    async #compare(signal) {
        const {id} = this.#model;
        if (!/^https?:/.test(id)) return '';
        const compared = await Gemma.models.compare(id, {signal}).catch(() => undefined);
        if (!compared) return '';
        if (compared.same) return ' Its address has the same file.';
        const replace = () => this.#options.onReplace(this.#model);
        if (!this.#replaceable) this.#add('Replace', 'Download what its address has now, in the place of', replace);
        this.#replaceable = true;
        return ' Its address has another file now.';
    }

    #repair() {
        return this.#work('Repairing', async (watched) => {
            await Gemma.models.repair(this.#model.id, watched);
            await this.#options.onChange();
            return 'Repaired.';
        });
    }

    async #delete() {
        const {onError, onChange} = this.#options;
        if (!confirm(`Delete ${this.#name} from this device?`)) return;
        await Gemma.models.delete(this.#model.id).catch(onError);
        await onChange();
    }

    /**
     * The model and its digests, by which an import is checked: into a folder where the browser can ask for one, else as
     * two downloads.
     */
    async #export() {
        const {id, fileName: name} = this.#model, digests = `${name}.json`;
        const {showDirectoryPicker} = /** @type {any} */ (globalThis);
        if (!showDirectoryPicker) {
            await this.#work('Exporting', async (watched) => {
                const file = await Gemma.models.export(id, watched);
                if (file) download(file, name);
                download(new Blob([JSON.stringify(await Gemma.models.manifest(id))], {type: 'application/json'}), digests);
                return `Saved as ${name}, with its digests beside it.`;
            });
            return;
        }
        /** @type {FileSystemDirectoryHandle} */
        let folder;
        try {
            folder = await showDirectoryPicker({id: 'gemma-export', mode: 'readwrite'});
        } catch (error) {
            if (!wasCancelled(error)) this.#options.onError(/** @type {Error} */ (error));
            return;
        }
        await this.#work('Exporting', async (watched) => {
            const there = await folder.getFileHandle(name).then(() => true, () => false);
            if (there && !confirm(`There is a ${name} in ${folder.name}. Replace it?`)) return 'Not exported.';
            const writable = async (/** @type {string} */ file) => (await folder.getFileHandle(file, {create: true})).createWritable();
            await Gemma.models.export(id, {...watched, writable: await writable(name)});
            const json = await writable(digests);
            await json.write(JSON.stringify(await Gemma.models.manifest(id)));
            await json.close();
            return `Saved in ${folder.name}, with its digests beside it.`;
        });
    }
}

/** @param {Stored} model */
function summary({id, size, storedBytes, state, lastUsed}) {
    const amount = state === 'partial' ? `${bytes(storedBytes)} of ${bytes(size)} on this device` : `${bytes(size)} on this device`;
    const origin = /^https?:/.test(id) ? `from ${new URL(id).host}` : 'from a file';
    return [amount, ...state === 'damaged' ? ['damaged'] : [], origin, used(lastUsed)].join(' · ');
}

/** @param {number} at   milliseconds since 1970 */
function used(at) {
    const day = new Date(at).toDateString();
    const ago = (/** @type {number} */ days) => new Date(Date.now() - days * 864e5).toDateString();
    if (day === ago(0)) return 'used today';
    if (day === ago(1)) return 'used yesterday';
    return `used ${new Date(at).toLocaleDateString('en', {day: 'numeric', month: 'short', year: 'numeric'})}`;
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
    const href = URL.createObjectURL(blob);
    element('a', {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
