// Export and import: our own format there and back, ChatGPT's and llama.cpp's, and files that are none,
// or mean harm.

import assert from 'node:assert/strict';
import {after, test} from 'node:test';
import {deflateRawSync} from 'node:zlib';
import {openConversations} from '../../web/app/data/conversations.js';
import {deletePreset, listPresets, savePreset} from '../../web/app/data/presets.js';
import {exportAll, importFile, toMarkdown} from '../../web/app/data/transfer.js';
import {RecordReader} from '../../web/app/data/transfer/records.js';
import {pathTo, siblingsOf} from '../../web/app/data/tree.js';
import {toAsked} from '../../web/app/files/asking.js';
import {isMessage} from '../../web/engine/conversation.js';

const stores = [];
after(() => stores.forEach((store) => store.close()));
const open = async () => {
    const store = await openConversations(`test ${stores.length}`);       // in memory: Node has no IndexedDB
    stores.push(store);
    return store;
};
const file = (content, name = 'export.json') => Object.assign(
    new Blob([
        typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    ]), {name});
const refused = (store, content, name) => importFile(store, file(content, name)).then(() => 'taken',
    ({code}) => code);
/** Conversations with what they contain, without what depends on time. */
const shown = (store) => Promise.all(store.list().map(async ({id, title, leaf}) => [
    title, pathTo(await store.read(id), leaf).map(({role, content}) => `${role}: ${content}`),
]));

/** A ZIP. @param {Record<string, Buffer>} files @param {{isStored?: boolean}} [options] */
function zip(files, {isStored = false} = {}) {
    const parts = [], directory = [];
    let offset = 0;
    for (const [name, bytes] of Object.entries(files)) {
        const packed = isStored ? bytes : deflateRawSync(bytes), header = Buffer.alloc(30 + name.length),
            entry = Buffer.alloc(46 + name.length);
        header.writeUInt32LE(0x04034b50, 0);
        header.writeUInt16LE(8, 6);         // sizes only in the directory, as streamed ZIPs have them
        header.writeUInt16LE(isStored ? 0 : 8, 8);
        header.writeUInt16LE(name.length, 26);
        header.write(name, 30);
        entry.writeUInt32LE(0x02014b50, 0);
        entry.writeUInt16LE(isStored ? 0 : 8, 10);
        entry.writeUInt32LE(packed.length, 20);
        entry.writeUInt32LE(bytes.length, 24);
        entry.writeUInt16LE(name.length, 28);
        entry.writeUInt32LE(offset, 42);
        entry.write(name, 46);
        parts.push(header, packed);
        directory.push(entry);
        offset += header.length + packed.length;
    }
    const end = Buffer.alloc(22), size = directory.reduce((sum, {length}) => sum + length, 0);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt32LE(size, 12);
    end.writeUInt32LE(offset, 16);
    return Buffer.concat([...parts, ...directory, end]);
}

