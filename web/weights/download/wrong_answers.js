// What can be wrong with a server's answer for a file, as errors. Knows no requests: the caller decides that
// something is wrong.

import {GemmaError} from '../../base/error.js';
import {passing} from './request.js';

export class WrongAnswers {
    #name;
    #site;

    /**
     * @param {string} name   of the file, for people
     * @param {(server: number) => string} site   of a server, for people
     */
    constructor(name, site) {
        this.#name = name;
        this.#site = site;
    }

    /** @param {number} server */
    empty(server) {
        return new GemmaError('bad-file', `${this.#name} on ${this.#site(server)} is empty.`);
    }

    /** @param {number} server @param {number} size @param {number} expected   bytes */
    otherSize(server, size, expected) {
        return new GemmaError('bad-file',
            `${this.#name} on ${this.#site(server)} is not the file that was expected: it has ${size} bytes, not ${expected}.`);
    }

    /** @param {number} server */
    anotherPart(server) {
        return new GemmaError('network',
            `${this.#site(server)} sent other bytes of ${this.#name} than requested; try again later.`);
    }

    /**
     * @param {number} server
     * @param {number} opened   the server of which the file was opened; the same: it has changed there
     */
    otherVersion(server, opened) {
        const sentence = server === opened
            ? `${this.#name} changed on its server during the download; load it again.`
            : `${this.#name} on ${this.#site(server)} is another version than the one on ${this.#site(opened)}.`;
        return Object.assign(new GemmaError('network', sentence), {isOther: true});
    }

    /** @param {number} server */
    noRanges(server) {
        return passing(
            `${this.#site(server)} no longer serves byte ranges of ${this.#name}; try again later.`,
            {busy: false});
    }

    /** @param {number} server */
    lengthUnknown(server) {
        return new GemmaError('network',
            `${this.#site(server)} does not say how long ${this.#name} is; download it and open it from your disk.`);
    }

    /** @param {number} server @param {number} most   bytes */
    endless(server, most) {
        return new GemmaError('network',
            `${this.#site(server)} does not say how long ${this.#name} is, and sends more than ${most} bytes; ` +
            'download it and open it from your disk.');
    }

    /** @param {number} server */
    fewer(server) {
        return passing(`${this.#site(server)} sent fewer bytes of ${this.#name} than it announced; try again.`);
    }

    /** @param {number} server */
    more(server) {
        return new GemmaError('network',
            `${this.#site(server)} sent more bytes of ${this.#name} than it announced; try again, ` +
            'or download it and open it from your disk.');
    }
}
