// The helpers of the openai package, which code for it calls: parse(), stream() and runTools(). What they
// give is what the package's own give over HTTP, with the same model, seeds and requests.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {Gemma} from '../../web/gemma.js';
import {OpenAI} from '../../web/api/openai-helpers.js';
import {Api} from '../../web/node/http/api.js';
import {serve} from '../../web/node/server.js';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';

await ensureConsumers();
const {default: TheirOpenAI} = await import(pathToFileURL(createRequire(join(CONSUMERS, 'package.json'))
    .resolve('openai')));

const MODEL = join(import.meta.dirname, '../golden/tiny-gemma3.gguf'),
    ENGINE = {threads: 1, contextLength: 512};
const gemma = await Gemma.load({kind: 'path', path: MODEL}, ENGINE),
    server = await serve({port: 0, api: new Api({path: async () => MODEL, engine: ENGINE})});
const ours = new OpenAI({gemma, model: 'tiny-gemma3'}),
    theirs = new TheirOpenAI({baseURL: `${server.url}v1`, apiKey: 'none', maxRetries: 0});
after(async () => {
    await server.close();
    gemma.close();
});

const SCHEMA = {type: 'object', properties: {a: {type: 'boolean'}, b: {enum: ['x', 'y']}},
    required: ['a', 'b'], additionalProperties: false};
const FORMAT = {type: 'json_schema', json_schema: {name: 'a', strict: true, schema: SCHEMA}},
    ENDLESS = {1: -100, 6: -100, 106: -100};
/** As the package's helpers for Zod make it: what reads the text is no field of the request. */
const READ = Object.defineProperty({...FORMAT}, '$parseRaw', {value: (text) => ({read: JSON.parse(text)}),
    enumerable: false});
const TOOL = {type: 'function', function: {name: 'weather', strict: true, parameters: {
    type: 'object', properties: {city: {enum: ['Rome', 'Oslo']}}, required: ['city'],
    additionalProperties: false}}};
const asked = {model: 'tiny-gemma3', messages: [{role: 'user', content: 'Why is the sea salty?'}], seed: 3,
    max_tokens: 300};
const EVENTS = [
    'connect', 'chunk', 'content', 'content.delta', 'content.done', 'message', 'chatCompletion',
    'finalChatCompletion', 'finalMessage', 'finalContent', 'totalUsage', 'end',
    'logprobs.content.delta', 'logprobs.content.done', 'functionToolCall', 'functionToolCallResult',
    'finalFunctionToolCall', 'finalFunctionToolCallResult',
    'tool_calls.function.arguments.delta', 'tool_calls.function.arguments.done',
];

/** What differs from answer to answer, or is only one side's. */
const DIFFERS = new Set(['id', 'created', 'timings', 'tool_call_id', 'system_fingerprint', 'cached_tokens',
    'prompt_tokens_details', 'completion_tokens_details', 'type']);
/** JSON without that, nor what is null or empty. */
const plain = (value) => JSON.parse(JSON.stringify(value, (name, one) => DIFFERS.has(name) || one === null
    || one === '' ? undefined : one) ?? 'null');

/** All that a runner tells. `parsed` of what is not whole yet is only theirs. */
async function tell(runner) {
    const events = {};
    for (const name of EVENTS)
        runner.on(name, (...told) => (events[name] ??= [])
            .push(plain(/delta/.test(name) ? told.map(({parsed, parsed_arguments: _, ...one}) => one)
                : told)));
    await runner.done();
    // Snapshots grow: what is told of them is looked at once they are whole.
    for (const name of ['chunk', 'content']) events[name] = events[name]?.map(([first]) => first);
    return {events, messages: plain(runner.messages), final: plain(await runner.finalChatCompletion()),
        content: await runner.finalContent(), usage: plain(await runner.totalUsage())};
}

const REQUESTS = {
    'a text': {max_tokens: 8, logit_bias: ENDLESS}, 'probabilities': {max_tokens: 4, logit_bias: ENDLESS,
        logprobs: true, top_logprobs: 2}, 'a schema': {response_format: FORMAT},
    'a schema and what reads it': {response_format: READ}, 'calls': {tools: [TOOL], tool_choice: 'required',
        seed: 5}, 'the usage': {max_tokens: 5, stream_options: {include_usage: true}},
    'a call or a schema': {tools: [TOOL], response_format: FORMAT, seed: 4, temperature: 1.5,
        parallel_tool_calls: false},
};
for (const [name, more] of Object.entries(REQUESTS)) {
    test(`stream() tells what the package's does: ${name}`, async () => {
        const [mine, expected] = await Promise.all([ours,
            theirs].map((client) => tell(client.chat.completions.stream({...asked, ...more}))));
        assert.deepEqual(mine, expected);
        const chunks = [], stream = ours.chat.completions.stream({...asked, ...more});
        for await (const chunk of stream) chunks.push(plain(chunk));
        assert.deepEqual(chunks, mine.events.chunk);
        assert.equal((await new Response(ours.chat.completions.stream({...asked, ...more}).toReadableStream())
            .text()).trim().split('\n').length, chunks.length);
    });
}

