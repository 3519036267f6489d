// As many conversations as somebody has after years, as a file that the app imports.
//
// Owns: what is in them. Must not know: pages.

const WORDS = 'the sea keeper light ship lamp book harbour evening counts writes stands between stones salt wind window answer question morning'.split(' ');
/** Of so many digits that none is a part of another. */
export const FIRST_NEEDLE = 10_000;
const DAY_MS = 864e5, FIRST = Date.UTC(2025, 0, 1);

/**
 * @param {number} conversations
 * @param {number} messages   of each; the last of each has "needle" and a unique number, from FIRST_NEEDLE on
 * @returns {string} JSON
 */
export function manyConversations(conversations, messages) {
    let random = 1;
    const next = (n) => (random = random * 16807 % 2147483647) % n,
        text = (words) => Array.from({length: words}, () => WORDS[next(WORDS.length)]).join(' ');
    const all = Array.from({length: conversations}, (_, c) => {
        const id = `many${c}`, created = FIRST + c * DAY_MS;
        return {
            id, kind: 'chat', title: text(5), isTitled: true, folder: '', pinned: false, created,
            updated: created, leaf: `${id}/${messages - 1}`,
            messages: Array.from({length: messages}, (_, m) => ({
                id: `${id}/${m}`, conversation: id, parent: m ? `${id}/${m - 1}` : null, role: m % 2
                    ? 'assistant' : 'user', created: created + m, state: 'done',
                content: m === messages - 1 ? `${text(20)} needle ${FIRST_NEEDLE + c}.`
                    : text(m % 2 ? 60 : 12),
            })),
        };
    });
    return JSON.stringify({
        format: 'gemma-wasm', version: 1, exported: FIRST, presets: [], conversations: all,
    });
}
