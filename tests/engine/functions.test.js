// FunctionGemma's tokens for tools, through the public API: the turns in which a model is told of tools and
// of what they gave back, and calls that are forced by its own syntax. The model is tiny and random: what it
// calls, it does not mean.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {GgufFile, STRING} from './gguf_edit.js';

const NAMES = [
    'start_function_declaration', 'end_function_declaration', 'start_function_call', 'end_function_call',
    'start_function_response', 'end_function_response', 'escape',
].map((name) => `<${name}>`);
const TEMPLATE = "{{ '<start_of_turn>' + role }}{{ '<start_function_declaration>' }}";
const CONTROL = 3, USER_DEFINED = 4;

const work = mkdtempSync(join(tmpdir(), 'gemma-functions-'));
const gguf = GgufFile.read(join(import.meta.dirname, '../golden/tiny-gemma3.gguf'))
    .set('tokenizer.chat_template', STRING, TEMPLATE);
NAMES.forEach((name, i) => gguf.addToken(name, i % 2 ? CONTROL : USER_DEFINED));
const path = gguf.setRows(699 + NAMES.length).write(join(work, 'functions.gguf'));
const gemma = await Gemma.load({kind: 'path', path}, {threads: 2, contextLength: 512});
const ids = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [
    name, (await gemma.tokenize(name, {special: true}))[0],
])));
after(() => {
    gemma.close();
    rmSync(work, {recursive: true});
});

const HOT = {temperature: 1.5, topK: 0, topP: 1};
const TOOLS = [
    {name: 'weather', description: 'The <escape> weather', parameters: {type: 'object', properties: {
        city: {enum: ['Rome', 'Oslo']}, days: {type: 'integer', minimum: 1, maximum: 7},
        note: {type: 'string', maxLength: 12},
        tags: {type: 'array', items: {type: 'string', maxLength: 5}, maxItems: 2},
    }, required: ['city', 'note']}},
    {name: 'now'},
];

function checkCall({name, arguments: given}) {
    if (name === 'now') return assert.deepEqual(given, {});
    const {city, days = 1, note, tags = [], ...more} = given;
    assert.equal(name, 'weather');
    assert.ok(['Rome', 'Oslo'].includes(city) && Number.isInteger(days) && days >= 1 && days <= 7
        && typeof note === 'string' && [...note].length <= 12);
    assert.ok(tags.length <= 2 && tags.every((tag) => [...tag].length <= 5));
    assert.deepEqual(more, {});
}

const count = (tokens, name) => tokens.filter((id) => id === ids[name]).length;

test('200 answers call tools in its tokens, and all calls are of their schemas', async () => {
    assert.deepEqual([gemma.info.chat, gemma.info.chatStyle], [true, 'functions']);
    let whole = 0, calls = 0;
    for (let seed = 0; seed < 200; seed++) {
        const session = await gemma.session(), events = [];
        // Half of them may write text first, and the model is led to its calls.
        const isAuto = seed % 2 === 1,
            logitBias = isAuto ? {[ids['<start_function_call>']]: seed % 4 === 1 ? 4 : 1000} : {};
        const {text, tokens, toolCalls, constraint} = await session.prompt('Hi', {
            tools: TOOLS, toolChoice: isAuto ? 'auto' : 'required', maxTokens: 80,
            onToolCall: (event) => events.push(event),
            sampling: {...HOT, seed, logitBias: {...logitBias, [ids['<end_function_call>']]: 3}},
        }).result;
        toolCalls.forEach(checkCall);
        if (!isAuto) assert.equal(text, '');
        assert.equal(events.filter(({type}) => type === 'called').length, toolCalls.length);
        const begun = count(tokens, '<start_function_call>');
        assert.ok(begun - toolCalls.length <= (constraint === 'cut' ? 1 : 0));
        if (constraint === 'complete') {
            whole++;
            assert.equal(count(tokens, '<end_function_call>'), toolCalls.length);
            assert.ok(isAuto || toolCalls.length >= 1);
        }
        calls += toolCalls.length;
        assert.ok(!/<(escape|start_function)/.test(text));
        await session.close();
    }
    assert.ok(whole > 60 && calls > 60, `${whole} whole answers, ${calls} calls`);
});

