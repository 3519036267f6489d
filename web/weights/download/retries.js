// The retry rules: when a request that failed is made again, and of which of several servers.
//
// Owns the counting of failures and the pauses. Knows neither requests nor what is asked for.

// between trials while the browser says that there is no network, which it may be wrong in
const OFFLINE_MS = 5000;
// are asked at once for the version that was begun, where a host's nodes have different ones
const OTHER_NODES = 3;

/**
 * How long to continue in trouble.
 * @typedef {object} Patience
 * @property {number} tries      in a row without a new byte, at each server
 * @property {number} pauseMs    before the second one; doubled each time, less up to a half by chance
 * @property {number} longestMs  of a pause that a server asks for
 * @property {number} stallMs    without a byte, after which a connection counts as broken
 *
 * @typedef {object} Trial       what has failed since something was asked for
 * @property {number} failures   in a row without a new byte
 * @property {number} others     answers of another version
 * @property {number} arrived    bytes, of all requests, when it was last looked
 * @property {() => boolean} gained
 */

export class Retries {
    #urls;
    #line;
    #onWait;
    #signal;
    #patience;
    #isHere;
    /** Servers that gave something. @type {Set<number>} */
    #good;
    /** Those that will not, with the reason. @type {Map<number, unknown>} */
    #useless = new Map();
    #current = 0;

    /**
     * @param {object} options
     * @param {string[]} options.urls     of the servers, the preferred one first
     * @param {boolean} options.knownGood the file has been there before
     * @param {import('./line.js').Line} options.line
     * @param {(sentence?: string) => void} options.onWait
     * @param {AbortSignal} [options.signal]
     * @param {Patience} options.patience
     */
    constructor({urls, knownGood, line, onWait, signal, patience}) {
        this.#urls = urls;
        this.#line = line;
        this.#onWait = onWait;
        this.#signal = signal;
        this.#patience = patience;
        this.#isHere = urls.every((url) => /^(localhost|127\.|\[::1\])/.test(new URL(url).host));
        this.#good = new Set(knownGood ? urls.keys() : []);
    }

    /** The server that gave something last. */
    get current() {
        return this.#current;
    }

    /** @param {number} server */
    isGood(server) {
        return this.#good.has(server);
    }

    /**
     * Has `attempt` made at one server after the other until it goes well: at the next one at once, at the
     * same one after a pause. While bytes come by other requests, nothing has failed.
     * @template T
     * @param {(server: number) => Promise<T>} attempt   rejects with a RequestError
     * @param {{skip?: number, gained?: () => boolean}} [options]   gained: whether new bytes have come since
     *     it was last asked
     * @returns {Promise<T>}
     */
    async persist(attempt, {skip = 0, gained = () => false} = {}) {
        const count = this.#urls.length;
        /** @type {Trial} */
        const trial = {failures: 0, others: 0, arrived: this.#line.arrived, gained};
        for (let server = (this.#current + skip) % count; ;) {
            if (this.#useless.size === count) throw this.#useless.get(0);
            if (this.#useless.has(server)) {
                server = (server + 1) % count;
                continue;
            }
            this.#signal?.throwIfAborted();
            try {
                const got = await attempt(server);
                this.#good.add(server);
                this.#current = server;
                if (trial.failures) this.#onWait();
                return got;
            } catch (cause) {
                if (this.#signal?.aborted) throw this.#signal.reason;
                const error = /** @type {import('./request.js').RequestError} */ (cause);
                if (error.isOther && !error.isOneTooMany && ++trial.others <= OTHER_NODES) continue;
                if (error.passing) {
                    const pauseMs = this.#judge(error, trial);
                    server = (server + 1) % count;
                    if (pauseMs !== undefined) await pause(pauseMs, this.#signal);
                } else this.#useless.set(server, error);
            }
        }
    }

    /**
     * How long to wait after a failure that may pass; undefined while there is another server to ask. Throws
     * it when it is the last.
     * @param {import('./request.js').RequestError} error @param {Trial} trial
     */
    #judge(error, trial) {
        const {tries, pauseMs, longestMs} = this.#patience, asked = error.retryAfterMs ?? 0;
        const offline = !this.#isHere && globalThis.navigator?.onLine === false;
        const isMoving = trial.gained() || this.#line.arrived - trial.arrived > (error.own ?? 0)
            || error.isOneTooMany;
        trial.arrived = this.#line.arrived;
        trial.failures = isMoving || offline ? 1 : trial.failures + 1;
        const alive = this.#urls.length - this.#useless.size, rounds = Math.floor(trial.failures / alive);
        if (rounds >= tries || !isMoving && asked > longestMs) throw error;
        if (trial.failures % alive) return undefined;
        if (offline) this.#onWait('There is no network; this continues when it is back.');
        else if (!error.isOneTooMany)
            this.#onWait(`${error.message.replace(/; try again.*$/, '').replace(/\.$/, '')}; trying again.`);
        const backOff = pauseMs * 2 ** (rounds - 1) * (0.5 + Math.random() / 2);
        return offline ? OFFLINE_MS : Math.max(backOff, Math.min(asked, longestMs));
    }
}

/**
 * Ends sooner when the network comes back.
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(ms, signal) {
    return new Promise((resolve, reject) => {
        const over = new AbortController();
        const end = (/** @type {() => void} */ then) => {
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
