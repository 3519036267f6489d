// ai-sdk.js: a loaded model as a provider of the AI SDK (the package ai), by version 3 of its specification.
//
//     const gemma = createGemma(await Gemma.load(url));
//     const {textStream} = streamText({model: gemma(), prompt: 'Why is the sea salty?'});
//
// Stands on the chat of openai.js: requests are stateless, several are answered at the same time, and what
// one shares with those before is not evaluated again.

import {GemmaError} from '../gemma.js';
import {ChatCompletions} from './openai/chat.js';
import {createEngine} from './openai/engine.js';

/**
 * @typedef {Record<string, any>} CallOptions   LanguageModelV3CallOptions
 * @typedef {import('./openai/types.js').ChatFields} ChatFields
 * @typedef {import('./openai/types.js').MessageParam} MessageParam
 * @typedef {number | undefined} Count
 * @typedef {{inputTokens: {total: Count, noCache: Count, cacheRead: Count, cacheWrite: Count}, outputTokens:
 *     {total: Count, text: Count, reasoning: Count}}} Usage
 * @typedef {{unified: 'stop' | 'length' | 'tool-calls' | 'other', raw: string | undefined}} FinishReason
 * @typedef {{type: 'unsupported', feature: string, details?: string}} Warning
 * @typedef {{type: 'text', text: string} | {type: 'tool-call', toolCallId: string, toolName: string, input:
 *     string}} Content
 */

const PROVIDER = 'gemma-wasm';

/** @param {string} type */
const unreadable = (type) => new GemmaError('unsupported',
    `The prompt has a part of type ${type}; this model reads text only.`);

/**
 * @param {any[]} parts
 * @returns {string} the text of a message's parts; what the model thought before is left out
 */
const textOf = (parts) => parts.map(({type, text}) => {
    if (type === 'text') return text;
    if (type === 'file' || type === 'image') throw unreadable(type);
    return '';
}).join('');

/** What a tool gave back. @param {any} output @returns {string} */
function resultOf({type, value, reason}) {
    if (type === 'text' || type === 'error-text') return value;
    if (type === 'content') {
        const odd = value.find((/** @type {any} */ part) => part.type !== 'text');
        if (odd) throw unreadable(odd.type);
        return textOf(value);
    }
    return JSON.stringify(type === 'execution-denied' ? {denied: reason ?? true} : value);
}

/** @param {any} message   of a LanguageModelV3Prompt @returns {MessageParam[]} */
function toMessages({role, content}) {
    if (role === 'system') return [{role, content}];
    if (role === 'user') return [{role, content: textOf(content)}];
    const results = content.filter((/** @type {any} */ {type}) => type === 'tool-result')
        .map((/** @type {any} */ {toolCallId, output}) =>
        ({role: 'tool', tool_call_id: toolCallId, content: resultOf(output)}));
    if (role === 'tool') return results;
    const calls = content.filter((/** @type {any} */ {type}) => type === 'tool-call')
        .map((/** @type {any} */ {toolCallId, toolName, input}) =>
        ({id: toolCallId, type: 'function', function: {name: toolName, arguments: typeof input === 'string'
            ? input : JSON.stringify(input ?? {})}}));
    return [
        {role: 'assistant', content: textOf(content), ...calls.length && {tool_calls: calls}}, ...results,
    ];
}

/** @param {CallOptions} options @returns {{fields: any, warnings: Warning[]}} */
function toRequest({prompt, tools = [], toolChoice, responseFormat, ...options}) {
    const functions = tools.filter((/** @type {any} */ {type}) => type === 'function'),
        schema = responseFormat?.type === 'json' ? responseFormat.schema : undefined;
    const format = schema ? {type: 'json_schema', json_schema: {name: 'answer',
        schema}} : responseFormat?.type === 'json' ? {type: 'json_object'} : undefined;
    return {
        fields: {
            messages: prompt.flatMap(toMessages), max_completion_tokens: options.maxOutputTokens,
            temperature: options.temperature, top_p: options.topP, top_k: options.topK,
            presence_penalty: options.presencePenalty, frequency_penalty: options.frequencyPenalty,
            stop: options.stopSequences, seed: options.seed,
            response_format: format, signal: options.abortSignal,
            ...functions.length && {
                tools: functions.map((/** @type {any} */ {name, description,
                    inputSchema}) => ({type: 'function',
                        function: {name, description, parameters: inputSchema}})),
                tool_choice: toolChoice?.type === 'tool'
                    ? {type: 'function', function: {name: toolChoice.toolName}} : toolChoice?.type,
            },
        },
        warnings: tools.filter((/** @type {any} */ {type}) => type !== 'function')
            .map((/** @type {any} */ {id}) => ({type: 'unsupported', feature: `tool ${id}`})),
    };
}

/** @param {import('./openai/types.js').Usage | undefined | null} usage @returns {Usage} */
function toUsage(usage) {
    const total = usage?.prompt_tokens, cacheRead = usage?.prompt_tokens_details.cached_tokens,
        written = usage?.completion_tokens;
    return {
        inputTokens: {total, cacheRead, noCache: (total ?? 0) - (cacheRead ?? 0), cacheWrite: undefined},
        outputTokens: {total: written, text: written, reasoning: undefined},
    };
}

/** @param {string | null | undefined} raw @returns {FinishReason} */
function toReason(raw) {
    const known = /** @type {Record<string, FinishReason['unified']>} */ ({stop: 'stop', length: 'length',
        tool_calls: 'tool-calls'});
    return {unified: known[raw ?? ''] ?? 'other', raw: raw ?? undefined};
}

/**
 * Where it was aborted, the SDK knows that by its signal's reason alone.
 * @template T @param {AbortSignal | undefined} signal @param {() => Promise<T>} work @returns {Promise<T>}
 */
