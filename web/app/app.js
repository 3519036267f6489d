// The page: wires the parts. Its own state is which screen shows.

import {Gemma} from '../gemma.js';
import {contextCost, settingsOf} from './asking.js';
import {Chatting} from './chatting.js';
import {openConversations} from './data/conversations.js';
import {wasCancelledBefore} from './data/preferences.js';
import {keepState, readState} from './data/states.js';
import {Engine} from './engine.js';
import {toAsked} from './files/asking.js';
import {install} from './install.js';
import {offerInstall, receive} from './system.js';
import {Talk} from './talk.js';
import {loadTexts, text, translate} from './texts.js';
import {showAppearance} from './views/appearance.js';
import {Chat} from './views/chat.js';
import {within} from './views/dom.js';
import {hideFacts, showFacts} from './views/facts.js';
import {Gauge} from './views/gauge.js';
import {listenToKeys} from './views/keys.js';
import {Loading} from './views/loading.js';
import {Notices} from './views/notices.js';
import {Settings} from './views/settings.js';
import {Sidebar, addressOf} from './views/sidebar.js';
import {Welcome} from './views/welcome.js';

/**
 * @typedef {import('./data/types.js').Summary} Summary
 * @typedef {'welcome' | 'loading' | 'writer' | 'chat'} Screen
 */

/** All of the page below which the views find their elements. */
const root = document.body, at = within(root);

await loadTexts();
translate(document);
const store = await openConversations();

/** @type {Talk | undefined} */
let talk;
/** A model is loaded for the answer that waits. */
let isSwitching = false;
/** What writes texts, once it is there. @type {import('./desk.js').Desk | undefined} */
let desk;
/** @type {Promise<import('./desk.js').Desk> | undefined} */
let openingDesk;

const notices = new Notices(root, {about: () => {
    const {info} = engine.gemma ?? {};
    return info ? {model: `${info.architecture} ${info.nEmbd}`, kernels: info.kernels, threads: info.threads, context: info.contextLength, memory: info.memoryBytes, shared: info.shared} : {};
}});
const onError = (/** @type {Error} */ error) => notices.showError(error);
const loadingView = new Loading(root, {onCancel: () => engine.cancel()});
/** @type {Engine} */
const engine = new Engine({
    loadingSettings: () => settings.group('loading'),
    onProgress: (name, progress, doing) => loadingView.progress(name, progress, doing),
    onBegin(name, hint) {
        welcome.stop();
        notices.hideError();
        loadingView.begin(name, hint);
        show('loading');
        openDesk().catch(() => {});     // while there is time; who needs it says what is wrong
    },
    onLoaded: begin,
    async onEnd() {
        await welcome.refresh();
        show('welcome');
    },
    onClosed() {
        desk?.reset();
        if (!isSwitching) chatting.stop();
        talk = undefined;
        settings.setLoaded(false);
        hideFacts(root);
    },
    onError: (error, retry) => notices.showError(error, retry),
    onNotice: (sentence) => notices.show(sentence),
});
const presets = () => import('./data/presets.js');
/** @type {Settings} */
const settings = new Settings(root, {
    onReload: () => engine.again(), onError,
    conversation: () => document.body.dataset.screen === 'chat' ? {isStored: Boolean(chatting.id), settings: chatting.settings} : undefined,
    onChange: (changed) => chatting.changeSettings(changed).catch(onError).finally(() => gauge.update()),
    check: async (schema) => (await engine.gemma?.constraint({schema}))?.close(),
    cost: async (options) => engine.gemma && contextCost(Gemma, engine.gemma.info, options),
    presets: {
        list: async () => (await presets()).listPresets(store), save: async (preset) => (await presets()).savePreset(store, preset),
        delete: async (name) => (await presets()).deletePreset(store, name),
    },
});
const welcome = new Welcome(root, {
    onStart: (model, name) => engine.start(model, name), onReplace: (model, name) => engine.replace(model, name), onKeep: (files, name) => engine.keep(files, name),
    onError, onNotice: (sentence) => notices.show(sentence),
});
/** @type {Chat} */
const chat = new Chat(root, {
    onBegin: () => notices.hideError(),
    onSend: (content, attachments) => chatting.send(content, attachments).catch(onError), onStop: () => chatting.stop(), onError,
    onEdit: (id, content) => chatting.edit(id, content).catch(onError),
    onAction: (action, id) => act(action, id).catch(onError),
    files: {
        about: () => ({gemma: engine.gemma, ...askedSoFar()}),
        onModel(files) {
            const {name} = files.find((file) => !file.name.endsWith('.json')) ?? files[0];
            notices.show(text('files.model', {name}), {label: text('files.model-load'), onPress: () => engine.start(files, name)});
        },
    },
});
/** @type {Chatting} */
const chatting = new Chatting({
    store, view: chat, open: openModel, onError,
    settingsOf: (summary) => settingsOf(summary, settings.preferences),
    onAnswered: (result) => engine.gemma && showFacts(root, engine.gemma.info, result),
    onOpened(id) {
        opened(id);
        if (id) talk?.prepare(id);
    },
});
const gauge = new Gauge(root, {
    read() {
        const {gemma} = engine, {messages, overflow} = askedSoFar();
        return gemma && !chatting.isBusy ? {messages, contextLength: gemma.info.contextLength, overflow} : undefined;
    },
    count: async (messages) => await talk?.count(messages) ?? 0, onSettings: () => settings.open(),
});
store.listen(() => gauge.update());
const sidebar = new Sidebar(root, {
    store, onError, onNew: (kind) => create(kind).catch(onError), onExport: (id) => exportOne(id).catch(onError),
    onNotice: (sentence, undo) => notices.show(sentence, undo && {label: text('action.undo'), onPress: () => undo().catch(onError)}),
});
const tabs = {writer: at('tab-writer'), chat: at('tab-chat')};

