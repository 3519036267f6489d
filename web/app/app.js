// The page: wires the parts.

import {Gemma} from '../gemma.js';
import {later, once} from '../base/later.js';
import {clearAddress, readAddress} from './address.js';
import {contextCost, settingsOf} from './asking.js';
import {Chatting} from './chatting.js';
import {openConversations} from './data/conversations.js';
import {wasCancelledBefore} from './data/preferences.js';
import {Drafts} from './drafts.js';
import {Engine} from './engine.js';
import {toAsked} from './files/asking.js';
import {install, lookForNewer} from './install.js';
import {offerRequests} from './requests.js';
import {Screens} from './screens.js';
import {offerInstall, receive} from './system.js';
import {loadTexts, text, translate} from './texts.js';
import {showAppearance} from './views/appearance.js';
import {Chat} from './views/chat.js';
import {within} from './views/dom.js';
import {listenToKeys} from './views/keys.js';
import {Loading} from './views/loading.js';
import {Notices} from './views/notices.js';
import {Settings} from './views/settings.js';
import {Sidebar} from './views/sidebar.js';
import {Welcome} from './views/welcome.js';

/** @typedef {import('./data/types.js').Summary} Summary */

/** All of the page below which the views find their elements. */
const root = document.body, at = within(root);

await loadTexts();
translate(document);
/** Without it nothing else begins. */
const store = await openConversations().catch((error) => /** @type {Promise<never>} */ (new Promise(() =>
    new Notices(root, {about: () => ({})}).showError(error, () => location.reload()))));

/** @type {import('./talk.js').Talk | undefined} */
let talk;
const bringTalking = once(() => later(() => import('./talking.js')));
/** There, before a model is. @type {Awaited<ReturnType<typeof bringTalking>>} */
let talking;
/** @type {import('./views/gauge.js').Gauge | undefined} */
let gauge;
/** A model is loaded for the answer that waits. */
let isSwitching = false;
/** The conversation for which a person has chosen the model that comes. @type {string | undefined} */
let chosenFor;
/** What writes texts, once it is there. @type {import('./desk.js').Desk | undefined} */
let desk;
/** @type {Drafts | undefined} */
let drafts;

const notices = new Notices(root, {about: () => {
    const {info} = engine.gemma ?? {};
    return info ? {
        model: `${info.architecture} ${info.nEmbd}`, kernels: info.kernels, threads: info.threads,
        context: info.contextLength, memory: info.memoryBytes, shared: info.shared,
    } : {};
}});
/**
 * @param {Error & {code?: string}} error
 * @param {() => void} [retry]
 * @param {Parameters<Notices['showError']>[2]} [other]
 */
const onError = (error, retry, other) => {
    notices.showError(error, retry, other);
    if (error.code === 'library') lookForNewer(root);
};
const loadingView = new Loading(root, {onCancel: () => engine.cancel()});
/** @type {Engine} */
const engine = new Engine({
    loadingSettings: () => settings.group('loading'),
    onProgress: (name, progress, doing) => loadingView.progress(name, progress, doing),
    onBegin(name, hint, model) {
        welcome.stop(model);
        notices.hideError();
        loadingView.begin(name, hint, welcome.hostAsked);
        screens.show('loading');
        openDesk().catch(() => {});     // while there is time; who needs it says what is wrong
    },
    async prepare() {
        talking = await bringTalking();
        gauge ??= new talking.Gauge(root, {
            read: () => engine.gemma && !chatting.isBusy
                ? {...askedSoFar(), contextLength: engine.gemma.info.contextLength} : undefined,
            count: async (messages) => await talk?.count(messages) ?? 0, onSettings: () => settings.open(),
        });
    },
    onLoaded: begin,
    async onEnd() {
        await welcome.refresh();
        screens.show('welcome');
    },
    onClosed() {
        desk?.reset();
        if (!isSwitching) chatting.stop();
        talk = undefined;
        settings.setLoaded(false);
        at('facts').hidden = true;
    },
    onError: (error, retry) => onError(error, retry, welcome.insteadOf(error)),
    onNotice: (sentence) => notices.show(sentence),
});
const presets = () => later(() => import('./data/presets.js'));
/** @type {Settings} */
const settings = new Settings(root, {
    onReload: () => start(() => engine.again()), onError,
    conversation: () => screens.shown === 'chat' ? {id: chatting.id, settings: chatting.settings} : undefined,
    onChange: (changed, id) => chatting.changeSettings(changed, id).catch(onError)
        .finally(() => gauge?.update()),
    check: async (schema) => (await engine.gemma?.constraint({schema}))?.close(),
    cost: async (options) => engine.gemma && contextCost(Gemma, engine.gemma.info, options),
    presets: {
        list: async () => (await presets()).listPresets(store),
        save: async (preset) => (await presets()).savePreset(store, preset),
        delete: async (preset) => (await presets()).deletePreset(store, preset),
    },
});
const welcome = new Welcome(root, {
    onStart: (model, name) => start(() => engine.start(model, name), true),
    onReplace: (model, name) => start(() => engine.replace(model, name), true),
    onKeep: (files, name) => start(() => engine.keep(files, name), true),
    onError, onNotice: (sentence) => notices.show(sentence),
});
/** @type {Chat} */
const chat = new Chat(root, {
    onBegin: () => notices.hideError(),
    onSend: (content, attachments) => chatting.send(content, attachments).catch(onError),
    onStop: () => chatting.stop(), onError, onNotice: (sentence) => notices.show(sentence),
    onEdit: (id, content) => chatting.edit(id, content).catch(onError),
    onAction: (action, id) => act(action, id).catch(onError),
    files: {
        about: () => ({gemma: engine.gemma, ...askedSoFar()}),
        onModel(files) {
            const {name} = files.find((file) => !file.name.endsWith('.json')) ?? files[0];
            notices.show(text(engine.gemma ? 'files.model' : 'files.model-first', {name}),
                {label: text('files.model-load'), onPress: () => start(() => engine.start(files, name), true)});
        },
    },
});
/** @type {Chatting} */
const chatting = new Chatting({
    store, view: chat, open: openModel, onError,
    settingsOf: (summary) => settingsOf(summary, settings.preferences),
    onAnswered: (result) => engine.gemma && talking.showFacts(root, engine.gemma.info, result),
    onOpened(id, isSame) {
        drafts?.turnTo(id, isSame);
        screens.tell('chat', isSame);
        if (id) talk?.prepare(id);
    },
});
for (const update of [() => gauge?.update(), nameModel]) store.listen(update);
const sidebar = new Sidebar(root, {
    store, onError, onNew: (kind) => create(kind).catch(onError),
    onExport: (id) => openTools().then((one) => one.exportOne(id)).catch(onError),
    onNotice: (sentence, undo) => undo ? notices.showDone(sentence, undo) : notices.show(sentence),
});
const screens = new Screens(root, {
    store, conversations: chatting, texts: () => desk, bringTexts: () => openDesk(), onError,
    focus: (screen) => (screen === 'chat' ? chat : desk)?.focus(),
    onShown(id, isSame) {
        if (!isSame) notices.hideError();
        sidebar.setCurrent(id);
        gauge?.update();
        nameModel();
    },
});

