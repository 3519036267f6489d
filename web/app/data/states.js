// Saved sessions of conversations (their keys and values), so that one that is opened again need not be read
// again. Those that were used last stay, within a budget: they can be made anew, so nothing else ever gives
// way to them. Owns the object store `states`. Must not know what is in a session.

import {codeOf} from '../../base/error.js';

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {{model: string, dropped: number, size: number, used: number}} Entry   the bytes have a record of
 *     their own, which is read alone
 */

/** At most, and of what the browser would still give. */
const LARGEST = 512e6, SHARE = 0.25;
/** Where the browser does not say what it would give. */
const UNKNOWN = 128e6;

/** @param {string} id   of a conversation */
const bytesOf = (id) => `${id}/bytes`;

/** @param {number} used   by states @returns {Promise<number>} bytes */
async function budget(used) {
    try {
        const {quota, usage = 0} = await navigator.storage.estimate();
        return quota === undefined ? UNKNOWN : Math.min(LARGEST, Math.max(0, quota - usage + used) * SHARE);
    } catch {
        return UNKNOWN;
    }
}

/**
 * @param {import('./database.js').Tables} tables
 * @returns {Promise<[id: string, entry: Entry][]>} the one that was used longest ago first
 */
async function entries({states}) {
    const ids = (await states.keys()).filter((key) => !key.includes('/'));
    const all = await Promise.all(ids.map(async (id) => /** @type {[string, Entry]} */ ([id,
        await states.get(id)])));
    return all.sort(([, a], [, b]) => a.used - b.used);
}

/**
 * Keeps a session, in the place of the conversation's older one.
 * @param {Conversations} store
 * @param {string} conversation
 * @param {{model: string, dropped: number, bytes: Uint8Array}} state   model: its id; dropped: how many of
 *     the oldest messages the session has forgotten
 * @returns {Promise<boolean>} false where it is too large, or the browser gives no more: then there is none
 *     of this conversation
 */
export async function keepState(store, conversation, {model, dropped, bytes}) {
    const {isKept, database} = store, {byteLength: size} = bytes;
    if (!isKept) return false;
    const used = (await database.read(['states'], entries)).reduce((sum, [, entry]) => sum + entry.size, 0);
    // As bytes: WebKit's private windows never end a transaction that has a Blob.
    for (let limit = await budget(used); size <= limit;) {
        try {
            return await put(database, conversation, {model, dropped, size, used: Date.now()}, bytes, limit);
        } catch (error) {
            if (codeOf(error) !== 'no-room') break;
            limit = limit > size ? Math.max(size, limit / 4) : 0;
        }
    }
    return forgetState(store, conversation).then(() => false, () => false);
}

/**
 * Where it does not fit, older ones go.
 * @param {import('./database.js').Database} database
 * @param {string} conversation @param {Entry} entry @param {Uint8Array} kept @param {number} limit   bytes
 */
function put(database, conversation, entry, kept, limit) {
    return database.change(['states', 'conversations'], async (tables) => {
        if (!await tables.conversations.get(conversation)) return false;
        const others = (await entries(tables)).filter(([id]) => id !== conversation);
        let sum = others.reduce((all, [, {size}]) => all + size, entry.size);
        for (const [id, {size}] of others) {
            if (sum <= limit) break;
            forget(tables, id);
            sum -= size;
        }
        tables.states.put(conversation, entry);
        tables.states.put(bytesOf(conversation), kept);
        return true;
    });
}

/** @param {import('./database.js').Tables} tables @param {string} id */
function forget({states}, id) {
    states.delete(id);
    states.delete(bytesOf(id));
}

/**
 * @param {Conversations} store
 * @param {string} conversation
 * @param {{model: string}} wanted
 * @returns {Promise<{dropped: number, bytes: Uint8Array} | undefined>}
 */
export async function readState({database}, conversation, {model}) {
    try {
        return await database.change(['states'], async ({states}) => {
            const [entry, kept] = await Promise.all([states.get(conversation),
                states.get(bytesOf(conversation))]);
            if (!entry || !kept || entry.model !== model) return undefined;
            states.put(conversation, {...entry, used: Date.now()});
            return {dropped: entry.dropped ?? 0, bytes: kept};
        });
    } catch {
        return undefined;       // it is read anew
    }
}

/** @param {Pick<Conversations, 'database'>} store @param {string} conversation */
export function forgetState({database}, conversation) {
    return database.change(['states'], async (tables) => forget(tables, conversation));
}
