// Several tabs, one store: who downloads a model, and who uses it.
//
// Owns the locks and the channel by which tabs know of each other. A lock ends with its tab, however that
// ends. Where a browser has no Web Locks or refuses them (blocked cookies), every tab acts for itself, which
// costs a second download and never a wrong byte. Knows neither the store nor the network.

import {GemmaError} from '../../base/error.js';

/**
 * What a tab that waits says now and then: the one that downloads may have nothing new to tell for a while,
 * and still answers.
 */
const ASK = 'how far?';
// A tab that answers none of so many is frozen, as phones freeze tabs in the background.
const ASK_MS = 1000, SILENT_ASKS = 15;

/**
 * Takes a lock.
 * @returns {Promise<(() => void) | undefined>} gives it back; undefined when it is not free at once and
 *     ifAvailable. Where there are no locks, none is ever held
 * @param {string} name
 * @param {LockOptions & {onLost?: () => void}} options   onLost: another has stolen it
 */
function take(name, {signal, onLost = () => {}, ...options}) {
    return new Promise((resolve, reject) => {
        let isHeld = false;
        const refused = () => isHeld ? onLost() : signal?.aborted ? reject(signal.reason) : resolve(() => {});
        try {
            /** @param {Lock | null} lock */
            const held = (lock) => lock
                ? new Promise((/** @type {(value?: undefined) => void} */ giveBack) => {
                isHeld = true;
                resolve(() => giveBack());
            }) : resolve(undefined);
            navigator.locks.request(name, {...options, ...signal && {signal}}, held).catch(refused);
        } catch {
            refused();
        }
    });
}

/**
 * Takes a lock, however long that takes.
 * @param {string} name
 * @param {LockOptions & {onLost?: () => void}} options
 * @returns {Promise<() => void>}
 */
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
 * The same while what is stored is read, so that no tab replaces it, either.
 * @param {string} id
 * @param {AbortSignal} [signal]
 */
export const read = (id, signal) => wait(`gemma-read ${id}`, {mode: 'shared', signal});

/** Whether what is stored has another reader than the caller, which reads it too. @param {string} id */
export async function isReadElsewhere(id) {
    try {
        const {held} = await navigator.locks.query();
        return (held ?? []).filter(({name}) => name === `gemma-read ${id}`).length > 1;
    } catch {
        return false;       // there are no locks here
    }
}

/**
 * Does something that must not be done to a model in use.
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
            if (!giveBack) throw new GemmaError('in-use',
                `${name} is in use, here or in another tab: close it there, then ${what}.`);
            ends.push(giveBack);
        }
        return await work();
    } finally {
        for (const giveBack of ends) giveBack();
    }
}

/**
 * @typedef {object} Turn
 * @property {boolean} waited   the store may have changed
 * @property {boolean} isLost   this tab was frozen, and another has taken the turn: it may store nothing more
 * @property {(progress: import('../file/progress.js').Progress) => void} tell   shows the others how far
 *     this one is
 * @property {() => void} end   lets the next tab
 */

/**
 * Waits until no other tab downloads this model; what that tab says of its progress is passed on meanwhile.
 * @param {string} id
 * One that is frozen is not waited for.
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('../file/progress.js').Progress) => void} [options.onElsewhere]
 * @returns {Promise<Turn>}
 */
export async function downloadTurn(id, {signal, onElsewhere = () => {}} = {}) {
    const name = `gemma-download ${id}`;
    /** @type {import('../file/progress.js').Progress | undefined} */
    let last;
    let channel = openChannel(name), giveBack = () => {};
    const turn = {
        waited: false,
        isLost: false,
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
    const onLost = () => { turn.isLost = true; };
    try {
        const atOnce = await take(name, {ifAvailable: true, onLost});
        turn.waited = !atOnce;
        giveBack = atOnce ?? await waitForIt();
        listen(({data}) => data === ASK && channel?.postMessage(last ?? null));
        return turn;
    } catch (error) {
        turn.end();
        throw error;
    }

    /** Takes the turn of one that says nothing. */
    async function waitForIt() {
        const stopping = new AbortController(), stop = signal ? AbortSignal.any([signal, stopping.signal])
            : stopping.signal;
        let silent = 0;
        listen(({data}) => {
            silent = 0;
            if (data !== ASK && data) onElsewhere(data);
        });
        channel?.postMessage(ASK);
        const timer = channel && setInterval(() => {
            if (++silent > SILENT_ASKS) stopping.abort();
            else channel?.postMessage(ASK);
        }, ASK_MS);
        try {
            return await wait(name, {signal: stop, onLost});
        } catch (error) {
            if (!stopping.signal.aborted || signal?.aborted) throw error;
            return await wait(name, {steal: true, onLost});
        } finally {
            clearInterval(timer);
        }
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
