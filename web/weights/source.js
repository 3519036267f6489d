// Where a model's bytes come from: a file of the user's, the chunk store, or the network by way of the store.
//
// Owns the order of things: what is stored is never fetched again, what is fetched goes to the engine and to the store
// in one pass, every chunk is hashed before the engine gets it, and at most a few chunks are held at any time. Knows neither
// GGUF nor the engine. What asks servers is imported when it is needed: the second visit should not wait for it.

import {GemmaError} from '../base/error.js';
import {unlessAborted} from '../base/abort.js';
import {createCheck, expected, isDamaged, mustAgree, mustBeRight, readDigest} from './file/check.js';
import {isSame} from './download/identity.js';
import {readManifest} from './file/manifest.js';
import {beside} from './file/names.js';
import {createMeter} from './file/progress.js';
import {createReader} from './store/reader.js';
import {describeRoom, lookForRoom} from './store/room.js';
import {same, sha256} from './file/sha256.js';
import {ChunkStore, CHUNK_SIZE, sameVersion} from './store/store.js';
import {downloadTurn, isReadElsewhere, read} from './store/tabs.js';

/**
 * @typedef {object} UrlDescription
 * @property {'url'} kind
 * @property {string} url                absolute; under it the model is stored
 * @property {string[]} [urls]           absolute; more addresses of the same file, for when the first does not give it
 * @property {Record<string, string>} [headers]   sent along, for servers that want a token
 * @property {object | string} [manifest]   what build/quantize writes beside a GGUF (see manifest.js), or its address: then each chunk is
 *     compared with its digest
 * @property {string} [sha256]           of the whole file, in hex; compared at the end of the download, or with what is stored
 * @property {boolean} [update]          asks the address whether it still has the file that is stored, and if not, puts the new one in its place
 *
 * @typedef {UrlDescription | {kind: 'file', file: Blob, manifest?: object | string, sha256?: string}} SourceDescription
 *
 * @typedef {object} Source
 * @property {string} name     file name, for people
 * @property {number} size     bytes
 * @property {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>} chunks   the bytes in file order, each chunk of 16 MiB or what the
 *     manifest says, only to be read, and until the next is asked for; to be called once. Nothing is stored before the consumer came back
 *     for the second one, so nothing is kept of a file whose header the engine refuses.
 * @property {() => Promise<void>} [refuse]   says that the engine can't run this file. What a download has stored of it is deleted, unless
 *     all of it was here before, or the download itself has failed. To be called before `close`
 * @property {() => void} close   ends requests, lets go of the store
 */

/** Chunks that are on their way, being stored or being used: so many connections, and so much memory. */
const AT_ONCE = 4;
/** The same where all of them are read from the store: some more wait while the engine is made ready. */
const MOST_READ = 6;
const RETRIES = 2;              // of a chunk that came with a wrong digest
const SAMPLE_BYTES = 65536;
const LEFT = 'What is here was left as it is. Replace it by loading it with `update`, or delete it.';
/** So much of a stored model that turns out to be damaged comes again without a question. */
const HEALED_BYTES = 256 * 1024 * 1024;

/**
 * @param {SourceDescription} description
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('./file/progress.js').Progress) => void} [options.onProgress]
 * @param {(announced?: {name: string, size: number}) => Promise<void>} [options.accept]   asked before anything is fetched of a model that is not
 *     here as a whole; refuses by rejecting. announced: what its manifest says
 * @param {boolean} [options.repair]   somebody has asked for what is damaged, or can't be read, to be fetched, however much it is
 * @returns {Promise<Source>}   rejects with GemmaError 'network', 'not-found', 'bad-file', 'changed' or 'storage', or the signal's reason
 */
