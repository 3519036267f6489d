// Conversations as data, in a real browser: what is kept, what tabs see of each other, what a crash or a full
// disk leaves.

import assert from 'node:assert/strict';
import {check, lab, openPage} from './data_lab.js';

/* global store, data, heard */

check('a conversation from its first message to its deletion, and again after a reload', async () => {
    const seen = await lab.page.evaluate(async () => {
        const chat = await store.create({model: {id: 'm', name: 'M'}, settings: {temperature: 0.5}});
        const user = await store.add(chat.id,
            {
                role: 'user',
                content: '\n  How salty is the sea, and why is it so much saltier than every river?\nSecond line',
                parent: null,
            });
        const answer = await store.add(chat.id, {
            role: 'assistant', content: 'Very.', parent: user.id, figures: {tokens: 2},
        });
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
        list: store.list(), messages: await store.read(chat), text: await store.readText(note),
        folders: store.folders(),
    }), seen);
    assert.deepEqual(list.map(({id}) => id), [seen.note, seen.chat], 'pinned first');
    assert.deepEqual([list[0].title, list[0].isTitled, list[0].kind, text, folders],
        ['Tale', true, 'document', 'Twice upon a time', ['Work']]);
    assert.deepEqual([list[1].title, list[1].isTitled, list[1].leaf, list[1].messages],
        ['How salty is the sea, and why is it so much saltier than…', false, seen.answer.id, 2]);
    assert.deepEqual([list[1].model, list[1].settings], [{id: 'm', name: 'M'}, {temperature: 0.5}]);
    assert.deepEqual(messages, [seen.user, {...seen.answer, content: 'Quite.'}]);
    assert.equal((await again.evaluate(() => store.edit('no/such', {}).catch(({code}) => code))), 'gone');
});

check('branches: deleting from a message shows another branch, and undo brings all of it back', async () => {
    const seen = await lab.page.evaluate(async () => {
        const {id} = await store.create(),
            add = (parent, content, role = 'user') => store.add(id, {role, content, parent});
        const a = await add(null, 'a'), b1 = await add(a.id, 'b1', 'assistant'), c1 = await add(b1.id, 'c1'),
            b2 = await add(a.id, 'b2', 'assistant'), c2 = await add(b2.id, 'c2');
        const path = async () => data.pathTo(await store.read(id), store.find(id).leaf)
            .map(({content}) => content).join(' ');
        const steps = [await path()];
        const undo = await store.deleteFrom(b2.id);
        steps.push(await path(), store.find(id).messages);
        await undo();
        steps.push(await path(), store.find(id).messages);
        await store.change(id, {leaf: c1.id});
        await store.deleteFrom(c2.id);
        steps.push(await path());
        // With its last message a conversation is gone, and comes back with it.
        const undoAll = await store.deleteFrom(a.id);
        steps.push(store.list().length, (await (globalThis.other = await data.openConversations()).list())
            .length);
        await undoAll();
        return [...steps, await path(), store.find(id).messages, store.find(id).leaf === c1.id];
    });
    assert.deepEqual(seen, ['a b2 c2', 'a b1 c1', 3, 'a b2 c2', 5, 'a b1 c1', 0, 0, 'a b1 c1', 4, true]);
    const begun = await lab.page.evaluate(async () => {
        const {summary, message} = await store.begin({settings: {seed: 1}},
            {role: 'user', content: 'A first one', parent: null});
        return [
            store.find(summary.id).title, store.find(summary.id).leaf === message.id,
            (await store.read(summary.id)).length, summary.settings,
        ];
    });
    assert.deepEqual(begun, ['A first one', true, 1, {seed: 1}]);
});

