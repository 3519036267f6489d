// check.js: compares a model's bytes, as they come, with the SHA-256 that the caller or the host publishes.
// Knows neither the store nor the network.

import {GemmaError} from '../../base/error.js';
import {createSha256, toHex} from './sha256.js';

/**
 * What a publisher says of a file, or of a part of it.
 * @typedef {object} Published
 * @property {string} name        of the file that is published
 * @property {string} sha256      in hex
 * @property {number} from        where in the model it is,
 * @property {number} length      and how much
 * @property {Uint8Array} [head]  what it has before that
 * @property {number} [index]     of a chunk
 *
 * @typedef {object} Check
 * @property {(chunk: Uint8Array) => void} add   the next bytes
 * @property {string} wrong       after the end: a sentence, where the bytes are others than was said; ''
 * @property {string} whole       after the end: the SHA-256 of all bytes, where one was published for all; ''
 */

/** @param {unknown} sha256   as a caller gives it, or none @returns {string} in small letters; '' */
export function readDigest(sha256) {
    if (sha256 === undefined || sha256 === null) return '';
    if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256)) return sha256.toLowerCase();
    throw new GemmaError('bad-argument',
        `sha256 is ${JSON.stringify(sha256)}; 64 hexadecimal digits are expected.`);
}

/**
 * @param {Published[]} published   in the order of the bytes; without any, nothing is computed
 * @param {object} [options]
 * @param {() => import('./sha256.js').Sha256 | Promise<import('./sha256.js').Sha256>} [options.createHash]
 * @param {(published: Published, found: string) => string} [options.describe]   a sentence for bytes that are
 *     others than was said
 * @returns {Promise<Check>}
 */
export async function createCheck(published, {createHash = createSha256, describe = isOther} = {}) {
    const hash = published.length ? await createHash() : undefined;
    let at = 0, wrong = '', whole = '';
    return {
        add(chunk) {
            if (hash) for (const each of published) {
                const {sha256, from, length, head} = each;
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
                if (found !== sha256) wrong ||= describe(each, found);
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

/** @param {Published} published @param {string} found */
function isOther({name, sha256}, found) {
    return `${name} is not the file that its publisher describes: its SHA-256 is ${found}, and ${sha256} is expected.`;
}

/**
 * What a caller expects of a whole file, if anything.
 * @param {string} digest   '' for nothing @param {{name: string, size: number}} file
 * @returns {Published[]}
 */
export function expected(digest, {name, size}) {
    return digest ? [{name, sha256: digest, from: 0, length: size}] : [];
}

/**
 * Throws GemmaError 'bad-file' where the bytes are others than was said.
 * @param {Check} check
 * @param {string} [advice]
 */
export function mustBeRight({wrong}, advice) {
    if (wrong) throw new GemmaError('bad-file', advice ? `${wrong} ${advice}` : wrong);
}

/**
 * The same where a file has another size than its manifest says, or a caller expects another digest than
 * it says.
 * @param {import('./manifest.js').Manifest} manifest
 * @param {string} digest   '' for none
 * @param {{name?: string, size?: number}} [file]
 */
export function mustAgree(manifest, digest, {name = manifest.name, size = manifest.size} = {}) {
    if (digest && manifest.sha256 !== digest)
        throw new GemmaError('bad-file',
            `The manifest of ${manifest.name} is of another file: its SHA-256 is ${manifest.sha256}, and ${digest} is expected.`);
    if (manifest.size !== size)
        throw new GemmaError('bad-file',
            `${name} is not the file of its manifest: it has ${size} bytes, not ${manifest.size}.`);
}

/**
 * The sentence for a chunk of a file on disk that is not what its manifest says.
 * @param {string} name
 * @param {number} index
 */
export function isDamaged(name, index) {
    return `${name} is damaged: chunk ${index} is not what its manifest says; get the file again.`;
}
