// What the service worker and the app's other tabs have asked of the network, for the view that lists it.
// Here from the beginning, since each request is reported once.
//
// Owns: the channel, which is also sw.js's. Must not know: how requests are shown.

import {later} from '../base/later.js';

/** @typedef {import('../base/asked.js').Asked} Asked */

const MOST_FILES = 5000;        // of the page's: browsers list the first 250 if nobody asks for more

/** Of the service worker, which tells each when it is over. @type {Asked[]} */
const told = [];
const channel = openChannel();

performance.setResourceTimingBufferSize(MOST_FILES);
channel?.addEventListener('message', ({data}) => {
    if (Array.isArray(data)) told.push(...data);
    // the other tab shows what it has
    if (data === 'tell') own().then((tab) => channel.postMessage({tab}), () => {});
});

/**
 * @returns {BroadcastChannel | undefined} none where storage is blocked: Firefox refuses channels, too, and
 *     there is no service worker then
 */
function openChannel() {
    try {
        return new BroadcastChannel(`gemma-requests ${new URL('.', document.baseURI).pathname}`);
    } catch {
        return undefined;
    }
}

/** Of this tab, and of the service worker as far as it has told this tab. */
async function own() {
    const {ownRequests} = await later(() => import('./data/asked.js')), {opened, requests} = ownRequests();
    return {opened, requests: [...told, ...requests]};
}

/** @param {HTMLElement} button @param {(error: Error) => void} onError */
export function offerRequests(button, onError) {
    button.onclick = () => later(() => import('./views/requests.js'))
        .then(({openRequests}) => openRequests(watchRequests)).catch(onError);
}

/**
 * Of all tabs and of the service worker, once and again whenever another tab answers.
 * @param {(all: {opened: number, requests: import('./data/asked.js').Request[]}) => void} show
 * @returns {Promise<() => void>} ends it
 */
export async function watchRequests(show) {
    const tabs = [await own()];
    const update = () => {
        const all = new Map(tabs.flatMap(({requests}) => requests).map((request) => [request.id, request]));
        show({opened: Math.min(...tabs.map(({opened}) => opened)),
            requests: [...all.values()].sort((a, b) => a.at - b.at)});
    };
    const listen = (/** @type {MessageEvent} */ {data}) => {
        if (!data.tab) return;
        tabs.push(data.tab);
        update();
    };
    channel?.addEventListener('message', listen);
    channel?.postMessage('tell');
    update();
    return () => channel?.removeEventListener('message', listen);
}