/** The conversation that is open, as a model is asked. */
function askedSoFar() {
    const {system, overflow, options: {maxTokens}} = settingsOf(chatting, settings.preferences), messages = chatting.path.map((message) => toAsked(message));
    return {messages: /** @type {import('../gemma.js').Message[]} */ (system ? [{role: 'system', content: system}, ...messages] : messages), overflow, maxTokens};
}

/** A base model is best at continuing a text, a chat model at answering: that comes first. @param {Gemma} gemma @param {import('./engine.js').Named} model */
function begin(gemma, model) {
    const {info} = gemma, {chat: isChat, chatStyle} = info, wanted = screenOf(store.list().find(({id}) => id === idOfAddress()));
    talk = new Talk(gemma, model.id, {
        keepState: (conversation, state) => keepState(store, conversation, {...state, leaf: null}), readState: (conversation, about) => readState(store, conversation, about),
    });
    if (chatting.id) {
        talk.prepare(chatting.id);
        if (model.id && !isSwitching) store.change(chatting.id, {model}).catch(onError);        // chosen for what is open
    }
    settings.setLoaded(true);
    chat.setStyle(chatStyle, isChat);
    tabs.chat.textContent = text(chatStyle === 'transcript' ? 'tabs.transcript' : 'tabs.chat');
    at('tabs').replaceChildren(...isChat ? [tabs.chat, tabs.writer] : [tabs.writer, tabs.chat]);
    showFacts(root, info);
    gauge.update();
    show(wanted ?? (isChat ? 'chat' : 'writer'));
}

/**
 * The model that answers: the conversation's own where it is on this device, else the one that is loaded or was used last.
 * @param {Summary} [summary]
 * @returns {Promise<{talk: Talk, model: import('./engine.js').Named} | undefined>}
 */
