// module.js: one instance of an engine module. The only JavaScript that sees addresses: exports take and return ints and doubles, so one
// file serves wasm32 and memory64. Views of the memory are made for each use, since growth leaves old ones stale; what a TextDecoder
// reads is copied first, since it refuses shared memory. Knows neither workers, messages nor where bytes come from.

import {GemmaError} from './error.js';
import {NODE, workerAddress} from './host.js';

const PAGE = 65536;
const BASE = new URL(NODE ? '../../build/wasm/' : '../wasm/', import.meta.url);

const CODES = ['ok', 'bad-file', 'unsupported', 'no-memory', 'context-full', 'bad-argument', 'bad-numbers'];
const ROLES = {system: 0, user: 1, assistant: 2};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Compiled modules by name: the small instance that reads a header and the real one share it. */
const compiled = new Map();

async function compile(name) {
    const url = new URL(`${name}.wasm`, BASE);
    if (NODE) {
        const {readFile} = await import('node:fs/promises');
        const bytes = await readFile(url).catch((cause) => {
            throw new GemmaError('not-found', `the engine module ${name}.wasm cannot be read: "make wasm" builds it`, {cause});
        });
        return WebAssembly.compile(bytes);
    }
    const response = await fetch(url).catch((cause) => {
        throw new GemmaError('network', `The engine module ${url.href} could not be fetched: there is no network, or the policy of this page ` +
            '(connect-src) refuses it.', {cause});
    });
    if (!response.ok) throw new GemmaError('network', `the engine module ${url.pathname} could not be fetched: HTTP ${response.status}`);
    const type = response.headers.get('Content-Type');
    if (type?.toLowerCase() === 'application/wasm') return WebAssembly.compileStreaming(response);
    // While it arrives, browsers compile that type only; many hosts send another or none.
    return WebAssembly.compile(await response.arrayBuffer()).catch((cause) => {
        throw new GemmaError('network', `the server sent no engine module for ${url.pathname}, but something of the type ${type}`, {cause});
    });
}

/** Throws RangeError where the system refuses that much. */
function makeMemory(initial, maximum, memory64) {
    const pages = (bytes) => memory64 ? BigInt(Math.ceil(bytes / PAGE)) : Math.ceil(bytes / PAGE);
    return new WebAssembly.Memory({initial: pages(initial), maximum: pages(maximum), shared: true, ...(memory64 && {address: 'i64'})});
}

const INITIAL_BYTES = 16 << 20;     // at least; as in wasm/build.mk
const STARTING_MS = 20_000;         // a worker whose script is refused says nothing
const SLACK = 64 << 20;             // some phones refuse 4 GiB, so the memory may grow by no more than this

/** Whether an instance of so many bytes could be had now. */
export function canReserve(bytes, memory64) {
    try {
        return makeMemory(bytes, bytes + SLACK, memory64) !== undefined;
    } catch {
        return false;
    }
}

/**
 * @param {{kernels: 'simd128' | 'relaxed' | 'relaxed16', memory64: boolean, bytes: number, threads: number}} options
 *   bytes: of memory, had at once (what is never written costs nothing); threads: in all, more than one only where they can be started
 * @returns {Promise<Module>} rejects with 'no-memory' when that much can't be had, 'no-threads' when they don't start
 */
export async function instantiate({kernels, memory64, bytes, threads}) {
    const size = memory64 ? 'gemma64' : 'gemma', name = `${size}-${kernels}`;
    if (!compiled.has(name)) compiled.set(name, compile(name));
    const wasm = await compiled.get(name);
    let memory;
    try {
        const initial = Math.max(bytes, INITIAL_BYTES);
        memory = makeMemory(initial, initial + SLACK, memory64);
    } catch (cause) {
        throw new GemmaError('no-memory', `${Math.ceil(bytes / 2 ** 20)} MB of memory are needed, which could not be had`, {cause});
    }
    const {default: factory} = await import(new URL(`${size}.js`, BASE).href);
    return new Module(await start(factory, new URL(`${size}.js`, BASE), wasm, memory, threads), memory);
}

