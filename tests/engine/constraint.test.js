// Answers that must be what a constraint says, through the public API: they are whole texts of it or say that
// they were cut, with the same seed the same text however it comes about, and what is wrong with a constraint
// is told by its place.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Constraint, Gemma} from '../../web/gemma.js';

const MODELS = ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3'].map((name) => join(import.meta.dirname,
    `../golden/${name}.gguf`));
const load = (path, options) => Gemma.load({kind: 'path', path},
    {threads: 2, contextLength: 512, ...options});
const gemmas = await Promise.all(MODELS.map((path) => load(path)));
const [gemma] = gemmas;
after(() => gemmas.forEach((each) => each.close()));

const HOT = {temperature: 1.5, topK: 0, topP: 1};
const PERSON = {
    type: 'object', additionalProperties: false, required: ['name', 'age', 'tags'],
    properties: {
        name: {type: 'string', maxLength: 8}, age: {type: 'integer', minimum: 0, maximum: 120},
        kind: {enum: ['cat', 'dog']},
        tags: {type: 'array', items: {type: 'boolean'}, maxItems: 3},
    },
};

/** @param {any} value */
function checkPerson({name, age, kind = 'cat', tags, ...more}) {
    assert.deepEqual(more, {});
    assert.ok([...name].length <= 8 && Number.isInteger(age) && age >= 0 && age <= 120
        && ['cat', 'dog'].includes(kind));
    assert.ok(tags.length <= 3 && tags.every((tag) => typeof tag === 'boolean'));
}

async function ask(session, constraint, options) {
    const pieces = [], answer = session.prompt('Hi', {constraint, maxTokens: 200, ...options});
    for await (const piece of answer) pieces.push(piece);
    const result = await answer.result;
    assert.equal(pieces.join(''), result.text);
    return result;
}

test('JSON of a schema, from every model and with every way to sample', async () => {
    const ways = [{temperature: 0}, HOT, {temperature: 1.5}, {temperature: 1, topK: 0, topP: 0.9},
        {temperature: 2, topK: 5, repeatPenalty: 1.3}, {temperature: 1, topK: 0, minP: 0.05}];
    for (const each of gemmas) {
        const constraint = await each.constraint({schema: PERSON, whitespace: 'none'});
        for (const [seed, way] of ways.entries()) {
            const session = await each.session(),
                {text, constraint: whole, finishReason} = await ask(session, constraint,
                    {sampling: {seed, ...way}});
            assert.deepEqual([whole, finishReason], ['complete', 'stop']);
            checkPerson(JSON.parse(text));
            session.close();
        }
    }
});

test('regular expressions, choices and grammars', async () => {
    const cases = [
        [{regex: '[a-f]{2,4}-\\d+x'}, /^[a-f]{2,4}-\d+x$/], [{regex: /(ja|nein)!?/}, /^(ja|nein)!?$/],
        [{choices: ['red', 'green', 'dark green']}, /^(red|green|dark green)$/],
        [{grammar: 'root ::= "<" name ">"\nname ::= [a-z]{1,5}'}, /^<[a-z]{1,5}>$/],
    ];
    for (const [constraint, expected] of cases) {
        for (let seed = 0; seed < 5; seed++) {
            const {text, constraint: whole} = await ask(await gemma.session(), constraint,
                {sampling: {...HOT, seed}});
            if (whole === 'complete') assert.match(text, expected);
            else assert.equal(text.length > 0, true);
        }
    }
});

test('choices come by their probabilities, and nothing else comes', async () => {
    const seen = new Set();
    for (let seed = 0; seed < 30; seed++)
        seen.add((await ask(await gemma.session(), {choices: ['a', 'b']},
            {sampling: {temperature: 5, topK: 0, topP: 1, seed}})).text);
    assert.deepEqual([...seen].sort(), ['a', 'b']);
});

test('an answer that is ended before its time says that it was cut', async () => {
    const long = {regex: '[a-z]{400}'}, sampling = {...HOT, seed: 3};
    const {constraint: byLength, finishReason, tokens} = await ask(await gemma.session(), long,
        {maxTokens: 5, sampling});
    assert.deepEqual([byLength, finishReason, tokens.length], ['cut', 'length', 5]);
    const {text} = await ask(await gemma.session(), long, {maxTokens: 5, sampling}), stop = text.slice(2, 4);
    const stopped = await ask(await gemma.session(), long, {stop, sampling});
    assert.deepEqual([stopped.constraint, stopped.finishReason], ['cut', 'stop']);
    const abort = new AbortController(),
        answer = (await gemma.session()).prompt('Hi', {constraint: long, sampling, signal: abort.signal});
    for await (const piece of answer) if (piece) abort.abort();
    const aborted = await answer.result;
    assert.deepEqual([aborted.constraint, aborted.finishReason], ['cut', 'abort']);
    assert.equal((await ask(await gemma.session(), undefined, {maxTokens: 2})).constraint, undefined);
    // The last token that may come makes it whole, and needs no end token.
    const {constraint: whole, tokens: [only], finishReason: reason} = await ask(await gemma.session(),
        {choices: ['a']}, {maxTokens: 1});
    assert.deepEqual([whole, reason, typeof only], ['complete', 'stop', 'number']);
});

test('an answer that is whole where the context ends is complete', async () => {
    const small = await load(MODELS[2], {contextLength: 64}), text = '{"ok": true}', beyond = new Set();
    for (let n = 48; n < 60; n++) {
        const session = await small.session(), prompt = await small.detokenize(Array(n).fill(40));
        const {text: got, finishReason, constraint, tokens, promptTokens} = await session.prompt(prompt,
            {raw: true, constraint: {choices: [text]}, sampling: {temperature: 0}}).result;
        assert.deepEqual([finishReason, constraint], got === text ? ['stop', 'complete'] : ['context', 'cut']);
        beyond.add(promptTokens.length + tokens.length - 64);
        session.close();
    }
    // The last token needs no place in the context: nothing comes after it.
    assert.ok(beyond.has(1) && !beyond.has(2), [...beyond].join());
    small.close();
});

