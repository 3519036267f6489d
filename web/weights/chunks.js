// The chunks of a model in order, a few at once: from the store, and from the network where they are missing or
// damaged there.
//
// Owns that every chunk has the digest that it must have, and how many are held. Knows neither what a model is nor
// who uses it.

import {GemmaError} from '../base/error.js';
import {unlessAborted} from '../base/abort.js';
import {isSame} from './download/identity.js';
import {same, sha256} from './file/sha256.js';
import {sameVersion} from './store/store.js';
import {chunkCount, chunkLength, hadManifest, isChanged} from './wanted.js';

/**
 * @typedef {import('./wanted.js').Wanted} Wanted
 * @typedef {{buffer: ArrayBuffer, digest?: ArrayBuffer, isNew?: boolean}} Chunk   isNew: it must be stored
 */

/** Chunks that are on their way, being stored or being used: this many connections, and their memory. */
const AT_ONCE = 4;
/** The same where all of them are read from the store: some more wait while the engine is made ready. */
const MOST_READ = 6;
const RETRIES = 2;              // of a chunk that came with a wrong digest
/** Up to this much damage of a stored model is fetched again without asking. */
const HEALED_BYTES = 256 * 1024 * 1024;

/**
 * The chunks of a model in order, each with the digest that it must have, wherever it comes from.
 * @param {Wanted} file
 * @param {import('./store/store.js').StoredModel} model
 * @param {object} options
 * @param {ReturnType<typeof import('./file/progress.js').createMeter>} options.meter
 * @param {(index: number, buffer: ArrayBuffer, digest: ArrayBuffer) => Promise<void>} options.keep
 * @param {import('./wanted.js').OpenedFile} [options.remote]   for what has not been here; it counts its bytes itself
 */
export function createChunks(file, model, {meter, keep, remote}) {
    const source = new ChunkSource(file, model, remote, (bytes) => meter.add(-bytes));
    const options = remote ? {} : {arrived: meter.add, most: MOST_READ};
    return inOrder(chunkCount(model), (index) => source.read(index),
        {keep, free: (buffer) => source.spare.push(buffer), ...options});
}

class ChunkSource {
    #file;
    #model;
    #remote;
    #onVain;
    /** Where damaged chunks come from. @type {Promise<import('./wanted.js').OpenedFile> | undefined} */
    #forRepair;
    /** Bytes that were damaged. */
    #healed = 0;
    /** Memory for further chunks. @type {ArrayBuffer[]} */
    spare = [];

    /**
     * @param {Wanted} file
     * @param {import('./store/store.js').StoredModel} model
     * @param {import('./wanted.js').OpenedFile | undefined} remote
     * @param {(bytes: number) => void} onVain   how many bytes of the remote one were downloaded needlessly
     */
    constructor(file, model, remote, onVain) {
        this.#file = file;
        this.#model = model;
        this.#remote = remote;
        this.#onVain = onVain;
    }

    /** @param {number} index @returns {Promise<Chunk>} */
    async read(index) {
        const {store, present, digests, reader, repair} = this.#file, model = this.#model, remote = this.#remote;
        if (!present.has(index) && remote) return this.#fetch(index, remote, {onVain: this.#onVain});
        const length = chunkLength(model, index), old = this.spare.pop(),
            room = old?.byteLength === length ? old : new ArrayBuffer(length);
        // That a chunk can't be read says nothing of the chunk: it is fetched again only by a repair.
        const chunk = await reader?.read(model.id, index, room).catch((error) => {
            if (!repair || error.code !== 'storage') throw error;
            return undefined;
        });
        const digest = digests.get(index);
        if (chunk && digest && same(chunk.digest, digest)) return {buffer: chunk.bytes};
        present.delete(index);
        try {
            return await this.#heal(index, chunk?.digest);
        } catch (error) {
            /**
             * @type {(there: import('./store/store.js').StoredModel) =>
             *     Partial<import('./store/store.js').StoredModel>}
             */
            const note = (there) => sameVersion(there, model) ? {damaged: [...new Set([...there.damaged, index])]} : {};
            await store?.update(model.id, note).catch(() => {});
            throw error;
        }
    }

