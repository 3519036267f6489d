// The Prompt API's class: what is available, how sessions are created, watched, cloned and destroyed. Each
// test names the section of the specification (webmachinelearning.github.io/prompt-api), of its explainer, or
// of the Writing Assistance APIs, whose infrastructure it shares.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {after, test} from 'node:test';
import {install} from '../../web/api/prompt-api.js';
import {Gemma} from '../../web/gemma.js';
import {aborts, define, GREEDY, read, rejects, SHORT, TINY} from './prompt_api_tools.js';

const LanguageModel = define(),
    HELLO = [{role: 'user', content: 'Hello'}, {role: 'assistant', content: 'Hi.'}];
const bytes = readFileSync(TINY);
/** Requests that wait until they are let through. */
const waiting = [];
let isHolding = false;
const server = createServer(async (request, response) => {
    if (request.url !== '/tiny.gguf') return response.writeHead(404).end();
    response.writeHead(200, {'Content-Length': bytes.length, 'Accept-Ranges': 'none'});
    for (let at = 0; at < bytes.length; at += 65536) {
        if (isHolding && at) await new Promise((resolve) => { waiting.push(resolve); });
        response.write(bytes.subarray(at, at + 65536));
    }
    response.end();
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const URL_OF = (name) => `http://127.0.0.1:${server.address().port}/${name}`;
after(() => server.close());

test('Creation: a session has the members of the IDL, and the class makes no other instances', async () => {
    const session = await LanguageModel.create();
    assert.ok(session instanceof LanguageModel && session instanceof EventTarget);
    assert.equal(Object.prototype.toString.call(session), '[object LanguageModel]');
    assert.equal(LanguageModel.name, 'LanguageModel');
    for (const method of ['prompt', 'promptStreaming', 'append', 'measureContextUsage', 'measureInputUsage',
        'clone', 'destroy']) assert.equal(typeof session[method], 'function');
    assert.deepEqual([session.contextUsage, session.contextWindow, session.inputUsage, session.inputQuota],
        [0, 128, 0, 128]);
    assert.deepEqual([session.oncontextoverflow, session.onquotaoverflow, session.samplingMode],
        [null, null, 'balanced']);
    assert.throws(() => new LanguageModel(), TypeError);
    assert.throws(() => { 'use strict'; session.contextUsage = 5; }, TypeError);
    for (const [method, n] of [['prompt', 1], ['promptStreaming', 1], ['append', 1],
        ['measureContextUsage', 1], ['clone', 1]]) assert.ok(session[method].length >= n || n === 1);
    const {create} = LanguageModel;       // without its class
    await (await create()).destroy();
    session.destroy();
});

test('install: where there is none, or when told to', () => {
    const target = {}, first = install({model: TINY, target});
    assert.equal(target.LanguageModel, first);
    assert.equal(install({model: TINY, target}), first);
    assert.notEqual(install({model: TINY, target, force: true}), first);
    for (const more of [{model: {}}, {modle: TINY}, {toolRound: 1}, {toolRounds: -1}, {unloadAfter: 'x'}])
        assert.throws(() => install({model: TINY, target: {}, ...more}), {code: 'bad-argument'});
    install({model: TINY, target: {}, load: null, toolRounds: null, unloadAfter: Infinity});
});

test('Availability: unknown types and languages are unavailable, and create() rejects', async () => {
    for (const options of [undefined, null, {}, {expectedInputs: []}, {expectedInputs: [{type: 'text'}],
        expectedOutputs: [{type: 'text', languages: ['en', 'DE-ch', 'ja']}]},
        {topK: -2, temperature: -1}, {expectedOutputs: [{type: 'tool-call'}],
            expectedInputs: [{type: 'tool-response'}]}]) {
        assert.equal(await LanguageModel.availability(options), 'available', JSON.stringify(options));
    }
    for (const options of [{expectedInputs: [{type: 'audio'}]},
        {expectedInputs: [{type: 'text'}, {type: 'image'}]}, {expectedOutputs: [{type: 'image'}]},
        {expectedInputs: [{type: 'text', languages: ['unk']}]},
        {expectedOutputs: [{type: 'text', languages: ['en', 'qqq']}]}]) {
        assert.equal(await LanguageModel.availability(options), 'unavailable', JSON.stringify(options));
        await rejects(LanguageModel.create(options), 'NotSupportedError');
    }
    const some = define({languages: ['en', 'ja']});
    assert.equal(await some.availability({expectedInputs: [{type: 'text', languages: ['en-GB', 'ja']}]}),
        'available');
    assert.equal(await some.availability({expectedOutputs: [{type: 'text', languages: ['de']}]}),
        'unavailable');
});

test('Language tags: one that is none is a RangeError', async () => {
    for (const key of ['expectedInputs', 'expectedOutputs']) {
        const options = {[key]: [{type: 'text', languages: ['en-abc-invalid']}]};
        await rejects(LanguageModel.availability(options), RangeError);
        await rejects(LanguageModel.create(options), RangeError);
    }
});

test('The API, IDL: what can\'t be converted rejects with a TypeError, and never throws', async () => {
    const tool = {
        name: 'now', description: 'The time.', inputSchema: {type: 'object', properties: {}},
        execute: async () => '7',
    };
    const symbol = Symbol('no'),
        wrong = [
            5, 'text', symbol, {expectedInputs: 5}, {expectedInputs: {}}, {expectedInputs: [{}]},
            {expectedInputs: [{type: 'soup'}]}, {expectedInputs: [{type: 'text', languages: 'en'}]},
            {tools: [{...tool, name: undefined}]}, {tools: [{...tool, inputSchema: null}]},
            {tools: [{...tool, inputSchema: 'x'}]}, {tools: [{...tool, execute: undefined}]},
            {tools: [{...tool, execute: 5}]}, {tools: [{...tool, description: undefined}]},
            {samplingMode: 'default'}, {samplingMode: null}, {topK: symbol}, {temperature: 1n}, {tools: 5},
        ];
    for (const options of wrong) {
        await rejects(LanguageModel.availability(options), TypeError);
        await rejects(LanguageModel.create(options), TypeError);
    }
    for (const options of [{signal: {}}, {signal: null}, {monitor: 5}, {initialPrompts: 'text'},
        {initialPrompts: [5]}, {initialPrompts: [{role: 'user'}]},
        {initialPrompts: [{role: 'robot', content: 'x'}]}, {initialPrompts: [{content: 'x'}]},
        {initialPrompts: [{role: 'user', content: [{type: 'text'}]}]},
        {initialPrompts: [{role: 'user', content: [{value: 'x'}]}]},
        {initialPrompts: [{role: 'user', content: symbol}]}]) {
        await rejects(LanguageModel.create(options), TypeError);
    }
    const thrown = new Error('mine'), getter = {get tools() { throw thrown; }};
    await rejects(LanguageModel.create(getter), thrown);
    // Members that are undefined were not given; others are converted.
    const session = await LanguageModel.create({
        signal: undefined, monitor: undefined,
        initialPrompts: new Set([{role: {toString: () => 'user'}, content: 5, prefix: undefined}]),
        tools: undefined, samplingMode: undefined, expectedInputs: [null, undefined].filter(Boolean),
        topK: '3', temperature: true,
    });
    assert.ok(session.contextUsage > 0);
    assert.deepEqual([session.topK, session.temperature, session.samplingMode], [3, 1, null]);
    session.destroy();
});

test('The API, tools: each has a name, a description and a schema of an object that JSON can hold',
    async () => {
        const tool = {
            name: 'now', description: 'The time.', inputSchema: {type: 'object', properties: {}},
            execute: async () => '7',
        }, circular = {type: 'object'};
    circular.self = circular;
    const thrown = new Error('mine'), LanguageModel = define({load: {contextLength: 512}});
    for (const inputSchema of [{}, {type: 'string'}, {properties: {}}, {type: 'object', properties: 'x'},
        {type: 'object', required: 'x'}, circular]) {
        await rejects(LanguageModel.create({tools: [{...tool, inputSchema}]}), TypeError);
    }
    for (const tools of [[{...tool, name: ''}], [{...tool, description: ''}], [tool, tool]])
        await rejects(LanguageModel.create({tools}), TypeError);
    await rejects(LanguageModel.create(
        {tools: [{...tool, inputSchema: {type: 'object', toJSON() { throw thrown; }}}]}), thrown);
    await rejects(LanguageModel.create(
        {tools: [{...tool, inputSchema: {type: 'object', properties: {a: {not: {type: 'null'}}}}}]}),
        'NotSupportedError');
    for (const tools of [[], [tool]])
        (await LanguageModel.create({tools, expectedOutputs: [{type: 'text'}, {type: 'tool-call'}]}))
        .destroy();
});

test('Explainer, sampling modes: clones keep them; raw parameters exclude them and have limits', async () => {
    for (const samplingMode of ['most-predictable', 'predictable', 'slightly-predictable', 'balanced',
        'slightly-creative', 'creative', 'most-creative']) {
        const session = await LanguageModel.create({samplingMode}), clone = await session.clone();
        assert.deepEqual([session.samplingMode, clone.samplingMode, clone.topK, clone.temperature],
            [samplingMode, samplingMode, session.topK, session.temperature]);
        clone.destroy();
        session.destroy();
    }
    for (const options of [{topK: 3}, {temperature: 0.5}, {topK: 3, temperature: 0.5}])
        await rejects(LanguageModel.create({...options, samplingMode: 'balanced'}), TypeError);
    for (const options of [{temperature: -0.1}, {topK: 0}, {topK: -2}, {topK: 0.5}, {temperature: NaN}])
        await rejects(LanguageModel.create(options), RangeError);
    const {maxTopK, maxTemperature, defaultTopK, defaultTemperature} = await LanguageModel.params();
    for (const [given, expected] of [[{topK: Infinity, temperature: Infinity}, [maxTopK, maxTemperature]],
        [{topK: 2 ** 60, temperature: 99}, [maxTopK, maxTemperature]],
        [{topK: 1.5}, [1, defaultTemperature]], [{temperature: 0.5}, [defaultTopK, 0.5]]]) {
        const session = await LanguageModel.create(given);
        assert.deepEqual([session.topK, session.temperature, session.samplingMode], [...expected, null]);
        session.destroy();
    }
    const one = await LanguageModel.create(GREEDY), other = await LanguageModel.create(GREEDY);
    assert.equal(await one.prompt('Hello', SHORT), await other.prompt('Hello', SHORT));
});

test('Creation, initialPrompts: one system message, first; what does not fit is refused', async () => {
    const system = {role: 'system', content: 'Be brief.'};
    for (const initialPrompts of [[], [system], HELLO, [system, ...HELLO],
        [{role: 'system', content: [{type: 'text', value: 'Be '}, {type: 'text', value: 'brief.'}]}]]) {
        const session = await LanguageModel.create({initialPrompts});
        assert.equal(session.contextUsage, initialPrompts.length
            ? await session.measureContextUsage(initialPrompts) : 0);
        session.destroy();
    }
    for (const initialPrompts of [[...HELLO, system], [system, system], [HELLO[0], system]])
        await rejects(LanguageModel.create({initialPrompts}), TypeError);
    for (const [content, role, name] of [[[{type: 'image', value: 'x'}], 'user', 'NotSupportedError'],
        [[{type: 'audio', value: new ArrayBuffer(4)}], 'user', 'NotSupportedError'],
        [[{type: 'image', value: new Blob([])}], 'assistant', 'NotSupportedError'],
        [[{type: 'text', value: new Uint8Array(3)}], 'user', TypeError],
        [[{type: 'text', value: new Blob([])}], 'assistant', TypeError]]) {
        await rejects(LanguageModel.create({initialPrompts: [{role, content}]}), name);
    }
    await rejects(LanguageModel.create({initialPrompts: [{role: 'user', content: 'x', prefix: true}]}),
        'SyntaxError');
    const initialPrompts = [{role: 'user', content: 'the sea at night '.repeat(40)}];
    await assert.rejects(LanguageModel.create({initialPrompts}),
        ({name, requested, quota}) => name === 'QuotaExceededError' && quota === 128 && requested > quota);
});

test('Creation, monitor: progress grows from 0 to 1 in steps of 1/65536, before the session is there', async () => {
    const downloading = define({model: URL_OF('tiny.gguf')});
    for (const LanguageModel of [define(), downloading, downloading]) {
        const events = [];
        let isThere = false;
        const session = await LanguageModel.create({monitor(monitor) {
            assert.equal(this, undefined);
            assert.equal(monitor.ondownloadprogress, null);
            monitor.ondownloadprogress = (event) => events.push({event, isThere});
        }});
        isThere = true;
        const loaded = events.map(({event}) => event.loaded);
        assert.deepEqual([loaded[0], loaded.at(-1)], [0, 1]);
        assert.ok(loaded.every((each, i) => each % (1 / 65536) === 0 && (!i || each > loaded[i - 1])));
        for (const {event, isThere} of events)
            assert.deepEqual([event.type, event.total, event.lengthComputable, isThere],
                ['downloadprogress', 1, true, false]);
        session.destroy();
    }
});

test('Creation, monitor: what it throws rejects, and nothing is told', async () => {
    const thrown = new Error('mine'), told = [];
    await rejects(LanguageModel.create({monitor(monitor) {
        monitor.addEventListener('downloadprogress', (event) => told.push(event));
        throw thrown;
    }}), thrown);
    assert.equal(told.length, 0);
});

test('Creation and availability: downloadable, downloading, available; a failed download is a NetworkError',
    async () => {
    const LanguageModel = define({model: URL_OF('tiny.gguf')});
    assert.equal(await LanguageModel.availability(), 'downloadable');
    isHolding = true;
    const creating = LanguageModel.create(), other = LanguageModel.create();
    while ((await LanguageModel.availability()) !== 'downloading') {
        waiting.splice(0, 1).forEach((go) => go());
        await new Promise((resolve) => { setTimeout(resolve, 1); });
    }
    isHolding = false;
    waiting.splice(0).forEach((go) => go());
    const sessions = await Promise.all([creating, other]);
    assert.equal(await LanguageModel.availability(), 'available');
    sessions.forEach((session) => session.destroy());
    await rejects(define({model: URL_OF('none.gguf')}).create(), 'NetworkError');
});

test('Creation, signal: an abort at any time rejects; others who wait get the model', async () => {
    await aborts((signal) => LanguageModel.create({signal}));
    await aborts((signal) => define().create({signal}));
    for (const at of [0, 1]) {
        const stopping = new AbortController(), reason = new Error('mine'), seen = [];
        const creating = define({model: URL_OF('tiny.gguf')})
            .create({signal: stopping.signal, monitor(monitor) {
            monitor.addEventListener('downloadprogress', ({loaded}) => {
                seen.push(loaded);
                if (loaded === at) stopping.abort(reason);
            });
        }});
        await rejects(creating, reason);
        assert.equal(seen.at(-1), at);
    }
    const two = define({model: URL_OF('tiny.gguf')}), stopping = new AbortController(),
        one = two.create({signal: stopping.signal}), other = two.create();
    stopping.abort();
    await rejects(one, 'AbortError');
    assert.equal((await other).contextUsage, 0);
});

test('Creation: where a download would begin, the user must have used the page, unless it is told not to ask',
    async () => {
    const own = globalThis.navigator === undefined;        // Node 20 has none
    if (own) globalThis.navigator = {};
    const set = (value) => Object.defineProperty(globalThis.navigator, 'userActivation',
        {value, configurable: true});
    try {
        set({isActive: false, hasBeenActive: false});
        await rejects(define({model: URL_OF('tiny.gguf')}).create(), 'NotAllowedError');
        (await define().create()).destroy();         // nothing to download
        (await define({model: URL_OF('tiny.gguf'), userActivation: false}).create()).destroy();
        set({isActive: false, hasBeenActive: true});
        (await define({model: URL_OF('tiny.gguf')}).create()).destroy();
    } finally {
        delete globalThis.navigator.userActivation;
        if (own) delete globalThis.navigator;
    }
});

test('A document that is not fully active rejects with InvalidStateError', async () => {
    const session = await LanguageModel.create();
    globalThis.document = {defaultView: null};
    try {
        for (const promise of [LanguageModel.create(), LanguageModel.availability(), session.prompt('x'),
            session.append('x'), session.measureContextUsage('x'), session.clone()]) {
            await rejects(promise, 'InvalidStateError');
        }
        assert.throws(() => session.promptStreaming('x'), {name: 'InvalidStateError'});
    } finally {
        delete globalThis.document;
    }
});

test('Common APIs, destroy(): prompts and streams reject with AbortError; attributes stay', async () => {
    const methods = [
        (one) => one.prompt('x'), (one) => one.append('x'), (one) => one.measureContextUsage('x'),
        (one) => one.clone(), async (one) => read(one.promptStreaming('x')),
    ];
    const session = await LanguageModel.create({initialPrompts: HELLO}), usage = session.contextUsage,
        running = methods.map((method) => method(session));
    assert.equal(session.destroy(), undefined);
    for (const promise of [...running, ...methods.map((method) => method(session))])
        await rejects(promise, 'AbortError');
    assert.deepEqual([session.contextUsage, session.contextWindow], [usage, 128]);
    session.destroy();
});

test('Creation, signal: aborted later it destroys the session, with its reason, and none of its clones',
    async () => {
    const stopping = new AbortController(), reason = new Error('mine'),
        session = await LanguageModel.create({signal: stopping.signal}), clone = await session.clone();
    const running = session.prompt('x');
    stopping.abort(reason);
    for (const promise of [running, session.prompt('x'), session.append('x'), session.clone()])
        await rejects(promise, reason);
    assert.equal(typeof await clone.prompt('x', SHORT), 'string');
    clone.destroy();
});

test('Clone: a copy of the state that goes on by itself; can be aborted', async () => {
    const session = await LanguageModel.create({...GREEDY, initialPrompts: HELLO});
    await session.prompt('One?', SHORT);
    const clone = await session.clone();
    assert.deepEqual([clone.contextUsage, clone.contextWindow, clone.topK, clone.temperature],
        [session.contextUsage, session.contextWindow, session.topK, session.temperature]);
    const before = session.contextUsage, answer = await clone.prompt('Two?', SHORT);
    assert.ok(session.contextUsage === before && clone.contextUsage > before);
    assert.equal(await session.prompt('Two?', SHORT), answer);
    await aborts((signal) => session.clone({signal}));
    session.destroy();
    assert.equal(typeof await clone.prompt('Three?', SHORT), 'string');
    await rejects(clone.clone({signal: 5}), TypeError);
    clone.destroy();
});

test('the model is shared and closed after the last session; a given one stays its owner\'s', async () => {
    const gemma = await Gemma.load(TINY, {contextLength: 64, threads: 1}),
        own = define({model: gemma, unloadAfter: 0});
    const session = await own.create();
    assert.equal(session.contextWindow, 64);
    session.destroy();
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    assert.ok((await gemma.tokenize('still here')).length);
    gemma.close();
    const passing = define({unloadAfter: 0}), first = await passing.create(), second = await first.clone();
    first.destroy();
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    assert.equal(typeof await second.prompt('x', SHORT), 'string');
    second.destroy();
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    const third = await passing.create();
    assert.equal(typeof await third.prompt('x', SHORT), 'string');
    third.destroy();
});
