// The OpenAI door: every field of a request does what OpenAI's does, wrong ones are refused by name, and what
// is streamed is what is answered. The models are tiny and random: their texts say nothing.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {inspect} from 'node:util';
import {Gemma} from '../../web/gemma.js';
import {APIError, APIUserAbortError, OpenAI} from '../../web/api/openai.js';

const gemma = await Gemma.load({kind: 'path', path: join(import.meta.dirname, '../golden/tiny-gemma3.gguf')},
    {threads: 1, contextLength: 512});
const client = new OpenAI({gemma, model: 'tiny'});
after(async () => {
    await client.close();
    gemma.close();
});

const user = (content) => ({role: 'user', content});
const ENDLESS = {1: -100, 106: -100, 6: -100};
const chat = (more) => client.chat.completions.create({
    messages: [user('Why is the sea salty?')], max_tokens: 12, seed: 3, logit_bias: ENDLESS, ...more,
});
const complete = (more) => client.completions.create({
    prompt: 'The sea', max_tokens: 8, seed: 3, logit_bias: ENDLESS, ...more,
});
const TOOLS = [
    {type: 'function', function: {name: 'weather', description: 'The weather', parameters: {
        type: 'object', properties: {city: {enum: ['Rome', 'Oslo']}}, required: ['city']}}},
    {type: 'function', function: {name: 'now'}},
];

/** What chunks come to, as the clients put it together. */
async function collect(stream) {
    const choices = [], ids = new Set();
    let usage;
    for await (const chunk of stream) {
        ids.add(`${chunk.id} ${chunk.created} ${chunk.object} ${chunk.model}`);
        usage = chunk.usage ?? usage;
        for (const {index, delta, text, finish_reason: reason, logprobs} of chunk.choices) {
            const choice = choices[index] ??= {index, content: '', calls: [], logprobs: [], reason: null};
            assert.equal(choice.reason, null, 'nothing comes after the reason');
            choice.content += delta?.content ?? text ?? '';
            choice.logprobs.push(...logprobs?.content ?? []);
            for (const call of delta?.tool_calls ?? []) {
                const own = choice.calls[call.index] ??= {
                    id: call.id, type: call.type, function: {name: call.function.name, arguments: ''},
                };
                own.function.arguments += call.function.arguments ?? '';
            }
            choice.reason = reason;
        }
    }
    assert.equal(ids.size, 1);
    return {choices, usage};
}

/** The same of a whole answer. */
const whole = ({choices, usage}) => ({
    usage, choices: choices.map(({index, message, text, finish_reason: reason, logprobs}) => ({
        index, content: message?.content ?? text ?? '', calls: message?.tool_calls ?? [],
        logprobs: logprobs?.content ?? [], reason,
    })),
});

const withoutIds = ({choices}) =>
    choices.map(({calls, ...choice}) => ({...choice, calls: calls.map((call) => call.function)}));

test('a chat answer has the shape of OpenAI\'s', async () => {
    const {id, object, created, model, choices, usage} = await chat();
    assert.match(id, /^chatcmpl-\w+$/);
    assert.deepEqual([object, model, choices.length], ['chat.completion', 'tiny', 1]);
    assert.ok(Math.abs(created - Date.now() / 1000) < 100);
    assert.deepEqual(Object.keys(choices[0]), ['index', 'message', 'finish_reason', 'logprobs']);
    assert.deepEqual([choices[0].index, choices[0].finish_reason, choices[0].logprobs], [0, 'length', null]);
    assert.deepEqual({...choices[0].message, content: ''}, {role: 'assistant', content: '', refusal: null});
    assert.equal(usage.completion_tokens, 12);
    assert.equal(usage.total_tokens, usage.prompt_tokens + 12);
    assert.equal(typeof usage.prompt_tokens_details.cached_tokens, 'number');
});

