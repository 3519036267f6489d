// worker_session.js: one session of gemma.js in the engine worker: what has been said (conversation.js), its
// tokens with their keys and values (engine_session.js), and the queue of its prompts. Sessions run side by
// side; the prompts of one are answered one after the other. Knows no messages of the worker.

import {contextFull, countTokens, openTools, readPrompt, refuseTooLong} from './asking.js';
import {Conversation} from './conversation.js';
import {generate} from './generate.js';
import {generateIo, withTokens} from './telling.js';
import {yieldTurn} from '../base/host.js';

const FREED = 4;        // while an answer is written, this part of the context is freed at once

/**
 * @typedef {object} Host       what all sessions share
 * @property {import('./module.js').Module} module
 * @property {import('./scheduler.js').Scheduler} scheduler
 * @property {import('./constraints.js').Constraints} constraints
 * @property {import('./conversation.js').Style} style
 * @property {number} contextLength
 * @property {number} loadMs
 *
 * @typedef {import('./conversation.js').Message} Message
 * @typedef {import('./generate.js').Generated} Generated
 * @typedef {import('./generate.js').GenerateOptions} GenerateOptions
 * @typedef {object} Asked
 * @property {import('./constraints.js').Asked} [constraint]
 * @property {import('../constraint/tool_answer.js').Tool[]} [tools]
 * @property {import('../constraint/tool_answer.js').ToolChoice} [toolChoice]
 * @property {boolean} [parallelToolCalls]
 * @property {boolean} [stateless]   the messages are the whole conversation; only what is evaluated is kept
 *
 * @typedef {Omit<GenerateOptions, 'grammar'> & Asked} PromptOptions
 *
 * @typedef {object} Held           what a conversation is from now on
 * @property {number} tokensHeld
 * @property {Message[]} messages
 *
 * @typedef {object} AnswerFacts    what the worker adds to what was generated
 * @property {number[]} promptTokens
 * @property {{loadMs: number} & Generated['timings']} timings
 * @property {number} memoryBytes
 *
 * @typedef {Omit<Generated, 'kept' | 'timings'> & AnswerFacts & Held} Answer
 *
 * @typedef {object} Policy         where the context is full
 * @property {'error' | 'drop-oldest'} [overflow]
 * @property {number} [pinned]
 *
 * @typedef {import('./telling.js').Io} Io
 * @typedef {import('./telling.js').Teller} Teller
 */

export class WorkerSession {
    #host;
    #conversation;
    #engine;
    #policy;
    /** The prompt that was asked last; it never rejects. @type {Promise<unknown>} */
    #queue = Promise.resolve();
    #ending = new AbortController();

    /**
     * @param {Host} host @param {Conversation} conversation @param {import('./engine_session.js').EngineSession} engine
     * @param {Policy} [policy]
     */
    constructor(host, conversation, engine, policy = {}) {
        this.#host = host;
        this.#conversation = conversation;
        this.#engine = engine;
        this.#policy = policy;
    }

    /** @param {Host} host @param {Message[]} history @param {Policy} [policy] */
    static async open(host, history, policy) {
        const conversation = new Conversation(host.module, host.style, history);
        await conversation.prepare([]);
        if (policy?.overflow !== 'drop-oldest') refuseTooLong(host, history.map(({content}) => content), 0);
        const session = new WorkerSession(host, conversation, host.module.newSession(host.contextLength), policy);
        try {
            void session.tokens;        // throws where this model can't be given the history
            return session;
        } catch (error) {
            session.#engine.close();
            throw error;
        }
    }

    /**
     * A session that save() gave. One without bytes has evaluated nothing.
     * @param {Host} host @param {{messages: Message[], asked?: number, bytes: Uint8Array, policy?: Policy}} saved
     */
    static async restore(host, {messages, asked = messages.length, bytes, policy}) {
        if (!bytes.length) return WorkerSession.open(host, messages, policy);
        const engine = host.module.restoreSession(bytes),
            conversation = Conversation.restore(host.module, host.style, messages, asked, engine.tokens);
        if (engine.contextLength === host.contextLength) return new WorkerSession(host, conversation, engine, policy);
        engine.close();     // saved with another context: what was said is read anew
        return new WorkerSession(host, conversation, host.module.newSession(host.contextLength), policy);
    }

    /** One in this state, not evaluated yet. @param {Host} host @param {ReturnType<WorkerSession['state']>} state */
    static async resume(host, {policy, ...state}) {
        const conversation = Conversation.resume(host.module, host.style, state);
        await conversation.prepare([]);
        return new WorkerSession(host, conversation, host.module.newSession(host.contextLength), policy);
    }