test('what is exported comes back as it was, once', async () => {
    const store = await open(),
        chat = await store.create({
            folder: 'F', model: {id: 'm', name: 'M'}, settings: {temperature: 1, nested: {a: [1]}},
        });
    const add = (parent, role, content, more) => store.add(chat.id, {role, content, parent, ...more});
    const a = await add(null, 'user', 'Käse "x" \\ \u2028 🧀 [{',
        {attachments: [{name: 'a.txt', type: 'text/plain', size: 3, tokens: 1, text: 'abc'}]});
    await add(a.id, 'assistant', 'One', {
        figures: {tokens: 1, cachedTokens: 2, promptTokens: 3, decodeTokens: 1, decodeMs: 4, prefillMs: 5},
        seed: 7, model: 'm', parts: ['One'], readTo: {file: 0, end: 3}, lastAt: 0,
    });
    await add(a.id, 'assistant', '', {state: 'stopped', toolCalls: [{name: 'f', arguments: {x: 1}}]});
    const note = await store.create({kind: 'document', title: 'Note', pinned: true});
    await store.writeText(note.id, 'Text');
    await store.create();
    await savePreset(store, {name: ' Brief  one ', system: 'Be brief.', settings: {temperature: 0}});
    const blob = await exportAll(store), other = await open();
    assert.deepEqual(await importFile(other, blob), {conversations: 3, messages: 3, presets: 1, skipped: []});
    assert.deepEqual(await importFile(other, blob), {conversations: 0, messages: 0, presets: 0, skipped: []});
    assert.deepEqual(await importFile(store, blob), {conversations: 0, messages: 0, presets: 0, skipped: []});
    assert.deepEqual(other.list(), store.list());
    for (const {id} of store.list()) assert.deepEqual([await other.read(id), await other.readText(id)],
        [await store.read(id), await store.readText(id)]);
    assert.deepEqual((await listPresets(other)).map(({name, system, settings}) => ({name, system, settings})),
        [{name: 'Brief one', system: 'Be brief.', settings: {temperature: 0}}]);
    await deletePreset(other, (await listPresets(other))[0]);
    assert.deepEqual(await listPresets(other), []);
    // A message that was deleted comes back with the next import; one that was written since stays.
    await other.deleteFrom(a.id);
    const since = await other.add(chat.id, {role: 'user', content: 'since', parent: null});
    assert.deepEqual((await importFile(other, blob)).messages, 3);
    assert.deepEqual([other.find(chat.id).messages, other.find(chat.id).leaf], [4, since.id]);
    const one = JSON.parse(await (await exportAll(store, [note.id])).text());
    assert.deepEqual([one.conversations.length, one.conversations[0].text, one.presets], [1, 'Text', []]);
});

test('presets and prompts have their own names, and case counts; what an older version stored is moved',
    async () => {
    const store = await open(), {database} = store, old = (name, more) =>
        database.change(['presets'], async ({presets}) => presets.put(name.toLowerCase(), {name, ...more}));
    const names = async () => (await listPresets(store)).map(({name, system}) => `${name} ${system ?? ''}`)
        .sort();
    await old('Old', {settings: {topK: 1}});
    await old('Hint', {system: 'Old.'});
    await savePreset(store, {name: 'Work', settings: {topK: 9}});
    const saved = [];
    for (const name of ['work', 'Work', 'Work', 'Hint'])
        saved.push(await savePreset(store, {name, system: name}));
    assert.deepEqual(saved.map(({isReplaced}) => isReplaced), [false, false, true, true]);
    assert.deepEqual(await names(), ['Hint Hint', 'Old ', 'Work ', 'Work Work', 'work work']);
    await deletePreset(store, {name: 'Work', system: 'Work'});
    assert.deepEqual(await names(), ['Hint Hint', 'Old ', 'Work ', 'work work']);
    assert.equal((await savePreset(store, {name: ' a  b ', settings: {}})).name, 'a b');
    assert.equal(await savePreset(store, {name: '\u200b ', settings: {}}), undefined);
});

test('of a conversation, names that show nothing are none, and times of the future are now', async () => {
    const store = await open(), at = 9e13;
    await importFile(store, file({conversations: [{id: 'far', title: '\u200b\u2060', folder: '\u200b',
        created: at, updated: at, messages: [{role: 'user', content: '\u200b\nHello', created: at}]}]}));
    const [{title, folder, isTitled, created, updated}] = store.list();
    assert.deepEqual([title, folder, isTitled], ['Hello', '', false]);
    assert.ok(created <= Date.now() && updated <= Date.now());
});

test('of settings, only those that change are stored', async () => {
    const store = await open(), {id} = await store.create({settings: {topK: 1, seed: 2}});
    await Promise.all([store.change(id, {settings: {system: 'Rhyme.'}}),
        store.change(id, {settings: {topK: undefined}})]);
    assert.deepEqual(JSON.parse(JSON.stringify(store.find(id).settings)), {seed: 2, system: 'Rhyme.'});
});

