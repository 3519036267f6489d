// Prompts that are whole conversations, or tokens: on a session that was used for others they are answered as
// on a new one. And what is told of each token while it is written.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';

const gemmas = await Promise.all(['tiny-gemma1', 'tiny-gemma3'].map((name) =>
    Gemma.load({kind: 'path', path: join(import.meta.dirname, `../golden/${name}.gguf`)},
        {threads: 1, contextLength: 512})));
after(() => gemmas.forEach((each) => each.close()));
const [, gemma] = gemmas;

const HOT = {temperature: 1, topK: 0, topP: 1, logitBias: {1: -Infinity, 6: -Infinity}};
const said = (role, content) => ({role, content});

/** Asks a session that nothing else is asked. */
async function fresh(of, prompt, options) {
    const session = await of.session();
    try {
        return await session.prompt(prompt, options).result;
    } finally {
        await session.close();
    }
}

test('stateless prompts answer as on new sessions; what they share is evaluated once', async () => {
    for (const each of gemmas) {
        const session = await each.session({system: 'Its own conversation.'}), before = session.messages,
            tokens = session.tokens;
        const first = [said('system', 'Be brief.'), said('user', 'Why is the sea salty, and since when?')];
        const chats = [
            first, [...first, said('assistant', 'Rivers.'), said('user', 'And?')], [said('user', 'Another.')],
            first,
        ];
        const cached = [];
        for (const [seed, messages] of chats.entries()) {
            const options = {stateless: true, maxTokens: 12, sampling: {...HOT, seed}};
            const {tokens: got, cachedTokens} = await session.prompt(messages, options).result;
            assert.deepEqual(got, (await fresh(each, messages, options)).tokens);
            cached.push(cachedTokens);
        }
        assert.ok(cached[1] > 20 && cached[0] < 3 && cached[2] < 12, cached.join());
        assert.deepEqual(session.messages, before);
        assert.equal(session.tokens, tokens);
        await session.close();
    }
});

test('a raw prompt of token ids is that of their text', async () => {
    for (const each of gemmas) {
        assert.equal(each.info.addsBos, true);
        const ids = await each.tokenize('The sea at night', {bos: true}),
            options = {raw: true, maxTokens: 8, sampling: {...HOT, seed: 5}};
        const [byIds, byText] = [
            await fresh(each, ids, options), await fresh(each, 'The sea at night', options),
        ];
        assert.deepEqual(byIds.promptTokens, ids);
        assert.deepEqual(byIds.tokens, byText.tokens);
    }
    for (const odd of [[], [1.5], [-1], [2 ** 40], ['a'], [[1]], [gemma.info.nVocab]]) {
        await assert.rejects(fresh(gemma, odd, {raw: true}), {code: 'bad-argument'});
    }
});

test('the probabilities of tokens come with the pieces of text, those of a stop string never', async () => {
    const options = {logprobs: 2, maxTokens: 40, sampling: {...HOT, seed: 3}},
        whole = await fresh(gemma, 'The sea', options);
    // no control tokens
    const shownOf = async (ids) => Buffer.concat(await gemma.tokenBytes(ids, {special: false})).toString();
    const middle = await shownOf(whole.tokens.slice(20, 24));
    for (const stop of [undefined, middle, middle.slice(0, -1), middle.slice(1)]) {
        const pieces = [], {text, logprobs, tokens} = await fresh(gemma, 'The sea',
            {...options, stop, onText: (piece) => pieces.push(piece)});
        assert.equal(pieces.map((piece) => piece.text).join(''), text);
        const told = pieces.flatMap((piece) => piece.logprobs ?? []);
        assert.deepEqual(told, logprobs.slice(0, told.length));
        assert.equal(text.startsWith((await shownOf(tokens.slice(0, told.length))).replace(/\ufffd+$/, '')),
            true, stop);
        assert.ok(stop ? told.length >= 19 && told.length < 24 : told.length === 40,
            `${stop}: ${told.length}`);
        for (let i = 0, n = 0; i < pieces.length; i++) {
            n += (pieces[i].logprobs ?? []).length;
            const shown = pieces.slice(0, i + 1).map((piece) => piece.text).join('');
            assert.ok(shown.startsWith((await shownOf(tokens.slice(0, n))).replace(/\ufffd+$/, '')),
                'no token is told before its text');
        }
    }
    const pieces = [];
    await fresh(gemma, 'The sea', {maxTokens: 4, sampling: HOT, onText: (piece) => pieces.push(piece)});
    assert.ok(pieces.length && pieces.every((piece) => piece.logprobs === undefined));
});

test('the token that ends an answer is told where probabilities are asked for', async () => {
    const options = {logprobs: 1, sampling: {temperature: 0, logitBias: {1: 1000}}};
    const {tokens, endToken} = await fresh(gemma, 'The sea', options);
    assert.deepEqual([tokens, endToken.id, endToken.top.length], [[], 1, 1]);
    assert.ok(endToken.logprob < 0);
    assert.equal((await fresh(gemma, 'The sea', {...options, logprobs: undefined})).endToken, undefined);
    assert.equal((await fresh(gemma, 'The sea', {...options, sampling: HOT, maxTokens: 3}))
        .endToken, undefined);
});

test('probabilities from one token on are those of the whole; the rest is not evaluated again', async () => {
    const ids = await gemma.tokenize('The sea at night is not dark, and it thinks of the shore. '.repeat(3),
        {bos: true}), session = await gemma.session();
    const options = {raw: true, promptLogprobs: 3, maxTokens: 1, sampling: {temperature: 0}};
    const all = await session.prompt(ids, options).result;
    for (const from of [0, 1, 2, 40, ids.length - 1, ids.length, ids.length + 9]) {
        const {promptLogprobs, cachedTokens, tokens} = await session.prompt(ids,
            {...options, promptLogprobsFrom: from}).result;
        assert.deepEqual(promptLogprobs, all.promptLogprobs.map((one, i) => i < from ? null : one),
            String(from));
        assert.ok(cachedTokens <= Math.max(0, from - 1) && (from < 40 || cachedTokens > 30),
            `${cachedTokens} of ${from}`);
        assert.deepEqual(tokens, all.tokens);
    }
    await session.close();
});

test('the bytes of tokens, and embeddings of tokens', async () => {
    const text = 'A sea 🐟.', ids = await gemma.tokenize(text, {bos: true}),
        bytes = await gemma.tokenBytes(ids);
    assert.equal(bytes.length, ids.length);
    assert.equal(Buffer.concat(bytes).toString(), `<bos>${text}`);
    assert.equal(Buffer.concat(await gemma.tokenBytes(ids, {special: false})).toString(), text);
    await assert.rejects(gemma.tokenBytes([gemma.info.nVocab]), {code: 'bad-argument'});
    assert.deepEqual(await gemma.embed([ids, text]), await gemma.embed([text, ids]));
    for (const odd of [[[1.5]], [[-1]], [[]], [1]])
        await assert.rejects(gemma.embed(odd), {code: 'bad-argument'});
});
