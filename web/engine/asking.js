// asking.js: what is asked of a session, before it is evaluated: as messages, with what the model is told of
// tools, counted, and refused where it is too long. Knows conversations; not how tokens are generated.

import {GemmaError} from '../base/error.js';
import {later} from '../base/later.js';

const SHORT = 16; // characters a token, of texts that are simply tokenized

/**
 * @typedef {import('./worker_session.js').Host} Host
 * @typedef {import('./worker_session.js').Message} Message
 * @typedef {import('./worker_session.js').PromptOptions} PromptOptions
 * @typedef {import('./conversation.js').Conversation} Conversation
 */

/**
 * @param {string | Message[] | number[]} prompt @param {boolean} raw
 * @returns {{messages: Message[], given?: (module: Host['module']) => number[]}}   given: the tokens of a
 *   raw prompt
 */
export function readPrompt(prompt, raw) {
    if (typeof prompt === 'string') {
        return {
            messages: [{role: 'user', content: prompt}],
            ...(raw && {given: (module) => module.tokenize(prompt, {bos: module.addsBos})}),
        };
    }
    const isIds =
        Array.isArray(prompt)
        && prompt.length > 0
        && prompt.every((id) => typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 31);
    if (raw && isIds) return {messages: [], given: () => /** @type {number[]} */ (prompt)};
    if (!raw && Array.isArray(prompt)) return {messages: /** @type {Message[]} */ (prompt)};
    throw new GemmaError(
        'bad-argument',
        raw
            ? 'A raw prompt must be a string or an array of token ids.'
            : 'A prompt must be a string or an array of messages.',
    );
}

/**
 * @param {Conversation} conversation
 * @param {Pick<PromptOptions, 'tools' | 'toolChoice'> & {prompt: string | Message[]}} asked
 * @returns {Promise<number>} tokens that a prompt adds
 */
export async function countTokens(conversation, {prompt, ...asked}) {
    const {messages} = readPrompt(prompt, false),
        calling = await openTools({...asked, style: conversation.toolStyle});
    const told = calling?.instruction ?? '';
    await conversation.prepare(messages, told !== '');
    return conversation.ask({messages, told}).ids.length - conversation.length;
}

/** @param {number} requested   tokens @param {number} contextLength @param {string} [least] */
export function contextFull(requested, contextLength, least = '') {
    return new GemmaError(
        'context-full',
        `The conversation with this prompt has ${least}${requested} tokens, the context holds ${contextLength}; `
            + 'shorten it, or load with a larger context.',
        {requested, contextLength},
    );
}

/**
 * The room of tools is fetched when it is first needed.
 * @param {Parameters<typeof import('../constraint/tool_answer.js').ToolAnswer.open>[0]} asked
 */
export async function openTools(asked) {
    if (!asked.tools && asked.toolChoice === undefined) return undefined;
    return (await later(() => import('../constraint/tool_answer.js'))).ToolAnswer.open(asked);
}

/**
 * Throws for a text that has more tokens than the context holds, however it is cut, before memory is
 * allocated for them.
 * @param {Pick<Host, 'module' | 'contextLength'>} host
 * @param {string[]} texts
 * @param {number} tokensBefore
 */
export function refuseTooLong({module, contextLength}, texts, tokensBefore) {
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    if (length < SHORT * contextLength) return;
    const tokens = tokensBefore + Math.ceil(length / module.longestToken);
    if (tokens <= contextLength) return;
    throw contextFull(tokens, contextLength, 'at least ');
}
