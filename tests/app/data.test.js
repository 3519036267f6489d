// Conversations as data, in a real browser: what is kept, what tabs see of each other, what a crash or a full disk leaves.

import assert from 'node:assert/strict';
import {check, lab, openPage} from './data_lab.js';

/* global store, data, heard */

check('a conversation from its first message to its deletion, and again after a reload', async () => {
    const seen = await lab.page.evaluate(async () => {
        const chat = await store.create({model: {id: 'm', name: 'M'}, settings: {temperature: 0.5}});
        const user = await store.add(chat.id, {role: 'user', content: '\n  How salty is the sea, and why is it so much saltier than every river?\nSecond line', parent: null});
        const answer = await store.add(chat.id, {role: 'assistant', content: 'Very.', parent: user.id, figures: {tokens: 2}});
        const note = await store.create({kind: 'document', folder: 'Work'});
        await store.writeText(note.id, 'Once upon a time');
        await store.change(note.id, {pinned: true, title: 'Tale'});
        await store.writeText(note.id, 'Twice upon a time');
        await store.edit(answer.id, {content: 'Quite.'});
        return {chat: chat.id, note: note.id, user, answer, heard: heard.splice(0)};
    });
    assert.deepEqual(new Set(seen.heard.map(({kind}) => kind)), new Set(['list', 'conversation']));
    const again = await openPage();
    const {list, messages, text, folders} = await again.evaluate(async ({chat, note}) => ({
        list: store.list(), messages: await store.read(chat), text: await store.readText(note), folders: store.folders(),
    }), seen);
    assert.deepEqual(list.map(({id}) => id), [seen.note, seen.chat], 'pinned first');
    assert.deepEqual([list[0].title, list[0].isTitled, list[0].kind, text, folders], ['Tale', true, 'document', 'Twice upon a time', ['Work']]);
    assert.deepEqual([list[1].title, list[1].isTitled, list[1].leaf, list[1].messages], ['How salty is the sea, and why is it so much saltier than…', false, seen.answer.id, 2]);
    assert.deepEqual([list[1].model, list[1].settings], [{id: 'm', name: 'M'}, {temperature: 0.5}]);
    assert.deepEqual(messages, [seen.user, {...seen.answer, content: 'Quite.'}]);
    assert.equal((await again.evaluate(() => store.edit('no/such', {}).catch(({code}) => code))), 'not-found');
});

check('branches: deleting from a message shows another branch, and undo brings all of it back', async () => {
    const seen = await lab.page.evaluate(async () => {
        const {id} = await store.create(), add = (parent, content, role = 'user') => store.add(id, {role, content, parent});
        const a = await add(null, 'a'), b1 = await add(a.id, 'b1', 'assistant'), c1 = await add(b1.id, 'c1'), b2 = await add(a.id, 'b2', 'assistant'), c2 = await add(b2.id, 'c2');
        const path = async () => data.pathTo(await store.read(id), store.find(id).leaf).map(({content}) => content).join(' ');
        const steps = [await path()];
        const undo = await store.deleteFrom(b2.id);
        steps.push(await path(), store.find(id).messages);
        await undo();
        steps.push(await path(), store.find(id).messages);
        await store.change(id, {leaf: c1.id});
        await store.deleteFrom(c2.id);
        steps.push(await path());
        await store.deleteFrom(a.id);
        return [...steps, await path(), store.find(id).messages, store.find(id).leaf];
    });
    assert.deepEqual(seen, ['a b2 c2', 'a b1 c1', 3, 'a b2 c2', 5, 'a b1 c1', '', 0, null]);
});

check('what is deleted can be brought back, and is gone for good at the next start', async () => {
    const [kept, gone] = await lab.page.evaluate(async () => {
        const chats = [await store.create({title: '1'}), await store.create({title: '2'}), await store.create({title: '3'})];
        for (const {id} of chats) await store.add(id, {role: 'user', content: 'x', parent: null});
        const undo = await store.delete([chats[0].id, chats[1].id]);
        if (store.list().length !== 1) throw new Error('they are still listed');
        await undo();
        if (store.list().length !== 3) throw new Error('they did not come back');
        await store.delete([chats[0].id, chats[2].id]);
        return [[chats[1].id], [chats[0].id, chats[2].id]];
    });
    const counts = (page) => page.evaluate((ids) => Promise.all(ids.map((id) =>
        store.database.read(['messages'], async ({messages}) => (await messages.all(id)).length))), [...kept, ...gone]);
    const beside = await openPage();
    assert.deepEqual(await beside.evaluate(() => store.list().map(({id}) => id)), kept);
    assert.deepEqual(await counts(beside), [1, 1, 1], 'while another tab could still bring them back');
    await beside.close();
    await lab.page.close();
    assert.deepEqual(await counts(await openPage()), [1, 0, 0]);
});