async function openModel(summary) {
    const own = summary?.model?.id;
    if (!talk || own && own !== engine.model.id) {
        const stored = (await Gemma.models.list()).filter(({state}) => state === 'complete'), wanted = stored.find(({id}) => id === own) ?? (talk ? undefined : stored[0]);
        if (wanted) {
            isSwitching = true;
            await engine.start(welcome.sourceOf(wanted), welcome.titleOf(wanted));
            isSwitching = false;
        } else if (!talk) {
            show('welcome');
            notices.show(text('models.choose-first'));
        }
    }
    return talk && {talk, model: engine.model};
}

/** Fetched when it is first needed. @returns {Promise<import('./desk.js').Desk>} */
function openDesk() {
    const failed = (/** @type {Error} */ error) => {
        openingDesk = undefined;        // the next try begins anew
        throw error;
    };
    return openingDesk ??= import('./desk.js').then(({Desk}) => desk = new Desk(root, {
        store, onError, onOpened: opened, onBegin: () => notices.hideError(), onNotice: (sentence) => notices.show(sentence),
        open: async () => await openModel() && engine.gemma,
        settingsOf: () => {
            const {maxTokens, ...sampling} = settings.group('sampling');
            return {maxTokens, sampling};
        },
        onResult: (gemma, result) => gemma === engine.gemma && showFacts(root, gemma.info, result),
    })).catch(failed);
}

/** @param {Parameters<import('./views/chat.js').ChatOptions['onAction']>[0]} action @param {string} id   of a message */
async function act(action, id) {
    if (action === 'again') await chatting.regenerate(id);
    if (action === 'continue') await chatting.continue(id);
    if (action === 'back' || action === 'next') await chatting.walk(id, action === 'next' ? 1 : -1);
    if (action !== 'delete') return;
    const undo = await chatting.deleteFrom(id);
    notices.show(text('message.deleted'), {label: text('action.undo'), onPress: () => undo().catch(onError)});
}

/** @param {Summary['kind']} kind */
async function create(kind) {
    (kind === 'chat' ? chatting : await openDesk()).begin();
    show(kind === 'chat' ? 'chat' : 'writer');
}

/** What a shortcut asks for. @param {import('./views/keys.js').Done} done */
function press(done) {
    const shown = document.body.dataset.screen;
    if (done === 'chat' || done === 'document') create(done).catch(onError);
    if (done === 'search') sidebar.focusSearch();
    if (done === 'list') sidebar.toggle();
    if (done === 'back' || done === 'next') sidebar.step(done === 'next' ? 1 : -1);
    if (done === 'settings') at('open-settings').click();
    if (done === 'write') {
        if (shown === 'welcome') show('chat');
        (shown === 'writer' ? desk : chat)?.focus();
    }
    if ((done === 'again' || done === 'copy') && shown === 'chat') chat.actOnLast(done);
    if (done === 'stop') {
        chatting.stop();
        desk?.stop();
    }
}

/** Says in the page's address what is open: a reload and the browser's back button find it. @param {string | undefined} id */
function opened(id) {
    sidebar.setCurrent(id);
    gauge.update();
    if (id !== idOfAddress()) history.pushState(null, '', id ? addressOf(id) : location.pathname + location.search);
}

const idOfAddress = () => new URLSearchParams(location.hash.slice(1)).get('id') ?? undefined;
/** @param {Summary | undefined} summary @returns {'chat' | 'writer' | undefined} */
const screenOf = (summary) => summary && (summary.kind === 'chat' ? 'chat' : 'writer');

/** Opens what the page's address names. */
async function followAddress() {
    const id = idOfAddress(), screen = screenOf(store.list().find((one) => one.id === id));
    if (!id || !screen) {
        if (id) history.replaceState(null, '', location.pathname + location.search);        // it was deleted
        if (!location.hash && chatting.id && document.body.dataset.screen === 'chat') chatting.begin();
        return;
    }
    await (screen === 'chat' ? chatting : await openDesk()).open(id);
    if (document.body.dataset.screen !== 'loading') show(screen);
}

