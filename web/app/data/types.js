// What is kept of conversations, as types. Owns the words; there is no code here.

/**
 * @typedef {object} Summary   of a conversation or a document, as the list has it
 * @property {string} id
 * @property {'chat' | 'document'} kind
 * @property {string} title
 * @property {boolean} isTitled   by a person: then no message changes it
 * @property {number} created     milliseconds since 1970, as all times here
 * @property {number} updated     when something was written in it
 * @property {boolean} pinned
 * @property {string} folder      '' for none
 * @property {{id: string, name: string}} [model]
 * @property {Record<string, unknown>} [settings]
 * @property {string | null} leaf   the last message of the branch that is shown
 * @property {number} messages    on all branches
 * @property {number} [deleted]   when; it can be brought back until it is removed for good
 *
 * @typedef {object} Message   a node of its conversation's tree
 * @property {string} id          its conversation's id, '/', its own; in the order in which they were made
 * @property {string} conversation
 * @property {string | null} parent
 * @property {'system' | 'user' | 'assistant' | 'tool'} role
 * @property {string} content
 * @property {number} created
 * @property {'writing' | 'done' | 'stopped' | 'failed'} state
 * @property {string} [model]
 * @property {number} [seed]
 * @property {string} [finishReason]
 * @property {{tokens: number, cachedTokens: number, promptTokens: number, decodeTokens: number, decodeMs:
 *     number, prefillMs: number}} [figures]   decodeTokens: that were evaluated in decodeMs
 * @property {Attachment[]} [attachments]
 * @property {unknown[]} [toolCalls]
 * @property {string[]} [parts]   of an answer about files that were read part by part: what was answered
 *     about each, so far
 * @property {{file: number, end: number}} [readTo]   where the text of the last of these parts ends, and in
 *     which of the question's files; older versions did not keep it
 * @property {number} [lastAt]   where in the content of such an answer the answer to all begins
 *
 * @typedef {object} Attachment
 * @property {string} name
 * @property {string} type
 * @property {number} size        bytes of the file
 * @property {number} [tokens]    of its text
 * @property {string} text
 * @property {'first' | 'parts' | 'search' | 'found'} [how]   the model reads it where it does not fit the
 *     context: its first part, all parts in turn, or the passages that have to do with the question; 'found':
 *     such passages of a file that was attached before
 * @property {string} [asked]     what the model reads of it, where that isn't the whole text
 *
 * @typedef {{kind: 'list'} | {kind: 'conversation', id: string, message?: string, at?: number, text?:
 *     string}} Change message, at and text: only of an answer that another tab writes: `text` continues the
 *     message's content, which had `at` characters before. Who has another length reads the
 *     conversation again
 */

export {};
