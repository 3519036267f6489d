// A model to read: what is stored of it, what is known of it, and whether a server has the same file.
//
// Owns these answers, for source.js, which reads.

import {GemmaError, messageOf} from '../base/error.js';
import {later} from '../base/later.js';
import {expected, mustAgree} from './file/check.js';
import {isSame} from './download/identity.js';
import {Line} from './download/line.js';
import {askManifest, askPointer} from './download/request.js';
import {readManifest} from './file/manifest.js';
import {beside, partUrls} from './file/names.js';
import {same, sha256} from './file/sha256.js';
import {openRemote} from './http.js';
import {createReader} from './store/reader.js';
import {ChunkStore, CHUNK_SIZE} from './store/store.js';

/**
 * @typedef {import('./source.js').UrlDescription} UrlDescription
 * @typedef {import('./store/store.js').StoredModel} StoredModel
 * @typedef {import('./download/http.js').RemoteFile} RemoteFile
 * @typedef {{size: number, chunkSize: number}} Sizes   of a file, and of its chunks
 * @typedef {{store?: ChunkStore, reader?: ReturnType<typeof createReader>, without?: string}} OpenedStore
 * @typedef {Wanted & {store: ChunkStore, stored: StoredModel}} WholeFile   one that is here, or was
 * @typedef {Omit<RemoteFile, 'span'> & {published?: () => Promise<import('./file/check.js').Published[]>}}
 *     OpenedFile   of one file, or of its parts
 */

export const LEFT = 'The stored file is unchanged. Load it with `update: true` to replace it, or delete it.';
const SAMPLE_BYTES = 65536;

/**
 * The store and who reads it, or the reason why there is none.
 * @returns {Promise<OpenedStore>}
 */
export async function openStore() {
    if (!globalThis.crypto?.subtle) return {without: 'Storing needs a secure context (https or localhost).'};
    try {
        const store = await ChunkStore.open();
        return {store, reader: createReader(store)};
    } catch (error) {
        return {without: messageOf(error)};
    }
}

/**
 * A file to read, with what is stored of it.
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
 * @property {(remote: OpenedFile) => Promise<import('./file/check.js').Published[]>} published   what the
 *     caller or the host says of what is to come
 * @property {(options: Partial<import('./download/http.js').RemoteOptions>) => Promise<OpenedFile>} open
 *     asks the servers
 */

/**
 * @param {OpenedStore} opened
 * @param {UrlDescription & {sha256: string}} description
 * @param {AbortSignal} [signal]
 * @returns {Promise<Omit<Wanted, 'repair'>>}
 */
export async function lookUp({store, without, reader},
    {url: id, urls = [], headers, manifest: given, sha256: digest, update = false}, signal) {
    const stored = await store?.find(id);
    let /** @type {Set<number>} */ present = store && stored ? await store.chunksOf(id) : new Set();
    let /** @type {Map<number, ArrayBuffer>} */ digests = store && stored ? await store.digestsOf(id) : new Map();
    const hasAll = () => stored !== undefined && present.size >= chunkCount(stored);

    /** @type {import('./file/manifest.js').Manifest | undefined} */
    let manifest;
    let base = id;
    const access = {home: id, headers, signal};
    const from = given ?? stored?.manifest;     // a resumed download may have been given one
    if (typeof from === 'string') {
        // What is whole and came by this manifest needs neither it nor the network.
        if (!hasAll() || stored?.manifest !== from || update)
            manifest = await fetchManifest(base = from, access).catch(optional(!given));
    } else if (from) {
        manifest = readManifest(from);
    }
    if (manifest) {
        mustAgree(manifest, digest);
        const {digests: wanted} = manifest,
            comparable = stored?.size === manifest.size && stored.chunkSize === manifest.chunkSize;
        present = new Set([...present].filter((i) => comparable && isDigest(digests.get(i), wanted[i])));
        digests = new Map(wanted.entries());
    } else if (digest && stored?.sha256 && stored.sha256 !== digest) {
        if (stored.complete && !update) throw isNotTheFile(stored, digest);
        present.clear();
        digests.clear();
    } else if (stored && hadManifest(stored) && digests.size === chunkCount(stored)) {
        manifest = {...stored, digests: Array.from({length: digests.size},
            (_, i) => /** @type {ArrayBuffer} */ (digests.get(i)))};
    }
    const chunkSize = manifest?.chunkSize ?? stored?.chunkSize ?? CHUNK_SIZE;
    let /** @type {Line | undefined} */ line;
    return {
        id, store, reader, without, access, stored, chunkSize, present, digests, manifest, digest, update,
        complete: hasAll(),
        ...typeof from === 'string' && {manifestUrl: from},
        async published({name, size, sha256: announced, published}) {
            if (!digest && published) return published();
            return expected(digest || await pointerOf(access) || announced, {name, size});
        },
        async open(options) {
            if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(id)) {
                throw stored ? new GemmaError('bad-file',
                    `A chunk of ${stored.name} is damaged here. It was imported from a file: import it again.`)
                    : new GemmaError('not-found', `There is no model ${id} on this device.`);
            }
            line ??= new Line();
            const openFiles = !manifest?.parts && partUrls(id)
                ? (await later(() => import('./download/split.js'))).openSplit : openRemote;
            return openFiles([id, ...urls], {
                headers, signal, line, pieceSize: chunkSize, knownGood: Boolean(stored),
                ...manifest && {size: manifest.size, checked: true},
                ...manifest?.parts && {parts: manifest.parts.map((part) => beside(part, base))}, ...options,
            });
        },
    };
}