for (const [name, more] of Object.entries({
    plain: {}, 'several choices': {n: 3}, probabilities: {logprobs: true, top_logprobs: 2},
    'a stop string': {stop: ['e', 'n'], max_tokens: 60},
    'a schema': {
        response_format: {type: 'json_schema', json_schema: {name: 'a', schema: {enum: ['one', 'two']}}},
    },
    'calls of tools': {tools: TOOLS, tool_choice: 'required', max_tokens: 200}, 'one call': {tools: TOOLS,
        tool_choice: {type: 'function', function: {name: 'weather'}}, max_tokens: 200},
    'several choices with calls': {tools: TOOLS, tool_choice: 'required', n: 2, max_tokens: 90},
})) {
    test(`streamed or not, an answer is the same: ${name}`, async () => {
        const answer = await chat(more),
            streamed = await collect(await chat({
                ...more, stream: true, stream_options: {include_usage: true},
            }));
        assert.deepEqual(withoutIds(streamed), withoutIds(whole(answer)));
        const counts = ({prompt_tokens: a, completion_tokens: b, total_tokens: c}) => [a, b, c];
        assert.deepEqual(counts(streamed.usage), counts(answer.usage));
        for (const {message, finish_reason: reason} of answer.choices) {
            if (message.tool_calls) assert.equal(message.content, null);
            if (reason === 'tool_calls') for (const {id, function: {arguments: json}} of message.tool_calls)
                assert.ok(id.startsWith('call_') && JSON.parse(json));
        }
    });
}

test('chunks have the role first, the reason last, and null as usage before the usage', async () => {
    const chunks = [];
    for await (const chunk of await chat({stream: true, stream_options: {include_usage: true}}))
        chunks.push(chunk);
    assert.deepEqual(chunks[0].choices[0].delta, {role: 'assistant', content: '', refusal: null});
    assert.deepEqual(chunks.at(-2).choices, [{index: 0, delta: {}, finish_reason: 'length', logprobs: null}]);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.ok(chunks.slice(0, -1).every(({usage, choices}) => usage === null && choices.length === 1));
    assert.ok(chunks.length > 6, 'it comes in pieces');
    for await (const chunk of await chat({stream: true})) assert.equal(chunk.usage, undefined);
    // Where the answer may be calls alone, its content is null, as that of the whole message.
    const calls = await chat({stream: true, tools: TOOLS, tool_choice: 'required', max_tokens: 300});
    for await (const {choices: [{delta}]} of calls)
        assert.ok(delta.content === undefined || delta.content === null && delta.role === 'assistant');
});

test('choices of one request are those of their seeds, and its prompt is read once', async () => {
    const {choices, usage} = await chat({n: 4, seed: 7}), again = await chat({n: 4, seed: 7}),
        one = await chat({seed: 7});
    assert.equal(new Set(choices.map(({message}) => message.content)).size, 4);
    assert.deepEqual(again.choices, choices);
    assert.deepEqual(one.choices[0], choices[0]);
    assert.equal(usage.prompt_tokens, one.usage.prompt_tokens);
    assert.equal(usage.completion_tokens, 48);
});

test('probabilities: the bytes of the tokens are those of the text, the likeliest come first', async () => {
    const {choices: [{message, logprobs}]} = await chat({logprobs: true, top_logprobs: 3, max_tokens: 40});
    assert.equal(Buffer.from(logprobs.content.flatMap(({bytes}) => bytes)).toString(), message.content);
    // a control token that ends nothing
    const pad = await chat({logprobs: true, logit_bias: {0: 100}, max_tokens: 2, temperature: 0});
    assert.deepEqual(
        [
            pad.choices[0].message.content,
            pad.choices[0].logprobs.content.map(({token, bytes}) => [token, bytes]),
        ], ['', [['<pad>', []], ['<pad>', []]]]);
    for (const {token, logprob, bytes, top_logprobs: top} of logprobs.content) {
        assert.equal(top.length, 3);
        assert.ok(logprob <= 0 && top[0].logprob >= top[1].logprob && top[0].logprob >= logprob);
        if (!token.startsWith('\\x') && bytes.length)
            assert.deepEqual(Buffer.from(token), Buffer.from(bytes));
    }
    assert.deepEqual((await chat({logprobs: true})).choices[0].logprobs.content[0].top_logprobs, []);
});

test('biases, penalties and filters act on the text', async () => {
    const [id] = await gemma.tokenize('z'),
        {choices: [{message: {content}}]} = await chat({
            logit_bias: {[id]: 100}, max_tokens: 4, temperature: 0,
        });
    assert.equal(content, await gemma.detokenize([id, id, id, id]));
    const greedy = await chat({temperature: 0}), text = ({choices: [choice]}) => choice.message.content;
    for (const same of [{top_k: 1}, {top_p: 0}, {min_p: 1}, {temperature: 0, seed: 9}])
        assert.equal(text(await chat(same)), text(greedy));
    for (const other of [{frequency_penalty: 2}, {presence_penalty: 2}, {repetition_penalty: 3},
        {repeat_penalty: 3}]) {
        assert.notEqual(text(await chat({temperature: 0, max_tokens: 60, ...other})),
            text(await chat({temperature: 0, max_tokens: 60})));
    }
});

