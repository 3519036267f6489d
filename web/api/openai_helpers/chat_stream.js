// chat_stream.js: an answer's chunks put together, with events for each of its parts, as the openai package's
// helper stream() gives them.

import {argumentsOf, contentOf, isParsed, parsed} from './parse.js';
import {Runner} from './runner.js';
import {Channel, Stream} from '../openai/stream.js';

/**
 * @typedef {import('../openai/types.js').ChatChunk} ChatChunk
 * @typedef {import('../openai/types.js').ChatChunkChoice} ChatChunkChoice
 * @typedef {{create: (body: any, options?: any) => any}} Completions
 */

export class ChatCompletionStream extends Runner {
    /** @type {Channel<ChatChunk>} */
    #chunks = new Channel();
    #stream = new Stream(this.#chunks.read(), this.controller);
    #body;
    /** @type {any} */
    #snapshot;

    /**
     * @param {any} body
     * @param {(runner: ChatCompletionStream) => Promise<void>} work
     * @param {AbortSignal | null} [signal]
     */
    constructor(body, work, signal) {
        super((/** @type {ChatCompletionStream} */ runner) => work(runner)
            .then(() => this.#chunks.end(), (error) => {
            this.#chunks.fail(error);
            throw error;
        }), signal);
        this.#body = body;
    }

    /** The answer so far. @returns {any} */
    get currentChatCompletionSnapshot() {
        return this.#snapshot;
    }

    [Symbol.asyncIterator]() {
        return this.#read()[Symbol.asyncIterator]();
    }

    toReadableStream() {
        return this.#read().toReadableStream();
    }

    /** Errors are reported to the code that reads the stream. */
    #read() {
        this.done().catch(() => {});
        return this.#stream;
    }

    /**
     * Has one answer written.
     * @param {Completions} completions
     * @param {any} body
     * @param {object} [options]
     * @returns {Promise<any>} it
     */
    async answer(completions, body, options) {
        this.#snapshot = undefined;
        const chunks = await completions.create({...body, stream: true},
            {...options, signal: this.controller.signal});
        this.tell('connect');
        for await (const chunk of chunks) {
            this.throwIfAborted();
            this.#add(chunk);
        }
        this.throwIfAborted();
        const whole = isParsed(this.#body) ? parsed(this.#snapshot, this.#body) : this.#snapshot;
        this.add(whole);
        return whole;
    }

    /** @param {ChatChunk} chunk */
    #add(chunk) {
        const {choices, usage, object: _, ...head} = chunk,
            snapshot = this.#snapshot ??= {...head, object: 'chat.completion', choices: []};
        if (usage) snapshot.usage = usage;
        for (const {index} of choices) {
            snapshot.choices[index] ??= {index, message: {role: 'assistant', content: null, refusal: null},
                finish_reason: null, logprobs: null};
        }
        this.#chunks.push(chunk);
        for (const choice of choices) this.#join(choice, snapshot.choices[choice.index]);
        this.tell('chunk', chunk, snapshot);
        for (const choice of choices) this.#tellParts(choice, snapshot.choices[choice.index]);
    }

    /** @param {ChatChunkChoice} choice @param {any} whole   of the snapshot */
    #join({delta, logprobs, finish_reason: reason}, whole) {
        const {message} = whole;
        if (typeof delta.content === 'string') message.content = (message.content ?? '') + delta.content;
        for (const {index, function: about, ...call} of delta.tool_calls ?? []) {
            message.tool_calls ??= [];
            message.tool_calls[index] ??= {...call, function: {name: about.name, arguments: ''}};
            message.tool_calls[index].function.arguments += about.arguments ?? '';
        }
        if (logprobs) whole.logprobs = {content: [...whole.logprobs?.content ?? [], ...logprobs.content
            ?? []], refusal: null};
        whole.finish_reason = reason ?? whole.finish_reason;
    }

    /** @param {ChatChunkChoice} choice @param {any} whole */
    #tellParts({delta, logprobs, finish_reason: reason}, whole) {
        const {content, tool_calls: calls = []} = whole.message, isWhole = reason !== 'length';
        if (delta.content) {
            this.tell('content', delta.content, content);
            this.tell('content.delta', {delta: delta.content, snapshot: content});
        }
        if (logprobs) this.tell('logprobs.content.delta',
            {content: logprobs.content, snapshot: whole.logprobs.content});
        for (const {index, function: about} of delta.tool_calls ?? []) {
            if (index > 0 && about.name) this.#tellCall(calls, index - 1, true);
            this.tell('tool_calls.function.arguments.delta',
                {...calls[index].function, index, arguments_delta: about.arguments ?? ''});
        }
        if (!reason) return;
        if (content) this.tell('content.done',
            {content, parsed: isWhole ? contentOf(this.#body, content) : null});
        if (whole.logprobs) this.tell('logprobs.content.done', {content: whole.logprobs.content});
        if (calls.length) this.#tellCall(calls, calls.length - 1, isWhole);
    }

    /** @param {any[]} calls @param {number} index @param {boolean} isWhole */
    #tellCall(calls, index, isWhole) {
        const call = calls[index].function;
        this.tell('tool_calls.function.arguments.done', {...call, index, parsed_arguments: isWhole
            ? argumentsOf(this.#body, call) : null});
    }
}

/** @param {Completions} completions @param {any} body @param {{signal?: AbortSignal | null}} [options] */
export const streamed = (completions, body, options) =>
    new ChatCompletionStream(body, async (runner) => {
        runner.messages.push(...body.messages);
        await runner.answer(completions, body, options);
    }, options?.signal);
