// Clients that other people wrote, unchanged, against gemma serve: the official ones for JavaScript and
// Python, and the AI SDK's provider for what is compatible with OpenAI. The model is tiny and random.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {promisify} from 'node:util';
import {Api} from '../../web/node/http/api.js';
import {serve} from '../../web/node/server.js';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';
import {ensurePython} from '../setup/python.js';

await ensureConsumers();
const resolve = createRequire(join(CONSUMERS, 'package.json')).resolve,
    load = (name) => import(pathToFileURL(resolve(name)));
const {default: OpenAI} = await load('openai');

const MODEL = join(import.meta.dirname, '../golden/tiny-gemma3.gguf');
const server = await serve({port: 0,
    api: new Api({path: async () => MODEL, engine: {threads: 1, contextLength: 512}, apiKey: 'key',
        parallel: 2, queue: 2})});
after(() => server.close());
const client = new OpenAI({baseURL: `${server.url}v1`, apiKey: 'key', maxRetries: 0});

const messages = [{role: 'user', content: 'Why is the sea salty?'}], ENDLESS = {1: -100, 6: -100, 106: -100};
const ASKED = {model: 'any', messages, seed: 3, max_tokens: 8, logit_bias: ENDLESS};
const TOOLS = [{type: 'function', function: {name: 'weather',
    parameters: {type: 'object', properties: {city: {enum: ['Rome', 'Oslo']}}, required: ['city']}}}];
const SCHEMA = {type: 'object', properties: {a: {type: 'boolean'}}, required: ['a'],
    additionalProperties: false};

test('openai for JavaScript: answers, streams and its own helpers', async () => {
    const {choices: [{message: {content}}], usage} = await client.chat.completions.create(ASKED);
    let text = '', last;
    for await (const chunk of await client.chat.completions.create({...ASKED, stream: true,
        stream_options: {include_usage: true}})) {
        text += chunk.choices[0]?.delta.content ?? '';
        last = chunk;
    }
    assert.equal(text, content);
    assert.equal(last.usage.total_tokens, usage.total_tokens);
    const helped = client.chat.completions.stream(ASKED), pieces = [];
    helped.on('content', (piece) => pieces.push(piece));
    assert.equal((await helped.finalChatCompletion()).choices[0].message.content, content);
    assert.equal(pieces.join(''), content);
    const {data, request_id: id} = await client.chat.completions.create(ASKED).withResponse();
    assert.ok(data.choices[0].message.content === content && id.startsWith('req_'));
});

test('openai for JavaScript: tools are called, streamed and run', async () => {
    const asked = {...ASKED, logit_bias: {}, max_tokens: 200, tools: TOOLS, tool_choice: 'required'};
    const {choices: [{message, finish_reason: reason}]} = await client.chat.completions.create(asked);
    assert.equal(reason, 'tool_calls');
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    assert.deepEqual(streamed.choices[0].message.tool_calls.map((call) => call.function.arguments),
        message.tool_calls.map((call) => call.function.arguments));
    const cities = [], runner = client.chat.completions.runTools({
        model: 'any', messages, max_tokens: 100, seed: 3,
        tool_choice: {type: 'function', function: {name: 'weather'}},
        tools: [{type: 'function', function: {...TOOLS[0].function, parse: JSON.parse,
            function: ({city}) => `${cities.push(city)} degrees`}}],
    });
    await runner.done();
    assert.ok(cities.length === 1 && ['Rome', 'Oslo'].includes(cities[0]));
});

test('openai for JavaScript: schemas, probabilities, embeddings, completions, models', async () => {
    const shaped = await client.chat.completions.parse({...ASKED, max_tokens: 200, logit_bias: {},
        response_format: {type: 'json_schema', json_schema: {name: 'a', strict: true, schema: SCHEMA}}});
    assert.equal(typeof JSON.parse(shaped.choices[0].message.content).a, 'boolean');
    const {choices: [{logprobs: {content}}]} = await client.chat.completions.create({...ASKED, logprobs: true,
        top_logprobs: 2});
    assert.ok(content.length === 8 && content.every(({top_logprobs: top}) => top.length === 2));
    const {data} = await client.embeddings.create({model: 'any', input: ['The sea', 'A ship']}),
        numbers = await client.embeddings.create({model: 'any', input: 'The sea', encoding_format: 'float'});
    assert.equal(data.length, 2);
    data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - numbers.data[0].embedding[i]) < 1e-6));
    assert.ok((await client.completions.create({model: 'any', prompt: 'The sea', max_tokens: 3}))
        .choices[0].text.length > 0);
    assert.deepEqual((await client.models.list()).data.map(({id}) => id), ['tiny-gemma3']);
});

