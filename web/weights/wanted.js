// A model that is to be read: what is here of it, what is known of it, and whether what a server has is the same file.
//
// Owns these answers, for source.js, which reads. What asks servers is imported when it is needed.

import {GemmaError} from '../base/error.js';
import {expected, mustAgree} from './file/check.js';
import {isSame} from './download/identity.js';
import {readManifest} from './file/manifest.js';
import {beside} from './file/names.js';
import {same, sha256} from './file/sha256.js';
import {createReader} from './store/reader.js';
import {ChunkStore, CHUNK_SIZE} from './store/store.js';

/** @typedef {import('./source.js').UrlDescription} UrlDescription */

export const LEFT = 'What is here was left as it is. Replace it by loading it with `update`, or delete it.';
const SAMPLE_BYTES = 65536;

/**
 * The store and who reads it, or the reason why there is none.
 * @returns {Promise<{store?: ChunkStore, reader?: ReturnType<typeof createReader>, without?: string}>}
 */
export async function openStore() {
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
export async function lookUp({store, without, reader}, {url: id, urls = [], headers, manifest: given, sha256: digest, update = false}, signal) {
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
export async function pointerOf(access) {
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
export async function fetchManifest(url, access) {
    const {askManifest} = await import('./download/request.js');
    return readManifest(await askManifest(url, access));
}

function isNotTheFile({name, sha256: found}, expected) {
    return new GemmaError('bad-file', `What is stored of ${name} is not the file that is expected: its SHA-256 is ${found}, and ${expected} is expected. ${LEFT}`);
}

export function isChanged({name}) {
    return new GemmaError('changed', `Pieces of ${name} are missing or damaged here, and its address has another file now. ${LEFT}`);
}

/** Whether the digests of all chunks were known before the chunks came. */
export function hadManifest({validator}) {
    return validator.startsWith('sha256:');
}

/**
 * What a server shows of a file's version, as it is kept beside what is stored.
 * @param {import('./download/identity.js').Version} shown
 * @param {string} [digest]   that is known of the whole
 * @returns {import('./download/identity.js').Version}
 */
export function shownVersion({validator, modified, ...shown}, digest = shown.digest) {
    return {validator, modified, digest};
}

/** @param {import('./file/manifest.js').Manifest} manifest */
export function versionOf({size, chunkSize, sha256: digest}) {
    return {size, chunkSize, validator: `sha256:${digest}`, sha256: digest};
}

/**
 * Whether what is stored is of the file that the server has now. Some servers show no version, and copies of one file go by several on several
 * servers: then samples of what is stored are compared, and where nobody tells a digest of the whole, the first chunk: headers may differ by a few bytes.
 * @param {{isWholeTold?: boolean, mayMix?: boolean}} [options]   isWholeTold: what will have come is compared with a digest of the whole; mayMix:
 *     what comes is put beside what is stored, and has no digest of its own: samples are not enough against a server that says otherwise
 */
export async function isSameFile({store, stored, present, digests}, model, remote, {isWholeTold = false, mayMix = false} = {}) {
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

export function chunkCount({size, chunkSize}) {
    return Math.ceil(size / chunkSize);
}

export function chunkLength({size, chunkSize}, index) {
    return Math.min(chunkSize, size - index * chunkSize);
}

export function firstMissing(present) {
    let index = 0;
    while (present.has(index)) index++;
    return index;
}
