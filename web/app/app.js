// The page: wires the views to the one model that is loaded. Its state is `gemma`, the conversation, and which screen shows.

import {Gemma, GemmaError} from '../gemma.js';
import {within} from './views/dom.js';
import {wasCancelled} from './views/errors.js';
import {bytes, percent} from './views/format.js';
import {install} from './install.js';
import {rememberCancelled, wasCancelledBefore} from './data/preferences.js';
import {Chat} from './views/chat.js';
import {hideFacts, showFacts} from './views/facts.js';
import {Loading} from './views/loading.js';
import {Notices} from './views/notices.js';
import {Settings} from './views/settings.js';
import {Welcome} from './views/welcome.js';
import {Writer} from './views/writer.js';

/**
 * @typedef {import('../gemma.js').ModelSource} ModelSource
 * @typedef {import('../weights/file/progress.js').Progress} Progress
 */

const THREADS_FAILED = "The engine's threads did not start, so it runs on one core. Reload the page to try again.";

/** All of the page below which the views find their elements. */
const root = document.body;

/** @type {Gemma | undefined} */
let gemma;
/** @type {Promise<import('../gemma.js').Session> | undefined} the chat; the writer's texts stand alone */
let conversation;
/** @type {AbortController | undefined} ends the loading */
let loading;
/** What was started last, to start it again. @type {{model: ModelSource, name: string} | undefined} */
let started;

const notices = new Notices(root);
const settings = new Settings(root, {onReload: () => started && start(started.model, started.name)});
const welcome = new Welcome(root, {
    onStart: start, onReplace: replace, onKeep: keep,
    onError: (error) => notices.showError(error), onNotice: (text) => notices.show(text),
});
const loadingView = new Loading(root, {onCancel: cancel});
const chat = new Chat(root, {ask, onNew: forget});
const writer = new Writer(root, {ask});
const at = within(root);
const tabs = {writer: at('tab-writer'), chat: at('tab-chat')};
const views = {writer, chat};

/**
 * Loads a model and goes to work with it; or says why not, and goes back to the first screen.
 * @param {ModelSource} model
 * @param {string} name
 * @param {string} [hint]   why, where nobody asked for it just now
 */
function start(model, name, hint) {
    return whileLoading(name, hint, async (signal) => {
        if (await hasRoom(model, name)) await loadOrReplace(model, name, signal);
    }, () => start(model, name));
}

/** Downloads what a model's address has now, in the place of what is stored. @type {typeof start} */
function replace(model, name) {
    return whileLoading(name, '', (signal) => load(model, name, signal, true), () => replace(model, name));
}

/** Gigabytes come again only when somebody wants them. @param {ModelSource} model @param {string} name @param {AbortSignal} signal */
async function loadOrReplace(model, name, signal) {
    try {
        await load(model, name, signal);
    } catch (error) {
        const question = `Pieces of ${name} are missing or damaged here, and its address has another version now. Download that in its place?`;
        if (!(error instanceof GemmaError) || error.code !== 'changed' || !confirm(question)) throw error;
        await load(model, name, signal, true);
    }
}

/** Keeps a copy of a model from the disk in this browser, then works with that. @param {File[]} files @param {string} name */
function keep(files, name) {
    return whileLoading(name, '', async (signal) => {
        const onProgress = (/** @type {Progress} */ progress) => loadingView.progress(name, progress, 'Copying');
        const stored = await Gemma.models.import(files, {signal, onProgress});
        await load(stored.id, stored.name, signal);
    }, () => keep(files, name));
}

/** @param {ModelSource} model @param {string} name @param {AbortSignal} signal */
async function load(model, name, signal, update = false) {
    started = {model, name};
    rememberCancelled(undefined);
    /** @type {string | undefined} */
    let notice;
    gemma = await Gemma.load(model, {
        ...settings.group('loading'), signal, update,
        onProgress(/** @type {Progress} */ progress) {
            notice = progress.notice ?? notice;
            loadingView.progress(name, progress);
        },
    });
    const sentences = [gemma.info.threadsFailed && THREADS_FAILED, notice].filter(Boolean);
    if (sentences.length) notices.show(sentences.join(' '));
    begin(gemma);
}

/**
 * Shows the loading screen while `work` goes on. What it throws is shown on the first screen, with a button that calls `retry`.
 * @param {string} name @param {string | undefined} hint
 * @param {(signal: AbortSignal) => Promise<void>} work @param {() => void} retry
 */
async function whileLoading(name, hint, work, retry) {
    stop();
    welcome.stop();
    close();
    notices.hideError();
    started = undefined;
    const {signal} = loading = new AbortController();
    loadingView.begin(name, hint);
    show('loading');
    /** @type {any} */
    let failure;
    try {
        await work(signal);
    } catch (error) {
        failure = error;
    } finally {
        loading = undefined;
    }
    if (!gemma) {
        await welcome.refresh();
        show('welcome');
    }
    if (failure && !wasCancelled(failure)) notices.showError(failure, retry);
}

