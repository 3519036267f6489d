// Several tabs, one store: who downloads a model, and who uses it.
//
// Owns the locks and the channel by which tabs know of each other. A lock ends with its tab, however that ends. Where a browser has no Web
// Locks, every tab acts for itself, which costs a second download and never a wrong byte. Knows neither the store nor the network.

import {GemmaError} from '../engine/error.js';

const locks = globalThis.navigator?.locks;

/** What a tab that waits says first: the one that downloads may have nothing new to tell for a while. */
const ASK = 'how far?';

/** Takes a lock. @returns {Promise<(() => void) | undefined>} gives it back; undefined when it is not to be had at once and ifAvailable */
function take(name, options) {
    return new Promise((resolve, reject) => {
        locks.request(name, options, (lock) => lock ? new Promise((giveBack) => resolve(giveBack)) : resolve(undefined)).catch(reject);
    });
}

/**
 * Says that a model is in use, so that no tab deletes it.
 * @param {string} id
 * @returns {Promise<() => void>} to be called when it no longer is
 */
export async function use(id) {
    return locks ? take(`gemma-use ${id}`, {mode: 'shared'}) : () => {};
}

/**
 * Does something that nobody may do to a model in use.
 * @param {string} id @param {string} name   for people
 * @param {() => Promise<void>} work
 */
export async function unlessInUse(id, name, work) {
    const giveBack = locks ? await take(`gemma-use ${id}`, {ifAvailable: true}) : () => {};
    if (!giveBack) throw new GemmaError('in-use', `${name} is in use, here or in another tab: close it there, then delete it.`);
    try {
        await work();
    } finally {
        giveBack();
    }
}

/**
 * Waits until no other tab downloads this model; what that tab says of its progress is passed on meanwhile.
 * @param {string} id
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('./progress.js').Progress) => void} [options.onElsewhere]
 * @returns {Promise<{waited: boolean, tell: (progress: import('./progress.js').Progress) => void, end: () => void}>}
 *     waited: the store may have changed; tell: shows the others how far this one is; end: lets the next tab
 */
export async function downloadTurn(id, {signal, onElsewhere = () => {}} = {}) {
    if (!locks) return {waited: false, tell() {}, end() {}};
    const name = `gemma-download ${id}`;
    let channel = new BroadcastChannel(name), giveBack = () => {}, last;
    const turn = {
        waited: false,
        tell(progress) {
            last = progress;
            channel?.postMessage(progress);
        },
        end() {
            channel?.close();
            channel = undefined;
            giveBack();
        },
    };
    try {
        const atOnce = await take(name, {ifAvailable: true});
        turn.waited = !atOnce;
        if (atOnce) giveBack = atOnce;
        else {
            channel.onmessage = ({data}) => data !== ASK && onElsewhere(data);
            channel.postMessage(ASK);
            giveBack = await take(name, {signal});
        }
        channel.onmessage = ({data}) => data === ASK && last && channel.postMessage(last);
        return turn;
    } catch (error) {
        turn.end();
        throw error;
    }
}
