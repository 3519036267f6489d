// The open conversation, without elements: what its view is told.

import assert from 'node:assert/strict';
import {after, test} from 'node:test';
import {Chatting} from '../../web/app/chatting.js';
import {openConversations} from '../../web/app/data/conversations.js';
import {find, press} from './elements.js';

const {MessageView} = await import('../../web/app/views/message.js');      // it needs a page

const stores = [];
after(() => stores.forEach((store) => store.close()));

/** @param {object} [more]   parts */
async function open(more) {
    // in memory: Node has no IndexedDB
    const store = await openConversations(`chatting ${stores.length}`);
    stores.push(store);
    const out = {shown: [], streams: [], errors: []};
    const view = {
        setTitle() {}, setBusy() {}, takeBack() {}, focusOn() {}, async ready() {},
        show: (path) => out.shown.push(path.map(({message}) => message.content)),
        stream(id) {
            const stream = {id, text: '', isEnded: false};
            out.streams.push(stream);
            return {add: (text) => { stream.text += text; }, reading() {}, dropped() {},
                end: () => { stream.isEnded = true; }};
        },
    };
    let hear;
    const listened = new Proxy(store, {get: (of, name) => name === 'listen' ? (listener) => { hear = listener;
        } : typeof of[name] === 'function' ? of[name].bind(of) : of[name]});
    const chatting = new Chatting({store: listened, view, onError: (error) => out.errors.push(error),
        onAnswered() {}, onOpened() {}, settingsOf: () => ({options: {}}), ...more});
    return {store, chatting, hear: (change) => hear(change), ...out};
}

test('what another tab writes goes on in the view that is there after going away and back', async () => {
    const {store, chatting, hear, streams} = await open();
    const {summary: {id}, message} = await store.begin({kind: 'chat'}, {role: 'user', content: 'Q',
        parent: null}), other = await store.begin({kind: 'chat'}, {role: 'user', content: 'O', parent: null});
    const answer = await store.add(id, {role: 'assistant', content: '', parent: message.id});
    const write = async (at, text) => {
        await store.edit(answer.id, {content: 'One two three'.slice(0, at + text.length)});
        hear({kind: 'conversation', id, message: answer.id, at, text});
    };
    await chatting.open(id);
    await write(0, 'One');
    await chatting.open(other.summary.id);
    await chatting.open(id);
    await write(3, ' two');
    await write(7, ' three');
    assert.deepEqual(streams.map(({text, isEnded}) => [text, isEnded]),
        [['One', true], [' two three', false]]);
});

test('Undo of a deletion leaves what was asked since where it is, also while it is answered', async () => {
    let begun, end;
    const asked = new Promise((done) => { begun = done; }), ended = new Promise((done) => { end = done; });
    const talk = {async ask({onPiece}) {
        onPiece('A');
        begun();
        await ended;
        return {finishReason: 'stop', seed: 1, tokens: [1], cachedTokens: 0, promptTokens: [1],
            timings: {decodeTokens: 1, decodeMs: 1, prefillMs: 1}};
    }};
    const {store, chatting, shown,
        errors} = await open({open: async () => ({talk, model: {id: '', name: 'M'}})});
    const {summary: {id}, message} = await store.begin({kind: 'chat'},
        {role: 'user', content: 'Old', parent: null});
    const answer = await store.add(id, {role: 'assistant', content: 'Answer', parent: message.id}),
        last = await store.add(id, {role: 'user', content: 'Last', parent: answer.id});
    await chatting.open(id);
    // What stood at the end before stands there again.
    await (await chatting.deleteFrom(last.id))();
    assert.deepEqual(shown.at(-1), ['Old', 'Answer', 'Last']);
    const undo = await chatting.deleteFrom(last.id), sending = chatting.send('New');
    await asked;
    const before = shown.length;
    await undo();
    assert.equal(shown.length, before, 'what is being written stays on the page');
    end();
    await sending;
    assert.deepEqual([shown.at(-1), errors], [['Old', 'Answer', 'New', 'A'], []]);
    assert.deepEqual(store.find(id).messages, 5);
});

/** A chat with a model that answers so, about a file in one part. @param {[string, string][]} replies */
async function openInParts(replies) {
    globalThis.matchMedia ??= /** @type {any} */ (() => ({matches: false}));     // of the views of files
    const asked = [], session = {close: async () => {}, prompt(messages) {
        asked.push(messages.map(({role, content}) => role === 'user' ? role : content));
        const [text, finishReason] = replies.shift();
        return {async *[Symbol.asyncIterator]() { yield text; }, result: Promise.resolve({text, finishReason,
            tokens: [1], promptTokens: [1], cachedTokens: 0, seed: 1,
            timings: {decodeTokens: 1, decodeMs: 1, prefillMs: 1}})};
    }};
    const gemma = {info: {contextLength: 900}, session: async () => session, count: async () => 9,
        tokenize: async (text) => text.split(' ')};
    return {asked, ...await open({open: async () => ({talk: {gemma}, model: {id: '', name: 'M'}})}),
        files: [{name: 'a.txt', type: '', size: 1, text: 'A short text.', how: 'parts'}]};
}

test('Continue on an answer about a file in one part that was cut continues it', async () => {
    const {store, chatting, asked, errors, files} = await openInParts(
        [['The text', 'length'], [' goes', 'length'], [' on.', 'stop']]);
    await chatting.send('Short?', files);
    const [, answer] = await store.read(chatting.id), {content, parts, readTo, lastAt} = answer;
    assert.deepEqual([content.slice(lastAt), parts, readTo], ['The text', ['The text'], {file: 0, end: 13}]);
    await chatting.continue(answer.id);
    await chatting.continue(answer.id);
    const [, last] = await store.read(chatting.id);
    assert.deepEqual([last.state, last.content, asked, errors], ['done', `${content} goes on.`,
        [['user'], ['user', 'The text'], ['user', 'The text goes']], []]);
});

test('what could not be kept of a part is kept with the end of the answer, and said once', async () => {
    const {store, chatting, errors, files} = await openInParts([['The text', 'length']]), {edit} = store;
    store.edit = async (id, changes) => {
        if ('lastAt' in changes) throw new Error('There is no room.');
        await edit.call(store, id, changes);
    };
    await chatting.send('Short?', files);
    const [, {content, parts, readTo, lastAt}] = await store.read(chatting.id);
    assert.deepEqual([content.slice(lastAt), parts, readTo, errors.length],
        ['The text', ['The text'], {file: 0, end: 13}, 1]);
});

test('Escape leaves an edit, but not one that takes back what an input method has begun', () => {
    const ended = [], message = {id: 'c/1', role: 'user', content: 'Q', state: 'done', created: 0},
        view = new MessageView({message, branch: 1, branches: 1}, assert.fail), {element} = view;
    view.edit((...how) => ended.push(how));
    const [form] = find('form', element);
    for (const composing of [{isComposing: true}, {keyCode: 229}]) press(form, 'Escape', composing);
    assert.deepEqual([ended, find('form', element)], [[], [form]]);
    press(form, 'Escape');
    assert.deepEqual([ended, find('form', element)], [[[undefined, true]], []]);
});
