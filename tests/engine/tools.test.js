// Answers that call tools, through the public API: calls are whole and of their schemas, come as events while
// they are written, and what tools gave back is told in the next turn. The models are tiny and random: what
// they call, they do not mean.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';

const MODELS = ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3'].map((name) => join(import.meta.dirname,
    `../golden/${name}.gguf`));
const gemmas = await Promise.all(MODELS.map((path) => Gemma.load({kind: 'path', path},
    {threads: 2, contextLength: 512})));
after(() => gemmas.forEach((each) => each.close()));

const HOT = {temperature: 1.5, topK: 0, topP: 1};
const TOOLS = [
    {name: 'weather', description: 'The weather',
        parameters: {type: 'object', properties: {city: {enum: ['Rome', 'Oslo']},
            days: {type: 'integer', minimum: 1, maximum: 7}}, required: ['city']}},
    {name: 'now', description: 'The time'},
];

function checkCall({name, arguments: given}) {
    if (name === 'now') return assert.deepEqual(given, {});
    const {city, days = 1, ...more} = given;
    assert.equal(name, 'weather');
    assert.ok(['Rome', 'Oslo'].includes(city) && Number.isInteger(days) && days >= 1 && days <= 7);
    assert.deepEqual(more, {});
}

/** What was asked with all its events; the events are those of the calls. */
async function ask(session, prompt, options) {
    const events = [], pieces = [],
        answer = session.prompt(prompt,
            {tools: TOOLS, maxTokens: 200, onToolCall: (event) => events.push(event), ...options});
    for await (const piece of answer) pieces.push(piece);
    const result = await answer.result;
    assert.equal(pieces.join(''), result.text);
    result.toolCalls.forEach((call, i) => {
        const own = events.filter(({index}) => index === i);
        assert.deepEqual(own[0], {type: 'call', index: i, name: call.name});
        assert.deepEqual(JSON.parse(own.flatMap(({type, text}) => type === 'arguments' ? [text] : [])
            .join('')), call.arguments);
        assert.deepEqual(own.at(-1), {type: 'called', index: i, ...call});
        checkCall(call);
    });
    return {...result, events};
}

test('required: calls from the first token on, and nothing else', async () => {
    for (const gemma of gemmas) {
        for (let seed = 0; seed < 4; seed++) {
            const session = await gemma.session(),
                {text, toolCalls, constraint} = await ask(session, 'Hi',
                    {toolChoice: 'required', sampling: {...HOT, seed}});
            assert.equal(text, '');
            assert.ok(toolCalls.length >= 1 || constraint === 'cut');
            await session.close();
        }
    }
});

test('stop strings end no call in its middle', async () => {
    for (const gemma of gemmas) {
        for (const stop of ['"', 'e', ['`', 'call:']]) {
            const {toolCalls, text, constraint} = await ask(await gemma.session(), 'Hi',
                {toolChoice: {name: 'now'}, stop, sampling: HOT});
            assert.deepEqual([toolCalls, text, constraint], [[{name: 'now', arguments: {}}], '', 'complete']);
        }
    }
    // Where text may stand, they count, and what was cut before the call is none of it.
    const cut = await ask(await gemmas[0].session(), 'Hi', {toolChoice: 'required', maxTokens: 2, sampling: HOT});
    assert.deepEqual([cut.text, cut.toolCalls, cut.finishReason], ['', [], 'length']);
});

test('a tool by its name is called once', async () => {
    const {toolCalls, constraint, finishReason} = await ask(await gemmas[0].session(), 'Hi',
        {toolChoice: {name: 'now'}, sampling: HOT});
    assert.deepEqual(toolCalls, [{name: 'now', arguments: {}}]);
    assert.deepEqual([constraint, finishReason], ['complete', 'stop']);
});

test('auto: text, and calls after the mark; none: text alone, without tools in the prompt', async () => {
    const session = await gemmas[2].session(),
        {text, toolCalls, promptTokens} = await ask(session, 'Hi',
            {maxTokens: 30, sampling: {...HOT, seed: 1}});
    assert.ok(text.length > 0 || toolCalls.length > 0);
    const plain = await ask(await gemmas[2].session(), 'Hi', {toolChoice: 'none', maxTokens: 5});
    assert.deepEqual(plain.toolCalls, []);
    const bare = await (await gemmas[2].session()).prompt('Hi', {maxTokens: 5}).result;
    assert.deepEqual([plain.promptTokens, bare.toolCalls], [bare.promptTokens, undefined]);
    assert.ok(promptTokens.length > bare.promptTokens.length + 20);
    // They are told once.
    const again = await ask(session, 'And now?', {maxTokens: 5, sampling: {...HOT, seed: 2}});
    assert.ok(again.promptTokens.length - promptTokens.length < 80);
});