test('an answer is what it must be', async () => {
    const text = async (more) => {
        const {choices: [{message, finish_reason: reason}]} = await chat({
            max_tokens: 300, logit_bias: {}, top_k: 0, ...more,
        });
        return reason === 'stop' ? message.content : undefined;
    };
    const schema = {
        type: 'object', properties: {a: {type: 'boolean'}, b: {enum: [1, 2]}}, required: ['a', 'b'],
    };
    for (let seed = 0; seed < 6; seed++) {
        const value = JSON.parse(await text({
            seed, response_format: {type: 'json_schema', json_schema: {name: 'a_b', schema, strict: true}},
        }));
        assert.deepEqual(Object.keys(value), ['a', 'b']);
        const any = await text({seed, response_format: {type: 'json_object'}});
        if (any) assert.equal(Object.prototype.toString.call(JSON.parse(any)), '[object Object]');
        assert.deepEqual(JSON.parse(await text({seed, response_format: {type: 'json_object',
            schema: JSON.stringify({...schema, additionalProperties: false})}})) && 1, 1);
        assert.match(await text({seed, regex: '[ab]{3}'}), /^[ab]{3}$/);
        assert.ok(['yes', 'no'].includes(await text({seed, choices: ['yes', 'no']})));
        assert.equal(await text({seed, grammar: 'root ::= "x" [0-9]'}).then((one) => /^x\d$/.test(one)),
            true);
        assert.equal(await text({seed, response_format: {type: 'grammar', grammar: 'root ::= "y"'}}), 'y');
    }
    assert.ok(await text({response_format: {type: 'text'}, max_tokens: 3,
        logit_bias: ENDLESS}) === undefined);
});

test('tools: which may be called, and at most how many', async () => {
    const calls = async (more) => (await chat({tools: TOOLS, max_tokens: 300, ...more}))
        .choices[0].message.tool_calls ?? [];
    const names = async (more) => (await calls(more)).map((call) => call.function.name);
    for (let seed = 0; seed < 5; seed++) {
        assert.ok((await names({seed, tool_choice: 'required'})).length >= 1);
        assert.deepEqual(await names({seed, tool_choice: {type: 'function', function: {name: 'now'}}}),
            ['now']);
        assert.equal((await names({seed, tool_choice: 'required', parallel_tool_calls: false})).length, 1);
        assert.deepEqual(await names({seed, tool_choice: 'none', max_tokens: 10}), []);
        const only = {
            type: 'allowed_tools',
            allowed_tools: {mode: 'required', tools: [{type: 'function', function: {name: 'now'}}]},
        };
        assert.deepEqual([...new Set(await names({seed, tool_choice: only}))], ['now']);
    }
    assert.ok((await chat({tools: [], tool_choice: 'auto', parallel_tool_calls: true}))
        .choices[0].message.content.length > 0);
});

test('tools with a response_format: calls, or what the format says', async () => {
    const format = {type: 'json_schema', json_schema: {name: 'a', strict: true,
        schema: {type: 'object', properties: {a: {type: 'boolean'}}, required: ['a']}}}, seen = new Set();
    for (let seed = 0; seed < 10; seed++) {
        const {message, finish_reason: reason} = (await chat({
            tools: TOOLS, response_format: format, seed, max_tokens: 400, logit_bias: {}, temperature: 1.5,
        })).choices[0];
        seen.add(reason);
        if (reason === 'stop') assert.equal(typeof JSON.parse(message.content).a, 'boolean');
        if (reason === 'tool_calls') assert.ok(message.content === null && message.tool_calls.length > 0);
        const {choices: [named]} = await chat({
            tools: TOOLS, response_format: format, tool_choice: {type: 'function', function: {name: 'now'}},
            seed, max_tokens: 400, logit_bias: {},
        });
        assert.equal(named.finish_reason, 'tool_calls');
    }
    assert.ok(seen.has('stop') && seen.has('tool_calls'), [...seen].join());
});

