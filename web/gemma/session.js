// A session of the public API: what has been said, and the calls to the worker that holds its keys
// and values.

import {GemmaError, orClosedWithModel} from '../base/error.js';
import {later} from '../base/later.js';
import {readOptions, show} from '../base/options.js';
import {toAsked} from './constraint.js';
import {watch} from './watch.js';

/**
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').PromptOptions} PromptOptions
 * @typedef {import('./types.js').OverflowOptions} OverflowOptions
 * @typedef {import('./types.js').CountOptions} CountOptions
 * @typedef {import('./types.js').Result} Result
 * @typedef {import('./types.js').Sampling} Sampling
 */

/**
 * @typedef {import('../engine/service.js').Service} Service
 * @typedef {<K extends keyof Service>(call: K, args: Parameters<Service[K]>[0], options?: CallOptions) =>
 *     Promise<Awaited<ReturnType<Service[K]>>>} Call
 * @typedef {{signal?: AbortSignal, onEvent?: (event: any) => void}} CallOptions
 */

/** Closes sessions that nobody holds. */
const forgotten = new FinalizationRegistry((close) => void close().catch(() => {}));

/** A conversation: see Gemma.session. */
export class Session {
    #id;
    #sampling;
    #call;
    #messages;
    #tokens;
    #contextLength;
    #onOverflow;

    /**
     * @param {{id: number, tokens: number, messages: Message[], contextLength: number, sampling: Sampling,
     *     call: Call, onOverflow?: OverflowOptions['onOverflow']}} about
     */
    constructor({id, tokens, messages, contextLength, sampling, call, onOverflow}) {
        this.#id = id;
        this.#tokens = tokens;
        this.#messages = structuredClone(messages);
        this.#contextLength = contextLength;
        this.#sampling = sampling;
        this.#call = call;
        this.#onOverflow = onOverflow;
        forgotten.register(this, () => call('closeSession', {session: id}), this);
    }

