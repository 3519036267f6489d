// Several servers of one file: one request at a time knows request.js, how many at once line.js, and what is
// asked for again retries.js.
//
// Owns how these come together. Knows nothing of pieces, nor whether answers belong together.

import {GemmaError} from '../../base/error.js';
import {Asker} from './request.js';
import {Retries} from './retries.js';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {() => AsyncGenerator<Uint8Array>} packets   the bytes as they come; leaving the loop ends
 *     the connection
 * @property {(error: import('./request.js').RequestError) => Error} broke   its connection ended too early:
 *     returns the error
 * @property {(letGo: () => void) => void} lend   it is not read yet: other requests may need its connection
 * @property {(error: import('./request.js').RequestError) => Error} refuse   lets it go, for it is no answer
 *     to what was asked: returns the error
 * @property {() => void} drop   lets it go without reading it
 */

export class Servers {
    #urls;
    #line;
    #signal;
    #asker;
    #retries;

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
     * @param {import('./retries.js').Patience} options.patience
     */
    constructor({urls, name, home, headers, knownGood, line, onWait, signal, patience}) {
        this.#urls = urls;
        this.#line = line;
        this.#signal = signal;
        this.#asker = new Asker({name, home, headers, signal, stallMs: patience.stallMs});
        this.#retries = new Retries({urls, knownGood, line, onWait, signal, patience});
    }

    /** The server that gave something last. */
    get current() {
        return this.#retries.current;
    }

    /** For people. @param {number} server */
    site(server) {
        return new URL(this.#urls[server]).host;
    }

    /** As Retries has it. @type {Retries['persist']} */
    persist(attempt, options) {
        return this.#retries.persist(attempt, options);
    }

    /**
     * @param {number} server
     * @param {{address?: string, order?: number, range?: string, method?: 'GET' | 'HEAD', isModel?: boolean}}
     *     [options]   order: in which what waits is wanted
     * @returns {Promise<Answer>}   its place in the line is held until it has been read or dropped
     */
    async ask(server, {address = this.#urls[server], order = 0, ...request} = {}) {
        const {host} = new URL(address), asker = this.#asker;
        const place = await this.#line.enter(host, order, this.#signal),
            knownGood = this.#retries.isGood(server);
        let own = 0;
        /** @type {boolean | undefined} */
        let wasOneTooMany;
        const leave = (isFailure = false) => wasOneTooMany ??= place.leave(isFailure);
        /**
         * @param {any} error
         * @param {boolean} [isRefusal]   for any status: hosts refuse one request too many in many ways
         */
        const failed = (error, isRefusal = false) => {
            const mayBeBusy = error instanceof GemmaError && (/** @type {any} */ (error).busy || isRefusal),
                isOneTooMany = leave(mayBeBusy);
            return mayBeBusy ? Object.assign(error,
                {own, isOneTooMany, passing: /** @type {any} */ (error).passing || isOneTooMany}) : error;
        };
        const response = await asker.ask(address, {...request, knownGood})
            .catch((error) => { throw failed(error, knownGood && request.method !== 'HEAD'); });
        const letGo = () => void response.body?.cancel().catch(() => {});
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
                    leave(own === 0);
                }
            },
            refuse(error) {
                letGo();
                return failed(error, knownGood);
            },
            drop() {
                letGo();
                leave();
            },
        };
    }
}
