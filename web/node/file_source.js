// file_source.js: a model file on disk as a source of bytes, for the engine worker under Node. Knows no engine.

import {open} from 'node:fs/promises';
import {basename} from 'node:path';
import {GemmaError} from '../engine/error.js';

const CHUNK = 4 << 20;

/**
 * @param {{kind: 'path', path: string}} description
 * @param {{onProgress?: (progress: {phase: 'load', bytes: number, total: number, rate: number, secondsLeft: number}) => void}} [options]
 * @returns {Promise<import('../weights/source.js').Source>} a chunk is valid until the next one is asked for
 */
export async function openSource({path}, {onProgress} = {}) {
    const {file, size} = await openFile(path);
    const chunks = (signal) => read(file, path, size, signal, onProgress);
    return {name: basename(path), size, chunks, close: () => void file.close()};
}

/** The first `length` bytes of a file, or all of it. @returns {Promise<{name: string, size: number, bytes: Uint8Array}>} */
export async function readFirst(path, length) {
    const {file, size} = await openFile(path);
    try {
        const {buffer, bytesRead} = await file.read(new Uint8Array(length), 0, length, 0);
        return {name: basename(path), size, bytes: buffer.subarray(0, bytesRead)};
    } finally {
        await file.close();
    }
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
    return {file, size: stat.size};
}

async function* read(file, path, total, signal, onProgress) {
    // While the consumer has one buffer, the next chunk is read into the other.
    let [buffer, other] = [0, 1].map(() => new Uint8Array(Math.min(CHUNK, Math.max(total, 1))));
    const readAt = (position) => {
        const reading = file.read(buffer, 0, buffer.length, position);
        reading.catch(() => {});    // it is thrown where it is awaited, if the consumer comes back for it
        return reading;
    };
    const start = performance.now();
    for (let bytes = 0, reading = readAt(0); bytes < total;) {
        signal?.throwIfAborted();
        const {bytesRead} = await reading;
        if (bytesRead === 0) throw new GemmaError('bad-file', `${path} became shorter while it was read: ${bytes} of ${total} bytes are there`);
        const chunk = buffer.subarray(0, bytesRead);
        bytes += bytesRead;
        [buffer, other] = [other, buffer];
        if (bytes < total) reading = readAt(bytes);
        yield chunk;
        const rate = bytes / (performance.now() - start) * 1000;
        onProgress?.({phase: 'load', bytes, total, rate, secondsLeft: (total - bytes) / rate});
    }
}