test('a document that has another text here comes beside it, once', async () => {
    const store = await open(), {id} = await store.create({kind: 'document', title: 'Note'});
    await store.writeText(id, 'As it was');
    const blob = await exportAll(store),
        texts = () => Promise.all(store.list()
            .map(async ({id, title, deleted}) => [title, await store.readText(id), Boolean(deleted)]));
    await store.writeText(id, 'As it is');
    for (const conversations of [1, 0])
        assert.deepEqual(await importFile(store, blob), {
            conversations, messages: 0, presets: 0, skipped: [],
        });
    assert.deepEqual((await texts()).sort(), [['Note', 'As it is', false], ['Note', 'As it was', false]]);
    const other = await open();
    assert.equal((await importFile(other, await exportAll(store))).conversations, 2);
    assert.equal((await importFile(store, await exportAll(other))).conversations, 0);
    // What was deleted comes back with the text of the import, not with its last text.
    await store.delete(store.list().map((each) => each.id));
    assert.equal((await importFile(store, blob)).conversations, 1);
    assert.ok((await texts()).some(([title, text, isDeleted]) => title === 'Note' && text === 'As it was'
        && !isDeleted));
});

test('a path as Markdown', () => {
    const path = [
        {role: 'user', content: 'Q', attachments: [{name: 'a.txt'}]}, {role: 'assistant', content: 'A\n- b'},
    ];
    assert.equal(toMarkdown({title: 'T'}, path, {user: 'Ich'}),
        '# T\n\n## Ich\n\n- a.txt\n\nQ\n\n## Model\n\nA\n- b\n');
});

const node = (id, parent, role, content, more = {}) => [id, {id, parent, children: [], message: role && {
    id, author: {role, name: null}, create_time: 1700000000.5, recipient: 'all',
    status: 'finished_successfully', metadata: {},
    content: typeof content === 'string' ? {content_type: 'text', parts: [content]} : content, ...more,
}}];
const CHATGPT = {
    title: 'Sea', create_time: 1700000000, update_time: 1700000100.25, conversation_id: '6f1c-44',
    current_node: 'n9',
    mapping: Object.fromEntries([
        node('root', null), node('n0', 'root', 'system', '',
            {metadata: {is_visually_hidden_from_conversation: true}}),
        node('n1', 'n0', 'user', {content_type: 'user_editable_context', user_profile: 'secret'},
            {metadata: {is_user_system_message: true}}),
        node('n2', 'n1', 'user',
            {
                content_type: 'multimodal_text',
                parts: [{content_type: 'image_asset_pointer', size_bytes: 9}, 'What is this?'],
            }, {metadata: {attachments: [{name: 'sea.png', mime_type: 'image/png', size: 9}]}}),
        node('n3', 'n2', 'assistant', {content_type: 'thoughts', thoughts: [{summary: 's', content: 'hm'}]}),
        node('n4', 'n3', 'assistant', 'The sea\ue200cite\ue202turn0search0\ue201, salty【12†source】.',
            {metadata: {model_slug: 'gpt-x', finish_details: {type: 'stop'}}}),
        node('n4b', 'n3', 'assistant', 'Water', {metadata: {finish_details: {type: 'interrupted'}}}),
        node('n5', 'n4', 'user', 'Count'),
        node('n6', 'n5', 'assistant', {content_type: 'code', language: 'unknown', text: 'print("```")'},
            {recipient: 'python'}),
        node('n7', 'n6', 'tool', {content_type: 'execution_output', text: '```'},
            {author: {role: 'tool', name: 'python'}}),
        node('n8', 'n7', 'assistant', {content_type: 'code', text: 'search("x")'}, {recipient: 'web'}),
        node('n8b', 'n8', 'tool', {content_type: 'tether_quote', text: 'page'}),
        node('n8c', 'n8b', 'assistant',
            {content_type: 'text', parts: ['{"name": "Plan", "type": "code/js", "content": "let a"}']},
            {recipient: 'canmore.create_textdoc'}),
        node('n8d', 'n8c', 'assistant',
            {
                content_type: 'code',
                text: '{"updates": [{"pattern": ".*", "multiple": false, "replacement": "let b"}, {"pattern": "("}]}',
            },
            {recipient: 'canmore.update_textdoc'}),
        node('n8e', 'n8d', 'tool', {content_type: 'text', parts: ['Successfully updated text document.']},
            {author: {role: 'tool', name: 'canmore.update_textdoc'}}),
        node('n9', 'n8e', 'assistant', {content_type: 'text', parts: ['Done', '', 'twice']}),
    ]),
};
const CHATGPT_SHOWN = [
    'user: What is this?', 'assistant: The sea, salty.', 'user: Count',
    'assistant: ````python\nprint("```")\n````', 'tool: ```', 'assistant: **Plan**\n\n```js\nlet a\n```',
    'assistant: ```js\nlet b\n```', 'assistant: Done\n\ntwice',
];

