// runner.js: answers as the openai package's helpers give them: listeners get them as they come, promises at
// the end. Knows neither requests nor chunks.

import {aborted, APIError, APIUserAbortError} from '../openai/errors.js';

/** @typedef {(...told: any[]) => void} Listener */

export class Runner {
    /** Aborts what runs. */
    controller = new AbortController();
    /** What was asked, said and given back so far. @type {any[]} */
    messages = [];
    /** @type {any[]} */
    #completions = [];
    /** @type {Map<string, Set<Listener>>} */
    #listeners = new Map();
    #isAwaited = false;
    #running;

    /**
     * @param {(runner: any) => Promise<void>} work   begins after the caller's listeners are there
     * @param {AbortSignal | null} [signal]
     */
    constructor(work, signal) {
        if (signal?.aborted) this.abort();
        const abort = () => this.abort();
        signal?.addEventListener('abort', abort, {once: true});
        this.#running = this.#run(work).finally(() => signal?.removeEventListener('abort', abort));
        this.#running.catch(() => {});
    }

    /** @param {(runner: any) => Promise<void>} work */
    async #run(work) {
        await undefined;
        try {
            this.throwIfAborted();
            await work(this);
            this.#tellFinal();
        } catch (error) {
            const event = error instanceof APIUserAbortError ? 'abort' : 'error';
            // Without a listener, the platform reports it.
            if (!this.#isAwaited && !this.#listeners.get(event)?.size) void Promise.reject(error);
            this.tell(event, error);
            throw error;
        } finally {
            this.tell('end');
        }
    }

    /** @param {string} event @param {Listener} listener */
    on(event, listener) {
        const all = this.#listeners.get(event) ?? new Set();
        this.#listeners.set(event, all.add(listener));
        return this;
    }

    /** @param {string} event @param {Listener} listener */
    off(event, listener) {
        this.#listeners.get(event)?.delete(listener);
        return this;
    }

    /** @param {string} event @param {Listener} listener */
    once(event, listener) {
        /** @type {Listener} */
        const once = (...told) => {
            this.off(event, once);
            listener(...told);
        };
        return this.on(event, once);
    }

    /** What an event tells the next time. @param {string} event @returns {Promise<any>} */
    emitted(event) {
        this.#isAwaited = true;
        return new Promise((resolve, reject) => {
            this.once(event, resolve);
            if (event !== 'error') this.once('error', reject);
            if (event !== 'abort') this.once('abort', reject);
        });
    }

    /** @param {string} event @param {any[]} told */
    tell(event, ...told) {
        for (const listener of [...this.#listeners.get(event) ?? []]) listener(...told);
    }

    get aborted() {
        return this.controller.signal.aborted;
    }

    abort() {
        this.controller.abort();
    }

    throwIfAborted() {
        if (this.aborted) throw aborted();
    }

    /** An answer that is whole. @param {any} completion */
    add(completion) {
        this.#completions.push(completion);
        this.tell('chatCompletion', completion);
        this.addMessage(completion.choices[0].message);
    }

    /** @param {any} message */
    addMessage(message) {
        this.messages.push(message);
        this.tell('message', message);
        if (message.role === 'tool') this.tell('functionToolCallResult', message.content);
        for (const call of message.tool_calls ?? []) this.tell('functionToolCall', call.function);
    }

    #tellFinal() {
        const call = this.#lastCall(), result = this.#lastResult(), message = this.#lastMessage();
        this.tell('finalChatCompletion', this.#completions.at(-1));
        this.tell('finalMessage', message);
        if (message.content) this.tell('finalContent', message.content);
        if (call) this.tell('finalFunctionToolCall', call);
        if (result !== undefined) this.tell('finalFunctionToolCallResult', result);
        if (this.#completions.some(({usage}) => usage)) this.tell('totalUsage', this.#usage());
    }

    #lastMessage() {
        const message = this.messages.findLast(({role}) => role === 'assistant');
        if (!message) throw new APIError(undefined, {message: 'No message of the assistant came.'});
        return message;
    }

    #lastCall() {
        return this.messages.findLast(({tool_calls: calls}) => calls?.length)?.tool_calls.at(-1).function;
    }

    #lastResult() {
        return this.messages.findLast(({role}) => role === 'tool')?.content;
    }

    /** Of all answers. */
    #usage() {
        const total = {completion_tokens: 0, prompt_tokens: 0, total_tokens: 0};
        for (const {usage} of this.#completions) {
            for (const name of /** @type {const} */ (['completion_tokens', 'prompt_tokens', 'total_tokens']))
                total[name] += usage?.[name] ?? 0;
        }
        return total;
    }

    allChatCompletions() {
        return [...this.#completions];
    }

    /** @returns {Promise<void>} rejects with what went wrong */
    done() {
        this.#isAwaited = true;
        return this.#running;
    }

    /** @returns {Promise<any>} */
    async finalChatCompletion() {
        await this.done();
        return this.#completions.at(-1);
    }

    /** @returns {Promise<any>} */
    async finalMessage() {
        await this.done();
        return this.#lastMessage();
    }

    /** @returns {Promise<string | null>} */
    async finalContent() {
        return (await this.finalMessage()).content ?? null;
    }

    /** @returns {Promise<{name: string, arguments: string} | undefined>} */
    async finalFunctionToolCall() {
        await this.done();
        return this.#lastCall();
    }

    /** @returns {Promise<string | undefined>} */
    async finalFunctionToolCallResult() {
        await this.done();
        return this.#lastResult();
    }

    async totalUsage() {
        await this.done();
        return this.#usage();
    }
}
