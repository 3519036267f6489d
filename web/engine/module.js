// module.js: one instance of an engine module and its model. Sessions are engine_session.js. Knows neither
// workers, messages nor where bytes come from.

import {ADD_BOS, CONTINUED_CONVERSATION, NEW_CONVERSATION, PARSE_CONTROL, ROLES} from '../base/constants.js';
import {Crossing} from './crossing.js';
import {EngineGrammar} from './engine_grammar.js';
import {EngineSession} from './engine_session.js';
import {GemmaError} from '../base/error.js';
import {startInstance} from './instance.js';

/**
 * @typedef {import('./crossing.js').Emscripten} Emscripten
 * @typedef {import('./crossing.js').Place} Place
 */

/**
 * Sizes of a model, as the engine's plan describes them.
 * @typedef {object} Shape
 * @property {string} architecture   'gemma', 'gemma2' or 'gemma3'
 * @property {number} layers
 * @property {number} embd
 * @property {number} heads
 * @property {number} kv       heads of keys and values
 * @property {number} dim      of a head
 * @property {number} ff
 * @property {number} vocab
 * @property {number} ctx      tokens it was trained on
 * @property {number} window   of its local layers; 0: it has none
 *
 * @typedef {object} Plan
 * @property {string} architecture
 * @property {string} name
 * @property {boolean} chat
 * @property {{style: string, stops: string[], leads: boolean}} turns
 * @property {number} nLayer
 * @property {number} nEmbd
 * @property {number} nVocab
 * @property {number} trainedContext
 * @property {Shape} shape
 * @property {string} type            of most weights: 'q4_k', ...
 * @property {('sizes' | 'vocabulary' | 'types')[]} guessed   what was taken from published models, or from
 *     the file's size
 * @property {number} weightBytes
 * @property {number} bytesPerToken
 */

/**
 * The sizes of a shape, in the order in which the crossing takes them.
 * @type {(keyof Shape & Exclude<string, 'architecture'>)[]}
 */
export const SHAPE_KEYS = ['layers', 'embd', 'heads', 'kv', 'dim', 'ff', 'vocab', 'ctx', 'window'];

/** Characters of a text that is long. */
const LONG = 1 << 20;

