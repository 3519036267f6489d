// conversation.js: what a session remembers: the exact ids so far, so that each turn adds only its own. Knows turns and transcripts; not how
// tokens are generated.

import {GemmaError} from '../base/error.js';

const ASKS = '\nUser:', ANSWERS = '\nAssistant:';

/**
 * How a conversation is written: in turns of the model's own, or as plain text between "User:" and "Assistant:", for
 * models that have none.
 * @typedef {object} Style
 * @property {string} style     'transcript', or whose turns (GemmaPlan.chat_style)
 * @property {string} stop      a text that ends an answer besides the end token, or ''
 * @property {boolean} leads    between a speaker's name and what he says stands a space
 */

/** @type {Style} */
export const TRANSCRIPT = {style: 'transcript', stop: ASKS, leads: true};

/**
 * @typedef {{name: string, arguments: Record<string, any>}} ToolCall
 * @typedef {{role: 'system' | 'user', content: string} | {role: 'assistant', content: string, toolCalls?: ToolCall[]}
 *     | {role: 'tool', name: string, content: string}} Message   toolCalls: at the end of what the assistant said; a tool's content: what it gave back
 * @typedef {{role: keyof typeof import('../base/constants.js').ROLES, content: string}} Turn   a tool's: in the tokens that the style "functions" has for tools
 * @typedef {{history: Message[], ids: number[], told: string}} State   told: the tools that the system was last told of
 * @typedef {Pick<typeof import('../constraint/tools.js'), 'callText' | 'resultText' | 'functionTurns' | 'declaring'>} ToolTexts
 */

/** @param {any} call */
const isToolCall = (call) => typeof call?.name === 'string' && typeof call.arguments === 'object' && call.arguments;

/** Whether that is a message, of which `toolCalls` may be null or undefined. @param {any} m @returns {m is Message} */
export function isMessage(m) {
    if (typeof m?.content !== 'string') return false;
    if (m.role === 'tool') return typeof m.name === 'string';
    if (!['system', 'user', 'assistant'].includes(m.role)) return false;
    return m.toolCalls === undefined || m.toolCalls === null || m.role === 'assistant' && Array.isArray(m.toolCalls) && m.toolCalls.every(isToolCall);
}

/** @param {Message[]} messages   from outside */
function checkMessages(messages) {
    const odd = messages.find((m) => !isMessage(m));
    if (odd !== undefined) {
        throw new GemmaError('bad-argument', `A message is ${JSON.stringify(odd)}; {role: system, user or assistant, content: text} is expected, or {role: tool, ` +
            'name, content}. An assistant\'s may have toolCalls: [{name, arguments: {...}}].');
    }
}

/** @param {Message} message */
const needsTools = (message) => message.role === 'tool' || message.role === 'assistant' && !!message.toolCalls?.length;

/**
 * Messages as turns: what tools gave back is said by the user, and calls are text.
 * @param {Message[]} messages @param {ToolTexts | undefined} texts   needed where a message has to do with tools
 * @returns {Turn[]}
 */
function toTurns(messages, texts) {
    /** @type {Turn[]} */
    const turns = [];
    messages.forEach((message, i) => {
        if (!needsTools(message) || !texts) turns.push({role: message.role === 'tool' ? 'user' : message.role, content: message.content});
        else if (message.role === 'tool') {
            const last = turns.at(-1), text = texts.resultText(message);
            if (last && messages[i - 1]?.role === 'tool') last.content += `\n${text}`;
            else turns.push({role: 'user', content: text});
        } else if (message.role === 'assistant') {
            turns.push({role: 'assistant', content: message.content + message.toolCalls?.map((call) => texts.callText(call)).join('\n')});
        }
    });
    return turns;
}

export class Conversation {
    #engine;
    #style;
    #history;
    #ids;
    #told = '';
    /** @type {ToolTexts | undefined} */
    #texts;

