// Several servers of one file, with patience: what is asked for again, when, and of which of them.
//
// request.js knows a single request, line.js how many at once. Knows nothing of pieces, nor whether answers belong together.

import {createAsker} from './request.js';

const OFFLINE_MS = 5000;        // between trials while the browser says that there is no network, which it may be wrong in
const OTHER_NODES = 3;          // are asked at once for the version that was begun, where a host's nodes have different ones

/**
 * How long to go on in trouble.
 * @typedef {object} Patience
 * @property {number} tries      in a row without a new byte, at each server
 * @property {number} pauseMs    before the second one; doubled each time, less up to a half by chance
 * @property {number} longestMs  of a pause that a server asks for
 * @property {number} stallMs    without a byte, after which a connection counts as broken
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {() => AsyncGenerator<Uint8Array>} packets   the bytes as they come; leaving the loop ends the connection
 * @property {(error: import('./request.js').RequestError) => Error} broke   its connection ended too early: returns the error
 * @property {(letGo: () => void) => void} lend   nobody reads it yet: other requests may need its connection
 * @property {() => void} drop   lets it go without reading it
 */

/**
 * @param {object} options
 * @param {string[]} options.urls     copies of the same file, the preferred one first
 * @param {string} options.name       of the file, for people
 * @param {string} options.home       see request.js
 * @param {Record<string, string>} [options.headers]
 * @param {boolean} options.knownGood the file has been there before
 * @param {import('./line.js').Line} options.line
 * @param {(sentence?: string) => void} options.onWait
 * @param {AbortSignal} [options.signal]
 * @param {Patience} options.patience
 */
export function createServers({urls, name, home, headers, knownGood, line, onWait, signal, patience}) {
    const asker = createAsker({name, home, headers, signal, stallMs: patience.stallMs});
    /** Servers that gave something; and those that will not, with the reason. */
    const good = new Set(knownGood ? urls.keys() : []), useless = new Map();
    const isHere = urls.every((url) => /^(localhost|127\.|\[::1\])/.test(new URL(url).host));
    let current = 0;
    return {ask, persist, site, current: () => current};

    /** For people. @param {number} server */
    function site(server) {
        return new URL(urls[server]).host;
    }

    /**
     * @param {number} server
     * @param {{address?: string, order?: number, range?: string, method?: 'GET' | 'HEAD', isModel?: boolean}} [options]   order: in which what waits
     *     is wanted
     * @returns {Promise<Answer>}   its place in the line is held until it has been read or dropped
     */
    async function ask(server, {address = urls[server], order = 0, ...request} = {}) {
        const {host} = new URL(address);
        const place = await line.enter(host, order, signal);
        let own = 0;
        const failed = (error) => {
            const isOneTooMany = place.leave(error?.busy);
            return error?.busy ? Object.assign(error, {own, isOneTooMany, passing: error.passing || isOneTooMany}) : error;
        };
        let response;
        try {
            response = await asker.ask(address, {...request, knownGood: good.has(server)});
        } catch (error) {
            throw failed(error);
        }
        return {
            status: response.status, headers: response.headers, broke: failed, lend: place.lend,
            async* packets() {
                place.lend();
                try {
                    for await (const packet of asker.packets(response, host)) {
                        place.arrived(packet.length);
                        own += packet.length;
                        yield packet;
                    }
                } catch (error) {
                    throw failed(error);
                } finally {
                    place.leave();
                }
            },
            drop() {
                response.body?.cancel().catch(() => {});
                place.leave();
            },
        };
    }

    /**
     * Has `attempt` made at one server after the other until it goes well: at the next one at once, at the same one after a pause. While bytes come
     * by other requests, nothing has failed.
     * @template T
     * @param {(server: number) => Promise<T>} attempt   rejects with a RequestError; isOther: it is another version of the file
     * @param {{skip?: number, gained?: () => boolean}} [options]   gained: whether new bytes have come since it was last asked
     * @returns {Promise<T>}
     */
    async function persist(attempt, {skip = 0, gained = () => false} = {}) {
        let failures = 0, others = 0, arrived = line.arrived();
        for (let server = (current + skip) % urls.length; ;) {
            if (useless.size === urls.length) throw useless.get(0);
            if (useless.has(server)) {
                server = (server + 1) % urls.length;
                continue;
            }
            signal?.throwIfAborted();
            try {
                const got = await attempt(server);
                good.add(server);
                current = server;
                if (failures) onWait();
                return got;
            } catch (error) {
                if (signal?.aborted) throw signal.reason;
                if (error.isOther && ++others <= OTHER_NODES) continue;
                if (!error.passing) {
                    useless.set(server, error);
                    continue;
                }
                const offline = !isHere && globalThis.navigator?.onLine === false;
                const isMoving = gained() || line.arrived() - arrived > (error.own ?? 0) || error.isOneTooMany;
                arrived = line.arrived();
                failures = isMoving || offline ? 1 : failures + 1;
                const alive = urls.length - useless.size, rounds = Math.floor(failures / alive);
                if (rounds >= patience.tries || !isMoving && error.retryAfterMs > patience.longestMs) throw error;
                server = (server + 1) % urls.length;
                if (failures % alive) continue;
                if (offline) onWait('There is no network; this continues when it is back.');
                else if (!error.isOneTooMany) onWait(`${error.message.replace(/; try again.*$/, '').replace(/\.$/, '')}; trying again.`);
                const backOff = patience.pauseMs * 2 ** (rounds - 1) * (0.5 + Math.random() / 2);
                await pause(offline ? OFFLINE_MS : Math.max(backOff, Math.min(error.retryAfterMs, patience.longestMs)), signal);
            }
        }
    }
}

/** Ends sooner when the network comes back. */
function pause(ms, signal) {
    return new Promise((resolve, reject) => {
        const over = new AbortController();
        const end = (then) => {
            clearTimeout(timer);
            over.abort();
            then();
        };
        const timer = setTimeout(() => end(resolve), ms);
        globalThis.addEventListener?.('online', () => end(resolve), {signal: over.signal});
        signal?.addEventListener('abort', () => end(() => reject(signal.reason)), {signal: over.signal});
        if (signal?.aborted) end(() => reject(signal.reason));
    });
}
