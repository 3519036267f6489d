// What goes wrong between a caller and the engine's worker: listeners that throw, values that can't be sent,
// workers that end, prompts that wait and are aborted, conversations that are full. After each of these the
// next prompt is as a fresh engine's.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {MessageChannel, Worker} from 'node:worker_threads';
import {startWorker} from '../../web/base/host.js';
import {Caller, answer} from '../../web/base/protocol.js';
import {Gemma, GemmaError} from '../../web/gemma.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
    LIBRARY = join(import.meta.dirname, '../../web/gemma.js');
const SAMPLING = {temperature: 0, logitBias: {1: -Infinity, 6: -Infinity}};
const gemma = await Gemma.load(TINY, {threads: 1});
after(() => gemma.close());

async function withFresh(body, options = {}) {
    const fresh = await Gemma.load(TINY, {threads: 1, ...options});
    try {
        return await body(fresh);
    } finally {
        fresh.close();
    }
}

async function say(engine, text) {
    return (await (await engine.session({sampling: SAMPLING})).prompt(text, {raw: true, maxTokens: 16})
        .result).tokens;
}

test('what onProgress throws is what the call rejects with, and the process goes on', async () => {
    const oops = new Error('oops'), long = 'The sea at night. '.repeat(20);
    for (const onProgress of [() => { throw oops; }, async () => { throw oops; }]) {
        await assert.rejects(Gemma.load(TINY, {threads: 1, onProgress}), (error) => error === oops);
        const session = await gemma.session({sampling: SAMPLING});
        const answer = session.prompt(long, {maxTokens: 5, onProgress});
        await assert.rejects(answer.result, (error) => error === oops);
        await assert.rejects((async () => { for await (const piece of answer) void piece; })(),
            (error) => error === oops);
        // The engine heard of it before its first word, or after some.
        assert.ok(session.messages.length === 0 ? session.tokens === 0 : session.messages.at(-1)
            .role === 'assistant');
    }
    const expected = await withFresh((fresh) => say(fresh, 'The sea'));
    assert.deepEqual(await say(gemma, 'The sea'), expected);
});

test('a listener that throws does not end a process that listens for nothing else', () => {
    const program = `import {Gemma} from ${JSON.stringify(LIBRARY)};
        const told = await Gemma.load(${JSON.stringify(TINY)}, {threads: 1, onProgress() { throw new Error('oops'); }}).catch((error) => error.message);
        const gemma = await Gemma.load(${JSON.stringify(TINY)}, {threads: 1});
        const later = await (await gemma.session()).prompt('Hello '.repeat(50), {maxTokens: 2, onProgress: async () => { throw new Error('later'); }})
            .result.catch((error) => error.message);
        console.log(told, later, (await gemma.tokenize('Hello')).length > 0);`;
    const {status, stdout, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8'});
    assert.deepEqual({status, stdout, stderr}, {status: 0, stdout: 'oops later true\n', stderr: ''});
});

test('a signal\'s own reason is what loading rejects with', async () => {
    const reason = new Error('no longer wanted'), stopping = new AbortController();
    const loading = Gemma.load(TINY, {
        threads: 1, signal: stopping.signal, onProgress: () => stopping.abort(reason),
    });
    await assert.rejects(loading, (error) => error === reason);
});

test('what can\'t be sent rejects its own call, and leaves nothing behind', async () => {
    await assert.rejects((await gemma.session()).prompt(() => {}).result, {code: 'bad-argument'});
    await assert.rejects(gemma.session({history: [{role: 'user', content: 'x', more() {}}]}),
        {code: 'bad-argument'});
    const posted = [];
    const port = {onMessage() {}, postMessage(message) { posted.push(structuredClone(message)); }};
    const caller = new Caller(port), stopping = new AbortController();
    await assert.rejects(caller.call('x', {f() {}}, {signal: stopping.signal}), {code: 'bad-argument'});
    stopping.abort();
    caller.fail(new Error('late'));
    assert.deepEqual(posted, []);
    assert.deepEqual(await say(gemma, 'The sea'), await withFresh((fresh) => say(fresh, 'The sea')));
});

test('a service may throw anything, and answer with what can\'t be sent', async () => {
    const {port1, port2} = new MessageChannel();
    const wrap = (port) => ({
        postMessage: (m, transfer) => port.postMessage(m, transfer), onMessage: (f) => port.on('message', f),
    });
    answer(wrap(port1), {nothing() { throw undefined; }, text() { throw 'a text'; }, functions: () => () => {
        }, sum: ([a, b]) => a + b});
    const caller = new Caller(wrap(port2));
    for (const call of ['nothing', 'text', 'functions', 'unheard'])
        await assert.rejects(caller.call(call, []), {constructor: GemmaError, code: 'internal'}, call);
    assert.equal(await caller.call('sum', [1, 2]), 3);
    port1.close();
});

test('an error keeps its stack and what caused it on its way from the worker', async () => {
    const {port1, port2} = new MessageChannel();
    const wrap = (port) => ({
        postMessage: (m, transfer) => port.postMessage(m, transfer), onMessage: (f) => port.on('message', f),
    });
    const inner = new TypeError('a socket', {cause: 'a plug'}),
        thrown = new GemmaError('network', 'The host is gone.', {cause: inner, here: true});
    const circle = new Error('one');
    circle.cause = circle;
    answer(wrap(port1), {fail() { throw thrown; }, turn() { throw circle; }});
    const caller = new Caller(wrap(port2));
    const error = await caller.call('fail', {}).catch((caught) => caught);
    assert.deepEqual([error.constructor, error.code, error.here, error.stack],
        [GemmaError, 'network', true, thrown.stack]);
    assert.deepEqual([error.cause.name, error.cause.message, error.cause.stack],
        ['TypeError', 'a socket', inner.stack]);
    assert.deepEqual([error.cause.cause.message, error.cause.cause.cause], ['a plug', undefined]);
    await assert.rejects(caller.call('turn', {}), {code: 'internal', message: 'one'});
    port1.close();
});

test('a worker that dies at its start says so; one that never starts lets an abort act at once', async () => {
    for (const code of ['throw new Error("at start")', 'process.exit(0)', 'process.exit(3)',
        'import "./nowhere.js"']) {
        const failed = new Promise((resolve) =>
            startWorker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), resolve));
        assert.ok(await failed instanceof Error, code);
    }
    const silent = new Worker('setInterval(() => {}, 1000)', {eval: true}), stopping = new AbortController(),
        reason = new Error('enough');
    const caller = new Caller({
        postMessage: (m) => silent.postMessage(m), onMessage: (f) => silent.on('message', f),
    });
    const call = caller.call('load', {}, {signal: stopping.signal});
    stopping.abort(reason);
    await assert.rejects(call, (error) => error === reason);
    await silent.terminate();
});

