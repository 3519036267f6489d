// How much room the browser gives this site, against what a model needs. Knows neither the network nor what
// is done about it.

/**
 * @typedef {object} Room
 * @property {boolean} enough      true also where the browser does not say
 * @property {number} needed       bytes that would still have to be stored
 * @property {number} [free]       bytes; undefined where the browser does not say
 * @property {number} [quota]      bytes that this site may use
 * @property {number} [usage]      bytes that it uses
 * @property {{id: string, name: string, storedBytes: number, lastUsed: number}[]} deletable   other models
 *     that are stored here, the one that was used longest ago first
 */

/**
 * @param {number} needed   bytes
 * @param {{id: string, name: string, storedBytes: number, lastUsed: number}[]} others   models that could
 *     be deleted
 * @returns {Promise<Room>}
 */
export async function lookForRoom(needed, others) {
    const {quota, usage = 0} = await estimate();
    const deletable = others.filter(({storedBytes}) => storedBytes > 0)
        .sort((a, b) => a.lastUsed - b.lastUsed);
    if (quota === undefined) return {enough: true, needed, deletable};
    const free = Math.max(0, quota - usage);
    return {enough: free >= needed, needed, free, quota, usage, deletable};
}

/** What the browser says of its storage; nothing where it refuses to. @returns {Promise<StorageEstimate>} */
async function estimate() {
    try {
        return await globalThis.navigator?.storage?.estimate?.() ?? {};
    } catch {
        return {};
    }
}

/** What is missing, in sentences with their full stops. @param {Room} room */
export function describeRoom({needed, free, deletable}) {
    const numbers = `This site has too little free storage: ${megabytes(needed)} needed, ${megabytes(free)} free.`;
    if (!deletable.length) return numbers;
    const names = deletable.slice(0, 3).map(({name, storedBytes}) => `${name} (${megabytes(storedBytes)})`);
    return `${numbers} What could be deleted: ${names.join(', ')}.`;
}

/** @param {number | undefined} bytes */
function megabytes(bytes = 0) {
    return `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;
}
