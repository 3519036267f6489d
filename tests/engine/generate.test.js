// The token loop, driven by an engine that says exactly what a test wants it to say: how text is joined, what
// ends it, how prefill is told.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {generate} from '../../web/engine/generate.js';

const END = -1;
const utf8 = (text) => new TextEncoder().encode(text);

/** A session, and a module, whose tokens are the given pieces of bytes, in this order, and then the end. */
function scripted(pieces, {context = 1000, control = []} = {}) {
    const steps = [];
    let next = 0, count = 0, pending = 0;
    return {
        steps,
        setSampling() {},
        sync(ids) {
            count = pending = ids.length;
            return 0;
        },
        step(batch) {
            const n = Math.min(batch, pending);
            steps.push(n);
            return pending -= n;
        },
        sample: () => next < pieces.length ? next++ : END,
        isEnd: (id) => id === END,
        isControl: (id) => control.includes(id),
        tokenBytes: (id) => pieces[id],
        accept: () => false,
        draft() {},
        push() {
            if (count === context) return false;
            count++;
            pending++;
            return true;
        },
        logprobs: (id, n) => ({logprob: -id, top: Array.from({length: n}, (_, i) => ({id: i, logprob: -i}))}),
        logitsAt() {},
    };
}

/** A scheduler that steps as scheduler.js does; `turn` comes before each step, and tells whether to stop. */
const steppedBy = (turn, batch) => ({
    stepMs: 1, stepped: 1,
    async evaluate(session, {onProgress}) {
        for (let left; left !== 0;) {
            if (await turn()) return false;
            left = session.step(batch);
            onProgress?.(left);
        }
        return true;
    },
});

async function run(engine, options = {}, {prompt = [1, 2, 3], turn = async () => false, onPrefill,
    batch = 256} = {}) {
    const shown = [];
    const io = {
        scheduler: steppedBy(turn, batch), turn: async () => {}, aborted: () => false, onPrefill,
        onText: (piece) => shown.push(piece),
    };
    const result = await generate(engine, engine, prompt, options, io);
    assert.equal(shown.join(''), result.text, 'what was shown is the text');
    assert.ok(shown.every((piece) => piece.length > 0), 'nothing empty is shown');
    return {...result, shown};
}

test('a character that spans tokens is shown once, whole', async () => {
    const bytes = utf8('a😀é');
    const {text, shown, tokens, finishReason} =
        await run(scripted(Array.from(bytes, (b) => Uint8Array.of(b))));
    assert.equal(text, 'a😀é');
    assert.deepEqual(shown, ['a', '😀', 'é']);
    assert.equal(tokens.length, bytes.length);
    assert.equal(finishReason, 'stop');
});

test('a character that never becomes whole is shown as a replacement character', async () => {
    assert.equal((await run(scripted([utf8('a'), utf8('😀').slice(0, 3)]))).text, 'a\ufffd');
});

test('a byte order mark is text like any other', async () => {
    assert.equal((await run(scripted([utf8('\ufeffa')]))).text, '\ufeffa');
});

test('control tokens are not shown', async () => {
    assert.equal((await run(scripted([utf8('a'), utf8('<unused7>'), utf8('b')], {control: [1]}))).text, 'ab');
});

test('a stop string across tokens ends the answer, and its tokens are not kept', async () => {
    const {text, kept, tokens, finishReason} =
        await run(scripted(['Hi', '.', '\n', 'User', ':', ' more'].map(utf8)), {stop: ['\nUser:']});
    assert.deepEqual({text, kept, tokens, finishReason}, {
        text: 'Hi.', kept: [0, 1], tokens: [0, 1, 2, 3, 4], finishReason: 'stop',
    });
});

test('what was held back is shown when the model ends', async () => {
    assert.equal((await run(scripted(['Hi', '\n', 'User'].map(utf8)), {stop: ['\nUser:']})).text, 'Hi\nUser');
});