check('two tabs: each sees what the other does, and neither loses a message of the other', async () => {
    const {page} = lab, other = await openPage();
    const id = await page.evaluate(async () => (await store.create()).id);
    const add = () => async (id, name) => {
        for (let i = 0; i < 20; i++) await store.add(id, {role: 'user', content: `${name}${i}`, parent: null});
        await store.change(id, {[name]: true});
    };
    await Promise.all([page.evaluate(add(), id, 'folder'), other.evaluate(add(), id, 'pinned')]);
    for (const each of [page, other]) {
        await each.waitForFunction((id) => store.find(id)?.messages === 40 && store.find(id).folder && store.find(id).pinned, {}, id);
        assert.equal((await each.evaluate((id) => store.read(id), id)).length, 40);
    }
    await page.evaluate(async (id) => { globalThis.undo = await store.delete([id]); }, id);
    await other.waitForFunction(() => store.list().length === 0);
    await page.evaluate(() => globalThis.undo());
    await other.waitForFunction(() => store.list().length === 1);
});

check('an answer is kept piece by piece: other tabs read and follow it, and only one writes', async () => {
    const {page} = lab, other = await openPage();
    const id = await page.evaluate(async () => {
        const chat = await store.create(), question = await store.add(chat.id, {role: 'user', content: '?', parent: null});
        const {id} = await store.add(chat.id, {role: 'assistant', content: '', parent: question.id, state: 'writing'});
        globalThis.writing = store.write(id);
        await Promise.all(['Ein ', 'Sch', 'iff.'].map((piece) => globalThis.writing.append(piece)));
        return id;
    });
    const last = (page) => page.evaluate(async (id) => (await store.read(id.split('/')[0])).at(-1), id);
    for (const each of [page, other]) assert.deepEqual(await last(each).then(({content, state}) => [content, state]), ['Ein Schiff.', 'writing']);
    assert.equal(await other.evaluate((id) => store.write(id).append('x').catch(({code}) => code), id), 'in-use');
    await other.evaluate(() => void heard.splice(0));
    await page.evaluate(async () => {
        for (let i = 0; i < 600; i++) await globalThis.writing.append(`${i} `);
    });
    const numbers = Array.from({length: 600}, (_, i) => `${i} `).join('');
    await other.waitForFunction(() => heard.filter(({text}) => text).length === 600);
    const followed = await other.evaluate(() => heard.reduce((text, piece) => {
        if (piece.at !== text.length) throw new Error('a piece is missing');
        return text + piece.text;
    }, 'Ein Schiff.'));
    assert.equal(followed, `Ein Schiff.${numbers}`);
    assert.equal((await last(other)).content, followed);
    await page.evaluate(() => globalThis.writing.finish({finishReason: 'stop', figures: {tokens: 600}}));
    await other.waitForFunction(() => heard.at(-1)?.text === undefined);
    const done = await last(other);
    assert.deepEqual([done.content, done.state, done.finishReason, done.figures], [followed, 'done', 'stop', {tokens: 600}]);
    assert.equal(await page.evaluate(() => store.database.read(['journal'], async ({journal}) => (await journal.keys()).length)), 0);
    await other.evaluate(async (id) => {
        const more = store.write(id);
        await more.append('More.');
        await more.finish({state: 'stopped'});
    }, id);
    assert.deepEqual(await last(page).then(({content, state}) => [content, state]), [`${followed}More.`, 'stopped']);
});

check('a tab that is killed in the middle of an answer loses nothing that was confirmed, 20 times', async () => {
    const reader = lab.page;
    for (let round = 0; round < 20; round++) {
        const page = await openPage();
        let confirmed = '';
        await page.exposeFunction('confirmed', (text) => { confirmed += text; });
        const id = await page.evaluate(async () => {
            const chat = await store.create(), {id} = await store.add(chat.id, {role: 'assistant', content: '>', parent: null, state: 'writing'});
            const writing = store.write(id);
            (async () => {
                for (let i = 0; ; i++) await writing.append(`${i} `).then(() => globalThis.confirmed(`${i} `));
            })();
            return id;
        });
        const enough = 1 + round * 97;
        while (confirmed.length < enough) await new Promise((later) => { setTimeout(later, 1); });
        const client = await page.createCDPSession();
        client.send('Page.crash').catch(() => {});
        await new Promise((crashed) => { page.once('error', crashed); });
        const shown = confirmed;
        let message;
        do message = await reader.evaluate(async (id) => (await store.read(id.split('/')[0]))[0], id); while (message.state === 'writing');
        assert.ok(message.content.startsWith(`>${shown}`), `round ${round}: ${message.content.slice(-40)} is without the end of ${shown.slice(-40)}`);
        assert.equal(message.content.slice(1), Array.from({length: message.content.split(' ').length - 1}, (_, i) => `${i} `).join(''));
        assert.equal(message.state, 'stopped');
        await page.close().catch(() => {});
    }
});
