// chat.js: chat.completions: a conversation's next message, as a whole or in chunks.

import {refuse} from './errors.js';
import {flag, list, need, oneOf, readFields, whole} from './fields.js';
import {readMessages, readTools} from './messages.js';
import {FIELDS, NO_EFFECT, ONLY, onlyOne, toOptions} from './request.js';
import {answer, asApiPromise, handle, headOf, newId, timingsOf, usageOf} from './run.js';

/**
 * @typedef {import('./run.js').Engine} Engine
 * @typedef {import('./run.js').Result} Result
 * @typedef {import('./run.js').TokenLogprobs} TokenLogprobs
 * @typedef {import('./types.js').ChatFields} ChatFields
 * @typedef {import('./types.js').ChatCompletion} ChatCompletion
 * @typedef {import('./types.js').ChatChunk} ChatChunk
 * @typedef {import('./types.js').ChatChunkChoice} ChatChunkChoice
 * @typedef {import('./types.js').RequestOptions} RequestOptions
 * @typedef {import('./stream.js').Stream<ChatChunk>} ChatStream
 */

/** @type {import('./fields.js').Table} */
const TABLE = {
    fields: {
        ...FIELDS, messages: list, max_tokens: whole(1), max_completion_tokens: whole(1), logprobs: flag,
        top_logprobs: whole(0, 20), tools: list,
        tool_choice: [(v) => typeof v === 'string' || typeof v === 'object', 'a string or an object'],
        parallel_tool_calls: flag,
    },
    noEffect: NO_EFFECT,
    only: {
        ...ONLY, reasoning_effort: oneOf('none'), verbosity: oneOf('medium'),
        modalities: [(v) => Array.isArray(v) && v.every((one) => one === 'text'), '["text"]'],
    },
    unsupported: ['audio', 'prediction', 'web_search_options', 'functions', 'function_call',
        'moderation'],
};

/**
 * A conversation, for the pool.
 * @param {import('../../gemma.js').Message[]} messages
 * @param {object[]} [tools]
 */
const keyOf = (messages, tools) => (tools ? JSON.stringify(tools) : '') + messages.map((message) =>
    `\x01${message.role}\n${message.content}${'toolCalls' in message && message.toolCalls?.length ? JSON.stringify(message.toolCalls) : ''}`).join('');

/**
 * What other conversations may begin with, too: the system's messages and the tools.
 * @param {import('../../gemma.js').Message[]} messages
 * @param {object[]} [tools]
 */
function startOf(messages, tools) {
    const other = messages.findIndex(({role}) => role !== 'system'),
        system = messages.slice(0, other < 0 ? 0 : other);
    return {key: keyOf(system, tools),
        prompt: [...system, {role: /** @type {const} */ ('user'), content: ''}]};
}

/** @param {unknown} body @param {Engine} engine */
function readChat(body, {gemma}) {
    const given = readFields(body, TABLE);
    need('messages', given.messages, list);
    onlyOne(given, 'max_tokens', 'max_completion_tokens');
    if (given.top_logprobs !== undefined && !given.logprobs)
        refuse("'top_logprobs' is only allowed when 'logprobs' is true.", 'top_logprobs');
    const messages = readMessages(given.messages), tools = readTools(given),
        {constraintParam, ...options} = toOptions(given, gemma.info.nVocab);
    return {
        given, constraintParam: constraintParam ?? 'tools',
        asked: {
            prompt: messages, key: keyOf(messages, tools.tools), start: startOf(messages, tools.tools),
            n: given.n ?? 1, seed: given.seed, isReused: given.cache_prompt ?? true,
            after: (/** @type {Result} */ {text, toolCalls}) =>
                keyOf([{role: 'assistant', content: text, toolCalls}]),
            options: {
                ...options, ...tools, stateless: true, maxTokens: given.max_completion_tokens
                    ?? given.max_tokens,
                logprobs: given.logprobs ? given.top_logprobs ?? 0 : undefined,
            },
        },
    };
}

/** One choice while it is written. */
class Choice {
    #tell;
    #tokens;
    #index;
    /**
     * Resolves once all so far is sent. Tokens' probabilities are sent with their bytes, which may have to be
     * fetched first.
     */
    #told = Promise.resolve();
    content = '';
    /** @type {import('./types.js').ToolCall[]} */
    calls = [];
    /** @type {TokenLogprobs[]} */
    logprobs = [];
    /** @type {import('./types.js').ChatChoice['finish_reason']} */
    reason = 'stop';

    /**
     * @param {number} index
     * @param {import('./tokens.js').Tokens} tokens
     * @param {((choice: ChatChunkChoice) => void) | undefined} tell
     */
    constructor(index, tokens, tell) {
        this.#index = index;
        this.#tokens = tokens;
        this.#tell = tell;
    }

