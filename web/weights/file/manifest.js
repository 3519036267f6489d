// The manifest of a model, as `build/quantize --manifest` and `--split` write it beside the GGUF: its size
// and the SHA-256 of each chunk. Owns its checking; knows neither the network nor the store.

import {GemmaError} from '../../base/error.js';
import {isFileName} from './names.js';
import {fromHex, toHex} from './sha256.js';

/** Chunks are held in memory, a few at once. */
const LARGEST_CHUNK = 256 * 1024 * 1024;

/**
 * @typedef {object} Manifest
 * @property {string} name            file name of the GGUF
 * @property {number} size            bytes
 * @property {string} sha256          of the whole file, in hex
 * @property {number} chunkSize       bytes
 * @property {ArrayBuffer[]} digests  SHA-256 of each chunk
 * @property {string[]} [parts]       file names of the chunks, where the GGUF was split
 */

/**
 * @param {any} json   what JSON.parse made of it
 * @returns {Manifest} rejects with GemmaError 'bad-file' what is not a manifest
 */
export function readManifest(json) {
    /** @type {{file: any, size: any, sha256: any, chunkSize: any, chunks: any[]}} */
    const {file, size, sha256, chunkSize, chunks} = json ?? {};
    /** @param {unknown} good @param {string} sentence */
    const need = (good, sentence) => {
        if (!good) throw new GemmaError('bad-file',
            `The manifest ${typeof file === 'string' ? `of ${file} ` : ''}cannot be used: ${sentence}.`);
    };
    /** @param {unknown} text */
    const isHex = (text) => typeof text === 'string' && /^[0-9a-f]{64}$/i.test(text);
    need(typeof file === 'string' && file !== '' && !/\p{Cs}/u.test(file),
        '"file" must be the name of a GGUF');
    need(Number.isSafeInteger(size) && size > 0,
        `"size" must be a number of bytes, and is ${JSON.stringify(size)}`);
    need(Number.isSafeInteger(chunkSize) && chunkSize > 0 && chunkSize <= LARGEST_CHUNK,
        `"chunkSize" must be a number of bytes up to ${LARGEST_CHUNK}, and is ${JSON.stringify(chunkSize)}`);
    need(isHex(sha256), '"sha256" must be 64 hexadecimal digits');
    const count = Math.ceil(size / chunkSize);
    need(Array.isArray(chunks) && chunks.length === count,
        `"chunks" must have ${count} entries, and has ${chunks?.length ?? 'none'}`);
    need(chunks.every((chunk) => isHex(chunk?.sha256)),
        'each chunk must have a "sha256" of 64 hexadecimal digits');
    const split = chunks.filter((chunk) => typeof chunk.file === 'string').length;
    need(split === 0 || split === count, `${split} of ${count} chunks have a "file"; all or none must`);
    const path = chunks.find((chunk) => chunk.file !== undefined && !isFileName(chunk.file))?.file;
    need(path === undefined,
        `the "file" of each chunk must be a file name beside the manifest, and ${JSON.stringify(path)} is a path or an address`);
    return {
        name: file, size, sha256: sha256.toLowerCase(), chunkSize,
        digests: chunks.map((chunk) => fromHex(chunk.sha256)),
        parts: split ? chunks.map((chunk) => chunk.file) : undefined,
    };
}

/** The same as JSON, to be kept beside an exported file. @param {Omit<Manifest, 'parts'>} manifest */
export function writeManifest({name, size, sha256, chunkSize, digests}) {
    return {file: name, size, sha256, chunkSize, chunks: digests.map((digest) => ({sha256: toHex(digest)}))};
}
