// Several sessions on one model: answered at the same time, each as if it were alone; cloned, saved and
// restored; probabilities of tokens; embeddings.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
    OTHER = join(import.meta.dirname, '../golden/tiny-gemma1.gguf');
const GREEDY = {temperature: 0}, ENDLESS = {1: -Infinity, 6: -Infinity};
const WORDS =
    'The sea at night is not dark, and whoever listens hears it think about the shore and about the ships '.repeat(12);

/** Numbers that look random, the same in each run. */
function random(seed) {
    let state = seed;
    return (n) => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor(state / 2147483648 * n);
    };
}

let gemma;
before(async () => { gemma = await Gemma.load(TINY, {contextLength: 512}); });
after(() => gemma?.close());

const options = (seed, maxTokens = 12) => ({
    raw: true, maxTokens, sampling: {temperature: 1, seed, logitBias: ENDLESS},
});
const fresh = async (text, ...about) => {
    const session = await gemma.session();
    try {
        return await session.prompt(text, options(...about)).result;
    } finally {
        await session.close();
    }
};

for (const n of [2, 3, 8, 11]) {
    test(`${n} prompts asked at the same time are answered at the same time, each as if it were alone`,
        async () => {
        const texts = Array.from({length: n}, (_, i) => WORDS.slice(i * 7, i * 7 + (i % 3 ? 40 : 500)));
        const expected = [];
        for (const [i, text] of texts.entries()) expected.push((await fresh(text, i, 30)).tokens);
        const sessions = await Promise.all(texts.map(() => gemma.session())), ended = [], begun = [];
        const answers = sessions.map(async (session, i) => {
            const answer = session.prompt(texts[i], options(i, 30));
            for await (const piece of answer) if (piece && !begun.includes(i)) begun.push(i);
            ended.push([i, begun.length]);
            return (await answer.result).tokens;
        });
        assert.deepEqual(await Promise.all(answers), expected);
        assert.equal(ended[0][1], n, 'all had begun when the first one ended');
        await Promise.all(sessions.map((session) => session.close()));
    });
}

test('going from one conversation to another evaluates nothing again', async () => {
    const sessions = [await gemma.session(), await gemma.session()];
    for (let round = 0; round < 3; round++) {
        for (const [i, session] of sessions.entries()) {
            const {cachedTokens, promptTokens} = await session.prompt(`And ${i} says ${WORDS.slice(0, 60)}`,
                {maxTokens: 6, sampling: GREEDY}).result;
            if (round) assert.ok(promptTokens.length - cachedTokens < 60,
                `${promptTokens.length - cachedTokens} tokens were evaluated`);
        }
    }
});

test('an answer that was cut goes on as it stands when nothing new is asked, as often as one likes',
    async () => {
    const sampling = {...GREEDY, logitBias: ENDLESS}, whole = await gemma.session(),
        cut = await gemma.session();
    const {text} = await whole.prompt('Why is the sea salty?', {maxTokens: 24, sampling}).result;
    let said = (await cut.prompt('Why is the sea salty?', {maxTokens: 8, sampling}).result).text;
    for (let i = 0; i < 2; i++) said += (await cut.prompt([], {maxTokens: 8, sampling}).result).text;
    assert.equal(said, text);
    assert.deepEqual([cut.messages, cut.tokens], [whole.messages, whole.tokens]);
    const [one, two] = [
        await whole.prompt('And then?', {maxTokens: 8, sampling}).result,
        await cut.prompt('And then?', {maxTokens: 8, sampling}).result,
    ];
    assert.deepEqual([two.text, two.promptTokens], [one.text, one.promptTokens]);
    await cut.rewind(1);
    await whole.rewind(1);
    assert.deepEqual((await cut.prompt([], {maxTokens: 8, sampling}).result).text,
        (await whole.prompt([], {maxTokens: 8, sampling}).result).text);
    for (const odd of [[undefined], [null], 'x'.split('')])
        await assert.rejects(cut.prompt(odd).result, {code: 'bad-argument'});
    await Promise.all([whole.close(), cut.close()]);
});