    /**
     * What has been said, the system's message and the history first: for another session to continue.
     * A copy.
     * @returns {Message[]}
     */
    get messages() {
        return structuredClone(this.#messages);
    }

    /** How many tokens the conversation has. */
    get tokens() {
        return this.#tokens;
    }

    /**
     * How many more the context holds. A prompt with more than these rejects with 'context-full' and leaves
     * the conversation as it was, unless the session's `overflow` says otherwise. See also count().
     */
    get tokensLeft() {
        return Math.max(0, this.#contextLength - this.#tokens);
    }

    /**
     * Asks, and streams the answer: an async iterable of pieces of text, with the whole Result as a promise
     * in `.result`. The session remembers both; the next prompt evaluates only its own tokens. Leaving the
     * loop early stops the answer. Prompts are answered one after the other, in the order in which they came;
     * one that is aborted while it waits ends at once, without a token.
     * @param {string | Message[] | number[]} prompt   a user's text, or messages to continue (an assistant's
     *     among them was not generated here); with raw, a text or token ids. Where the last message is the
     *     assistant's, the answer continues it as it stands. No messages: what was appended, or rewound
     *     to, is answered
     * @param {PromptOptions} [options]
     * @returns {AsyncIterable<string> & {result: Promise<Result>}}
     */
    prompt(prompt, options) {
        /** @type {string[]} */
        const pieces = [];
        let wake = () => {}, ended = false, stop = () => {};
        const ask = async () => {
            const {signal, onProgress, onToolCall, onText, raw = false, sampling, constraint,
                ...more} = readOptions('prompt', options);
            const chosen = {...this.#sampling, ...readOptions('sampling', sampling)}, watching = this.#watch({
                signal,
                onProgress(/** @type {any} */ event) {
                    if (event.text !== undefined) return onText?.(event);
                    return event.tool ? onToolCall?.(event.tool) : onProgress?.(event);
                },
            });
            stop = watching.stop;
            const call = this.#call('prompt', {session: this.#id, prompt, raw,
                options: {...more, sampling: chosen, constraint: toAsked(constraint)}}, {
                signal: watching.signal,
                onEvent(/** @type {{text?: string}} */ event) {
                    watching.tell(event);
                    if (!event.text) return;
                    pieces.push(event.text);
                    wake();
                },
            });
            return watching.settle(call.then((answer) => this.#remember(answer)));
        };
        const result = ask().finally(() => {
            ended = true;
            wake();
        });
        result.catch(() => {});     // reported by the iterator, or to the code that awaits the result

        async function* stream() {
            try {
                for (;;) {
                    if (pieces.length) yield pieces.splice(0).join('');
                    else if (ended) return void await result;
                    else await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
                        wake = resolve; });
                }
            } finally {
                stop();
            }
        }
        return Object.assign(stream(), {result});
    }

    /**
     * What the worker tells, as the caller's functions take it.
     * @param {{signal?: AbortSignal, onProgress?: (event: any) => any}} options
     */
    #watch({signal, onProgress}) {
        return watch({signal, onProgress: (event) => {
            if (!event.overflow) return onProgress?.(event);
            const {overflow, ...held} = event;
            this.#remember(held);
            return this.#onOverflow?.(overflow);
        }});
    }

    /** @template {import('../engine/worker_session.js').Held} T @param {T} answer */
    #remember({messages, tokensHeld, ...answer}) {
        this.#messages = messages;
        this.#tokens = tokensHeld;
        return answer;
    }

    /**
     * Reads messages without answering them: the next prompt follows them, and evaluates only its own tokens.
     * No messages: reads what the session has not evaluated yet, such as its history. Takes its turn among
     * the prompts.
     * @param {Message[]} messages
     * @param {Pick<PromptOptions, 'signal' | 'onProgress'>} [options]
     * @returns {Promise<{cachedTokens: number}>}   how many tokens had been evaluated before. Rejects with
     *     the signal's reason where it is aborted, and the conversation is as it was
     */
    async append(messages, options) {
        if (!Array.isArray(messages))
            throw new GemmaError('bad-argument',
                `What is appended is ${show(messages)}; expected an array of messages.`);
        const watching = this.#watch(readOptions('append', options));
        const call = this.#call('append', {session: this.#id, messages},
            {signal: watching.signal, onEvent: watching.tell});
        return watching.settle(call.then((answer) => this.#remember(answer)));
    }

    /**
     * How many more tokens the conversation would have with a prompt, without evaluating it: it fits if they
     * are at most `tokensLeft`. Waits for what was asked.
     * @param {string | Message[]} prompt @param {CountOptions} [options]
     * @returns {Promise<number>}
     */
    async count(prompt, options) {
        return this.#call('count', {session: this.#id, prompt, ...readOptions('count', options)});
    }

    /**
     * Forgets all messages but the first ones, to ask differently from there, or with prompt([]) once more.
     * Keys and values of what is left stay, as far as the model's windows allow it. Waits for what was asked.
     * @param {number} messages   how many stay
     */
    async rewind(messages) {
        if (!(Number.isSafeInteger(messages) && messages >= 0)) {
            throw new GemmaError('bad-argument',
                `The messages that stay are ${show(messages)}; expected a whole number from 0.`);
        }
        this.#remember(await this.#call('rewind', {session: this.#id, messages}));
    }

    /**
     * A copy that continues separately from here: a branch. Waits for what was asked.
     * @param {Pick<OverflowOptions, 'onOverflow'>} [options]   default: this session's
     * @returns {Promise<Session>}
     */
    async clone(options) {
        const {onOverflow = this.#onOverflow} = readOptions('clone', options);
        const known = await this.#call('cloneSession', {session: this.#id});
        return new Session({
            ...known, messages: this.#messages, sampling: this.#sampling, contextLength: this.#contextLength,
            call: this.#call, onOverflow,
        });
    }

    /**
     * The conversation as bytes, keys and values included: Gemma.restore makes it again, without evaluating
     * its tokens but for a few. Waits for what was asked.
     * @param {{}} [options]   none yet
     * @returns {Promise<Uint8Array>}   about info.contextLength times as many bytes as a token's keys and
     *     values have, when the context is full
     */
    async save(options) {
        readOptions('save', options);
        const {bytes, asked} = await this.#call('saveSession', {session: this.#id}),
            messages = this.#messages, sampling = this.#sampling;
        const {packSession} = await later(() => import('../engine/saved_session.js'));
        return packSession({messages, asked, sampling}, bytes);
    }

    /** Forgets the conversation, and frees its memory; a prompt that is being answered ends. */
    close() {
        forgotten.unregister(this);
        return orClosedWithModel(this.#call('closeSession', {session: this.#id}));
    }
}
