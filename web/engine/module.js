// module.js: one instance of an engine module and its model. Sessions are engine_session.js. Knows neither workers, messages
// nor where bytes come from.

import {Crossing} from './crossing.js';
import {EngineSession} from './engine_session.js';
import {GemmaError} from '../base/error.js';
import {startInstance} from './instance.js';

/**
 * @typedef {import('./crossing.js').Emscripten} Emscripten
 * @typedef {import('./crossing.js').Place} Place
 */

const ROLES = {system: 0, user: 1, assistant: 2};

/**
 * @param {import('./instance.js').InstanceOptions} options
 * @returns {Promise<Module>} rejects as startInstance does
 */
export async function instantiate(options) {
    const {emscripten, memory} = await startInstance(options);
    return new Module(emscripten, memory);
}

export class Module {
    #c;
    #longestToken = 0;

    /** @param {Emscripten} emscripten @param {WebAssembly.Memory} memory */
    constructor(emscripten, memory) {
        this.#c = new Crossing(emscripten, memory);
    }

    /** Stops the threads. */
    close() {
        this.#c.close();
    }

    get memoryBytes() {
        return this.#c.memoryBytes;
    }

    // ---------------------------------------------------------------------------------------- loading

    /** @param {string} fileName @param {number} fileSize */
    beginLoad(fileName, fileSize) {
        const {addresses: [name]} = this.#c.place([fileName], 0);
        this.#c.check(this.#c.x.loader_new(name.at, fileSize));
    }

    /**
     * Takes bytes from the front of `chunk`; returns how many: fewer than all when the header has just become complete.
     * @param {Uint8Array} chunk
     */
    push(chunk) {
        let taken = 0;
        while (taken < chunk.length) {
            const planned = this.planned, room = this.#c.x.loader_room_size();
            if (room === 0 && !planned) throw new GemmaError('no-memory', 'the engine has no memory for a file header of this length');
            if (room === 0) break;
            const part = chunk.subarray(taken, taken + room);
            this.#c.bytes(this.#c.x.loader_room(), part.length).set(part);
            this.#c.check(this.#c.x.loader_push(part.length));
            taken += part.length;
            if (planned !== this.planned) break;
        }
        return taken;
    }

    /** The header is complete and sound. */
    get planned() {
        return this.#c.x.loader_planned() !== 0;
    }

    /** @param {number} threads @param {number} precision @param {number} contextLength @returns {number} */
    memoryNeed(threads, precision, contextLength) {
        return this.#c.x.memory_need(threads, precision, contextLength);
    }

    /**
     * The most bytes that a memoryNeed may be, in a module of wasm32 or of memory64.
     * @param {boolean} memory64
     */
    capacity(memory64) {
        return this.#c.x.capacity(memory64 ? 64 : 32);
    }

    /** Further bytes while it observes. */
    observerNeed() {
        return this.#c.x.observer_need();
    }

