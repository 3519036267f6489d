// open.js: from a source of bytes to a loaded engine module: which module, how much memory, how many threads,
// how large a context. Knows neither where the bytes come from nor what is done with the model.

import {EXACT, F16_CACHE, INT8_CACHE} from '../base/constants.js';
import {GemmaError, codeOf} from '../base/error.js';
import {detectFeatures, withoutSimd} from './features.js';
import {instantiate} from './module.js';

const MB = 2 ** 20;
// enough for the header of any Gemma; it may grow by what every instance may grow
const PROBE_BYTES = 48 * MB;
const SMALLEST_CONTEXT = 512;
const DEFAULT_THREADS = 8, MOST_THREADS = 64;   // more than a few cores only wait for memory

/**
 * @typedef {import('./features.js').Features} Features
 * @typedef {import('./module.js').Module} Module
 * @typedef {{name: string, size: number, chunks: (signal?: AbortSignal) => AsyncIterable<Uint8Array>,
 *     refuse?: () => Promise<void>}} ModelFile
 *
 * @typedef {object} OpenOptions
 * @property {number} [threads]
 * @property {number} [contextLength]
 * @property {'simd128' | 'relaxed'} [variant]
 * @property {'i32' | 'i16'} [dot]  which of relaxed SIMD's dot products; default: the one that is faster here
 * @property {boolean} [memory64]
 * @property {'f16' | 'int8'} [kvType]   how keys and values are held
 * @property {boolean} [exact]      float arithmetic throughout: slow, for comparisons
 * @property {boolean} [observe]    makes room for module.observe()
 * @property {number} [sessions]    with full contexts, for which the memory may grow; default 4, or 2 on
 *     small devices
 * @property {boolean} [speed]      false: a probe says whether it fits, and measures nothing
 * @property {boolean} [threadsFailed]   an engine before this one ended while it started its threads
 */

/** Numbers of gemma.h. @param {OpenOptions} options */
function choosePrecision({kvType = 'f16', exact = false}) {
    if (kvType !== 'f16' && kvType !== 'int8')
        throw new GemmaError('bad-argument', `kvType is ${kvType}; expected f16 or int8.`);
    return exact ? EXACT : kvType === 'int8' ? INT8_CACHE : F16_CACHE;
}

/**
 * Which variant can run here, and must when it was asked for; and its kernels, by the name of their module.
 * @param {Features} features
 * @param {Pick<OpenOptions, 'variant' | 'dot' | 'memory64'>} options
 * @returns {Pick<Way, 'variant' | 'kernels'>}
 */
function chooseVariant(features, {variant, dot = features.dot, memory64}) {
    if (!features.simd128 || !features.shared) throw withoutSimd();
    if (variant === 'relaxed' && !features.relaxed) {
        throw new GemmaError('unsupported',
            'This WebAssembly engine has no relaxed SIMD, or computes it wrongly.', {here: true});
    }
    if (memory64 && !features.memory64)
        throw new GemmaError('unsupported', 'This WebAssembly engine has no memory64.', {here: true});
    const chosen = variant ?? (features.relaxed ? 'relaxed' : 'simd128');
    return {variant: chosen, kernels: chosen === 'relaxed' && dot === 'i16' ? 'relaxed16' : chosen};
}

const SMALL_DEVICE_GB = 4;

/** What a browser says of its device's memory, where it does; TypeScript does not know this yet. */
export function deviceGigabytes() {
    return /** @type {{deviceMemory?: number} | undefined} */ (globalThis.navigator)?.deviceMemory
        ?? Infinity;
}

/** The number of sessions for which there must be memory. @param {Pick<OpenOptions, 'sessions'>} options */
function chooseSessions({sessions = deviceGigabytes() < SMALL_DEVICE_GB ? 2 : 4}) {
    if (!(Number.isInteger(sessions) && sessions >= 1)) {
        throw new GemmaError('bad-argument', `sessions is ${sessions}; expected a whole number from 1.`);
    }
    return sessions;
}

/** @param {Pick<Features, 'isolated' | 'cores'>} features @param {OpenOptions} options */
export function chooseThreads(features, {threads: asked, threadsFailed}) {
    if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1)) {
        throw new GemmaError('bad-argument', `threads is ${asked}; expected a whole number from 1.`);
    }
    if (!features.isolated || threadsFailed) return 1;
    return Math.min(asked ?? Math.min(features.cores, DEFAULT_THREADS), MOST_THREADS);
}

/**
 * The model's own context up to 8,192, 4,096 for one with the bulk of the 7B.
 * @param {{trainedContext: number, nEmbd: number}} plan
 */
function defaultContext(plan) {
    return Math.min(plan.trainedContext, plan.nEmbd >= 3072 ? 4096 : 8192);
}

/**
 * What was asked for; then one thread, then halves of the context.
 * @param {number} threads
 * @param {number} contextLength
 * @param {boolean} mayShrink
 */
