// Keeps the text and files of the message field, and edits of messages, over a reload, which an update or an
// error often asks for.
// They last as long as the tab, also on a phone that ends pages in the background without a word.
//
// Owns: where it is kept meanwhile. Must not know: conversations, how files are read.

import {keyOf} from './data/local.js';

/** @typedef {import('./data/types.js').Attachment} Attachment */

/** @param {string} key @returns {string | null} what stood there before the reload */
function takeKept(key) {
    const kept = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    return kept;
}

/** @param {string} key @param {string} value   '' for none */
function put(key, value) {
    try {
        sessionStorage.removeItem(key);
        if (value) sessionStorage.setItem(key, value);
    } catch {
        // It is too large.
    }
}

/**
 * @typedef {[string, string][]} Edits   of messages: ids and texts
 * @param {{draft: {content: string, attachments: Attachment[], edits: any[]}, takeBack: (content: string,
 *     attachments: Attachment[], edits: Edits) => void}} chat
 */
export function keepDraft(chat) {
    const key = keyOf('draft'), listKeys = [keyOf('draft-files'), keyOf('draft-edits')];
    try {
        const content = takeKept(key), [files, edits] = listKeys.map((one) => JSON.parse(takeKept(one) ?? '[]'));
        // A browser may have kept the words, too.
        if (content || files.length || edits.length)
            chat.takeBack(chat.draft.content ? '' : content ?? '', files, edits);
        const keep = () => {
            const {content, attachments, edits} = chat.draft;
            put(key, content);
            [attachments, edits].forEach((list, i) => put(listKeys[i], list.length ? JSON.stringify(list) : ''));
        };
        addEventListener('pagehide', keep);
        addEventListener('visibilitychange', () => document.hidden && keep());
    } catch {
        // Storage is blocked.
    }
}
