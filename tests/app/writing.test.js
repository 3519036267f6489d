// How the text that is open in the writer is stored, without a page.

import assert from 'node:assert/strict';
import test from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {Writing} from '../../web/app/writing.js';

Object.assign(globalThis, {addEventListener() {}, document: {addEventListener() {}}});

test('a new text that can\'t be stored at once becomes one text, however often it is tried', async () => {
    const kept = new Map(), opened = [], wrong = [];
    let isFull = true;
    const store = {
        name: 'test', listen() {}, list: () => [...kept.keys()].map((id) => ({id, folder: ''})),
        readText: async (id) => kept.get(id),
        async create() {
            const id = `text${kept.size}`;
            kept.set(id, '');
            return {id};
        },
        async writeText(id, text) {
            await sleep(1);
            if (isFull) throw new Error('There is no room.');
            kept.set(id, text);
        },
    };
    const view = {text: '', setText(text) { view.text = text; }, stop() {}};
    const writing = new Writing({store, view, onError: (error) => wrong.push(error),
        onOpened: (id) => opened.push(id), onConflict: () => assert.fail()});
    for (const text of ['O', 'On', 'Once']) await writing.keep(text);
    assert.deepEqual([[...kept], wrong.length, writing.id], [[['text0', '']], 3, 'text0']);
    isFull = false;
    await writing.keep('Once more');
    assert.deepEqual([[...kept], opened], [[['text0', 'Once more']], ['text0']]);
});
