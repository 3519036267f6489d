// A file whose server gives no ranges, cut into spans: best asked for in order. What is between is passed
// over, and for one before, or after a connection broke, the file is read from its first byte again.
//
// Knows neither requests nor versions: `begin` gives an answer that is the whole file, of the right version.

import {GemmaError} from '../../base/error.js';

/**
 * @typedef {object} StreamOptions
 * @property {import('./servers.js').Servers} servers
 * @property {number} size   bytes
 * @property {(server: number) => Promise<import('./servers.js').Answer>} begin
 * @property {import('./wrong_answers.js').WrongAnswers} wrong
 * @property {(bytes: number) => void} onBytes
 * @property {() => boolean} canRestart   whether what comes after a broken connection is certain to be of
 *     the same file
 */

export class Stream {
    #options;
    /** @type {import('./servers.js').Answer | undefined} */
    #answer;
    /** Its packets. @type {AsyncGenerator<Uint8Array> | undefined} */
    #source;
    /** The part of the last packet that was not taken yet. @type {Uint8Array | undefined} */
    #rest;
    /** Where in the file that begins. */
    #at = 0;
    #farthest = 0;
    #before = 0;
    /** @type {Promise<unknown>} */
    #last = Promise.resolve();

    /** @param {StreamOptions} options */
    constructor(options) {
        this.#options = options;
    }

    /** @param {number} start @param {number} length @returns {Promise<ArrayBuffer>} */
    span(start, length) {
        const read = this.#last.catch(() => {}).then(() => this.#read(start, length));
        this.#last = read;
        return read;
    }

    restart() {
        this.#source?.return(undefined).catch(() => {});
        this.#answer?.drop();
        this.#answer = this.#source = this.#rest = undefined;
        this.#at = 0;
    }

    /** @param {number} start @param {number} length */
    async #read(start, length) {
        const {servers, canRestart} = this.#options, bytes = new Uint8Array(length);
        let filled = 0;
        if (start < this.#at) this.restart();
        await servers.persist(async (server) => {
            try {
                while (filled < length) filled += await this.#fill(bytes.subarray(filled),
                    start + filled, server);
                if (start + length === this.#options.size) await this.#mustEnd(server);
            } catch (cause) {
                this.restart();
                const error = /** @type {import('./request.js').RequestError} */ (cause);
                if (!error.passing || canRestart()) throw error;
                throw new GemmaError('network', error.message, {cause: error.cause});
            }
        }, {gained: () => this.#gained()});
        return bytes.buffer;
    }

    /**
     * Takes from one packet what belongs here, and passes over what lies before.
     * @param {Uint8Array} place
     * @param {number} start
     * @param {number} server
     */
    async #fill(place, start, server) {
        const packet = this.#rest ?? await this.#next(server);
        const from = Math.max(0, start - this.#at), part = packet.subarray(from, from + place.length);
        const used = Math.min(packet.length, from + part.length);
        place.set(part);
        this.#at += used;
        this.#rest = used < packet.length ? packet.subarray(used) : undefined;
        this.#farthest = Math.max(this.#farthest, this.#at);
        if (part.length) this.#options.onBytes(part.length);
        return part.length;
    }

    /** @param {number} server */
    async #next(server) {
        const answer = this.#answer ??= await this.#options.begin(server);
        const {value, done} = await (this.#source ??= answer.packets()).next();
        if (done) throw answer.broke(this.#options.wrong.fewer(server));
        return value;
    }

    /** @param {number} server */
    async #mustEnd(server) {
        // A connection that breaks off after the last byte has ended as it should.
        if (this.#rest || this.#source && !(await this.#source.next()).done)
            throw this.#options.wrong.more(server);
    }

    #gained() {
        const gain = this.#farthest > this.#before;
        this.#before = this.#farthest;
        return gain;
    }
}
