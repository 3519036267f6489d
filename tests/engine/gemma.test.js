// gemma.js as a library, under Node, on the tiny models of tests/golden: conversations, reuse,
// stopping, errors.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma, GemmaError} from '../../web/gemma.js';
import {ensureModel} from '../../web/node/setup.js';

const GOLDEN = join(import.meta.dirname, '../golden');
const TURNS = join(GOLDEN, 'tiny-gemma3.gguf'), BASE = join(GOLDEN, 'tiny-gemma2.gguf');
const WEIGHTS = ['tiny-gemma1.gguf', 'tiny-gemma2.gguf', 'tiny-gemma3.gguf'].map((name) =>
    join(GOLDEN, name));
const GREEDY = {temperature: 0};
// Random models like to say the end of a turn: a test that wants many tokens forbids it.
const ENDLESS = {1: -Infinity, 6: -Infinity};
const TEXT = readFileSync(join(GOLDEN, 'text.txt'), 'utf8');

const work = mkdtempSync(join(tmpdir(), 'gemma-api-'));
after(() => rmSync(work, {recursive: true}));

/** Loads, runs, closes. */
async function withModel(model, options, body) {
    const gemma = await Gemma.load(model, options);
    try {
        return await body(gemma);
    } finally {
        gemma.close();
    }
}

/** One raw continuation on a fresh session. */
async function continued(gemma, text, options = {}) {
    const session = await gemma.session();
    return session.prompt(text, {raw: true, maxTokens: 24, ...options,
        sampling: {...GREEDY, logitBias: ENDLESS, ...options.sampling}}).result;
}

test('guessing ahead changes no token, in text that repeats itself',
    () => withModel(TURNS, {}, async (gemma) => {
    const text = TEXT.slice(0, 120).repeat(2),
        options = {maxTokens: 60, sampling: {temperature: 0, repeatPenalty: 1.1}};
    const {tokens} = await continued(gemma, text, options);
    const session = await gemma.session(), one = {temperature: 0, repeatPenalty: 1.1, logitBias: ENDLESS};
    let said = text;
    const slowly = [];
    for (let i = 0; i < 20; i++) {      // one token a prompt: nothing to guess
        const {text: piece, tokens: [id]} = await session.prompt(said,
            {raw: true, maxTokens: 1, sampling: one}).result;
        said += piece;
        slowly.push(id);
        // a text need not be cut into the tokens it was made of
        if ((await gemma.tokenize(said)).at(-1) !== id) break;
    }
    assert.deepEqual(tokens.slice(0, slowly.length), slowly);
}));

// With more than 64 biases all logits are computed whole, and these change none.
const WHOLE = Object.fromEntries(Array.from({length: 70}, (_, i) => [1000 + i, 0]));

test('the two passes of the output head choose what one would', async () => withModel(await ensureModel(), {},
    async (gemma) => {
    const ways = [GREEDY, {temperature: 1, topK: 40, seed: 5},
        {temperature: 1.3, topK: 100, topP: 0.95, seed: 6},
        {temperature: 0, repeatPenalty: 1.4}, {temperature: 1, topK: 20, presencePenalty: 2,
            frequencyPenalty: 0.5, seed: 7}];
    for (const way of ways) {
        const answers = [];
        for (const logitBias of [{}, WHOLE]) {
            const session = await gemma.session();
            answers.push((await session.prompt('The sea at night',
                {raw: true, maxTokens: 40, sampling: {...way, logitBias}}).result).tokens);
        }
        assert.deepEqual(answers[0], answers[1], JSON.stringify(way));
    }
}));

test('a model says what it is', () => withModel(TURNS, {threads: 2}, ({info}) => {
    const {architecture, name, chat, chatStyle, variant, threads, contextLength, nVocab} = info;
    assert.deepEqual({architecture, name, chat, chatStyle, threads, contextLength, nVocab}, {
        architecture: 'gemma3', name: 'tiny random gemma3 it', chat: true, chatStyle: 'turns', threads: 2,
        contextLength: 512, nVocab: 699,
    });
    assert.match(variant, /^(simd128|relaxed)$/);
    assert.ok(info.memoryBytes > info.weightBytes);
}));