test('a conversation with calls and what they gave back goes on, and so does a new one from its messages',
    async () => {
    const [gemma] = gemmas, session = await gemma.session();
    const {toolCalls} = await ask(session, 'Hi',
        {toolChoice: {name: 'weather'}, sampling: {...HOT, seed: 5}});
    assert.deepEqual(session.messages,
        [{role: 'user', content: 'Hi'}, {role: 'assistant', content: '', toolCalls}]);
    const back = [{role: 'tool', name: 'weather', content: 'rain'}],
        {promptTokens} = await ask(session, back, {toolChoice: 'none', maxTokens: 3});
    assert.match(await gemma.detokenize(promptTokens), /weather[^]*rain/);
    assert.deepEqual(session.messages.slice(2, 3), back);
    const other = await gemma.session({history: session.messages.slice(0, 3)});
    assert.equal((await other.prompt('More', {maxTokens: 3}).result).tokens.length > 0, true);
    const restored = await gemma.restore(await session.save());
    assert.deepEqual(restored.messages, session.messages);
});

test('with a constraint, an answer is calls or what the constraint says', async () => {
    // Names of rules that ours have, too, and all that may stand between them.
    const grammar = 'root ::= call0 # root\ncall0 ::= "root \\"" [a-c\\]"]{2,3} call-1\ncall-1 ::= ("x" | "y")?';
    const kinds = [
        [{schema: {type: 'object', properties: {a: {type: 'boolean'}}, required: ['a'],
            additionalProperties: false}}, /^\{"a": (true|false)\}$/],
        [{regex: /[`{]t[a-z]{2}/}, /^[`{]t[a-z]{2}$/], [{choices: ['```tool', 'yes']}, /^(```tool|yes)$/],
        [{grammar}, /^root "[a-c\]"]{2,3}[xy]?$/],
        [await gemmas[2].constraint({grammar}), /^root "[a-c\]"]{2,3}[xy]?$/],
    ];
    let nCalls = 0;
    for (const [constraint, pattern] of kinds) {
        for (let seed = 0; seed < 12; seed++) {
            const session = await gemmas[2].session(),
                {text, toolCalls, constraint: how, finishReason} = await ask(session, 'Hi',
                    {constraint, sampling: {...HOT, seed}});
            await session.close();
            assert.equal(how, finishReason === 'stop' ? 'complete' : 'cut', finishReason);
            if (how === 'cut') continue;
            if (toolCalls.length) assert.equal(text, '');
            else assert.match(text, pattern);
            nCalls += toolCalls.length ? 1 : 0;
        }
        const forced = await ask(await gemmas[2].session(), 'Hi', {
            constraint, toolChoice: {name: 'now'}, sampling: {...HOT, seed: 1},
        });
        assert.deepEqual([forced.text, forced.toolCalls], ['', [{name: 'now', arguments: {}}]]);
    }
    assert.ok(nCalls > 0 && nCalls < 60, String(nCalls));
});

test('what is wrong is told, and the session goes on', async () => {
    const [gemma] = gemmas, session = await gemma.session(), {name} = TOOLS[1];
    const wrong = [
        [{tools: [{name: 'a b'}]}, 'bad-constraint'], [{tools: [{name}, {name}]}, 'bad-constraint'],
        [{tools: TOOLS, toolChoice: {name: 'then'}}, 'bad-constraint'],
        [{toolChoice: 'required'}, 'bad-argument'], [{tools: TOOLS, toolChoice: 'maybe'}, 'bad-argument'],
        [{tools: {}}, 'bad-argument'],
        [{tools: TOOLS, constraint: {grammar: 'root ::= none'}}, 'bad-constraint'],
        [{tools: TOOLS, constraint: {schema: {not: {}}}}, 'bad-constraint'],
        [{tools: TOOLS, raw: true}, 'bad-argument'],
        [{tools: [{name, parameters: {type: 'object', properties: {a: {contains: {}}}}}]}, 'bad-constraint'],
    ];
    for (const [options, code] of wrong) await assert.rejects(session.prompt('Hi', options).result, {code},
        JSON.stringify(options));
    for (const message of [{role: 'tool', content: 'x'},
        {role: 'assistant', content: '', toolCalls: [{name}]}, {role: 'user', content: '', toolCalls: []}]) {
        await assert.rejects(session.prompt([message, {role: 'user', content: 'Hi'}]).result,
            {code: 'bad-argument'}, JSON.stringify(message));
    }
    await assert.rejects(
        session.prompt('Hi', {
            tools: TOOLS, toolChoice: 'required', onToolCall() { throw new RangeError('mine'); },
        }).result, RangeError);
    const {text} = await session.prompt('Hi',
        {tools: TOOLS, toolChoice: 'none', constraint: {choices: ['ok']}}).result;
    assert.equal(text, 'ok');
});
