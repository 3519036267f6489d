// slice.js: bytes of a file that a person chose. Knows nothing of what is in it.

import {GemmaError} from '../../base/error.js';

/**
 * @param {Blob} file
 * @param {string} name
 * @param {number} from
 * @param {number} length
 * @returns {Promise<ArrayBuffer>}
 */
export function readSlice(file, name, from, length) {
    return file.slice(from, from + length).arrayBuffer().catch((cause) => {
        throw new GemmaError('bad-file',
            `${name} can no longer be read: it was changed or moved; choose it again.`, {cause});
    });
}