/** What a factory of Emscripten gives; of one that does not start, no thread is left that would hold the memory. */
async function start(factory, url, wasm, memory, threads) {
    const address = threads > 1 ? workerAddress(url) : url.href;
    const options = {wasmMemory: memory, threads: threads - 1, ...address !== url.href && {mainScriptUrlOrBlob: address}};
    let timer, refused;
    try {
        return await new Promise((resolve, reject) => {
            const noThreads = (cause) => reject(new GemmaError('no-threads', 'the engine\'s threads did not start', {cause}));
            if (threads > 1) {
                timer = setTimeout(noThreads, STARTING_MS);
                // Emscripten throws again what a thread's worker reports.
                refused = (event) => {
                    event.preventDefault();
                    noThreads(event.error);
                };
                globalThis.addEventListener?.('error', refused);
            }
            options.instantiateWasm = (imports, done) => void WebAssembly.instantiate(wasm, imports).then((instance) => done(instance, wasm), reject);
            factory(options).then(resolve, reject);
        });
    } catch (error) {
        options.PThread?.terminateAllThreads();
        throw error;
    } finally {
        clearTimeout(timer);
        globalThis.removeEventListener?.('error', refused);
    }
}

export class Module {
    #x;
    #memory;
    #emscripten;
    #broken;
    #longestToken = 0;

    constructor(emscripten, memory) {
        this.#emscripten = emscripten;
        this.#memory = memory;
        this.#x = new Proxy(emscripten, {get: (target, name) => this.#guarded(target[`_gx_${String(name)}`])});
    }

    /** A trap ends the instance: its memory can't be trusted any more. */
    #guarded(fn) {
        return (...args) => {
            if (this.#broken) throw this.#broken;
            try {
                return fn(...args);
            } catch (cause) {
                const error = new GemmaError('internal', `the engine stopped unexpectedly (${cause.message}); load the model again`, {cause});
                throw this.#broken = Object.assign(error, {fatal: true});
            }
        };
    }

    /** Stops the threads. */
    close() {
        this.#emscripten.PThread.terminateAllThreads();
    }

    get memoryBytes() {
        return this.#memory.buffer.byteLength;
    }

    #bytes(address, n) {
        return new Uint8Array(this.#memory.buffer, address, n);
    }

    #cString(address) {
        const all = new Uint8Array(this.#memory.buffer, address);
        return decoder.decode(all.slice(0, all.indexOf(0)));
    }

    #check(status) {
        if (status !== 0) throw new GemmaError(CODES[status] ?? 'internal', this.#cString(this.#x.error()));
    }

