// Where a model's bytes come from: a file of the user's, the chunk store, or the network by way of the store.
//
// Owns the order of things: what is stored is never fetched again, what is fetched goes to the engine and to the store
// in one pass, every chunk is hashed before the engine gets it, and at most a few chunks are held at any time. Knows neither
// GGUF nor the engine. What asks servers is imported when it is needed: the second visit should not wait for it.

import {GemmaError} from '../engine/error.js';
import {readManifest} from './manifest.js';
import {beside} from './names.js';
import {createMeter} from './progress.js';
import {createReader} from './reader.js';
import {describeRoom, lookForRoom} from './room.js';
import {createSha256, same, sha256, toHex} from './sha256.js';
import {ChunkStore, CHUNK_SIZE, sameVersion} from './store.js';
import {downloadTurn, use} from './tabs.js';

/**
 * @typedef {object} UrlDescription
 * @property {'url'} kind
 * @property {string} url                absolute; under it the model is stored
 * @property {string[]} [urls]           absolute; more addresses of the same file, for when the first does not give it
 * @property {Record<string, string>} [headers]   sent along, for servers that want a token
 * @property {object | string} [manifest]   what build/quantize writes beside a GGUF (see manifest.js), or its address: then each chunk is
 *     compared with its digest
 * @property {string} [sha256]           of the whole file, in hex; compared at the end of the download
 *
 * @typedef {UrlDescription | {kind: 'file', file: Blob, manifest?: object}} SourceDescription
 *
 * @typedef {object} Source
 * @property {string} name     file name, for people
 * @property {number} size     bytes
 * @property {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>} chunks   the bytes in file order, each chunk of 16 MiB or what the
 *     manifest says, only to be read, and until the next is asked for; to be called once. Nothing is stored before the consumer came back
 *     for the second one, so nothing is kept of a file whose header the engine refuses.
 * @property {() => void} close   ends requests, lets go of the store
 */

/** Chunks that are on their way, being stored or being used: so many connections, and so much memory. */
const AT_ONCE = 4;
/** The same where all of them are read from the store: some more wait while the engine is made ready. */
const MOST_READ = 6;
const RETRIES = 2;              // of a chunk that came with a wrong digest
const SAMPLE_BYTES = 65536;

/**
 * @param {SourceDescription} description
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('./progress.js').Progress) => void} [options.onProgress]
 * @param {(announced?: {name: string, size: number}) => Promise<void>} [options.accept]   asked before anything is fetched of a model that is not
 *     here as a whole; refuses by rejecting. announced: what its manifest says
 * @returns {Promise<Source>}   rejects with GemmaError 'network', 'not-found' or 'bad-file', or the signal's reason
 */
export async function openSource(description, {signal, onProgress = () => {}, accept = async () => {}} = {}) {
    if (description.kind === 'file') return openFile(description, onProgress);

    const stopping = new AbortController();
    const stop = signal ? AbortSignal.any([stopping.signal, signal]) : stopping.signal;
    const closing = [() => stopping.abort()];
    const close = () => {
        for (const end of closing.splice(0)) end();
    };
    try {
        const store = await openStore();
        if (store.store) closing.push(store.reader.close, await use(description.url), () => store.store.close());
        let file = await lookUp(store, description, stop);
        if (file.complete) return {...openStored(file, onProgress, stop), close};
        await accept(file.manifest);

        const turn = store.store ? await downloadTurn(file.id, {
            signal: stop, onElsewhere: (progress) => onProgress({...progress, waiting: 'Another tab is downloading this model.'}),
        }) : undefined;
        if (turn) closing.unshift(turn.end);
        if (turn?.waited) file = await lookUp(store, description, stop);
        if (file.complete) return {...openStored(file, onProgress, stop), close};

        const report = (progress) => {
            turn?.tell(progress);
            onProgress(progress);
        };
        return {...await openDownload(file, report, turn?.end), close};
    } catch (error) {
        close();
        throw error;
    }
}

/**
 * A file of the user's: read in place, nothing copied into the store. With a manifest, each chunk is compared with its digest.
 * @param {{file: Blob, manifest?: object}} description
 */