test('conversations with every role and form of content are read', async () => {
    const messages = [
        {role: 'developer', content: 'Be brief.'},
        {role: 'system', content: [{type: 'text', text: 'Be '}, {type: 'text', text: 'kind.'}], name: 'x'},
        {role: 'user', content: [{type: 'text', text: 'The weather?'}], name: 'ann'},
        {
            role: 'assistant', content: null,
            tool_calls: [
                {id: 'call_1', type: 'function', function: {name: 'weather', arguments: '{"city": "Rome"}'}},
            ],
        },
        {role: 'tool', tool_call_id: 'call_1', content: [{type: 'text', text: '21'}]},
        {role: 'assistant', content: [{type: 'text', text: '21.'}], refusal: null, audio: null,
            function_call: null}, {role: 'user', content: 'And now?'},
    ];
    const session = await gemma.session(),
        {choices: [{message}]} = await chat({messages, tools: TOOLS, tool_choice: 'none', temperature: 0});
    const {text, promptTokens} = await session.prompt([
        {role: 'system', content: 'Be brief.'}, {role: 'system', content: 'Be kind.'}, user('The weather?'),
        {role: 'assistant', content: '', toolCalls: [{name: 'weather', arguments: {city: 'Rome'}}]},
        {role: 'tool', name: 'weather', content: '21'},
        {role: 'assistant', content: '21.'}, user('And now?'),
    ], {maxTokens: 12, sampling: {temperature: 0, logitBias: {1: -Infinity, 106: -Infinity, 6: -Infinity}}})
        .result;
    assert.equal(message.content, text);
    assert.equal((await chat({messages, tools: TOOLS, tool_choice: 'none'})).usage.prompt_tokens,
        promptTokens.length);
    await session.close();
});

test('null means not given, in every field', async () => {
    const names = [
        'model', 'stream', 'stream_options', 'temperature', 'top_p', 'frequency_penalty', 'presence_penalty',
        'stop', 'n', 'response_format', 'top_k', 'min_p',
        'repetition_penalty', 'repeat_penalty', 'grammar', 'regex', 'choices', 'cache_prompt', 'extra_body',
        'signal', 'abortSignal', 'audio', 'store', 'foo',
        'max_completion_tokens', 'logprobs', 'top_logprobs', 'tools', 'tool_choice', 'parallel_tool_calls',
        'user', 'functions', 'modalities', 'echo', 'best_of', 'suffix',
    ];
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    assert.deepEqual(withoutIds(whole(await chat(nulls))), withoutIds(whole(await chat())));
    assert.deepEqual((await complete(nulls)).choices, (await complete()).choices);
    assert.equal((await chat({max_tokens: null, max_completion_tokens: 2})).usage.completion_tokens, 2);
});

test('what changes no text is accepted, and extra_body has more fields', async () => {
    const plain = withoutIds(whole(await chat()));
    assert.deepEqual(withoutIds(whole(await chat({
        model: 'gpt-5', user: 'x', store: true, metadata: {a: 'b'}, service_tier: 'auto',
        safety_identifier: 'x', prompt_cache_key: 'x', reasoning_effort: 'none',
        verbosity: 'medium', modalities: ['text'], ignore_eos: false, response_format: {type: 'text'},
        tools: [], tool_choice: 'auto',
    }))), plain);
    assert.equal((await chat({extra_body: {max_tokens: 2}})).usage.completion_tokens, 2);
});

test('a call that was cut, or is none, comes back as it is; answers may follow', async () => {
    for (const json of ['{"t": "fore', '[]', 'no JSON', '']) {
        const {usage} = await chat({messages: [user('Hello'), ...called(json),
            {role: 'tool', tool_call_id: 'a', content: 'invalid JSON'}], max_tokens: 2});
        assert.equal(usage.completion_tokens, 2);
    }
});

/** @param {number} levels */
const nested = (levels) => {
    let schema = {type: 'string'};
    for (let i = 0; i < levels; i++) schema = {type: 'array', items: schema};
    return schema;
};
const part = (type) => [{role: 'user', content: [{type, [type]: {url: 'x'}}]}],
    called = (json) => [
        {role: 'assistant', tool_calls: [{id: 'a', type: 'function', function: {name: 'n', arguments: json}}]},
    ];
