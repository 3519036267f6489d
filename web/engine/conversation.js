// conversation.js: what a session remembers: the messages, and the exact ids of those that an answer has followed, so
// that each turn adds only its own. Knows turns and transcripts; not how tokens are generated.

import {GemmaError} from '../base/error.js';
import {later} from '../base/later.js';

const ASKS = '\nUser:', ANSWERS = '\nAssistant:';

/**
 * How a conversation is written: in turns of the model's own, or as plain text between "User:" and "Assistant:", for
 * models that have none.
 * @typedef {object} Style
 * @property {string} style     'transcript', or whose turns (GemmaPlan.chat_style)
 * @property {string[]} stops   texts that end an answer besides the end token
 * @property {boolean} leads    between a speaker's name and what he says stands a space
 */

/** @type {Style} */
export const TRANSCRIPT = {style: 'transcript', stops: [ASKS, ANSWERS], leads: true};

/**
 * @typedef {{name: string, arguments: Record<string, any>}} ToolCall
 * @typedef {{role: 'system' | 'user', content: string} | {role: 'assistant', content: string, toolCalls?: ToolCall[]} |
 *     {role: 'tool', name: string, content: string}} Message   toolCalls: at the end of what the assistant said; a
 *     tool's content: what it gave back
 * @typedef {{role: keyof typeof import('../base/constants.js').ROLES, content: string}} Turn   a tool's: in the tokens
 *     that the style "functions" has for tools
 * @typedef {{messages: number, ids: number, told: string, said?: number, isBare?: boolean}} Mark   after an answer:
 *     how many there were; told: the tools told of last; said: tokens of the last message, where known; isBare: as asked
 * @typedef {{messages: Message[], ids: number[], marks: Mark[], starts: number[]}} State
 * @typedef {{messages: Message[], told?: string, isBare?: boolean}} Asking   told: what the model must know of tools;
 *     isBare: the answer is constrained, so it begins without a space
 * @typedef {{ids: number[], begun: number[]}} Asked   the whole sequence to generate after; begun: those of them with
 *     which the answer begins
 * @typedef {{dropped: Message[], tokens: number}} Overflow   what a full context made a session forget, and how many
 *     tokens that were
 * @typedef {Pick<typeof import('../constraint/tools.js'), 'callText' | 'resultText' | 'functionTurns' |
 *     'declaring'>} ToolTexts
 */

/** @param {any} call */
const isToolCall = (call) => typeof call?.name === 'string' && typeof call.arguments === 'object' && call.arguments;

/** Whether that is a message, of which `toolCalls` may be null or undefined. @param {any} m @returns {m is Message} */
export function isMessage(m) {
    if (typeof m?.content !== 'string') return false;
    if (m.role === 'tool') return typeof m.name === 'string';
    if (!['system', 'user', 'assistant'].includes(m.role)) return false;
    return m.toolCalls === undefined || m.toolCalls === null || m.role === 'assistant' && Array.isArray(m.toolCalls)
        && m.toolCalls.every(isToolCall);
}

/** @param {Message[]} messages   from outside */
function checkMessages(messages) {
    const odd = messages.findIndex((m) => !isMessage(m));
    if (odd >= 0) {
        throw new GemmaError('bad-argument',
            `A message is ${JSON.stringify(messages[odd])}; {role: system, user or assistant, content: text} is expected, or {role: tool, ` +
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
        if (!needsTools(message) || !texts)
            turns.push({role: message.role === 'tool' ? 'user' : message.role, content: message.content});
        else if (message.role === 'tool') {
            const last = turns.at(-1), text = texts.resultText(message);
            if (last && messages[i - 1]?.role === 'tool') last.content += `\n${text}`;
            else turns.push({role: 'user', content: text});
        } else if (message.role === 'assistant') {
            turns.push({role: 'assistant', content: message.content
                + message.toolCalls?.map((call) => texts.callText(call)).join('\n')});
        }
    });
    return turns;
}

/**
 * What an answer may continue.
 * @param {Message | undefined} message
 * @returns {message is Message & {role: 'assistant'}}
 */
const isBegun = (message) => message?.role === 'assistant' && !message.toolCalls?.length;

/** @returns {Mark} */
const beginning = () => ({messages: 0, ids: 0, told: ''});

export class Conversation {
    #engine;
    #style;
    /** @type {Message[]} */
    #messages = [];
    /** Of the messages up to the last mark. @type {number[]} */
    #ids = [];
    #marks = [beginning()];
    /** Where exchanges begin: a user's messages with all that follows up to the next ones. @type {number[]} */
    #starts = [];
    /** @type {ToolTexts | undefined} */
    #texts;