/**
 * @returns {Promise<string>} the SHA-256 that a host of git repositories tells of the model; ''
 * @param {import('./download/request.js').Access} access
 */
export const pointerOf = (access) => askPointer(access.home, access);

/**
 * Whether a digest that may be unknown is another one.
 * @param {ArrayBuffer | undefined} known
 * @param {ArrayBuffer} wanted
 */
function isDigest(known, wanted) {
    return known !== undefined && same(known, wanted);
}

/** For what one can do without. @param {boolean} is @returns {(error: unknown) => undefined} */
function optional(is) {
    return (error) => {
        if (!is) throw error;
        return undefined;
    };
}

/**
 * @param {string} url
 * @param {import('./download/request.js').Access} access
 * @returns {Promise<import('./file/manifest.js').Manifest>}
 */
export async function fetchManifest(url, access) {
    return readManifest(await askManifest(url, access));
}

/** @param {{name: string, sha256: string}} stored @param {string} expected */
function isNotTheFile({name, sha256: found}, expected) {
    return new GemmaError('bad-file',
        `The stored ${name} is not the expected file: its SHA-256 is ${found}, not ${expected}. ${LEFT}`);
}

/** @param {{name: string}} model */
export function isChanged({name}) {
    return new GemmaError('changed',
        `Chunks of ${name} are missing or damaged here, and its address has another file now. ${LEFT}`);
}

/** Whether the digests of all chunks were known before the chunks came. @param {{validator: string}} stored */
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
 * Whether what is stored is of the file that the server has now. Some servers show no version, and servers
 * with copies of one file show different versions. Then samples of what is stored are compared. Where there
 * is no digest of the whole file, the first chunk is compared, too: headers may differ by a few bytes.
 * @param {Wanted} file
 * @param {Sizes & import('./download/identity.js').Version} model
 * @param {OpenedFile} remote
 * @param {{isWholeTold?: boolean, mayMix?: boolean}} [options]   isWholeTold: the complete download is
 *     compared with a digest of the whole file; mayMix: new chunks without digests are put beside the stored
 *     ones: samples are not enough against a server that says otherwise
 */
export async function isSameFile({store, stored, present, digests}, model, remote,
    {isWholeTold = false, mayMix = false} = {}) {
    if (!store || !stored || stored.size !== model.size || stored.chunkSize !== model.chunkSize) return false;
    const told = isSame({...stored, digest: stored.sha256 || stored.digest}, model), {validator} = model;
    if (told !== undefined) return told;
    if (!remote.ranges || mayMix && !isWholeTold && (validator || stored.validator)) return false;
    let compared = 0;
    for (const index of new Set([Math.max(...present), Math.min(...present)])) {
        const chunk = chunkLength(model, index), length = Math.min(SAMPLE_BYTES, chunk), from = chunk - length;
        const found = await store.readChunk(stored.id, index, new ArrayBuffer(chunk));
        if (!found || !isDigest(digests.get(index), found.digest)) continue;
        const there = await remote.peek(index * model.chunkSize + from, length),
            here = new Uint8Array(found.bytes, from);
        if (!there.every((byte, i) => byte === here[i])) return false;
        compared++;
    }
    if (!compared) return false;
    return !validator || isWholeTold || !present.has(0) || isDigest(digests.get(0), await sha256(await remote.read(0)));
}

/** @param {Sizes} sizes */
export function chunkCount({size, chunkSize}) {
    return Math.ceil(size / chunkSize);
}

/** @param {Sizes} sizes @param {number} index */
export function chunkLength({size, chunkSize}, index) {
    return Math.min(chunkSize, size - index * chunkSize);
}

/** @param {Set<number>} present */
export function firstMissing(present) {
    let index = 0;
    while (present.has(index)) index++;
    return index;
}

/** Whether nothing is missing. @param {Wanted} file @returns {file is WholeFile} */
export function isWhole(file) {
    return file.complete;
}
