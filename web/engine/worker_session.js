// worker_session.js: one session of gemma.js in the engine worker: what has been said (conversation.js), its tokens with their keys and values
// (engine_session.js), and the queue of its prompts. Sessions run side by side; the prompts of one are answered one after the other. Knows no
// messages of the worker.

import {Conversation} from './conversation.js';
import {GemmaError} from '../base/error.js';
import {generate} from './generate.js';
import {yieldTurn} from '../base/host.js';

const SHORT = 16;       // characters a token, of texts that are simply tokenized

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
 * @property {boolean} [stateless]   the messages are the whole conversation, of which nothing is remembered but what is evaluated
 *
 * @typedef {Omit<GenerateOptions, 'grammar'> & Asked} PromptOptions
 *
 * @typedef {object} AnswerFacts    what the worker adds to what was generated
 * @property {number[]} promptTokens
 * @property {{loadMs: number} & Generated['timings']} timings
 * @property {number} memoryBytes
 * @property {number} tokensHeld    that the conversation has from now on
 * @property {Message[]} [said]     what the conversation has more than before
 *
 * @typedef {Omit<Generated, 'kept' | 'timings'> & AnswerFacts} Answer
 *
 * @typedef {{text: string, logprobs?: import('./generate.js').TokenLogprobs[]} | {tool: import('../constraint/tool_answer.js').ToolCallEvent} | {phase: 'prefill', done: number, total: number}} PromptEvent
 * @typedef {{signal: AbortSignal, emit: (event: PromptEvent) => void}} Io
 * @typedef {Pick<Io, 'emit'> & Pick<import('./generate.js').Io, 'onToken'>} Teller
 */

export class WorkerSession {
    #host;
    #conversation;
    #engine;
    /** The prompt that was asked last; it never rejects. @type {Promise<unknown>} */
    #queue = Promise.resolve();
    #ending = new AbortController();

    /** @param {Host} host @param {Conversation} conversation @param {import('./engine_session.js').EngineSession} engine */
    constructor(host, conversation, engine) {
        this.#host = host;
        this.#conversation = conversation;
        this.#engine = engine;
    }

    /** @param {Host} host @param {Message[]} history */
    static async open(host, history) {
        const conversation = new Conversation(host.module, host.style, history);
        await conversation.prepare([]);
        refuseTooLong(host, history.map(({content}) => content), 0);
        const session = new WorkerSession(host, conversation, host.module.newSession(host.contextLength));
        try {
            void session.tokens;        // that the history can be told
            return session;
        } catch (error) {
            session.#engine.close();
            throw error;
        }
    }

    /** A session that save() gave. @param {Host} host @param {Message[]} messages @param {Uint8Array} bytes   none: nothing was evaluated */
    static async restore(host, messages, bytes) {
        if (!bytes.length) return WorkerSession.open(host, messages);
        const engine = host.module.restoreSession(bytes);
        return new WorkerSession(host, new Conversation(host.module, host.style, messages, engine.tokens), engine);
    }

    /** One that has the same state, of which nothing is evaluated yet. @param {Host} host @param {import('./conversation.js').State} state */
    static async resume(host, state) {
        const conversation = Conversation.resume(host.module, host.style, state);
        await conversation.prepare([]);
        return new WorkerSession(host, conversation, host.module.newSession(host.contextLength));
    }

    /** What resume() needs, for another engine of the same model. */
    get state() {
        return this.#conversation.state;
    }

    /** How many tokens the conversation has. */
    get tokens() {
        return this.#conversation.length;
    }

