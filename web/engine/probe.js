// probe.js: what a model would do here, before it is downloaded: whether it fits, by which module and with how many threads it would run, and
// how fast. Owns the estimate. Knows where to look for a model's first bytes, but loads none.
//
// The speed is measured, on random weights: the model's own layers and head, as many as make at least 256 MB of written memory, so that
// neither caches nor untouched pages, which are one page, flatter it. The number of layers and the vocabulary are changed by the same factor,
// by which the time of the whole model then differs from the time measured.

import {GemmaError} from '../base/error.js';
import {timeOf} from '../base/clock.js';
import {detectFeatures} from './features.js';
import {SAMPLING} from './generate.js';
import {HEAD_BYTES, checkPart, describeHead} from './gguf_head.js';
import {readManifest} from '../weights/file/manifest.js';
import {beside} from '../weights/file/names.js';
import {canReserve} from './instance.js';
import {NODE} from '../base/host.js';
import {makeProbe, openSynthetic, waysToRun} from './open.js';

const MB = 2 ** 20;
const TRIAL_BYTES = 256 * MB;
const MOST_LAYERS = 256, MOST_TOKENS = 4 << 20;         // as in src/config.c
const LONGEST_HEADER = 128 * MB;
const HEADER_BYTES = 25;    // of a file for each token of its vocabulary: its text, kind and score
const WARM_TOKENS = 8, MOST_PREFILL = 128, PREFILL_ROUNDS = 3, PREFILL_MS = 250;
const DECODE_MS = 400, FEWEST_STEPS = 6;
const SLOW = 4;             // tokens a second: three words
const PATIENCE = {tries: 2, pauseMs: 200, longestMs: 1000, stallMs: 5000};

/** What may be the type of most weights, with what they would make of a file. */
const TYPES = ['q4_0', 'q4_1', 'q4_k', 'q5_0', 'q5_1', 'q5_k', 'q6_k', 'q8_0', 'q2_k', 'q3_k', 'iq4_nl', 'f16', 'bf16', 'f32'];

const SHAPE = {
    architecture: 'string', layers: 'number', embd: 'number', heads: 'number', kv: 'number', dim: 'number', ff: 'number', vocab: 'number', ctx: 'number',
    window: 'number',
};

/**
 * @typedef {import('./gguf_head.js').Shape} Shape
 *
 * @typedef {object} Subject          a model that is to be judged
 * @property {string} name
 * @property {number} size            bytes of its file
 * @property {Shape} shape
 * @property {string} [type]          of most of its weights; default: what fits its size
 * @property {string} [url]           under which it would be stored
 *
 * @typedef {object} Probe
 * @property {string} name
 * @property {number} size            bytes of the file
 * @property {boolean} fits           whether it can run here; without, there are no speeds
 * @property {boolean} keeps          whether what would be downloaded finds room in this browser's storage; true for files of the user's
 * @property {string[]} reasons       sentences: why it does not fit, and what else should be known
 * @property {Shape} shape
 * @property {string} type            of most weights: 'q4_0', ...
 * @property {number} memoryBytes     that model and session will need
 * @property {number} contextLength
 * @property {number} threads
 * @property {string} variant         'simd128' or 'relaxed'
 * @property {boolean} memory64       whether it takes more addresses than 32 bits are
 * @property {number} [prefill]       tokens a second that it will read
 * @property {number} [decode]        tokens a second that it will write
 */

/**
 * @param {object} description   a source as for loading; with an `entry` (Subject) nothing is fetched
 * @param {import('./open.js').OpenOptions} options
 * @param {AbortSignal} [signal]
 * @returns {Promise<Probe>}     rejects with GemmaError when the file is none that this engine reads, or can't be reached
 */
export async function probe(description, options, signal) {
    const [features, subject] = await Promise.all([detectFeatures(), findSubject(description, signal)]);
    signal?.throwIfAborted();
    return judge(features, subject, options, description.kind === 'url');
}

/**
 * Refuses what can't run here, before anything of it is downloaded.
 * @param {import('./features.js').Features} features @param {Subject} entry @param {import('./open.js').OpenOptions} options
 */
export async function refuseTooLarge(features, entry, options) {
    const {way} = await plan(features, checkEntry(entry), options);
    if (way.refused) throw way.refused;
}

// ---------------------------------------------------------------------------------------- what it is

/** @returns {Promise<Subject>} */
async function findSubject(description, signal) {
    if (description.entry) return {...checkEntry(description.entry), url: description.url};
    const {name, size, bytes, parts = [], url} = await readFirst(description, HEAD_BYTES, signal);
    let found = describeHead(bytes, name);
    for (const part of parts) checkPart(part, name);
    // A vocabulary is long, and the types of the tensors come after it: what is on this device already is read on.
    for (let n = 8 * HEAD_BYTES; description.kind !== 'url' && !found.complete && n <= LONGEST_HEADER; n *= 8)
        found = describeHead((await readFirst(description, n, signal)).bytes, name);
    const {title, shape, type} = found;
    return {name: title, size, shape, type, url};
}

