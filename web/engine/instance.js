// instance.js: starts an engine module: fetches and compiles its code, allocates its memory, starts its
// threads. Knows neither models nor what the exports do.

import {GemmaError} from '../base/error.js';
import {NODE, workerPort} from '../base/host.js';
import {later, missing} from '../base/later.js';
import {whileStarting} from '../base/starts.js';
import {unpack} from './lzma.js';
import {endThreads, startThreads, withThreads} from './threads.js';

/**
 * @typedef {import('./crossing.js').Emscripten} Emscripten
 *
 * @typedef {object} EmscriptenOptions
 * @property {WebAssembly.Memory} wasmMemory
 * @property {number} threads
 * @property {(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance, module:
 *     WebAssembly.Module) => void) => void} [instantiateWasm]
 * @property {Emscripten['PThread']} [PThread]   written by the factory
 */

const PAGE = 65536;
/** Whether the modules are packed: those of the npm package are (web/node/package.js). @type {boolean} */
const PACKED = false;

/** Bundlers find a file only by its whole address, written so. */
const MODULES = {
    'gemma-simd128': () => new URL('../wasm/gemma-simd128.wasm', import.meta.url),
    'gemma-relaxed': () => new URL('../wasm/gemma-relaxed.wasm', import.meta.url),
    'gemma-relaxed16': () => new URL('../wasm/gemma-relaxed16.wasm', import.meta.url),
    'gemma64-simd128': () => new URL('../wasm/gemma64-simd128.wasm', import.meta.url),
    'gemma64-relaxed': () => new URL('../wasm/gemma64-relaxed.wasm', import.meta.url),
    'gemma64-relaxed16': () => new URL('../wasm/gemma64-relaxed16.wasm', import.meta.url),
};

/**
 * Compiled modules by name: the small instance that reads a header and the real one share it.
 * @type {Map<string, Promise<WebAssembly.Module>>}
 */
const compiled = new Map();

/** @param {keyof typeof MODULES} name @returns {Promise<WebAssembly.Module>} */
async function compile(name) {
    const url = MODULES[name]();
    if (NODE) {
        const bytes = await process.getBuiltinModule('node:fs/promises').readFile(url).catch((cause) => {
            throw new GemmaError('not-found',
                `The engine module ${name}.wasm cannot be read: "make wasm" builds it.`, {cause});
        });
        return WebAssembly.compile(PACKED ? unpack(bytes) : bytes);
    }
    const response = await fetch(url).catch((cause) => {
        throw new GemmaError('network',
            `The engine module ${url.href} could not be fetched: there is no network, or the policy of this page ` +
            '(connect-src) refuses it.', {cause});
    });
    if (!response.ok) throw missing(url.href, `HTTP ${response.status}`);
    const type = response.headers.get('Content-Type');
    if (!PACKED && type?.toLowerCase() === 'application/wasm') return WebAssembly.compileStreaming(response);
    // While it arrives, browsers compile that type only; many hosts send another or none.
    const bytes = new Uint8Array(await response.arrayBuffer());
    return WebAssembly.compile(PACKED ? unpack(bytes) : bytes).catch((cause) => {
        throw missing(url.href, `type ${type}`, cause);
    });
}

/**
 * Throws RangeError where the system refuses that much.
 * @param {number} initial
 * @param {number} maximum
 * @param {boolean} memory64
 */
function makeMemory(initial, maximum, memory64) {
    /** @param {number} bytes */
    const pages = (bytes) => memory64 ? BigInt(Math.ceil(bytes / PAGE)) : Math.ceil(bytes / PAGE);
    const asked = {initial: pages(initial), maximum: pages(maximum), shared: true, ...memory64
        && {address: 'i64'}};
    return new WebAssembly.Memory(/** @type {any} */ (asked));        // TypeScript knows no memory64 yet
}

const INITIAL_BYTES = 16 << 20;     // at least; as in wasm/build.mk
const STARTING_MS = 20_000;         // a worker whose script is refused says nothing
const SLACK = 64 << 20;             // some phones refuse 4 GiB, so the memory may grow by no more than this

