// disk.js: a model on disk, in one file or in parts, as a source of bytes, for the engine worker under Node.
// Its bytes are compared with the digests that are given, on the way. Knows no engine.

import {createHash} from 'node:crypto';
import {existsSync} from 'node:fs';
import {open, readFile} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {GemmaError, codeOf, messageOf} from '../../base/error.js';
import {joinParts, pieceLength, readPartHeader} from '../file/gguf_parts.js';
import {partNames, wholeName} from '../file/names.js';
import {createCheck, expected, isDamaged, mustAgree, mustBeRight, readDigest} from '../file/check.js';
import {createMeter} from '../file/progress.js';
import {readManifest} from '../file/manifest.js';
import {toHex} from '../file/sha256.js';

/**
 * @typedef {import('node:fs/promises').FileHandle} FileHandle
 * @typedef {{path: string, file: FileHandle, size: number}} OpenFile
 * @typedef {import('../file/gguf_parts.js').Piece} Piece
 * @typedef {(progress: import('../file/progress.js').Progress) => void} OnProgress
 */
const CHUNK = 4 << 20;

/**
 * @param {{kind: 'path', path: string, manifest?: object | string, sha256?: string}} description   path: or a
 *     file: URL; of a model in llama.cpp's parts, any of them; or of a manifest, FILE.gguf.json. manifest:
 *     its JSON, or where it is: then each chunk is compared with its digest; of a model that is in the
 *     manifest's parts, path is the whole's, beside which they lie. sha256: of the whole, in hex
 * @param {{onProgress?: OnProgress}} [options]
 * @returns {Promise<import('../source.js').Source>} a chunk is valid until the next one is asked for
 */
export async function openSource(description, {onProgress} = {}) {
    const digest = readDigest(description.sha256), {path, manifest} = await locate(description);
    const {name, size, files, pieces} = await openAll(path, manifest?.parts);
    try {
        if (manifest) mustAgree(manifest, digest, {name, size});
        const checks = [await createCheck(chunksOf(manifest, name),
            {createHash: nativeSha256, describe: ({index = 0}) => isDamaged(name, index)}),
            await createCheck(expected(digest, {name, size}), {createHash: nativeSha256})];
        return {name, size, chunks: (signal) => checked(readPieces(pieces, files, size, signal, onProgress),
            checks), close: () => closeAll(files)};
    } catch (error) {
        closeAll(files);
        throw error;
    }
}

/**
 * A model's manifest and its own path, where its manifest's may be given in its place.
 * @param {{path: string, manifest?: object | string}} description
 */
async function locate({path: address, manifest: given}) {
    const path = toPath(address), isManifest = path.endsWith('.gguf.json'),
        from = given ?? (isManifest ? path : undefined);
    const manifest = from ? readManifest(await readJson(from)) : undefined;
    return {path: isManifest && manifest ? join(dirname(path), manifest.name) : path, manifest};
}

/** @param {object | string} manifest   its JSON, or a path, a file: URL or another address of it */
async function readJson(manifest) {
    if (typeof manifest !== 'string') return manifest;
    if (/^https?:/i.test(manifest)) return (await import('../download/request.js')).askManifest(manifest,
        {home: manifest});
    try {
        return JSON.parse(await readFile(toPath(manifest), 'utf8'));
    } catch (cause) {
        if (cause instanceof GemmaError) throw cause;
        if (codeOf(cause) === 'ENOENT')
            throw new GemmaError('not-found', `There is no file ${manifest}.`, {cause});
        throw new GemmaError('bad-file', `${manifest} is not the manifest of a model: ${messageOf(cause)}.`,
            {cause});
    }
}

/**
 * What a manifest says of each chunk.
 * @param {import('../file/manifest.js').Manifest | undefined} manifest
 * @param {string} name
 */
function chunksOf(manifest, name) {
    if (!manifest) return [];
    const {digests, chunkSize, size} = manifest;
    return digests.map((digest, index) =>
        ({name, index, sha256: toHex(digest), from: index * chunkSize,
            length: Math.min(chunkSize, size - index * chunkSize)}));
}

/** @returns {import('../file/sha256.js').Sha256} several times as fast as the one that browsers need */
function nativeSha256() {
    let hash = createHash('sha256');
    return {
        begin() {
            hash = createHash('sha256');
        },
        add: (bytes) => void hash.update(bytes),
        end: () => Uint8Array.from(hash.digest()).buffer,
    };
}

/**
 * The same chunks, none of which is handed out once the bytes are known to be wrong.
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {import('../file/check.js').Check[]} checks
 */