test("ChatGPT's export: what people saw of a tree, its branches and files, from JSON and ZIP", async () => {
    const store = await open(),
        untitled = {...CHATGPT, id: 'x', conversation_id: undefined, title: null, current_node: null};
    const bytes = Buffer.from(JSON.stringify([CHATGPT, untitled]));
    assert.deepEqual(await importFile(store, file(bytes)), {
        conversations: 2, messages: 18, presets: 0, skipped: [],
    });
    assert.deepEqual(await shown(store).then(([[a], [b, path]]) => [[a, b].sort(), path]),
        [['Sea', 'What is this?'], CHATGPT_SHOWN]);
    const sea = store.list().find(({title}) => title === 'Sea'), messages = await store.read(sea.id),
        answer = messages.find(({content}) => content === 'Water');
    assert.deepEqual([sea.created, sea.updated, sea.messages], [1700000000000, 1700000100250, 9]);
    assert.deepEqual(
        [siblingsOf(messages, answer.id).length, answer.state, messages.find(({model}) => model).model],
        [2, 'stopped', 'gpt-x']);
    assert.deepEqual(messages.find(({attachments}) => attachments).attachments,
        [{name: 'sea.png', type: 'image/png', size: 9, text: ''}]);
    const half = bytes.indexOf('},{"title":null') + 1;
    for (const zipped of [zip({'a/conversations.json': bytes,
        'chat.html': Buffer.from('[{"messages": []}]')}),
        zip(
            {
                'conversations-000.json': Buffer.concat([bytes.subarray(0, half), Buffer.from(']')]),
                'conversations-001.json': Buffer.concat([Buffer.from('['), bytes.subarray(half + 1)]),
            }, {isStored: true}),
        Buffer.from(`{"conversations": ${bytes}}`)]) {
        const other = await open();
        assert.equal((await importFile(other, file(zipped, 'x.zip'))).messages, 18);
        assert.deepEqual(other.list(), store.list());
        assert.equal((await importFile(other, file(bytes))).messages, 0, 'the same from another file');
    }
});

const LLAMA = {
    conv: {id: 'c1', name: 'Rivers', lastModified: 1700000000000, currNode: 'm3'},
    messages: [
        {
            id: 'm0', convId: 'c1', type: 'root', role: 'system', content: '', parent: null, timestamp: 1,
            children: ['m1'],
        },
        {
            id: 'm1', convId: 'c1', type: 'system', role: 'system', content: 'Be brief.', parent: 'm0',
            timestamp: 1699999999000, children: ['m2'],
        },
        {id: 'm2', convId: 'c1', type: 'text', role: 'user', content: 'Why?', parent: 'm1',
            timestamp: 1699999999001, children: ['m3'],
            extra: [{type: 'TEXT', name: 'a.txt', content: 'abc'},
                {type: 'IMAGE', name: 'i.png', base64Url: 'data:…'}]},
        {
            id: 'm3', convId: 'c1', type: 'text', role: 'assistant', content: 'So.', reasoningContent: 'Hm',
            parent: 'm2', timestamp: 1699999999002, children: [], model: 'gemma',
            toolCalls: '[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]',
            timings: {cache_n: 1, prompt_n: 2, prompt_ms: 3, predicted_n: 4, predicted_ms: 5},
        },
    ],
};
const lines = ({conv, messages}) => [{harness: 'llama.cpp', type: 'session', ...conv},
    ...messages.map((message) => ({type: 'message', message: {...message, ...message.toolCalls
        && {toolCalls: JSON.parse(message.toolCalls)}}}))].map((each) => JSON.stringify(each)).join('\n');

