// What is written and not sent, in each conversation and over the end of a page.

import assert from 'node:assert/strict';
import test from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';

const kept = new Map(), page = new EventTarget();
Object.assign(globalThis, {
    sessionStorage: {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
        removeItem: (key) => kept.delete(key)},
    localStorage: {removeItem() {}},
    document: {baseURI: 'https://example.org/app/', hidden: false},
    addEventListener: page.addEventListener.bind(page),
});
const {Drafts} = await import('../../web/app/drafts.js');
const {forgetAll} = await import('../../web/app/data/local.js');
const FILE = {name: 'a.txt', type: '', size: 1, text: 'a'};

/** A field without elements. */
class Field {
    content = '';
    attachments = [];
    reading = [];       // what is being read
    edits = [];

    get draft() {
        return {content: this.content, attachments: this.attachments, edits: this.edits};
    }

    takeBack({content = '', files}, edits = []) {
        this.content = [content, this.content].filter(Boolean).join('\n\n');
        this.attachments.push(...files?.ready ?? []);
        this.reading.push(...files?.reading ?? []);
        this.edits.push(...edits);
    }

    exchange({content = '', files = {ready: []}} = {}) {
        const before = {content: this.content, files: {ready: this.attachments, reading: this.reading}};
        this.content = content;
        this.attachments = [...files.ready];
        this.reading = [...files.reading ?? []];
        return before;
    }
}

const sight = (hidden) => {
    document.hidden = hidden;
    page.dispatchEvent(new Event('visibilitychange'));
};
const values = () => [...kept.values()].map((value) => JSON.parse(value));

test('words are kept while they are written, and no more once they are sent', async () => {
    const field = new Field(), change = [];
    new Drafts(field, 'b', () => true);
    const after = async (/** @type {string} */ kind) => {
        const before = kept.size;
        page.dispatchEvent(new Event(kind));
        while (kept.size === before) await sleep(20);
        change.push(values());
    };
    Object.assign(field, {content: 'Half', attachments: [FILE]});
    await after('input');
    Object.assign(field, {content: '', attachments: []});
    await after('input');
    assert.deepEqual(change, [[[['b', 'Half']]], []]);
});

test('each conversation has its own unsent message', () => {
    const field = new Field(), drafts = new Drafts(field, undefined, () => true);
    const shows = (content, ...files) => assert.deepEqual([field.content, field.attachments], [content, files]);
    field.content = 'new';
    drafts.turnTo('a');
    shows('');
    field.takeBack({content: 'of a', files: {ready: [FILE]}});
    drafts.turnTo('b');
    shows('');
    drafts.turnTo();
    shows('new');
    // It is stored with what was written: that was sent.
    field.content = '';
    drafts.turnTo('c', true);
    shows('');
    drafts.turnTo('a');
    shows('of a', FILE);
    // It is gone: what was written stays, beside what a new one had.
    drafts.turnTo();
    field.content = 'once more';
    field.reading = ['b.pdf'];
    drafts.turnTo('a');
    assert.deepEqual(field.reading, []);
    drafts.turnTo(undefined, true);
    shows('once more\n\nof a', FILE);
    assert.deepEqual(field.reading, ['b.pdf']);
});

test('a page that goes, or goes out of sight, keeps what is written, and nothing where that is empty', () => {
    const field = new Field(), drafts = new Drafts(field, 'a', (id) => id !== 'gone');
    Object.assign(field, {content: 'Half', attachments: [FILE], edits: [['m1', 'Changed']]});
    sight(false);
    assert.deepEqual(values(), []);
    for (const id of ['gone', 'b']) {
        drafts.turnTo(id);
        field.content = `in ${id}`;
    }
    drafts.turnTo('a');
    sight(true);
    assert.deepEqual(values(), [[['b', 'in b'], ['a', 'Half']], [['a', [FILE]]], [['m1', 'Changed']]]);

    const later = new Field(), back = new Drafts(later, 'a', () => true);
    assert.deepEqual(later.draft, field.draft);
    assert.equal(kept.size, 0);
    back.turnTo('b');
    assert.equal(later.content, 'in b');
    back.turnTo('a');
    assert.deepEqual(later.attachments, [FILE]);

    page.dispatchEvent(new Event('pagehide'));
    assert.equal(kept.size, 3);
    kept.clear();
    forgetAll();
    page.dispatchEvent(new Event('pagehide'));
    assert.equal(kept.size, 0, 'after forgetAll nothing is kept');
});