async function* checked(chunks, checks) {
    for await (const chunk of chunks) {
        for (const check of checks) {
            check.add(chunk);
            mustBeRight(check);
        }
        yield chunk;
    }
}

/**
 * @param {string} path @param {string[]} [parts]   of a manifest
 * @returns {Promise<{name: string, size: number, files: {path: string, file:
 *     import('node:fs/promises').FileHandle, size: number}[], pieces:
 *     import('../file/gguf_parts.js').Piece[]}>}
 */
async function openAll(path, parts) {
    /** @type {OpenFile[]} */
    const files = [];
    try {
        // The files that build/quantize --split wrote are pieces of one file, not complete GGUF files.
        const cut = parts && !existsSync(path) ? parts.map((part) => join(dirname(path), part)) : undefined;
        for (const part of cut ?? partNames(path) ?? [path]) files.push(await openFile(part));
        const name = basename(wholeName(path));
        if (cut) {
            const size = files.reduce((sum, file) => sum + file.size, 0);
            return {name, size, files,
                pieces: files.map((file, part) => ({part, from: 0, length: file.size}))};
        }
        if (files.length === 1) return {name, size: files[0].size, files,
            pieces: [{part: 0, from: 0, length: files[0].size}]};
        const headers = await Promise.all(files.map((file) => readPartHeader((length) => readStart(file,
            length), basename(file.path))));
        const pieces = joinParts(name, headers, files.map(({size}) => size));
        return {name, size: pieces.reduce((sum, piece) => sum + pieceLength(piece), 0), files, pieces};
    } catch (error) {
        closeAll(files);
        throw error;
    }
}

/** @param {string} address   a path, or a file: URL, which says the same otherwise on Windows */
function toPath(address) {
    if (!/^file:/i.test(address)) return address;
    try {
        return fileURLToPath(address);
    } catch (cause) {
        throw new GemmaError('bad-argument', `${address} names no file of this machine: ${messageOf(cause)}.`,
            {cause});
    }
}

/** @param {OpenFile} from @param {number} length */
async function readStart({file}, length) {
    const {buffer, bytesRead} = await file.read(new Uint8Array(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
}

/** @param {OpenFile[]} files */
function closeAll(files) {
    for (const {file} of files) void file.close();
}

/** @param {string} path @returns {Promise<OpenFile>} */
async function openFile(path) {
    let file;
    try {
        file = await open(path);
    } catch (cause) {
        if (codeOf(cause) === 'ENOENT')
            throw new GemmaError('not-found', `There is no file ${path}.`, {cause});
        throw new GemmaError('bad-file', `${path} cannot be opened: ${messageOf(cause)}.`, {cause});
    }
    const stat = await file.stat();
    if (!stat.isFile()) {
        await file.close();
        throw new GemmaError('bad-file', `${path} is not a file.`);
    }
    return {path, file, size: stat.size};
}

/**
 * @param {Piece[]} pieces
 * @param {OpenFile[]} files
 * @param {number} total
 * @param {AbortSignal} [signal]
 * @param {OnProgress} [onProgress]
 */
async function* readPieces(pieces, files, total, signal, onProgress) {
    const meter = createMeter('load', total, onProgress);
    for (const piece of pieces)
        for await (const chunk of piece.bytes ? [piece.bytes] : read(files[piece.part], piece)) {
            signal?.throwIfAborted();
            yield chunk;
            meter.add(chunk.length);
        }
}

/** @param {OpenFile} from @param {{from: number, length: number}} range */
async function* read({file, path}, {from, length}) {
    // While the consumer has one buffer, the next chunk is read into the other.
    let [buffer, other] = [0, 1].map(() => new Uint8Array(Math.min(CHUNK, Math.max(length, 1))));
    /** @param {number} position */
    const readAt = (position) => {
        const reading = file.read(buffer, 0, Math.min(buffer.length, from + length - position), position);
        reading.catch(() => {});    // it is thrown where it is awaited, if the consumer comes back for it
        return reading;
    };
    for (let at = from, reading = readAt(at); at < from + length;) {
        const {bytesRead} = await reading;
        if (bytesRead === 0) throw new GemmaError('bad-file',
            `${path} became shorter while it was read: ${at} of ${from + length} bytes are there.`);
        const chunk = buffer.subarray(0, bytesRead);
        at += bytesRead;
        [buffer, other] = [other, buffer];
        if (at < from + length) reading = readAt(at);
        yield chunk;
    }
}
