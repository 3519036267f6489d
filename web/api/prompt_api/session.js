// session.js: the instances of LanguageModel: prompts in their order, aborted and destroyed as the
// specification says, events, numbers. Knows sessions of the library; not where models come from.

import {unlessAborted} from '../../base/abort.js';
import {answer, toTools} from './answer.js';
import {toConstraint, withTold} from './constraint.js';
import {exception, toException} from './errors.js';
import {canonical, toAsk, toInput} from './messages.js';
import {toPromptOptions, toSignalOption} from './options.js';
import {defineHandler, requireArguments} from './webidl.js';

/**
 * @typedef {import('../../gemma.js').Gemma} Gemma
 * @typedef {import('../../gemma.js').Session} Session
 * @typedef {import('../../gemma.js').OverflowOptions} OverflowOptions
 * @typedef {import('./options.js').Sampling} Sampling
 *
 * @typedef {object} State
 * @property {Gemma} gemma
 * @property {() => Promise<() => void>} use      the model, for a clone; the function releases it
 * @property {(error: unknown) => void} lost      the model has ended by itself
 * @property {() => void} release
 * @property {import('./options.js').Tool[]} tools
 * @property {Sampling} sampling
 * @property {number} pinned          how many messages create() was given
 * @property {number} rounds
 *
 * @typedef {(onOverflow: OverflowOptions['onOverflow']) => Promise<Session>} Open   used once and not held: a
 *     clone's knows the session it is of
 */

/** Only this room makes instances. */
const KEY = Symbol('key');

/** Releases the model of sessions that nobody holds. */
const forgotten = new FinalizationRegistry((/** @type {() => void} */ release) => release());

/** Rejects in a document that has been left. */
export function requireActive() {
    if (typeof document === 'object' && !document.defaultView)
        throw exception('InvalidStateError', 'The document is not active.');
}

/** What `for await` takes. @template T @param {ReadableStream<T>} stream */
async function* iterate(stream) {
    const reader = stream.getReader();
    try {
        for (;;) {
            const {done, value} = await reader.read();
            if (done) return;
            yield value;
        }
    } finally {
        reader.cancel().catch(() => {});
        reader.releaseLock();
    }
}

/** Streams of WebKit are no async iterables yet. @template T @param {ReadableStream<T>} stream */
const iterable = (stream) =>
    Symbol.asyncIterator in stream
        ? stream
        : Object.assign(stream, {[Symbol.asyncIterator]: () => iterate(stream)});

/** @param {string} type */
const event = (type) => new Event(type);

export class LanguageModelSession extends EventTarget {
    #state;
    #session;
    #destroyed = new AbortController();
    /** What was asked last; it never rejects. @type {Promise<unknown>} */
    #queue = Promise.resolve();
    /** @type {import('./answer.js').Turn} */
    #turn = {start: 0};

    /**
     * @param {symbol} key
     * @param {State} state
     * @param {Session} session
     * @param {{target?: (overflow: any) => void}} overflow
     */
    constructor(key, state, session, overflow) {
        if (key !== KEY) throw new TypeError('Illegal constructor');
        super();
        this.#state = state;
        this.#session = session;
        overflow.target = (dropped) => this.#overflowed(dropped);
        forgotten.register(this, state.release, this);
    }

    /**
     * @param {new (key: symbol, state: State, session: Session, overflow: {}) => LanguageModelSession} Class
     * @param {State} state
     * @param {Open} open
     * @returns {Promise<LanguageModelSession>}
     */
    static async open(Class, state, open) {
        /** @type {{target?: (overflow: any) => void}} */
        const overflow = {};
        return new Class(KEY, state, await open((dropped) => overflow.target?.(dropped)), overflow);
    }

    get contextUsage() {
        return this.#session.tokens;
    }

    get contextWindow() {
        return this.#state.gemma.info.contextLength;
    }

    get inputUsage() {
        return this.contextUsage;
    }

    get inputQuota() {
        return this.contextWindow;
    }

    get samplingMode() {
        return this.#state.sampling.samplingMode;
    }

    get topK() {
        return this.#state.sampling.topK;
    }

    get temperature() {
        return this.#state.sampling.temperature;
    }

    /** @param {any} input @param {any} [options] @returns {Promise<string>} */
    async prompt(input, options) {
        requireArguments(arguments.length, 1, 'prompt()');
        /** @type {string[]} */
        const pieces = [],
            {asked, signal} = this.#read(input, options);
        await this.#inTurn(signal, () => this.#answer(asked, signal, (piece) => pieces.push(piece)));
        return pieces.join('');
    }