function* attempts(threads, contextLength, mayShrink) {
    yield {threads, contextLength};
    if (threads > 1) yield {threads: 1, contextLength};
    if (!mayShrink) return;
    for (let c = contextLength / 2; c >= SMALLEST_CONTEXT; c /= 2)
        yield {threads: 1, contextLength: Math.floor(c)};
}

/** @param {boolean} lacks64   memory64 would be enough @param {number} most */
function mostHere(most, lacks64) {
    return `${Math.floor(most / MB)} MB here${lacks64 ? ' without memory64 (Chrome 133, Firefox 134, Node 24)' : ''}`;
}

/** @param {number} bytes @param {number} most @param {number} contextLength @param {boolean} lacks64 */
function tooLarge(bytes, most, contextLength, lacks64) {
    return new GemmaError('no-memory',
        `This model needs ${Math.ceil(bytes / MB)} MB with a context of ${contextLength} tokens; ` +
        `WebAssembly gives at most ${mostHere(most, lacks64)}. Choose a smaller model or contextLength, or kvType 'int8'.`);
}

/**
 * A way to run a model, or why it is none.
 * @typedef {object} Way
 * @property {'simd128' | 'relaxed'} variant
 * @property {import('./instance.js').InstanceOptions['kernels']} kernels
 * @property {boolean} memory64
 * @property {number} bytes         of memory that model and session will need
 * @property {number} spare         further bytes that other sessions may need
 * @property {number} threads
 * @property {number} contextLength
 * @property {GemmaError} [refused]
 */

/**
 * The ways to run a model here, the best first.
 * @param {import('./features.js').Features} features
 * @param {OpenOptions} options
 * @param {{trainedContext: number, nEmbd: number}} plan
 * @param {(threads: number, contextLength: number, precision: number) => number} need   bytes
 * @param {(memory64: boolean) => number} capacity   bytes: what the engine says that an address size can hold
 * @returns {Generator<Way>}
 */
export function* waysToRun(features, options, plan, need, capacity) {
    const {variant, kernels} = chooseVariant(features, options), precision = choosePrecision(options);
    const contextLength = options.contextLength ?? defaultContext(plan);
    if (!Number.isInteger(contextLength) || contextLength < 1 || contextLength > plan.trainedContext) {
        throw new GemmaError('bad-argument',
            `A context of ${contextLength} tokens was asked for; this model takes 1 to ${plan.trainedContext}.`);
    }
    const threads = chooseThreads(features, options), further = chooseSessions(options) - 1;
    for (const attempt of attempts(threads, contextLength, options.contextLength === undefined)) {
        const bytes = need(attempt.threads, attempt.contextLength, precision);
        const memory64 = options.memory64 ?? (bytes > capacity(false) && features.memory64);
        const most = capacity(memory64);
        const refused = bytes > most ? tooLarge(bytes, most, attempt.contextLength, !memory64
            && bytes <= capacity(true)) : undefined;
        const ofSession = bytes - need(attempt.threads, 0, precision),
            spare = Math.max(0, Math.min(further * ofSession, most - bytes));
        yield {variant, kernels, memory64, bytes, spare, ...attempt, refused};
    }
}

/**
 * First with memory for further sessions, then without.
 * @param {Iterable<Way>} ways
 * @returns {Generator<Way>}
 */
function* withAndWithoutSpare(ways) {
    for (const way of ways) {
        yield way;
        if (way.spare && !way.refused) yield {...way, spare: 0};
    }
}

/**
 * A module with all the memory that the model and its session will need. The parameters are those
 * of waysToRun.
 * @param {Parameters<typeof waysToRun>} about
 * @returns {Promise<Way & {module: Module, threadsFailed: boolean}>}
 */
async function makeRoom(...about) {
    const [, {threadsFailed: failedBefore = false}] = about;
    /** @type {unknown} */
    let refused;
    let threadsFailed = failedBefore;
    for (const way of withAndWithoutSpare(waysToRun(...about))) {
        if (threadsFailed && way.threads > 1) continue;
        refused = way.refused;
        if (refused) continue;
        try {
            return {...way, module: await instantiate(way), threadsFailed};
        } catch (error) {
            if (codeOf(error) === 'no-threads') threadsFailed = true;
            else if (codeOf(error) !== 'no-memory') throw error;
            refused = error;
        }
    }
    throw refused;
}

/**
 * A small instance that only reads headers, of the variant that will run: so its code is fetched and
 * compiled once.
 * @param {Features} features
 * @param {OpenOptions} options
 */
export const makeProbe = (features, options) =>
    instantiate({kernels: chooseVariant(features, options).kernels, memory64: false,
        bytes: PROBE_BYTES, threads: 1});

/**
 * Throws for a file whose weights alone are too many, before any of it is read.
 * @param {import('./module.js').Module} probe   what makeProbe gave
 * @param {Features} features
 * @param {OpenOptions} options
 * @param {{name: string, size: number}} file
 */
