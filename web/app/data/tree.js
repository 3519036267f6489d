// The tree of a conversation's messages: paths, branches, leaves. Pure, and safe with damaged trees: cycles,
// lost parents.

/** @typedef {import('./types.js').Message} Message */

/**
 * @param {Message[]} messages
 * @returns {Map<string | null, Message[]>} by parent, the oldest first. Whose parent is lost is a root
 */
function childrenOf(messages) {
    const ids = new Set(messages.map(({id}) => id));
    /** @type {Map<string | null, Message[]>} */
    const children = new Map();
    for (const message of messages) {
        const parent = message.parent !== null && ids.has(message.parent) ? message.parent : null;
        const siblings = children.get(parent);
        if (siblings) siblings.push(message);
        else children.set(parent, [message]);
    }
    for (const siblings of children.values()) siblings.sort(byAge);
    return children;
}

/** @param {Message} a @param {Message} b */
const byAge = (a, b) => a.created - b.created || (a.id < b.id ? -1 : 1);

/**
 * @param {Message[]} messages
 * @param {string | null} leaf
 * @returns {Message[]} from the root to the leaf; what a lost parent or a cycle cuts off is not in it
 */
export function pathTo(messages, leaf) {
    const byId = new Map(messages.map((message) => [message.id, message]));
    /** @type {Set<Message>} */
    const path = new Set();
    for (let at = byId.get(leaf ?? ''); at && !path.has(at); at = byId.get(at.parent ?? '')) path.add(at);
    return [...path].reverse();
}

/**
 * @param {Message[]} messages
 * @returns {(id: string) => Message[]} a message and those beside it, the oldest first
 */
export function siblingsIn(messages) {
    const found = new Map([...childrenOf(messages).values()].flatMap((siblings) =>
        siblings.map(({id}) => [id, siblings])));
    return (id) => found.get(id) ?? [];
}

/**
 * @param {Message[]} messages
 * @param {string} id
 * @returns {Message[]} the message and those beside it, the oldest first
 */
export const siblingsOf = (messages, id) => siblingsIn(messages)(id);

/**
 * @param {Message[]} messages
 * @param {string | null} id   null: of the whole conversation
 * @returns {string | null} the leaf at which one arrives who follows the newest message each time; `id` where
 *     nothing follows it
 */
export function newestLeafBelow(messages, id) {
    const children = childrenOf(messages), seen = new Set();
    let at = id;
    for (let next = children.get(at)?.at(-1); next && !seen.has(next); next = children.get(at)?.at(-1)) {
        seen.add(next);
        at = next.id;
    }
    return at;
}

/**
 * @param {Message[]} messages
 * @param {string} id
 * @returns {Set<string>} the message and all that follow it
 */
export function below(messages, id) {
    const children = childrenOf(messages), found = new Set([id]);
    for (const each of found) for (const child of children.get(each) ?? []) found.add(child.id);
    return found;
}
