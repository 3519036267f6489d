// Several tabs, one store: who downloads a model, and who uses it.
//
// Owns the locks and the channel by which tabs know of each other. A lock ends with its tab, however that ends. Where a browser has no Web
// Locks or refuses them (blocked cookies), every tab acts for itself, which costs a second download and never a wrong byte. Knows neither the store nor
// the network.

import {GemmaError} from '../../base/error.js';

/** What a tab that waits says first: the one that downloads may have nothing new to tell for a while. */
const ASK = 'how far?';

/**
 * Takes a lock.
 * @returns {Promise<(() => void) | undefined>} gives it back; undefined when it is not to be had at once and ifAvailable. Where there are no locks,
 *     nobody has one
 * @param {string} name
 * @param {LockOptions} options
 */
function take(name, {signal, ...options}) {
    return new Promise((resolve, reject) => {
        const refused = () => signal?.aborted ? reject(signal.reason) : resolve(() => {});
        try {
            /** @param {Lock | null} lock */
            const held = (lock) => lock ? new Promise((/** @type {(value?: undefined) => void} */ giveBack) => { resolve(() => giveBack()); }) : resolve(undefined);
            navigator.locks.request(name, {...options, ...signal && {signal}}, held).catch(refused);
        } catch {
            refused();
        }
    });
}

/** Takes a lock, however long that takes. @param {string} name @param {LockOptions} options @returns {Promise<() => void>} */
async function wait(name, options) {
    return await take(name, options) ?? (() => {});
}

/**
 * Says that a model is in use, so that no tab deletes it. Who only uses it has it in memory.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<() => void>} to be called when it no longer is
 */
export const use = (id, signal) => wait(`gemma-use ${id}`, {mode: 'shared', signal});

/**
 * The same for who reads what is stored, so that no tab puts another file in its place either.
 * @param {string} id
 * @param {AbortSignal} [signal]
 */
export const read = (id, signal) => wait(`gemma-read ${id}`, {mode: 'shared', signal});

/** Whether somebody else reads what is stored, besides who asks, who does so. @param {string} id */
export async function isReadElsewhere(id) {
    try {
        const {held} = await navigator.locks.query();
        return (held ?? []).filter(({name}) => name === `gemma-read ${id}`).length > 1;
    } catch {
        return false;       // there are no locks here
    }
}

/**
 * Does something that nobody may do to a model in use.
 * @param {string} id @param {string} name   for people
 * @param {() => Promise<T>} work
 * @param {string} [what]   it is, for people
 * @template T
 * @returns {Promise<T>}
 */
export async function unlessInUse(id, name, work, what = 'delete it') {
    const ends = [];
    try {
        for (const kind of ['use', 'read']) {
            const giveBack = await take(`gemma-${kind} ${id}`, {ifAvailable: true});
            if (!giveBack) throw new GemmaError('in-use', `${name} is in use, here or in another tab: close it there, then ${what}.`);
            ends.push(giveBack);
        }
        return await work();
    } finally {
        for (const giveBack of ends) giveBack();
    }
}

/**
 * Waits until no other tab downloads this model; what that tab says of its progress is passed on meanwhile.
 * @param {string} id
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('../file/progress.js').Progress) => void} [options.onElsewhere]
 * @returns {Promise<{waited: boolean, tell: (progress: import('../file/progress.js').Progress) => void, end: () => void}>}
 *     waited: the store may have changed; tell: shows the others how far this one is; end: lets the next tab
 */
export async function downloadTurn(id, {signal, onElsewhere = () => {}} = {}) {
    const name = `gemma-download ${id}`;
    /** @type {import('../file/progress.js').Progress | undefined} */
    let last;
    let channel = openChannel(name), giveBack = () => {};
    const turn = {
        waited: false,
        /** @param {import('../file/progress.js').Progress} progress */
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
            listen(({data}) => data !== ASK && onElsewhere(data));
            channel?.postMessage(ASK);
            giveBack = await wait(name, {signal});
        }
        listen(({data}) => data === ASK && last && channel?.postMessage(last));
        return turn;
    } catch (error) {
        turn.end();
        throw error;
    }

    /** @param {(event: MessageEvent) => void} listener */
    function listen(listener) {
        if (channel) channel.onmessage = listener;
    }
}

/**
 * @returns {BroadcastChannel | undefined} without one, a tab that waits does not see how far the other is
 * @param {string} name
 */
function openChannel(name) {
    try {
        return new BroadcastChannel(name);
    } catch {
        return undefined;
    }
}