    /**
     * @param {import('./module.js').Module} engine
     * @param {Style} style
     * @param {Message[]} history              before the first prompt
     */
    constructor(engine, style, history) {
        this.#engine = engine;
        this.#style = style;
        this.add(history);
    }

    copy() {
        const copy = Conversation.resume(this.#engine, this.#style, this.state);
        copy.#texts = this.#texts;
        return copy;
    }

    /** What resume() makes the same conversation of. @returns {State} */
    get state() {
        return {messages: [...this.#messages], ids: [...this.#ids], marks: [...this.#marks], starts: [...this.#starts]};
    }

    /** @param {import('./module.js').Module} engine @param {Style} style @param {State} state */
    static resume(engine, style, {messages, ids, marks, starts}) {
        const conversation = new Conversation(engine, style, messages);
        conversation.#ids = ids;
        conversation.#marks = marks;
        conversation.#starts = starts;
        return conversation;
    }

    /**
     * One of which the first messages have been evaluated already.
     * @param {import('./module.js').Module} engine
     * @param {Style} style
     * @param {Message[]} messages
     * @param {number} asked   of these
     * @param {number[]} ids
     */
    static restore(engine, style, messages, asked, ids) {
        const conversation = new Conversation(engine, style, messages);
        conversation.#ids = ids;
        conversation.#marks.push({messages: asked, ids: ids.length, told: ''});
        return conversation;
    }

    /**
     * Before messages about tools are written: fetches the code that writes them.
     * @param {Message[]} messages @param {boolean} [hasTools]   the answer may call some
     */
    async prepare(messages, hasTools = false) {
        checkMessages(messages);
        if (hasTools || [...this.#messages, ...messages].some(needsTools))
            this.#texts ??= await later(() => import('../constraint/tools.js'));
    }

    /** How the model is told of tools, and how it calls them. @returns {import('../constraint/tools.js').ToolStyle} */
    get toolStyle() {
        return this.#style.style === 'functions' ? 'function' : 'json';
    }

    /** All that has been said, a copy. */
    get messages() {
        return [...this.#messages];
    }

    /** How many of the messages are in the ids. */
    get asked() {
        return this.#last.messages;
    }

    /** Of what has been asked and answered. */
    get ids() {
        return this.#ids;
    }

    /** Strings that end the model's turn besides its end token. */
    get stops() {
        return this.#style.stops;
    }

    get trimsAnswers() {
        return this.#style.leads;
    }

    get #last() {
        return /** @type {Mark} */ (this.#marks.at(-1));
    }

    /** Messages that no answer has followed yet. @param {Message[]} messages */
    add(messages) {
        checkMessages(messages);
        messages.forEach((message, i) => {
            if (message.role === 'user' && messages[i - 1]?.role !== 'user')
                this.#starts.push(this.#messages.length + i);
        });
        this.#messages.push(...messages);
    }

    /** @param {Asking} asking @returns {Asked} */
    ask({messages, told = '', isBare}) {
        checkMessages(messages);
        const {asked} = this, isTold = told === '' || told === this.#last.told;
        // With no new message, the answer continues the last one as it stands.
        if (!messages.length && asked === this.#messages.length && isTold && this.#ids.length
            && isBegun(this.#messages.at(-1))) return this.#standing(isBare);
        return this.#write([...this.#messages.slice(asked), ...this.#telling(isTold ? '' : told), ...messages],
            this.#ids, isBare);
    }

    /** The last answer, to be continued. @param {boolean} [isBare] @returns {Asked} */
    #standing(isBare) {
        const {said, isBare: wasBare} = this.#last, ids = this.#ids, hasSpace = isBare && !wasBare && this.#style.leads;
        return said === undefined || hasSpace ? this.#write(this.#messages, [], isBare)
            : {ids, begun: ids.slice(ids.length - said)};
    }

    /** What a system's message says of tools. @param {string} told @returns {Message[]} */
    #telling(told) {
        if (told === '') return [];
        const message = {role: /** @type {const} */ ('system'), content: told};
        this.#texts?.declaring.add(message);
        return [message];
    }

    /**
     * @param {Message[]} messages
     * @param {number[]} before   ids of a conversation that they continue; none: they begin one
     * @param {boolean} [isBare] @returns {Asked}
     */
    #write(messages, before, isBare = false) {
        const last = messages.at(-1), first = before.length === 0;
        if (!isBegun(last)) return {ids: [...before, ...this.#turns(messages, first)], begun: []};
        // The given beginning of an answer is written as the model would write it: with its own tokens, and
        // untrimmed.
        const earlier = messages.slice(0, -1), opened = [...before, ...this.#turns(earlier, first)];
        const open = isBegun(earlier.at(-1)) ? [...opened, ...this.#turns([], false)] : opened;
        const begun = last.content ? this.#engine.tokenize(this.#style.leads && !isBare ? ` ${last.content}`
            : last.content) : [];
        return {ids: [...open, ...begun], begun};
    }

    /**
     * Ids of messages, and of the beginning of an answer after them.
     * @param {Message[]} messages
     * @param {boolean} first
     * @returns {number[]}
     */
    #turns(messages, first) {
        const turns = this.#texts && this.toolStyle === 'function' ? this.#texts.functionTurns(messages)
            : toTurns(messages, this.#texts);
        return this.#style === TRANSCRIPT ? this.#transcript(turns, first) : this.#engine.chat(turns, {first});
    }

    /** @param {Turn[]} messages @param {boolean} first */
    #transcript(messages, first) {
        /** @type {Record<Turn['role'], (m: Turn) => string>} */
        const said = {
            system: (m) => `\n${m.content}\n`, user: (m) => `${ASKS} ${m.content}`,
            assistant: (m) => `${ANSWERS} ${m.content}`,
            tool: (m) => `${ASKS} ${m.content}`,
        };
        const text = messages.map((m) => said[m.role](m)).join('') + (messages.at(-1)?.role === 'assistant'
            ? '' : ANSWERS);
        return this.#engine.tokenize(first ? text.trimStart() : text, {bos: first && this.#engine.addsBos});
    }

    /** How many tokens there are so far. */
    get length() {
        return this.asked === this.#messages.length ? this.#ids.length : this.ask({messages: []}).ids.length;
    }

    /**
     * After generating.
     * @param {Asking} asking   as ask() had it
     * @param {Asked & {kept: number[]}} tokens   of ask(), and the model's
     * @param {Omit<Message & {role: 'assistant'}, 'role'>} answer
     */
    answered({messages, told, isBare}, {ids, begun: given, kept}, answer) {
        this.add(messages);
        const last = this.#messages.at(-1), begun = isBegun(last) ? last.content : undefined;
        if (begun !== undefined) this.#messages.pop();
        this.#messages.push({role: 'assistant', ...answer, content: (begun ?? '') + answer.content});
        this.#ids = [...ids, ...kept];
        this.#marks.push({messages: this.#messages.length, ids: this.#ids.length, told: told || this.#last.told,
            said: given.length + kept.length, isBare});
    }

    /** Forgets all messages but the first n. @param {number} n   a whole number */
    rewind(n) {
        this.#messages.length = Math.min(n, this.#messages.length);
        while (this.#last.messages > n) this.#marks.pop();
        this.#ids = this.#ids.slice(0, this.#last.ids);
        this.#starts = this.#starts.filter((start) => start < n);
    }

    /**
     * Makes what is asked fit by forgetting the oldest exchanges, as few as do. Messages of the system, the first
     * `pinned` ones and those that are asked are never among them, and what tools gave back stays with its call.
     * @param {Asking} asking
     * @param {number} most       tokens
     * @param {number} pinned
     * @param {number} [wanted]   tokens, where that can be: then more is forgotten
     * @returns {Overflow | undefined}   undefined: it does not fit, and nothing is forgotten
     */
    drop({messages, told = '', isBare}, most, pinned, wanted = most) {
        const all = this.#messages, isNew = messages[0]?.role === 'user';
        /** @param {number} i   of a message @returns {number} of its exchange */
        const exchange = (i) => this.#starts.findLastIndex((start) => start <= i);
        const newest = isNew ? Infinity : exchange(all.length);
        const droppable = all.map((message, i) => i < pinned || message.role === 'system' || exchange(i) >= newest
            ? Infinity : exchange(i));
        const which = [...new Set(droppable)].filter(Number.isFinite);
        /** @param {number} n   of the oldest exchanges to forget */
        const without = (n) => all.filter((_, i) => !which.slice(0, n).includes(droppable[i]));
        const length = (/** @type {number} */ n) => this.#write([...without(n), ...this.#telling(told), ...messages],
            [], isBare).ids.length;
        if (!which.length || length(which.length) > most) return undefined;
        let low = 1, high = which.length;
        while (low < high) {
            const middle = low + high >> 1;
            if (length(middle) <= wanted) high = middle;
            else low = middle + 1;
        }
        const before = this.length;
        return {dropped: this.#forget((i) => which.slice(0, low).includes(droppable[i])), tokens: before - this.length};
    }

    /** @param {(i: number) => boolean} isOld   of a message @returns {Message[]} */
    #forget(isOld) {
        const all = this.#messages, kept = all.flatMap((_, i) => isOld(i) ? [] : [i]),
            dropped = all.filter((_, i) => isOld(i));
        this.#messages = kept.map((i) => all[i]);
        this.#starts = this.#starts.filter((start) => !isOld(start)).map((start) => kept.indexOf(start));
        this.#ids = [];
        this.#marks = [beginning()];
        return dropped;
    }
}