check('what is deleted can be brought back, and is gone for good at the next start', async () => {
    const [kept, gone] = await lab.page.evaluate(async () => {
        const chats = [
            await store.create({title: '1'}), await store.create({title: '2'}),
            await store.create({title: '3'}),
        ];
        for (const {id} of chats) await store.add(id, {role: 'user', content: 'x', parent: null});
        const undo = await store.delete([chats[0].id, chats[1].id]);
        if (store.list().length !== 1) throw new Error('they are still listed');
        await undo();
        if (store.list().length !== 3) throw new Error('they did not come back');
        await store.delete([chats[0].id, chats[2].id]);
        return [[chats[1].id], [chats[0].id, chats[2].id]];
    });
    const counts = (page) => page.evaluate((ids) => Promise.all(ids.map((id) =>
        store.database.read(['messages'], async ({messages}) => (await messages.all(id)).length))),
        [...kept, ...gone]);
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
        for (let i = 0; i < 20; i++)
            await store.add(id, {role: 'user', content: `${name}${i}`, parent: null});
        await store.change(id, {[name]: true});
    };
    await Promise.all([page.evaluate(add(), id, 'folder'), other.evaluate(add(), id, 'pinned')]);
    for (const each of [page, other]) {
        await each.waitForFunction((id) => store.find(id)?.messages === 40 && store.find(id).folder
            && store.find(id).pinned, {}, id);
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
        const chat = await store.create(),
            question = await store.add(chat.id, {role: 'user', content: '?', parent: null});
        const {id} = await store.add(chat.id, {
            role: 'assistant', content: '', parent: question.id, state: 'writing',
        });
        globalThis.writing = store.write(id);
        await Promise.all(['Ein ', 'Sch', 'iff.'].map((piece) => globalThis.writing.append(piece)));
        return id;
    });
    const last = (page) => page.evaluate(async (id) => (await store.read(id.split('/')[0])).at(-1), id);
    for (const each of [page, other])
        assert.deepEqual(await last(each).then(({content, state}) => [content, state]),
            ['Ein Schiff.', 'writing']);
    assert.equal(await other.evaluate((id) => store.write(id).append('x').catch(({code}) => code), id),
        'other-tab');
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
    assert.deepEqual([done.content, done.state, done.finishReason, done.figures],
        [followed, 'done', 'stop', {tokens: 600}]);
    assert.equal(await page.evaluate(() => store.database.read(['journal'],
        async ({journal}) => (await journal.keys()).length)), 0);
    await other.evaluate(async (id) => {
        const more = store.write(id);
        await more.append('More.');
        await more.finish({state: 'stopped'});
    }, id);
    assert.deepEqual(await last(page).then(({content, state}) => [content, state]),
        [`${followed}More.`, 'stopped']);
});

check('a tab that is killed in the middle of an answer loses nothing that was confirmed, 20 times',
    async () => {
    const reader = lab.page, follow = (id) => reader.evaluate((id) => void store.read(id.split('/')[0]), id);
    for (let round = 0; round < 20; round++) {
        const page = await openPage();
        let confirmed = '';
        await page.exposeFunction('confirmed', (text) => { confirmed += text; });
        const id = await page.evaluate(async () => {
            const chat = await store.create(),
                {id} = await store.add(chat.id, {
                    role: 'assistant', content: '>', parent: null, state: 'writing',
                });
            const writing = store.write(id);
            (async () => {
                for (let i = 0; ; i++) await writing.append(`${i} `)
                    .then(() => globalThis.confirmed(`${i} `));
            })();
            return id;
        });
        const enough = 1 + round * 29;
        while (confirmed.length < enough) await new Promise((later) => { setTimeout(later, 1); });
        if (round % 2) await follow(id);
        const client = await page.createCDPSession();
        client.send('Page.crash').catch(() => {});
        await new Promise((crashed) => { page.once('error', crashed); });
        const shown = confirmed;
        const message = await reader.evaluate(async (id) => {
            const [conversation] = id.split('/'), read = async () => (await store.read(conversation))[0];
            // Who reads it while its tab still lives is told when that is gone.
            const first = await read();
            if (first.state !== 'writing') return first;
            await new Promise((told) => {
                store.listen((change) => change.id === conversation && change.text === undefined && told());
            });
            return read();
        }, id);
        assert.ok(message.content.startsWith(`>${shown}`),
            `round ${round}: ${message.content.slice(-40)} is without the end of ${shown.slice(-40)}`);
        assert.equal(message.content.slice(1), Array.from({length: message.content.split(' ').length - 1},
            (_, i) => `${i} `).join(''));
        assert.equal(message.state, 'stopped');
        await page.close().catch(() => {});
    }
});