test('tools and their results go into separate turns of the prompt', async () => {
    const session = await gemma.session({system: 'Be kind.'});
    const first = await session.prompt('Say <escape>', {
        tools: TOOLS, toolChoice: {name: 'now'}, sampling: {...HOT, seed: 1},
    }).result;
    assert.deepEqual([first.toolCalls, first.text, first.constraint],
        [[{name: 'now', arguments: {}}], '', 'complete']);
    assert.equal(await gemma.detokenize(first.promptTokens), '<bos><start_of_turn>developer\nBe kind.\n\n' +
        'You are a model that can do function calling with the following functions<start_function_declaration>declaration:weather{description:<escape>' +
        'The < escape> weather<escape>,parameters:{properties:{city:{enum:[<escape>Rome<escape>,<escape>Oslo<escape>]},days:{maximum:7,minimum:1,' +
        'type:<escape>INTEGER<escape>},note:{maxLength:12,type:<escape>STRING<escape>},tags:{items:{maxLength:5,type:<escape>STRING<escape>},maxItems:2,type:' +
        '<escape>ARRAY<escape>}},required:[<escape>city<escape>,<escape>note<escape>],type:<escape>OBJECT<escape>}}<end_function_declaration>' +
        '<start_function_declaration>declaration:now{description:<escape><escape>,parameters:{properties:{},type:<escape>OBJECT<escape>}}' +
        '<end_function_declaration><end_of_turn>\n<start_of_turn>user\nSay <escape><end_of_turn>\n<start_of_turn>model\n');
    assert.equal(count(first.promptTokens, '<escape>') % 2, 0);         // what the user wrote is none
    const back = [
        {role: 'tool', name: 'now', content: '{"hour": 7, "zone": "<escape>Z"}'},
        {role: 'tool', name: 'now', content: 'late'},
    ];
    const {promptTokens} = await session.prompt(back, {
        tools: TOOLS, toolChoice: 'none', maxTokens: 3, sampling: {...HOT, seed: 2},
    }).result;
    const before = [...first.promptTokens, ...first.tokens],
        answered = '<start_function_response>response:now{hour:7,zone:<escape>< escape>Z<escape>}' +
        '<end_function_response><start_function_response>response:now{value:<escape>late<escape>}<end_function_response>';
    assert.deepEqual(promptTokens.slice(0, before.length), before);
    assert.equal(await gemma.detokenize(promptTokens.slice(before.length)), answered);
    assert.equal(count(promptTokens.slice(before.length), '<start_function_response>'), 2);
    // A new conversation of the same messages has the same tokens.
    const other = await gemma.session({history: session.messages.slice(0, 3)});
    const again = await other.prompt(back, {maxTokens: 1, sampling: {temperature: 0}}).result,
        said = await gemma.detokenize(again.promptTokens);
    assert.ok(said.endsWith(
        `<start_of_turn>model\n<start_function_call>call:now{}<end_function_call>${answered}`), said);
});

test('texts of other constraints hold none of its tokens; before a tool\'s answer the model stops', async () => {
    const bias = Object.fromEntries(NAMES.map((name) => [ids[name], 50]));
    const ask = async (options, logitBias) => (await (await gemma.session()).prompt('Hi',
        {...options, maxTokens: 40, sampling: {...HOT, seed: 3, logitBias}}).result);
    for (const constraint of [{schema: {type: 'string', maxLength: 20}}, {regex: '[^]{5,30}'},
        {grammar: 'root ::= .{5,30}'}]) {
        const {tokens} = await ask({constraint}, bias);
        assert.ok(NAMES.every((name) => count(tokens, name) === 0), JSON.stringify(constraint));
    }
    const {finishReason, tokens} = await ask({}, {[ids['<start_function_response>']]: 1000});
    assert.deepEqual([finishReason, tokens.length], ['stop', 0]);
});

test('a session with calls is cloned, saved and restored', async () => {
    const session = await gemma.session();
    await session.prompt('Hi', {tools: TOOLS, toolChoice: {name: 'now'}, sampling: {...HOT, seed: 4}}).result;
    const restored = await gemma.restore(await session.save()), clone = await session.clone(),
        back = [{role: 'tool', name: 'now', content: '7'}];
    const texts = await Promise.all([session, restored, clone].map(
        async (each) => (await each.prompt(back, {maxTokens: 8, sampling: {temperature: 0}}).result).tokens));
    assert.deepEqual(texts[1], texts[0]);
    assert.deepEqual(texts[2], texts[0]);
});