/** The conversation that is open, as a model is asked. */
function askedSoFar() {
    const {system, overflow, options: {maxTokens}} = settingsOf(chatting, settings.preferences),
        messages = chatting.path.map((message) => toAsked(message));
    if (system) messages.unshift({role: 'system', content: system});
    return {messages, overflow, maxTokens};
}

/**
 * Loads a model.
 * @template T
 * @param {() => T} load   also when it is tried again
 * @param {boolean} [isChosen]   by a person, for the conversation that is open
 * @returns {T}
 */
function start(load, isChosen = false) {
    chosenFor = isChosen && screens.named === 'chat' ? chatting.id : undefined;
    return load();
}

/** Shows what a model does best: continue or answer. @param {Gemma} gemma @param {import('./engine.js').Named} model */
function begin(gemma, model) {
    const {info} = gemma, {chat: isChat, chatStyle} = info, wanted = screens.named;
    talk = talking.talkWith(gemma, model.id, store);
    if (chatting.id) talk.prepare(chatting.id);
    if (chosenFor && model.id) store.change(chosenFor, {model}).catch(onError);
    chosenFor = undefined;
    settings.setLoaded(true);
    chat.setStyle(chatStyle, isChat);
    screens.setTabs(chatStyle, isChat);
    talking.showFacts(root, info);
    screens.show(wanted ?? (isChat ? 'chat' : 'writer'));
}

/**
 * The model that answers: the conversation's own where it is on this device, else the loaded or last used one.
 * @param {Summary} [summary]
 * @returns {Promise<{talk: import('./talk.js').Talk, model: import('./engine.js').Named} | undefined>}
 */
async function openModel(summary) {
    await settings.settled();
    const own = summary?.model?.id;
    if (!talk || own && own !== engine.model.id) {
        const stored = (await Gemma.models.list()).filter(({state}) => state === 'complete'),
            wanted = stored.find(({id}) => id === own) ?? (talk ? undefined : stored[0]);
        if (wanted) await switchTo(wanted);
        else if (!talk) {
            screens.show('welcome');
            notices.show(text('models.choose-first'));
        }
    }
    return talk && {talk, model: engine.model};
}

/** Loads a model; what is open keeps its own. @param {import('../weights/store/store.js').Stored} stored */
async function switchTo(stored) {
    isSwitching = true;
    await start(() => engine.start(welcome.sourceOf(stored), welcome.titleOf(stored)))
        .finally(() => { isSwitching = false; });
}