export async function openSource({sha256: digest, ...more}, {signal, onProgress = () => {}, accept = async () => {}, repair = false} = {}) {
    const description = {...more, sha256: readDigest(digest)};
    if (description.kind === 'file') return openFile(description, onProgress);

    const stopping = new AbortController();
    const stop = signal ? AbortSignal.any([stopping.signal, signal]) : stopping.signal;
    const closing = [() => stopping.abort()];
    const close = () => {
        for (const end of closing.splice(0)) end();
    };
    try {
        const store = await openStore();
        if (store.store) closing.push(store.reader.close, await read(description.url, stop), () => store.store.close());
        const look = async () => {
            const file = {...await lookUp(store, description, stop), repair};
            return file.complete && file.update ? lookForAnother(file, onProgress) : file;
        };
        let file = await look();
        if (file.complete) return {...await openStored(file, onProgress, stop), close};
        await accept(file.manifest);

        const turn = store.store ? await downloadTurn(file.id, {
            signal: stop, onElsewhere: (progress) => onProgress({...progress, waiting: 'Another tab is downloading this model.'}),
        }) : undefined;
        if (turn) closing.unshift(turn.end);
        if (turn?.waited) file = await look();
        if (file.complete) return {...await openStored(file, onProgress, stop), close};

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
 * Whether a model's address still has the file that is stored: by its manifest, by the digest or the version that its host tells, else by samples.
 * @param {UrlDescription} description
 * @param {AbortSignal} [signal]
 * @returns {Promise<{same: boolean, size: number}>}   size: of the file at the address
 */
export async function compareSource(description, signal) {
    const store = await openStore();
    if (!store.store) throw new GemmaError('unsupported', `No model is stored here: ${store.without}.`, {here: true});
    const giveBack = await read(description.url, signal);
    try {
        const file = await lookUp(store, {...description, sha256: readDigest(description.sha256), update: true}, signal);
        if (!file.stored) throw new GemmaError('not-found', `There is no model ${description.url} on this device.`);
        return await compare(file);
    } finally {
        giveBack();
        store.reader.close();
        store.store.close();
    }
}

/** @param {Wanted} file   all or some of it is here */
async function compare(file) {
    const {stored, present, digest, manifest, manifestUrl} = file;
    if (manifest && manifestUrl) return {same: stored.size === manifest.size && present.size === chunkCount(stored), size: manifest.size};
    const remote = await file.open({first: 0, size: undefined, checked: false});
    try {
        const told = stored.sha256 && stored.size === remote.size ? digest || remote.sha256 || await pointerOf(file.access) : '';
        return {same: told ? told === stored.sha256 : await isSameFile(file, {...stored, size: remote.size, ...shownVersion(remote)}, remote),
            size: remote.size};
    } finally {
        remote.close();
    }
}

/** What is stored, or if its address has another file now, that one. Where it can't be asked, what is here does. @param {Wanted} file */
async function lookForAnother(file, onProgress) {
    const {stored: {name, size: total}} = file;
    try {
        const {same} = await compare(file);
        return same ? file : {...file, complete: false, present: new Set(), digests: file.manifestUrl ? file.digests : new Map()};
    } catch (error) {
        if (error.code !== 'network') throw error;
        onProgress({phase: 'load', bytes: 0, total, rate: 0, secondsLeft: Infinity, notice: `${name} could not be compared with its address. ${error.message}`});
        return file;
    }
}

/**
 * A file of the user's: read in place, nothing copied into the store. With a manifest, each chunk is compared with its digest.
 * @param {{file: Blob, manifest?: object | string, sha256: string}} description
 */
async function openFile({file, manifest: json, sha256: digest}, onProgress) {
    const name = file.name ?? 'model.gguf';
    const manifest = typeof json === 'string' ? await fetchManifest(json, {home: json}) : json && readManifest(json);
    if (manifest) mustAgree(manifest, digest, {name, size: file.size});
    const chunkSize = manifest?.chunkSize ?? CHUNK_SIZE;
    const meter = createMeter('load', file.size, onProgress);
    const read = async (index) => {
        const {readSlice} = await import('./file/files.js');
        const buffer = await readSlice(file, name, index * chunkSize, chunkSize);
        if (manifest && !same(await sha256(buffer), manifest.digests[index]))
            throw new GemmaError('bad-file', isDamaged(name, index));
        return {buffer};
    };
    const check = await createCheck(expected(digest, {name, size: file.size}));
    const chunks = inOrder(Math.ceil(file.size / chunkSize), read, {arrived: meter.add});
    return {name, size: file.size, chunks: (signal) => followed(chunks(signal), () => mustBeRight(check), check.add), close() {}};
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
 * @property {import('./download/request.js').Access} access
 * @property {import('./store/store.js').StoredModel} [stored]
 * @property {number} chunkSize       bytes
 * @property {Set<number>} present    chunks that are in the store
 * @property {Map<number, ArrayBuffer>} digests   that are known of chunks
 * @property {import('./file/manifest.js').Manifest} [manifest]
 * @property {string} [manifestUrl]   where it is
 * @property {string} digest          SHA-256 of the whole that the caller expects; ''
 * @property {boolean} update         as in UrlDescription
 * @property {boolean} complete       nothing is missing
 * @property {boolean} repair         as for openSource
 * @property {(remote: import('./download/http.js').RemoteFile) => Promise<import('./file/check.js').Published[]>} published   what the caller or the host says of what is to come
 * @property {(options: object) => Promise<import('./download/http.js').RemoteFile>} open   asks the servers
 */

/** @param {UrlDescription} description @returns {Promise<Wanted>} */
async function lookUp({store, without, reader}, {url: id, urls = [], headers, manifest: given, sha256: digest, update = false}, signal) {
    const stored = await store?.find(id);
    let [present, digests] = stored ? await Promise.all([store.chunksOf(id), store.digestsOf(id)]) : [new Set(), new Map()];
    const isWhole = () => Boolean(stored) && present.size >= Math.ceil(stored.size / stored.chunkSize);

    let manifest, base = id;
    const access = {home: id, headers, signal};
    const from = given ?? stored?.manifest;     // a download that goes on may have been given one
    if (typeof from === 'string') {
        // What is whole and came by this manifest needs neither it nor the network.
        if (!isWhole() || stored.manifest !== from || update) manifest = await fetchManifest(base = from, access).catch(optional(!given));
    } else if (from) {
        manifest = readManifest(from);
    }
    if (manifest) {
        mustAgree(manifest, digest);
        const comparable = stored?.size === manifest.size && stored.chunkSize === manifest.chunkSize;
        present = new Set([...present].filter((i) => comparable && digests.has(i) && same(digests.get(i), manifest.digests[i])));
        digests = new Map(manifest.digests.entries());
    } else if (digest && stored?.sha256 && stored.sha256 !== digest) {
        if (stored.complete && !update) throw isNotTheFile(stored, digest);
        present.clear();
        digests.clear();
    } else if (stored && hadManifest(stored) && digests.size === chunkCount(stored)) {
        manifest = {...stored, digests: Array.from({length: digests.size}, (_, i) => digests.get(i))};
    }
    const chunkSize = manifest?.chunkSize ?? stored?.chunkSize ?? CHUNK_SIZE;
    let line;
    return {
        id, store, reader, without, access, stored, chunkSize, present, digests, manifest, digest, update, complete: isWhole(),
        ...typeof from === 'string' && {manifestUrl: from},
        async published({name, size, sha256: announced, published}) {
            if (!digest && published) return published();
            return expected(digest || await pointerOf(access) || announced, {name, size});
        },
        async open(options) {
            if (!/^https?:/.test(id)) {
                throw stored ? new GemmaError('bad-file', `A piece of ${stored.name} is damaged here. It was imported from a file: import it again.`)
                    : new GemmaError('not-found', `There is no model ${id} on this device.`);
            }
            const [{openRemote}, {openSplit, partUrls}, {Line}] = await Promise.all([import('./download/http.js'), import('./download/split.js'), import('./download/line.js')]);
            line ??= new Line();
            const openFiles = !manifest?.parts && partUrls(id) ? openSplit : openRemote;
            return openFiles([id, ...urls], {
                headers, signal, line, pieceSize: chunkSize, knownGood: Boolean(stored), ...manifest && {size: manifest.size, checked: true},
                ...manifest?.parts && {parts: manifest.parts.map((part) => beside(part, base))}, ...options,
            });
        },
    };
}

/** @returns {Promise<string>} the SHA-256 that a host of git repositories tells of the model; '' */
async function pointerOf(access) {
    const {askPointer} = await import('./download/request.js');
    return askPointer(access.home, access);
}

/** For what one can do without. @param {boolean} is */
function optional(is) {
    return (error) => {
        if (!is) throw error;
    };
}

/** @param {string} url @param {import('./download/request.js').Access} access @returns {Promise<import('./file/manifest.js').Manifest>} */
async function fetchManifest(url, access) {
    const {askManifest} = await import('./download/request.js');
    return readManifest(await askManifest(url, access));
}

/** All chunks come from the store, from which the first are read at once. @param {Wanted} file @param {AbortSignal} stop */
async function openStored(file, onProgress, stop) {
    const {store, stored, manifest, digest} = file;
    const model = {...stored, lastUsed: Date.now(), ...manifest && versionOf(manifest)};
    const meter = createMeter('load', model.size, onProgress);
    const keeper = createKeeper(file, model, meter);
    const chunks = createChunks(file, model, {meter, keep: keeper.keep})(stop);
    const used = store.update(model.id, () => ({lastUsed: Date.now()})).catch(() => {});       // only a date
    // What came without a digest, or with one that only its manifest says, is compared with the one that is expected now, once.
    const isHashed = stored.sha256 === digest && (stored.hashed || !hadManifest(stored));
    const check = await createCheck(isHashed ? [] : expected(digest, model));
    const end = async () => {
        await used;
        mustBeRight(check, LEFT);
        if (check.whole) await store.update(model.id, () => hashedAs(check.whole)).catch(() => {});
    };
    return {name: model.name, size: model.size, chunks: () => followed(chunks, end, check.add)};
}

/**
 * What is there comes from the store, the rest from the network, and is stored on the way.
 * @param {Wanted} file
 * @param {() => void} [giveUpTurn]   another tab may download
 */
async function openDownload(file, onProgress, giveUpTurn = () => {}) {
    const {id, store, stored, manifest, manifestUrl, chunkSize, present, digests} = file;
    let meter, whole;
    const open = (first) => file.open({
        first, decided: () => Boolean(whole), onBytes: (bytes) => meter?.add(bytes),
        onWait: (waiting) => meter ? meter.wait(waiting) : waiting && onProgress({phase: 'download', bytes: 0, total: 0, rate: 0, secondsLeft: Infinity, waiting}),
    });
    let remote = await open(firstMissing(present));
    const {name, size} = remote;
    // A manifest's digests of all chunks say the same as a host's digest of the whole, and sooner. What the caller expects counts beside them.
    const published = manifest ? expected(file.digest, remote) : await file.published(remote);
    if (published.length === 1 && published[0].length === size) whole = published[0].sha256;
    const version = manifest ? {...versionOf(manifest), ...manifestUrl && {manifest: manifestUrl}} : shownVersion(remote, whole);
    const model = {id, name, size, chunkSize, savedAt: Date.now(), lastUsed: Date.now(), complete: false, damaged: [], sha256: '', ...version};
    if (!manifest && stored && present.size && await isSameFile(file, model, remote, {isWholeTold: Boolean(whole), mayMix: !stored.complete})) {
        model.validator = stored.validator;
    } else if (!manifest && stored && present.size) {
        if (stored.complete && !file.update) {
            remote.close();
            throw isChanged(stored);
        }
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

    const check = await createCheck(published), isRest = Boolean(stored?.complete) && present.size > 0;
    const chunks = createChunks(file, model, {meter, keep: keeper.keep, remote});
    let failed = false;
    return {
        name, size,
        chunks: (signal) => followed(chunks(signal), async () => {
            if (check.wrong && !isRest) await store?.delete(id).catch(() => {});
            mustBeRight(check, isRest ? LEFT : 'It was not kept; load it again.');
            if (check.whole) await store?.update(id, () => hashedAs(check.whole)).catch(() => {});
            giveUpTurn();
        }, check.add, () => { failed = true; }),
        async refuse() {
            const wrote = await keeper.stop();
            if (failed || isRest || !wrote && (stored?.complete || !stored)) return;
            await store.delete(id).catch(() => {});     // then it stays listed, and can be deleted there
        },
    };
}

/** What is recorded of a model all of whose bytes were hashed. */
function hashedAs(sha256) {
    return {sha256, hashed: true};
}

/** The same chunks, each shown to `each`; then `last`. `fail`: called where either fails. */
async function* followed(chunks, last, each = () => {}, fail = () => {}) {
    try {
        for await (const chunk of chunks) {
            each(chunk);
            yield chunk;
        }
        await last();
    } catch (error) {
        fail();
        throw error;
    }
}

/** Whether the digests of all chunks were known before the chunks came. */
function hadManifest({validator}) {
    return validator.startsWith('sha256:');
}

/**
 * What a server shows of a file's version, as it is kept beside what is stored.
 * @param {import('./download/identity.js').Version} shown
 * @param {string} [digest]   that is known of the whole
 * @returns {import('./download/identity.js').Version}
 */
function shownVersion({validator, modified, ...shown}, digest = shown.digest) {
    return {validator, modified, digest};
}

/** @param {import('./file/manifest.js').Manifest} manifest */
function versionOf({size, chunkSize, sha256: digest}) {
    return {size, chunkSize, validator: `sha256:${digest}`, sha256: digest};
}

/**
 * Whether what is stored is of the file that the server has now. Some servers show no version, and copies of one file go by several on several
 * servers: then samples of what is stored are compared, and where nobody tells a digest of the whole, the first chunk: headers may differ by a few bytes.
 * @param {{isWholeTold?: boolean, mayMix?: boolean}} [options]   isWholeTold: what will have come is compared with a digest of the whole; mayMix:
 *     what comes is put beside what is stored, and has no digest of its own: samples are not enough against a server that says otherwise
 */
async function isSameFile({store, stored, present, digests}, model, remote, {isWholeTold = false, mayMix = false} = {}) {
    if (stored.size !== model.size || stored.chunkSize !== model.chunkSize) return false;
    const told = isSame({...stored, digest: stored.sha256 || stored.digest}, model), {validator} = model;
    if (told !== undefined) return told;
    if (!remote.ranges || mayMix && !isWholeTold && (validator || stored.validator)) return false;
    let compared = 0;
    for (const index of new Set([Math.max(...present), Math.min(...present)])) {
        const chunk = chunkLength(model, index), length = Math.min(SAMPLE_BYTES, chunk), from = chunk - length;
        const found = await store.readChunk(stored.id, index, new ArrayBuffer(chunk));
        if (!found || !digests.has(index) || !same(found.digest, digests.get(index))) continue;
        const there = await remote.peek(index * model.chunkSize + from, length), here = new Uint8Array(found.bytes, from);
        if (!there.every((byte, i) => byte === here[i])) return false;
        compared++;
    }
    if (!compared) return false;
    return !validator || isWholeTold || !present.has(0) || same(await sha256(await remote.read(0)), digests.get(0));
}

/**
 * The chunks of a model in order, each with the digest that it must have, wherever it comes from.
 * @param {Wanted} file
 * @param {import('./store/store.js').StoredModel} model
 * @param {object} options
 * @param {ReturnType<typeof createMeter>} options.meter
 * @param {(index: number, buffer: ArrayBuffer, digest: ArrayBuffer) => Promise<void>} options.keep
 * @param {import('./download/http.js').RemoteFile} [options.remote]   for what has not been here; it counts its bytes itself
 */
function createChunks(file, model, {meter, keep, remote}) {
    const {store, present, digests, reader, repair} = file;
    let forRepair, healed = 0;
    const spare = [];       // ArrayBuffers for further chunks
    const options = remote ? {} : {arrived: meter.add, most: MOST_READ};
    return inOrder(chunkCount(model), read, {keep, free: (buffer) => spare.push(buffer), ...options});

    async function read(index) {
        if (!present.has(index)) return fetchChunk(index, remote, {onVain: (bytes) => meter.add(-bytes)});
        const length = chunkLength(model, index), old = spare.pop(), room = old?.byteLength === length ? old : new ArrayBuffer(length);
        // That a chunk can't be read says nothing of the chunk: it is fetched again only by a repair.
        const chunk = await reader.read(model.id, index, room).catch((error) => {
            if (!repair || error.code !== 'storage') throw error;
        });
        if (chunk && digests.has(index) && same(chunk.digest, digests.get(index))) return {buffer: chunk.bytes};
        present.delete(index);
        try {
            return await heal(index, chunk?.digest);
        } catch (error) {
            const note = (there) => sameVersion(there, model) ? {damaged: [...new Set([...there.damaged, index])]} : {};
            await store.update(model.id, note).catch(() => {});
            throw error;
        }
    }

    /**
     * Fetches a chunk that is not what was stored. Its digest decides, not by which version the file goes now.
     * @param {ArrayBuffer} [found]   digest of what is stored. Where the network gives the same, it is the recorded one that is damaged
     */
    async function heal(index, found) {
        healed += chunkLength(model, index);
        if (healed > HEALED_BYTES && !repair) {
            throw new GemmaError('bad-file', `More than ${HEALED_BYTES >> 20} MiB of ${model.name} are damaged here. A repair fetches what is damaged, ` +
                'and nothing else.');
        }
        forRepair ??= file.open({first: index, ...isKnown() && {checked: true}});
        forRepair.catch(() => { forRepair = undefined; });
        const from = await forRepair;
        if (from.size !== model.size) throw isChanged(model);
        return fetchChunk(index, from, {found, isOther: !hadManifest(model) && !(isSame(model, from) ?? from.validator === model.validator)});
    }

    /** Whether each chunk can be compared with its digest. */
    function isKnown() {
        for (let index = 0; index < chunkCount(model); index++) if (digests.get(index)?.byteLength !== 32) return false;
        return true;
    }

    /** @param {{found?: ArrayBuffer, isOther?: boolean, onVain?: (bytes: number) => void}} options   isOther: what comes may be of another file */
    async function fetchChunk(index, from, {found, isOther = false, onVain = () => {}}) {
        const wanted = digests.get(index), isAny = wanted?.byteLength !== 32 && !isOther;
        for (let again = 0; ; again++) {
            const buffer = await from.read(index, again), digest = await sha256(buffer);
            if (isAny || wanted && same(digest, wanted) || found && same(digest, found)) return {buffer, digest, isNew: true};
            if (again === RETRIES) throw hadManifest(model) ? isAnother(index) : isChanged(model);
            onVain(buffer.byteLength);
        }
    }

    function isAnother(index) {
        return new GemmaError('bad-file', `${model.name} on its server is not the file of its manifest: chunk ${index} has another SHA-256. ` +
            'What is right of it has been kept.');
    }
}

function isNotTheFile({name, sha256: found}, expected) {
    return new GemmaError('bad-file', `What is stored of ${name} is not the file that is expected: its SHA-256 is ${found}, and ${expected} is expected. ${LEFT}`);
}

function isChanged({name}) {
    return new GemmaError('changed', `Pieces of ${name} are missing or damaged here, and its address has another file now. ${LEFT}`);
}

/**
 * Writes chunks to the store for as long as that goes well. When it doesn't (no room), the load goes on from memory, what is
 * stored stays for the next time, and the user is told.
 * @param {Wanted} file
 */
function createKeeper({store, without, manifest, present, stored}, model, meter, giveUpTurn = () => {}) {
    const replaces = stored?.complete && !sameVersion(stored, model);
    const writing = new Set();
    let keeping = Boolean(store), sole = false, wrote = false;
    if (!store) meter.say(notKept(without));
    return {
        async checkRoom() {
            const here = [...present].reduce((sum, index) => sum + chunkLength(model, index), 0);
            const others = (await store.list()).filter(({id}) => id !== model.id);
            const replaced = present.size ? 0 : (await store.chunksOf(model.id)).size * model.chunkSize;
            const room = await lookForRoom(model.size - here - replaced, others);
            if (!room.enough) giveUp(describeRoom(room));
        },
        async keep(...chunk) {
            if (!keeping) return;
            const written = write(...chunk);
            writing.add(written);
            await written;
            writing.delete(written);
        },
        /** Stores nothing more. @returns {Promise<boolean>} whether anything was stored */
        async stop() {
            keeping = false;
            await Promise.all(writing);
            return wrote;
        },
    };

    async function write(index, buffer, digest) {
        try {
            if (replaces && !sole && !(sole = !await isReadElsewhere(model.id))) return giveUp('another tab reads the version that is here');
            await store.writeChunk(model, index, buffer, digest, manifest?.digests);
            wrote = true;
        } catch (error) {
            giveUp(error.code === 'no-room' ? `${error.message}; what has been stored so far stays for the next time` : error.message);
        }
    }

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