check('search: all words in titles and texts, without case and accents, in both tabs', async () => {
    const {page} = lab, other = await openPage();
    const ids = await page.evaluate(async () => {
        const titled = await store.create({title: 'Crème brûlée'}), chat = await store.create(),
            note = await store.create({kind: 'document'});
        await store.add(titled.id, {role: 'user', content: 'An old recipe', parent: null});
        const first = await store.add(chat.id,
            {
                role: 'user',
                content: `${'Before. '.repeat(30)}The Straße to\nthe café is 🧀 long${' after'.repeat(60)}`,
                parent: null,
            });
        await store.add(chat.id, {
            role: 'assistant', content: 'Mont-Blanc', parent: first.id,
            attachments: [{name: 'Route.pdf', type: '', size: 1, text: ''}],
        });
        await store.writeText(note.id, 'Ein Café in Paris');
        return {titled: titled.id, chat: chat.id, note: note.id, first: first.id};
    });
    const find = (page, query) => page.evaluate((query) => store.search(query), query);
    const idsOf = async (page, query) => (await find(page, query)).map(({id}) => id);
    await other.waitForFunction(() => store.list().length === 3);
    for (const each of [page, other]) {
        assert.deepEqual(await idsOf(each, 'CREME brulee'), [ids.titled]);
        assert.deepEqual(await idsOf(each, 'recipe crème'), [ids.titled],
            'a word in the title, one in the text');
        assert.deepEqual(await idsOf(each, 'cafe'), [ids.note, ids.chat]);
        assert.deepEqual(await idsOf(each, 'paris cafe'), [ids.note]);
        assert.deepEqual(await idsOf(each, 'route'), [ids.chat]);
        assert.deepEqual(
            [await idsOf(each, 'no'), await idsOf(each, 'cafe nowhere'), await idsOf(each, '  ')],
            [[], [], []]);
        const [{excerpt, at}] = await find(each, 'strasse');
        assert.equal(excerpt.slice(...at), 'Straße');
        assert.ok(excerpt.length < 250 && /^\S/.test(excerpt) && !excerpt.includes('\n'));
    }
    await page.evaluate(({first}) => store.edit(first, {content: 'nothing'}), ids);
    assert.deepEqual(await idsOf(page, 'strasse'), []);
    await other.waitForFunction(async () => (await store.search('strasse')).length === 0);
    await page.evaluate(({note}) => store.delete([note]), ids);
    assert.deepEqual(await idsOf(page, 'paris'), []);
    assert.equal(await page.evaluate(() => store.search('a',
        {signal: AbortSignal.abort(new DOMException('x', 'AbortError'))}).catch(({name}) => name)),
        'AbortError');
});