test('200 sessions opened and closed take no more memory', async () => {
    const grow = async (n) => {
        for (let i = 0; i < n; i++) await fresh(WORDS.slice(i, i + 300), i, 2);
        return (await fresh('Hello', 1, 1)).memoryBytes;
    };
    const first = await grow(5);
    assert.equal(await grow(200), first);
});

/** How one more session with a long text comes to be: each takes memory in its own way. */
const MORE = {
    'a new one': async (small, first, text) => {
        const session = await small.session();
        await session.prompt(text, {raw: true, maxTokens: 1, sampling: GREEDY}).result;
        return session;
    },
    'a clone': (small, first) => first.clone(),
};
for (const [name, one] of Object.entries(MORE)) {
    test(`where no memory is left for one more session, it is refused, and the others go on: ${name}`,
        async () => {
        const small = await Gemma.load(TINY, {contextLength: 512, sessions: 1}), text = WORDS.slice(0, 480),
            sessions = [];
        try {
            sessions.push(await MORE['a new one'](small, undefined, text));
            await assert.rejects(async () => {
                for (let i = 0; i < 2000; i++) sessions.push(await one(small, sessions[0], text));
            }, {code: 'no-memory'});
            assert.ok(sessions.length > 1);
            const again = await sessions[0].prompt(`${text} and on`, options(3)).result;
            assert.deepEqual(again.tokens, (await fresh(`${text} and on`, 3)).tokens);
            for (const session of sessions.splice(1)) await session.close();
            assert.deepEqual((await (await small.session()).prompt(text, options(4)).result).tokens,
                (await fresh(text, 4)).tokens);
        } finally {
            await small.close();
        }
    });
}

test('a session that is closed while it is answered ends, and others go on', async () => {
    const closing = await gemma.session(), other = await gemma.session();
    const [expected, cut, whole] = [
        await fresh(WORDS.slice(0, 200), 5, 40), closing.prompt(WORDS.slice(9, 300), options(1, 200)),
        other.prompt(WORDS.slice(0, 200), options(5, 40)),
    ];
    for await (const piece of cut) if (piece) break;
    await closing.close();
    assert.equal((await cut.result).finishReason, 'abort');
    assert.deepEqual((await whole.result).tokens, expected.tokens);
    await assert.rejects(closing.prompt('Hello').result, {code: 'bad-argument'});
});

test('60 random interleavings of two sessions with aborts equal fresh sessions', async () => {
    const pick = random(7);
    const sessions = [await gemma.session(), await gemma.session()];
    const ask = async (session) => {
        const at = pick(300), text = WORDS.slice(at, at + 20 + pick(400)), seed = pick(1000),
            n = 1 + pick(12), abort = new AbortController();
        const answer = session.prompt(text, {...options(seed, n), signal: abort.signal});
        if (pick(3) === 0) setTimeout(() => abort.abort(), pick(20));
        const {tokens, finishReason} = await answer.result;
        return {text, seed, n, tokens, finishReason};
    };
    for (let round = 0; round < 30; round++) {
        for (const {text, seed, n, tokens, finishReason} of await Promise.all(sessions.map(ask))) {
            const expected = await fresh(text, seed, n);
            assert.deepEqual(tokens, finishReason === 'abort' ? expected.tokens.slice(0, tokens.length)
                : expected.tokens);
        }
    }
});

test('a clone continues as its session does, and on its own', async () => {
    const session = await gemma.session({system: 'Be brief.'}),
        ask = (one, text) => one.prompt(text, {maxTokens: 10, sampling: {temperature: 1, seed: 4}}).result;
    await ask(session, WORDS.slice(0, 700));
    const clone = await session.clone();
    assert.deepEqual([clone.messages, clone.tokens], [session.messages, session.tokens]);
    const [a, b] = [await ask(session, 'And then?'), await ask(clone, 'And then?')];
    assert.deepEqual(b.tokens, a.tokens);
    assert.ok(b.cachedTokens >= session.tokens - a.tokens.length - 30);
    const before = session.tokens;
    await ask(clone, 'More?');
    assert.ok(session.tokens === before && clone.tokens > before);
});

