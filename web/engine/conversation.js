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

/** @typedef {{role: 'system' | 'user' | 'assistant', content: string}} Message */

/** @param {Message[]} messages   from outside */
function checkMessages(messages) {
    const odd = messages.find((m) => !['system', 'user', 'assistant'].includes(m?.role) || typeof m.content !== 'string');
    if (odd !== undefined) {
        throw new GemmaError('bad-argument', `A message is ${JSON.stringify(odd)}; {role: system, user or assistant, content: text} is expected.`);
    }
}

export class Conversation {
    #engine;
    #style;
    #history;
    #ids;

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
        return new Conversation(this.#engine, this.#style, this.#history, [...this.#ids]);
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
        const first = this.#ids.length === 0, news = first ? [...this.#history, ...messages] : messages;
        return this.#style === TRANSCRIPT ? this.#askInTranscript(news, first) : this.#askInTurns(news, first);
    }

    /** @param {Message[]} messages @param {boolean} first */
    #askInTurns(messages, first) {
        const ids = this.#engine.chat(messages, {first});
        if (!ids) {
            throw new GemmaError('unsupported', 'The vocabulary of this model has no tokens for turns; give {chat: false} ' +
                'when it is loaded.');
        }
        return [...this.#ids, ...ids];
    }

    /** @param {Message[]} messages @param {boolean} first */
    #askInTranscript(messages, first) {
        /** @type {Record<Message['role'], (m: Message) => string>} */
        const said = {system: (m) => `\n${m.content}\n`, user: (m) => `${ASKS} ${m.content}`, assistant: (m) => `${ANSWERS} ${m.content}`};
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
     */
    answered(ids, kept) {
        this.#ids = [...ids, ...kept];
    }
}