test('a prompt that waits and is aborted ends at once, and was never asked', async () => {
    const session = await gemma.session({sampling: SAMPLING}),
        first = session.prompt('One', {maxTokens: 200});
    const stopping = new AbortController(), waiting = session.prompt('Two', {signal: stopping.signal}),
        after = session.prompt('Three', {maxTokens: 4});
    let isOver = false;
    first.result.then(() => { isOver = true; });
    for await (const piece of first) {
        void piece;
        stopping.abort();
        const {text, tokens, finishReason} = await waiting.result;
        assert.deepEqual({text, tokens, finishReason, isOver}, {
            text: '', tokens: [], finishReason: 'abort', isOver: false,
        });
        break;
    }
    await first.result;
    await after.result;
    assert.deepEqual(session.messages.filter(({role}) => role === 'user').map(({content}) => content),
        ['One', 'Three']);
});

test('a session says what was said, how long it is and what is left; a full one keeps what it has',
    () => withFresh(async (engine) => {
    const history = [{role: 'user', content: 'Hi'}, {role: 'assistant', content: 'Hello!'}];
    const session = await engine.session({system: 'Be brief.', history, sampling: SAMPLING});
    const before = [{role: 'system', content: 'Be brief.'}, ...history];
    assert.deepEqual(session.messages, before);
    assert.ok(session.tokens > 5 && session.tokens + session.tokensLeft === engine.info.contextLength);
    session.messages.pop();
    assert.deepEqual(session.messages, before);

    const {promptTokens, tokens, text} = await session.prompt('Well?', {maxTokens: 6}).result;
    const said = [...before, {role: 'user', content: 'Well?'}, {role: 'assistant', content: text}];
    assert.deepEqual(session.messages, said);
    assert.equal(session.tokens, promptTokens.length + tokens.length);
    await session.prompt('Not remembered', {raw: true, maxTokens: 3}).result;
    assert.deepEqual([session.messages, session.tokens], [said, promptTokens.length + tokens.length]);

    for (const length of [300, 100_000, 5_000_000]) {
        const tooLong = session.prompt('word '.repeat(length / 5), {maxTokens: 1}).result;
        await assert.rejects(tooLong, {code: 'context-full', message: /\d+ tokens.* 64\b/});
        assert.deepEqual([session.messages, session.tokens, session.tokensLeft],
            [said, promptTokens.length + tokens.length, 64 - session.tokens]);
    }
    await assert.rejects(engine.session({history: [{role: 'user', content: 'word '.repeat(1e6)}]}),
        {code: 'context-full'});
    const other = await engine.session({history: session.messages, sampling: SAMPLING});
    assert.deepEqual(other.messages, said);
}, {contextLength: 64}));

/** Numbers from 0 to 1, the same in each run. */
function createRandom(state) {
    return () => {
        state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
        return (state >>> 0) / 2 ** 32;
    };
}

test('after any error, abort or refusal anywhere, the next prompt is as a fresh engine\'s', async () => {
    const random = createRandom(7), pick = (all) => all[Math.floor(random() * all.length)],
        oops = new Error('oops');
    const text = (n) => Array.from({length: n}, () => pick(['sea', 'night', 'a', 'wind', '\n', '☃']))
        .join(' ');
    const expected = await withFresh((fresh) => say(fresh, 'The sea at night'));
    for (let round = 0; round < 40; round++) {
        const session = await gemma.session({sampling: SAMPLING}), stopping = new AbortController();
        const spoils = [
            {onProgress() { if (random() < 0.5) throw oops; }}, {onProgress: async () => { throw oops; }},
            {signal: stopping.signal}, {maxTokens: -1},
            {sampling: {logitBias: {999999: 1}}}, {sampling: {temperature: -1}}, {stop: [5]}, {},
        ];
        const answers = Array.from({length: 3}, () => {
            const prompt = random() < 0.1 ? () => {} : random() < 0.1 ? text(2000)
                : text(1 + Math.floor(random() * 60));
            return session.prompt(prompt, {
                raw: random() < 0.5, maxTokens: Math.floor(random() * 12), ...pick(spoils),
            });
        });
        const leaving = pick(answers);
        if (random() < 0.5) (async () => { for await (const piece of leaving)
            if (piece) { stopping.abort(); break; } })().catch(() => {});
        else stopping.abort();
        for (const result of await Promise.allSettled(answers.map((one) => one.result))) {
            if (result.status === 'rejected')
                assert.ok(result.reason === oops
                    || ['bad-argument', 'context-full'].includes(result.reason.code), result.reason.stack);
        }
        if (round % 4 === 0) assert.deepEqual(await say(gemma, 'The sea at night'), expected,
            `round ${round}`);
    }
});
