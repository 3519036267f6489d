// file_source.js: a model on disk, in one file or in llama.cpp's parts, as a source of bytes, for the engine worker under Node. Knows no engine.

import {open} from 'node:fs/promises';
import {basename} from 'node:path';
import {fileURLToPath} from 'node:url';
import {GemmaError} from '../engine/error.js';
import {joinParts, partNames, pieceLength, readPartHeader, wholeName} from '../engine/gguf_parts.js';

const CHUNK = 4 << 20;

/**
 * @param {{kind: 'path', path: string}} description   a path or a file: URL; of a model in parts, any of them
 * @param {{onProgress?: (progress: {phase: 'load', bytes: number, total: number, rate: number, secondsLeft: number}) => void}} [options]
 * @returns {Promise<import('../weights/source.js').Source>} a chunk is valid until the next one is asked for
 */
export async function openSource({path}, {onProgress} = {}) {
    const {name, size, files, pieces} = await openAll(path);
    return {name, size, chunks: (signal) => readPieces(pieces, files, size, signal, onProgress), close: () => closeAll(files)};
}

/** The first `length` bytes of a model, or all of it. @returns {Promise<{name: string, size: number, bytes: Uint8Array}>} */
export async function readFirst(path, length) {
    const {name, size, files, pieces: [first]} = await openAll(path);
    try {
        const bytes = first.bytes?.subarray(0, length) ?? await readStart(files[first.part], length);
        return {name, size, bytes};
    } finally {
        closeAll(files);
    }
}

/**
 * @returns {Promise<{name: string, size: number, files: {path: string, file: import('node:fs/promises').FileHandle, size: number}[],
 *     pieces: import('../engine/gguf_parts.js').Piece[]}>}
 */
async function openAll(address) {
    const path = toPath(address), files = [];
    try {
        for (const part of partNames(path) ?? [path]) files.push(await openFile(part));
        const name = basename(wholeName(path));
        if (files.length === 1) return {name, size: files[0].size, files, pieces: [{part: 0, from: 0, length: files[0].size}]};
        const headers = await Promise.all(files.map((file) => readPartHeader((length) => readStart(file, length), basename(file.path))));
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
        throw new GemmaError('bad-argument', `${address} names no file of this machine: ${cause.message}`, {cause});
    }
}

async function readStart({file}, length) {
    const {buffer, bytesRead} = await file.read(new Uint8Array(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
}

function closeAll(files) {
    for (const {file} of files) void file.close();
}

async function openFile(path) {
    let file;
    try {
        file = await open(path);
    } catch (cause) {
        if (cause.code === 'ENOENT') throw new GemmaError('not-found', `there is no file ${path}`, {cause});
        throw new GemmaError('bad-file', `${path} cannot be opened: ${cause.message}`, {cause});
    }
    const stat = await file.stat();
    if (!stat.isFile()) {
        await file.close();
        throw new GemmaError('bad-file', `${path} is not a file`);
    }
    return {path, file, size: stat.size};
}

async function* readPieces(pieces, files, total, signal, onProgress) {
    const start = performance.now();
    let bytes = 0;
    for (const piece of pieces)
        for await (const chunk of piece.bytes ? [piece.bytes] : read(files[piece.part], piece)) {
            signal?.throwIfAborted();
            bytes += chunk.length;
            yield chunk;
            const rate = bytes / (performance.now() - start) * 1000;
            onProgress?.({phase: 'load', bytes, total, rate, secondsLeft: (total - bytes) / rate});
        }
}

async function* read({file, path}, {from, length}) {
    // While the consumer has one buffer, the next chunk is read into the other.
    let [buffer, other] = [0, 1].map(() => new Uint8Array(Math.min(CHUNK, Math.max(length, 1))));
    const readAt = (position) => {
        const reading = file.read(buffer, 0, Math.min(buffer.length, from + length - position), position);
        reading.catch(() => {});    // it is thrown where it is awaited, if the consumer comes back for it
        return reading;
    };
    for (let at = from, reading = readAt(at); at < from + length;) {
        const {bytesRead} = await reading;
        if (bytesRead === 0) throw new GemmaError('bad-file', `${path} became shorter while it was read: ${at} of ${from + length} bytes are there`);
        const chunk = buffer.subarray(0, bytesRead);
        at += bytesRead;
        [buffer, other] = [other, buffer];
        if (at < from + length) reading = readAt(at);
        yield chunk;
    }
}
