// probe.js: what a model would do here, before it is downloaded: whether it fits, by which module and with
// how many threads it would run, and how fast. Owns the estimate. Knows where to look for a model's first
// bytes, but loads none.

import {GemmaError} from '../base/error.js';
import {NODE} from '../base/host.js';
import {openParts} from '../weights/download/split.js';
import {askManifest} from '../weights/download/request.js';
import {readManifest} from '../weights/file/manifest.js';
import {beside, partUrls} from '../weights/file/names.js';
import {openRemote} from '../weights/http.js';
import {describeRoom} from '../weights/store/room.js';
import {roomFor} from '../weights/stored.js';
import {chooseWay, planEntry} from './entry.js';
import {detectFeatures} from './features.js';
import {canReserve} from './instance.js';
import {measure} from './measure.js';
import {deviceGigabytes, makeProbe} from './open.js';

const MB = 2 ** 20;
// of an address; they hold the sizes of a model as llama.cpp and build/quantize write them
const FIRST_BYTES = 256 * 1024;
const MOST_BYTES = MB;              // where they do not, and never more
const SLOW = 4;             // tokens a second: three words
const PATIENCE = {tries: 2, pauseMs: 200, longestMs: 1000, stallMs: 5000};

/**
 * @typedef {import('./module.js').Shape} Shape
 * @typedef {import('./module.js').Module} Module
 * @typedef {import('./module.js').Plan} Plan
 *
 * @typedef {object} Probe
 * @property {string} name
 * @property {number} size            bytes of the file
 * @property {boolean} fits           whether it can run here; without, there are no speeds
 * @property {boolean} keeps          whether what would be downloaded finds room in this browser's storage;
 *     true for files of the user's
 * @property {string[]} reasons       sentences: why it does not fit, and what else should be known
 * @property {Shape} shape
 * @property {string} type            of most weights: 'q4_0', ...
 * @property {Plan['guessed']} guessed   what the first bytes did not say, and was taken from published models
 *     or the file's size
 * @property {number} memoryBytes     that model and session will need
 * @property {number} contextLength
 * @property {number} threads
 * @property {boolean} [threadsFailed]   more were to be, but they did not start
 * @property {string} variant         'simd128' or 'relaxed'
 * @property {boolean} memory64       whether it takes more addresses than 32 bits are
 * @property {number} [prefill]       tokens a second that it will read
 * @property {number} [decode]        tokens a second that it will write
 */

/**
 * @param {any} description   a source as for loading; with an `entry` (Subject) nothing is fetched
 * @param {import('./open.js').OpenOptions} options
 * @param {AbortSignal} [signal]
 * @returns {Promise<Probe>}     rejects with GemmaError when the file is none that this engine reads, or
 *     can't be reached
 */
export async function probe(description, options, signal) {
    const features = await detectFeatures(), reader = await makeProbe(features, options);
    try {
        const subject = await planSubject(reader, description, signal);
        signal?.throwIfAborted();
        return await judge(features, reader, subject, options, description.kind === 'url');
    } finally {
        reader.close();
    }
}

// ---------------------------------------------------------------------------------------- what it is

/**
 * Makes the reader's plan.
 * @param {Module} reader
 * @param {any} description
 * @param {AbortSignal} [signal]
 * @returns {Promise<{name: string, size: number, url?: string}>} url: under which it would be stored
 */