test('a saved session is restored, in another worker too, and continues as it would', async () => {
    const session = await gemma.session({
        system: 'Be brief.', sampling: {temperature: 1, logitBias: {7: -Infinity}},
    });
    const ask = (one, text) => one.prompt(text, {maxTokens: 10, sampling: {seed: 4}}).result;
    await ask(session, WORDS.slice(0, 700));
    const bytes = await session.save(), another = await Gemma.load(TINY, {contextLength: 512});
    try {
        const [restored, there] = [await gemma.restore(bytes), await another.restore(bytes.buffer)];
        assert.deepEqual([restored.messages, restored.tokens], [session.messages, session.tokens]);
        const answers = [];
        for (const one of [session, restored, there]) answers.push(await ask(one, 'And then?'));
        assert.deepEqual(answers[1].tokens, answers[0].tokens);
        assert.deepEqual(answers[2].tokens, answers[0].tokens);
        assert.ok(answers[1].cachedTokens > session.tokens - 64 - 64 - answers[0].tokens.length);
        // A session in which nothing was said yet.
        const empty = await gemma.restore(await (await gemma.session({system: 'Sing.'})).save());
        assert.deepEqual(empty.messages, [{role: 'system', content: 'Sing.'}]);
    } finally {
        another.close();
    }
});

test('what was saved with another context length is read anew, and has the one of its engine', async () => {
    const other = await Gemma.load(TINY, {contextLength: 128}),
        about = {maxTokens: 6, sampling: {...GREEDY, logitBias: ENDLESS}};
    try {
        const small = await other.session(), text = WORDS.slice(0, 160);
        await small.prompt(text, about).result;
        const grown = await gemma.restore(await small.save()),
            like = await gemma.session({history: small.messages});
        assert.deepEqual(grown.messages, small.messages);
        const answers = [];
        for (const one of [grown, like]) answers.push(await one.prompt(WORDS.slice(0, 800), about).result);
        assert.ok(grown.tokens > 128);
        assert.deepEqual(answers[0].tokens, answers[1].tokens);
        const shrunk = await other.restore(await grown.save());
        await assert.rejects(shrunk.prompt('More', about).result, {code: 'context-full'});
    } finally {
        other.close();
    }
});

test('an answer that has filled the context is saved and restored', async () => {
    const small = await Gemma.load(TINY, {contextLength: 96});
    try {
        const session = await small.session();
        const {finishReason} = await session.prompt(WORDS.slice(0, 100),
            {sampling: {temperature: 1, seed: 2, logitBias: ENDLESS}}).result;
        assert.equal(finishReason, 'context');
        const restored = await small.restore(await session.save());
        assert.deepEqual(restored.messages, session.messages);
        assert.equal((await restored.rewind(0),
            await restored.prompt('Hello', {maxTokens: 3, sampling: GREEDY}).result).tokens.length, 3);
    } finally {
        small.close();
    }
});

test('a session is saved as it is, even if prompts come meanwhile', async () => {
    const session = await gemma.session();
    await session.prompt(WORDS.slice(0, 200), {maxTokens: 4, sampling: GREEDY}).result;
    const {messages} = session, saving = session.save();
    void session.rewind(0);
    assert.deepEqual((await gemma.restore(await saving)).messages, messages);
});

test('texts whose embeddings find no memory do not end what others asked', async () => {
    const small = await Gemma.load(TINY, {contextLength: 512, sessions: 1}),
        text = WORDS.slice(0, 480), kept = [];
    try {
        const session = await small.session();
        await assert.rejects(async () => {
            for (let i = 0; i < 2000; i++) kept.push(await MORE['a new one'](small, undefined, text));
        }, {code: 'no-memory'});
        for (const one of kept.splice(-2)) await one.close();
        const answer = session.prompt('The sea', options(3, 60)).result;
        const failing = small.embed(Array.from({length: 8}, () => text));
        await assert.rejects(failing, {code: 'no-memory'});
        assert.deepEqual((await answer).tokens, (await fresh('The sea', 3, 60)).tokens);
    } finally {
        await small.close();
    }
});