test('maxTokens ends the answer without evaluating the last token', async () => {
    const engine = scripted(['a', 'b', 'c'].map(utf8));
    const {text, finishReason, timings} = await run(engine, {maxTokens: 2});
    assert.deepEqual({text, finishReason, decoded: timings.decodeTokens},
        {text: 'ab', finishReason: 'length', decoded: 1});
    assert.equal((await run(scripted([utf8('a')]), {maxTokens: 0})).text, '');
});

test('a full context ends the answer', async () => {
    const {text, finishReason} = await run(scripted(['a', 'b', 'c', 'd'].map(utf8), {context: 5}));
    assert.deepEqual({text, finishReason}, {text: 'abc', finishReason: 'context'});
});

test('prefill is told in whole tokens, to its end', async () => {
    const engine = scripted([]), prompt = Array.from({length: 1000}, (_, i) => i), told = [];
    let left = 1000;
    // as an engine does that comes back between layers
    engine.step = () => left = Math.max(0, left - 99.25);
    await run(engine, {}, {prompt, onPrefill: (done, total) => told.push([done, total])});
    assert.deepEqual(told.slice(0, 3), [[99, 1000], [198, 1000], [297, 1000]]);
    assert.deepEqual(told.at(-1), [1000, 1000]);
});

test('stopping acts between batches and between tokens', async () => {
    const stopAfter = (n) => async () => n-- === 0;
    const inPrefill = await run(scripted([utf8('a')]), {}, {
        prompt: Array.from({length: 600}, (_, i) => i), turn: stopAfter(2),
    });
    assert.deepEqual({text: inPrefill.text, reason: inPrefill.finishReason}, {text: '', reason: 'abort'});
    const inDecode = await run(scripted(['a', 'b', 'c', 'd'].map(utf8)), {}, {turn: stopAfter(2)});
    assert.deepEqual({text: inDecode.text, reason: inDecode.finishReason}, {text: 'ab', reason: 'abort'});
});

test('logprobs are those of the tokens generated, and of the prompt where asked for', async () => {
    const {logprobs, promptLogprobs} = await run(scripted(['a', 'b'].map(utf8)),
        {logprobs: 2, promptLogprobs: 1}, {prompt: [7, 8, 9]});
    assert.deepEqual(logprobs.map(({id, logprob, top}) => [id, logprob, top.length]),
        [[0, -0, 2], [1, -1, 2]]);
    assert.deepEqual(promptLogprobs.map((one) => one && [one.id, one.logprob, one.top.length]),
        [null, [8, -8, 1], [9, -9, 1]]);
});

test('sampling parameters that are no sound numbers are refused by name', async () => {
    const bad = [
        {temperature: NaN}, {temperature: '1'}, {topK: 1.5}, {seed: -1}, {seed: 2 ** 53}, {topP: Infinity},
        {heat: 1}, {logitBias: {x: 1}}, {logitBias: {5: NaN}},
    ];
    for (const sampling of bad) {
        const [name] = Object.keys(sampling);
        await assert.rejects(run(scripted([]), {sampling}),
            {code: 'bad-argument', message: new RegExp(name)});
    }
});

test('what is undefined counts as not given, and a seed is always told', async () => {
    const {seed} = await run(scripted([]), {sampling: {seed: undefined, temperature: undefined}});
    assert.ok(Number.isSafeInteger(seed));
    assert.equal((await run(scripted([]), {sampling: {seed: 7}})).seed, 7);
});

test('a stop string that is a control token\'s name ends the answer at that token', async () => {
    const pieces = ['a', '<unused7>', 'b'].map(utf8);
    const {text, tokens, kept, finishReason} = await run(scripted(pieces, {control: [1]}),
        {stop: ['<unused7>']});
    assert.deepEqual({text, tokens, kept, finishReason}, {
        text: 'a', tokens: [0, 1], kept: [0], finishReason: 'stop',
    });
    assert.equal((await run(scripted(pieces, {control: [1]}), {stop: ['<unused7', 'x<unused7>']})).text,
        'ab');
    assert.equal((await run(scripted(['a<', '<unused7>'].map(utf8), {control: [1]}), {stop: ['<unused7>']}))
        .text, 'a<');
});
