// The models that are on this device: what they are, when they were used, and what can be done with them.

import {Gemma} from '../../gemma.js';
import {text} from '../texts.js';
import {bytes, date, list, percent} from './format.js';
import {announce, element, within} from './dom.js';
import {wasCancelled} from './errors.js';

/**
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {{signal: AbortSignal, onProgress: (progress: {bytes: number, total: number, waiting?: string}) =>
 *     void}} Watched
 *
 * @typedef {object} ManagerOptions
 * @property {(model: Stored) => void} onStart
 * @property {(model: Stored) => void} onReplace   downloads what the model's address has now
 * @property {(model: Stored) => string} titleOf   its name for people
 * @property {(model: Stored) => boolean} isOffered   a card above starts it
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
    /** What the rows say. */
    #shown = '';

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

    /** Rows of which nothing has changed stay, with what is being done in them. @param {Stored[]} stored */
    show(stored) {
        const all = JSON.stringify(stored.map((model) => [model, this.#options.titleOf(model),
            this.#options.isOffered(model)]));
        if (all === this.#shown) return;
        this.#shown = all;
        const at = this.#at, place = at('stored'),
            {activeElement} = /** @type {Document | ShadowRoot} */ (place.getRootNode());
        const focused = place.contains(activeElement);
        place.hidden = stored.length === 0;
        at('delete-all').hidden = stored.length < 2;
        at('stored-list').replaceChildren(...stored.map((model) => new Row(model, this.#options, {
            announce: (said) => announce(this.#root, said),
            begin: () => {
                this.stop();
                return this.#working = new AbortController();
            },
        }).element));
        if (focused) at(stored.length ? 'stored-title' : 'welcome-title').focus();
    }

    async #deleteAll() {
        const {onError, onNotice, onChange} = this.#options;
        if (!confirm(text('stored.confirm-all'))) return;
        try {
            const left = await Gemma.models.deleteAll();
            if (left.length) onNotice(text('stored.in-use', {list: list(left)}));
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
     * @param {{announce: (said: string) => void, begin: () => AbortController}} shared   begin: ends what
     *     another row does
     */
    constructor(model, options, shared) {
        this.#model = model;
        this.#name = options.titleOf(model);
        this.#options = options;
        this.#shared = shared;
        this.#line = element('p', {className: 'soft', textContent: summary(model)});
        const {state} = model, isPartial = state === 'partial', isDamaged = state === 'damaged';
        const start = () => options.onStart(model);
        const isOffered = options.isOffered(model);
        if (isPartial && !isOffered) this.#add(text('model.continue'), text('model.continue-download'), start);
        else if (!isDamaged && !isOffered) this.#add(text('model.start'), text('model.start'), start);
        if (isDamaged) this.#add(text('stored.repair'), text('stored.repair'), () => this.#repair());
        else this.#add(text('stored.check'), text('stored.check-what'), () => this.#check());
        if (state === 'complete')
            this.#add(text('stored.export'), text('stored.export-what'), () => this.#export());
        this.#add(text('action.delete'), text('stored.delete-what'), () => this.#delete());
        this.#actions.append(...this.#buttons);
        this.element = element('li', {},
            element('div', {}, element('strong', {textContent: this.#name}), this.#line), this.#actions);
    }

    /**
     * @param {string} label
     * @param {string} what   it does, for a screen reader
     * @param {() => void} onclick
     */
    #button(label, what, onclick) {
        const made = element('button', {type: 'button', className: 'quiet', textContent: label, onclick});
        made.setAttribute('aria-label', text('label.of', {label: what, name: this.#name}));
        return made;
    }

    /** @type {(label: string, what: string, onclick: () => void) => void} */
    #add(...args) {
        this.#buttons.push(this.#button(...args));
    }

    /**
     * Runs what takes a while. The row shows its progress, with a button that ends it.
     * @param {'check' | 'repair' | 'export'} doing
     * @param {(watched: Watched) => Promise<string>} task   what came of it, in a sentence
     */
    async #work(doing, task) {
        const working = this.#shared.begin(), {signal} = working, line = this.#line;
        const cancel = this.#button(text('action.cancel'), text(`cancel.${doing}`), () => working.abort());
        this.#actions.replaceChildren(cancel);
        cancel.focus();
        const name = text(`doing.${doing}`);
        line.textContent = text('doing.begun', {doing: name});
        try {
            const said = await task({signal, onProgress: ({bytes: done, total, waiting}) => {
                line.textContent = waiting
                    ?? text('doing.share', {doing: name, share: percent(done / total)});
            }});
            line.textContent = said;
            this.#shared.announce(text('label.of', {label: this.#name, name: said}));
        } catch (error) {
            line.textContent = summary(this.#model);
            if (!wasCancelled(error) && !signal.aborted) this.#options.onError(/** @type {Error} */ (error));
        }
        this.#actions.replaceChildren(...this.#buttons);
        this.#buttons[0].focus();
    }

    #check() {
        return this.#work('check', async (watched) => {
            const {chunks, missing, damaged} = await Gemma.models.verify(this.#model.id, watched);
            const good = chunks - missing.length - damaged.length;
            if (damaged.length) {
                await this.#options.onChange();
                return text('stored.damaged', {damaged: damaged.length, count: chunks});
            }
            if (missing.length) return text('stored.partly-good', {count: good, chunks});
            return [text('stored.good', {count: chunks}), await this.#compare(watched.signal)].filter(Boolean)
                .join(' ');
        });
    }

    /**
     * Whether the model's address still has it, as another sentence. Without the network nothing is said, and
     * nothing is wrong.
     * @param {AbortSignal} signal
     */
    async #compare(signal) {
        const {id} = this.#model;
        if (!/^https?:/.test(id)) return '';
        const compared = await Gemma.models.compare(id, {signal}).catch(() => undefined);
        if (!compared) return '';
        if (compared.same) return text('stored.same');
        const replace = () => this.#options.onReplace(this.#model);
        if (!this.#replaceable) this.#add(text('stored.replace'), text('stored.replace-what'), replace);
        this.#replaceable = true;
        return text('stored.other');
    }

    #repair() {
        return this.#work('repair', async (watched) => {
            await Gemma.models.repair(this.#model.id, watched);
            await this.#options.onChange();
            return text('stored.repaired');
        });
    }

    async #delete() {
        const {onError, onChange} = this.#options;
        if (!confirm(text('stored.confirm', {name: this.#name}))) return;
        await Gemma.models.delete(this.#model.id).catch(onError);
        await onChange();
    }

    /**
     * The model and its digests, by which an import is checked: into a folder where the browser can ask for
     * one, else as two downloads.
     */
    async #export() {
        const {id, fileName: name} = this.#model, digests = `${name}.json`;
        const {showDirectoryPicker} = /** @type {any} */ (globalThis);
        if (!showDirectoryPicker) {
            await this.#work('export', async (watched) => {
                const file = await Gemma.models.export(id, watched);
                if (file) download(file, name);
                download(new Blob([JSON.stringify(await Gemma.models.manifest(id))],
                    {type: 'application/json'}), digests);
                return text('stored.saved-as', {name});
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
        await this.#work('export', async (watched) => {
            const there = await folder.getFileHandle(name).then(() => true, () => false);
            if (there && !confirm(text('stored.confirm-replace', {name, folder: folder.name})))
                return text('stored.not-exported');
            const writable = async (/** @type {string} */ file) => (await folder.getFileHandle(file,
                {create: true})).createWritable();
            await Gemma.models.export(id, {...watched, writable: await writable(name)});
            const json = await writable(digests);
            await json.write(JSON.stringify(await Gemma.models.manifest(id)));
            await json.close();
            return text('stored.saved-in', {folder: folder.name});
        });
    }
}

/** @param {Stored} model */
function summary({id, size, storedBytes, state, lastUsed}) {
    const amount = state === 'partial' ? text('count.part', {done: bytes(storedBytes), total: bytes(size)})
        : bytes(size);
    const origin = /^https?:/.test(id) ? text('stored.from', {host: new URL(id).host})
        : text('stored.from-file');
    return [text('model.here', {amount}), ...state === 'damaged' ? [text('stored.is-damaged')] : [], origin,
        used(lastUsed)].join(' · ');
}

/** @param {number} at   milliseconds since 1970 */
function used(at) {
    const day = new Date(at).toDateString();
    const ago = (/** @type {number} */ days) => new Date(Date.now() - days * 864e5).toDateString();
    if (day === ago(0)) return text('stored.used-today');
    if (day === ago(1)) return text('stored.used-yesterday');
    return text('stored.used', {date: date(at)});
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
    const href = URL.createObjectURL(blob);
    element('a', {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