/** As Markdown. @param {string} id */
async function exportOne(id) {
    const summary = store.list().find((one) => one.id === id);
    if (!summary) return;
    const [{toMarkdown}, {pathTo}, {saveFile}] = await Promise.all([import('./data/transfer.js'), import('./data/tree.js'), import('./views/files.js')]);
    const path = async () => toMarkdown(summary, pathTo(await store.read(id), summary.leaf), {user: text('chat.you'), assistant: 'Gemma'});
    const content = summary.kind === 'document' ? await store.readText(id) : await path();
    saveFile(new Blob([content], {type: 'text/markdown'}), `${summary.title || text('tabs.chat')}.md`);
}

/** @param {Screen} screen */
function show(screen) {
    if (screen === 'writer' && !desk) return void openDesk().then(() => show('writer'), (error) => {
        show('chat');
        onError(error);
    });
    document.body.dataset.screen = screen;
    for (const name of ['welcome', 'loading', 'writer', 'chat']) at(name).hidden = name !== screen;
    const isWorking = screen === 'writer' || screen === 'chat';
    at('tabs').hidden = at('change-model').hidden = at('new-chat').hidden = !isWorking;
    for (const [name, tab] of Object.entries(tabs)) {
        tab.setAttribute('aria-selected', String(name === screen));
        tab.tabIndex = name === screen ? 0 : -1;
    }
    scrollTo({top: screen === 'chat' ? document.documentElement.scrollHeight : 0});
    if (screen === 'welcome') at('welcome-title').focus();
    if (!isWorking) return;
    sidebar.setCurrent((screen === 'chat' ? chatting : desk)?.id);
    (screen === 'chat' ? chat : desk)?.focus();
}

/** A download that broke off with the page goes on by itself, unless it was cancelled or the connection costs. @param {import('../weights/store/store.js').Stored[]} stored */
function resume(stored) {
    const partial = stored.find(({id, state}) => state === 'partial' && /^https?:/.test(id));
    if (!partial || wasCancelledBefore(partial.id) || engine.isBusy) return;
    const name = welcome.titleOf(partial);
    if (/** @type {any} */ (navigator).connection?.saveData) notices.show(text('loading.save-data', {name}));
    else engine.start(welcome.sourceOf(partial), name, text('loading.resumed'));
}

tabs.writer.onclick = () => show('writer');
tabs.chat.onclick = () => show('chat');
at('tabs').onkeydown = (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = event.target === tabs.writer ? 'chat' : 'writer';
    show(other);
    tabs[other].focus();
};
/** @type {Promise<import('./tools.js').Tools> | undefined} */
let tools;
const openTools = () => tools ??= import('./tools.js').then(({Tools}) => new Tools({
    store, engine, welcome, preferences: () => settings.preferences, onNotice: (sentence, action) => notices.show(sentence, action), onError,
}));
at('open-data').onclick = () => openTools().then((one) => one.openData()).catch(onError);
at('open-compare').onclick = () => openTools().then((one) => one.openCompare()).catch(onError);
at('new-chat').onclick = () => create(document.body.dataset.screen === 'writer' ? 'document' : 'chat').catch(onError);
at('change-model').onclick = async () => {
    engine.close();
    await welcome.refresh();
    show('welcome');
};
addEventListener('hashchange', () => followAddress().catch(onError));
addEventListener('popstate', () => followAddress().catch(onError));

listenToKeys(root, press);
showAppearance(root, () => location.reload());
install(root, () => engine.isBusy);
offerInstall(at('install'));
if (!store.isKept) notices.show(text('list.not-kept'));
// A folder that was chosen goes on being written into.
if (await store.database.read(['kept'], ({kept}) => kept.get('backup')).catch(() => undefined)) openTools().catch(onError);
await followAddress().catch(onError);
receive({
    onNew: create,
    onText(shared) {
        create('chat');
        chat.takeBack(shared);
    },
    onFiles: (files) => engine.start(files, files[0].name),
});
await welcome.refresh();
await welcome.offered;
resume(await Gemma.models.list());
