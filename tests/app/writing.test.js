// How the text that is open in the writer is stored, without a page.

import assert from 'node:assert/strict';
import test from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {Writing} from '../../web/app/writing.js';

const page = new EventTarget();
Object.assign(globalThis, {document: {addEventListener() {}},
    addEventListener: page.addEventListener.bind(page), removeEventListener: page.removeEventListener.bind(page)});

/** Whether the browser asks before it closes the page. */
const isAsked = () => !page.dispatchEvent(new Event('beforeunload', {cancelable: true}));

/** A store whose disk may be full, and the writer's field. */
function open() {
    const kept = new Map(), opened = [], wrong = [], disk = {isFull: false, isFullForNew: false, refused: 0};
    const store = {
        name: 'test', listen() {},
        list: () => [...kept.keys()].map((id) => ({id, folder: ''})), readText: async (id) => kept.get(id),
        async create() {
            await sleep(1);
            if (disk.isFullForNew && ++disk.refused) throw new Error('There is no room.');
            const id = `text${kept.size}`;
            kept.set(id, '');
            return {id};
        },
        async writeText(id, text) {
            await sleep(1);
            if (disk.isFull && ++disk.refused) throw new Error('There is no room.');
            kept.set(id, text);
        },
    };
    const view = {text: '', setText(text) { view.text = text; }, stop() {}};
    const writing = new Writing({store, view, onError: (error) => wrong.push(error),
        onOpened: (id) => opened.push(id), onConflict: () => assert.fail()});
    const type = (text) => {
        view.text = text;
        writing.changed();
    };
    return {kept, opened, wrong, disk, view, writing, type};
}

const until = async (isSo) => {
    while (!isSo()) await sleep(1);
};

/** The timers of the texts run when they are told to, those of the test by themselves. */
const stillTimers = (context) => {
    context.mock.timers.enable({apis: ['setTimeout']});
    return (ms) => context.mock.timers.tick(ms);
};

test('a new text that can\'t be stored at once becomes one text, however often it is tried', async (context) => {
    stillTimers(context);
    const {kept, opened, wrong, disk, writing} = open();
    disk.isFull = true;
    for (const text of ['O', 'On', 'Once']) await writing.keep(text);
    assert.deepEqual([[...kept], wrong.length, writing.id], [[['text0', '']], 3, 'text0']);
    disk.isFull = false;
    await writing.keep('Once more');
    assert.deepEqual([[...kept], opened], [[['text0', 'Once more']], ['text0']]);
});

test('what could not be stored is there when its text is opened again, and is stored once there is room',
    async (context) => {
    const tick = stillTimers(context), {kept, wrong, disk, view, writing, type} = open();
    kept.set('a', 'Stored').set('b', 'Other');
    await writing.open('a');
    disk.isFull = true;
    type('Stored, and more');
    assert.deepEqual([await writing.open('b'), view.text], [true, 'Other']);
    assert.deepEqual([await writing.open('a'), view.text, kept.get('a')],
        [true, 'Stored, and more', 'Stored']);
    await until(() => wrong.length);
    assert.equal(writing.isUnstored, true);
    await writing.open('b');
    tick(3000);
    await until(() => disk.refused === 2);
    await sleep(1);
    assert.deepEqual([wrong.length, kept.get('a')], [1, 'Stored'], 'the second try says nothing');
    assert.equal(isAsked(), true);
    disk.isFull = false;
    tick(3000);
    await until(() => !writing.isUnstored);
    assert.deepEqual([view.text, kept.get('a'), kept.get('b'), writing.isUnstored],
        ['Other', 'Stored, and more', 'Other', false]);
    assert.equal(isAsked(), false);
    await writing.open('a');
    assert.equal(view.text, 'Stored, and more');
});

test('a new text that could not be stored stays in reach', async (context) => {
    const tick = stillTimers(context), {kept, disk, view, writing, type} = open();
    kept.set('a', 'Stored');
    disk.isFullForNew = true;
    type('New');
    writing.begin();
    assert.equal(view.text, '', 'it may be stored yet');
    await until(() => view.text === 'New');
    await writing.open('a');
    writing.begin();
    assert.equal(view.text, 'New');
    await writing.open('a');
    disk.isFullForNew = false;
    tick(3000);
    await until(() => !writing.isUnstored);
    assert.deepEqual([view.text, [...kept], writing.id],
        ['Stored', [['a', 'Stored'], ['text1', 'New']], 'a']);
    writing.begin();
    assert.equal(view.text, '');
});

test('what is taken back while it is stored, or typed while another text is read, is stored so', async () => {
    const {kept, view, writing, type} = open();
    kept.set('a', 'One').set('b', 'Two');
    await writing.open('a');
    writing.keep('One more');
    type('One');
    await writing.open('b');
    await until(() => !writing.isUnstored);
    assert.equal(kept.get('a'), 'One');
    const opening = writing.open('a');
    view.text = 'Two, late';
    await opening;
    await until(() => !writing.isUnstored);
    assert.deepEqual([kept.get('b'), view.text], ['Two, late', 'One']);
});