    /**
     * Fetches a chunk that is not what was stored. Its digest decides, not by which version the file goes now.
     * @param {number} index
     * @param {ArrayBuffer} [found]   digest of what is stored. Where the network gives the same, it is the recorded one
     *     that is damaged
     */
    async #heal(index, found) {
        const model = this.#model;
        this.#healed += chunkLength(model, index);
        if (this.#healed > HEALED_BYTES && !this.#file.repair) {
            throw new GemmaError('bad-file',
                `More than ${HEALED_BYTES >> 20} MiB of ${model.name} are damaged here. A repair fetches what is damaged, ` +
                'and nothing else.');
        }
        const opened = this.#forRepair ??= this.#file.open({first: index, ...this.#isKnown() && {checked: true}});
        opened.catch(() => { this.#forRepair = undefined; });
        const from = await opened;
        if (from.size !== model.size) throw isChanged(model);
        const isOther = !hadManifest(model) && !(isSame(model, from) ?? from.validator === model.validator);
        return this.#fetch(index, from, {found, isOther});
    }

    /** Whether each chunk can be compared with its digest. */
    #isKnown() {
        const {digests} = this.#file;
        for (let index = 0; index < chunkCount(this.#model); index++) if (digests.get(index)?.byteLength !== 32)
            return false;
        return true;
    }

    /**
     * @param {number} index
     * @param {import('./wanted.js').OpenedFile} from
     * @param {{found?: ArrayBuffer, isOther?: boolean, onVain?: (bytes: number) => void}} options   isOther: what comes
     *     may be of another file
     * @returns {Promise<Chunk>}
     */
    async #fetch(index, from, {found, isOther = false, onVain = () => {}}) {
        const model = this.#model, wanted = this.#file.digests.get(index),
            isAny = wanted?.byteLength !== 32 && !isOther;
        for (let again = 0; ; again++) {
            const buffer = await from.read(index, again), digest = await sha256(buffer);
            if (isAny || wanted && same(digest, wanted) || found && same(digest, found))
                return {buffer, digest, isNew: true};
            if (again === RETRIES) throw hadManifest(model) ? isAnother(model, index) : isChanged(model);
            onVain(buffer.byteLength);
        }
    }
}

/** @param {{name: string}} model @param {number} index */
function isAnother({name}, index) {
    return new GemmaError('bad-file',
        `${name} on its server is not the file of its manifest: chunk ${index} has another SHA-256. ` +
        'What is right of it has been kept.');
}

/**
 * Chunks 0, 1, 2, ...
 * @param {number} count
 * @param {(index: number) => Promise<{buffer: ArrayBuffer, digest?: ArrayBuffer, isNew?: boolean}>} read
 * @param {object} [options]
 * @param {(bytes: number) => void} [options.arrived]   a chunk of this many bytes is about to be handed out
 * @param {(index: number, buffer: ArrayBuffer, digest: ArrayBuffer) => Promise<void>} [options.keep]   stores a new
 *     chunk; never rejects, and is not called before the consumer came back for a second chunk
 * @param {(buffer: ArrayBuffer) => void} [options.free]   of one that is not new, when it is no longer needed
 * @param {number} [options.most]     are being read, being stored, or waiting for or with the consumer, at most
 * @returns {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>}
 */
export function inOrder(count, read, {arrived = () => {}, keep = async () => {}, free = () => {},
    most = AT_ONCE} = {}) {
    return (signal) => {
        /** @type {{got: Promise<Chunk>, kept: Promise<void>}[]} */
        const coming = [];
        const writing = new Set();
        let next = 0, reading = 0, held = 0, ended = false, accept = () => {}, wake = () => {};
        /** @type {Promise<void>} */
        const accepted = new Promise((resolve) => { accept = resolve; });
        const order = () => {
            while (!ended && next < count && held < most && reading < AT_ONCE) {
                held++;
                reading++;
                coming.push(start(next++));
                wake();
            }
        };
        /** @param {number} index */
        const start = (index) => {
            const got = read(index).finally(() => {
                reading--;
                order();
            });
            const kept = got.then(async ({buffer, digest, isNew}) => {
                if (!isNew || !digest) return;
                await accepted;
                const write = keep(index, buffer, digest);
                writing.add(write);
                await write;
                writing.delete(write);
            });
            kept.catch(() => {});       // `got` is thrown where it is awaited; an earlier chunk may fail first
            return {got, kept};
        };
        order();        // while the consumer prepares itself
        return (async function* () {
            try {
                for (let index = 0; index < count; index++) {
                    // All that came has been handed out, and is still being stored.
                    while (!coming.length) await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
                        wake = resolve; });
                    const [{got, kept}] = coming.splice(0, 1);
                    const {buffer, isNew} = await unlessAborted(got, signal);
                    arrived(buffer.byteLength);
                    yield new Uint8Array(buffer);
                    accept();
                    kept.then(() => {
                        held--;
                        if (!isNew) free(buffer);
                        order();
                    });
                    if (index === count - 1) await kept;
                }
            } finally {
                ended = true;
                await Promise.all(writing);         // also when the next chunk can't come: what is here is kept
            }
        })();
    };
}
