// Which screen shows: the models, one that is being loaded, a text or a conversation; the tabs between the
// last two; and what of them the page's address names.
//
// Owns: the screen, and when it changes. Must not know: what is on it, how texts and conversations are opened.

import {clearAddress, readAddress, writeAddress} from './address.js';
import {text} from './texts.js';
import {within} from './views/dom.js';

/**
 * @typedef {'welcome' | 'loading' | 'writer' | 'chat'} Screen
 * @typedef {{id?: string, begin: () => void, open: (id: string) => Promise<unknown>}} Place   of one kind
 *
 * @typedef {object} ScreenParts
 * @property {import('./data/conversations.js').Conversations} store
 * @property {Place} conversations
 * @property {() => Place | undefined} texts   once it is there
 * @property {() => Promise<Place>} bringTexts
 * @property {(screen: 'writer' | 'chat') => void} focus
 * @property {(id: string | undefined, isSame: boolean) => void} onShown   another screen, conversation or text;
 *     isSame: see writeAddress()
 * @property {(error: Error) => void} onError
 */

/** @type {Screen[]} */
const ALL = ['welcome', 'loading', 'writer', 'chat'];

export class Screens {
    #at;
    #parts;
    #tabs;
    /** Counts what is followed: two events may tell of one address. */
    #followed = 0;

    /** @param {ParentNode} root @param {ScreenParts} parts */
    constructor(root, parts) {
        const at = this.#at = within(root), {onError} = parts;
        this.#parts = parts;
        const tabs = this.#tabs = {writer: at('tab-writer'), chat: at('tab-chat')};
        tabs.writer.onclick = () => this.show('writer');
        tabs.chat.onclick = () => this.show('chat');
        at('tabs').onkeydown = (event) => {
            if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
            const other = event.target === tabs.writer ? 'chat' : 'writer';
            this.show(other);
            tabs[other].focus();
        };
        for (const event of ['hashchange', 'popstate'])
            addEventListener(event, () => this.follow().catch(onError));
    }

    get shown() {
        return /** @type {Screen} */ (document.body.dataset.screen);
    }

    /** The screen of what the address names. @returns {'chat' | 'writer' | undefined} */
    get named() {
        const {id, kind = this.#parts.store.list().find((one) => one.id === id)?.kind} = readAddress();
        return kind && (kind === 'chat' ? 'chat' : 'writer');
    }

    /**
     * What the model does best comes first.
     * @param {import('../gemma.js').Info['chatStyle']} style @param {boolean} isChat
     */
    setTabs(style, isChat) {
        const {chat, writer} = this.#tabs;
        chat.textContent = text(style === 'transcript' ? 'tabs.transcript' : 'tabs.chat');
        this.#at('tabs').replaceChildren(...isChat ? [chat, writer] : [writer, chat]);
    }

    /** @param {Screen} screen */
    show(screen) {
        const {texts, bringTexts, focus, onError} = this.#parts, at = this.#at, before = this.shown;
        if (screen === 'writer' && !texts()) return void bringTexts().then(() => this.show('writer'), (error) => {
            this.show('chat');
            onError(error);
        });
        document.body.dataset.screen = screen;
        for (const name of ALL) at(name).hidden = name !== screen;
        const isWorking = screen === 'writer' || screen === 'chat';
        at('tabs').hidden = at('change-model').hidden = at('new-chat').hidden = !isWorking;
        for (const [name, tab] of Object.entries(this.#tabs)) {
            tab.setAttribute('aria-selected', String(name === screen));
            tab.tabIndex = name === screen ? 0 : -1;
        }
        scrollTo({top: screen === 'chat' ? document.documentElement.scrollHeight : 0});
        if (screen === 'welcome') at('welcome-title').focus();
        if (!isWorking) return;
        this.tell(screen, before === 'welcome' || before === 'loading');
        focus(screen);
    }

    /** Updates list and address. @param {Screen} [screen]   that changed @param {boolean} [isSame] */
    tell(screen = this.shown, isSame = false) {
        if (screen !== this.shown || screen !== 'chat' && screen !== 'writer') return;
        const {conversations, texts, onShown} = this.#parts, isChat = screen === 'chat',
            {id} = (isChat ? conversations : texts()) ?? {};
        onShown(id, isSame);
        writeAddress({id, kind: isChat ? 'chat' : 'document'}, isSame);
    }

    /** Opens what the page's address names. */
    async follow() {
        const {conversations, texts, bringTexts} = this.#parts, turn = ++this.#followed, {id} = readAddress(),
            {named} = this, screen = named ?? this.shown;
        if (id && !named) clearAddress();       // it was deleted
        const place = screen === 'chat' ? conversations : screen !== 'writer' ? undefined
            : named ? await bringTexts() : texts();
        if (id && named) await place?.open(id);
        else if (place?.id) place.begin();
        if (named && this.shown !== 'loading' && turn === this.#followed && id === readAddress().id)
            this.show(named);
    }
}
