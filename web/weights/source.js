// Where a model's bytes come from: a file of the user's, the chunk store, or the network by way of the store.
//
// Owns the order of things: what is stored is never fetched again, what is fetched goes to the engine and to
// the store in one pass, every chunk is hashed before the engine gets it, and at most a few chunks are held
// at any time. Knows neither GGUF nor the engine.

import {GemmaError} from '../base/error.js';
import {later} from '../base/later.js';
import {createChunks, inOrder} from './chunks.js';
import {createCheck, expected, isDamaged, mustAgree, mustBeRight, readDigest} from './file/check.js';
import {createKeeper} from './keeper.js';
import {readManifest} from './file/manifest.js';
import {createMeter} from './file/progress.js';
import {same, sha256} from './file/sha256.js';
import {readSlice} from './file/slice.js';
import {CHUNK_SIZE} from './store/store.js';
import {downloadTurn, read} from './store/tabs.js';
import {
    LEFT, chunkCount, chunkLength, fetchManifest, firstMissing, hadManifest, isChanged, isSameFile, isWhole,
    lookUp, openStore,
    shownVersion, versionOf,
} from './wanted.js';

/**
 * @typedef {import('./wanted.js').Wanted} Wanted
 * @typedef {import('./wanted.js').WholeFile} WholeFile
 */

/**
 * @typedef {(progress: import('./file/progress.js').Progress) => void} OnProgress
 *
 * @typedef {object} UrlDescription
 * @property {'url'} kind
 * @property {string} url                absolute; under it the model is stored
 * @property {string[]} [urls]           absolute; more addresses of the same file, for when the first does not give it
 * @property {Record<string, string>} [headers]   sent along, for servers that want a token
 * @property {object | string} [manifest]   what build/quantize writes beside a GGUF (see manifest.js), or its
 *     address: then each chunk is compared with its digest
 * @property {string} [sha256]           of the whole file, in hex; compared at the end of the download, or
 *     with what is stored
 * @property {boolean} [update]          asks the address whether it still has the file that is stored; if
 *     not, the new file replaces it
 *
 * @typedef {UrlDescription | {kind: 'file', file: Blob, manifest?: object | string, sha256?: string}} SourceDescription
 *
 * @typedef {object} Source
 * @property {string} name     file name, for people
 * @property {number} size     bytes
 * @property {(signal?: AbortSignal) => AsyncGenerator<Uint8Array>} chunks   the bytes in file order, each
 *     chunk of 16 MiB or what the manifest says, only to be read, and until the next is asked for; to be
 *     called once. Nothing is stored before the consumer came back for the second one, so nothing is kept of
 *     a file whose header the engine refuses.
 * @property {() => Promise<void>} [refuse]   says that the engine can't run this file. What a download has
 *     stored of it is deleted, unless all of it was here before, or the download itself has failed. To be
 *     called before `close`
 * @property {() => void} close   ends requests, lets go of the store
 */

/**
 * @param {SourceDescription} description
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {(progress: import('./file/progress.js').Progress) => void} [options.onProgress]
 * @param {(announced?: {name: string, size: number}) => Promise<void>} [options.accept]   asked before
 *     anything is fetched of a model that is not here as a whole; refuses by rejecting. announced: what its
 *     manifest says
 * @param {boolean} [options.repair]   fetch what is damaged, or can't be read, however much it is
 * @returns {Promise<Source>}   rejects with GemmaError 'network', 'not-found', 'bad-file', 'changed' or
 *     'storage', or the signal's reason
 */
export async function openSource({sha256: digest, ...more},
    {signal, onProgress = () => {}, accept = async () => {}, repair = false} = {}) {
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
        const {store: chunks, reader} = store;
        if (chunks && reader) closing.push(reader.close, await read(description.url, stop), () => chunks.close());
        const look = async () => {
            const file = {...await lookUp(store, description, stop), repair};
            return isWhole(file) && file.update
                ? (await later(() => import('./compare.js'))).lookForAnother(file, onProgress) : file;
        };
        /** @type {Wanted} */
        let file = await look();
        if (isWhole(file)) return {...await openStored(file, onProgress, stop), close};
        await accept(file.manifest);

        const turn = store.store ? await downloadTurn(file.id, {
            signal: stop,
            onElsewhere: (progress) =>
                onProgress({...progress, waiting: 'Another tab is downloading this model.'}),
        }) : undefined;
        if (turn) closing.unshift(turn.end);
        if (turn?.waited) file = await look();
        if (isWhole(file)) return {...await openStored(file, onProgress, stop), close};

        /** @type {OnProgress} */
        const report = (progress) => {
            turn?.tell(progress);
            onProgress(progress);
        };
        return {...await openDownload(file, report, turn), close};
    } catch (error) {
        close();
        throw error;
    }
}

/**
 * A file of the user's: read in place, nothing copied into the store. With a manifest, each chunk is compared
 * with its digest.
 * @param {{file: Blob, manifest?: object | string, sha256: string}} description
 * @param {OnProgress} onProgress
 * @returns {Promise<Source>}
 */