function openFile({file, manifest: json}, onProgress) {
    const name = file.name ?? 'model.gguf';
    const manifest = json && readManifest(json);
    if (manifest && manifest.size !== file.size)
        throw new GemmaError('bad-file', `${name} is not the file of its manifest: it has ${file.size} bytes, not ${manifest.size}.`);
    const chunkSize = manifest?.chunkSize ?? CHUNK_SIZE;
    const meter = createMeter('load', file.size, onProgress);
    const read = async (index) => {
        const {readSlice} = await import('./files.js');
        const buffer = await readSlice(file, name, index * chunkSize, chunkSize);
        if (manifest && !same(await sha256(buffer), manifest.digests[index]))
            throw new GemmaError('bad-file', `${name} is damaged: chunk ${index} is not what its manifest says; get the file again.`);
        return {buffer};
    };
    return {name, size: file.size, chunks: inOrder(Math.ceil(file.size / chunkSize), read, {arrived: meter.add}), close() {}};
}

/**
 * The store and who reads it, or the reason why there is none.
 * @returns {Promise<{store?: ChunkStore, reader?: ReturnType<typeof createReader>, without?: string}>}
 */
async function openStore() {
    if (!globalThis.crypto?.subtle) return {without: 'that takes a secure (https) address'};
    try {
        const store = await ChunkStore.open();
        return {store, reader: createReader(store)};
    } catch (error) {
        return {without: error.message};
    }
}

/**
 * A file that is to be read, with what is here of it.
 * @typedef {object} Wanted
 * @property {string} id
 * @property {ChunkStore} [store]
 * @property {ReturnType<typeof createReader>} [reader]   of the store
 * @property {string} [without]       why there is no store
 * @property {import('./store.js').StoredModel} [stored]
 * @property {number} chunkSize       bytes
 * @property {Set<number>} present    chunks that are in the store
 * @property {Map<number, ArrayBuffer>} digests   that are known of chunks
 * @property {import('./manifest.js').Manifest} [manifest]
 * @property {string} [manifestUrl]   where it is
 * @property {boolean} complete       nothing is missing
 * @property {(remote: import('./http.js').RemoteFile) => Promise<Published[]>} published   what the caller or the host says of what is to come
 * @property {(options: object) => Promise<import('./http.js').RemoteFile>} open   asks the servers
 */

/** @param {UrlDescription} description @returns {Promise<Wanted>} */
async function lookUp({store, without, reader}, {url: id, urls = [], headers, manifest: given, sha256: digest = ''}, signal) {
    const stored = await store?.find(id);
    let [present, digests] = stored ? await Promise.all([store.chunksOf(id), store.digestsOf(id)]) : [new Set(), new Map()];
    const isWhole = () => Boolean(stored) && present.size >= Math.ceil(stored.size / stored.chunkSize);

    let manifest, base = id;
    const access = {home: id, headers, signal};
    const from = given ?? stored?.manifest;     // a download that goes on may have been given one
    if (typeof from === 'string') {
        // What is whole needs no manifest, and no network.
        if (!isWhole()) manifest = await fetchManifest(base = from, access).catch(optional(!given));
    } else if (from) {
        manifest = readManifest(from);
    }
    if (manifest) {
        const comparable = stored?.size === manifest.size && stored.chunkSize === manifest.chunkSize;
        present = new Set([...present].filter((i) => comparable && digests.has(i) && same(digests.get(i), manifest.digests[i])));
        digests = new Map(manifest.digests.entries());
    } else if (digest && stored?.sha256 && stored.sha256 !== digest.toLowerCase()) {
        present.clear();
        digests.clear();
    } else if (stored && hadManifest(stored) && digests.size === chunkCount(stored)) {
        manifest = {...stored, digests: Array.from({length: digests.size}, (_, i) => digests.get(i))};
    }
    const chunkSize = manifest?.chunkSize ?? stored?.chunkSize ?? CHUNK_SIZE;
    return {
        id, store, reader, without, stored, chunkSize, present, digests, manifest, complete: isWhole(), ...typeof from === 'string' && {manifestUrl: from},
        async published({name, size, sha256: announced, published}) {
            if (!digest && published) return published();
            const {askPointer} = await import('./request.js');
            const whole = digest.toLowerCase() || await askPointer(id, access) || announced;
            return whole ? [{name, sha256: whole, from: 0, length: size}] : [];
        },
        async open(options) {
            if (!/^https?:/.test(id)) {
                throw stored ? new GemmaError('bad-file', `A piece of ${stored.name} is damaged here. It was imported from a file: import it again.`)
                    : new GemmaError('not-found', `There is no model ${id} on this device.`);
            }
            const [{openRemote}, {openSplit, partUrls}] = await Promise.all([import('./http.js'), import('./split.js')]);
            const openFiles = !manifest?.parts && partUrls(id) ? openSplit : openRemote;
            return openFiles([id, ...urls], {
                headers, signal, pieceSize: chunkSize, knownGood: Boolean(stored), ...manifest && {size: manifest.size, checked: true},
                ...manifest?.parts && {parts: manifest.parts.map((part) => beside(part, base))}, ...options,
            });
        },
    };
}

