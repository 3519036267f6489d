// One engine for many tabs: Gemma.load(model, {shared: true}) in three tabs of a browser. GEMMA_KILLS says
// how often the tab that holds the engine is ended in the middle of answers, GEMMA_ABORTS how often an answer
// is stopped in each tab; by default a few times.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {test} from 'node:test';
import {TYPES, listSite, readSite} from '../../web/node/site.js';
import {openBrowser, reasonToSkip} from './harness/browsers.js';

const KILLS = Number(process.env.GEMMA_KILLS ?? 4), ABORTS = Number(process.env.GEMMA_ABORTS ?? 15);
const TINY = readFileSync(join(import.meta.dirname, '../golden/tiny-gemma3.gguf')), files = listSite();
/** The same with room for answers that nobody waits for the end of. */
const DEEP = withContext(TINY, 1 << 15);
const ISOLATED = {
    'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** @param {Buffer} gguf @param {number} tokens */
function withContext(gguf, tokens) {
    const changed = Buffer.from(gguf), key = '.context_length';
    changed.writeUInt32LE(tokens, changed.indexOf(key) + key.length + 4);        // after the value's type
    return changed;
}

async function serve() {
    let release = () => {}, goOn = () => {};
    const slow = new Promise((done) => { goOn = done; });
    const requests = [], blocked = new Promise((done) => { release = done; }),
        server = createServer(async (request, response) => {
        const path = new URL(request.url, 'http://x').pathname.slice(1);
        requests.push(path);
        if (path === 'block') return response.end(await blocked);
        if (path === 'slow.gguf') await slow;
        const bytes = path === 'deep.gguf' ? DEEP : path === 'tiny.gguf' || path === 'slow.gguf' ? TINY
            : path === '' ? '<!doctype html><meta charset="utf-8"><title>tab</title>' : files.has(path)
            && readSite(path, files);
        if (!bytes) return response.writeHead(404).end();
        response.writeHead(200, {
            'Content-Type': path === '' ? TYPES['.html'] : TYPES[extname(path)] ?? 'application/octet-stream',
            'Content-Length': Buffer.byteLength(bytes), ...ISOLATED,
        }).end(bytes);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {url: `http://localhost:${server.address().port}/`, requests, release, goOn,
        close: () => (server.closeAllConnections(), server.close())};
}

// ------------------------------------------------------------------------------------------ in the page

/** Loads, and says what came of it. */
async function load(model, options) {
    const {Gemma} = await import('./gemma.js');
    try {
        window.gemma = await Gemma.load(model, options);
        window.answers = {};
        window.ask = (name, text, seed, maxTokens, session) => {
            const stopping = new AbortController(),
                answer = window.answers[name] = {text: '', stop: () => stopping.abort()},
                sampling = {temperature: 1, seed, logitBias: {1: -Infinity, 6: -Infinity}};
            answer.done = (async () => {
                const asked = (session ?? await window.gemma.session()).prompt(text,
                    {raw: !session, maxTokens, sampling, signal: stopping.signal});
                try {
                    for await (const piece of asked) answer.text += piece;
                    const {text, tokens, finishReason} = await asked.result;
                    answer.result = {text, tokens, finishReason};
                } catch ({code, message}) {
                    answer.result = {code, message};
                }
            })();
        };
        return {shared: window.gemma.info.shared};
    } catch ({code, message}) {
        return {code, message};
    }
}
const begin = (...args) => void window.ask(...args);
const resultOf = async (name) => {
    await window.answers[name].done;
    return {...window.answers[name].result, streamed: window.answers[name].text};
};
/** The lock of the tab that holds the engine, and how many tabs take part. */
const locks = async () => {
    const {held} = await navigator.locks.query();
    return {
        held: held.filter(({name}) => name.startsWith('gemma-engine')).map(
            ({name, clientId}) => ({clientId, isTab: / tab [^ ]+$/.test(name)})),
    };
};

const OPTIONS = {shared: true, threads: 1, contextLength: 512};
const LONG = 400;

/** A browser with so many tabs that share an engine; the first holds it. */
async function openTabs(context, name, n, options = OPTIONS, file = 'tiny.gguf') {
    const server = await serve(), first = await openBrowser(name), tabs = [];
    context.after(async () => {
        await first.close();
        server.close();
    });
    await first.goto(server.url);
    const open = async () => {
        const tab = await first.tab();
        await tab.goto(server.url);
        assert.deepEqual(await tab.evaluate(load, file, options), {shared: true});
        tabs.push(tab);
        return tab;
    };
    for (let i = 0; i < n; i++) await open();
    return {server, first, tabs, open};
}

/** The same answers of an engine that is nobody else's. */
async function expectedOf(page, asked) {
    await page.evaluate(load, 'tiny.gguf', {...OPTIONS, shared: false});
    const all = {};
    for (const [name, args] of Object.entries(asked)) {
        await page.evaluate(begin, name, ...args);
        all[name] = await page.evaluate(resultOf, name);
    }
    await page.evaluate(() => window.gemma.close());
    return all;
}

test('three tabs share one engine, chromium', {skip: reasonToSkip('chromium')}, async (context) => {
    const {first, tabs, server, open} = await openTabs(context, 'chromium', 3);
    await context.test('its weights and its module are there once', async () => {
        assert.equal(server.requests.filter((path) => path === 'engine/worker.js').length, 1);
        const {held} = await first.evaluate(locks);
        assert.deepEqual([held.filter(({isTab}) => !isTab).length, held.filter(({isTab}) => isTab).length],
            [1, 3]);
    });
    await context.test('all that a Gemma can do works in each tab', async () => {
        for (const tab of tabs) {
            assert.deepEqual(await tab.evaluate(async () => {
                const {gemma} = window, sampling = {temperature: 0, logitBias: {1: -Infinity, 6: -Infinity}},
                    session = await gemma.session({system: 'Be brief.'});
                const answer = session.prompt('Hello', {maxTokens: 8, sampling});
                let streamed = '';
                for await (const piece of answer) streamed += piece;
                const {text} = await answer.result, branch = await session.clone(),
                    saved = await branch.save(), again = await gemma.restore(saved);
                const next = [];
                for (const each of [session, branch, again])
                    next.push((await each.prompt('And?', {maxTokens: 6, sampling}).result).text);
                const constraint = await gemma.constraint({regex: '[ab]{3}'}),
                    constrained = await session.prompt('x', {constraint, sampling: {seed: 1}}).result;
                await constraint.close();
                const closed = await session.prompt('x', {constraint}).result.catch(({code}) => code),
                    calls = [];
                const tool = {name: 'add', parameters: {type: 'object',
                    properties: {n: {type: 'integer', minimum: 0, maximum: 9}}, required: ['n']}};
                const called = await session.prompt('x', {
                    tools: [tool], toolChoice: 'required', onToolCall: (event) => calls.push(event.type),
                    sampling: {seed: 1},
                }).result;
                const stopping = new AbortController(),
                    stopped = branch.prompt('x', {signal: stopping.signal, sampling});
                for await (const piece of stopped) if (piece) stopping.abort();
                const counted = await branch.count('Hello'), {length} = branch.messages;
                await branch.append([{role: 'user', content: 'More'}]);
                const grown = branch.messages.length - length;
                await branch.rewind(length);
                const rewound = branch.messages.length - length, vectors = await gemma.embed(['a', 'b']),
                    ids = await gemma.tokenize('Hello there');
                const tooLong = await session.prompt('word '.repeat(1200)).result.catch(({code}) => code),
                    unknown = await session.prompt('x', {constraint: {schema: {foo: 1, type: 'nothing'}}})
                    .result.catch(({code}) => code);
                await session.close();
                return {
                    counted: counted > 0, grown, rewound, streams: streamed === text && text.length > 0,
                    same: new Set(next).size, constrained: /^[ab]{3}$/.test(constrained.text), closed,
                    called: called.toolCalls[0].name, calls: new Set(calls).size,
                    stopped: (await stopped.result).finishReason,
                    vectors: vectors.map((v) => v.length === gemma.info.nEmbd && v instanceof Float32Array),
                    back: await gemma.detokenize(ids), tooLong, unknown, after: await session.prompt('x')
                        .result.catch(({code}) => code),
                };
            }), {
                counted: true, grown: 1, rewound: 0, streams: true, same: 1, constrained: true,
                closed: 'bad-argument', called: 'add', calls: 3, stopped: 'abort', vectors: [true, true],
                back: 'Hello there',
                tooLong: 'context-full', unknown: 'bad-constraint', after: 'bad-argument',
            });
        }
    });
    await context.test('what a tab has opened is freed when it goes', async () => {
        const memory = () => tabs[0].evaluate(async () => (await (await window.gemma.session()).prompt('x',
            {raw: true, maxTokens: 1}).result).memoryBytes);
        const fill = async () => {
            const tab = await open();
            await tab.evaluate(async () => {
                window.kept = [];
                for (let i = 0; i < 12; i++) {
                    window.kept.push(await window.gemma.session());
                    await window.kept.at(-1).prompt('The sea at night is not dark. '.repeat(30),
                        {raw: true, maxTokens: 1}).result;
                }
            });
            await tab.evaluate(begin, 'running', 'x', 1, LONG);
            tabs.splice(tabs.indexOf(tab), 1);
            await tab.close();
            await first.until(async () => (await navigator.locks.query())
                .held.filter(({name}) => / tab [^ ]+$/.test(name)).length === 3);
        };
        await fill();
        const before = await memory();
        for (let i = 0; i < 3; i++) await fill();
        assert.equal(await memory(), before);
    });
    await context.test(`after each of ${ABORTS} stopped answers the next is a fresh engine's`, async () => {
        const wrong = await Promise.all(tabs.map((tab, n) => tab.evaluate(async (seed, rounds) => {
            const {gemma} = window,
                sampling = {temperature: 1, seed, logitBias: {1: -Infinity, 6: -Infinity}},
                options = {maxTokens: 12, sampling};
            const fresh = async () => {
                const session = await gemma.session(), {text} = await session.prompt('Hello', options).result;
                await session.close();
                return text;
            };
            const expected = await fresh(), session = await gemma.session();
            let state = seed, wrong = 0;
            const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
            for (let i = 0; i < rounds; i++) {
                const stopping = new AbortController(),
                    answer = session.prompt('Tell me all about the sea. '.repeat(random(12)),
                        {raw: true, maxTokens: 60, sampling, signal: stopping.signal});
                let left = random(20);
                if (!left) stopping.abort();
                for await (const piece of answer) if (piece && --left <= 0) stopping.abort();
                await answer.result;
                const {text} = await session.prompt([{role: 'user', content: 'Hello'}],
                    {...options, stateless: true}).result;
                if (text !== expected) wrong++;
            }
            await session.close();
            return wrong;
        }, n + 1, ABORTS)));
        assert.deepEqual(wrong, tabs.map(() => 0));
    });
    await context.test('a file that no digest tells from another of its name has a separate engine',
        async () => {
        assert.equal(await first.evaluate(async () => {
            const {Gemma} = await import('./gemma.js'), file = await (await fetch('tiny.gguf')).blob(),
                gemma = await Gemma.load(file, {shared: true, threads: 1});
            gemma.close();
            return gemma.info.shared;
        }), false);
    });
    const asked = {};
    for (let i = 0; i < 2; i++) for (const n of [0, 1, 2])
        asked[`${n} ${i}`] = [`Question ${n} of ${i}`, 10 * n + i, LONG];
    const expected = await expectedOf(first, asked),
        downloads = server.requests.filter((path) => path === 'tiny.gguf').length;
    let interrupted = 0;
    for (let kill = 0; kill < KILLS; kill++) {
        await context.test(`the tab with the engine ends: answers continue in others (${kill + 1})`, async () => {
            for (const [n, tab] of tabs.entries()) for (let i = 0; i < 2; i++)
                await tab.evaluate(begin, `${n} ${i}`, ...asked[`${n} ${i}`]);
            await sleep(Math.random() * 400);
            interrupted += await tabs[1].evaluate(() => Object.values(window.answers)
                .filter(({result}) => !result).length);
            const holder = tabs.shift();
            if (kill % 2) await holder.goto('chrome://crash').catch(() => {});
            else await holder.close();
            for (const [n, tab] of tabs.entries()) for (let i = 0; i < 2; i++) {
                const name = `${n + 1} ${i}`, isStopped = kill % 3 === 2 && n === 0 && i === 1;
                if (isStopped) await tab.evaluate((name) => window.answers[name].stop(), name);
                const answer = await tab.evaluate(resultOf, name);
                assert.equal(answer.streamed, answer.text);
                if (isStopped) assert.ok(expected[name].text.startsWith(answer.text)
                    && ['abort', 'length'].includes(answer.finishReason));
                else assert.deepEqual(answer, expected[name]);
            }
            await open();
        });
    }
    await context.test('each took the model from the store, and some answers were cut off', () => {
        assert.equal(server.requests.filter((path) => path === 'tiny.gguf').length, downloads);
        assert.ok(KILLS < 3 || interrupted > 0);
        context.diagnostic(`${interrupted} answers of one tab were continued`);
    });
    await context.test('conversations, constraints and embeddings outlive it, too', async () => {
        const [holder, tab] = tabs;
        await tab.evaluate(async () => {
            const sampling = {temperature: 0, logitBias: {1: -Infinity, 6: -Infinity}},
                talk = window.talk = await window.gemma.session({system: 'Be brief.', sampling});
            await talk.prompt('Hello', {maxTokens: 8}).result;
            window.twin = await window.gemma.restore(await talk.save());
            window.rule = await window.gemma.constraint({regex: '[ab]{3}'});
            window.expected = (await (await talk.clone()).prompt('And?', {maxTokens: 30}).result).text;
        });
        tabs.shift();
        await holder.close();
        const {same, text, size} = await tab.evaluate(async () => {
            const {talk, twin, gemma, rule} = window,
                answers = await Promise.all([talk, twin].map((each) => each.prompt('And?',
                    {maxTokens: 30}).result));
            const {text} = await talk.prompt('x', {constraint: rule}).result;
            return {
                same: answers.map(({text}) => text === window.expected), text,
                size: (await gemma.embed(['a']))[0].length,
            };
        });
        assert.deepEqual(same, [true, true]);
        assert.match(text, /^[ab]{3}$/);
        assert.ok(size > 0);
    });
    await context.test('a tab that holds it and does not answer is replaced, and gets its answer, too', async () => {
        await open();
        const [holder, tab] = tabs;
        await holder.evaluate(begin, '1 0', ...asked['1 0']);
        await holder.evaluate(() => void setTimeout(() => {
            const request = new XMLHttpRequest();
            request.open('GET', 'block', false);
            request.send();
        }));
        await tab.evaluate(begin, '2 0', ...asked['2 0']);
        assert.deepEqual(await tab.evaluate(resultOf, '2 0'), expected['2 0']);
        server.release('');
        assert.deepEqual(await holder.evaluate(resultOf, '1 0'), expected['1 0']);
        await first.until(async () => (await navigator.locks.query())
            .held.filter(({name}) => name.startsWith('gemma-engine') && !/ tab [^ ]+$/.test(name))
                .length === 1);
        tabs.shift();
        await holder.close();
    });
    await context.test('a tab that gives up while it loads leaves the others their engine', async () => {
        const loading = [], [one, two] = [await first.tab(), await first.tab()];
        for (const tab of [one, two]) {
            await tab.goto(server.url);
            await tab.evaluate(async (options) => {
                const {Gemma} = await import('./gemma.js');
                window.stopping = new AbortController();
                window.loading = Gemma.load('slow.gguf', {...options, signal: window.stopping.signal})
                    .then((gemma) => { window.gemma = gemma; }, ({name}) => name);
                while (!(await navigator.locks.query()).held.some(({name}) => name.includes('slow.gguf')))
                    await new Promise((done) => setTimeout(done, 10));
            }, OPTIONS);
            loading.push(tab);
        }
        await first.until(async () => (await navigator.locks.query())
            .held.filter(({name}) => name.includes('slow.gguf') && / tab [^ ]+$/.test(name)).length === 2);
        assert.deepEqual(await first.evaluate(async (options) => {
            const {Gemma} = await import('./gemma.js'), names = [];
            for (const ms of [0, 1, 2, 4, 8, 16]) {
                const stopping = new AbortController(), {signal} = stopping;
                setTimeout(() => stopping.abort(), ms);
                names.push(await Gemma.load('slow.gguf', {...options, signal}).then(() => 'loaded',
                    ({name}) => name));
            }
            return [...new Set(names)];
        }, OPTIONS), ['AbortError']);
        assert.equal(await one.evaluate(() => {
            window.stopping.abort();
            return window.loading;
        }), 'AbortError');
        server.goOn();
        const answer = () => two.evaluate(async () => {
            await window.loading;
            return (await (await window.gemma.session()).prompt('x',
                {raw: true, maxTokens: 4, sampling: {logitBias: {1: -Infinity, 6: -Infinity}}}).result)
                .tokens.length;
        });
        assert.equal(await answer(), 4);
        await one.close();
        assert.equal(await answer(), 4);
        await two.close();
    });
    await context.test('it stays in a tab whose own model is closed, for as long as others use it',
        async () => {
        const [holder, tab] = tabs;
        const loads = server.requests.filter((path) => path === 'engine/worker.js').length;
        await holder.evaluate(() => window.gemma.close());
        await tab.evaluate(begin, 'after', 'x', 1, 5);
        assert.equal((await tab.evaluate(resultOf, 'after')).tokens.length, 5);
        assert.equal(server.requests.filter((path) => path === 'engine/worker.js').length, loads);
        await tab.evaluate(() => window.gemma.close());
        for (const each of tabs) await each.close();
        await first.until(async () => !(await navigator.locks.query()).held.length);
    });
});

test('a short question is answered beside many long ones of another tab', {skip: reasonToSkip('chromium')},
    async (context) => {
    const contextLength = 1 << 15,
        {tabs: [tab, other]} = await openTabs(context, 'chromium', 2,
            {...OPTIONS, contextLength}, 'deep.gguf');
    await tab.evaluate((maxTokens) => {
        for (let i = 0; i < 6; i++) window.ask(`long ${i}`, 'Tell me all about the sea.', i, maxTokens);
    }, contextLength / 2);
    await other.evaluate(begin, 'short', 'Hello', 1, 10);
    assert.equal((await other.evaluate(resultOf, 'short')).tokens.length, 10);
    const ends = await tab.evaluate(async () => {
        const all = Object.values(window.answers), left = all.filter(({result}) => !result).length;
        for (const {stop} of all) stop();
        await Promise.all(all.map(({done}) => done));
        return {left, reasons: [...new Set(all.map(({result}) => result.finishReason))]};
    });
    assert.deepEqual(ends, {left: 6, reasons: ['abort']});
});

for (const name of ['firefox', 'webkit']) {
    test(`an answer continues when the tab that holds the engine is closed, ${name}`,
        {skip: reasonToSkip(name)}, async (context) => {
        const {first, tabs, server} = await openTabs(context, name, 3),
            asked = {long: ['Tell me all about the sea.', 3, LONG]};
        assert.equal(server.requests.filter((path) => path === 'engine/worker.js').length, 1);
        const expected = await expectedOf(first, asked);
        for (const tab of tabs) await tab.evaluate(begin, 'long', ...asked.long);
        await tabs[0].close();
        for (const tab of tabs.slice(1))
            assert.deepEqual(await tab.evaluate(resultOf, 'long'), expected.long);
    });
}