/** A catalogue may come from anybody, too. @param {Subject} entry @returns {Subject} */
function checkEntry({name, size, shape, type}) {
    const good = typeof name === 'string' && Number.isSafeInteger(size) && size > 0 && (type === undefined || TYPES.includes(type)) &&
        Object.keys(SHAPE).every((key) => typeof shape?.[key] === SHAPE[key]);
    if (!good) throw new GemmaError('bad-argument', `an entry of a catalogue has a name, a size in bytes and a shape of ${Object.keys(SHAPE).join(', ')}`);
    return {name, size, shape, type};
}

/** The first bytes of a file, and how long it is; of an address, HEAD_BYTES of it and of each further part. */
async function readFirst(description, length, signal) {
    if (description.kind === 'file') {
        const {file} = description;
        const bytes = new Uint8Array(await file.slice(0, length).arrayBuffer());
        return {name: file.name ?? 'model.gguf', size: file.size, bytes};
    }
    if (description.kind === 'path') {
        const {readFirst} = await import('../weights/node/disk.js'), {path, ...whole} = description;
        return {...await readFirst(path, length), ...whole};
    }
    if (description.kind !== 'url') throw new GemmaError('bad-argument', `nothing can be said of a model of the kind ${description.kind}`);
    const {url, manifest: given = url.endsWith('.json') ? url : undefined} = description;
    if (!given) return {...await readRemote(url, description, signal), url};
    // A manifest says the size, and where the first bytes are if the file was split.
    const {name, size, parts} = readManifest(typeof given === 'string' ? await askManifestOf(description, given, signal) : given);
    const base = typeof given === 'string' ? given : url, address = parts || given === url ? beside(parts?.[0] ?? name, base) : url;
    return {...await readRemote(address, description, signal), name, size, url};
}

async function readRemote(url, {url: home, urls = [], headers}, signal) {
    const [{openRemote}, {openParts, partUrls}] = await Promise.all([import('../weights/download/http.js'), import('../weights/download/split.js')]);
    const ending = new AbortController();
    try {
        const stop = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
        const options = {headers, home, pieceSize: HEAD_BYTES, signal: stop, patience: PATIENCE}, all = [url, ...urls];
        const firsts = [];
        let name, size = 0;
        for await (const file of partUrls(url) ? openParts(all, options) : [openRemote(all, options)]) {
            name ??= file.name;
            firsts.push(new Uint8Array(await file.read(0)));
            size += file.size;
            file.close();
        }
        const [bytes, ...parts] = firsts;
        return {name, size, bytes, parts};
    } finally {
        ending.abort();     // of a server without ranges, the rest of the file
    }
}

async function askManifestOf({url, headers}, address, signal) {
    const {askManifest} = await import('../weights/download/request.js');
    return askManifest(address, {home: url, headers, signal, stallMs: PATIENCE.stallMs});
}

// ---------------------------------------------------------------------------------------- whether it fits

/** As src/config.c reads it. @param {Shape} s */
const textOf = (s) => `${s.architecture} layers ${s.layers} embd ${s.embd} heads ${s.heads} kv ${s.kv} dim ${s.dim} ff ${s.ff} vocab ${s.vocab} ` +
    `ctx ${s.ctx} window ${s.window}`;

/** Numbers in all matrices. */
const parameters = ({layers, embd, heads, kv, dim, ff, vocab}) => vocab * embd + layers * (2 * heads * dim * embd + 2 * kv * dim * embd + 3 * embd * ff);

/** Which way it would run, and what it is made of. */
async function plan(features, {name, size, shape, type}, options) {
    const probe = await makeProbe(features, options);
    try {
        const text = textOf(shape), need = (weights, ...rest) => probe.syntheticNeed(text, weights, ...rest);
        if (!need('f16', 1, 1, 0)) throw new GemmaError('unsupported', `${name} has sizes that this engine does not run: ${text}.`);
        const otherBytes = need('f16', 1, 1, 0) - 2 * parameters(shape);
        const weightBytes = (weights) => need(weights, 1, 1, 0) - otherBytes;
        const header = HEADER_BYTES * shape.vocab, inFile = Math.max(size - header, 1);
        type ??= TYPES.reduce((best, other) => Math.abs(weightBytes(other) - inFile) < Math.abs(weightBytes(best) - inFile) ? other : best);
        // The file's weights are not quite those of the synthetic model, and loading takes room for the header and for what arrives.
        const difference = inFile - weightBytes(type) + 1.3 * header + 5 * MB;
        const ways = [...waysToRun(features, options, {trainedContext: shape.ctx, nEmbd: shape.embd},
            (threads, context, precision) => need(type, threads, precision, context) + difference, (memory64) => probe.capacity(memory64))];
        return {type, weightBytes: weightBytes(type), inFile, way: ways.find(({refused}) => !refused) ?? ways.at(-1)};
    } finally {
        probe.close();
    }
}