for (const [param, more] of [
    ['messages', {messages: undefined}], ['messages', {messages: []}], ['messages', {messages: 'x'}],
    ['messages[0]', {messages: ['x']}], ['messages[0]', {messages: Array(1)}],
    ['messages[0].role', {messages: [{role: 'x', content: ''}]}],
    ['messages[1].content', {messages: [user('a'), {role: 'user'}]}],
    ['messages[0].content[0].type', {messages: part('image_url')}],
    ['messages[0].content[0].type', {messages: part('input_audio')}],
    ['messages[0].tool_call_id', {messages: [{role: 'tool', tool_call_id: 'none', content: ''}]}],
    ['messages[0].content', {messages: [{role: 'assistant', content: null}]}],
    ['messages[0].tool_calls[0].function.arguments', {messages: called(5)}],
    ['temperature', {temperature: 2.1}], ['temperature', {temperature: -1}],
    ['temperature', {temperature: '1'}], ['temperature', {temperature: NaN}], ['top_p', {top_p: 1.5}],
    ['presence_penalty', {presence_penalty: 3}], ['frequency_penalty', {frequency_penalty: -3}],
    ['n', {n: 0}], ['n', {n: 129}], ['n', {n: 1.5}],
    ['max_tokens', {max_tokens: 0}], ['max_tokens', {max_tokens: 1.5}],
    ['max_tokens', {max_tokens: 5, max_completion_tokens: 5}], ['stop', {stop: ''}], ['stop', {stop: [1]}],
    ['seed', {seed: 1.5}], ['top_logprobs', {logprobs: true, top_logprobs: 21}],
    ['top_logprobs', {top_logprobs: 2}], ['logprobs', {logprobs: 1}],
    ['logit_bias', {logit_bias: {a: 1}}], ['logit_bias', {logit_bias: {'05': 1}}],
    ['logit_bias', {logit_bias: Object.fromEntries(Array.from({length: 1025}, (_, i) => [i % 699 + i, 1]))}],
    ['logit_bias', {logit_bias: {1: 101}}], ['logit_bias', {logit_bias: {999999: 1}}],
    ['stream', {stream: 'yes'}],
    ['stream_options', {stream_options: {include_usage: true}}],
    ['response_format.type', {response_format: {type: 'xml'}}],
    ['response_format.type', {response_format: {}}],
    ['response_format.type', {response_format: {type: 'structural_tag'}}],
    ['response_format.json_schema', {response_format: {type: 'json_schema'}}],
    ['response_format.json_schema.name', {response_format: {type: 'json_schema', json_schema: {schema: {}}}}],
    [
        'response_format.json_schema.schema',
        {response_format: {type: 'json_schema', json_schema: {name: 'a'}}},
    ],
    ['response_format', {response_format: {type: 'json_schema',
        json_schema: {name: 'a', schema: {not: {}}}}}], ['regex', {regex: '('}], ['grammar',
            {grammar: 'root ::= ('}],
    ['response_format.schema', {response_format: {type: 'json_object', schema: '{'}}],
    ['regex', {regex: 'a', grammar: 'root ::= "a"'}],
    ['tools[0].type', {tools: [{type: 'custom', custom: {name: 'x'}}]}],
    ['tools[0].function', {tools: [{type: 'function'}]}], ['tool_choice', {tool_choice: 'required'}],
    ['tool_choice', {tools: TOOLS, tool_choice: {type: 'function', function: {name: 'none'}}}],
    ['tool_choice', {tools: TOOLS, tool_choice: 'sometimes'}],
    ['tools', {tools: [{type: 'function', function: {name: 'a', parameters: {not: {}}}}]}],
    ['response_format', {tools: TOOLS, response_format: {type: 'json_object', schema: {not: {}}}}],
    ...[
        'audio', 'functions', 'function_call', 'web_search_options', 'prediction', 'mirostat', 'typ_p',
        'return_progress',
    ].map((name) => [name, {[name]: {}}]),
    ...[200, 20000, 200000].flatMap((levels) => [
        ['response_format', {response_format: {type: 'json_schema', json_schema: {name: 'a', strict: true,
            schema: nested(levels)}}}],
        ['tools', {tools: [{type: 'function', function: {name: 'a', parameters: nested(levels)}}]}],
        ['messages', {messages: [nested(levels)]}],
    ]),
    ['modalities', {modalities: ['audio']}], ['reasoning_effort', {reasoning_effort: 'high'}],
    ['ignore_eos', {ignore_eos: true}], ['temprature', {temprature: 1}],
]) {
    test(
        `refused, naming ${param}: ${Object.entries(more).map(([name, value]) => name + inspect(value, {breakLength: Infinity})).join().slice(0, 90)}`,
        async () => {
        for (const stream of 'stream' in more || 'stream_options' in more ? [undefined] : [false, true]) {
            await assert.rejects(chat({logit_bias: {}, stream, ...more}), (error) => {
                assert.ok(error instanceof APIError && error instanceof OpenAI.BadRequestError
                    && error instanceof Error, String(error?.stack));
                assert.deepEqual([error.status, error.type, error.param],
                    [400, 'invalid_request_error', param]);
                assert.deepEqual(error.error, {
                    message: error.message, type: error.type, param, code: error.code,
                });
                assert.equal(typeof error.code, 'string');
                return true;
            });
        }
    });
}