/** For what one can do without. @param {boolean} is */
function optional(is) {
    return (error) => {
        if (!is) throw error;
    };
}

/** @param {string} url @param {import('./request.js').Access} access @returns {Promise<import('./manifest.js').Manifest>} */
async function fetchManifest(url, access) {
    const {askManifest} = await import('./request.js');
    return readManifest(await askManifest(url, access));
}

/** All chunks come from the store, from which the first are read at once. @param {Wanted} file @param {AbortSignal} stop */
function openStored(file, onProgress, stop) {
    const {store, stored, manifest} = file;
    const model = {...stored, lastUsed: Date.now(), ...manifest && versionOf(manifest)};
    const meter = createMeter('load', model.size, onProgress);
    const keeper = createKeeper(file, model, meter);
    const chunks = createChunks(file, model, {meter, keep: keeper.keep})(stop);
    const used = store.update(model.id, () => ({lastUsed: Date.now()})).catch(() => {});       // only a date
    return {name: model.name, size: model.size, chunks: () => followed(chunks, () => used)};
}

/**
 * What is there comes from the store, the rest from the network, and is stored on the way.
 * @param {Wanted} file
 * @param {() => void} [giveUpTurn]   another tab may download
 */
async function openDownload(file, onProgress, giveUpTurn = () => {}) {
    const {id, store, stored, manifest, manifestUrl, chunkSize, present, digests} = file;
    let meter;
    const open = (first) => file.open({first, onBytes: (bytes) => meter?.add(bytes), onWait: (sentence) => meter?.wait(sentence)});
    let remote = await open(firstMissing(present));
    const {name, size} = remote;
    const version = manifest ? {...versionOf(manifest), ...manifestUrl && {manifest: manifestUrl}} : {validator: remote.validator};
    const model = {id, name, size, chunkSize, savedAt: Date.now(), lastUsed: Date.now(), complete: false, damaged: [], sha256: '', ...version};
    if (!manifest && stored && present.size && !await isSameFile(file, model, remote)) {
        if (present.has(0)) {
            remote.close();
            remote = await open(0);
        }
        present.clear();
        digests.clear();
    }

    meter = createMeter('download', size, onProgress);
    for (const index of present) meter.skip(chunkLength(model, index));
    const keeper = createKeeper(file, model, meter, giveUpTurn);
    if (store) await keeper.checkRoom();
    if (stored?.complete && present.size)
        meter.say(`The browser has removed ${chunkCount(model) - present.size} of ${chunkCount(model)} pieces of ${name}: they are fetched again.`);

    // A manifest's digests of all chunks say the same, and sooner.
    const check = manifest ? undefined : await createCheck(await file.published(remote));
    const chunks = createChunks(file, model, {meter, keep: keeper.keep, remote});
    return {
        name, size,
        chunks: (signal) => followed(chunks(signal), async () => {
            await check?.end(file, model);
            giveUpTurn();
        }, check?.add),
    };
}

/** The same chunks, each shown to `each`; then `last`. */
async function* followed(chunks, last, each = () => {}) {
    for await (const chunk of chunks) {
        each(chunk);
        yield chunk;
    }
    await last();
}

/** Whether the digests of all chunks were known before the chunks came. */
function hadManifest({validator}) {
    return validator.startsWith('sha256:');
}

/** @param {import('./manifest.js').Manifest} manifest */
function versionOf({size, chunkSize, sha256: digest}) {
    return {size, chunkSize, validator: `sha256:${digest}`, sha256: digest};
}