    /** What resume() needs, for another engine of the same model. */
    state() {
        return {...this.#conversation.state, policy: this.#policy};
    }

    /** How many tokens the conversation has. */
    get tokens() {
        return this.#conversation.length;
    }

    /** @returns {Held} */
    get #held() {
        return {tokensHeld: this.tokens, messages: this.#conversation.messages};
    }

    /**
     * @param {{prompt: string | Message[] | number[], raw: boolean, options: PromptOptions}} asked
     * @param {Io} io
     */
    prompt({prompt, raw, options}, {signal, emit: tell}) {
        const {emit, onToken} = options.known ? withTokens(tell) : {emit: tell};
        const stopping = AbortSignal.any([signal, this.#ending.signal]);
        return this.#inTurn(stopping, () => this.#answer(prompt, raw, options, stopping, {emit, onToken}),
            () => this.#unasked(options));
    }

    /**
     * @param {string | Message[] | number[]} prompt
     * @param {boolean} raw
     * @param {PromptOptions} wanted
     * @param {AbortSignal} signal
     * @param {Teller} teller
     * @returns {Promise<Answer>}
     */
    async #answer(prompt, raw, wanted, signal, teller) {
        const {constraint, tools, toolChoice, parallelToolCalls, stateless, ...options} = wanted;
        const {module, constraints} = this.#host, {messages, given} = readPrompt(prompt, raw);
        const conversation = stateless ? new Conversation(module, this.#host.style, []) : this.#conversation;
        const style = conversation.toolStyle, calling = await openTools({
            tools, toolChoice, parallelToolCalls, style, isRaw: raw, isConstrained: constraint !== undefined,
        });
        const asking = {messages, told: calling?.instruction ?? '', isBare: constraint !== undefined};
        const question = given ? this.#askRaw(messages, given)
            : await this.#ask(conversation, asking, teller.emit), {ids, begun} = question;
        const stop = [options.stop ?? [], raw ? [] : conversation.stops].flat();
        const trimStart = !raw && !constraint && !begun.length && conversation.trimsAnswers;
        const calls = calling?.grammar, controls = calls !== undefined && style === 'function';
        let whole = question;
        const shorten = (/** @type {number} */ n) => {
            const shorter = raw || stateless ? undefined : this.#shorten(asking, n, teller.emit);
            return shorter && (whole = shorter);
        };
        const io = {...generateIo(this.#host.scheduler, signal, teller, calling), shorten};
        const {kept, ...generated} = await constraints.using(
            {constraint: calls === undefined || calling?.isEither ? constraint : undefined, calls}, (grammar) =>
                generate(this.#engine, module, ids, {...options, stop, trimStart, controls, grammar, begun}, io));
        calling?.end().forEach(teller.emit);
        const {timings, ...answer} = {...generated, ...calling && {text: calling.text, toolCalls: calling.calls}};
        // What was stopped before its first word has not been asked.
        if (!raw && !stateless && (kept.length || generated.finishReason !== 'abort'))
            conversation.answered(asking, {...whole, kept},
                {content: answer.text, ...calling?.calls.length && {toolCalls: calling.calls}});
        return {...answer, promptTokens: ids, ...this.#facts(timings)};
    }

    /**
     * @param {Message[]} messages
     * @param {(module: Host['module']) => number[]} given
     * @returns {import('./conversation.js').Asked}
     */
    #askRaw(messages, given) {
        refuseTooLong(this.#host, messages.map(({content}) => content), 0);
        const {contextLength, module} = this.#host, ids = given(module);
        if (ids.length > contextLength) throw contextFull(ids.length, contextLength);
        return {ids, begun: []};
    }

    /**
     * Makes place for what is asked, where that is the session's policy.
     * @param {Conversation} conversation @param {import('./conversation.js').Asking} asking @param {Io['emit']} emit
     * @returns {Promise<import('./conversation.js').Asked>} rejects with 'context-full', and nothing is forgotten
     */
    async #ask(conversation, asking, emit) {
        const {contextLength} = this.#host, {messages, told = ''} = asking,
            before = this.#policy.overflow === 'drop-oldest' ? 0 : conversation.length;
        refuseTooLong(this.#host, [told, ...messages.map((message) => String(message?.content))], before);
        await conversation.prepare(messages, told !== '');
        const asked = conversation.ask(asking);
        if (asked.ids.length <= contextLength) return asked;
        if (conversation !== this.#conversation || !this.#shorten(asking, 0, emit))
            throw contextFull(asked.ids.length, contextLength);
        return conversation.ask(asking);
    }

    /**
     * Forgets the oldest exchanges so that n tokens fit after the prompt.
     * @param {import('./conversation.js').Asking} asking @param {number} n @param {Io['emit']} emit
     * @returns {import('./conversation.js').Asked | undefined} from now on; undefined: nothing was forgotten
     */
    #shorten(asking, n, emit) {
        const {overflow, pinned = 0} = this.#policy, {contextLength} = this.#host, most = contextLength - n;
        // During an answer more is forgotten at once, because all that is left is read again.
        const wanted = n ? most - Math.floor(contextLength / FREED) : most;
        const dropped = overflow === 'drop-oldest' ? this.#conversation.drop(asking, most, pinned, wanted) : undefined;
        if (!dropped) return undefined;
        emit({overflow: dropped, ...this.#held});
        return this.#conversation.ask(asking);
    }

    /** @param {Generated['timings']} timings */
    #facts(timings) {
        const {loadMs, module: {memoryBytes}} = this.#host;
        return {timings: {loadMs, ...timings}, memoryBytes, ...this.#held};
    }

    /** The answer of a prompt that was aborted while it waited. @param {PromptOptions} options @returns {Answer} */
    #unasked({sampling, constraint, tools}) {
        return {
            text: '', tokens: [], promptTokens: [], finishReason: 'abort', cachedTokens: 0,
            seed: sampling?.seed ?? 0, ...(constraint || tools) && {constraint: 'cut'},
            ...tools && {toolCalls: []},
            ...this.#facts({prefillTokens: 0, prefillMs: 0, decodeTokens: 0, decodeMs: 0}),
        };
    }

    /**
     * Evaluates messages, which the next prompt follows.
     * @param {Message[]} messages @param {Io} io
     * @returns {Promise<Held & {cachedTokens: number}>} rejects when it is aborted, and the conversation is as it was
     */
    append(messages, {signal, emit}) {
        const stopping = AbortSignal.any([signal, this.#ending.signal]), aborted = () => stopping.aborted;
        return this.#inTurn(stopping, async () => {
            const {ids} = await this.#ask(this.#conversation, {messages}, emit), total = ids.length,
                cachedTokens = total ? this.#engine.sync(ids) : 0;
            const onProgress = (/** @type {number} */ left) => emit({phase: 'prefill', done: total - left, total});
            await this.#host.scheduler.evaluate(this.#engine, {aborted, onProgress});
            await yieldTurn();      // a listener of the last progress event may still stop
            stopping.throwIfAborted();
            this.#conversation.add(messages);
            return {...this.#held, cachedTokens};
        }, () => { throw stopping.reason; });
    }

    /**
     * How many more tokens the conversation would have with a prompt.
     * @param {Pick<PromptOptions, 'tools' | 'toolChoice'> & {prompt: string | Message[]}} asked
     * @returns {Promise<number>}
     */
    count(asked) {
        return this.#between(() => countTokens(this.#conversation, asked));
    }

    /** Forgets all messages but the first n. @param {number} n @returns {Promise<Held>} */
    rewind(n) {
        return this.#between(() => {
            this.#conversation.rewind(n);
            return this.#held;
        });
    }

    /**
     * Has `work` done when what was asked before has ended; where `signal` aborts before, `unasked` at once.
     * @template T
     * @param {AbortSignal} signal
     * @param {() => Promise<T>} work
     * @param {() => T} unasked
     * @returns {Promise<T>}
     */
    #inTurn(signal, work, unasked) {
        return new Promise((resolve, reject) => {
            const leave = () => {
                try {
                    resolve(unasked());
                } catch (error) {
                    reject(error);
                }
            };
            if (signal.aborted) return leave();
            signal.addEventListener('abort', leave);
            this.#queue = this.#queue.then(() => {
                signal.removeEventListener('abort', leave);
                if (signal.aborted) return undefined;
                const result = work();
                resolve(result);
                return result;
            }).catch(reject);
        });
    }

    /** Between two prompts. @template T @param {() => T} work @returns {Promise<Awaited<T>>} */
    #between(work) {
        const result = this.#queue.then(work);
        this.#queue = Promise.resolve(result).catch(() => {});
        return /** @type {Promise<Awaited<T>>} */ (result);
    }

    /** One that continues as this one, once what was asked has been answered. @returns {Promise<WorkerSession>} */
    clone() {
        return this.#between(() =>
            new WorkerSession(this.#host, this.#conversation.copy(), this.#engine.clone(), this.#policy));
    }

    /**
     * Keys and values of what has been asked, as bytes, and of how many messages that is.
     * @returns {Promise<{bytes: Uint8Array<ArrayBuffer>, asked: number}>}
     */
    save() {
        return this.#between(() => {
            const {ids, asked} = this.#conversation;
            // The last token of an answer that has filled the context has no place.
            if (!ids.length || ids.length > this.#host.contextLength) return {bytes: new Uint8Array(0), asked};
            this.#engine.sync(ids);     // without what a raw prompt or a stop string left behind
            return {bytes: /** @type {Uint8Array<ArrayBuffer>} */ (this.#engine.save()), asked};
        });
    }

    /** Stops what runs, and frees everything. */
    async close() {
        this.#ending.abort();
        await this.#queue.catch(() => {});
        this.#engine.close();
    }
}