test('a prompt that is too long is refused as OpenAI does, and the next request is answered', async () => {
    const messages = [user('sea '.repeat(2000))];
    for (const stream of [false, true])
        await assert.rejects(chat({messages, stream}), {
            status: 400, code: 'context_length_exceeded', param: 'messages',
        });
    await assert.rejects(complete({prompt: 'sea '.repeat(2000)}),
        {status: 400, code: 'context_length_exceeded', param: 'prompt'});
    assert.equal((await chat()).choices.length, 1);
    const {choices: [{finish_reason: reason}], usage} = await chat({max_tokens: 5000});
    assert.deepEqual([reason, usage.total_tokens], ['length', 513], 'the last token is not evaluated');
});

test('a stream ends when it is left or aborted, and a request when its signal aborts', async () => {
    const left = await chat({stream: true, max_tokens: 400});
    for await (const {choices} of left) if (choices[0].delta.content) break;
    assert.equal(left.controller.signal.aborted, true);
    const cut = await chat({stream: true, max_tokens: 400});
    let n = 0;
    for await (const chunk of cut) if (chunk && ++n === 3) cut.controller.abort();
    const abort = new AbortController(),
        asked = client.chat.completions.create({messages: [user('x')], max_tokens: 400, logit_bias: ENDLESS},
            {signal: abort.signal});
    setTimeout(() => abort.abort(), 20);
    await assert.rejects(asked, APIUserAbortError);
    await assert.rejects(chat({max_tokens: 400, signal: AbortSignal.abort()}), APIUserAbortError);
    await assert.rejects(client.chat.completions.create({messages: [user('x')], logit_bias: ENDLESS},
        {timeout: 1}), {name: 'APIConnectionTimeoutError'});
    while (client.load.requests) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a stream is two streams, or bytes', async () => {
    const [one, two] = (await chat({stream: true})).tee(), text = whole(await chat()).choices[0].content;
    assert.deepEqual((await Promise.all([collect(one), collect(two)])).map(({choices}) => choices[0].content),
        [text, text]);
    const [left, read] = (await chat({stream: true})).tee();
    for await (const chunk of left) if (chunk) break;
    assert.equal((await collect(read)).choices[0].content, text,
        'who leaves one half leaves the other alone');
    const lines = (await new Response((await chat({stream: true})).toReadableStream()).text()).trim()
        .split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.map(({choices: [{delta}]}) => delta.content ?? '').join(''), text);
    const {data, request_id: id} = await chat().withResponse();
    assert.ok(data.choices.length === 1 && id);
});

test('fields that are there and say nothing change nothing', async () => {
    const text = whole(await chat()).choices[0].content;
    assert.equal(whole(await chat({grammar: '', regex: '', tools: [], stop: null})).choices[0].content, text);
});

test('an engine that ends under a stream with probabilities fails that stream, and nothing else',
    async () => {
    const path = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
        own = await Gemma.load({kind: 'path', path}, {threads: 1, contextLength: 512});
    const other = new OpenAI({gemma: own, model: 'tiny'}),
        about = {stream: true, max_tokens: 400, logit_bias: ENDLESS};
    const streams = [
        await other.chat.completions.create({
            ...about, messages: [user('x')], logprobs: true, top_logprobs: 2,
        }), await other.completions.create({...about, prompt: 'x', logprobs: 1}),
    ];
    const read = streams.map(async (stream) => {
        for await (const chunk of stream) if (chunk) own.close();
    });
    for (const {status, reason} of await Promise.allSettled(read))
        assert.deepEqual([status, reason?.code], ['rejected', 'model_closed']);
    // a rejection that nobody handles would end the process
    await new Promise((resolve) => setTimeout(resolve, 50));
});