check('saved sessions: the last used stay within the budget, and nothing else is ever lost for them',
    async () => {
    const seen = await lab.page.evaluate(async () => {
        const {keepState, readState, forgetState} = await import('/app/data/states.js');
        const [a, b, c] = await Promise.all([store.create(), store.create(), store.create()]), out = {};
        const bytes = (size, value) => new Uint8Array(size).fill(value), mega = 1 << 20;
        // a quarter of it is the budget
        navigator.storage.estimate = async () => ({quota: 40 * mega, usage: 0});
        const keep = (chat, size, value) => keepState(store, chat.id,
            {model: 'm', dropped: value, bytes: bytes(size, value)});
        const read = async (chat, model = 'm') => {
            const state = await readState(store, chat.id, {model});
            return state && [state.dropped, state.bytes.length, state.bytes.at(-1)];
        };
        const pause = () => new Promise((later) => { setTimeout(later, 5); });
        out.first = [
            await keep(a, 3 * mega, 1), await keep(b, 3 * mega, 2), await read(a), await read(b),
            await read(a, 'other'), await read(c),
        ];
        navigator.storage.estimate = async () => ({quota: 40 * mega, usage: 6 * mega});
        await pause();
        await read(a);
        out.evicted = [await keep(c, 5 * mega, 3), await read(a), await read(b), await read(c)];
        out.replaced = [await keep(a, 10, 4), await read(a)];
        out.tooLarge = [await keep(a, 11 * mega, 5), await read(a), await read(c)];
        await forgetState(store, c.id);
        out.forgotten = await read(c);
        const undo = await store.delete([b.id]);
        await undo();
        out.gone = await keepState(store, 'nobody', {model: 'm', dropped: 0, bytes: bytes(1, 1)});
        return out;
    });
    const mega = 1 << 20;
    assert.deepEqual(seen.first, [true, true, [1, 3 * mega, 1], [2, 3 * mega, 2], null, null]);
    assert.deepEqual(seen.evicted, [true, [1, 3 * mega, 1], null, [3, 5 * mega, 3]]);
    assert.deepEqual(seen.replaced, [true, [4, 10, 4]]);
    assert.deepEqual(seen.tooLarge, [false, null, [3, 5 * mega, 3]]);
    assert.deepEqual([seen.forgotten ?? null, seen.gone], [null, false]);
});

check('embeddings of files outlive the page, within a budget, as long as their conversation', async () => {
    const search = (page, id, model, question) => page.evaluate(async (id, model, question) => {
        const [{findPassages}, {vectorsOf}] = await Promise.all([
            import('/app/files/finding.js'), import('/app/data/vectors.js'),
        ]);
        const embedded = [], count = async (text) => text.split(/\s+/).length, gemma = {
            embed: async (texts) => texts.map((text) => {
                embedded.push(text);
                return Float32Array.from([text.length, text.charCodeAt(0), 1]);
            }),
        };
        const text = Array.from({length: 300}, (_, i) => `Paragraph ${i} says ${i * i} and some more of it.`)
            .join('\n\n');
        const found = await findPassages([{name: 'a.txt', text}], question,
            {gemma, room: 900, count, kept: vectorsOf(store, id, model)});
        return [embedded.length, found.get('a.txt').length > 0];
    }, id, model, question);
    const {page} = lab, id = await page.evaluate(async () => (await store.begin({},
        {role: 'user', content: 'Q', parent: null})).summary.id);
    const [first, isFound] = await search(page, id, 'm', 'Paragraph 17?');
    assert.ok(first > 5 && isFound);
    const again = await openPage();
    assert.deepEqual(await search(again, id, 'm', 'Paragraph 31?'), [1, true], 'the question alone');
    assert.deepEqual(await search(again, id, 'other', 'Paragraph 31?'), [first, true],
        'another model has others');
    assert.deepEqual(await search(again, id, '', 'Paragraph 31?'), [first, true]);
    const counts = await again.evaluate(async (id) => {
        const {vectorsOf} = await import('/app/data/vectors.js'),
            keys = () => store.database.read(['vectors'], ({vectors}) => vectors.keys());
        const before = (await keys()).length,
            {summary} = await store.begin({}, {role: 'user', content: 'R', parent: null}),
            kept = vectorsOf(store, summary.id, 'm');
        const large = () => [new Float32Array(3e6)];       // 12 MB
        for (let i = 0; i < 7; i++) await kept.keep([`${i}`], large());
        const all = await keys(), own = all.filter((key) => key.startsWith(`${id}/`)).length;
        const there = await Promise.all(Array.from({length: 7},
            async (_, i) => (await kept.read([`${i}`])).length));
        await kept.keep(['too much'], [new Float32Array(5e6)]);
        const tooMuch = await kept.read(['too much']);
        await store.delete([id, summary.id]);
        return {before, own, there, tooMuch: tooMuch.length};
    }, id);
    assert.deepEqual(counts, {before: 4, own: 0, there: [0, 0, 1, 1, 1, 1, 1], tooMuch: 0});
    await page.close();
    await again.close();
    const last = await openPage();
    assert.equal(await last.evaluate(() => store.database.read(['vectors'],
        async ({vectors}) => (await vectors.keys()).length)), 0);
});