test("llama.cpp's web UI: JSON of one or several, lines, ZIP of lines", async () => {
    const store = await open(),
        second = {conv: {...LLAMA.conv, id: 'c2', name: 'Seas'}, messages: LLAMA.messages};
    assert.deepEqual(await importFile(store, file(LLAMA)), {
        conversations: 1, messages: 3, presets: 0, skipped: [],
    });
    assert.deepEqual(await shown(store),
        [['Rivers', ['system: Be brief.', 'user: Why?', 'assistant: <think>\nHm\n</think>\n\nSo.']]]);
    const [, user, answer] = await store.read(store.list()[0].id);
    assert.deepEqual(user.attachments, [
        {name: 'a.txt', type: 'text/plain', size: 3, text: 'abc'},
        {name: 'i.png', type: 'IMAGE', size: 0, text: ''},
    ]);
    assert.deepEqual([answer.model, answer.toolCalls, answer.figures], [
        'gemma', [{name: 'f', arguments: '{}'}],
        {tokens: 4, cachedTokens: 1, promptTokens: 2, decodeTokens: 4, decodeMs: 5, prefillMs: 3},
    ]);
    for (const content of [[LLAMA, second], `${lines(LLAMA)}\n\n${lines(second)}\n`,
        zip({'a.jsonl': Buffer.from(lines(LLAMA)), 'b.JSONL': Buffer.from(lines(second))})]) {
        const other = await open();
        assert.deepEqual(await importFile(other, file(content, 'x')),
            {conversations: 2, messages: 6, presets: 0, skipped: []});
        assert.deepEqual(await other.read(store.list()[0].id), await store.read(store.list()[0].id));
    }
});

test('what an import keeps can be asked about, also what tools gave back', async () => {
    const store = await open(),
        after = (parent, role, id) => ({
            ...LLAMA.messages[1], id, parent, role, content: '{"x": 1}', extra: undefined,
        });
    const llama = {
        conv: LLAMA.conv, messages: [...LLAMA.messages, after(LLAMA.messages.at(-1).id, 'tool', 't1')],
    };
    for (const given of [CHATGPT, llama,
        {messages: [{role: 'user', content: 'Q'}, {role: 'tool', content: 'R', name: 'f'}]}])
        await importFile(store, file(given));
    const messages = (await Promise.all(store.list().map(({id}) => store.read(id)))).flat();
    assert.deepEqual([store.list().length, messages.filter(({role}) => role === 'tool').length], [3, 3]);
    assert.deepEqual(messages.map((message) => toAsked(message)).filter((asked) => !isMessage(asked)), []);
});

test('messages that only follow each other', async () => {
    const store = await open();
    const line = (content) => JSON.stringify({
        messages: [{role: 'system', content: 'S'}, {role: 'user', content}, {role: 'assistant', content: 'A'}],
    });
    assert.equal((await importFile(store, file([line('one'), line('two')].join('\n')))).conversations, 2);
    assert.deepEqual((await shown(store)).sort(), [
        ['one', ['system: S', 'user: one', 'assistant: A']],
        ['two', ['system: S', 'user: two', 'assistant: A']],
    ]);
});

test('two conversations that have the same id in two files are two; the same one, grown, is one',
    async () => {
    const store = await open(),
        turns = (...contents) =>
        contents.map((content, i) => ({role: i % 2 ? 'assistant' : 'user', content}));
    const bring = (...contents) => importFile(store, file({id: '1', messages: turns(...contents)}));
    assert.deepEqual(await bring('one', 'A'), {conversations: 1, messages: 2, presets: 0, skipped: []});
    assert.deepEqual(await bring('two', 'B', 'three', 'C'), {
        conversations: 1, messages: 4, presets: 0, skipped: [],
    });
    assert.deepEqual(await bring('one', 'A', 'more', 'D'), {
        conversations: 1, messages: 2, presets: 0, skipped: [],
    });
    assert.deepEqual(await bring('one', 'A'), {conversations: 0, messages: 0, presets: 0, skipped: []});
    assert.deepEqual((await shown(store)).sort(), [
        ['one', ['user: one', 'assistant: A', 'user: more', 'assistant: D']],
        ['two', ['user: two', 'assistant: B', 'user: three', 'assistant: C']],
    ]);
});