    /**
     * @param {import('./module.js').Module} engine
     * @param {Style} style
     * @param {Message[]} history              before the first prompt
     * @param {number[]} [ids]                 those that have been evaluated already; the history is among them
     */
    constructor(engine, style, history, ids = []) {
        checkMessages(history);
        this.#engine = engine;
        this.#style = style;
        this.#history = history;
        this.#ids = ids;
    }

    copy() {
        const copy = new Conversation(this.#engine, this.#style, this.#history, [...this.#ids]);
        copy.#told = this.#told;
        copy.#texts = this.#texts;
        return copy;
    }

    /** What resume() makes the same conversation of. @returns {State} */
    get state() {
        return {history: this.#history, ids: this.#ids, told: this.#told};
    }

    /** @param {import('./module.js').Module} engine @param {Style} style @param {State} state */
    static resume(engine, style, {history, ids, told}) {
        const conversation = new Conversation(engine, style, history, ids);
        conversation.#told = told;
        return conversation;
    }

    /**
     * Before messages that have to do with tools are asked or told: fetches what writes their texts.
     * @param {Message[]} messages @param {boolean} [hasTools]   the answer may call some
     */
    async prepare(messages, hasTools = false) {
        checkMessages(messages);
        if (hasTools || [...this.#history, ...messages].some(needsTools)) this.#texts ??= await import('../constraint/tools.js');
    }

    /** What a system's message before the next prompt says, unless it was the last such. @param {string} text @returns {Message[]} */
    instruct(text) {
        if (text === '' || text === this.#told) return [];
        const message = {role: /** @type {const} */ ('system'), content: text};
        this.#texts?.declaring.add(message);
        return [message];
    }

    /** How the model is told of tools, and how it calls them. @returns {import('../constraint/tools.js').ToolStyle} */
    get toolStyle() {
        return this.#style.style === 'functions' ? 'function' : 'json';
    }

    /** What has been told so far. */
    get ids() {
        return this.#ids;
    }

    /** Strings that end the model's turn besides its end token. */
    get stops() {
        return this.#style.stop ? [this.#style.stop] : [];
    }

    get trimsAnswers() {
        return this.#style.leads;
    }

    /** @param {Message[]} messages   to go on with @returns {number[]} the whole sequence to generate after */
    ask(messages) {
        checkMessages(messages);
        const first = this.#ids.length === 0, all = first ? [...this.#history, ...messages] : messages;
        const news = this.#texts && this.toolStyle === 'function' ? this.#texts.functionTurns(all) : toTurns(all, this.#texts);
        return this.#style === TRANSCRIPT ? this.#askInTranscript(news, first) : this.#askInTurns(news, first);
    }

    /** @param {Turn[]} messages @param {boolean} first */
    #askInTurns(messages, first) {
        return [...this.#ids, ...this.#engine.chat(messages, {first})];
    }

    /** @param {Turn[]} messages @param {boolean} first */
    #askInTranscript(messages, first) {
        /** @type {Record<Turn['role'], (m: Turn) => string>} */
        const said = {
            system: (m) => `\n${m.content}\n`, user: (m) => `${ASKS} ${m.content}`, assistant: (m) => `${ANSWERS} ${m.content}`,
            tool: (m) => `${ASKS} ${m.content}`,
        };
        const text = messages.map((m) => said[m.role](m)).join('') + (messages.at(-1)?.role === 'assistant' ? '' : ANSWERS);
        return [...this.#ids, ...this.#engine.tokenize(first ? text.trimStart() : text, {bos: first && this.#engine.addsBos})];
    }

    /** How many tokens there are so far. */
    get length() {
        if (this.#ids.length || !this.#history.length) return this.#ids.length;
        return this.ask([]).length;
    }

    /**
     * After generating: `ids` are those of ask(), `kept` the model's.
     * @param {number[]} ids
     * @param {number[]} kept
     * @param {string} told   what instruct() was asked for
     */
    answered(ids, kept, told) {
        this.#ids = [...ids, ...kept];
        if (told) this.#told = told;
    }
}