const megabytes = (bytes) => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`;

async function judge(features, subject, options, stored) {
    const {name, size, shape, url} = subject;
    const {type, weightBytes, inFile, way} = await plan(features, subject, options);
    const {bytes: memoryBytes, contextLength, threads, variant, memory64} = way;
    const reasons = [];
    const answer = {name, size, fits: !way.refused, keeps: true, reasons, shape, type, memoryBytes, contextLength, threads, variant, memory64};
    if (way.refused) reasons.push(`It is too large: ${way.refused.message}.`);
    const device = (globalThis.navigator?.deviceMemory ?? Infinity) * 2 ** 30;
    if (answer.fits && device < 8 * 2 ** 30 && memoryBytes > device) {
        answer.fits = false;
        reasons.push(`It needs ${megabytes(memoryBytes)} of memory, and this device says that it has about ${megabytes(device)}.`);
    }
    if (stored) await judgeRoom(answer, url);
    if (!answer.fits) return answer;
    Object.assign(answer, await measure(features, shape, type, {...options, threads, memory64, contextLength: 256}, inFile / weightBytes));
    if (!canReserve(memoryBytes, memory64)) {
        reasons.push(`It needs ${megabytes(memoryBytes)} of memory, which ${NODE ? 'this system refuses to give.' : 'this browser refuses to give to one page.'}`);
        return {...answer, fits: false, prefill: undefined, decode: undefined};
    }
    if (threads === 1 && features.cores > 1) reasons.push(`It runs on one core, because ${NODE ? 'one thread' : 'this page is not cross-origin isolated, or one'} was asked for.`);
    if (variant === 'simd128') reasons.push(`This ${NODE ? 'Node' : 'browser'} has no relaxed SIMD that computes rightly, which would be faster.`);
    if (answer.decode < SLOW) reasons.push('It writes more slowly than people read.');
    return answer;
}

/** Whether the browser will keep it. */
async function judgeRoom(answer, url) {
    const {describeRoom} = await import('../weights/store/room.js'), {roomFor} = await import('../weights/stored.js');
    const room = await roomFor(answer.size, url);
    answer.keeps = room.enough;
    if (!room.enough) answer.reasons.push(`It could not be kept: ${describeRoom(room)}.`);
}

// ---------------------------------------------------------------------------------------- how fast it is

/** @param {number} heavier   the file's weights, as a multiple of those of the model that is measured */
async function measure(features, shape, type, options, heavier) {
    const whole = parameters(shape) * bytesPerWeight(type);
    const wanted = Math.ceil(shape.layers * TRIAL_BYTES / whole);
    const layers = Math.max(1, Math.min(wanted, MOST_LAYERS, Math.floor(MOST_TOKENS / shape.vocab * shape.layers)));
    const vocab = Math.max(2, Math.round(shape.vocab * layers / shape.layers));
    const {module, session} = await openSynthetic({shape: textOf({...shape, layers, vocab, ctx: Math.max(shape.ctx, 256)}), type}, options, features);
    try {
        session.setSampling({...SAMPLING, temperature: 0, seed: 0, logitBias: {}});
        const share = layers / shape.layers;
        const read = (n, round) => {
            let again = 0;
            return n / timeOf(() => {
                session.sync(Array.from({length: n}, (_, i) => (round + again++ + (i + 1) * 7919) % vocab));
                while (session.step(MOST_PREFILL) > 0);
            }) * 1000;
        };
        const decode = 1000 / timeOfStep(session);
        // In rounds of as many tokens as the time allows: the more, the more a batch gains. The first one warms up.
        let tokens = WARM_TOKENS, prefill = 0;
        for (let round = 1; round <= PREFILL_ROUNDS; round++) {
            prefill = Math.max(prefill, read(tokens, round));
            tokens = Math.max(WARM_TOKENS, Math.min(MOST_PREFILL, Math.round(prefill * PREFILL_MS / 1000)));
        }
        return {prefill: prefill * share, decode: decode * share / heavier};
    } finally {
        module.close();
    }
}

/** Milliseconds of a token, once the engine has tried its ways and knows the fastest: what the fastest quarter of the steps takes at most. */
function timeOfStep(session) {
    const times = [];
    session.sync([1]);
    session.step(1);
    for (const end = performance.now() + DECODE_MS; performance.now() < end || times.length < FEWEST_STEPS;) {
        times.push(timeOf(() => {
            if (!session.push(session.sample())) session.sync([1]);      // the context is full: from its beginning
            session.step(1);
        }));
    }
    return times.sort((a, b) => a - b)[times.length >> 2];
}

/** About, for choosing how much is measured. */
function bytesPerWeight(type) {
    if (type === 'f32') return 4;
    return /16/.test(type) ? 2 : Number(/\d/.exec(type)[0]) / 8;
}