    /** @param {any} input @param {any} [options] @returns {ReadableStream<string>} */
    promptStreaming(input, options) {
        requireArguments(arguments.length, 1, 'promptStreaming()');
        const {asked, signal} = this.#read(input, options),
            cancelling = new AbortController(),
            stopping = AbortSignal.any([signal, cancelling.signal]);
        return iterable(
            new ReadableStream({
                start: (controller) => {
                    const onText = (/** @type {string} */ piece) =>
                        stopping.aborted || controller.enqueue(piece);
                    const unlessCancelled = (/** @type {() => void} */ end) =>
                        cancelling.signal.aborted || end();
                    this.#inTurn(stopping, () => this.#answer(asked, stopping, onText)).then(
                        () => unlessCancelled(() => controller.close()),
                        (error) => unlessCancelled(() => controller.error(error)),
                    );
                },
                cancel: () => cancelling.abort(),
            }),
        );
    }

    /** @param {any} input @param {any} [options] */
    #read(input, options) {
        const asked = {input: toInput(input), ...toPromptOptions(options)};
        return {asked, signal: this.#signal(asked.signal)};
    }

    /** Throws where it is aborted already. @param {AbortSignal} [own] */
    #signal(own) {
        requireActive();
        const signal = AbortSignal.any([this.#destroyed.signal, ...(own ? [own] : [])]);
        signal.throwIfAborted();
        return signal;
    }

    /**
     * Has work done after what was asked before. Rejects at once where the signal aborts; what runs then
     * ends first.
     * @template T @param {AbortSignal} signal @param {() => Promise<T>} work @returns {Promise<T>}
     */
    #inTurn(signal, work) {
        const result = this.#queue.then(() => {
            signal.throwIfAborted();
            return work();
        });
        this.#queue = result.catch(() => {});
        return unlessAborted(result, signal).catch((error) => {
            this.#state.lost(error);
            throw toException(error);
        });
    }

    /**
     * @param {{input: string | import('./messages.js').Given[], responseConstraint?: object, isOmitted:
     *   boolean}} asked
     * @param {boolean} hasInput
     */
    #toPrompt({input, responseConstraint, isOmitted}, hasInput) {
        const prompt = canonical(input, hasInput),
            constraint = responseConstraint && toConstraint(responseConstraint, prompt.isPrefix);
        const messages =
            constraint && !isOmitted ? withTold(prompt.messages, constraint.told) : prompt.messages;
        return {prompt: {...prompt, messages}, constraint: constraint?.options};
    }

    /**
     * @param {{input: string | import('./messages.js').Given[], responseConstraint?: object, isOmitted:
     *   boolean}} asked
     * @param {AbortSignal} signal
     * @param {(piece: string) => void} onText
     */
    #answer(asked, signal, onText) {
        const {prompt, constraint} = this.#toPrompt(asked, this.contextUsage > 0),
            {tools, rounds} = this.#state;
        this.#turn = {start: this.#session.messages.length};
        return answer(
            this.#session,
            {messages: toAsk(prompt), constraint, tools, rounds},
            signal,
            onText,
            this.#turn,
        );
    }

    /** @param {any} input @param {any} [options] @returns {Promise<undefined>} */
    async append(input, options) {
        requireArguments(arguments.length, 1, 'append()');
        const given = toInput(input),
            signal = this.#signal(toSignalOption(options));
        await this.#inTurn(signal, () =>
            this.#session.append(canonical(given, this.contextUsage > 0).messages, {signal}),
        );
    }

    /** @param {any} input @param {any} [options] @returns {Promise<number>} */
    async measureContextUsage(input, options) {
        requireArguments(arguments.length, 1, 'measureContextUsage()');
        const {asked, signal} = this.#read(input, options),
            {prompt} = this.#toPrompt(asked, false);
        try {
            return await unlessAborted(this.#state.gemma.count(prompt.messages), signal);
        } catch (error) {
            this.#state.lost(error);
            throw toException(error);
        }
    }

    /** @param {any} input @param {any} [options] @returns {Promise<number>} */
    async measureInputUsage(input, options) {
        requireArguments(arguments.length, 1, 'measureInputUsage()');
        return this.measureContextUsage(input, options);
    }

    /** @param {import('../../gemma.js').Overflow} overflow */
    #overflowed({dropped}) {
        this.#turn.start = Math.max(this.#turn.start - dropped.length, this.#state.pinned);
        for (const type of ['contextoverflow', 'quotaoverflow']) this.dispatchEvent(event(type));
    }

    /** @param {any} [options] @returns {Promise<LanguageModelSession>} */
    async clone(options) {
        const signal = this.#signal(toSignalOption(options)),
            Class = /** @type {any} */ (this.constructor);
        return this.#inTurn(signal, async () => {
            const release = await this.#state.use();
            try {
                const open = (/** @type {OverflowOptions['onOverflow']} */ onOverflow) =>
                    this.#session.clone({onOverflow});
                const clone = await LanguageModelSession.open(Class, {...this.#state, release}, open);
                if (signal.aborted) clone.destroy();
                return clone;
            } catch (error) {
                release();
                throw error;
            }
        });
    }

    destroy() {
        this.#destroy(exception('AbortError', 'The session was destroyed.'));
    }

    /** @param {unknown} reason */
    #destroy(reason) {
        if (this.#destroyed.signal.aborted) return;
        this.#destroyed.abort(reason);
        forgotten.unregister(this);
        this.#session.close().catch(() => {});
        this.#state.release();
    }

    /** What create() was aborted with destroys the session. @param {AbortSignal} signal */
    destroyWith(signal) {
        if (signal.aborted) return this.#destroy(signal.reason);
        const session = new WeakRef(this); // a signal of the page's may live longer
        const abort = () => {
            const held = session.deref();
            if (held) held.#destroy(signal.reason);
        };
        signal.addEventListener('abort', abort, {once: true, signal: this.#destroyed.signal});
    }

    get [Symbol.toStringTag]() {
        return 'LanguageModel';
    }
}

for (const type of ['contextoverflow', 'quotaoverflow']) defineHandler(LanguageModelSession, type);

/**
 * The tokens that a session begins with, with what it says of its tools.
 * @param {Gemma} gemma
 * @param {import('./messages.js').Message[]} messages
 * @param {import('./options.js').Tool[]} tools
 */
export async function countBeginning(gemma, messages, tools) {
    return messages.length || tools.length
        ? gemma.count(messages, tools.length ? {tools: toTools(tools)} : {})
        : 0;
}
