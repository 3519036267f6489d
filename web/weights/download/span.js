// A range of a file's bytes while it is read, by one answer or by several: each may break off, hold less than
// was asked for, or more.
//
// Owns which bytes of an answer are taken. Knows neither servers nor versions.

import {announcedLength, contentRange} from './request.js';

export class Span {
    bytes;
    #base;
    #wrong;
    #onBytes;
    #mayMix;
    #filled = 0;
    #most = 0;
    #before = 0;

    /**
     * @param {number} length
     * @param {object} options
     * @param {number} options.base   where in what is asked for it begins
     * @param {import('./wrong_answers.js').WrongAnswers} options.wrong
     * @param {(bytes: number) => void} options.onBytes
     * @param {() => boolean} options.mayMix   whether what comes after a broken connection is certain to be
     *     of the same file
     */
    constructor(length, {base, wrong, onBytes, mayMix}) {
        this.bytes = new Uint8Array(length);
        this.#base = base;
        this.#wrong = wrong;
        this.#onBytes = onBytes;
        this.#mayMix = mayMix;
    }

    /** How many bytes have come. */
    get filled() {
        return this.#filled;
    }

    get isFull() {
        return this.#filled === this.bytes.length;
    }

    /** Whether new bytes have come since this was last asked. */
    gained() {
        const gain = this.#most > this.#before;
        this.#before = this.#most;
        return gain;
    }

    /**
     * Takes what an answer has of it.
     * @param {import('./servers.js').Answer} answer
     * @param {number} server
     */
    async take(answer, server) {
        try {
            await this.#fill(answer, server);
        } catch (error) {
            if (!this.#mayMix()) {
                this.#onBytes(-this.#filled);
                this.#filled = 0;
            }
            throw error;
        }
    }

    /** @param {import('./servers.js').Answer} answer @param {number} server */
    async #fill(answer, server) {
        const {length} = this.bytes, from = this.#filled, {end} = contentRange(answer.headers);
        const announced = end === undefined ? announcedLength(answer.headers) : end - this.#base - from;
        const hasMore = end !== undefined && announced !== undefined && announced > length - from;
        let skip = answer.status === 200 ? from : 0;        // a part that comes as a whole
        for await (const packet of answer.packets()) {
            const part = packet.subarray(skip, skip + length - this.#filled);
            const isMore = packet.length > skip + part.length;
            skip = Math.max(0, skip - packet.length);
            if (isMore && !hasMore) throw this.#wrong.more(server);
            this.bytes.set(part, this.#filled);
            this.#filled += part.length;
            this.#most = Math.max(this.#most, this.#filled);
            this.#onBytes(part.length);
            if (isMore) break;
        }
        const got = this.#filled - from;
        if (!this.isFull && (got === 0 || got !== announced)) throw answer.broke(this.#wrong.fewer(server));
    }
}