test("parse() gives what the package's does", async () => {
    for (const more of [{response_format: FORMAT}, {response_format: READ},
        {tools: [TOOL], tool_choice: 'required', n: 2, parallel_tool_calls: false},
        {response_format: null, regex: '[ab]{3}'}]) {
        const {regex, ...rest} = more, body = {...asked, ...rest, ...regex && {regex}};
        const [mine, expected] = await Promise.all([ours,
            theirs].map((client) => client.chat.completions.parse(body)));
        assert.deepEqual(plain(mine), plain(expected));
    }
    for (const client of [ours, theirs]) {
        const error = await client.chat.completions.parse({...asked, response_format: FORMAT, max_tokens: 2})
            .catch((thrown) => thrown);
        assert.equal(error.constructor.name, 'LengthFinishReasonError');
    }
    await assert.rejects(ours.chat.completions.parse({...asked, temperature: 3}),
        {status: 400, param: 'temperature'});
    assert.ok((await ours.chat.completions.parse({...asked, response_format: FORMAT}).withResponse())
        .data.choices[0].message.parsed.b);
});

test('JSON that a stop string has cut is an APIError', async () => {
    await assert.rejects(ours.chat.completions.parse({...asked, response_format: FORMAT, stop: '"b"'}),
        {name: 'APIError', code: 'cut'});
});

test("runTools() runs what the package's does, and says the same of it", async () => {
    for (const stream of [false, true]) {
        for (const more of [{tool_choice: {type: 'function', function: {name: 'weather'}}},
            {tool_choice: 'required'}, {tool_choice: 'required', parallel_tool_calls: false}]) {
            const [mine, expected] = await Promise.all([ours, theirs].map(async (client) => {
                const ran = [], tools = [{type: 'function', function: {...TOOL.function, parse: JSON.parse,
                    function({city}) {
                    ran.push(city);
                    if (ran.length > 9) throw new RangeError('enough');
                    return {city, degrees: 21};
                }}}];
                const told = await tell(client.chat.completions.runTools({...asked, ...more, tools, stream},
                    {maxChatCompletions: more.parallel_tool_calls === false ? 2 : 1}));
                return {...told, ran};
            }));
            assert.ok(mine.ran.length > 0);
            assert.deepEqual(mine, expected);
        }
    }
    const failing = (client, body = {}) => client.chat.completions.runTools({...asked,
        tool_choice: 'required', tools: [{type: 'function', function: {
        ...TOOL.function, function() { throw new RangeError('mine'); }}}], ...body});
    for (const client of [ours, theirs]) await assert.rejects(failing(client).done(), {message: 'mine'});
    await assert.rejects(failing(ours, {temperature: 3}).finalContent(), {status: 400, param: 'temperature'});
    assert.throws(() => ours.chat.completions.runTools({...asked, tools: [TOOL]}),
        {param: 'tools[0].function'});
});

test('a helper ends when it is aborted, and says so once', async () => {
    const body = {...asked, max_tokens: 400, logit_bias: ENDLESS};
    for (const client of [ours, theirs]) {
        const told = [], stream = client.chat.completions.stream(body), abort = new AbortController();
        for (const name of ['abort', 'error', 'end']) stream.on(name, () => told.push(name));
        stream.once('content', () => stream.abort());
        assert.equal((await stream.finalContent().catch((error) => error)).constructor.name,
            'APIUserAbortError');
        assert.deepEqual([told, stream.aborted], [['abort', 'end'], true]);
        const other = client.chat.completions.stream(body, {signal: abort.signal});
        await other.emitted('chunk');
        abort.abort();
        assert.equal((await other.done().catch((error) => error)).constructor.name, 'APIUserAbortError');
        for await (const _ of client.chat.completions.stream(body)) break;
    }
    assert.equal((await ours.chat.completions.create({...asked, max_tokens: 3})).choices.length, 1);
    assert.equal(ours.load.requests, 0);
});
