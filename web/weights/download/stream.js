// A file whose server gives no ranges, cut into spans: best asked for in order. What is between is passed over, and for one before, or after a
// connection broke, the file is read from its first byte again.
//
// Knows neither requests nor versions: `begin` gives an answer that is the whole file, of the right version.

import {GemmaError} from '../../base/error.js';

/**
 * @param {object} options
 * @param {ReturnType<typeof import('./servers.js').createServers>} options.servers
 * @param {number} options.size   bytes
 * @param {(server: number) => Promise<import('./servers.js').Answer>} options.begin
 * @param {{fewer: (server: number) => Error, more: (server: number) => Error}} options.errors   of an answer that is too short, or too long
 * @param {(bytes: number) => void} options.onBytes
 * @param {() => boolean} options.canRestart   whether what comes after a broken connection is certain to be of the same file
 */
export function createStream({servers, size, begin, errors: {fewer, more}, onBytes, canRestart}) {
    /** The answer and its packets, the part of the last one that was not taken yet, and where in the file that begins. */
    let answer, source, rest, at = 0;
    let farthest = 0, before = 0;
    let last = Promise.resolve();
    return {span: (start, length) => last = last.catch(() => {}).then(() => read(start, length)), restart};

    async function read(start, length) {
        const bytes = new Uint8Array(length);
        let filled = 0;
        if (start < at) restart();
        await servers.persist(async (server) => {
            try {
                answer ??= await begin(server);
                source ??= answer.packets();
                while (filled < length) {
                    const packet = rest ?? await next(server);
                    // What lies before this span is passed over, and so is what it has already.
                    const from = Math.max(0, start + filled - at), part = packet.subarray(from, from + length - filled);
                    const used = Math.min(packet.length, from + part.length);
                    bytes.set(part, filled);
                    filled += part.length;
                    at += used;
                    rest = used < packet.length ? packet.subarray(used) : undefined;
                    farthest = Math.max(farthest, at);
                    if (part.length) onBytes(part.length);
                }
                if (start + length === size && (rest || !(await source.next()).done)) throw more(server);
            } catch (error) {
                restart();
                if (!error.passing || canRestart()) throw error;
                throw new GemmaError('network', error.message, {cause: error.cause});
            }
        }, {
            gained() {
                const gain = farthest > before;
                before = farthest;
                return gain;
            },
        });
        return bytes.buffer;
    }

    function restart() {
        source?.return().catch(() => {});
        answer?.drop();
        answer = source = rest = undefined;
        at = 0;
    }

    async function next(server) {
        const {value, done} = await source.next();
        if (done) throw answer.broke(fewer(server));
        return value;
    }
}
