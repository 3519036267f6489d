// Keeps the text and files of the message field over a reload, which an update or an error often asks for.
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
 * @param {{draft: {content: string, attachments: Attachment[]}, takeBack: (content: string, attachments:
 *     Attachment[]) => void}} chat
 */
export function keepDraft(chat) {
    const key = keyOf('draft'), fileKey = keyOf('draft-files');
    try {
        const content = takeKept(key), files = takeKept(fileKey);
        // A browser may have kept the words, too.
        if (content || files) chat.takeBack(chat.draft.content ? '' : content ?? '',
            JSON.parse(files ?? '[]'));
        const keep = () => {
            const {content, attachments} = chat.draft;
            put(key, content);
            put(fileKey, attachments.length ? JSON.stringify(attachments) : '');
        };
        addEventListener('pagehide', keep);
        addEventListener('visibilitychange', () => document.hidden && keep());
    } catch {
        // Storage is blocked.
    }
}
