// conversation.js: what a session remembers: the exact ids so far, so that each turn adds only its own. Knows turns and transcripts; not how
// tokens are generated.

import { GemmaError } from './error.js';

const ASKS = '\nUser:', ANSWERS = '\nAssistant:';

/**
 * @typedef {{role: 'system' | 'user' | 'assistant', content: string}} Message
 */
export class Conversation {
    #engine;
    #style;
    #history;
    #ids = [];

    /**
     * @param {import('./module.js').Module} engine
     * @param {'turns' | 'transcript'} style   a model's own turns, or plain text between "User:" and "Assistant:" for base models
     * @param {Message[]} history              before the first prompt
     */
    constructor(engine, style, history) {
        const odd = history.find(m => !['system', 'user', 'assistant'].includes(m?.role) || typeof m.content !== 'string');
        if (odd) throw new GemmaError('bad-argument', `a message is ${JSON.stringify(odd)}; {role: system, user or assistant, content: text} is expected`);
        this.#engine = engine;
        this.#style = style;
        this.#history = history;
    }

    /** Strings that end the model's turn besides its end token. */
    get stops() {
        return this.#style === 'transcript' ? [ASKS] : [];
    }

    /** @returns {number[]} the whole sequence to generate after */
    ask(text) {
        return this.#style === 'turns' ? this.#askInTurns(text) : this.#askInTranscript(text);
    }

    #askInTurns(text) {
        const first = this.#ids.length === 0;
        const turns = [...(first ? this.#history : []), { role: 'user', content: text }];
        const ids = this.#engine.chat(turns, { first, closed: false });
        if (!ids) throw new GemmaError('unsupported', 'this model has no turn tokens: its vocabulary lacks <start_of_turn>');
        return [...this.#ids, ...ids];
    }

    #askInTranscript(text) {
        const first = this.#ids.length === 0;
        const said = { system: m => `${m.content}\n`, user: m => `${ASKS} ${m.content}`, assistant: m => `${ANSWERS} ${m.content}` };
        const before = first ? this.#history.map(m => said[m.role](m)).join('') : '';
        const all = `${before}${ASKS} ${text}${ANSWERS}`;
        return [...this.#ids, ...this.#engine.tokenize(first ? all.trimStart() : all, { bos: first && this.#engine.addsBos })];
    }

    /** After generating: `ids` are those of ask(), `kept` the model's. */
    answered(ids, kept) {
        this.#ids = [...ids, ...kept];
    }
}
