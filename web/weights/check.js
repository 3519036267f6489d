// check.js: compares a model's bytes, as they come, with the SHA-256 that somebody tells of them: the caller, or the host that publishes them. Knows
// neither the store nor the network.

import {GemmaError} from '../engine/error.js';
import {createSha256, toHex} from './sha256.js';

/**
 * What a publisher says of a file, or of a part of it.
 * @typedef {object} Published
 * @property {string} name        of the file that is published
 * @property {string} sha256      in hex
 * @property {number} from        where in the model it is,
 * @property {number} length      and how much
 * @property {Uint8Array} [head]  what it has before that
 *
 * @typedef {object} Check
 * @property {(chunk: Uint8Array) => void} add   the next bytes
 * @property {string} wrong       after the end: a sentence, where the bytes are others than was said; ''
 * @property {string} whole       after the end: the SHA-256 of all bytes, where one was told of all; ''
 */

/** @param {unknown} sha256   as a caller gives it, or none @returns {string} in small letters; '' */
export function readDigest(sha256) {
    if (sha256 === undefined || sha256 === null) return '';
    if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256)) return sha256.toLowerCase();
    throw new GemmaError('bad-argument', `sha256 is ${JSON.stringify(sha256)}; 64 hexadecimal digits are expected`);
}

/** @param {Published[]} published   in the order of the bytes; without any, nothing is computed @returns {Promise<Check>} */
export async function createCheck(published) {
    const hash = published.length ? await createSha256() : undefined;
    let at = 0, wrong = '', whole = '';
    return {
        add(chunk) {
            for (const {name, sha256, from, length, head} of published) {
                const begin = Math.max(from - at, 0), end = Math.min(from + length - at, chunk.length);
                if (begin >= end) continue;
                if (at + begin === from) {
                    hash.begin();
                    if (head) hash.add(head);
                }
                hash.add(chunk.subarray(begin, end));
                if (at + end < from + length) continue;
                const found = toHex(hash.end());
                if (published.length === 1 && from === 0) whole = found;
                if (found !== sha256)
                    wrong ||= `${name} is not the file that its publisher describes: its SHA-256 is ${found}, and ${sha256} is expected.`;
            }
            at += chunk.length;
        },
        get wrong() {
            return wrong;
        },
        get whole() {
            return published[0]?.length === at ? whole : '';
        },
    };
}
