// Whole conversations of an import, within one transaction. Knows no format.

/**
 * @typedef {import('./types.js').Summary} Summary
 * @typedef {import('./types.js').Message} Message
 * @typedef {{summary: Summary, messages: Message[], text?: string, apart?: string}} Whole   text: of a
 *     document; apart: its id where that of here has another text
 */

/**
 * @param {import('./database.js').Database} database
 * @param {Whole[]} wholes
 * @returns {Promise<{summaries: Summary[], messages: number}>} what is new, or has something new
 */
export function bring(database, wholes) {
    return database.change(['conversations', 'messages', 'documents', 'search'],
        async ({conversations, messages, documents, search}) => {
        /** @type {Summary[]} */
        const summaries = [];
        let count = 0;
        for (const {summary, messages: all, text, apart} of wholes) {
            const there = text === undefined ? undefined : await documents.get(summary.id),
                id = apart && there !== undefined && there !== text ? apart : summary.id;
            const [found, keys] = await Promise.all([conversations.get(id), messages.keys(id)]);
            const {deleted, ...kept} = found ?? {}, known = new Set(keys),
                fresh = all.filter((message) => !known.has(message.id));
            const isNew = !found || deleted;
            if (!isNew && !fresh.length) continue;
            for (const message of fresh) messages.put(message.id, message);
            if (!found && text !== undefined) documents.put(id, text);
            search.delete(id);
            // If it was continued here since, the branch that was shown here stays.
            const isNewer = !found || summary.updated >= found.updated,
                {leaf, updated} = isNewer ? summary : found;
            const whole = {...summary, ...kept, id, messages: known.size + fresh.length, leaf, updated};
            conversations.put(id, whole);
            summaries.push(whole);
            count += fresh.length;
        }
        return {summaries, messages: count};
    });
}
