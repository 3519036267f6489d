// Conversations as the model knows them: what is forgotten where a context is full, in sessions that are
// open, new or restored.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Talk} from '../../web/app/talk.js';
import {Gemma} from '../../web/gemma.js';

const MODEL = {kind: 'path', path: join(import.meta.dirname, '../golden/tiny-gemma3.gguf')};
const gemma = await Gemma.load(MODEL, {threads: 1, contextLength: 512});
after(() => gemma.close());

const LONG = 'How many ships are there at sea, and who counts them? '.repeat(4),
    OPTIONS = {maxTokens: 12, sampling: {temperature: 0}};
const SYSTEM = {role: 'system', content: 'Be brief.'};
const user = (content) => ({role: 'user', content}), assistant = (content) => ({role: 'assistant', content});

/**
 * A person who asks in one conversation.
 * @param {Talk} talk
 * @param {import('../../web/gemma.js').Message[]} messages   of the conversation, which grows
 */
function asker(talk, messages) {
    return async (content, more = {}) => {
        if (content !== undefined) messages.push(user(content));
        let dropped = 0;
        const {text, promptTokens, cachedTokens} = await talk.ask({
            conversation: 'c', messages, overflow: 'drop-oldest', options: OPTIONS, onPiece() {},
            onOverflow: (n) => { dropped += n; }, ...more,
        });
        messages.push(assistant(text));
        return {text, dropped, read: promptTokens.length - cachedTokens};
    };
}

/** What is kept of one conversation, in memory. */
function keeper() {
    const kept = {};
    return {kept, keepState: async (id, state) => void (kept[id] = state), readState: async (id) => kept[id]};
}

test('a conversation longer than the context is answered by a new session, which forgets as much', async () => {
    const messages = [SYSTEM], ask = asker(new Talk(gemma, ''), messages);
    let forgotten = 0;
    for (let i = 0; i < 12; i++) forgotten += (await ask(`${i}. ${LONG}`)).dropped;
    assert.ok(forgotten > 4 && forgotten % 2 === 0, `${forgotten} messages`);
    // Answered once more, the same is remembered, and read from its keys and values.
    const last = messages.pop(), again = await ask();
    assert.deepEqual([again.text, again.dropped], [last.content, 0]);
    assert.ok(again.read < 100, `${again.read} tokens`);
    // Elsewhere, nothing is known of the sessions here.
    const copy = messages.slice(0, -1), fresh = await asker(new Talk(gemma, ''), copy)();
    assert.ok(fresh.dropped >= forgotten - 2, `${fresh.dropped} of ${forgotten}`);
    const next = await asker(new Talk(gemma, ''), copy)(`And now? ${LONG}`);
    assert.ok(next.dropped > 0);
});

test('one that was refused is answered when its oldest messages may be forgotten', async () => {
    const messages = [], talk = new Talk(gemma, ''), ask = asker(talk, messages);
    await assert.rejects(async () => {
        for (let i = 0; i < 12; i++) await ask(`${i}. ${LONG}`, {overflow: 'error'});
    }, {code: 'context-full'});
    const {dropped} = await ask();
    assert.ok(dropped > 0);
});

test('a session that has forgotten something is kept and restored with that', async () => {
    const states = keeper(), messages = [SYSTEM], talk = new Talk(gemma, 'm', states),
        ask = asker(talk, messages);
    for (let i = 0; i < 8; i++) await ask(`${i}. ${LONG}`);
    await talk.saved();
    assert.ok(states.kept.c.dropped > 0);
    const copy = [...messages], here = await ask('Who?'),
        there = await asker(new Talk(gemma, 'm', states), copy)('Who?');
    assert.deepEqual([there.text, there.dropped], [here.text, here.dropped]);
    assert.ok(there.read < 120, `${there.read} tokens`);
    // Asked differently from an early message on, all of it fits again.
    const early = [...messages.slice(0, 3)],
        branch = await asker(new Talk(gemma, 'm', states), early)('Why?'),
        alone = await asker(new Talk(gemma, ''), messages.slice(0, 3))('Why?');
    assert.deepEqual([branch.text, branch.dropped], [alone.text, 0]);
});