async function planSubject(reader, description, signal) {
    if (description.entry) return {...planEntry(reader, description.entry), url: description.url};
    if (description.kind === 'file') {
        const {file} = description;
        return planLocal(reader, {
            name: file.name ?? 'model.gguf', size: file.size, chunks: () => slices(file),
        });
    }
    if (NODE && description.kind === 'path') {
        const {openSource} = await import('../weights/node/disk.js'), {path, name, size} = description;
        const source = await openSource({kind: 'path', path});
        try {
            return await planLocal(reader, {
                name: name ?? source.name, size: size ?? source.size, chunks: () => source.chunks(signal),
            });
        } finally {
            source.close();
        }
    }
    if (description.kind !== 'url')
        throw new GemmaError('bad-argument',
            `Nothing can be said of a model of the kind ${description.kind}.`);
    const {url, manifest: given = url.endsWith('.json') ? url : undefined} = description;
    if (!given) return {...await planRemote(reader, url, description, {}, signal), url};
    // A manifest says the size, and where the first bytes are if the file was split.
    const {name, size, parts} = readManifest(typeof given === 'string' ? await askManifestOf(description,
        given, signal) : given);
    const base = typeof given === 'string' ? given : url,
        address = parts || given === url ? beside(parts?.[0] ?? name, base) : url;
    return {...await planRemote(reader, address, description, {name, size}, signal), url};
}

/** @param {Blob} file */
async function* slices(file) {
    for (let at = 0; at < file.size; at += MB)
        yield new Uint8Array(await file.slice(at, at + MB).arrayBuffer());
}

/**
 * What is on this device is read up to the header's end.
 * @param {Module} reader
 * @param {{name: string, size: number, chunks: () => AsyncIterable<Uint8Array>}} source   perhaps only the
 *     first of its bytes
 */
async function planLocal(reader, {name, size, chunks}) {
    reader.beginLoad(name, size);
    for await (const chunk of chunks()) {
        reader.push(chunk);
        if (reader.planned) break;
    }
    if (!reader.planned) reader.estimate(new Uint8Array(0));
    return {name: titleOf(reader, name), size};
}

/** @param {Module} reader @param {string} name */
const titleOf = (reader, name) => reader.plan().name.slice(0, 200) || name;

/**
 * Of an address FIRST_BYTES are read, and more of them while they don't say the sizes of the model.
 * @param {Module} reader
 * @param {string} address
 * @param {any} description
 * @param {{name?: string, size?: number}} known
 * @param {AbortSignal} [signal]
 */
async function planRemote(reader, address, description, known, signal) {
    const {parts, ...found} = await readRemote(address, description, signal, (bytes, file, isLast) => {
        const {name, size} = {...file, ...known};
        reader.beginLoad(name, size);
        try {
            reader.estimate(bytes);
        } catch (error) {
            if (isLast || !(error instanceof GemmaError) || error.code !== 'bad-file') throw error;
            return false;
        }
        const {guessed} = reader.plan();
        return !guessed.includes('sizes') && !guessed.includes('vocabulary');
    });
    for (const part of parts) reader.checkPart(part);
    const {name, size} = {...found, ...known};
    return {name: titleOf(reader, name), size};
}

/**
 * @param {string} url
 * @param {any} description
 * @param {AbortSignal | undefined} signal
 * @param {(bytes: Uint8Array, file: {name: string, size: number}, isLast: boolean) => boolean} take   whether
 *     these first bytes are enough
 * @returns {Promise<{name: string, size: number, parts: Uint8Array[]}>} parts: the first bytes of the
 *     file's other parts
 */
async function readRemote(url, {url: home, urls = [], headers}, signal, take) {
    const ending = new AbortController(), count = partUrls(url)?.length ?? 1;
    try {
        const stop = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
        const laterSize = Math.min(65536, Math.floor((MOST_BYTES - FIRST_BYTES) / Math.max(count - 1, 1)));
        const options = {headers, home, pieceSize: FIRST_BYTES, laterSize, signal: stop, patience: PATIENCE},
            all = [url, ...urls];
        if (count > 1) return await readParts(openParts(all, options), take);
        const file = await openRemote(all, options), {name, size} = file, most = Math.min(MOST_BYTES, size);
        let bytes = new Uint8Array(0);
        for (let index = 0; index === 0 || bytes.length < most; index++) {
            bytes = joined(bytes, new Uint8Array(await file.read(index)));
            if (take(bytes, {name, size}, bytes.length >= most)) break;
        }
        file.close();
        return {name, size, parts: []};
    } finally {
        ending.abort();     // of a server without ranges, the rest of the file
    }
}

