// What a session tells while it answers: pieces of text with what is known of their tokens, tool calls, how
// much of the prompt has been read. Must not know: where that is sent.

import {yieldTurn} from '../base/host.js';

/**
 * @typedef {import('./generate.js').TokenLogprobs} TokenLogprobs
 * @typedef {import('../constraint/tool_answer.js').ToolAnswer} ToolAnswer
 *
 * @typedef {{text: string, logprobs?: TokenLogprobs[]}
 *     | {tool: import('../constraint/tool_answer.js').ToolCallEvent}
 *     | {phase: 'prefill', done: number, total: number}
 *     | {overflow: import('./conversation.js').Overflow} & import('./worker_session.js').Held} PromptEvent
 * @typedef {{signal: AbortSignal, emit: (event: PromptEvent) => void}} Io
 * @typedef {Pick<Io, 'emit'> & Pick<import('./generate.js').Io, 'onToken'>} Teller
 */

/** Sends tokens' ids along with their texts. @param {(event: any) => void} emit @returns {Required<Teller>} */
export function withTokens(emit) {
    let /** @type {number[]} */ ids = [];
    return {
        onToken: (id) => ids.push(id),
        emit(event) {
            emit(ids.length ? {...event, ids} : event);
            ids = [];
        },
    };
}

/**
 * What generate() needs to be told and to tell.
 * @param {import('./scheduler.js').Scheduler} scheduler
 * @param {AbortSignal} signal
 * @param {Teller} teller
 * @param {ToolAnswer | undefined} calling   takes tool calls out of the text
 * @returns {import('./generate.js').Io}
 */
export function generateIo(scheduler, signal, {emit, onToken}, calling) {
    let /** @type {TokenLogprobs[]} */ untold = [];
    return {
        scheduler, turn: yieldTurn, aborted: () => signal.aborted,
        isStoppable: () => calling?.isStoppable ?? true,
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