test('a base model chats in a plain-text transcript, unless told otherwise', async () => {
    await withModel(BASE, {}, ({info}) => assert.equal(info.chatStyle, 'transcript'));
    await withModel(BASE, {chat: true}, ({info}) => assert.equal(info.chatStyle, 'turns'));
    await withModel(TURNS, {chat: false}, ({info}) => assert.equal(info.chatStyle, 'transcript'));
});

test('the streamed pieces are the text of the result, which can also be had alone',
    () => withModel(TURNS, {}, async (gemma) => {
    const session = await gemma.session();
    const answer = session.prompt('The sea', {raw: true, maxTokens: 20, sampling: GREEDY});
    let text = '';
    for await (const piece of answer) text += piece;
    const result = await answer.result;
    assert.equal(text, result.text);
    assert.equal((await session.prompt('The sea', {raw: true, maxTokens: 20, sampling: GREEDY}).result).text,
        text);
    assert.equal(await gemma.detokenize(result.tokens), text);
    assert.deepEqual(result.promptTokens, await gemma.tokenize('The sea', {bos: true}));
    for (const ms of ['loadMs', 'prefillMs', 'decodeMs']) assert.ok(result.timings[ms] > 0, ms);
}));

for (const model of WEIGHTS) {
    test(`${model.split('/').at(-1)}: the same tokens with any number of threads`, async () => {
        const texts = [];
        for (const threads of [1, 2, 3, 4]) {
            await withModel(model, {threads}, async (gemma) => {
                assert.equal(gemma.info.threads, threads);
                const greedy = await continued(gemma, TEXT.slice(0, 400));
                const sampled = await continued(gemma, 'The', {sampling: {temperature: 1, seed: 5}});
                texts.push([greedy.tokens, sampled.tokens].join());
            });
        }
        assert.equal(new Set(texts).size, 1, texts.join('\n'));
    });
}

test('the same seed gives the same text, another one another', () => withModel(TURNS, {}, async (gemma) => {
    const say = (seed) => continued(gemma, 'The sea', {sampling: {temperature: 1, topK: 0, topP: 1, seed}});
    const first = await say(42), again = await say(42), other = await say(43), unseeded = await say();
    assert.deepEqual(again.tokens, first.tokens);
    assert.notDeepEqual(other.tokens, first.tokens);
    assert.deepEqual((await say(unseeded.seed)).tokens, unseeded.tokens);
}));

test('text that continues an earlier one of its session evaluates only what is new, with the same result',
    () => withModel(TURNS, {}, async (gemma) => {
    const beginning = TEXT.slice(0, 300), whole = TEXT.slice(0, 330),
        options = {raw: true, maxTokens: 8, sampling: GREEDY};
    const session = await gemma.session();
    await session.prompt(beginning, options).result;
    const warm = await session.prompt(whole, options).result;
    const cold = await (await gemma.session()).prompt(whole, options).result;
    assert.ok(warm.cachedTokens > 0 && warm.timings.prefillTokens < cold.timings.prefillTokens);
    assert.equal(warm.cachedTokens + warm.timings.prefillTokens, warm.promptTokens.length);
    assert.equal(cold.cachedTokens, 0);
    assert.deepEqual(warm.tokens, cold.tokens);
}));

for (const [style, model] of [['turns', TURNS], ['a transcript', BASE]]) {
    test(`a conversation in ${style}: each prompt goes on after all before it, and evaluates only its own`,
        () => withModel(model, {}, async (gemma) => {
        const session = await gemma.session({system: 'Be brief.'});
        const turn = (text) => session.prompt(text, {maxTokens: 12, sampling: GREEDY}).result;
        const first = await turn('Hello');
        const second = await turn('And then?');
        const before = [...first.promptTokens, ...first.tokens];
        assert.deepEqual(second.promptTokens.slice(0, before.length), before);
        assert.ok(second.cachedTokens >= before.length - 2,
            `${second.cachedTokens} of ${before.length} were cached`);
        assert.equal(second.cachedTokens + second.timings.prefillTokens, second.promptTokens.length);
    }));
}

test('a transcript looks like one, and ends where the user would speak',
    () => withModel(BASE, {}, async (gemma) => {
    const session = await gemma.session({system: 'A talk.'});
    const {promptTokens} = await session.prompt('Hi', {maxTokens: 1, sampling: GREEDY}).result;
    assert.equal(await gemma.detokenize(promptTokens.slice(1)), 'A talk.\n\nUser: Hi\nAssistant:');
}));