    /**
     * @param {ChatChunkChoice['delta']} delta
     * @param {TokenLogprobs[]} [logprobs]
     * @param {ChatChunkChoice['finish_reason']} [reason]
     */
    #push(delta, logprobs, reason = null) {
        const tell = this.#tell, index = this.#index;
        if (!tell) return;
        this.#told = this.#told.then(async () => tell({
            index, delta, finish_reason: reason, logprobs: logprobs
                ? {content: await this.#tokens.forChat(logprobs), refusal: null} : null,
        }));
        this.#told.catch(() => {});     // not awaited where the answer itself has failed
    }

    /** @param {string | null} content   null: there may be none */
    begin(content) {
        this.#push({role: 'assistant', content, refusal: null});
    }

    /** @param {{text: string, logprobs?: TokenLogprobs[]}} piece */
    text({text, logprobs}) {
        this.content += text;
        this.logprobs.push(...logprobs ?? []);
        this.#push({content: text}, logprobs);
    }

    /** @param {import('../../gemma.js').ToolCallEvent} event */
    tool(event) {
        const {index} = event;
        if (event.type === 'call') {
            const call = {id: newId('call_'), type: /** @type {const} */ ('function'),
                function: {name: event.name, arguments: ''}};
            this.calls.push(call);
            this.#push({tool_calls: [{index, ...call, function: {...call.function}}]});
        } else if (event.type === 'arguments') {
            this.calls[index].function.arguments += event.text;
            this.#push({tool_calls: [{index, function: {arguments: event.text}}]});
        }
    }

    /** @param {Result} result */
    end({finishReason}) {
        this.reason = reasonOf(finishReason, this.calls.length > 0);
        this.#push({}, undefined, this.reason);
    }

    /** All that was pushed has been told. */
    get settled() {
        return this.#told;
    }

    /** @param {boolean} hasLogprobs @returns {Promise<import('./types.js').ChatChoice>} */
    async whole(hasLogprobs) {
        const {content, calls} = this;
        return {
            index: this.#index, message: {role: 'assistant', content: calls.length && !content ? null
                : content, refusal: null, ...calls.length && {tool_calls: calls}},
            finish_reason: this.reason, logprobs: hasLogprobs
                ? {content: await this.#tokens.forChat(this.logprobs), refusal: null} : null,
        };
    }
}

/**
 * @param {Result['finishReason']} finishReason
 * @param {boolean} hasCalls
 * @returns {import('./types.js').ChatChoice['finish_reason']}
 */
function reasonOf(finishReason, hasCalls) {
    if (finishReason !== 'stop') return 'length';
    return hasCalls ? 'tool_calls' : 'stop';
}

export class ChatCompletions {
    #engine;

    /** @param {Engine} engine */
    constructor(engine) {
        this.#engine = engine;
    }

    /**
     * @overload
     * @param {ChatFields & {stream: true}} body @param {RequestOptions} [options]
     * @returns {Promise<ChatStream> & {withResponse: () => Promise<{data: ChatStream, response: Response,
     *     request_id: string}>}}
     */
    /**
     * @overload
     * @param {ChatFields & {stream?: false | null}} body @param {RequestOptions} [options]
     * @returns {Promise<ChatCompletion> & {withResponse: () => Promise<{data: ChatCompletion, response:
     *     Response, request_id: string}>}}
     */
    /**
     * @overload
     * @param {ChatFields & {stream?: boolean | null}} body @param {RequestOptions} [options]
     * @returns {Promise<ChatCompletion | ChatStream> & {withResponse: () => Promise<{data: ChatCompletion |
     *     ChatStream, response: Response, request_id: string}>}}
     */
    /** @param {any} body @param {RequestOptions} [options] @returns {any} */
    create(body, options) {
        return asApiPromise(this.#create(body, options ?? {}));
    }

    /** @param {any} body @param {RequestOptions} options */
    async #create(body, {signal, timeout}) {
        const engine = this.#engine, {given, asked, constraintParam} = readChat(body, engine);
        return handle(engine.gate, {
            isStreamed: given.stream ?? false, signals: [signal, given.signal, given.abortSignal], timeout,
            params: {prompt: 'messages', constraint: constraintParam},
            work: (io) => this.#answer(given, asked, io),
        });
    }

    /**
     * @param {Record<string, any>} given @param {import('./run.js').Asked} asked
     * @param {{signal: AbortSignal, onStart: () => void, push?: (chunk: ChatChunk) => void}} io
     * @returns {Promise<ChatCompletion>}
     */
    async #answer(given, asked, {signal, onStart, push}) {
        const engine = this.#engine, head = headOf(engine, 'chatcmpl-'),
            hasUsage = given.stream_options?.include_usage === true;
        /** @param {ChatChunkChoice[]} choices @returns {ChatChunk} */
        const chunk = (choices) => ({...head, object: 'chat.completion.chunk', choices, ...hasUsage
            && {usage: null}});
        const choices = Array.from({length: asked.n}, (_, i) => new Choice(i, engine.tokens, push
            && ((choice) => push(chunk([choice])))));
        for (const choice of choices) choice.begin(asked.options.tools ? null : '');
        const results = await answer(engine, asked, {
            signal, onStart, onText: (i, piece) => choices[i].text(piece),
            onTool: (i, event) => choices[i].tool(event), onEnd: (i, result) => choices[i].end(result),
        });
        await Promise.all(choices.map((choice) => choice.settled));
        const usage = usageOf(results.slice(0, 1), results), timings = timingsOf(results[0]);
        if (hasUsage) push?.({...chunk([]), usage, timings});
        const whole = push ? [] : await Promise.all(choices.map((choice) =>
            choice.whole(given.logprobs ?? false)));
        return {...head, object: 'chat.completion', choices: whole, usage, timings};
    }
}