test('completions: shape, defaults, ids, several prompts with several choices', async () => {
    const {object, choices, usage} = await client.completions.create({
        prompt: 'The sea', logit_bias: ENDLESS, seed: 1,
    });
    assert.deepEqual([object, usage.completion_tokens, choices[0].finish_reason, choices[0].logprobs],
        ['text_completion', 16, 'length', null]);
    const ids = await gemma.tokenize('The sea', {bos: true});
    for (const prompt of [ids, ids.slice(1)])
        assert.deepEqual((await complete({prompt})).choices, (await complete()).choices);
    const many = await complete({prompt: ['The sea', 'A ship', 'The sea'], n: 2});
    assert.deepEqual(many.choices.map(({index}) => index), [0, 1, 2, 3, 4, 5]);
    assert.equal(many.choices[0].text, (await complete()).choices[0].text);
    assert.equal(many.choices[2].text, (await complete({prompt: 'A ship'})).choices[0].text);
    assert.equal(many.choices[4].text, many.choices[0].text);
    const streamed = await collect(await complete({
        prompt: ['The sea', 'A ship', 'The sea'], n: 2, stream: true,
    }));
    assert.deepEqual(streamed.choices.map(({content}) => content), many.choices.map(({text}) => text));
    assert.equal((await complete({prompt: null})).usage.prompt_tokens, 1);
    const twenty = await complete({
        prompt: Array.from({length: 20}, (_, i) => i % 2 ? 'A ship' : 'The sea'), max_tokens: 2,
    });
    assert.equal(new Set(twenty.choices.map(({text}) => text)).size, 2);
    for (const [param, more] of [['prompt', {prompt: [999999]}], ['prompt', {prompt: 5}],
        ['prompt', {prompt: []}], ['prompt', {prompt: ['a', [1]]}], ['prompt', {prompt: [Array(1), [1]]}],
        ['prompt', {prompt: ['a', 'sea '.repeat(3000), 'b']}], ['best_of', {best_of: 2}],
        ['suffix', {suffix: 'x'}],
        ['logprobs', {logprobs: 21}], ['logprobs', {logprobs: true}], ['messages', {messages: []}],
        ['n', {prompt: Array(100).fill('a'), n: 100}], ['prompt', {prompt: Array(1025).fill('a')}]]) {
        await assert.rejects(complete(more), {status: 400, param});
    }
});

test('echo: the prompt and the probabilities of its tokens, evaluated once for prompts that begin alike',
    async () => {
    const ids = await gemma.tokenize('The sea at night is not dark.', {bos: true}),
        session = await gemma.session();
    const expected = await session.prompt(ids, {
        raw: true, promptLogprobs: 2, logprobs: 2, maxTokens: 1, sampling: {temperature: 0},
    }).result;
    await session.close();
    const asked = {max_tokens: 1, logprobs: 2, echo: true, temperature: 0, logit_bias: {}};
    for (const prompt of [ids.slice(1), 'The sea at night is not dark.', ids, ids.slice(1)]) {
        const {choices: [{text, logprobs}]} = await complete({...asked, prompt}),
            all = [...expected.promptLogprobs, ...expected.logprobs];
        const own = prompt === ids ? all : all.slice(1),
            texts = (await gemma.tokenBytes([...ids, ...expected.tokens]))
            .map((bytes) => Buffer.from(bytes).toString());
        assert.deepEqual(logprobs.token_logprobs, own.map((one) => one?.logprob ?? null));
        assert.deepEqual(logprobs.tokens, prompt === ids ? texts : texts.slice(1));
        assert.equal(logprobs.tokens.join(''), text);
        assert.deepEqual(logprobs.text_offset,
            logprobs.tokens.map((_, i) => logprobs.tokens.slice(0, i).join('').length));
        logprobs.top_logprobs.forEach((top, i) => assert.ok(top === null ? i === 0 && prompt === ids
            : Object.values(top).includes(logprobs.token_logprobs[i])));
    }
    const {choices: [{text, logprobs, finish_reason: reason}], usage} = await complete({
        ...asked, prompt: ids, max_tokens: 0,
    });
    assert.deepEqual([text, logprobs.tokens.length, reason, usage.completion_tokens],
        ['<bos>The sea at night is not dark.', ids.length, 'length', 0]);
    assert.ok(usage.prompt_tokens_details.cached_tokens >= ids.length - 2,
        'the same prompt is not evaluated again');
    const {choices: [plain]} = await complete({prompt: 'The sea', echo: true});
    assert.equal(plain.text, `The sea${(await complete()).choices[0].text}`);
    const streamed = await collect(await complete({...asked, prompt: 'The sea', stream: true, n: 2}));
    assert.ok(streamed.choices.every(({content}) => content.startsWith('The sea')));
});