/** Fetched when it is first needed. */
const openDesk = once(async () => {
    const {Desk} = await later(() => import('./desk.js'));
    return desk = new Desk(root, {
        store, onError, onOpened: (_, isSame) => screens.tell('writer', isSame),
        onBegin: () => notices.hideError(), onNotice: (sentence) => notices.show(sentence),
        open: async () => await openModel() && engine.gemma,
        settingsOf: () => settingsOf(undefined, settings.preferences).options,
        onResult: (gemma, result) => gemma === engine.gemma && talking.showFacts(root, gemma.info, result),
    });
});

/**
 * @param {Parameters<import('./views/chat.js').ChatOptions['onAction']>[0]} action
 * @param {string} id   of a message
 */
async function act(action, id) {
    if (action === 'again') await chatting.regenerate(id);
    if (action === 'answer') await chatting.answer(id);
    if (action === 'continue') await chatting.continue(id);
    if (action === 'back' || action === 'next') await chatting.walk(id, action === 'next' ? 1 : -1);
    if (action !== 'delete') return;
    notices.showDone(text('message.deleted'), await chatting.deleteFrom(id));
}

/** @param {Summary['kind']} kind */
async function create(kind) {
    (kind === 'chat' ? chatting : await openDesk()).begin();
    screens.show(kind === 'chat' ? 'chat' : 'writer');
}

/** What a shortcut asks for. @param {import('./views/keys.js').Done} done */
function press(done) {
    const {shown} = screens;
    if (done === 'chat' || done === 'document') create(done).catch(onError);
    if (done === 'search') sidebar.focusSearch();
    if (done === 'list') sidebar.toggle();
    if (done === 'back' || done === 'next') sidebar.step(done === 'next' ? 1 : -1);
    if (done === 'settings') at('open-settings').click();
    if (done === 'write') {
        if (shown === 'welcome') screens.show('chat');
        (shown === 'writer' ? desk : chat)?.focus();
    }
    if ((done === 'again' || done === 'copy') && shown === 'chat') chat.actOnLast(done);
    if (done === 'stop') for (const writer of [chatting, desk]) writer?.stop();
}

/** The model that answers what shows; its button leads to the others. */
function nameModel() {
    const own = screens.shown === 'chat' ? chatting.summary?.model : undefined,
        name = (own ?? (engine.gemma && engine.model))?.name;
    const label = name ? text('models.change', {name}) : '';
    at('model-name').textContent = name || text('models.open');
    Object.assign(at('change-model'), {title: label, ariaLabel: label || null});
}

/** Resumes an interrupted download if it may. @param {import('../weights/store/store.js').Stored[]} stored */
function resume(stored) {
    const partial = stored.find(({id, state}) => state === 'partial' && /^https?:/.test(id));
    if (!partial || wasCancelledBefore(partial.id) || engine.isBusy) return;
    const name = welcome.titleOf(partial);
    if (/** @type {any} */ (navigator).connection?.saveData) notices.show(text('loading.save-data', {name}));
    else start(() => engine.start(welcome.sourceOf(partial), name, text('loading.resumed')));
}

const openTools = once(async () => {
    const {Tools} = await later(() => import('./tools.js'));
    return new Tools({
        store, engine, welcome, switchTo, onSwitch: () => chatting.stop(), onError,
        preferences: () => settings.preferences,
        onNotice: (sentence, action) => notices.show(sentence, action),
    });
});
at('open-data').onclick = () => openTools().then((one) => one.openData()).catch(onError);
offerRequests(at('open-requests'), onError);
at('open-compare').onclick = () => openTools().then((one) => one.openCompare()).catch(onError);
at('new-chat').onclick = () => create(screens.shown === 'writer' ? 'document' : 'chat').catch(onError);
at('change-model').onclick = async () => {
    engine.close();
    if (!readAddress().id) clearAddress();      // of a new one, the next model's kind decides
    await welcome.refresh();
    screens.show('welcome');
};

listenToKeys(root, press, onError);
showAppearance(root, () => location.reload());
// A reload for a new version waits while there is text that is not sent or not stored.
install(root, () => engine.isBusy || Boolean(desk?.isUnstored) || at('message', HTMLTextAreaElement).value !== ''
    || at('url', HTMLInputElement).value !== '');
offerInstall(at('install'));
if (!store.isKept) notices.show(text('list.not-kept'));
// Writing into the chosen folder continues; another tab may choose one later.
const backUp = async () => {
    const isChosen = await store.database.read(['kept'], ({kept}) => kept.get('backup')).catch(() => undefined);
    if (!isChosen) return;
    endLooking();
    openTools().catch(onError);
};
const endLooking = store.listen(({kind}) => { if (kind === 'list') void backUp(); });
await backUp();
await screens.follow().catch(onError);
drafts = new Drafts(chat, chatting.id, (id) => store.list().some((one) => one.id === id));
receive({
    onNew: create,
    onShared: (shared) => void create('chat').then(() => chat.take(shared), onError),
    onProblem: () => notices.show(text('shared.failed')),
    onFiles: (files) => start(() => engine.start(files, files[0].name), true),
});
await welcome.refresh();
await welcome.offered;
resume(await Gemma.models.list());
