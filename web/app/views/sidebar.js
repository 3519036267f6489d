// The list of conversations and texts beside the page, or over it where the window is narrow: finding,
// renaming, ordering, deleting.
//
// Owns: the list's elements and what is selected in it. Must not know: what is in a conversation, models.

import {addressOf} from '../address.js';
import {announce, element, icon, iconButton, within} from './dom.js';
import {currentLanguage, text} from '../texts.js';

/**
 * @typedef {import('../data/conversations.js').Conversations} Conversations
 * @typedef {import('../data/types.js').Summary} Summary
 *
 * @typedef {object} SidebarOptions
 * @property {Conversations} store
 * @property {(kind: Summary['kind']) => void} onNew
 * @property {(id: string) => void} onExport
 * @property {(sentence: string, undo?: () => Promise<void>) => void} onNotice
 * @property {(error: Error) => void} onError
 */

/** Wide enough for the list to stand beside the page; as in styles.css. */
const WIDE = matchMedia('(min-width: 60rem)');
const SEARCH_MS = 80, REFRESH_MS = 120, DAY_MS = 864e5;

export class Sidebar {
    #root;
    #at;
    #options;
    #current = '';
    /** @type {Set<string> | undefined} while many are chosen */
    #selected;
    /**
     * What was searched for last, and what was found.
     * @type {{query: string, found?: {id: string, excerpt?: string, at?: [number, number]}[]}}
     */
    #search = {query: ''};
    /** @type {AbortController | undefined} */
    #searching;
    #editing = '';
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #waiting;
    #refreshed = -Infinity;
    /** What the list shows. */
    #look = '';