    /**
     * @param {{prompt: string | Message[] | number[], raw: boolean, options: PromptOptions}} asked
     * @param {Io} io
     */
    prompt({prompt, raw, options}, {signal, emit: tell}) {
        const {emit, onToken} = options.known ? withTokens(tell) : {emit: tell};
        const stopping = AbortSignal.any([signal, this.#ending.signal]);
        return this.#inTurn(stopping, () => this.#answer(prompt, raw, options, stopping, {emit, onToken}), () => this.#unasked(options));
    }

    /**
     * @param {string | Message[] | number[]} prompt
     * @param {boolean} raw
     * @param {PromptOptions} options
     * @param {AbortSignal} signal
     * @param {Teller} teller
     * @returns {Promise<Answer>}
     */
    async #answer(prompt, raw, {constraint, tools, toolChoice, parallelToolCalls, stateless, ...options}, signal, teller) {
        const {module, constraints} = this.#host, {messages, given} = readPrompt(module, prompt, raw);
        const conversation = stateless ? new Conversation(module, this.#host.style, []) : this.#conversation;
        const style = conversation.toolStyle, calling = await openTools({tools, toolChoice, parallelToolCalls, style, isAlone: !raw && !constraint});
        const told = calling?.instruction ?? '';
        refuseTooLong(this.#host, [told, ...messages.map((message) => String(message?.content))], raw ? 0 : conversation.length);
        if (!raw) await conversation.prepare(messages, told !== '');
        const ids = given?.() ?? conversation.ask([...conversation.instruct(told), ...messages]);
        const stop = [options.stop ?? [], raw ? [] : conversation.stops].flat(), trimStart = !raw && !constraint && conversation.trimsAnswers;
        const isCalling = calling?.grammar !== undefined, asked = isCalling ? {grammar: calling.grammar} : constraint;
        const controls = isCalling && style === 'function';
        const {kept, ...generated} = await constraints.using(asked, (grammar) =>
            generate(this.#engine, module, ids, {...options, stop, trimStart, controls, grammar}, this.#io(signal, teller, calling)));
        calling?.end().forEach(teller.emit);
        const answer = {...generated, ...calling && {text: calling.text, toolCalls: calling.calls}};
        // What was stopped before its first word has not been asked.
        const isSaid = !raw && !stateless && (kept.length || generated.finishReason !== 'abort');
        if (isSaid) conversation.answered(ids, kept, told);
        const {timings, ...rest} = answer;
        /** @type {Message} */
        const said = {role: 'assistant', content: answer.text, ...calling?.calls.length && {toolCalls: calling.calls}};
        return {...rest, promptTokens: ids, ...this.#facts(timings), ...isSaid && {said: [...messages, said]}};
    }

    /**
     * @param {AbortSignal} signal @param {Teller} teller @param {import('../constraint/tool_answer.js').ToolAnswer | undefined} calling
     * @returns {import('./generate.js').Io}
     */
    #io(signal, {emit, onToken}, calling) {
        /** @type {import('./generate.js').TokenLogprobs[]} */
        let untold = [];
        return {
            scheduler: this.#host.scheduler, turn: yieldTurn, aborted: () => signal.aborted,
            onToken, onPrefill: (done, total) => emit({phase: 'prefill', done, total}),
            onText(piece, logprobs) {
                untold.push(...logprobs);
                for (const event of calling?.push(piece) ?? [{text: piece}]) {
                    const tellsThem = 'text' in event && untold.length > 0;
                    emit(tellsThem ? {...event, logprobs: untold} : event);
                    if (tellsThem) untold = [];
                }
            },
        };
    }

    /** @param {Generated['timings']} timings */
    #facts(timings) {
        return {timings: {loadMs: this.#host.loadMs, ...timings}, memoryBytes: this.#host.module.memoryBytes, tokensHeld: this.tokens};
    }

    /** The answer of a prompt that was aborted while it waited. @param {PromptOptions} options @returns {Answer} */
    #unasked({sampling, constraint, tools}) {
        return {
            text: '', tokens: [], promptTokens: [], finishReason: 'abort', cachedTokens: 0, seed: sampling?.seed ?? 0, ...(constraint || tools) && {constraint: 'cut'},
            ...tools && {toolCalls: []},
            ...this.#facts({prefillTokens: 0, prefillMs: 0, decodeTokens: 0, decodeMs: 0}),
        };
    }

    /**
     * Has `work` done when what was asked before has ended; where `signal` aborts before, `unasked` at once.
     * @param {AbortSignal} signal
     * @param {() => Promise<Answer>} work
     * @param {() => Answer} unasked
     * @returns {Promise<Answer>}
     */
    #inTurn(signal, work, unasked) {
        return new Promise((resolve, reject) => {
            const leave = () => resolve(unasked());
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

    /** Between two prompts. @template T @param {() => T} work @returns {Promise<T>} */
    #between(work) {
        const result = this.#queue.then(work);
        this.#queue = result.catch(() => {});
        return result;
    }

    /** One that continues as this one, once what was asked has been answered. @returns {Promise<WorkerSession>} */
    clone() {
        return this.#between(() => new WorkerSession(this.#host, this.#conversation.copy(), this.#engine.clone()));
    }

    /** Keys and values of what has been said, as bytes. @returns {Promise<Uint8Array>} */
    save() {
        return this.#between(() => {
            const {ids} = this.#conversation;
            if (!ids.length) return new Uint8Array(0);
            this.#engine.sync(ids);     // without what a raw prompt or a stop string left behind
            return this.#engine.save();
        });
    }

    /** Stops what runs, and frees everything. */
    async close() {
        this.#ending.abort();
        await this.#queue.catch(() => {});
        this.#engine.close();
    }
}

/** Sends the ids of tokens along with what they are shown as. @param {(event: any) => void} emit @returns {Required<Teller>} */
function withTokens(emit) {
    /** @type {number[]} */
    let ids = [];
    return {
        onToken: (id) => ids.push(id),
        emit(event) {
            emit(ids.length ? {...event, ids} : event);
            ids = [];
        },
    };
}

/**
 * @param {import('./module.js').Module} module @param {string | Message[] | number[]} prompt @param {boolean} raw
 * @returns {{messages: Message[], given?: () => number[]}}   given: the tokens of a raw prompt
 */
function readPrompt(module, prompt, raw) {
    if (typeof prompt === 'string') {
        return {messages: [{role: 'user', content: prompt}], ...raw && {given: () => module.tokenize(prompt, {bos: module.addsBos})}};
    }
    const isIds = Array.isArray(prompt) && prompt.length > 0 && prompt.every((id) => typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 31);
    if (raw && isIds) return {messages: [], given: () => /** @type {number[]} */ (prompt)};
    if (!raw && Array.isArray(prompt)) return {messages: /** @type {Message[]} */ (prompt)};
    throw new GemmaError('bad-argument', raw ? 'A raw prompt must be a text or an array of token ids.' : 'A prompt must be a text or an array of messages.');
}

/** The room of tools is fetched when it is first needed. @param {Parameters<typeof import('../constraint/tool_answer.js').ToolAnswer.open>[0]} asked */
async function openTools(asked) {
    if (!asked.tools && asked.toolChoice === undefined) return undefined;
    return (await import('../constraint/tool_answer.js')).ToolAnswer.open(asked);
}

/**
 * Throws for a text that has more tokens than the context holds, however it is cut, before memory is had for them.
 * @param {Host} host
 * @param {string[]} texts
 * @param {number} tokensBefore
 */
function refuseTooLong({module, contextLength}, texts, tokensBefore) {
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    if (length < SHORT * contextLength) return;
    const tokens = tokensBefore + Math.ceil(length / module.longestToken);
    if (tokens <= contextLength) return;
    throw new GemmaError('context-full', `The prompt has more than ${tokens} tokens, the context holds ${contextLength}; shorten it or load with a larger context.`);
}