test('where a constraint cannot be followed the answer fails, and the session continues', async () => {
    const session = await gemma.session();
    const ways = Array.from({length: 40}, (_, i) => `"a" [a]{${4000 + i}}`).join(' | ');
    await assert.rejects(session.prompt('Hi', {constraint: {grammar: `root ::= "a"* (${ways})`}, maxTokens: 400}).result,
        {code: 'bad-constraint'});
    const [id] = await gemma.tokenize('}');
    await assert.rejects(session.prompt('Hi', {constraint: {regex: '\\}'}, sampling: {logitBias: {[id]: -Infinity}}}).result,
        {code: 'bad-constraint'});
    assert.equal((await ask(session, {choices: ['ok']})).text, 'ok');
});

test('one seed gives one text: alone with drafts, beside others without, with one thread, and with logprobs',
    async () => {
    const constraint = await gemma.constraint({schema: PERSON}), sampling = {temperature: 1.2, seed: 11};
    const {text} = await ask(await gemma.session(), constraint, {sampling});
    const others = await Promise.all([
        ask(await gemma.session(), constraint, {sampling}), ask(await gemma.session(), {regex: '[a-z]{30}'},
            {sampling}), ask(await gemma.session(), undefined, {sampling, maxTokens: 30}),
        ask(await gemma.session(), constraint, {sampling, logprobs: 1}),
    ]);
    assert.deepEqual([others[0].text, others[3].text], [text, text]);
    assert.match(others[1].text, /^[a-z]{30}$/);
    const single = await load(MODELS[0], {threads: 1});
    assert.equal((await ask(await single.session(), {schema: PERSON}, {sampling})).text, text);
    single.close();
    assert.equal((await ask(await gemma.session(), constraint, {sampling, promptLogprobs: 0})).text, text);
});

test('a constraint is compiled once, for any session of its model, also a clone and a restored one',
    async () => {
    const constraint = await gemma.constraint({choices: ['one', 'two']}), session = await gemma.session();
    assert.ok(constraint instanceof Constraint);
    await ask(session, constraint, {sampling: {seed: 1}});
    const clone = await session.clone(), restored = await gemma.restore(await session.save());
    const texts = await Promise.all([session, clone,
        restored].map(async (each) => (await ask(each, constraint, {sampling: {seed: 2}})).text));
    assert.ok(['one', 'two'].includes(texts[0]));
    assert.deepEqual(texts, [texts[0], texts[0], texts[0]]);
    await assert.rejects((await gemmas[1].session()).prompt('Hi', {constraint}).result,
        {code: 'bad-argument'});
    await constraint.close();
    await assert.rejects(session.prompt('Hi', {constraint}).result, {code: 'bad-argument'});
    assert.match((await ask(session, {choices: ['yes']})).text, /^yes$/);
});

test('an answer ends by its constraint though that is closed meanwhile', async () => {
    const constraint = await gemma.constraint({regex: '[a-z ]{40}'}), session = await gemma.session();
    const answers = [ask(session, constraint, {sampling: {seed: 3}}), ask(await gemma.session(), constraint,
        {sampling: {seed: 4}})];
    await new Promise((later) => { setTimeout(later, 1); });
    await constraint.close();
    for (const {text} of await Promise.all(answers)) assert.match(text, /^[a-z ]{40}$/);
    await assert.rejects(ask(session, constraint), {code: 'bad-argument'});
});

test('what is wrong with a constraint is told, and the session goes on', async () => {
    const session = await gemma.session(), {tokens} = session;
    const wrong = [
        [{}, 'bad-constraint'], [{schema: true, regex: 'a'}, 'bad-constraint'], [{shema: {}}, 'bad-argument'],
        ['a', 'bad-argument'], [{choices: []}, 'bad-argument'],
        [{choices: [1]}, 'bad-argument'], [{regex: '(?=a)'}, 'bad-constraint'],
        [{regex: /a/i}, 'bad-constraint'], [{schema: {type: 'object', uniqueItems: 5, not: {}}},
            'bad-constraint'],
        [{schema: {}, whitespace: 'much'}, 'bad-argument'], [{grammar: 'root ::= a'}, 'bad-constraint'],
        [{grammar: 5}, 'bad-argument'], [{grammar: ''}, 'bad-constraint'], [{regex: /[a--b]/v}, 'bad-constraint'],
    ];
    for (const [constraint, code] of wrong) {
        await assert.rejects(session.prompt('Hi', {constraint}).result, {code}, JSON.stringify(constraint));
        if (typeof constraint === 'object')
            await assert.rejects(gemma.constraint(constraint), {code}, JSON.stringify(constraint));
    }
    await assert.rejects(gemma.constraint({grammar: 'root ::= "a"\nb ::= ("c"'}),
        ({code, message}) => code === 'bad-constraint' && /\b2\b/.test(message));
    await assert.rejects(gemma.constraint({schema: {type: 'object',
        properties: {a: {contains: {}, type: 'array'}}}}), ({message}) => /contains/.test(message));
    assert.equal(session.tokens, tokens);
    await assert.rejects(gemma.constraint({regex: 'a', whitespace: 'much'}), {code: 'bad-argument'});
    assert.equal((await ask(session, {choices: ['ok']})).text, 'ok');
});