async function orAborted(signal, work) {
    try {
        return await work();
    } catch (error) {
        signal?.throwIfAborted();
        throw error;
    }
}

/**
 * A LanguageModelV3. The SDK calls it by proxies, so it has no private fields.
 * @param {ChatCompletions} chat
 * @param {string} modelId
 */
const createLanguageModel = (chat, modelId) => ({
    specificationVersion: /** @type {const} */ ('v3'), provider: PROVIDER, modelId,
    supportedUrls: /** @type {Record<string, RegExp[]>} */ ({}),

    /** @param {CallOptions} options */
    async doGenerate(options) {
        const {fields, warnings} = toRequest(options),
            answer = /** @type {unknown} */ (await orAborted(options.abortSignal, () => chat.create(fields)));
        const {id, created, model, usage, choices: [{message, finish_reason: reason}]} =
            /** @type {import('./openai/types.js').ChatCompletion} */ (answer);
        /** @type {Content[]} */
        const content = message.content ? [{type: 'text', text: message.content}] : [];
        for (const call of message.tool_calls ?? [])
            content.push({type: 'tool-call', toolCallId: call.id, toolName: call.function.name,
                input: call.function.arguments});
        return {content, warnings, finishReason: toReason(reason), usage: toUsage(usage),
            response: {id, modelId: model, timestamp: new Date(created * 1000)}};
    },

    /** @param {CallOptions} options */
    async doStream(options) {
        const {fields, warnings} = toRequest(options), stopping = new AbortController();
        const signal = options.abortSignal ? AbortSignal.any([options.abortSignal, stopping.signal])
            : stopping.signal;
        const chunks = await orAborted(options.abortSignal, () => chat.create({
            ...fields, signal, stream: true, stream_options: {include_usage: true},
        }));
        const parts = toParts(/** @type {any} */ (chunks), warnings, options.abortSignal);
        return {stream: new ReadableStream({
            async pull(controller) {
                try {
                    const {done, value} = await parts.next();
                    if (done) controller.close();
                    else controller.enqueue(value);
                } catch (error) {
                    controller.error(error);
                }
            },
            cancel: () => stopping.abort(),
        })};
    },
});

/**
 * @param {AsyncIterable<import('./openai/types.js').ChatChunk>} chunks
 * @param {Warning[]} warnings
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<any>} LanguageModelV3StreamPart
 */
async function* toParts(chunks, warnings, signal) {
    /** @type {{id: string, name: string, input: string}[]} */
    const calls = [];
    let isTold = false, hasText = false, usage, reason;
    yield {type: 'stream-start', warnings};
    for await (const {id, model, created, choices: [choice], usage: told} of chunks) {
        if (!isTold) yield {type: 'response-metadata', id, modelId: model,
            timestamp: new Date(created * 1000)};
        isTold = true;
        usage = told ?? usage;
        reason = choice?.finish_reason ?? reason;
        if (choice?.delta.content) {
            if (!hasText) yield {type: 'text-start', id: '0'};
            hasText = true;
            yield {type: 'text-delta', id: '0', delta: choice.delta.content};
        }
        for (const {index, id: callId, function: about} of choice?.delta.tool_calls ?? []) {
            if (!calls[index]) {
                calls[index] = {id: callId ?? String(index), name: about?.name ?? '', input: ''};
                yield {type: 'tool-input-start', id: calls[index].id, toolName: calls[index].name};
            }
            if (!about?.arguments) continue;
            calls[index].input += about.arguments;
            yield {type: 'tool-input-delta', id: calls[index].id, delta: about.arguments};
        }
    }
    if (!reason) signal?.throwIfAborted();      // chunks that were aborted just end
    if (hasText) yield {type: 'text-end', id: '0'};
    for (const {id, name, input} of calls) {
        yield {type: 'tool-input-end', id};
        yield {type: 'tool-call', toolCallId: id, toolName: name, input};
    }
    yield {type: 'finish', finishReason: toReason(reason), usage: toUsage(usage)};
}

/** An EmbeddingModelV3. @param {import('../gemma.js').Gemma} gemma @param {string} modelId */
const createEmbeddingModel = (gemma, modelId) => ({
    specificationVersion: /** @type {const} */ ('v3'), provider: PROVIDER, modelId, maxEmbeddingsPerCall: 256,
    supportsParallelCalls: false,

    /** @param {{values: string[], abortSignal?: AbortSignal}} options */
    async doEmbed({values, abortSignal}) {
        const vectors = await gemma.embed(values, {signal: abortSignal});
        return {embeddings: vectors.map((vector) => Array.from(vector)), warnings: []};
    },
});

/**
 * @param {import('../gemma.js').Gemma} gemma
 * @param {Omit<import('./openai/engine.js').Options, 'gemma'>} [options]   as for OpenAI
 * @returns a provider: provider(), provider.languageModel() and provider.embeddingModel() are its one model,
 *     for any id
 */
export function createGemma(gemma, options) {
    const engine = createEngine({gemma, ...options}, 'createGemma'), chat = new ChatCompletions(engine),
        own = engine.model.id;
    const languageModel = (id = own) => createLanguageModel(chat, id),
        embeddingModel = (id = own) => createEmbeddingModel(gemma, id);
    return Object.assign(languageModel.bind(undefined), {
        specificationVersion: /** @type {const} */ ('v3'), languageModel, embeddingModel,
        /** @param {string} [id] @returns {never} */
        imageModel(id) {
            throw new GemmaError('unsupported',
                `There is no image model ${id ?? ''} here: this provider has text models only.`);
        },
        /** Frees the sessions that are kept; the model stays. */
        close: () => engine.pool.close(),
    });
}