    /** For calls that answer -1 when they fail: the status is then kept beside the sentence. */
    #checkCount(n) {
        if (n < 0) this.#check(this.#x.status());
        return n;
    }

    #scratch(n) {
        const address = this.#x.scratch(n);
        if (!address) throw new GemmaError('no-memory', `the engine has no memory for ${n} more bytes`);
        return address;
    }

    /**
     * Room for results (4-byte aligned) and texts side by side in the scratch buffer.
     * @param {(string | Uint8Array)[]} texts   strings get a 0 at their end, which `n` does not count
     * @param {number} room   bytes
     */
    #place(texts, room) {
        const encoded = texts.map((t) => typeof t === 'string' ? encoder.encode(`${t}\0`) : t);
        const size = encoded.reduce((n, e) => n + e.length, 0);
        const base = this.#scratch(room + size);
        let at = base + room;
        const addresses = encoded.map((e, i) => {
            this.#bytes(at, e.length).set(e);
            at += e.length;
            return {at: at - e.length, n: typeof texts[i] === 'string' ? e.length - 1 : e.length};
        });
        return {base, addresses};
    }

    #ids(address, n) {
        return Array.from(new Int32Array(this.#memory.buffer, address, n));
    }

    // ---------------------------------------------------------------------------------------- loading

    beginLoad(fileName, fileSize) {
        const {addresses: [name]} = this.#place([fileName], 0);
        this.#check(this.#x.loader_new(name.at, fileSize));
    }

    /** Takes bytes from the front of `chunk`; returns how many: fewer than all when the header has just become complete. */
    push(chunk) {
        let taken = 0;
        while (taken < chunk.length) {
            const planned = this.planned, room = this.#x.loader_room_size();
            if (room === 0 && !planned) throw new GemmaError('no-memory', 'the engine has no memory for a file header of this length');
            if (room === 0) break;
            const part = chunk.subarray(taken, taken + room);
            this.#bytes(this.#x.loader_room(), part.length).set(part);
            this.#check(this.#x.loader_push(part.length));
            taken += part.length;
            if (planned !== this.planned) break;
        }
        return taken;
    }

    /** The header is complete and sound. */
    get planned() {
        return this.#x.loader_planned() !== 0;
    }

    memoryNeed(threads, precision, contextLength) {
        return this.#x.memory_need(threads, precision, contextLength);
    }

    /** The most bytes that a memoryNeed may be, in a module of wasm32 or of memory64. */
    capacity(memory64) {
        return this.#x.capacity(memory64 ? 64 : 32);
    }

    /** Further bytes while it observes. */
    observerNeed() {
        return this.#x.observer_need();
    }

    /** The header, as an object. */
    describe() {
        this.#scratch(1);
        const n = this.#x.describe();
        const address = this.#scratch(n + 1);
        this.#x.describe();
        return JSON.parse(decoder.decode(this.#bytes(address, n).slice()));
    }

    allocate(threads, precision) {
        this.#check(this.#x.loader_allocate(threads, precision));
        this.#check(this.#x.loader_push(0));
    }

    finishLoad() {
        this.#check(this.#x.loader_finish());
    }

    synthetic(shape, type, threads, precision) {
        const {addresses: [s, t]} = this.#place([shape, type], 0);
        this.#check(this.#x.synthetic(s.at, t.at, threads, precision));
    }

    /** 0 for an unknown shape or type. */
    syntheticNeed(shape, type, threads, precision, contextLength) {
        const {addresses: [s, t]} = this.#place([shape, type], 0);
        return this.#x.synthetic_need(s.at, t.at, threads, precision, contextLength);
    }

    /** What the plan says. */
    plan() {
        const x = this.#x;
        return {
            architecture: this.#cString(x.architecture()), name: this.#cString(x.name()), chat: x.chat_model() !== 0,
            turns: {
                style: this.#cString(x.chat_style()), stop: this.#cString(x.chat_stop()), leads: x.chat_leads() !== 0,
            },
            nLayer: x.n_layer(), nEmbd: x.n_embd(), nVocab: x.n_vocab(), trainedContext: x.n_ctx_train(),
            weightBytes: x.weight_bytes(), bytesPerToken: x.bytes_per_token(),
        };
    }

    // ---------------------------------------------------------------------------------------- text

    /** Runs `fill(address, cap)`, which returns how many ids there are, again if they are more than the first room. */
    #collectIds(texts, guess, fill) {
        for (let cap = guess; ;) {
            const {base, addresses} = this.#place(texts, 4 * cap);
            const n = fill(base, cap, addresses);
            if (n === -1) throw new GemmaError('no-memory', 'the engine has no memory for a text of this length');
            if (n <= cap) return n < 0 ? null : this.#ids(base, n);
            cap = n;
        }
    }

    /** @param {string | Uint8Array} text   bytes need not be UTF-8 @returns {number[]} */
    tokenize(text, {bos = false, special = false} = {}) {
        return this.#collectIds([text], text.length + 16, (ids, cap, [t]) => this.#x.tokenize(t.at, t.n, bos, special, ids, cap));
    }

    /** @returns {Uint8Array} the token's bytes: perhaps part of a character */
    tokenBytes(id) {
        const address = this.#scratch(256);
        return this.#bytes(address, this.#x.token_bytes(id, address)).slice();
    }

    /** The most bytes that a token stands for. */
    get longestToken() {
        if (this.#longestToken) return this.#longestToken;
        const address = this.#scratch(256), n = this.#x.n_vocab();
        for (let id = 0; id < n; id++) this.#longestToken = Math.max(this.#longestToken, this.#x.token_bytes(id, address));
        return this.#longestToken;
    }

    get addsBos() {
        return this.#x.adds_bos() !== 0;
    }

    isControl(id) {
        return this.#x.is_control(id) !== 0;
    }

    isEnd(id) {
        return this.#x.is_end(id) !== 0;
    }

    /**
     * Turns as ids; see gemma_chat. null when the model has no turn tokens.
     * @param {{role: 'system' | 'user' | 'assistant', content: string}[]} turns
     * @param {{first: boolean, closed: boolean}} where
     */
    chat(turns, {first, closed}) {
        const texts = turns.map((t) => t.content);
        const guess = texts.reduce((n, t) => n + t.length + 32, 64);
        return this.#collectIds(texts, guess, (ids, cap, places) => {
            this.#x.turns_clear();
            const fits = places.every((p, i) => this.#x.turns_add(ROLES[turns[i].role], p.at, p.n));
            return fits ? this.#x.chat(first, closed, ids, cap) : -1;
        });
    }

    // ---------------------------------------------------------------------------------------- the session

    newSession(contextLength) {
        this.#check(this.#x.session_new(contextLength));
    }

    /** @returns {number} tokens that need not be evaluated again */
    sync(ids) {
        const address = this.#scratch(4 * Math.max(ids.length, 1));
        new Int32Array(this.#memory.buffer, address, ids.length).set(ids);
        return this.#checkCount(this.#x.session_sync(address, ids.length));
    }

    /** Appends a token; false when the context is full. */
    pushToken(id) {
        if (this.#x.session_count() === this.#x.session_context()) return false;
        this.#check(this.#x.session_push(id));
        return true;
    }

    /** Adds guesses of the next tokens, as many as fit, after a token just pushed; the next step evaluates all. */
    draft(ids) {
        const address = this.#scratch(4 * Math.max(ids.length, 1));
        new Int32Array(this.#memory.buffer, address, ids.length).set(ids);
        this.#check(this.#x.session_draft(address, ids.length));
    }

    /** Whether the token just sampled was the next guess: then it is evaluated already. Otherwise all guesses are forgotten. */
    accept(id) {
        return this.#x.session_accept(id) !== 0;
    }

    /**
     * Evaluates up to `batch` tokens, or goes on with those under way; comes back after about `ms`.
     * @returns {number} tokens left to evaluate; a fraction while some are half-way
     */
    step(batch, ms = Infinity) {
        return this.#checkCount(this.#x.session_step(batch, ms / 1000));
    }

    sample() {
        return this.#x.session_sample();
    }

    /** A copy of the logits computed last. */
    logits() {
        return new Float32Array(this.#memory.buffer, this.#x.logits(), this.#x.n_vocab()).slice();
    }

    /** Computes the logits at token i of the last step's batch. */
    logitsAt(i) {
        this.#x.logits_at(i);
    }

    /** -log of the probability of `id` by the logits computed last. */
    nll(id) {
        return this.#x.nll(id);
    }

    /** Begins to count what operations cost, or stops. */
    profile(on) {
        this.#x.profile(on);
    }

    /**
     * What operations have cost since profile(true); those that were called.
     * @returns {{name: string, seconds: number, calls: number, bytes: number, macs: number}[]}
     */
    costs() {
        const x = this.#x, costs = [];
        for (let i = 0, name; (name = x.cost_name(i)) !== 0; i++) {
            const calls = x.cost_calls(i);
            if (calls) costs.push({name: this.#cString(name), seconds: x.cost_seconds(i), calls, bytes: x.cost_bytes(i), macs: x.cost_macs(i)});
        }
        return costs;
    }

    /** Begins to add up what goes into the layers' matrices, from zero. */
    observe() {
        this.#check(this.#x.observe(1));
    }

    /**
     * What has gone into each matrix of a layer since observe(); squares: of each column of the inputs the sum of its squares.
     * @returns {{name: string, tokens: number, squares: Float64Array}[]}
     */
    observed() {
        const x = this.#x, all = [];
        for (let i = 0, name; (name = x.observed_name(i)) !== 0; i++) {
            const squares = new Float64Array(this.#memory.buffer, x.observed_squares(i), x.observed_columns(i)).slice();
            all.push({name: this.#cString(name), tokens: x.observed_tokens(i), squares});
        }
        return all;
    }

    /** Starts the random numbers anew. */
    setSampling(s) {
        this.#check(this.#x.sampling(s.temperature, s.topK, s.topP, s.minP, s.repeatPenalty, s.presencePenalty, s.frequencyPenalty, s.seed));
        for (const [id, bias] of Object.entries(s.logitBias)) this.#check(this.#x.bias(Number(id), bias));
    }
}