    /** @param {ParentNode} root @param {SidebarOptions} options */
    constructor(root, options) {
        this.#root = root;
        const at = this.#at = within(root), {store, onNew} = options, search = at('search', HTMLInputElement);
        this.#options = options;
        at('new-conversation').onclick = () => this.#leave(() => onNew('chat'));
        at('new-document').onclick = () => this.#leave(() => onNew('document'));
        /** @type {ReturnType<typeof setTimeout>} */
        let timer;
        search.oninput = () => {
            clearTimeout(timer);
            timer = setTimeout(() => this.#find(search.value.trim()), SEARCH_MS);
        };
        // reads what the first search needs, while the query is typed
        search.onfocus = () => void store.search('').catch(() => {});
        at('select-many').onclick = () => this.#select(new Set());
        at('end-selection').onclick = () => this.#select(undefined);
        at('delete-selected').onclick = () => this.#delete([...this.#selected ?? []]);
        at('item-form').onsubmit = () => this.#save();
        at('item-close').onclick = () => at('item', HTMLDialogElement).close();
        at('item-delete').onclick = () => {
            at('item', HTMLDialogElement).close();
            this.#delete([this.#editing]);
        };
        at('item').onclose = () => this.#refresh(true);
        at('item-export').onclick = () => options.onExport(this.#editing);
        this.#stand();
        store.listen(({kind}) => kind === 'list' && this.#refreshSoon());
        this.#refresh();
    }

    /** @param {string | undefined} id   what is open */
    setCurrent(id) {
        this.#current = id ?? '';
        for (const link of this.#at('list').querySelectorAll('a')) {
            if (link.hash === addressOf(this.#current)) link.setAttribute('aria-current', 'page');
            else link.removeAttribute('aria-current');
        }
    }

    focusSearch() {
        this.open();
        this.#at('search').focus();
    }

    open() {
        const sidebar = this.#at('sidebar');
        sidebar.hidden = false;
        if (WIDE.matches || sidebar.matches(':popover-open')) return;
        sidebar.showPopover();
        this.#at('new-conversation').focus();       // Escape brings the focus back
    }

    toggle() {
        const sidebar = this.#at('sidebar');
        if (!WIDE.matches) sidebar.togglePopover();
        else if (sidebar.hidden) this.open();
        else sidebar.hidden = true;
    }

    /** Opens another one of the list. @param {1 | -1} step   1: the next below */
    step(step) {
        const links = [...this.#at('list').querySelectorAll('a')],
            current = links.findIndex((link) => link.hasAttribute('aria-current'));
        const next = links[current < 0 && step < 0 ? links.length - 1 : current + step];
        if (!next) return;
        location.hash = next.hash;
        next.scrollIntoView({block: 'nearest'});
    }

    /** Beside the page, or over it and closed. */
    #stand() {
        const sidebar = this.#at('sidebar'), button = this.#at('open-sidebar');
        const stand = () => {
            sidebar.hidden = false;
            if (WIDE.matches) sidebar.removeAttribute('popover');
            else sidebar.setAttribute('popover', 'auto');
        };
        button.onclick = () => this.open();
        sidebar.addEventListener('toggle', (event) => button.setAttribute('aria-expanded',
            String(/** @type {ToggleEvent} */ (event).newState === 'open')));
        // The focus is nowhere that it covers.
        sidebar.addEventListener('focusout', ({relatedTarget}) => relatedTarget instanceof Node
            && !sidebar.contains(relatedTarget) && this.#leave(() => {}));
        sidebar.addEventListener('click', ({target}) => target instanceof Element && target.closest('a')
            && this.#leave(() => {}));
        WIDE.addEventListener('change', stand);
        stand();
    }

    /** @param {() => void} then */
    #leave(then) {
        const sidebar = this.#at('sidebar');
        if (sidebar.hasAttribute('popover') && sidebar.matches(':popover-open')) sidebar.hidePopover();
        then();
    }

    /** @param {string} query */
    async #find(query) {
        this.#searching?.abort();
        const {signal} = this.#searching = new AbortController();
        if (!query) {
            this.#search = {query};
            return this.#refresh();
        }
        try {
            const found = await this.#options.store.search(query, {signal});
            if (signal.aborted) return;
            this.#search = {query, found};
            this.#refresh();
            announce(this.#root, text('list.found', {count: found.length}));
        } catch (error) {
            if (!signal.aborted) this.#options.onError(/** @type {Error} */ (error));
        }
    }

    /** At once, and then no more often than a person sees. */
    #refreshSoon() {
        if (this.#waiting !== undefined) return;
        const wait = this.#refreshed + REFRESH_MS - performance.now();
        this.#waiting = setTimeout(() => this.#refresh(true), Math.max(0, wait));
    }

    /**
     * @param {boolean} [isTold]   of a change, which may be one that the list does not show: a text is stored
     *     many times while it is written
     */
    #refresh(isTold = false) {
        clearTimeout(this.#waiting);
        this.#waiting = undefined;
        // A dialog gives the focus back to the button that opened it, which stays there as long.
        if (this.#at('item', HTMLDialogElement).open) return;
        this.#refreshed = performance.now();
        const {query, found} = this.#search, all = this.#options.store.list();
        const shown = found ? found.flatMap(({id}) => all.find((one) => one.id === id) ?? []) : all;
        const excerpts = new Map(found?.map(({id, excerpt, at}) => [id, excerpt ? excerptOf(excerpt, at)
            : undefined]));
        const groups = found ? [{title: '', items: shown}] : groupsOf(all);
        const look = JSON.stringify([found,
            groups.map(({title, items}) => [title,
                ...items.map(({id, title, kind, pinned}) => [id, title, kind, pinned])])]);
        if (isTold && look === this.#look) return;
        this.#look = look;
        const list = this.#at('list'), held = document.activeElement,
            row = held && list.contains(held) && held.closest('li')?.id;
        list.replaceChildren(...groups.flatMap(({title, items}) => [
            ...title ? [element('h2', {textContent: title})] : [],
            element('ul', {}, ...items.map((one) => this.#row(one, excerpts.get(one.id)))),
        ]));
        if (row) (document.getElementById(row)?.querySelector(/** @type {'a' | 'button' | 'input'} */ (
            held.localName)) ?? this.#at('new-conversation')).focus();
        const note = this.#at('list-note');
        note.hidden = shown.length > 0;
        note.textContent = text(query ? 'list.nothing-found' : 'list.empty', {query});
        this.#at('sidebar-foot').hidden = Boolean(this.#selected);
        this.#at('select-many').hidden = all.length < 2;
        this.#at('list-selection').hidden = !this.#selected;
        this.#at('list-selected').textContent = text('list.selected', {count: this.#selected?.size ?? 0});
        this.setCurrent(this.#current);
    }

    /** @param {Summary} summary @param {Node} [excerpt] */
    #row({id, title, kind, pinned}, excerpt) {
        const name = title || text(kind === 'chat' ? 'list.untitled-chat' : 'list.untitled-text');
        const label = element('span', {className: 'list-title', textContent: name, dir: 'auto'}),
            extra = excerpt ? [excerpt] : [];
        if (this.#selected) {
            const box = element('input', {type: 'checkbox', checked: this.#selected.has(id),
                onchange: () => this.#toggle(id, box.checked)});
            return element('li', {id: `row-${id}`}, element('label', {}, box, label));
        }
        const link = element('a', {href: addressOf(id)}, ...kind === 'document' ? [icon('page')] : [],
            ...pinned ? [icon('pin')] : [], label, ...extra);
        return element('li', {id: `row-${id}`}, link, iconButton('more', text('list.change', {title: name}),
            () => this.#edit(id)));
    }

    /** @param {string} id @param {boolean} chosen */
    #toggle(id, chosen) {
        if (chosen) this.#selected?.add(id);
        else this.#selected?.delete(id);
        this.#at('list-selected').textContent = text('list.selected', {count: this.#selected?.size ?? 0});
    }

    /** @param {Set<string> | undefined} selected */
    #select(selected) {
        this.#selected = selected;
        this.#refresh();
        if (selected) this.#at('list').querySelector('input')?.focus();
        else this.#at('select-many').focus();
    }

    /** Name, folder and place of one. @param {string} id */
    #edit(id) {
        const {store} = this.#options, summary = store.list().find((one) => one.id === id), at = this.#at;
        if (!summary) return;
        this.#editing = id;
        at('item-name', HTMLInputElement).value = summary.title;
        at('item-folder', HTMLInputElement).value = summary.folder;
        at('item-pinned', HTMLInputElement).checked = summary.pinned;
        at('item-folders').replaceChildren(...store.folders().map((value) => element('option', {value})));
        at('item', HTMLDialogElement).showModal();
    }

    #save() {
        const at = this.#at, {store, onError} = this.#options,
            summary = store.list().find(({id}) => id === this.#editing);
        if (!summary) return;
        const title = at('item-name', HTMLInputElement).value.trim();
        store.change(summary.id, {
            ...title !== summary.title && {title},
            folder: at('item-folder', HTMLInputElement).value.trim(),
            pinned: at('item-pinned', HTMLInputElement).checked,
        }).catch(onError);
    }

    /** @param {string[]} ids */
    async #delete(ids) {
        const {store, onError, onNotice} = this.#options;
        this.#selected = undefined;
        this.#refresh();
        this.#at('new-conversation').focus();       // what had the focus is gone
        if (!ids.length) return;
        try {
            const undo = await store.delete(ids);
            onNotice(text('list.deleted', {count: ids.length}), undo);
        } catch (error) {
            onError(/** @type {Error} */ (error));
        }
    }
}

/** What was found, marked. @param {string} excerpt @param {[number, number]} [at] */
function excerptOf(excerpt, at) {
    const [from, to] = at ?? [0, 0];
    return element('span', {className: 'list-excerpt soft', dir: 'auto'}, excerpt.slice(0, from),
        element('mark', {textContent: excerpt.slice(from, to)}), excerpt.slice(to));
}

/**
 * Pinned ones, folders, then by when they were used.
 * @param {Summary[]} all
 * @returns {{title: string, items: Summary[]}[]}
 */
function groupsOf(all) {
    /** @type {Map<string, Summary[]>} */
    const groups = new Map(),
        add = (/** @type {string} */ title, /** @type {Summary} */ one) => groups.set(title,
            [...groups.get(title) ?? [], one]);
    const free = all.filter(({pinned, folder}) => !pinned && !folder),
        folders = [...new Set(all.filter(({pinned}) => !pinned).map(({folder}) => folder))];
    for (const one of all) if (one.pinned) add(text('list.pinned'), one);
    for (const folder of folders.filter(Boolean).sort((a, b) => a.localeCompare(b, currentLanguage())))
        for (const one of all) if (!one.pinned && one.folder === folder) add(folder, one);
    for (const one of free) add(dayOf(one.updated), one);
    return [...groups].map(([title, items]) => ({title, items}));
}

/** @param {number} time   milliseconds since 1970 */
function dayOf(time) {
    const midnight = new Date().setHours(0, 0, 0, 0);
    if (time >= midnight) return text('list.today');
    if (time >= midnight - DAY_MS) return text('list.yesterday');
    if (time >= midnight - 7 * DAY_MS) return text('list.week');
    return new Intl.DateTimeFormat(currentLanguage(), {month: 'long', year: 'numeric'}).format(time);
}
