// How an answer is begun again where memory lacked: only while nothing of it has been told; and how many texts
// are written at once. Sessions are made up.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answer} from '../../web/api/openai/run.js';
import {closed} from '../../web/api/openai/request.js';
import {GemmaError} from '../../web/gemma.js';

const RESULT = {text: '', finishReason: 'stop', promptTokens: [], tokens: [], cachedTokens: 0, timings: {}};
const gate = {run: (n, signal, work) => work()};

/** One prompt with two answers; the first copy of its session finds no memory. */
async function ask(io, more, session = {}) {
    let copies = 0, drops = 0;
    const made = {
        prompt: () => ({result: Promise.resolve(RESULT)}),
        async clone() {
            if (copies++ === 0) throw new Error('no memory');
            return {...made, close: async () => {}};
        },
        ...session,
    };
    const pool = {isFull: () => true, roomy: (work) => work(), drop: async () => ++drops > 0,
        use: (key, isReused, start, work) => work({session: made})};
    const asked = {key: '', prompt: 'x', n: 2, options: {sampling: {}}, after: () => '', ...more};
    return answer({gate, pool}, asked, {signal: new AbortController().signal, onStart() {}, onText() {}, ...io});
}

test('what has been told is not told again', async () => {
    const told = [];
    assert.equal((await ask({}, {})).length, 2);
    await assert.rejects(ask({onRead: () => told.push('read')}, {readsFirst: true}), /no memory/);
    assert.deepEqual(told, ['read']);
    const prompt = (text, {onToolCall}) => {
        onToolCall({type: 'call'});
        return {result: Promise.reject(new Error('no memory'))};
    };
    await assert.rejects(ask({onTool: () => told.push('call')}, {n: 1}, {prompt}), /no memory/);
    assert.deepEqual(told, ['read', 'call']);
});

test('many texts are written by as many sessions as there is memory for, each in its place', async () => {
    for (const [room, atOnce] of [[0, 1], [1, 2], [4, 4], [1000, 15]]) {
        let clones = 0, most = 0, open = 0, last = '';
        const ended = [];
        const promptOf = (isFirst) => (text, {maxTokens, sampling: {seed}}) => {
            most = Math.max(most, ++open);
            if (isFirst && maxTokens !== 0) last = String(seed);
            return {result: new Promise((done) => { setTimeout(() => {
                open--;
                done({...RESULT, text: maxTokens === 0 ? '' : String(seed)});
            }); })};
        };
        const session = {prompt: promptOf(true), async clone() {
            if (clones >= room) throw new GemmaError('no-memory', 'There is no room.');
            clones++;
            return {prompt: promptOf(false), close: async () => { clones--; }};
        }};
        const results = await ask({onEnd: (i, {text}) => ended.push([i, text])}, {n: 40, seed: 7}, session);
        assert.deepEqual([most, clones], [atOnce, 0]);
        assert.equal(last, results[0].text, 'the session that is kept holds the first text');
        assert.equal(new Set(results.map(({text}) => text)).size, 40);
        assert.deepEqual(ended.toSorted(([a], [b]) => a - b), results.map(({text}, i) => [i, text]));
    }
});

test('a strict schema closes objects wherever they are, but for parts of one', () => {
    const open = {type: 'object', properties: {a: {type: 'boolean'}}}, shut = {...open, additionalProperties: false};
    for (const [given, expected] of [
        [open, shut], [{additionalProperties: open}, {additionalProperties: shut}],
        [{patternProperties: {a: open}}, {patternProperties: {a: shut}}], [{prefixItems: [open]}, {prefixItems: [shut]}],
        [{items: open}, {items: shut}], [{anyOf: [open, true]}, {anyOf: [shut, true]}],
        [{allOf: [open, {properties: {b: open}}]}, {allOf: [open, {properties: {b: shut}}]}],
        [{...open, oneOf: [{properties: {b: open}}]}, {...open, oneOf: [{properties: {b: shut}}]}],
        [{anyOf: [open], oneOf: [open]}, {anyOf: [open], oneOf: [open]}],
        [{anyOf: [open], patternProperties: {}}, {anyOf: [open], patternProperties: {}}],
        [{allOf: [{prefixItems: [open]}]}, {allOf: [{prefixItems: [shut]}]}],
        [{properties: {properties: open}}, {properties: {properties: shut}, additionalProperties: false}],
        [{enum: [open], const: open}, {enum: [open], const: open}],
    ]) assert.deepEqual(closed(given), expected);
});
