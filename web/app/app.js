// The page: wires the views to the one model that is loaded. Its state is `gemma`, the conversation, and which screen shows.

import {Gemma} from '../gemma.js';
import {byId} from './views/dom.js';
import {wasCancelled} from './views/errors.js';
import {bytes, percent} from './views/format.js';
import {install} from './install.js';
import {rememberCancelled, wasCancelledBefore} from './data/preferences.js';
import {createChat} from './views/chat.js';
import {showFacts} from './views/facts.js';
import {createLoading} from './views/loading.js';
import {hideError, showError, showNotice} from './views/notices.js';
import {createSettings} from './views/settings.js';
import {createWelcome} from './views/welcome.js';
import {createWriter} from './views/writer.js';

/** @type {Gemma | undefined} */
let gemma;
/** @type {Promise<import('../gemma.js').Session> | undefined} the chat; the writer's texts stand alone */
let conversation;
/** @type {AbortController | undefined} ends the loading */
let loading;
/** What was started last, to start it again. @type {{model: import('../gemma.js').ModelSource, name: string} | undefined} */
let started;

const settings = createSettings({onReload: () => start(started.model, started.name)});
const welcome = createWelcome({onStart: start, onReplace: replace, onKeep: keep, onError: showError, onNotice: showNotice});
const loadingView = createLoading({onCancel: cancel});
const chat = createChat({ask, onNew: forget});
const writer = createWriter({ask});
const tabs = {writer: byId('tab-writer'), chat: byId('tab-chat')};
const views = {writer, chat};

/**
 * Loads a model and goes to work with it; or says why not, and goes back to the first screen.
 * @param {import('../gemma.js').ModelSource} model
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

/** Gigabytes come again only when somebody wants them. */
async function loadOrReplace(model, name, signal) {
    try {
        await load(model, name, signal);
    } catch (error) {
        const question = `Pieces of ${name} are missing or damaged here, and its address has another version now. Download that in its place?`;
        if (error.code !== 'changed' || !confirm(question)) throw error;
        await load(model, name, signal, true);
    }
}

/** Keeps a copy of a model from the disk in this browser, then works with that. @param {File[]} files */
function keep(files, name) {
    return whileLoading(name, '', async (signal) => {
        const onProgress = (progress) => loadingView.progress(name, progress, 'Copying');
        const stored = await Gemma.models.import(files, {signal, onProgress});
        await load(stored.id, stored.name, signal);
    }, () => keep(files, name));
}

async function load(model, name, signal, update = false) {
    started = {model, name};
    rememberCancelled(undefined);
    let notice;
    gemma = await Gemma.load(model, {
        ...settings.group('loading'), signal, update,
        onProgress(progress) {
            notice = progress.notice ?? notice;
            loadingView.progress(name, progress);
        },
    });
    if (notice) showNotice(notice);
    begin();
}

/** Shows the loading screen while `work` goes on. What it throws is shown on the first screen, with a button that calls `retry`. */
async function whileLoading(name, hint, work, retry) {
    stop();
    welcome.stop();
    close();
    hideError();
    started = undefined;
    const {signal} = loading = new AbortController();
    loadingView.begin(name, hint);
    show('loading');
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
    if (failure && !wasCancelled(failure)) showError(failure, retry);
}

/** Whether what is about to be downloaded can be kept, or may run without. */
async function hasRoom({urls, size}, name) {
    if (!urls) return true;
    const {enough, needed, free, deletable} = await Gemma.models.room(size, urls[0]);
    if (enough) return true;
    const others = deletable.length ? ` What could be deleted: ${deletable.map((other) => `${other.name} (${bytes(other.storedBytes)})`).join(', ')}.` : '';
    return confirm(`This browser has too little room to keep ${name}: ${bytes(needed)} are needed, and ${bytes(free)} are free.${others} ` +
        'Download it and run it all the same, without keeping it?');
}

/** What a person has cancelled does not go on by itself at the next visit. */
function cancel() {
    loading?.abort();
    rememberCancelled(started && Gemma.models.idOf(started.model));
}

/** A base model is best at continuing a text, a chat model at answering: that comes first. */
function begin() {
    const {chat: isChat, chatStyle} = gemma.info;
    settings.setLoaded(true);
    chat.setStyle(chatStyle, isChat);
    tabs.chat.textContent = chatStyle === 'transcript' ? 'Chat (transcript)' : 'Chat';
    byId('tabs').replaceChildren(...isChat ? [tabs.chat, tabs.writer] : [tabs.writer, tabs.chat]);
    showFacts(gemma.info);
    show(isChat ? 'chat' : 'writer');
}

/**
 * Puts a text to the model and streams what it writes. Errors are shown here, and thrown for the caller to tidy up.
 * @callback Ask
 * @param {{text: string, raw?: boolean, signal: AbortSignal}} request   raw: continue the text, outside the conversation
 * @param {(piece: string) => void} onPiece
 * @param {(share: string) => void} onReading   of a long text, how much has been read: '40 %'
 * @returns {Promise<import('../gemma.js').Result>}
 * @type {Ask}
 */
async function ask({text, raw = false, signal}, onPiece, onReading) {
    hideError();
    const {maxTokens, ...sampling} = settings.group('sampling');
    const asked = gemma;
    try {
        conversation ??= asked.session().catch((error) => {
            conversation = undefined;       // the next try begins anew
            throw error;
        });
        const onProgress = ({done, total}) => done < total && onReading(percent(done / total));
        const answer = (await conversation).prompt(text, {signal, raw, maxTokens, sampling, onProgress});
        for await (const piece of answer) onPiece(piece);
        const result = await answer.result;
        if (asked === gemma) showFacts(asked.info, result);
        return result;
    } catch (error) {
        if (asked === gemma) showError(error);      // of a model that was closed meanwhile, nobody wants to know
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
    byId('facts').hidden = true;
}

/** @param {'welcome' | 'loading' | 'writer' | 'chat'} screen */
function show(screen) {
    document.body.dataset.screen = screen;
    for (const name of ['welcome', 'loading', 'writer', 'chat']) byId(name).hidden = name !== screen;
    byId('tabs').hidden = byId('change-model').hidden = !(screen in views);
    for (const [name, tab] of Object.entries(tabs)) {
        tab.setAttribute('aria-selected', String(name === screen));
        tab.tabIndex = name === screen ? 0 : -1;
    }
    scrollTo({top: 0});
    if (screen === 'welcome') byId('welcome-title').focus();
    views[screen]?.focus();
}

/** A download that broke off with the page goes on by itself, unless it was cancelled or the connection costs. */
function resume(stored) {
    const partial = stored.find(({id, state}) => state === 'partial' && /^https?:/.test(id));
    if (!partial || wasCancelledBefore(partial.id) || loading || gemma) return;
    const name = welcome.titleOf(partial);
    if (navigator.connection?.saveData) showNotice(`The download of ${name} was interrupted. Your connection is to save data, so it waits for you.`);
    else start(welcome.sourceOf(partial), name, 'This download was interrupted, and goes on by itself.');
}

for (const [name, tab] of Object.entries(tabs)) tab.onclick = () => show(name);
byId('tabs').onkeydown = (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = event.target === tabs.writer ? 'chat' : 'writer';
    show(other);
    tabs[other].focus();
};
byId('change-model').onclick = async () => {
    stop();
    close();
    await welcome.refresh();
    show('welcome');
};

install(() => Boolean(gemma || loading));
await welcome.refresh();
await welcome.offered;
resume(await Gemma.models.list());