check('a full disk: what is refused is said, an answer keeps its text until there is room, sessions go first',
    async () => {
    // An origin that has written nothing yet: of others the browser knows for a while how much they
    // may write.
    const page = await openPage(lab.origin.replace('localhost', '127.0.0.1')),
        client = await page.createCDPSession(), {origin} = new URL(page.url());
    await client.send('Storage.overrideQuotaForOrigin', {origin, quotaSize: 1});
    assert.equal(await page.evaluate(() => store.create().then(() => 'kept', ({code}) => code)), 'no-room');
    await client.send('Storage.overrideQuotaForOrigin', {origin});
    const id = await page.evaluate(async () => {
        const chat = await store.create({title: 'C'}),
            {id} = await store.add(chat.id, {role: 'assistant', content: '', parent: null, state: 'writing'});
        globalThis.writing = store.write(id);
        await globalThis.writing.append('before ');
        return id;
    });
    /** Whether the browser asks before it closes the page. */
    const isAsked = () => page.evaluate(() =>
        !dispatchEvent(new Event('beforeunload', {cancelable: true})));
    const full = await page.evaluate(async (id) => {
        const {keepState, readState} = await import('/app/data/states.js'), conversation = id.split('/')[0],
            code = ({code}) => code;
        const large = 'x'.repeat(3_000_000), {put} = IDBObjectStore.prototype;
        globalThis.lift = () => { IDBObjectStore.prototype.put = put; };
        IDBObjectStore.prototype.put = function (value, key) {
            if ((value.content ?? value.text ?? value).length > 1e6 || value.size > 1e6)
                throw new DOMException('full', 'QuotaExceededError');
            return put.call(this, value, key);
        };
        return [
            await store.add(conversation, {role: 'user', content: large, parent: id}).then(() => 'kept',
                code), await globalThis.writing.append(large).then(() => 'kept', code),
            await keepState(store, conversation, {model: 'm', dropped: 0, bytes: new Uint8Array(3_000_000)}),
            await readState(store, conversation, {model: 'm'}) ?? null,
            await globalThis.writing.append(' after').then(() => 'kept', code),
            await globalThis.writing.finish({finishReason: 'stop'}).catch(code),
            store.find(conversation).messages, store.list().length, ...await store.read(conversation)
                .then(([{content, state}]) => [content.length, state]),
        ];
    }, id);
    assert.deepEqual(full, [
        'no-room', 'no-room', false, null, 'no-room', 'no-room', 1, 1, 7 + 3_000_000 + 6, 'done',
    ]);
    assert.equal(await isAsked(), true);
    // It is kept by itself once there is room.
    const [length, start, state, reason] = await page.evaluate(async (id) => {
        globalThis.lift();
        const stored = () => store.database.read(['messages'], ({messages}) => messages.get(id));
        let message = await stored();
        for (; message.state === 'writing'; message = await stored())
            await new Promise((later) => { setTimeout(later, 50); });
        return [message.content.length, message.content.slice(0, 10), message.state, message.finishReason];
    }, id);
    assert.deepEqual([length, start, state, reason], [7 + 3_000_000 + 6, 'before xxx', 'done', 'stop']);
    while (await isAsked());
});