    /** The header, as an object. */
    describe() {
        this.#c.scratch(1);
        const n = this.#c.x.describe();
        const address = this.#c.scratch(n + 1);
        this.#c.x.describe();
        return JSON.parse(this.#c.text(address, n));
    }

    /** @param {number} threads @param {number} precision */
    allocate(threads, precision) {
        this.#c.check(this.#c.x.loader_allocate(threads, precision));
        this.#c.check(this.#c.x.loader_push(0));
    }

    finishLoad() {
        this.#c.check(this.#c.x.loader_finish());
    }

    /** @param {string} shape @param {string} type @param {number} threads @param {number} precision */
    synthetic(shape, type, threads, precision) {
        const {addresses: [s, t]} = this.#c.place([shape, type], 0);
        this.#c.check(this.#c.x.synthetic(s.at, t.at, threads, precision));
    }

    /**
     * 0 for an unknown shape or type.
     * @param {string} shape
     * @param {string} type
     * @param {number} threads
     * @param {number} precision
     * @param {number} contextLength
     */
    syntheticNeed(shape, type, threads, precision, contextLength) {
        const {addresses: [s, t]} = this.#c.place([shape, type], 0);
        return this.#c.x.synthetic_need(s.at, t.at, threads, precision, contextLength);
    }

    /** What the plan says. */
    plan() {
        const x = this.#c.x;
        return {
            architecture: this.#c.cString(x.architecture()), name: this.#c.cString(x.name()), chat: x.chat_model() !== 0,
            turns: {style: this.#c.cString(x.chat_style()), stop: this.#c.cString(x.chat_stop()), leads: x.chat_leads() !== 0},
            nLayer: x.n_layer(), nEmbd: x.n_embd(), nVocab: x.n_vocab(), trainedContext: x.n_ctx_train(),
            weightBytes: x.weight_bytes(), bytesPerToken: x.bytes_per_token(),
        };
    }

    // ---------------------------------------------------------------------------------------- text

    /**
     * Runs `fill(address, cap)`, which returns how many ids there are, again if they are more than the first room.
     * @param {(string | Uint8Array)[]} texts
     * @param {number} guess
     * @param {(address: number, cap: number, places: Place[]) => number} fill
     */
    #collectIds(texts, guess, fill) {
        for (let cap = guess; ;) {
            const {base, addresses} = this.#c.place(texts, 4 * cap);
            const n = fill(base, cap, addresses);
            if (n === -1) throw new GemmaError('no-memory', 'the engine has no memory for a text of this length');
            if (n <= cap) return n < 0 ? null : Array.from(this.#c.ints(base, n));
            cap = n;
        }
    }

    /** @param {string | Uint8Array} text   bytes need not be UTF-8 @returns {number[]} */
    tokenize(text, {bos = false, special = false} = {}) {
        return this.#collectIds([text], text.length + 16, (ids, cap, [t]) => this.#c.x.tokenize(t.at, t.n, bos, special, ids, cap)) ?? [];
    }

    /** @returns {Uint8Array} the token's bytes: perhaps part of a character @param {number} id */
    tokenBytes(id) {
        const address = this.#c.scratch(256);
        return this.#c.bytes(address, this.#c.x.token_bytes(id, address)).slice();
    }

    /** The most bytes that a token stands for. */
    get longestToken() {
        if (this.#longestToken) return this.#longestToken;
        const address = this.#c.scratch(256), n = this.#c.x.n_vocab();
        for (let id = 0; id < n; id++) this.#longestToken = Math.max(this.#longestToken, this.#c.x.token_bytes(id, address));
        return this.#longestToken;
    }

    get addsBos() {
        return this.#c.x.adds_bos() !== 0;
    }

    /** @param {number} id */
    isControl(id) {
        return this.#c.x.is_control(id) !== 0;
    }

    /** @param {number} id */
    isEnd(id) {
        return this.#c.x.is_end(id) !== 0;
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
            this.#c.x.turns_clear();
            const fits = places.every((p, i) => this.#c.x.turns_add(ROLES[turns[i].role], p.at, p.n));
            return fits ? this.#c.x.chat(first, closed, ids, cap) : -1;
        });
    }

    // ---------------------------------------------------------------------------------------- sessions

    /** @param {number} contextLength   most tokens that it can hold */
    newSession(contextLength) {
        return new EngineSession(this.#c, this.#c.checkAddress(this.#c.x.session_new(contextLength)));
    }

    /** A session that was saved, with the same model file and precision. @param {Uint8Array} bytes */
    restoreSession(bytes) {
        const {addresses: [saved]} = this.#c.place([bytes], 0);
        return new EngineSession(this.#c, this.#c.checkAddress(this.#c.x.session_restore(saved.at, saved.n)));
    }

    /**
     * Evaluates tokens of all of them that have some left, in one batch, or goes on with the one under way; comes back after about `ms`. Then
     * ask each what is left.
     * @param {EngineSession[]} sessions @param {number} batch   most tokens of prompts
     */
    step(sessions, batch, ms = Infinity) {
        const address = this.#c.scratch(8 * sessions.length + 8), aligned = Math.ceil(address / 8) * 8;
        this.#c.doubles(aligned, sessions.length).set(sessions.map(({handle}) => handle));
        this.#c.x.step(aligned, sessions.length, batch, ms / 1000);
    }

    /** Begins to count what operations cost, or stops. @param {boolean} on */
    profile(on) {
        this.#c.x.profile(on);
    }

    /**
     * What operations have cost since profile(true); those that were called.
     * @returns {{name: string, seconds: number, calls: number, bytes: number, macs: number}[]}
     */
    costs() {
        const x = this.#c.x, costs = [];
        for (let i = 0, name; (name = x.cost_name(i)) !== 0; i++) {
            const calls = x.cost_calls(i);
            if (calls) costs.push({name: this.#c.cString(name), seconds: x.cost_seconds(i), calls, bytes: x.cost_bytes(i), macs: x.cost_macs(i)});
        }
        return costs;
    }

    /** Begins to add up what goes into the layers' matrices, from zero. */
    observe() {
        this.#c.check(this.#c.x.observe(1));
    }

    /**
     * What has gone into each matrix of a layer since observe(); squares: of each column of the inputs the sum of its squares.
     * @returns {{name: string, tokens: number, squares: Float64Array}[]}
     */
    observed() {
        const x = this.#c.x, all = [];
        for (let i = 0, name; (name = x.observed_name(i)) !== 0; i++) {
            const squares = this.#c.doubles(x.observed_squares(i), x.observed_columns(i)).slice();
            all.push({name: this.#c.cString(name), tokens: x.observed_tokens(i), squares});
        }
        return all;
    }
}