test('openai for JavaScript: errors are of its classes, and it asks again where the queue is full',
    async () => {
    await assert.rejects(client.chat.completions.create({...ASKED, temperature: 3}), (error) =>
        error instanceof OpenAI.BadRequestError && error.status === 400 && error.param === 'temperature'
            && error.type === 'invalid_request_error' && error.code === 'invalid_value');
    await assert.rejects(client.models.retrieve('x'), OpenAI.NotFoundError);
    await assert.rejects(client.withOptions({apiKey: 'wrong'}).models.list(), OpenAI.AuthenticationError);
    const asked = Array.from({length: 9},
        (_, i) => client.chat.completions.create({...ASKED, max_tokens: 400, seed: i}));
    const refused = (await Promise.allSettled(asked)).filter(({status}) => status === 'rejected');
    assert.ok(refused.length >= 1 && refused.length <= 5, `${refused.length} are refused`);
    assert.ok(refused.every(({reason}) => reason instanceof OpenAI.RateLimitError
        && Number(reason.headers.get('retry-after')) >= 1));
    const patient = client.withOptions({maxRetries: 8});
    const all = await Promise.all(Array.from({length: 6},
        (_, i) => patient.chat.completions.create({...ASKED, seed: i})));
    assert.ok(all.every(({choices}) => choices.length === 1));
});

test('openai for JavaScript: what is aborted ends, and the next answer is right', async () => {
    const expected = (await client.chat.completions.create(ASKED)).choices[0].message.content;
    for (let i = 0; i < 12; i++) {
        const abort = new AbortController(),
            asked = client.chat.completions.create({...ASKED, max_tokens: 400, stream: i % 2 === 0},
                {signal: abort.signal});
        setTimeout(() => abort.abort(), i * 9);
        try {
            const answer = await asked;
            if (i % 2 === 0) for await (const chunk of answer)
                assert.equal(chunk.object, 'chat.completion.chunk');
        } catch (error) {
            assert.ok(error instanceof OpenAI.APIUserAbortError, String(error));
        }
        assert.equal((await client.withOptions({maxRetries: 5}).chat.completions.create(ASKED))
            .choices[0].message.content, expected);
    }
});

test("the AI SDK's provider for what is compatible with OpenAI", async () => {
    const {createOpenAICompatible} = await load('@ai-sdk/openai-compatible'),
        {generateText, streamText, tool, jsonSchema, Output} = await load('ai');
    const provider = createOpenAICompatible({name: 'gemma', baseURL: `${server.url}v1`, apiKey: 'key',
        supportsStructuredOutputs: true, includeUsage: true});
    const asked = {model: provider('tiny'), prompt: 'Why is the sea salty?', seed: 3, maxOutputTokens: 8,
        temperature: 0.5, maxRetries: 4};
    const {text, finishReason, usage} = await generateText(asked), streamed = streamText(asked);
    assert.ok(['length', 'stop'].includes(finishReason) && usage.inputTokens > 0);
    let all = '';
    for await (const piece of streamed.textStream) all += piece;
    assert.equal(all, text);
    assert.equal((await streamed.usage).inputTokens, usage.inputTokens);
    const weather = tool({description: 'The weather', inputSchema: jsonSchema(TOOLS[0].function.parameters),
        execute: ({city}) => `21 in ${city}`});
    const called = await generateText({...asked, maxOutputTokens: 100, tools: {weather},
        toolChoice: 'required'});
    assert.ok(called.toolCalls.every(({toolName, input}) => toolName === 'weather'
        && ['Rome', 'Oslo'].includes(input.city)) && called.toolCalls.length > 0);
    const {output} = await generateText({...asked, maxOutputTokens: 100,
        output: Output.object({schema: jsonSchema(SCHEMA)})});
    assert.equal(typeof output.a, 'boolean');
    const {embeddings} = await provider.embeddingModel('tiny').doEmbed({values: ['The sea']});
    assert.equal(embeddings[0].length, 128);
});

const python = ensurePython('openai', ['openai==3.57.0']);
test('openai for Python', {skip: 'missing' in python && python.missing}, async () => {
    const {stdout} = await promisify(execFile)('python3', [join(import.meta.dirname, 'openai_client.py'),
        `${server.url}v1`], {env: {...process.env, PYTHONPATH: python.path}});
    const {text, streamed, helper, usage, streamed_usage: streamedUsage, logprobs,
        ...got} = JSON.parse(stdout);
    assert.deepEqual([streamed, helper], [text, 'yes']);
    assert.deepEqual([usage[1], streamedUsage], [8, usage]);
    assert.deepEqual(logprobs, [text, Array(8).fill(2)]);
    assert.deepEqual(got, {
        reason: 'length', call: ['tool_calls', 'weather', true], again: true, shaped: ['a'],
        echo: [[0, true, true, true], [1, true, true, true]], embedding: [128, 128],
        models: ['tiny-gemma3'], refused: ['BadRequestError', 400, 'temperature'],
        unknown: ['NotFoundError', 404, 'model'], key: ['AuthenticationError', 401, null],
    });
});