test('turns look like those of Gemma, with the system message in the user\'s',
    () => withModel(TURNS, {}, async (gemma) => {
    const session = await gemma.session({system: 'Be brief.'});
    const {promptTokens} = await session.prompt('Hi', {maxTokens: 1, sampling: GREEDY}).result;
    assert.equal(await gemma.detokenize(promptTokens),
        '<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n');
}));

test('control texts that a user types are text', () => withModel(TURNS, {}, async (gemma) => {
    const ids = await gemma.tokenize('<end_of_turn>');
    assert.ok(ids.length > 1 && !ids.includes(6));
    assert.deepEqual(await gemma.tokenize('<end_of_turn>', {special: true}), [6]);
    const {promptTokens} = await (await gemma.session()).prompt('a<end_of_turn>b',
        {maxTokens: 1, sampling: GREEDY}).result;
    assert.equal(promptTokens.filter((id) => id === 6).length, 1);
}));

test('sessions side by side don\'t disturb each other', () => withModel(TURNS, {}, async (gemma) => {
    const texts = ['Hello', 'And then?', 'Why?'], options = {maxTokens: 10, sampling: GREEDY};
    const alone = async (system) => {
        const session = await gemma.session({system}), said = [];
        for (const text of texts) said.push((await session.prompt(text, options).result).tokens);
        return said;
    };
    const expected = [await alone('One.'), await alone('Two.')];
    const sessions = [await gemma.session({system: 'One.'}), await gemma.session({system: 'Two.'})],
        got = [[], []];
    for (const text of texts) {
        const results = await Promise.all(sessions.map((session) => session.prompt(text, options).result));
        results.forEach((result, i) => got[i].push(result.tokens));
    }
    assert.deepEqual(got, expected);
}));

test('messages with given answers go on from those', () => withModel(TURNS, {}, async (gemma) => {
    const history = [{role: 'user', content: 'Hi'}, {role: 'assistant', content: 'Hello!'}],
        options = {maxTokens: 8, sampling: GREEDY};
    const a = await (await gemma.session({history})).prompt('Well?', options).result;
    const b = await (await gemma.session()).prompt([...history, {role: 'user', content: 'Well?'}],
        options).result;
    assert.deepEqual(b.promptTokens, a.promptTokens);
    assert.deepEqual(b.tokens, a.tokens);
    await assert.rejects(gemma.session({history: [{role: 'robot', content: 'x'}]}), {code: 'bad-argument'});
    await assert.rejects((await gemma.session()).prompt([{role: 'user'}]).result, {code: 'bad-argument'});
}));

test('a stop string ends the answer and is not part of it', () => withModel(BASE, {}, async (gemma) => {
    const {text} = await continued(gemma, 'The sea', {maxTokens: 40, sampling: {temperature: 1, seed: 3}});
    const at = text.length >> 1, stop = text.slice(at, at + 4), end = text.indexOf(stop);
    const cut = await continued(gemma, 'The sea',
        {maxTokens: 40, stop: [stop], sampling: {temperature: 1, seed: 3}});
    assert.deepEqual({text: cut.text, reason: cut.finishReason}, {text: text.slice(0, end), reason: 'stop'});
}));

test('a bias can force a token or forbid one', () => withModel(BASE, {}, async (gemma) => {
    const plain = await continued(gemma, 'The sea', {maxTokens: 3});
    assert.deepEqual((await continued(gemma, 'The sea', {maxTokens: 3, sampling: {logitBias: {300: 1000}}}))
        .tokens, [300, 300, 300]);
    const forbidden = Object.fromEntries(plain.tokens.map((id) => [id, -Infinity]));
    const other = await continued(gemma, 'The sea', {maxTokens: 3, sampling: {logitBias: forbidden}});
    assert.ok(other.tokens.every((id) => !plain.tokens.includes(id)));
}));