check('a schema that migrates: older data is carried along, a newer one is refused, an old tab lets go',
    async () => {
    const {page} = lab, other = await openPage();
    const seen = await page.evaluate(async () => {
        const {MIGRATIONS, openDatabase} = data, code = ({code}) => code, out = {};
        await store.create({title: 'old'});
        const steps = [
            ...MIGRATIONS, (db) => db.createObjectStore('new'),
            (db, transaction) => transaction.objectStore('new').put('migrated', 'x'),
        ];
        const newer = await openDatabase(store.name, steps);
        out.migrated = await newer.read(['new', 'conversations'],
            async (tables) => [await tables.new.get('x'), (await tables.conversations.all()).length]);
        out.refused = [await store.create().catch(code), await data.openConversations().catch(code)];
        newer.close();
        // A step that fails leaves what was there.
        const broken = await openDatabase(store.name, [...steps, () => { throw new Error('broken'); }]);
        out.broken = [
            broken.isKept,
            (await (await openDatabase(store.name, steps)).read(['conversations'],
                ({conversations}) => conversations.all())).length,
        ];
        return out;
    });
    assert.deepEqual(seen, {migrated: ['migrated', 1], refused: ['storage', 'storage'], broken: [false, 1]});
    assert.equal(await other.evaluate(() => store.create().catch(({code}) => code)), 'storage');
    // A tab that does not let go.
    const held = await page.evaluate(async () => {
        const db = await new Promise((opened) => { indexedDB.open('held', 1).onsuccess = ({target}) =>
            opened(target.result); });
        const {setTimeout} = globalThis;
        globalThis.setTimeout = (work) => setTimeout(work, 10);
        const refused = await data.openDatabase('held', [() => {}, () => {}]).catch(({code}) => code);
        globalThis.setTimeout = setTimeout;
        db.close();
        return refused;
    });
    assert.equal(held, 'old-tab');
});

check('where the browser keeps nothing, or ends connections, everything works as it can', async () => {
    const seen = await lab.page.evaluate(async () => {
        const {open} = IDBFactory.prototype, out = [];
        const failures = [() => { throw new DOMException('blocked', 'SecurityError'); }, () => {
            const request = {};
            queueMicrotask(() => request.onerror?.(Object.assign(request,
                {error: new DOMException('broken', 'UnknownError')})));
            return request;
        }];
        for (const failure of failures) {
            IDBFactory.prototype.open = failure;
            const memory = await data.openConversations('memory');
            const chat = await memory.create(),
                {id} = await memory.add(chat.id, {
                    role: 'user', content: 'Hello there', parent: null, state: 'writing',
                });
            const writing = memory.write(id);
            await Promise.all([writing.append(', '), writing.append('you')]);
            await writing.finish();
            const undo = await memory.deleteFrom(id);
            await undo();
            out.push([
                memory.isKept, memory.problem.code, memory.list()[0].title,
                (await memory.read(chat.id)).map(({content}) => content),
                (await memory.search('HELLO')).length,
            ]);
            memory.close();
        }
        IDBFactory.prototype.open = open;
        const {transaction} = IDBDatabase.prototype;
        let lost = 0;
        IDBDatabase.prototype.transaction = function (...args) {
            if (lost++ % 2 === 0) throw new DOMException('Connection to Indexed Database server lost.',
                'UnknownError');
            return transaction.apply(this, args);
        };
        const {id} = await store.create({title: 'kept'});
        for (let i = 0; i < 5; i++) await store.add(id, {role: 'user', content: `${i}`, parent: null});
        out.push((await store.read(id)).map(({content}) => content));
        IDBDatabase.prototype.transaction = transaction;
        return out;
    });
    assert.deepEqual(seen, [
        [false, 'storage', 'Hello there', ['Hello there, you'], 1],
        [false, 'storage', 'Hello there', ['Hello there, you'], 1], ['0', '1', '2', '3', '4'],
    ]);
});