test('bytes that are no session of this model are refused, and the engine goes on', async () => {
    const session = await gemma.session();
    await session.prompt(WORDS.slice(0, 400), {maxTokens: 3, sampling: GREEDY}).result;
    const bytes = await session.save(), pick = random(3);
    for (let i = 0; i < 60; i++) {
        const changed = i % 3 ? bytes.slice() : bytes.slice(0, pick(bytes.length));
        if (i % 3) changed[pick(i % 2 ? 160 : bytes.length)] ^= 1 + pick(255);
        const outcome = await gemma.restore(changed).then(() => 'restored', ({code}) => code);
        // Of the messages' own text any byte may change unseen.
        assert.ok(['bad-file', 'bad-argument', 'restored'].includes(outcome), outcome);
    }
    await assert.rejects(gemma.restore('text'), {code: 'bad-argument'});
    const other = await Gemma.load(OTHER, {contextLength: 512}),
        bytesKv = await Gemma.load(TINY, {contextLength: 512, kvType: 'int8'});
    try {
        await assert.rejects(other.restore(bytes), {code: 'bad-file'});
        await assert.rejects(bytesKv.restore(bytes), {code: 'bad-file'});
    } finally {
        other.close();
        bytesKv.close();
    }
    assert.ok((await fresh('Hello', 1, 3)).tokens.length);
});

test('logprobs are those of the whole vocabulary, of the answer and of the prompt', async () => {
    const session = await gemma.session();
    const asked = {raw: true, maxTokens: 5, sampling: GREEDY, logprobs: 20, promptLogprobs: 3};
    const {tokens, promptTokens, logprobs, promptLogprobs} = await session.prompt(WORDS.slice(0, 200),
        asked).result;
    assert.deepEqual(logprobs.map(({id}) => id), tokens);
    for (const {id, logprob, top} of logprobs) {
        assert.deepEqual(top[0], {id, logprob});        // greedy
        assert.equal(top.length, 20);
        assert.ok(top.every((one, i) => one.logprob <= 0 && (!i || one.logprob <= top[i - 1].logprob)));
        assert.ok(top.reduce((sum, one) => sum + Math.exp(one.logprob), 0) <= 1 + 1e-5);
    }
    assert.deepEqual(promptLogprobs.slice(1).map(({id}) => id), promptTokens.slice(1));
    assert.equal(promptLogprobs[0], null);
    // The same token after the same tokens, once generated and once read.
    const again = await session.prompt(WORDS.slice(0, 200), {...asked, maxTokens: 1}).result;
    const read = await (await gemma.session())
        .prompt(await gemma.detokenize([...promptTokens.slice(1), again.tokens[0]]),
            {...asked, maxTokens: 1}).result;
    const last = read.promptLogprobs.find((one, i) => i === promptTokens.length
        && one?.id === again.tokens[0]);
    if (last) assert.equal(last.logprob, again.logprobs[0].logprob);
    await assert.rejects(session.prompt('x', {raw: true, logprobs: 21}).result, {code: 'bad-argument'});
});

test('embeddings have length 1, do not depend on what else is embedded, and tell texts apart', async () => {
    const texts = [
        'The sea at night', 'The sea at dusk', 'import numpy as np', '', WORDS.slice(0, 700),
        ...Array.from({length: 6}, (_, i) => `text ${i}`),
    ];
    const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
    const together = await gemma.embed(texts);
    assert.equal(together.length, texts.length);
    for (const [i, vector] of together.entries()) {
        assert.equal(vector.length, gemma.info.nEmbd);
        assert.ok(Math.abs(dot(vector, vector) - 1) < 1e-5);
        const [alone] = await gemma.embed([texts[i]]);
        assert.deepEqual(alone, vector);
    }
    assert.ok(dot(together[0], together[1]) < 1 - 1e-6);
    assert.deepEqual(await gemma.embed([]), []);
    await assert.rejects(gemma.embed(['a', 5]), {code: 'bad-argument'});
    await assert.rejects(gemma.embed(['word '.repeat(2000)]), {code: 'context-full'});
});