/** Whether this many bytes could be allocated now. @param {number} bytes @param {boolean} memory64 */
export function canReserve(bytes, memory64) {
    try {
        return makeMemory(bytes, bytes + SLACK, memory64) !== undefined;
    } catch {
        return false;
    }
}

/** Emscripten's script, which starts an instance, and its threads. @param {boolean} memory64 */
const starterOf = (memory64) => memory64 ? new URL('../wasm/gemma64.js', import.meta.url)
    : new URL('../wasm/gemma.js', import.meta.url);

/**
 * Starts the workers of an instance before it is wanted: see threads.js.
 * @param {boolean} memory64
 * @param {number} threads   in all
 */
export const startThreadsAhead = (memory64, threads) => startThreads(starterOf(memory64), threads - 1);

/**
 * @typedef {{kernels: 'simd128' | 'relaxed' | 'relaxed16', memory64: boolean, bytes: number, spare?: number,
 *     threads: number}} InstanceOptions
 *
 * @param {InstanceOptions} options bytes: of memory, allocated at once (pages never written cost nothing);
 *     threads: in all, more than one only where they can be started
 * @returns {Promise<{emscripten: Emscripten, memory: WebAssembly.Memory}>} rejects with 'no-memory' when that
 *     much can't be allocated, 'no-threads' when they don't start
 */
export async function startInstance({kernels, memory64, bytes, spare = 0, threads}) {
    const name = /** @type {const} */ (`${memory64 ? 'gemma64' : 'gemma'}-${kernels}`),
        starter = starterOf(memory64);
    const compiling = compiled.get(name) ?? compile(name);
    compiled.set(name, compiling);
    const wasm = await compiling;
    await startThreads(starter, threads - 1);
    let memory;
    try {
        const initial = Math.max(bytes, INITIAL_BYTES);
        memory = makeMemory(initial, initial + SLACK + spare, memory64);
    } catch (cause) {
        throw new GemmaError('no-memory',
            `${Math.ceil(bytes / 2 ** 20)} MB of memory could not be allocated: close other tabs, or choose a smaller model or contextLength.`, {cause});
    }
    const {default: factory} = await later(() =>
        import(/* @vite-ignore */ /* webpackIgnore: true */ starter.href));
    const starting = () => start(factory, starter, wasm, memory, threads);
    return {emscripten: threads > 1 ? await whileStarting(workerPort, starting) : await starting(), memory};
}

/**
 * What a factory of Emscripten gives; of one that does not start, no thread is left that would hold
 * the memory.
 * @param {(options: EmscriptenOptions) => Promise<Emscripten>} factory
 * @param {URL} starter
 * @param {WebAssembly.Module} wasm
 * @param {WebAssembly.Memory} memory
 * @param {number} threads
 */
async function start(factory, starter, wasm, memory, threads) {
    /** @type {EmscriptenOptions} */
    const options = {wasmMemory: memory, threads: threads - 1};
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {((event: ErrorEvent) => void) | undefined} */
    let refused;
    try {
        return await new Promise((resolve, reject) => {
            /** @param {unknown} cause */
            const noThreads = (cause) =>
                reject(new GemmaError('no-threads', 'The engine\'s threads did not start.', {cause}));
            if (threads > 1) {
                timer = setTimeout(noThreads, STARTING_MS);
                // Emscripten throws again what a thread's worker reports.
                refused = (event) => {
                    event.preventDefault();
                    noThreads(event.error);
                };
                globalThis.addEventListener?.('error', refused);
            }
            options.instantiateWasm = (imports, done) => void WebAssembly.instantiate(wasm, imports)
                .then((instance) => done(instance, wasm), reject);
            if (threads === 1) factory(options).then(resolve, reject);
            else withThreads(starter, () => factory(options)).then(resolve, noThreads);
        });
    } catch (error) {
        options.PThread?.terminateAllThreads();
        if (threads > 1) endThreads();
        throw error;
    } finally {
        clearTimeout(timer);
        if (refused) globalThis.removeEventListener?.('error', refused);
    }
}