/**
 * What a publisher says of a file, or of a part of it.
 * @typedef {object} Published
 * @property {string} name        of the file that is published
 * @property {string} sha256      in hex
 * @property {number} from        where in the model it is,
 * @property {number} length      and how much
 * @property {Uint8Array} [head]  what it has before that
 */

/** Compares what comes with what its publisher says of it. @param {Published[]} published   in the order of the bytes */
async function createCheck(published) {
    if (!published.length) return undefined;
    const hash = await createSha256();
    let at = 0, wrong;
    return {
        add(chunk) {
            for (const {name, sha256: expected, from, length, head} of published) {
                const begin = Math.max(from - at, 0), end = Math.min(from + length - at, chunk.length);
                if (begin >= end) continue;
                if (at + begin === from) {
                    hash.begin();
                    if (head) hash.add(head);
                }
                hash.add(chunk.subarray(begin, end));
                if (at + end < from + length) continue;
                const found = toHex(hash.end());
                if (found !== expected) wrong ??= `${name} is not the file that its publisher describes: its SHA-256 is ${found}, and ${expected} is expected.`;
            }
            at += chunk.length;
        },
        async end({store}, {id, size}) {
            if (!wrong) {
                const [{sha256: digest, length}] = published;
                if (length === size) await store?.update(id, () => ({sha256: digest})).catch(() => {});
                return;
            }
            await store?.delete(id).catch(() => {});
            throw new GemmaError('bad-file', `${wrong} It was not kept; load it again.`);
        },
    };
}

/**
 * Whether what is stored is of the file that the server has now. Where the server shows no version, a piece of what is stored is
 * compared.
 */
async function isSameFile({store, stored, present}, model, remote) {
    if (!sameVersion(stored, model)) return false;
    if (model.validator) return true;
    if (!remote.ranges) return false;
    const index = Math.max(...present), chunk = chunkLength(model, index), length = Math.min(SAMPLE_BYTES, chunk), from = chunk - length;
    const found = await store.readChunk(stored.id, index, new ArrayBuffer(chunk)).catch(() => undefined);
    if (!found) return false;
    const there = await remote.peek(index * model.chunkSize + from, length);
    return there.every((byte, i) => byte === new Uint8Array(found.bytes, from)[i]);
}

/**
 * The chunks of a model in order, each with the digest that it must have, wherever it comes from.
 * @param {Wanted} file
 * @param {import('./store.js').StoredModel} model
 * @param {object} options
 * @param {ReturnType<typeof createMeter>} options.meter
 * @param {(index: number, buffer: ArrayBuffer, digest: ArrayBuffer) => Promise<void>} options.keep
 * @param {import('./http.js').RemoteFile} [options.remote]   for what has not been here; it counts its bytes itself
 */
function createChunks(file, model, {meter, keep, remote}) {
    const {store, present, digests, reader} = file;
    let forRepair;
    const spare = [];       // ArrayBuffers for further chunks
    const options = remote ? {} : {arrived: meter.add, most: MOST_READ};
    return inOrder(chunkCount(model), read, {keep, free: (buffer) => spare.push(buffer), ...options});

    async function read(index) {
        if (!present.has(index)) return fetchChunk(index, remote, {onVain: (bytes) => meter.add(-bytes)});
        const length = chunkLength(model, index), old = spare.pop(), room = old?.byteLength === length ? old : new ArrayBuffer(length);
        const chunk = await reader.read(model.id, index, room).catch(() => undefined);
        if (chunk && digests.has(index) && same(chunk.digest, digests.get(index))) return {buffer: chunk.bytes};
        present.delete(index);
        try {
            return await fetchChunk(index, await openForRepair(index), {also: chunk?.digest});
        } catch (error) {
            await store.update(model.id, ({damaged}) => ({damaged: [...new Set([...damaged, index])]})).catch(() => {});
            throw error;
        }
    }

    /** @param {{also?: ArrayBuffer, onVain?: (bytes: number) => void}} options   also: the digest of what is stored. Where the network gives
     *     the same, it is the recorded one that is damaged */
    async function fetchChunk(index, from, {also, onVain = () => {}}) {
        const wanted = digests.get(index);
        for (let again = 0; ; again++) {
            const buffer = await from.read(index, again), digest = await sha256(buffer);
            if (wanted?.byteLength !== 32 || same(digest, wanted) || also && same(digest, also)) return {buffer, digest, isNew: true};
            if (again === RETRIES) throw hadManifest(model) ? isAnother(index) : await isLost();
            onVain(buffer.byteLength);
        }
    }

    /** The file that was stored, at its server, if that still has it. */
    function openForRepair(index) {
        forRepair ??= (async () => {
            const from = await file.open({first: index});
            if (from.size === model.size && (hadManifest(model) || from.validator === model.validator)) return from;
            from.close();
            throw await isLost();
        })();
        forRepair.catch(() => { forRepair = undefined; });
        return forRepair;
    }

    function isAnother(index) {
        return new GemmaError('bad-file', `${model.name} on its server is not the file of its manifest: chunk ${index} has another SHA-256. ` +
            'What is right of it has been kept.');
    }

    async function isLost() {
        await store.delete(model.id);
        return new GemmaError('network', `What was stored of ${model.name} is damaged and has been deleted; load it again.`);
    }
}

