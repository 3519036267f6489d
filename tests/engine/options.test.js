// What callers give to gemma.js: null and undefined count as not given, what is unknown or of another kind is
// refused by name, sources come in every form of an address.

import assert from 'node:assert/strict';
import {copyFileSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {after, test} from 'node:test';
import {createContext, runInContext} from 'node:vm';
import {Gemma, GemmaError} from '../../web/gemma.js';

const TINY = join(import.meta.dirname, '../golden/tiny-gemma3.gguf');
const ENDLESS = {1: -Infinity, 6: -Infinity};
const gemma = await Gemma.load(TINY, {threads: 1});
after(() => gemma.close());

const refused = (promise, name) => assert.rejects(promise, (error) => {
    assert.ok(error instanceof GemmaError, `${error.stack}`);
    assert.equal(error.code, 'bad-argument', error.message);
    assert.ok(!name || error.message.includes(name), `${error.message} does not name ${name}`);
    return true;
});

test('an option that is null counts as not given, wherever it stands', async () => {
    const nothing = {threads: 1, signal: null, onProgress: null, urls: null, headers: null, manifest: null,
        sha256: null, contextLength: null, chat: null,
        variant: null, dot: null, memory64: null, kvType: null, exact: null};
    const other = await Gemma.load(TINY, nothing);
    const same = ['contextLength', 'chatStyle', 'variant', 'memory64'];
    assert.deepEqual(same.map((name) => other.info[name]), same.map((name) => gemma.info[name]));
    other.close();
    (await Gemma.load({kind: 'path', path: TINY, sha256: null}, {threads: 1})).close();

    const session = await gemma.session({system: null, history: null,
        sampling: {temperature: 0, logitBias: ENDLESS}});
    const answer = (options) => session.prompt('The sea', {raw: true, maxTokens: 12, ...options}).result;
    const {tokens} = await answer({});
    assert.equal(tokens.length, 12);
    // A prompt's null does not undo what its session says.
    const nulls = {signal: null, onProgress: null, stop: null, sampling: {temperature: null, topK: null,
        seed: null, logitBias: null}};
    assert.deepEqual((await answer(nulls)).tokens, tokens);
    assert.deepEqual((await answer({sampling: null})).tokens, tokens);
    const {finishReason} = await session.prompt('The sea', {raw: true, maxTokens: null}).result;
    assert.equal(finishReason, 'context');
    await gemma.session(null);
    assert.deepEqual(await gemma.tokenize('The', null), await gemma.tokenize('The', {bos: null}));
    assert.ok((await Gemma.probe(TINY, {threads: 1, contextLength: null})).fits);
});

test('an option that is not known is refused by its name', async () => {
    const session = await gemma.session();
    for (const name of ['max_tokens', 'maxTokn', 'temperature', 'toString', '__proto__x'])
        await refused(session.prompt('x', {[name]: 5}).result, name);
    for (const name of ['top_p', 'heat']) {
        await refused(session.prompt('x', {sampling: {[name]: 0.5}}).result, name);
        await refused(gemma.session({sampling: {[name]: 0.5}}), name);
    }
    await refused(gemma.session({systemPrompt: 'x'}), 'systemPrompt');
    await refused(gemma.session([]), 'session');
    await refused(session.prompt('x', {sampling: {logitBias: [1]}}).result, 'logitBias');
    await refused(Gemma.load(TINY, {headers: {Authorization: 5}}), 'headers');
    for (const model of [{}, {kind: 'path'}, {kind: 'path', path: 5}, {kind: 'url'}, {kind: 'url', url: 5},
        {kind: 'file'}, {kind: 'file', file: 'x'}, {kind: 'synthetic'},
        {kind: 'synthetic', shape: 'gemma-2b'}, {kind: 'synthetic', shape: null, type: 'q4_0'},
        {kind: 'toString'}, {kind: 5}, 5, null])
        for (const ask of [Gemma.load, Gemma.probe]) await refused(ask(model, {threads: 1}));
    await refused(Gemma.load(TINY, {nThreads: 1}), 'nThreads');
    await refused(Gemma.probe(TINY, {n_ctx: 1}), 'n_ctx');
    await refused(gemma.tokenize('x', {addBos: true}), 'addBos');
    await refused(gemma.embed(['x'], {pooling: 'mean'}), 'pooling');
    const bytes = await session.save(),
        taken = [session.clone(null), gemma.restore(bytes, {}), session.save({until: undefined})];
    for (const other of await Promise.all(taken)) if (!(other instanceof Uint8Array)) await other.close();
    await refused(session.clone({tokens: 5}), 'tokens');
    await refused(session.save({format: 'json'}), 'format');
    await refused(gemma.restore(bytes, {contextLength: 64}), 'contextLength');
    for (const call of ['verify', 'repair', 'export'])
        await refused(Gemma.models[call]('id', {onprogress() {}}), 'onprogress');
    await refused(Gemma.models.import(new Blob([]), {url: 'x'}), 'url');
    const pieces = (async () => { for await (const piece of session.prompt('x', {max_tokens: 5}))
        void piece; })();
    await refused(pieces, 'max_tokens');
});

test('an option of another kind is refused by its name', async () => {
    const session = await gemma.session();
    const wrong = {
        maxTokens: ['3', 2.5, -1, NaN, true, {}], stop: [5, [5], ['a', 5], {}], raw: ['yes', 1],
        signal: [5, {}, 'x'], onProgress: ['x', {}], sampling: [5, 'hot'],
    };
    for (const [name, values] of Object.entries(wrong)) {
        for (const value of values)
            await refused(session.prompt('x', {raw: true, [name]: value}).result, name);
    }
    const badSampling = {temperature: [NaN, '1', Infinity], topK: [1.5, -1], seed: [-1, 2 ** 53],
        logitBias: [{x: 1}, {5: NaN}, 7]};
    for (const [name, values] of Object.entries(badSampling)) {
        for (const value of values)
            await refused(session.prompt('x', {sampling: {[name]: value}}).result, name);
    }
    const badLoad = {threads: ['2', 1.5], contextLength: ['x'], variant: ['fast'], dot: ['i8'],
        memory64: ['yes'], kvType: ['f32'], chat: [1], headers: ['a: b'],
        urls: ['http://x'], sha256: [5], signal: [{}], onProgress: [5]};
    for (const [name, values] of Object.entries(badLoad)) {
        for (const value of values) await refused(Gemma.load(TINY, {[name]: value}), name);
    }
    for (const options of [5, 'x']) await refused(session.prompt('x', options).result);
    for (const history of [5, 'x', [null], [{role: 'user', content: 5}]])
        await refused(gemma.session({history}));
    assert.equal((await session.prompt('x', {raw: true, maxTokens: 0}).result).finishReason, 'length');
    assert.equal((await session.prompt('x', {raw: true, maxTokens: Infinity}).result).tokens.length > 0,
        true);
});

test('texts and ids that are none are refused', async () => {
    for (const text of [undefined, null, 5, {}, ['a']]) await refused(gemma.tokenize(text));
    for (const ids of [undefined, null, 5, 'abc', [-1], [1.5], ['5'], [gemma.info.nVocab], [2 ** 31], [NaN],
        [1, undefined]]) await refused(gemma.detokenize(ids));
    assert.equal(await gemma.detokenize([]), '');
    const ids = await gemma.tokenize('The sea');
    assert.equal(await gemma.detokenize(Int32Array.from(ids)), 'The sea');
    for (const prompt of [undefined, null, 5, {}, [null], [{role: 'user'}]])
        await refused((await gemma.session()).prompt(prompt).result);
});

test('under Node a model is given by a path, or by a file: URL as a text or an object, with any characters',
    async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'gemma #1% ä '));
    context.after(() => rmSync(folder, {recursive: true}));
    const path = join(folder, 'a model?.gguf');
    copyFileSync(TINY, path);
    const url = pathToFileURL(path);
    for (const model of [path, url, url.href, url.href.replace('file:', 'FILE:'),
        {kind: 'path', path: url.href}]) {
        const loaded = await Gemma.load(model, {threads: 1});
        assert.equal(loaded.info.architecture, 'gemma3', String(model));
        loaded.close();
        assert.ok((await Gemma.probe(model, {threads: 1})).fits);
    }
    await refused(Gemma.load('file:///a%2Fb.gguf'));
    await assert.rejects(Gemma.load('file:///nowhere/model.gguf'), {code: 'not-found'});
});

