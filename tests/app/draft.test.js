// What is written and not sent, over the end of a page.

import assert from 'node:assert/strict';
import test from 'node:test';

const kept = new Map(), page = new EventTarget();
Object.assign(globalThis, {
    sessionStorage: {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
        removeItem: (key) => kept.delete(key)},
    document: {baseURI: 'https://example.org/app/', hidden: false},
    addEventListener: page.addEventListener.bind(page),
});
const {keepDraft} = await import('../../web/app/draft.js');
const FILE = {name: 'a.txt', type: '', size: 1, text: 'a'};

test('a page that goes, or goes out of sight, keeps what is in the field, and nothing where that is empty',
    () => {
    const chat = {draft: {content: 'Half', attachments: [FILE], edits: [['m1', 'Changed']]}, back: [],
        takeBack: (...given) => chat.back.push(given)};
    const values = () => [...kept.values()], sight = (hidden) => {
        document.hidden = hidden;
        page.dispatchEvent(new Event('visibilitychange'));
    };
    keepDraft(chat);
    sight(false);
    assert.deepEqual(values(), []);
    sight(true);
    assert.deepEqual(values(), ['Half', JSON.stringify([FILE]), '[["m1","Changed"]]']);
    keepDraft(chat);
    assert.deepEqual([chat.back, values()], [[['', [FILE], [['m1', 'Changed']]]], []]);
    page.dispatchEvent(new Event('pagehide'));
    assert.equal(kept.size, 3);
    chat.draft = {content: '', attachments: [], edits: []};
    page.dispatchEvent(new Event('pagehide'));
    assert.deepEqual(values(), []);
});