/**
 * Writes chunks to the store for as long as that goes well. When it doesn't (no room), the load goes on from memory, what is
 * stored stays for the next time, and the user is told.
 * @param {Wanted} file
 */
function createKeeper({store, without, manifest, present}, model, meter, giveUpTurn = () => {}) {
    let keeping = Boolean(store);
    if (!store) meter.say(notKept(without));
    return {
        async checkRoom() {
            const here = [...present].reduce((sum, index) => sum + chunkLength(model, index), 0);
            const others = (await store.list()).filter(({id}) => id !== model.id);
            const replaced = present.size ? 0 : (await store.chunksOf(model.id)).size * model.chunkSize;
            const room = await lookForRoom(model.size - here - replaced, others);
            if (!room.enough) giveUp(describeRoom(room));
        },
        async keep(index, buffer, digest) {
            if (!keeping) return;
            try {
                await store.writeChunk(model, index, buffer, digest, manifest?.digests);
            } catch (error) {
                giveUp(error.code === 'no-room' ? `${error.message}; what has been stored so far stays for the next time` : error.message);
            }
        },
    };

    function giveUp(reason) {
        if (!keeping) return;
        keeping = false;
        meter.say(notKept(reason));
        giveUpTurn();
    }
}

/**
 * Chunks 0, 1, 2, ...
 * @param {number} count
 * @param {(index: number) => Promise<{buffer: ArrayBuffer, digest?: ArrayBuffer, isNew?: boolean}>} read
 * @param {object} [options]
 * @param {(bytes: number) => void} [options.arrived]   a chunk of so many bytes is about to be handed out
 * @param {(index: number, buffer: ArrayBuffer, digest: ArrayBuffer) => Promise<void>} [options.keep]   stores a new chunk; never
 *     rejects, and is not called before the consumer came back for a second chunk
 * @param {(buffer: ArrayBuffer) => void} [options.free]   of one that is not new, when nobody needs it any more
 * @param {number} [options.most]     are being read, being stored, or waiting for or with the consumer, at most
 * @returns {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>}
 */
function inOrder(count, read, {arrived = () => {}, keep = async () => {}, free = () => {}, most = AT_ONCE} = {}) {
    return (signal) => {
        const coming = [], writing = new Set();
        let next = 0, reading = 0, held = 0, ended = false, accept, wake;
        const accepted = new Promise((resolve) => { accept = resolve; });
        const order = () => {
            while (!ended && next < count && held < most && reading < AT_ONCE) {
                held++;
                reading++;
                coming.push(start(next++));
                wake?.();
            }
        };
        const start = (index) => {
            const got = read(index).finally(() => {
                reading--;
                order();
            });
            const kept = got.then(async ({buffer, digest, isNew}) => {
                if (!isNew) return;
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
                    while (!coming.length) await new Promise((resolve) => { wake = resolve; });
                    const {got, kept} = coming.shift();
                    const {buffer, isNew} = await got;
                    signal?.throwIfAborted();
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

function notKept(reason) {
    return `The model runs, but is not kept for the next visit: ${reason.replace(/\.$/, '')}.`;
}

function chunkCount({size, chunkSize}) {
    return Math.ceil(size / chunkSize);
}

function chunkLength({size, chunkSize}, index) {
    return Math.min(chunkSize, size - index * chunkSize);
}

function firstMissing(present) {
    let index = 0;
    while (present.has(index)) index++;
    return index;
}