test('what another window or context has made is taken as what it is', async () => {
    const elsewhere = createContext({});
    const session = await gemma.session(), regex = runInContext('/[ab]{3}/', elsewhere);
    assert.ok(!(regex instanceof RegExp));
    assert.match((await session.prompt('Hi', {constraint: {regex}}).result).text, /^[ab]{3}$/);
    elsewhere.saved = await session.save();
    for (const bytes of ['new Uint8Array(saved)', 'new Uint8Array(saved).buffer']) {
        const restored = await gemma.restore(runInContext(bytes, elsewhere));
        assert.equal(restored.tokens, session.tokens);
        await restored.close();
    }
    const {prototype} = globalThis.URL, url = pathToFileURL(TINY);
    Object.setPrototypeOf(url, Object.create(Object.prototype, Object.getOwnPropertyDescriptors(prototype)));
    assert.ok(!(url instanceof URL));
    (await Gemma.load(url, {threads: 1})).close();
});

test('a blob: or data: address is a source', async () => {
    const bytes = readFileSync(TINY), address = URL.createObjectURL(new Blob([bytes]));
    for (const model of [address, new URL(address), {kind: 'url', url: address},
        `data:application/octet-stream;base64,${bytes.toString('base64')}`]) {
        const loaded = await Gemma.load(model, {threads: 1});
        assert.equal(loaded.info.architecture, 'gemma3');
        loaded.close();
    }
    assert.equal(Gemma.models.idOf(address), undefined);
    URL.revokeObjectURL(address);
    await assert.rejects(Gemma.load(address), {code: 'not-found'});
});
