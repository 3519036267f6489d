// What a message that comes or goes changes, each within one transaction: the message, what is written of it,
// and what its conversation says of itself.

import {GemmaError} from '../../base/error.js';
import {newId} from './ids.js';
import {withPieces} from './journal.js';
import {titleOf} from './titles.js';
import {below, newestLeafBelow} from './tree.js';

/**
 * @typedef {import('./database.js').Tables} Tables
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {import('./types.js').Message} Message
 * @typedef {Partial<Message> & Pick<Message, 'role' | 'content' | 'parent'>} NewMessage
 */

/** The object stores that the functions below need. */
export const TABLES = ['conversations', 'messages', 'journal', 'search'];

/** @param {string} what @returns {never} */
export function missing(what) {
    throw new GemmaError('gone',
        `This ${what} is not there any more: it was deleted, here or in another tab.`);
}

/** @param {Partial<Summary>} options @returns {Summary} */
export function newSummary(options) {
    const now = Date.now(), title = options.title ?? '';
    return {
        kind: 'chat', created: now, updated: now, pinned: false, folder: '', ...options, title,
        isTitled: options.isTitled ?? title !== '', id: newId(), leaf: null, messages: 0,
    };
}

/** @param {string} conversation @param {NewMessage} message @returns {Message} */
export const newMessage = (conversation, message) => ({created: Date.now(), state: 'done', ...message,
    id: `${conversation}/${newId()}`, conversation});

/**
 * The shown branch ends at it then; the first one of a user gives the title. A conversation that was deleted
 * with its last message is there again.
 * @param {Tables} tables @param {Summary} summary @param {Message} message @returns {Summary}
 */
export function putMessage({messages, search}, {deleted, ...summary}, message) {
    messages.put(message.id, message);
    search.delete(summary.id);
    const title = summary.isTitled || summary.title || message.role !== 'user' ? summary.title
        : titleOf(message.content || message.attachments?.[0]?.name || '');
    return {...summary, ...deleted && summary.messages && {deleted}, title, leaf: message.id,
        messages: summary.messages + 1, updated: Date.now()};
}

/**
 * With all that follow it. A conversation that has no messages then is deleted, too.
 * @param {Tables} tables @param {Summary} summary @param {string} id
 * @returns {Promise<{summary: Summary, gone: Message[]}>}
 */
export async function removeFrom({messages, journal, search}, summary, id) {
    const [stored, pieces] = await Promise.all([messages.all(summary.id), journal.all(summary.id)]);
    const all = withPieces(stored, pieces), ids = below(all, id),
        message = all.find((each) => each.id === id) ?? missing('message');
    const gone = all.filter((each) => ids.has(each.id)), kept = all.filter((each) => !ids.has(each.id));
    for (const each of gone) {
        messages.delete(each.id);
        journal.deleteBelow(each.id);
    }
    search.delete(summary.id);
    const leaf = summary.leaf !== null && ids.has(summary.leaf) ? newestLeafBelow(kept, message.parent)
        : summary.leaf;
    return {summary: {...summary, messages: kept.length, leaf, ...!kept.length && {deleted: Date.now()}},
        gone};
}

/**
 * Where something was said since, that stays shown.
 * @param {Tables} tables @param {Summary} summary   as it is now
 * @param {{gone: Message[], leaf: string | null, left: string | null}} removed   leaf: before that;
 *     left: after it
 * @returns {Summary}
 */
export function putBack({messages, search}, {deleted: _, ...summary}, {gone, leaf, left}) {
    for (const each of gone) messages.put(each.id, each);
    search.delete(summary.id);
    return {...summary, messages: summary.messages + gone.length, leaf: summary.leaf === left ? leaf
        : summary.leaf};
}