test('aborting ends the answer with what there is, and the next one is as if nothing had been',
    () => withModel(TURNS, {}, async (gemma) => {
    const session = await gemma.session(), stopping = new AbortController();
    const answer = session.prompt('The sea', {raw: true, signal: stopping.signal,
        sampling: {...GREEDY, logitBias: ENDLESS}});
    let pieces = 0;
    for await (const _ of answer) if (++pieces === 3) stopping.abort();
    const {finishReason, text, tokens} = await answer.result;
    assert.equal(finishReason, 'abort');
    assert.ok(text.length > 0 && tokens.length < 500);
    const expected = await withModel(TURNS, {}, (fresh) => continued(fresh, 'The sea at night'));
    assert.deepEqual((await continued(gemma, 'The sea at night')).tokens, expected.tokens);
}));

test('what is aborted before its first word was never asked', () => withModel(TURNS, {}, async (gemma) => {
    const session = await gemma.session();
    const {finishReason, text} = await session.prompt('Forget this',
        {signal: AbortSignal.abort(), sampling: GREEDY}).result;
    assert.deepEqual({finishReason, text}, {finishReason: 'abort', text: ''});
    const {promptTokens} = await session.prompt('Hi', {maxTokens: 1, sampling: GREEDY}).result;
    assert.equal(await gemma.detokenize(promptTokens),
        '<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n');
}));

test('leaving the loop stops the answer', () => withModel(TURNS, {}, async (gemma) => {
    const answer = (await gemma.session()).prompt('The sea',
        {raw: true, sampling: {...GREEDY, logitBias: ENDLESS}});
    for await (const _ of answer) break;
    assert.equal((await answer.result).finishReason, 'abort');
}));

test('progress is told while a prompt is read', () => withModel(TURNS, {}, async (gemma) => {
    const told = [];
    const {promptTokens} = await continued(gemma, TEXT.slice(0, 600),
        {maxTokens: 1, onProgress: (p) => told.push(p)});
    assert.ok(told.length > 1 && told.every((p) => p.phase === 'prefill' && p.total === promptTokens.length));
    assert.equal(told.at(-1).done, promptTokens.length);
}));

test('a prompt that doesn\'t fit is refused with numbers; a full context ends an answer',
    () => withModel(TURNS, {contextLength: 32}, async (gemma) => {
    assert.equal(gemma.info.contextLength, 32);
    await assert.rejects(continued(gemma, TEXT), {constructor: GemmaError, code: 'context-full',
        message: /\d+ tokens.* 32/});
    const {finishReason, promptTokens, tokens} = await continued(gemma, 'The sea', {maxTokens: undefined});
    assert.equal(finishReason, 'context');
    // the last one needs no room: nothing follows it
    assert.equal(promptTokens.length + tokens.length, 33);
}));

test('errors have codes and leave the engine usable', () => withModel(BASE, {}, async (gemma) => {
    await assert.rejects(continued(gemma, 'x', {sampling: {temperature: -1}}), {code: 'bad-argument'});
    await assert.rejects(continued(gemma, 'x', {sampling: {logitBias: {9999: 1}}}), {code: 'bad-argument'});
    await assert.rejects((await gemma.session()).prompt([], {raw: true}).result, {code: 'bad-argument'});
    const session = await gemma.session();
    await session.close();
    await assert.rejects(session.prompt('x').result, {code: 'bad-argument'});
    assert.equal((await continued(gemma, 'x', {maxTokens: 2})).tokens.length, 2);
}));

test('options that make no sense are refused', async () => {
    for (const options of [{threads: 0}, {threads: 1.5}, {contextLength: 0}, {contextLength: 513}]) {
        await assert.rejects(Gemma.load(BASE, options), {code: 'bad-argument'}, JSON.stringify(options));
    }
    for (const model of [undefined, null, 7, {}, {kind: 'tape'}])
        await assert.rejects(Gemma.load(model), {code: 'bad-argument'});
});

