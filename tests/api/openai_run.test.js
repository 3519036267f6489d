// How an answer is begun again where memory lacked: only while nothing of it has been told. Sessions are made up.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answer} from '../../web/api/openai/run.js';

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
    const pool = {isFull: () => true, drop: async () => ++drops > 0,
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