check('a backup: JSON and Markdown in a folder, soon after a change; it asks for permission', async () => {
    const seen = await lab.page.evaluate(async () => {
        const [{Backup, canBackUp}, {importFile}] = await Promise.all([
            import('/app/data/backup.js'), import('/app/data/transfer.js'),
        ]);
        const root = await navigator.storage.getDirectory(),
            folder = await root.getDirectoryHandle('backup', {create: true}), out = {can: canBackUp()};
        globalThis.showDirectoryPicker = async () => folder;
        let states = [], wake = () => {};
        const until = async (done) => {
            while (!await done()) await new Promise((later) => { wake = later; setTimeout(later, 50); });
        };
        const make = () => new Backup(store,
            {pause: 10, names: {user: 'Du'}, onState: ({state}) => { states.push(state); wake(); }});
        const backup = make(), names = async () => (await Array.fromAsync(folder.keys())).sort();
        const read = async (end) => (await (await folder.getFileHandle((await names())
            .find((name) => name.includes('Sea') && name.endsWith(end)))).getFile()).text();
        const chat = await store.create({title: 'Sea: "salt"/.'}),
            note = await store.create({kind: 'document', title: 'Tale'});
        const user = await store.add(chat.id, {role: 'user', content: 'Salty?', parent: null});
        await store.writeText(note.id, 'Once');
        await backup.begin();
        await backup.choose();
        out.names = await names();
        await store.add(chat.id, {role: 'assistant', content: 'Yes.', parent: user.id});
        await until(async () => (await read('.md')).includes('Yes.'));
        out.speakers = (await read('.md')).match(/(?<=## ).*/g);
        await store.edit(user.id, {finishReason: 'x'});
        await until(async () => (await read('.json')).includes('finishReason'));
        await store.change(chat.id, {title: 'The Sea'});
        await until(async () => (await names()).some((name) => name.startsWith('The Sea'))
            && (await names()).length === 4);
        out.renamed = await names();
        const other = await data.openConversations('from the backup');
        for await (const handle of folder.values()) if (handle.name.endsWith('.json'))
            await importFile(other, await handle.getFile());
        out.back = other.list().map(({title, messages}) => [title, messages]).sort();
        const {getFileHandle} = FileSystemDirectoryHandle.prototype;
        FileSystemDirectoryHandle.prototype.getFileHandle = function (name, ...more) {
            return name.startsWith('Locked') ? Promise.reject(new DOMException('Another program holds it.',
                'NoModificationAllowedError')) : getFileHandle.call(this, name, ...more);
        };
        const after = await store.create({title: 'After'}), locked = await store.create({title: 'Locked'});
        await until(async () => (await names()).some((name) => name.startsWith('After'))
            && backup.state.state === 'failed');
        FileSystemDirectoryHandle.prototype.getFileHandle = getFileHandle;
        await store.change(after.id, {title: 'Afterwards'});
        await until(async () => (await names()).some((name) => name.startsWith('Locked'))
            && backup.state.state === 'on');
        await store.delete([after.id, locked.id]);
        backup.close();
        states = [];
        const again = make();
        await again.begin();
        out.again = [...states];
        FileSystemHandle.prototype.queryPermission = async () => 'prompt';
        FileSystemHandle.prototype.requestPermission = async () => 'granted';
        const asks = make();
        await asks.begin();
        out.asks = asks.state;
        await asks.allow();
        out.allowed = asks.state;
        await root.removeEntry('backup', {recursive: true});
        await store.change(chat.id, {title: 'Gone'});
        await until(async () => asks.state.state === 'failed');
        await asks.forget();
        const nothing = make();
        await nothing.begin();
        out.end = nothing.state.state;
        return out;
    });
    assert.equal(seen.can, true);
    assert.equal(seen.names.length, 4);
    assert.deepEqual(seen.speakers, ['Du', 'Model']);
    assert.ok(seen.names[0].startsWith('Sea salt ') && seen.names[3].endsWith('.md')
        && seen.names[3].startsWith('Tale '));
    assert.deepEqual(seen.renamed.map((name) => name.split(' ')[0]), ['Tale', 'Tale', 'The', 'The']);
    assert.deepEqual(seen.back, [['Tale', 0], ['The Sea', 2]]);
    assert.deepEqual([seen.again, seen.asks, seen.allowed, seen.end], [
        ['writing', 'on'], {state: 'no-permission', folder: 'backup'}, {state: 'on', folder: 'backup'}, 'off',
    ]);
});