test('what is no export is refused, and what is damaged gives what is whole', async () => {
    const store = await open(), whole = JSON.stringify([LLAMA, CHATGPT]);
    for (const content of ['', 'Hello', '[]', '{}', '[1, "a", null, [[]]]', '<html>{"a": 1}</html>',
        '{"mapping": {}}', 'PK\x03\x04 but nothing more', new Uint8Array(5000), '}'.repeat(1000)]) {
        assert.equal(await refused(store, content), 'bad-file', String(content).slice(0, 30));
    }
    assert.equal(store.list().length, 0);
    const cut = await importFile(store, file(whole.slice(0, -300)));
    assert.deepEqual([cut.conversations, store.list().map(({title}) => title)], [1, ['Rivers']]);
    const broken = await importFile(await open(), file(whole.replace('"Why?"', 'Why')));
    assert.deepEqual([broken.conversations, broken.skipped.length], [1, 1]);
    assert.equal(await refused(await open(), whole.replace('"Why?"', '"Why?')), 'bad-file');
    const zipped = zip({'conversations.json': Buffer.from(JSON.stringify([CHATGPT]))});
    for (let i = 0; i < zipped.length; i += 37) {
        const damaged = Buffer.from(zipped);
        damaged[i] ^= 0xff;
        await refused(await open(), damaged);       // neither hangs nor throws anything else
    }
});

test('files that mean harm: cycles, lost parents, wrong types, names with a meaning, deep and wide values',
    async () => {
    const store = await open(),
        values = [null, 1, -1e99, 'x', '', [], {}, true, [[[]]], {__proto__: null, length: 9}];
    for (const value of values) {
        for (const base of [CHATGPT, LLAMA]) {
            for (const key of Object.keys(base)) await refused(store, {...base, [key]: value});
            const nested = base === CHATGPT ? Object.values(CHATGPT.mapping).map(({message}) => message)
                .filter(Boolean)[3] : LLAMA.messages[2];
            for (const key of Object.keys(nested)) {
                const changed = {...nested, [key]: value};
                await refused(store, base === CHATGPT
                    ? {...CHATGPT, mapping: {...CHATGPT.mapping,
                        n4: {...CHATGPT.mapping.n4, message: changed}}} : {...LLAMA, messages: [changed]});
            }
        }
        await refused(store, {id: 'o', kind: value, title: value, created: value, updated: value,
            pinned: value, folder: value, model: value, settings: value, leaf: value,
            messages: [{id: 'o/1', parent: value, role: 'user', content: 'x', created: value, state: value,
                figures: value, attachments: [value], toolCalls: [value], seed: value}]});
    }
    for (const {id, title, created, updated, folder} of store.list()) {
        assert.deepEqual([title, created, updated, folder].map((each) => typeof each),
            ['string', 'number', 'number', 'string']);
        for (const {parent, content} of await store.read(id))
            assert.ok((parent === null || typeof parent === 'string') && typeof content === 'string');
    }

    const ring = (n, source) => ({...LLAMA, conv: {...LLAMA.conv, id: `ring${n}${source}`, currNode: '5'},
        messages: Array.from({length: n}, (_, i) =>
        ({id: `${i}`, role: source, type: 'text', content: i % 3 ? 'x' : '', parent: `${(i + 1) % n}`,
            timestamp: i}))});
    for (const content of [ring(30, 'user'), ring(1, 'user'), ring(50_000, 'user'), ring(50_000, 'nobody')]) {
        await refused(store, content);
        for (const {id, leaf} of store.list().filter(({id}) => id.includes('ring'))) {
            const messages = await store.read(id), byId = new Map(messages.map((each) => [each.id, each]));
            assert.ok(messages.every(({parent}) => parent === null || byId.has(parent)));
            assert.ok(messages.some(({parent}) => parent === null));
            pathTo(messages, leaf);
        }
    }

    const before = Object.keys(Object.prototype);
    const evil = JSON.stringify({
        id: '__proto__', kind: 'chat', leaf: '__proto__/toString', settings: 1,
        messages: [
            {id: '__proto__/toString', parent: 'constructor', role: 'user', content: 'x', toolCalls: [1]},
        ],
    }).replace('"settings":1', '"settings":{"__proto__":{"polluted":1},"constructor":2}').replace(
        '"toolCalls":[1]', `"toolCalls":[${'['.repeat(5000)}${']'.repeat(5000)}]`);
    assert.deepEqual(await importFile(store, file(evil)), {
        conversations: 1, messages: 1, presets: 0, skipped: [],
    });
    assert.deepEqual([Object.keys(Object.prototype), {}.polluted, store.find('__proto__').settings.polluted],
        [before, undefined, undefined]);
    assert.equal(await refused(store, '['.repeat(1_000_000)), 'bad-file');
});

