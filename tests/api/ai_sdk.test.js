// The AI SDK's own functions on our provider: texts, streams, tools, objects, embeddings, aborts. The model
// is tiny and random: its texts say nothing.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {after, test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {createGemma} from '../../web/api/ai-sdk.js';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';

await ensureConsumers();
const find = createRequire(join(CONSUMERS, 'package.json'));
const {embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamText,
    tool} = await import(pathToFileURL(find.resolve('ai')).href);
const gemma = await Gemma.load({kind: 'path', path: join(import.meta.dirname, '../golden/tiny-gemma3.gguf')},
    {threads: 1, contextLength: 512});
const provider = createGemma(gemma, {model: 'tiny'});
after(async () => {
    await provider.close();
    gemma.close();
});
const model = provider(), ASKED = {model, prompt: 'Why is the sea salty?', maxOutputTokens: 12, seed: 3};
const SCHEMA = jsonSchema({type: 'object', properties: {a: {type: 'integer', minimum: 1, maximum: 9},
    b: {enum: ['x', 'y']}}, required: ['a', 'b'], additionalProperties: false});
const TOOLS = {add: tool({description: 'Adds',
    inputSchema: jsonSchema({type: 'object', properties: {n: {type: 'integer', minimum: 0, maximum: 9}},
        required: ['n'], additionalProperties: false}), execute: ({n}) => ({sum: n + 1})})};

test('generateText and streamText give the same text, usage and reason', async () => {
    const whole = await generateText(ASKED), streamed = streamText(ASKED);
    let text = '';
    for await (const piece of streamed.textStream) text += piece;
    assert.ok(whole.text.length > 0);
    assert.equal(text, whole.text);
    assert.equal(await streamed.finishReason, whole.finishReason);
    const usage = await streamed.usage;
    assert.deepEqual([usage.inputTokens, usage.outputTokens],
        [whole.usage.inputTokens, whole.usage.outputTokens]);
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    assert.equal(whole.response.modelId, 'tiny');
    assert.deepEqual(whole.warnings ?? [], []);
});

test('a conversation is given whole, and what it shares is not evaluated again', async () => {
    const first = await generateText({...ASKED, prompt: undefined,
        messages: [{role: 'user', content: 'Hello'}], instructions: 'Be brief.'});
    const next = await generateText({
        ...ASKED, prompt: undefined, instructions: 'Be brief.', messages: [{role: 'user', content: 'Hello'},
            {role: 'assistant', content: first.text},
            {role: 'user', content: [{type: 'text', text: 'And?'}]}],
    });
    assert.ok(next.usage.inputTokenDetails.cacheReadTokens > 0);
});

test('tools are called, and their results are read', async () => {
    const {steps} = await generateText({...ASKED, maxOutputTokens: 60, tools: TOOLS,
        toolChoice: {type: 'tool', toolName: 'add'}, stopWhen: stepCountIs(2)});
    const [{toolCalls: [call], toolResults: [result], finishReason}] = steps;
    assert.deepEqual([call.toolName, result.output, finishReason],
        ['add', {sum: call.input.n + 1}, 'tool-calls']);
    assert.equal(steps.length, 2);
    const streamed = streamText({...ASKED, maxOutputTokens: 60, tools: TOOLS,
        toolChoice: {type: 'tool', toolName: 'add'}}), types = new Set();
    for await (const {type} of streamed.stream) types.add(type);
    for (const type of ['tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call', 'tool-result'])
        assert.ok(types.has(type), type);
});

test('an object fits its schema', async () => {
    const {object} = await generateObject({...ASKED, maxOutputTokens: 60, schema: SCHEMA});
    assert.ok(object.a >= 1 && object.a <= 9 && ['x', 'y'].includes(object.b));
});

test('embeddings', async () => {
    const {embeddings} = await embedMany({model: provider.embeddingModel(), values: ['a', 'b', 'a']});
    assert.deepEqual(embeddings.map((each) => each.length), [gemma.info.nEmbd, gemma.info.nEmbd,
        gemma.info.nEmbd]);
    assert.deepEqual(embeddings[0], embeddings[2]);
});

test('what is aborted stops, and what is not supported is said', async () => {
    const stopping = new AbortController(),
        streamed = streamText({...ASKED, maxOutputTokens: 400, abortSignal: stopping.signal, onError() {},
            onAbort() {}});
    let pieces = 0;
    for await (const {type} of streamed.stream) if (type === 'text-delta' && ++pieces === 3) stopping.abort();
    const late = (signal) => generateText({...ASKED, maxOutputTokens: 400, abortSignal: signal}),
        own = new AbortController(), reason = new Error('enough');
    await assert.rejects(late(AbortSignal.abort()), {name: 'AbortError'});
    const asked = late(own.signal);
    setImmediate(() => own.abort(reason));      // long before 400 tokens are written
    await assert.rejects(asked, reason);
    const prompt = [{role: 'user', content: [{type: 'text', text: 'Hello'}]}], cut = new AbortController();
    await assert.rejects(model.doStream({prompt, abortSignal: AbortSignal.abort(reason)}), reason);
    const parts = (await model.doStream({prompt, maxOutputTokens: 400, abortSignal: cut.signal})).stream;
    await assert.rejects(async () => {
        for await (const {type} of parts) if (type === 'text-delta') cut.abort(reason);
    }, reason);
    const calling = new AbortController(), types = [], called = await model.doStream({prompt, maxOutputTokens: 400,
        abortSignal: calling.signal, toolChoice: {type: 'required'}, tools: [{type: 'function', name: 'note',
            inputSchema: {type: 'object', properties: {text: {type: 'string', minLength: 200}}, required: ['text']}}]});
    await assert.rejects(async () => {
        for await (const {type} of called.stream) {
            types.push(type);
            if (type === 'tool-input-start') calling.abort(reason);
        }
    }, reason);
    assert.equal(types.includes('tool-call'), false, 'a call that was cut is none');
    assert.equal((await generateText(ASKED)).finishReason, (await generateText(ASKED)).finishReason);
    const {stream} = await model.doStream(
        {prompt: [{role: 'user', content: [{type: 'text', text: 'Hello'}]}]}), reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    const image = {role: 'user',
        content: [{type: 'file', mediaType: 'image/png', data: {type: 'data', data: new Uint8Array(4)}}]};
    await assert.rejects(model.doGenerate({prompt: [image]}), {code: 'unsupported'});
    const result = (part) => ({role: 'tool', content: [{type: 'tool-result', toolCallId: 'c', toolName: 'add',
        output: {type: 'content', value: [part]}}]});
    for (const type of ['image-data', 'file-url'])
        await assert.rejects(model.doGenerate({prompt: [result({type})]}), {code: 'unsupported'});
});

test('the adapters have the types of the packages that they are for, strictly', () => {
    const {status, stdout} = spawnSync(process.execPath, [
        join(import.meta.dirname, '../../node_modules/typescript/bin/tsc'), '--noEmit', '--ignoreConfig',
        '--strict', '--target', 'es2024', '--lib', 'es2024,dom,dom.iterable,dom.asynciterable',
        '--module', 'nodenext', '--allowJs', '--skipLibCheck', '--types', 'node', '--typeRoots',
        join(import.meta.dirname, '../../node_modules/@types'), join(CONSUMERS, 'adapter_types.ts'),
    ], {encoding: 'utf8', cwd: CONSUMERS});
    assert.equal(status, 0, stdout);
});