export function refuseBySize(probe, features, {memory64 = features.memory64}, {name, size}) {
    const most = probe.capacity(memory64);
    if (size - PROBE_BYTES <= most) return;
    const lacks64 = !memory64 && size - PROBE_BYTES <= probe.capacity(true);
    throw new GemmaError('no-memory',
        `${name} has ${Math.ceil(size / MB)} MB; WebAssembly gives at most ${mostHere(most, lacks64)}.`);
}

/**
 * @param {ModelFile} source
 * @param {OpenOptions} options
 * @param {AbortSignal} [signal]
 * @param {import('./features.js').Features} [features]
 * @param {Promise<import('./module.js').Module>} [probing]   what makeProbe gave
 */
export async function openModel(source, options, signal, features, probing) {
    features ??= await detectFeatures();
    const probe = await (probing ?? makeProbe(features, options));
    refuseBySize(probe, features, options, source);
    const chunks = source.chunks(signal)[Symbol.asyncIterator]();
    const {held, plan, room} = await makeRoomByHeader(source, chunks, options, features, probe)
        .catch(async (error) => {
        if (error.code === 'unsupported' || error.code === 'bad-file') await source.refuse?.();
        throw error;
    });
    const {module, threads, contextLength} = room;
    try {
        module.beginLoad(source.name, source.size);
        pushHeld(module, held, threads, choosePrecision(options));
        for (let next; !(next = await chunks.next()).done;) {
            signal?.throwIfAborted();
            module.push(next.value);
        }
        module.finishLoad();
        return {...room, plan, session: module.newSession(contextLength)};
    } catch (error) {
        module.close();
        throw error;
    }
}

/**
 * Reads the header, of which the first chunks are `held`, and makes room for what it promises.
 * @param {ModelFile} source
 * @param {AsyncIterator<Uint8Array>} chunks
 * @param {OpenOptions} options
 * @param {Features} features
 * @param {Module} probe
 */
async function makeRoomByHeader(source, chunks, options, features, probe) {
    const held = await readHeader(probe, source, chunks);
    const plan = probe.plan();
    const room = await makeRoom(features, options, plan, (threads, context, precision) =>
        probe.memoryNeed(threads, precision, context) + (options.observe ? probe.observerNeed() : 0),
        (memory64) => probe.capacity(memory64));
    return {held, plan, room};
}

/**
 * Chunks up to the end of the header, kept for the real instance; the last one as it came.
 * @param {Module} probe
 * @param {ModelFile} source
 * @param {AsyncIterator<Uint8Array>} chunks
 * @returns {Promise<Uint8Array[]>}
 */
async function readHeader(probe, source, chunks) {
    /** @type {Uint8Array[]} */
    const held = [];
    probe.beginLoad(source.name, source.size);
    for (;;) {
        const {value, done} = await chunks.next();
        if (done) probe.finishLoad();       // says where the file ended
        probe.push(value);
        if (probe.planned) return [...held, value];
        held.push(value.slice());
    }
}

/**
 * The header, allocation, and the weights that came in the header's last chunk. Leaves `held` empty.
 * @param {Module} module
 * @param {Uint8Array[]} held
 * @param {number} threads
 * @param {number} precision
 */
function pushHeld(module, held, threads, precision) {
    for (let chunk; (chunk = held.shift());) {
        const taken = module.push(chunk);
        if (!module.planned) continue;
        module.allocate(threads, precision);
        module.push(chunk.subarray(taken));
    }
}

/**
 * A model of random weights, for benchmarks.
 * @param {{shape: import('./module.js').Shape | string, type: string}} weights   shape: its sizes, or the
 *     name of a published model
 * @param {OpenOptions} options
 * @param {import('./features.js').Features} [features]
 */
export async function openSynthetic({shape, type}, options, features) {
    features ??= await detectFeatures();
    const probe = await makeProbe(features, options);
    try {
        const begin = (/** @type {import('./module.js').Module} */ module) => {
            module.beginLoad(typeof shape === 'string' ? shape : shape.architecture, 0);
            module.planShape(shape, type);
        };
        begin(probe);
        const room = await makeRoom(features, options, probe.plan(),
            (threads, context, precision) => probe.memoryNeed(threads, precision, context),
            (memory64) => probe.capacity(memory64));
        begin(room.module);
        room.module.fill(room.threads, choosePrecision(options));
        return {...room, plan: room.module.plan(), session: room.module.newSession(room.contextLength)};
    } finally {
        probe.close();
    }
}

/**
 * The header alone, described, with the memory that its model will need here. @param {OpenOptions} options
 * @param {ModelFile} source
 */
export async function inspectModel(source, options) {
    const features = await detectFeatures();
    const probe = await makeProbe(features, options);
    await readHeader(probe, source, source.chunks()[Symbol.asyncIterator]());
    const threads = chooseThreads(features, options),
        contextLength = options.contextLength ?? defaultContext(probe.plan());
    return {...probe.describe(), threads, contextLength, memoryBytes: probe.memoryNeed(threads,
        choosePrecision(options), contextLength)};
}