test('echo: each choice has the prompt once, with probabilities or without, streamed or not', async () => {
    for (const prompt of ['The sea', '', [2, 5, 9], ['The sea', 'A ship']]) {
        for (const logprobs of [null, 1]) {
            const asked = {prompt, n: 3, echo: true, logprobs, max_tokens: 4}, echoed = await complete(asked),
                plain = await complete({...asked, echo: false});
            const start = (i) => Array.isArray(prompt) ? typeof prompt[0] === 'string'
                ? prompt[Math.floor(i / 3)] : echoes : prompt;
            const echoes = Array.isArray(prompt) && typeof prompt[0] === 'number'
                ? await gemma.detokenize(prompt) : '';
            assert.deepEqual(echoed.choices.map(({text}) => text),
                plain.choices.map(({text}, i) => start(i) + text));
            assert.deepEqual((await collect(await complete({...asked, stream: true})))
                .choices.map(({content}) => content), echoed.choices.map(({text}) => text));
        }
    }
});

test('the token that ends a text is among those of its probabilities', async () => {
    const {choices: [{text, logprobs, finish_reason: reason}]} = await complete({
        logit_bias: {1: 100}, temperature: 0, logprobs: 1, max_tokens: 1,
    });
    assert.deepEqual([text, reason, logprobs.tokens, logprobs.token_logprobs.length],
        ['', 'stop', ['<eos>'], 1]);
});

test('embeddings: texts and ids, as numbers and as bytes', async () => {
    const expected = await gemma.embed(['The sea', 'A ship']), ids = await gemma.tokenize('The sea');
    const {object, data, usage, model} = await client.embeddings.create({input: ['The sea', 'A ship']});
    assert.deepEqual([object, model, data.map(({index}) => index), data[0].object],
        ['list', 'tiny', [0, 1], 'embedding']);
    assert.deepEqual(data.map(({embedding}) => embedding), expected.map((vector) => Array.from(vector)));
    assert.equal(usage.total_tokens, (await gemma.tokenize('The sea', {bos: true})).length
        + (await gemma.tokenize('A ship', {bos: true})).length);
    for (const input of ['The sea', ids, [ids]])
        assert.deepEqual((await client.embeddings.create({input})).data[0].embedding,
            Array.from(expected[0]));
    const {data: [{embedding}]} = await client.embeddings.create({
        input: 'The sea', encoding_format: 'base64', dimensions: gemma.info.nEmbd,
    });
    assert.deepEqual(Array.from(new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer)),
        Array.from(expected[0]));
    for (const [param, more] of [['input', {}], ['input', {input: ''}], ['input', {input: []}],
        ['input', {input: [1, 'a']}], ['input', {input: [1, 999999]}], ['input', {input: [[1], [999999]]}],
        ['input', {input: {every: 1}}],
        ['dimensions', {input: 'a', dimensions: 3}],
        ['encoding_format', {input: 'a', encoding_format: 'x'}],
        ['temperature', {input: 'a', temperature: 1}]]) {
        await assert.rejects(client.embeddings.create(more), {status: 400, param});
    }
});

test('models: the one that there is', async () => {
    const {data} = await client.models.list(), all = [];
    for await (const model of client.models.list()) all.push(model);
    assert.deepEqual(all, data);
    assert.deepEqual([data.length, data[0].id, data[0].object], [1, 'tiny', 'model']);
    assert.deepEqual(await client.models.retrieve('tiny'), data[0]);
    await assert.rejects(client.models.retrieve('gpt-5'), {
        status: 404, code: 'model_not_found', param: 'model',
    });
});