async function openFile({file, manifest: json, sha256: digest}, onProgress) {
    const name = 'name' in file ? String(file.name) : 'model.gguf';
    const manifest = typeof json === 'string' ? await fetchManifest(json, {home: json}) : json && readManifest(json);
    if (manifest) mustAgree(manifest, digest, {name, size: file.size});
    const chunkSize = manifest?.chunkSize ?? CHUNK_SIZE;
    const meter = createMeter('load', file.size, onProgress);
    /** @param {number} index */
    const read = async (index) => {
        const buffer = await readSlice(file, name, index * chunkSize, chunkSize);
        if (manifest && !same(await sha256(buffer), manifest.digests[index]))
            throw new GemmaError('bad-file', isDamaged(name, index));
        return {buffer};
    };
    const check = await createCheck(expected(digest, {name, size: file.size}));
    const chunks = inOrder(Math.ceil(file.size / chunkSize), read, {arrived: meter.add});
    return {
        name, size: file.size,
        chunks: (signal) => followed(chunks(signal), () => mustBeRight(check), check.add),
        close() {},
    };
}

/**
 * All chunks come from the store, from which the first are read at once.
 * @param {WholeFile} file
 * @param {OnProgress} onProgress
 * @param {AbortSignal} stop
 */
async function openStored(file, onProgress, stop) {
    const {store, stored, manifest, digest} = file;
    const model = {...stored, lastUsed: Date.now(), ...manifest && versionOf(manifest)};
    const meter = createMeter('load', model.size, onProgress);
    const keeper = createKeeper(file, model, meter);
    const chunks = createChunks(file, model, {meter, keep: keeper.keep})(stop);
    const used = store.update(model.id, () => ({lastUsed: Date.now()})).catch(() => {});       // only a date
    // What came without a digest, or with one that only its manifest says, is compared with the one that is
    // expected now, once.
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
 * @param {OnProgress} onProgress
 * @param {import('./store/tabs.js').Turn} [turn]   given up as soon as nothing more is stored
 * @returns {Promise<Omit<Source, 'close'>>}
 */
async function openDownload(file, onProgress, turn) {
    const {id, store, stored, manifest, manifestUrl, chunkSize, present, digests} = file;
    let /** @type {ReturnType<typeof createMeter> | undefined} */ meter;
    let /** @type {string | undefined} */ whole;
    /** @param {number} first */
    const open = (first) => file.open({
        first, decided: () => Boolean(whole), onBytes: (bytes) => meter?.add(bytes),
        onWait: (waiting) => meter ? meter.wait(waiting) : waiting
            && onProgress({phase: 'download', bytes: 0, total: 0, rate: 0, secondsLeft: Infinity, waiting}),
    });
    let remote = await open(firstMissing(present));
    const {name, size} = remote;
    // A manifest's digests of all chunks replace a host's digest of the whole. The caller's digest counts, too.
    const published = manifest ? expected(file.digest, remote) : await file.published(remote);
    if (published.length === 1 && published[0].length === size) whole = published[0].sha256;
    const version = manifest
        ? {...versionOf(manifest), ...manifestUrl && {manifest: manifestUrl}} : shownVersion(remote, whole);
    const model = {id, name, size, chunkSize, savedAt: Date.now(), lastUsed: Date.now(), complete: false,
        damaged: [], sha256: '', ...version};
    if (!manifest && stored && present.size
        && await isSameFile(file, model, remote, {isWholeTold: Boolean(whole), mayMix: !stored.complete})) {
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
    const keeper = createKeeper(file, model, meter, {turn, isOther: Boolean(stored) && !present.size});
    if (store) await keeper.checkRoom();
    if (stored?.complete && present.size)
        meter.say(`The browser has removed ${chunkCount(model) - present.size} of ${chunkCount(model)} chunks of ${name}: they are fetched again.`);

    const check = await createCheck(published), isRest = Boolean(stored?.complete) && present.size > 0;
    const chunks = createChunks(file, model, {meter, keep: keeper.keep, remote});
    let failed = false;
    return {
        name, size,
        chunks: (signal) => followed(chunks(signal), async () => {
            if (check.wrong && !isRest) await store?.delete(id).catch(() => {});
            mustBeRight(check, isRest ? LEFT : 'It was not kept; load it again.');
            if (check.whole) await store?.update(id, () => hashedAs(check.whole)).catch(() => {});
            turn?.end();
        }, check.add, () => { failed = true; }),
        async refuse() {
            const wrote = await keeper.stop();
            if (failed || isRest || !wrote && (stored?.complete || !stored)) return;
            await store?.delete(id).catch(() => {});    // then it stays listed, and can be deleted there
        },
    };
}

/** What is recorded of a model all of whose bytes were hashed. @param {string} sha256 */
function hashedAs(sha256) {
    return {sha256, hashed: true};
}

/**
 * The same chunks, each shown to `each`; then `last`. `fail`: called where either fails.
 * @param {AsyncGenerator<Uint8Array>} chunks
 * @param {() => Promise<void> | void} last
 * @param {(chunk: Uint8Array) => void} [each]
 * @param {() => void} [fail]
 * @returns {AsyncGenerator<Uint8Array>}
 */
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