/**
 * @param {AsyncIterable<any>} files
 * @param {(bytes: Uint8Array, file: {name: string, size: number}, isLast: boolean) => boolean} take
 */
async function readParts(files, take) {
    const firsts = [];
    let name = '', size = 0;
    for await (const file of files) {
        name ||= file.name;
        firsts.push(new Uint8Array(await file.read(0)));
        size += file.size;
        file.close();
    }
    const [bytes, ...parts] = firsts;
    take(bytes, {name, size}, true);
    return {name, size, parts};
}

/** @param {Uint8Array} a @param {Uint8Array} b */
function joined(a, b) {
    const both = new Uint8Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    return both;
}

/**
 * @param {{url: string, headers?: Record<string, string>}} description
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
async function askManifestOf({url, headers}, address, signal) {
    return askManifest(address, {home: url, headers, signal, stallMs: PATIENCE.stallMs});
}

// ---------------------------------------------------------------------------------------- whether it fits

/** @param {number} bytes */
const megabytes = (bytes) => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;

/** What a plan had to guess. @type {Record<string, string>} */
const GUESSES = {
    sizes: 'The first megabyte of its file does not say its sizes: those of a published model of this kind are taken.',
    vocabulary: 'The first megabyte of its file does not say how long its vocabulary is: that of published models is taken.',
};

/**
 * @param {import('./features.js').Features} features
 * @param {Module} reader
 * @param {{name: string, size: number, url?: string}} subject
 * @param {import('./open.js').OpenOptions} options
 * @param {boolean} stored
 * @returns {Promise<Probe>}
 */
async function judge(features, reader, {name, size, url}, options, stored) {
    const plan = reader.plan(), {shape, type, guessed} = plan, way = chooseWay(features, reader, options);
    const {bytes: memoryBytes, contextLength, threads, variant, memory64} = way;
    /** @type {string[]} */
    const reasons = [];
    /** @type {Probe} */
    const answer = {name, size, fits: !way.refused, keeps: true, reasons, shape, type, guessed, memoryBytes,
        contextLength, threads, variant, memory64};
    if (way.refused) reasons.push(`It is too large. ${way.refused.message}`);
    const device = deviceGigabytes() * 2 ** 30;
    if (answer.fits && device < 8 * 2 ** 30 && memoryBytes > device) {
        answer.fits = false;
        reasons.push(`It needs ${megabytes(memoryBytes)} of memory, and this device says that it has about ${megabytes(device)}.`);
    }
    reasons.push(...guessed.filter((what) => what in GUESSES).map((what) => GUESSES[what]));
    if (stored) await judgeRoom(answer, url);
    if (!answer.fits || options.speed === false) return answer;
    Object.assign(answer, await measure(features, reader, plan,
        {...options, threads, memory64, contextLength: 256}));
    if (!canReserve(memoryBytes, memory64)) {
        reasons.push(`It needs ${megabytes(memoryBytes)} of memory, which ${NODE ? 'this system refuses to give.' : 'this browser refuses to give to one page.'}`);
        return {...answer, fits: false, prefill: undefined, decode: undefined};
    }
    if (answer.threadsFailed)
        reasons.push("It runs on one core, because the engine's threads did not start.");
    else if (threads === 1 && features.cores > 1)
        reasons.push(`It runs on one core, because ${NODE ? 'one thread' : 'this page is not cross-origin isolated, or one'} was asked for.`);
    if (variant === 'simd128')
        reasons.push(
            `This ${NODE ? 'Node' : 'browser'} has no relaxed SIMD that computes correctly, which would be faster.`);
    if ((answer.decode ?? 0) < SLOW) reasons.push('It writes more slowly than people read.');
    return answer;
}

/** Whether the browser will keep it. @param {Probe} answer @param {string} [url] */
async function judgeRoom(answer, url) {
    const room = await roomFor(answer.size, url);
    answer.keeps = room.enough;
    if (!room.enough) answer.reasons.push(`It could not be kept. ${describeRoom(room)}`);
}