test('files that are missing, broken or of another kind are refused in one sentence', async () => {
    const good = readFileSync(BASE);
    const write = (name, bytes) => {
        writeFileSync(join(work, name), bytes);
        return join(work, name);
    };
    const patched = (from, to) => {
        const bytes = Buffer.from(good), at = bytes.indexOf(from);
        assert.ok(at >= 0 && from.length === to.length);
        bytes.write(to, at, 'latin1');
        return bytes;
    };
    const cases = [
        [join(work, 'missing.gguf'), 'not-found'],
        [work, 'bad-file'],
        [write('empty.gguf', ''), 'bad-file'],
        [write('text.gguf', 'This is no model.\n'.repeat(1000)), 'bad-file'],
        [write('magic.gguf', patched('GGUF', 'GGUX')), 'bad-file'],
        [write('header.gguf', good.subarray(0, 5000)), 'bad-file'],
        [write('weights.gguf', good.subarray(0, good.length - 5000)), 'bad-file'],
        [write('llama.gguf', patched('gemma2', 'llama2')), 'unsupported'],
    ];
    for (const [path, code] of cases) {
        await assert.rejects(Gemma.load(path), (error) => {
            assert.equal(error.code, code, `${path}: ${error.stack}`);
            assert.match(error.message, /^[^\n]+$/);
            assert.ok(path === work || error.message.includes(path.split('/').at(-1)), error.message);
            return true;
        });
    }
});

test('a model opens from a Blob, a file URL and an http URL', async () => {
    const server = createServer((request, response) => {
        const bytes = readFileSync(BASE), range = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
        if (!range) return response.end(bytes);
        const [begin, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)];
        response.writeHead(206, {'Content-Range': `bytes ${begin}-${end - 1}/${bytes.length}`,
            'Content-Length': end - begin});
        response.end(bytes.subarray(begin, end));
    });
    await new Promise((listening) => server.listen(0, listening));
    const url = `http://localhost:${server.address().port}/tiny.gguf`;
    try {
        const expected = await withModel(BASE, {}, (gemma) => continued(gemma, 'The'));
        for (const model of [new Blob([readFileSync(BASE)]), new URL(`file://${BASE}`), url, new URL(url)]) {
            const phases = new Set();
            const {tokens} = await withModel(model, {onProgress: (p) => phases.add(p.phase)},
                (gemma) => continued(gemma, 'The'));
            assert.deepEqual(tokens, expected.tokens);
            assert.deepEqual([...phases], [String(model).startsWith('http') ? 'download' : 'load']);
        }
    } finally {
        server.closeAllConnections();
        server.close();
    }
});

test('loading can be aborted', async () => {
    await assert.rejects(Gemma.load(BASE, {signal: AbortSignal.abort()}), {name: 'AbortError'});
    const stopping = new AbortController(), silent = createServer(() => stopping.abort());
    await new Promise((listening) => silent.listen(0, listening));
    try {
        const url = `http://localhost:${silent.address().port}/never.gguf`;
        await assert.rejects(Gemma.load(url, {signal: stopping.signal}), {name: 'AbortError'});
    } finally {
        silent.closeAllConnections();
        silent.close();
    }
});

test('a closed model rejects what is asked of it, and what it was doing', async () => {
    const gemma = await Gemma.load(TURNS);
    const session = await gemma.session();
    const answer = session.prompt('The sea', {raw: true, sampling: {...GREEDY, logitBias: ENDLESS}});
    gemma.close();
    await assert.rejects(answer.result, {code: 'closed'});
    await assert.rejects(session.prompt('x').result, {code: 'closed'});
    await assert.rejects(gemma.tokenize('x'), {code: 'closed'});
});

test('a synthetic model needs no file', async () => {
    const shape = {kind: 'synthetic', shape: 'gemma3-270m', type: 'q4_0'};
    await withModel(shape, {contextLength: 64}, ({info}) => assert.equal(info.architecture, 'gemma3'));
    await assert.rejects(Gemma.load({kind: 'synthetic', shape: 'gemma-3b', type: 'q4_0'}),
        {code: 'bad-argument'});
});

test('a process that has loaded a model, and not closed it, ends by itself', () => {
    const program = `import { Gemma } from ${JSON.stringify(join(import.meta.dirname, '../../web/gemma.js'))};
        const gemma = await Gemma.load(${JSON.stringify(TURNS)}, { threads: 3 });
        const answer = (await gemma.session()).prompt('Hi', { maxTokens: 3 });
        for await (const _ of answer);
        console.log((await answer.result).tokens.length);`;
    const {status, stdout, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8', timeout: 200_000});
    assert.deepEqual({status, stderr}, {status: 0, stderr: ''});
    assert.match(stdout, /^\d\n$/);
});
