// Embeddings of the files of a conversation, so that searching them after a reload computes only what is
// asked. Those that were used last stay, within a budget: they can be made anew, so nothing else ever gives
// way to them. Owns the object store `vectors`. Must not know how texts are cut.

/**
 * @typedef {import('./conversations.js').Conversations} Conversations
 * @typedef {{size: number, used: number}} Entry   the numbers have a record of their own, which is read alone
 */

/** Bytes of all, and of the passages of one file: of the smallest model some 25,000, and 6,000, passages. */
const LARGEST = 64e6, LARGEST_FILE = 16e6;
const NUMBERS = '/numbers';

/** What passages a model has read, in a name. @param {string} model @param {string[]} texts */
async function nameOf(model, texts) {
    const bytes = new TextEncoder().encode(JSON.stringify([model, ...texts])),
        digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Where the page has no digests, or its storage does not answer, they are made anew each time.
 * @param {Conversations} store
 * @param {string} conversation
 * @param {string} model   its id; '' for one that has none: nothing is kept of it
 * @returns {import('../files/finding.js').Kept | undefined}
 */
export function vectorsOf({database, isKept}, conversation, model) {
    if (!isKept || !model || !globalThis.crypto?.subtle) return undefined;
    const keyOf = async (/** @type {string[]} */ texts) => `${conversation}/${await nameOf(model, texts)}`;
    return {
        async read(texts) {
            const key = await keyOf(texts), found = await database.change(['vectors'], async ({vectors}) => {
                const [entry, numbers] = await Promise.all([vectors.get(key), vectors.get(key + NUMBERS)]);
                if (entry && numbers) vectors.put(key, {...entry, used: Date.now()});
                return entry && numbers && {length: entry.length, numbers};
            }).catch(() => undefined);
            if (!found) return [];
            const {numbers, length} = found;
            return Array.from({length: numbers.length / length}, (_, i) => numbers.slice(i * length,
                (i + 1) * length));
        },
        async keep(texts, made) {
            const length = made[0]?.length ?? 0, size = 4 * length * made.length;
            if (!size || size > LARGEST_FILE) return;
            const key = await keyOf(texts), numbers = new Float32Array(length * made.length);
            made.forEach((vector, i) => numbers.set(vector, i * length));
            await database.change(['vectors', 'conversations'], async (tables) => {
                const conversation = await tables.conversations.get(key.split('/')[0]);
                if (conversation) await put(tables.vectors, key, {size, length, used: Date.now()}, numbers);
            }).catch(() => {});      // the disk is full: they are made anew
        },
    };
}

/**
 * The ones that were used longest ago go.
 * @param {import('./database.js').Table} table
 * @param {string} key
 * @param {Entry & {length: number}} entry
 * @param {Float32Array} numbers
 */
async function put(table, key, entry, numbers) {
    const keys = (await table.keys()).filter((each) => each !== key && !each.endsWith(NUMBERS));
    /** @type {Entry[]} */
    const entries = await Promise.all(keys.map((each) => table.get(each)));
    const others = keys.map((each, i) => ({key: each, ...entries[i]})).sort((a, b) => a.used - b.used);
    let sum = others.reduce((all, {size}) => all + size, entry.size);
    for (const other of others) {
        if (sum <= LARGEST) break;
        table.delete(other.key);
        table.delete(other.key + NUMBERS);
        sum -= other.size;
    }
    table.put(key, entry);
    table.put(key + NUMBERS, numbers);
}
