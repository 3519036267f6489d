// Conversations that were deleted: they are only marked, and removed for good later. Owns what that removes.

/** @typedef {import('./database.js').Database} Database @typedef {import('./types.js').Summary} Summary */

/** Object stores that have something of a conversation, besides `conversations`. */
const PARTS = ['messages', 'journal', 'documents', 'search', 'states', 'vectors'];

/**
 * @param {Database} database
 * @param {string[]} ids
 * @param {number | undefined} deleted   when; undefined brings them back
 * @returns {Promise<Summary[]>} those that are there
 */
export function mark(database, ids, deleted) {
    return database.change(['conversations'], async ({conversations}) => {
        /** @type {Summary[]} */
        const found = (await Promise.all(ids.map((id) => conversations.get(id))))
            .filter((summary) => summary);
        const marked = found.map(({deleted: _, ...summary}) => deleted ? {...summary, deleted} : summary);
        for (const summary of marked) conversations.put(summary.id, summary);
        return marked;
    });
}

/**
 * Removes for good what was deleted.
 * @param {Database} database
 * @param {number} age   at least so long ago
 */
export function purge(database, age) {
    const before = Date.now() - age;
    return database.change(['conversations', ...PARTS], async ({conversations, ...parts}) => {
        for (const {id, deleted} of /** @type {Summary[]} */ (await conversations.all())) {
            if (!(deleted && deleted <= before)) continue;
            conversations.delete(id);
            for (const name of PARTS) {
                parts[name].delete(id);
                parts[name].deleteBelow(id);
            }
        }
    });
}