/** A value that is no size becomes one that the engine refuses. @param {unknown} n */
const toInt = (n) => Number.isInteger(n) && Math.abs(Number(n)) < 2 ** 31 ? Number(n) : -1;

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
     * Takes bytes from the front of `chunk`; returns how many: fewer than all when the header has just
     * become complete.
     * @param {Uint8Array} chunk
     */
    push(chunk) {
        let taken = 0;
        while (taken < chunk.length) {
            const planned = this.planned, room = this.#c.check(this.#c.x.loader_room_size());
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

    /**
     * Plans from a file's first bytes, at most a megabyte. Further ones, for a better plan, may follow.
     * @param {Uint8Array} bytes
     */
    estimate(bytes) {
        if (this.#c.check(this.#c.x.loader_room_size()) < bytes.length)
            throw new GemmaError('bad-argument', 'At most a megabyte of a header is taken at once.');
        this.#c.bytes(this.#c.x.loader_room(), bytes.length).set(bytes);
        this.#c.check(this.#c.x.loader_estimate(bytes.length));
    }

    /** Checks the tensors in the first bytes of another part of the file, too. @param {Uint8Array} bytes */
    checkPart(bytes) {
        const {addresses: [part]} = this.#c.place([bytes], 0);
        this.#c.check(this.#c.x.loader_check_part(part.at, part.n));
    }

    /**
     * Plans by a shape, without any byte.
     * @param {Shape | string} shape   its sizes, or the name of a published model ('gemma-2b')
     * @param {string} [type]          of most weights: 'q4_0', ...; default: what fits the file's size
     */
    planShape(shape, type = '') {
        const name = typeof shape === 'string' ? shape : shape.architecture;
        const {base, addresses: [n, t]} = this.#c.place([name, type], 4 * SHAPE_KEYS.length);
        if (typeof shape === 'object')
            this.#c.ints(base, SHAPE_KEYS.length).set(SHAPE_KEYS.map((key) => toInt(shape[key])));
        this.#c.check(this.#c.x.loader_plan_shape(n.at, typeof shape === 'object' ? base : 0, t.at));
    }

    /**
     * @param {() => number} write   writes JSON to the scratch buffer as far as it fits; returns its length
     * @returns {any}
     */
    #readJson(write) {
        this.#c.scratch(1);
        const n = write(), address = this.#c.scratch(n + 1);
        write();
        return JSON.parse(this.#c.text(address, n));
    }

    /** The header, as an object. */
    describe() {
        return this.#readJson(() => this.#c.x.describe());
    }

    /** @param {number} threads @param {number} precision */
    allocate(threads, precision) {
        this.#c.check(this.#c.x.loader_allocate(threads, precision));
        this.#c.check(this.#c.x.loader_push(0));
    }

    finishLoad() {
        this.#c.check(this.#c.x.loader_finish());
    }

    /** A model of random weights, as it was planned. @param {number} threads @param {number} precision */
    fill(threads, precision) {
        this.#c.check(this.#c.x.loader_fill(threads, precision));
    }

    /**
     * What the plan says.
     * @returns {Plan}
     */
    plan() {
        const {name, chat, chatStyle, chatStop, chatLeads, shape, type, ...sizes} = this.#readJson(() =>
            this.#c.x.plan());
        return {
            architecture: shape.architecture, name, chat, turns: {style: chatStyle, stops: chatStop ? [chatStop] : [],
                leads: chatLeads},
            nLayer: shape.layers, nEmbd: shape.embd, nVocab: shape.vocab, trainedContext: shape.ctx, shape,
            type: type.toLowerCase(), ...sizes,
        };
    }

    // ---------------------------------------------------------------------------------------- text

    /**
     * Runs `fill(address, cap)`, which returns how many ids there are, again if they are more than the
     * first room.
     * @param {(string | Uint8Array)[]} texts
     * @param {number} guess
     * @param {(address: number, cap: number, places: Place[]) => number} fill
     */
    #collectIds(texts, guess, fill) {
        for (let cap = guess; ;) {
            const {base, addresses} = this.#c.place(texts, 4 * cap);
            const n = this.#c.check(fill(base, cap, addresses));
            if (n <= cap) return Array.from(this.#c.ints(base, n));
            cap = n;
        }
    }

    /** @param {string | Uint8Array} text   bytes need not be UTF-8 @returns {number[]} */
    tokenize(text, {bos = false, special = false} = {}) {
        const flags = (bos ? ADD_BOS : 0) | (special ? PARSE_CONTROL : 0);
        // of a long text, room for one that most languages need
        const guess = Math.floor(Math.min(text.length, LONG + text.length / 4)) + 16;
        return this.#collectIds([text], guess, (ids, cap, [t]) => this.#c.x.tokenize(t.at, t.n, flags, ids, cap));
    }

    /** @returns {Uint8Array} the token's bytes: perhaps part of a character @param {number} id */
    tokenBytes(id) {
        const address = this.#c.scratch(256);
        return this.#c.bytes(address, this.#c.x.token_bytes(id, address)).slice();
    }

    /** The most bytes that a token stands for. */
    get longestToken() {
        if (this.#longestToken) return this.#longestToken;
        const address = this.#c.scratch(256), n = this.plan().nVocab;
        for (let id = 0; id < n; id++)
            this.#longestToken = Math.max(this.#longestToken, this.#c.x.token_bytes(id, address));
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
     * Turns as ids; see gemma_chat. Throws 'unsupported' when the model has no turns that the engine knows.
     * @param {{role: keyof typeof ROLES, content: string}[]} turns
     * @param {{first: boolean}} where   first: they begin a conversation
     */
    chat(turns, {first}) {
        const texts = turns.map((t) => t.content);
        const guess = texts.reduce((n, t) => n + t.length + 32, 64);
        return this.#collectIds(texts, guess, (ids, cap, places) => {
            this.#c.x.turns_clear();
            places.forEach((p, i) => this.#c.check(this.#c.x.turns_add(ROLES[turns[i].role], p.at, p.n)));
            return this.#c.x.chat(first ? NEW_CONVERSATION : CONTINUED_CONVERSATION, ids, cap);
        });
    }

    // ---------------------------------------------------------------------------------------- sessions

    /** Compiles a grammar; without a model, too. @param {string} gbnf */
    newGrammar(gbnf) {
        const {addresses: [text]} = this.#c.place([gbnf], 0);
        return new EngineGrammar(this.#c, this.#c.check(this.#c.x.grammar_new(text.at, text.n)));
    }

    /** @param {number} contextLength   most tokens that it can hold */
    newSession(contextLength) {
        return new EngineSession(this.#c, this.#c.check(this.#c.x.session_new(contextLength)));
    }

    /** A session that was saved, with the same model file and precision. @param {Uint8Array} bytes */
    restoreSession(bytes) {
        const {addresses: [saved]} = this.#c.place([bytes], 0);
        return new EngineSession(this.#c, this.#c.check(this.#c.x.session_restore(saved.at, saved.n)));
    }

    /**
     * Evaluates tokens of all of them that have some left, in one batch, or continues the one under way;
     * returns after about `ms`. Then ask each what is left.
     * @param {EngineSession[]} sessions @param {number} batch   most tokens of prompts
     */
    step(sessions, batch, ms = Infinity) {
        const address = this.#c.scratch(8 * sessions.length + 8), aligned = Math.ceil(address / 8) * 8;
        this.#c.doubles(aligned, sessions.length).set(sessions.map(({handle}) => handle));
        this.#c.x.step(aligned, sessions.length, batch, ms / 1000);
    }

    /** Counts what operations cost from now on. */
    profile() {
        this.#c.x.profile();
    }

    /**
     * What operations have cost since profile(); those that were called.
     * @returns {{name: string, seconds: number, calls: number, bytes: number, macs: number}[]}
     */
    costs() {
        const x = this.#c.x, costs = [];
        for (let i = 0, name; (name = x.cost_name(i)) !== 0; i++) {
            const calls = x.cost_calls(i);
            if (calls) costs.push({name: this.#c.cString(name), seconds: x.cost_seconds(i), calls,
                bytes: x.cost_bytes(i), macs: x.cost_macs(i)});
        }
        return costs;
    }

    /** Begins to add up what goes into the layers' matrices, from zero. */
    observe() {
        this.#c.check(this.#c.x.observe());
    }

    /**
     * What has gone into each matrix of a layer since observe(); squares: of each column of the inputs the
     * sum of its squares.
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
