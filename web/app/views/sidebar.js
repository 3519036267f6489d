// The list of conversations and texts beside the page, or over it where the window is narrow: finding,
// renaming, ordering, deleting.
//
// Owns: the list's elements and what is selected in it. Must not know: what is in a conversation, models.

import {addressOf} from '../address.js';
import {seen} from '../data/titles.js';
import {announce, element, icon, iconButton, place, within} from './dom.js';
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
const SEARCH_MS = 30, REFRESH_MS = 120, DAY_MS = 864e5, SLICE = 250;

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
    /** In the order of the list. @type {string[]} */
    #ids = [];
    /** How many of them are drawn: more as a person scrolls. */
    #most = SLICE;
    /** The elements of the list, by all that they show. @type {Map<string, HTMLElement>} */
    #drawn = new Map();

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
        at('item').onclose = () => this.#refresh();
        const list = at('list');
        list.onscroll = () => {
            if (list.scrollTop + 2 * list.clientHeight > list.scrollHeight) this.#draw(this.#most + SLICE);
        };
        at('item-export').onclick = () => options.onExport(this.#editing);
        this.#stand();
        store.listen(({kind}) => kind === 'list' && this.#refreshSoon());
        this.#refresh();
    }

    /** @param {string | undefined} id   what is open */
    setCurrent(id) {
        this.#current = id ?? '';
        this.#at('list').querySelector('[aria-current]')?.removeAttribute('aria-current');
        this.#link(this.#current)?.setAttribute('aria-current', 'page');
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
        const ids = this.#ids, current = ids.indexOf(this.#current),
            next = current < 0 && step < 0 ? ids.length - 1 : current + step;
        if (!ids[next]) return;
        location.hash = addressOf(ids[next]);
        this.#draw(next + 1);
        this.#link(ids[next])?.scrollIntoView({block: 'nearest'});
    }

    /** Where it is drawn. @param {string} id */
    #link(id) {
        return document.getElementById(`row-${id}`)?.querySelector('a');
    }

    /** Draws more of the list, if there is more. @param {number} most */
    #draw(most) {
        if (this.#most >= Math.min(most, this.#ids.length)) return;
        this.#most = most;
        this.#refresh();
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
        this.#most = SLICE;
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
        this.#waiting = setTimeout(() => this.#refresh(), Math.max(0, wait));
    }

    /** What shows the same stays: a text is stored many times while it is written. */
    #refresh() {
        clearTimeout(this.#waiting);
        this.#waiting = undefined;
        // A dialog gives the focus back to the button that opened it, which stays there as long.
        if (this.#at('item', HTMLDialogElement).open) return;
        this.#refreshed = performance.now();
        const {query, found} = this.#search, {store} = this.#options, all = store.list();
        const excerpts = new Map(found?.map((one) => [one.id, one]));
        const groups = found ? [{title: '', key: '', items: found.flatMap(({id}) => store.find(id) ?? [])}]
            : groupsOf(all);
        this.#ids = groups.flatMap(({items}) => items.map(({id}) => id));
        const ids = new Set(this.#ids);
        for (const id of this.#selected ?? []) if (!ids.has(id)) this.#selected?.delete(id);
        const list = this.#at('list'), held = document.activeElement,
            row = held && list.contains(held) && held.closest('li')?.id;
        const before = this.#drawn, drawn = this.#drawn = new Map();
        const keep = (/** @type {unknown} */ look, /** @type {() => HTMLElement} */ make) => {
            const key = JSON.stringify(look), made = before.get(key) ?? make();
            drawn.set(key, made);
            return made;
        };
        let left = this.#most;
        place(list, groups.flatMap(({title, key, items}) => {
            const rows = items.slice(0, left).map((one) => {
                const {id, title, kind, pinned} = one, {excerpt = '', at} = excerpts.get(id) ?? {};
                return keep([id, title, kind, pinned, excerpt, at, Boolean(this.#selected)],
                    () => this.#row(one, excerpt ? excerptOf(excerpt, at) : undefined));
            });
            left -= rows.length;
            if (!rows.length) return [];
            const ul = keep([key], () => element('ul'));
            place(ul, rows);
            return title ? [keep([key, title], () => element('h2', {textContent: title})), ul] : [ul];
        }));
        if (row && !list.contains(document.activeElement)) (document.getElementById(row)?.querySelector(
            /** @type {'a' | 'button' | 'input'} */ (held.localName)) ?? this.#at('new-conversation')).focus();
        const note = this.#at('list-note');
        note.hidden = ids.size > 0;
        note.textContent = text(query ? 'list.nothing-found' : 'list.empty', {query});
        this.#at('sidebar-foot').hidden = Boolean(this.#selected);
        this.#at('select-many').hidden = all.length < 2;
        this.#at('list-selection').hidden = !this.#selected;
        this.#at('list-selected').textContent = text('list.selected', {count: this.#selected?.size ?? 0});
        this.setCurrent(this.#current);
    }

    /** @param {Summary} summary @param {Node} [excerpt] */
    #row({id, title, kind, pinned}, excerpt) {
        const name = seen(title) || text(kind === 'chat' ? 'list.untitled-chat' : 'list.untitled-text');
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
        const {store} = this.#options, summary = store.find(id), at = this.#at;
        if (!summary) return;
        this.#editing = id;
        const name = at('item-name', HTMLInputElement), folder = at('item-folder', HTMLInputElement),
            pinned = at('item-pinned', HTMLInputElement);
        name.value = name.defaultValue = summary.title;
        folder.value = folder.defaultValue = summary.folder;
        pinned.checked = pinned.defaultChecked = summary.pinned;
        at('item-folders').replaceChildren(...store.folders().map((value) => element('option', {value})));
        at('item', HTMLDialogElement).showModal();
    }

    /** Only what was changed: another tab may have changed the others. */
    #save() {
        const at = this.#at, name = at('item-name', HTMLInputElement),
            folder = at('item-folder', HTMLInputElement), pinned = at('item-pinned', HTMLInputElement);
        this.#options.store.change(this.#editing, {
            ...name.value !== name.defaultValue && {title: seen(name.value)},
            ...folder.value !== folder.defaultValue && {folder: seen(folder.value)},
            ...pinned.checked !== pinned.defaultChecked && {pinned: pinned.checked},
        }).catch(this.#options.onError);
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
 * @returns {{title: string, key: string, items: Summary[]}[]}   key: a folder may be called as a day is
 */
function groupsOf(all) {
    /** @type {Map<string, {title: string, key: string, items: Summary[]}>} */
    const groups = new Map(), dayOf = days();
    for (const one of all) {
        const folder = seen(one.folder), kind = one.pinned ? 0 : folder ? 1 : 2;
        const title = [text('list.pinned'), folder, kind > 1 ? dayOf(one.updated) : ''][kind],
            key = kind + title, group = groups.get(key) ?? {title, key, items: []};
        group.items.push(one);
        groups.set(key, group);
    }
    return [...groups.values()].sort((a, b) => Number(a.key[0]) - Number(b.key[0])
        || (a.key[0] === '1' ? a.title.localeCompare(b.title, currentLanguage()) : 0));
}

/** @returns {(time: number) => string} the name of a day, by milliseconds since 1970 */
function days() {
    const midnight = new Date().setHours(0, 0, 0, 0),
        months = new Intl.DateTimeFormat(currentLanguage(), {month: 'long', year: 'numeric'});
    return (time) => time >= midnight ? text('list.today')
        : time >= midnight - DAY_MS ? text('list.yesterday')
        : time >= midnight - 7 * DAY_MS ? text('list.week') : months.format(time);
}
