// The folder in which conversations are written, as several tabs share it: without a browser. In a real one:
// data.test.js.

import assert from 'node:assert/strict';
import {after, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {Backup} from '../../web/app/data/backup.js';
import {openConversations} from '../../web/app/data/conversations.js';

globalThis.navigator ??= /** @type {any} */ ({});      // Node 20

const ends = [];
after(() => ends.forEach((end) => end()));

const until = async (isSo) => {
    while (!isSo()) await sleep(1);
};

/** A folder, as a page has it. @param {string} name */
function folderOf(name) {
    const folder = {
        name, files: new Map(), permission: 'granted', before: async () => {},
        queryPermission: async () => folder.permission,
        requestPermission: async () => folder.permission = 'granted',
        async getFileHandle(file) {
            await folder.before();
            if (folder.permission !== 'granted') throw new DOMException('No.', 'NotAllowedError');
            return {createWritable: async () => ({
                write: async (content) => folder.files.set(file, content), close: async () => {},
            })};
        },
        removeEntry: async (file) => folder.files.delete(file),
        /** The first letters of what lies in it. */
        get titles() {
            return [...folder.files.keys()].filter((file) => file.endsWith('.md')).map(([letter]) => letter)
                .sort().join('');
        },
    };
    return folder;
}

/** Conversations, and tabs that write them. These folders can't be cloned: they are kept as they are. */
async function open() {
    const kept = new Map(), store = await openConversations(`backup ${ends.length}`);
    ends.push(() => store.close());
    const table = {
        get: async (key) => kept.get(key), put: (key, value) => kept.set(key, value),
        delete: (key) => kept.delete(key),
        deleteBelow: (key) => [...kept.keys()].filter((one) => one.startsWith(`${key}/`))
            .forEach((one) => kept.delete(one)),
    };
    const work = (_, work) => work({kept: table}), database = {read: work, change: work};
    const shared = /** @type {any} */ ({name: store.name, database, list: () => store.list(),
        listen: (one) => store.listen(one), read: (id) => store.read(id),
        readText: (id) => store.readText(id)});
    return {kept, create: (title) => store.create({title}), tab() {
        const tab = new Backup(shared, {pause: 5});
        ends.push(() => tab.close());
        return Object.assign(tab, {chooseThis(folder) {
            globalThis.showDirectoryPicker = async () => folder;
            return tab.choose();
        }});
    }};
}

test('each tab writes into the folder that is chosen now, whichever tab has chosen it', async () => {
    const {create, tab} = await open(), first = folderOf('first'), second = folderOf('second'), one = tab(),
        two = tab();
    await create('A');
    await Promise.all([one.begin(), two.begin()]);
    await one.chooseThis(first);
    assert.equal(first.titles, 'A');
    one.close();
    await create('B');
    await until(() => first.titles === 'AB' && two.state.state === 'on');

    const three = tab();
    await three.chooseThis(second);
    three.close();
    assert.equal(second.titles, 'AB');
    await create('C');
    await until(() => second.titles === 'ABC' && two.state.state === 'on');
    assert.deepEqual([first.titles, two.state.folder], ['AB', 'second']);

    const four = tab();
    await four.begin();
    await four.forget();
    four.close();
    await create('D');
    await until(() => two.state.state === 'off');
    assert.deepEqual([first.titles, second.titles, two.state], ['AB', 'ABC', {state: 'off'}]);
});

test('what a tab was writing when another folder was chosen is written into that, too', async () => {
    const {kept, create, tab} = await open(), first = folderOf('first'), second = folderOf('second');
    let release, isWriting = false;
    const released = new Promise((resolve) => { release = resolve; });
    first.before = () => {
        isWriting = true;
        return released;
    };
    await create('A');
    await create('B');
    const writing = tab().chooseThis(first);
    await until(() => isWriting);
    const choosing = tab().chooseThis(second);
    await until(() => kept.get('backup') === second);
    release();
    await Promise.all([writing, choosing]);
    assert.equal(second.titles, 'AB');
});

test('what lies in a folder that an older page has chosen is not written again', async () => {
    const {kept, create, tab} = await open(), folder = folderOf('folder'), summary = await create('A');
    kept.set('backup', folder).set(`backup/${summary.id}`, {name: 'A', stamp: JSON.stringify(summary)});
    await create('B');
    await tab().begin();
    assert.equal(folder.titles, 'B');
});

test('a folder without permission is asked for, and another tab may choose another one', async () => {
    const {create, tab} = await open(), first = folderOf('first'), second = folderOf('second'), one = tab();
    await one.chooseThis(first);
    first.permission = 'prompt';
    await create('A');
    await until(() => one.state.state === 'no-permission');
    await one.allow();
    assert.deepEqual([one.state, first.titles], [{state: 'on', folder: 'first'}, 'A']);
    first.permission = 'prompt';
    await create('B');
    await until(() => one.state.state === 'no-permission');
    const two = tab();
    await two.chooseThis(second);
    two.close();
    await create('C');
    await until(() => one.state.state === 'on' && second.titles === 'ABC');
    assert.equal(one.state.folder, 'second');
});