/** Whether what is about to be downloaded can be kept, or may run without. @param {ModelSource} model @param {string} name */
async function hasRoom(model, name) {
    if (typeof model !== 'object' || !('urls' in model && 'size' in model) ) return true;
    const {urls, size} = model;
    if (!urls || size === undefined) return true;
    const {enough, needed, free, deletable} = await Gemma.models.room(size, urls[0]);
    if (enough) return true;
    const others = deletable.length ? ` What could be deleted: ${deletable.map((other) => `${other.name} (${bytes(other.storedBytes)})`).join(', ')}.` : '';
    return confirm(`This browser has too little room to keep ${name}: ${bytes(needed)} are needed, and ${bytes(free ?? 0)} are free.${others} ` +
        'Download it and run it all the same, without keeping it?');
}

/** What a person has cancelled does not go on by itself at the next visit. */
function cancel() {
    loading?.abort();
    rememberCancelled(started && Gemma.models.idOf(started.model));
}

/** A base model is best at continuing a text, a chat model at answering: that comes first. @param {Gemma} loaded */
function begin({info}) {
    const {chat: isChat, chatStyle} = info;
    settings.setLoaded(true);
    chat.setStyle(chatStyle, isChat);
    tabs.chat.textContent = chatStyle === 'transcript' ? 'Chat (transcript)' : 'Chat';
    at('tabs').replaceChildren(...isChat ? [tabs.chat, tabs.writer] : [tabs.writer, tabs.chat]);
    showFacts(root, info);
    show(isChat ? 'chat' : 'writer');
}

/**
 * Errors are shown here.
 * @type {import('./views/chat.js').Ask}
 */
async function ask({text, raw = false, signal}, onPiece, onReading) {
    notices.hideError();
    const {maxTokens, ...sampling} = settings.group('sampling');
    const asked = gemma;
    if (!asked) throw new Error('There is no model to ask.');
    try {
        conversation ??= asked.session().catch((error) => {
            conversation = undefined;       // the next try begins anew
            throw error;
        });
        const onProgress = (/** @type {{done: number, total: number}} */ {done, total}) => done < total && onReading(percent(done / total));
        const answer = (await conversation).prompt(text, {signal, raw, maxTokens, sampling, onProgress});
        for await (const piece of answer) onPiece(piece);
        const result = await answer.result;
        if (asked === gemma) showFacts(root, asked.info, result);
        return result;
    } catch (error) {
        if (asked === gemma) notices.showError(/** @type {Error} */ (error));      // of a model that was closed meanwhile, nobody wants to know
        throw error;
    }
}

/** Begins a new conversation; what the engine still holds of the old one is dropped by itself. */
function forget() {
    conversation?.then((session) => session.close()).catch(() => {});
    conversation = undefined;
}

function stop() {
    writer.stop();
    chat.stop();
}

/** Gives the model's memory back. */
function close() {
    gemma?.close();
    gemma = undefined;
    conversation = undefined;
    chat.clear();
    settings.setLoaded(false);
    hideFacts(root);
}

/** @param {'welcome' | 'loading' | 'writer' | 'chat'} screen */
function show(screen) {
    document.body.dataset.screen = screen;
    for (const name of ['welcome', 'loading', 'writer', 'chat']) at(name).hidden = name !== screen;
    at('tabs').hidden = at('change-model').hidden = !(screen in views);
    for (const [name, tab] of Object.entries(tabs)) {
        tab.setAttribute('aria-selected', String(name === screen));
        tab.tabIndex = name === screen ? 0 : -1;
    }
    scrollTo({top: 0});
    if (screen === 'welcome') at('welcome-title').focus();
    if (screen === 'writer' || screen === 'chat') views[screen].focus();
}

/** A download that broke off with the page goes on by itself, unless it was cancelled or the connection costs. @param {import('../weights/store/store.js').Stored[]} stored */
function resume(stored) {
    const partial = stored.find(({id, state}) => state === 'partial' && /^https?:/.test(id));
    if (!partial || wasCancelledBefore(partial.id) || loading || gemma) return;
    const name = welcome.titleOf(partial);
    if (/** @type {any} */ (navigator).connection?.saveData)
        notices.show(`The download of ${name} was interrupted. Your connection is to save data, so it waits for you.`);
    else start(welcome.sourceOf(partial), name, 'This download was interrupted, and goes on by itself.');
}

tabs.writer.onclick = () => show('writer');
tabs.chat.onclick = () => show('chat');
at('tabs').onkeydown = (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = event.target === tabs.writer ? 'chat' : 'writer';
    show(other);
    tabs[other].focus();
};
at('change-model').onclick = async () => {
    stop();
    close();
    await welcome.refresh();
    show('welcome');
};

install(root, () => Boolean(gemma || loading));
await welcome.refresh();
await welcome.offered;
resume(await Gemma.models.list());
