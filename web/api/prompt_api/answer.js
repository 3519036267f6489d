// answer.js: one prompt of a session, from what is asked to the last word: the tools that the model calls on
// the way are run, and what fails or is aborted leaves nothing behind. Knows the library's sessions; not
// whose they are.

import {unlessAborted} from '../../base/abort.js';
import {exception} from './errors.js';

/**
 * @typedef {import('../../gemma.js').Session} Session
 * @typedef {import('../../gemma.js').ToolCall} ToolCall
 * @typedef {import('../../gemma.js').Message} Message
 * @typedef {import('./options.js').Tool} Tool
 * @typedef {{start: number}} Turn      how many messages the session had before
 * @typedef {object} Asked
 * @property {Message[]} messages
 * @property {import('../../gemma.js').ConstraintOptions} [constraint]
 * @property {Tool[]} tools
 * @property {number} rounds            how often tools may be called
 */

/** @param {Tool[]} tools */
export const toTools = (tools) =>
    tools.map(({name, description, inputSchema}) => ({name, description, parameters: inputSchema}));

/** @param {Tool[]} tools @param {ToolCall[]} calls @returns {Promise<Message[]>} */
function run(tools, calls) {
    return Promise.all(
        calls.map(async ({name, arguments: given}) => {
            const content = await tools.find((tool) => tool.name === name)?.execute(given);
            return {role: /** @type {const} */ ('tool'), name, content: `${content}`};
        }),
    );
}

/**
 * @param {Session} session @param {Asked} asked @param {AbortSignal} signal
 * @param {(piece: string) => void} onText
 */
async function converse(session, {messages, constraint, tools, rounds}, signal, onText) {
    let prompt = messages;
    for (let round = 0; ; round++) {
        const hasTools = tools.length > 0,
            toolChoice = hasTools ? (round < rounds ? 'auto' : 'none') : undefined;
        const answer = session.prompt(prompt, {
            signal,
            constraint,
            tools: hasTools ? toTools(tools) : undefined,
            toolChoice,
        });
        for await (const piece of answer) onText(piece);
        const {finishReason, constraint: how, toolCalls} = await answer.result;
        signal.throwIfAborted();
        if (finishReason === 'abort') throw exception('AbortError', 'The session was closed.');
        if (how === 'cut' && constraint)
            throw exception(
                'SyntaxError',
                'The answer ended before it was what responseConstraint describes.',
            );
        if (!toolCalls?.length) return;
        prompt = await unlessAborted(run(tools, toolCalls), signal);
    }
}

/**
 * @param {Session} session @param {Asked} asked @param {AbortSignal} signal
 * @param {(piece: string) => void} onText
 * @param {Turn} turn   what is dropped of the session meanwhile is taken off its start
 */
export async function answer(session, asked, signal, onText, turn) {
    try {
        await converse(session, asked, signal, onText);
    } catch (error) {
        // Where the model is gone there is nothing to take back; in a frame that is gone nothing can be read.
        if ((session.messages?.length ?? 0) > turn.start) await session.rewind(turn.start).catch(() => {});
        throw error;
    }
}
