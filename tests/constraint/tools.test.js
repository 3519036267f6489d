// Tools: the grammar of answers that may call them, in both forms, and the calls found in streamed answers.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ToolCalls, callText, toolsGrammar, toolsInstruction} from '../../web/constraint/tools.js';
import {Matcher} from './matcher.js';

const tools = [
    {
        name: 'get_weather',
        description: 'The weather',
        parameters: {
            properties: {city: {type: 'string'}, days: {type: 'integer', minimum: 1, maximum: 7}},
            required: ['city'],
        },
    },
    {name: 'now'},
];
const calls = [
    {name: 'get_weather', arguments: {city: 'São "Paulo" {', days: 3}},
    {name: 'now', arguments: {}},
];

for (const style of /** @type {const} */ (['json', 'function'])) {
    const text = calls.map((call) => callText(call, style)).join(style === 'json' ? '\n' : '');

    test(`${style}: text, calls and both`, () => {
        const auto = new Matcher(toolsGrammar({tools, style}) ?? ''),
            required = new Matcher(toolsGrammar({tools, style, toolChoice: 'required'}) ?? '');
        const named = new Matcher(toolsGrammar({tools, style, toolChoice: {name: 'now'}}) ?? '');
        for (const answer of ['', 'No `call` <start_ here.', text, `Let me see.\n${text}`])
            assert.ok(auto.accepts(answer), answer);
        assert.ok(required.accepts(text) && !required.accepts('') && !required.accepts(`Hm. ${text}`));
        assert.ok(named.accepts(callText(calls[1], style)) && !named.accepts(callText(calls[0], style)));
        const one = new Matcher(toolsGrammar({tools, style, parallelToolCalls: false}) ?? '');
        assert.ok(one.accepts(`Hm. ${callText(calls[0], style)}`) && one.accepts('Hm.')
            && !one.accepts(text));
        for (const wrong of [
            {name: 'then', arguments: {}},
            {name: 'now', arguments: {a: 1}},
            {name: 'get_weather', arguments: {city: 'x', days: 8}},
        ]) {
            assert.ok(!auto.accepts(callText(wrong, style)), JSON.stringify(wrong));
        }
        assert.equal(toolsGrammar({tools, style, toolChoice: 'none'}), undefined);
        assert.equal(toolsInstruction({tools, style, toolChoice: 'none'}), '');
        assert.match(toolsInstruction({tools, style}), /get_weather[^]*The weather[^]*now/);
    });

    test(`${style}: events, for any chunks`, () => {
        for (const size of [1, 2, 3, 7, 1000]) {
            const reader = new ToolCalls(style),
                events = [],
                answer = `Let me see.\n${text}`;
            for (let at = 0; at < answer.length; at += size)
                events.push(...reader.push(answer.slice(at, at + size)));
            events.push(...reader.end());
            const said = events.flatMap((event) => (event.type === 'text' ? [event.text] : [])).join('');
            assert.equal(said, 'Let me see.\n');
            assert.deepEqual(
                events.flatMap((event) =>
                    event.type === 'called' ? [{name: event.name, arguments: event.arguments}] : [],
                ),
                calls,
            );
            calls.forEach((call, i) => {
                const own = events.filter((event) => event.type !== 'text' && event.index === i);
                assert.deepEqual([own[0].type, own.at(-1)?.type], ['call', 'called']);
                assert.deepEqual(
                    JSON.parse(
                        own.flatMap((event) => (event.type === 'arguments' ? [event.text] : [])).join(''),
                    ),
                    call.arguments,
                );
            });
            assert.equal(reader.isText, false, 'what came last is a call');
        }
        const begun = new ToolCalls(style), [mark] = text.split(/(?<=\n|>)/);
        assert.deepEqual([...begun.push(`Hm.${mark}`), ...begun.end()], [{type: 'text', text: 'Hm.'}]);
        const cut = new ToolCalls(style);
        cut.push(text.slice(0, 45));
        assert.equal(cut.isText, false);
    });
}

test('tools that can not be called are refused by name', () => {
    for (const options of [
        {tools, toolChoice: {name: 'x'}},
        {tools: [], toolChoice: 'required'},
        {tools: [{name: 'a b'}]},
        {tools: [{name: 'a'}, {name: 'a'}]},
        {tools: [{name: 'a', parameters: {type: 'string'}}]},
        {tools: [{name: 'odd', parameters: {not: {type: 'null'}}}]},
    ]) {
        assert.throws(() => toolsGrammar(/** @type {any} */ (options)), {
            name: 'GemmaError',
            code: 'bad-constraint',
        });
    }
    assert.throws(
        () => toolsGrammar({tools: [{name: 'odd', parameters: {properties: {p: {not: {type: 'null'}}}}}]}),
        /odd.*"not" at "#\/properties\/p"/,
    );
});

test("FunctionGemma's form: listed texts may have a <, names that can't be written are refused", () => {
    /** @param {any} parameters */
    const grammar = (parameters) => toolsGrammar({tools: [{name: 'f', parameters}], style: 'function'}) ?? '';
    const texts = ['<', '>', '<=', 'a<b', '<esc', '<<', 'x<'];
    const matcher = new Matcher(grammar({properties: {op: {enum: texts}}, required: ['op']}));
    for (const op of [...texts, 'y']) {
        const text = `<start_function_call>call:f{op:<escape>${op}<escape>}<end_function_call>`;
        assert.equal(matcher.accepts(text), op !== 'y', text);
        const called = new ToolCalls('function').push(text).at(-1);
        assert.deepEqual(called, {type: 'called', index: 0, name: 'f', arguments: {op}});
    }
    assert.ok(grammar({properties: {op: {const: '<='}}, required: ['op']}));
    assert.throws(() => grammar({properties: {op: {enum: ['a', 'b<escape>']}}}),
        /"f".*"b<escape>".*"#\/properties\/op"/);
    for (const name of ['a b', "it's", 'a:b', '<', 'a\n', '{', '']) {
        const named = new RegExp(JSON.stringify(name).replace(/[{}\\]/g, '\\$&') + " can't be written");
        for (const schema of [
            {properties: {[name]: {}}},
            {required: [name], additionalProperties: true},
            {properties: {a: {const: {[name]: 1}}}},
        ]) {
            assert.throws(() => grammar(schema), named);
            assert.ok(toolsGrammar({tools: [{name: 'f', parameters: schema}]}));
        }
    }
    for (const schema of [{properties: {a: {}}, additionalProperties: true}, {additionalProperties: true},
        {patternProperties: {'^.?$': {}}}]) {
        const open = new Matcher(grammar(schema));
        assert.ok(open.accepts('<start_function_call>call:f{b:1}<end_function_call>'));
        assert.ok(!open.accepts('<start_function_call>call:f{:1}<end_function_call>'));
    }
});