test('a conversation whose words are objects is imported; one that cannot be read is skipped alone',
    async (context) => {
    const say = (content, more) => ({...more, messages: [{role: 'user', content}]}), store = await open(),
        odd = {toString: 1, valueOf: null};
    assert.deepEqual(await importFile(store, file([say('a', {title: odd}), say('b', {created: odd}),
        say('c')])), {conversations: 3, messages: 3, presets: 0, skipped: []});
    assert.deepEqual(store.list().map(({title}) => title).sort(), ['a', 'b', 'c']);

    const {isArray} = Array;
    context.mock.method(Array, 'isArray', (value) => {
        if (value?.[0] === 'bad') throw new TypeError('It is bad.');
        return isArray(value);
    });
    const message = (name) => ({id: '1', parent: null, role: 'user', content: name, timestamp: 1,
        extra: [name]});
    const names = ['bad', 'good'], lines = names.flatMap((name) =>
        [{type: 'session', id: name, name}, {type: 'message', message: message(name)}]);
    for (const content of [names.map((name) => ({conv: {id: name, name}, messages: [message(name)]})),
        lines.map((line) => JSON.stringify(line)).join('\n')]) {
        const other = await open(), {conversations, skipped} = await importFile(other, file(content));
        assert.deepEqual([conversations, skipped.length], [1, 1]);
        assert.deepEqual(await shown(other), [['good', ['user: good']]]);
    }
});

test('a file is read object by object, with any cuts between its chunks', () => {
    const text = `[${JSON.stringify({a: '{"[\\', b: [{c: []}]})}, 5, [{"no": 1}], {"d": "\u{1f600}"}]`,
        list = `{"x": [1, {"y": 2}], "conversations" : [{"e": 1},{"f": [{}]}], "z": {"conversations": [{"g": 1}]}}`;
    const read = (text, size) => {
        const reader = new RecordReader(), found = [];
        for (let i = 0; i < text.length; i += size) found.push(...reader.read(text.slice(i, i + size)));
        return found.map((each) => JSON.parse(each.text));
    };
    for (const size of [1, 2, 3, 7, 1000]) {
        assert.deepEqual(read(text, size), [{a: '{"[\\', b: [{c: []}]}, {d: '😀'}]);
        assert.deepEqual(read(list, size),
            [{e: 1}, {f: [{}]}, {x: [1, {y: 2}], conversations: [], z: {conversations: [{g: 1}]}}]);
        assert.deepEqual(read('{"a":1}\n{"b":"}"}\n', size), [{a: 1}, {b: '}'}]);
    }
});

test('what ends in the middle says so, and keeps what is whole', async () => {
    const store = await open(), other = await open();
    for (const title of ['One', 'Two', 'Three']) {
        const {id} = await store.create({title});
        await store.add(id, {role: 'user', content: `${title}?`, parent: null});
    }
    const text = await (await exportAll(store)).text(),
        {conversations, skipped} = await importFile(other, file(text.slice(0, -200)));
    assert.deepEqual([conversations, skipped.length], [2, 1]);
    assert.match(skipped[0], /could not be read to its end/);
});

test("llama.cpp's earlier web UI, which counts its messages", async () => {
    const store = await open(),
        message = (id, parent, role, content) => ({
            id, convId: 'c', type: parent < 0 ? 'root' : 'text', parent, role, content, timestamp: id,
            children: [],
        });
    await importFile(store, file({
        conv: {id: 'conv-1', lastModified: 3, currNode: 3, name: 'Old'},
        messages: [
            message(1, -1, 'system', ''), message(2, 1, 'user', 'Salty?'),
            message(3, 2, 'assistant', 'Quite.'),
        ],
    }));
    assert.deepEqual(await shown(store), [['Old', ['user: Salty?', 'assistant: Quite.']]]);
});

test('what has no times is not doubled either, and parts of a message are its words', async () => {
    const store = await open(),
        talk = {messages: [{role: 'user', content: [{type: 'text', text: 'Salty?'},
            {type: 'image_url', image_url: {url: 'data:,'}}]}, {role: 'assistant', content: 'Quite.'}]};
    for (const expected of [2, 0]) {
        assert.equal((await importFile(store, file(talk))).messages, expected);
        await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
    assert.deepEqual((await shown(store))[0][1], ['user: Salty?', 'assistant: Quite.']);
});

test("ChatGPT's names are words, and without a current node the newest branch shows, in any order",
    async () => {
    const node = (id, parent, role, text, create_time) => [id, {
        id, parent,
        message: {
            id, author: {role}, create_time, recipient: 'all', content: {content_type: 'text', parts: [text]},
        },
    }];
    const nodes = [
        node('a', null, 'user', 'Who?', 1),
        node('b', 'a', 'assistant',
            'It is \ue200entity\ue202["people","Ada Lovelace",0]\ue201, \ue203who counted\ue204\ue200cite\ue202turn0\ue201.',
            2),
        node('c', 'b', 'user', 'When?', 3),
    ];
    for (const ordered of [nodes, [...nodes].reverse()]) {
        const store = await open();
        await importFile(store,
            file([{title: 'Names', conversation_id: 'x1', mapping: Object.fromEntries(ordered)}]));
        assert.deepEqual(await shown(store),
            [['Names', ['user: Who?', 'assistant: It is Ada Lovelace, who counted.', 'user: When?']]]);
    }
});

test('a packed backup or export comes back; one with a password is refused with the reason', async () => {
    const store = await open(), {id} = await store.create({title: 'Kept'});
    await store.add(id, {role: 'user', content: 'Hello', parent: null});
    const bytes = Buffer.from(await (await exportAll(store)).text()),
        damaged = Buffer.from('{"format": "gemma-wasm", "version": 1, "conversations": [{"id": "x", "mess');
        const folder = {
            'chats/Kept x.json': bytes, 'chats/Kept x.md': Buffer.from('# Kept'),
            '__MACOSX/._Kept x.json': Buffer.from([0, 5]), 'chats/Cut.json': damaged,
        }, other = await open();
    const {conversations, skipped} = await importFile(other, file(zip(folder), 'backup.zip'));
    assert.deepEqual([conversations, skipped.length], [1, 1]);
    assert.deepEqual(await shown(other), [['Kept', ['user: Hello']]]);
    const locked = zip({'conversations.json': bytes});
    locked[6] |= 1;
    await assert.rejects(importFile(await open(), file(locked, 'x.zip')), /has a password/);
});

test('what is no conversation, and messages that are none, are counted among what could not be read', async () => {
    const node = (text, more) => ({id: 'a', parent: null, message: {author: {role: 'user'}, content:
        {content_type: 'text', parts: [text]}}, ...more});
    const chatGpt = [{title: 'Good', mapping: {a: node('Hello')}}, {title: 'No mapping'}, {title: 'Empty', mapping: {}}];
    const store = await open(), some = await importFile(store, file(chatGpt));
    assert.deepEqual([some.conversations, some.skipped.length], [1, 2]);
    await assert.rejects(importFile(store, file([chatGpt[1]])), /It has no messages: \{"title":"No mapping"\}/);

    const say = (id, role, content, parent = null) => ({id, role, content, parent, state: 'done', created: 1});
    const ours = (id, messages) => ({id, kind: 'chat', title: id, created: 1, messages});
    const other = await open(), {conversations, messages, skipped} = await importFile(other, file({
        format: 'gemma-wasm', version: 1, presets: [], conversations: [
            ours('half', [say('half/1', 'person', 'Q'), say('half/2', 'assistant', 'A', 'half/1')]),
            ours('broken', [say('broken/1', 'user', 7), 'text']), ours('empty', []),
            ours('round', [say('round/1', 'user', 'Q', 'round/2'), say('round/2', 'assistant', 'A', 'round/1')]),
        ],
    }));
    assert.deepEqual([conversations, messages, skipped.length], [3, 3, 2]);
    assert.match(skipped[0], /^“half”: 1 messages could not be read\.$/);
    assert.deepEqual(Object.fromEntries(await shown(other)),
        {half: ['assistant: A'], empty: [], round: ['user: Q', 'assistant: A']});
});
