// gemma.js: the public API. A Gemma is a loaded model in a worker of its own; a Session is a conversation on it.
//
//     const gemma = await Gemma.load('https://example.org/gemma.gguf', { onProgress: p => console.log(p) });
//     const session = await gemma.session();
//     const answer = session.prompt('Why is the sea salty?');
//     for await (const piece of answer) show(piece);
//     const { finishReason, timings } = await answer.result;
//
// Works in browsers and under Node (20 and newer). Knows no addresses, no storage and no page.
//
// Everywhere: an option that is null or undefined counts as not given, and one that is not known is refused by its name. What an onProgress
// throws, or its promise rejects with, ends what it watches: that rejects with the same error.

import {GemmaError} from './base/error.js';
import {requireWebAssembly} from './engine/features.js';
import {NODE, startWorker} from './base/host.js';
import {readOptions, show} from './base/options.js';
import {packSession, unpackSession} from './engine/saved_session.js';
import {Caller} from './base/protocol.js';

export {GemmaError};

const WORKER = new URL('./engine/worker.js', import.meta.url);

/**
 * @typedef {string | URL | Blob | Blob[] | {kind: 'url', url: string} & Origin | {kind: 'file', file: Blob, manifest?: object}
 *     | {kind: 'path', path: string} | {kind: 'synthetic', shape: string, type: string} | Entry} ModelSource
 *   a GGUF or its manifest (FILE.gguf.json) by URL (under Node also by path or file: URL; a blob: or data: URL is a GGUF), the id of a
 *   stored model, a File, several (a GGUF or all its parts, with its manifest), or an entry of a catalogue, which is refused before anything of
 *   it is downloaded if it can't run here. A model that was cut into NAME-00001-of-00003.gguf and so on is given by its first part
 *
 * @typedef {import('./engine/probe.js').Subject & {urls: string[], sha256?: string, manifest?: string}} Entry   as in app/models.json
 *
 * @typedef {object} Origin               more about a model that comes by URL
 * @property {string[]} [urls]            more addresses of the same file, asked when the first does not give it
 * @property {Record<string, string>} [headers]   sent along, for hosts that want a token; kept nowhere
 * @property {object | string | URL} [manifest]   what `build/quantize --manifest` writes beside a GGUF, or its address: each chunk is compared
 *   with its digest there, and one that --split wrote comes from its parts
 * @property {string} [sha256]            of the whole file, in hex; compared with what is downloaded, stored, chosen or read from a path
 *
 * @typedef {object} Watched
 * @property {AbortSignal} [signal]
 * @property {(progress: import('./weights/file/progress.js').Progress) => void} [onProgress]   bytes, bytes per second, and sentences for the user
 *
 * @typedef {object} EngineOptions
 * @property {number} [threads]         default: all cores, up to 8; one where the page is not cross-origin isolated
 * @property {number} [contextLength]   tokens that a conversation can hold; default: the model's, up to 8,192
 * @property {boolean} [chat]           whether the model knows turns; default: what its metadata says
 * @property {'simd128' | 'relaxed'} [variant]  default: the fastest that computes correctly here
 * @property {'i32' | 'i16'} [dot]      which of relaxed SIMD's dot products, with the same results; default: the faster one here
 * @property {boolean} [memory64]       default: only for models that 4 GB can't hold
 * @property {'f16' | 'int8'} [kvType]  keys and values as halves (default) or as bytes: half the memory of a context, and long ones are faster
 * @property {number} [sessions]        with full contexts, for which memory may be had; default: 4, on small devices 2
 * @property {boolean} [exact]          float arithmetic throughout: slow, for comparisons
 *
 * @typedef {Watched & Origin & EngineOptions & {update?: boolean}} LoadOptions   update: asks the address whether it still has the file that
 *   is stored, and if not, puts the new one in its place; without the network, what is stored runs
 *
 * @typedef {object} Info
 * @property {string} architecture      'gemma', 'gemma2', 'gemma3'
 * @property {string} name
 * @property {number} nVocab            tokens of the vocabulary
 * @property {number} nEmbd             numbers of a hidden state, and of an embedding
 * @property {boolean} chat             taught to chat
 * @property {'turns' | 'chatml' | 'llama2' | 'llama3' | 'mistral' | 'phi3' | 'phi4' | 'zephyr' | 'openchat' | 'vicuna'
 *     | 'alpaca' | 'transcript'} chatStyle   whose turns a conversation is written in: 'turns' are Gemma's own, others are
 *   those of the file's template. 'transcript': a plain-text dialogue, for base models and where the template is another one
 * @property {'simd128' | 'relaxed'} variant
 * @property {'simd128' | 'relaxed' | 'relaxed16'} kernels   the variant's kernels that were the fastest here
 * @property {boolean} memory64         whether its memory has addresses of 64 bits
 * @property {number} threads
 * @property {number} contextLength
 * @property {number} memoryBytes       of the engine's memory
 * @property {number} loadMs
 *
 * @typedef {{role: 'system' | 'user' | 'assistant', content: string}} Message
 *
 * @typedef {object} Sampling           applied in this order
 * @property {Record<number, number>} [logitBias]   by token id
 * @property {number} [repeatPenalty]   1: off; penalties look at the last 64 tokens
 * @property {number} [presencePenalty] 0: off
 * @property {number} [frequencyPenalty] 0: off
 * @property {number} [topK]            0: off
 * @property {number} [topP]            1: off
 * @property {number} [minP]            0: off
 * @property {number} [temperature]     0: always the likeliest token
 * @property {number} [seed]            equal seeds give equal texts; default: another each time
 *
 * @typedef {object} PromptOptions
 * @property {AbortSignal} [signal]     ends the answer with finishReason 'abort'
 * @property {Sampling} [sampling]
 * @property {number} [maxTokens]       default: until the context is full
 * @property {string | string[]} [stop]   texts that end the answer; they are not part of it. The name of a control token
 *   ends it where the model writes that token
 * @property {number} [logprobs]        also tell the probability of each token, and of so many of the likeliest in its place (0 to 20)
 * @property {number} [promptLogprobs]  the same of the prompt's tokens, which are then all evaluated
 * @property {boolean} [raw]            continue the text as it is: no turns, and nothing remembered
 * @property {(progress: {phase: 'prefill', done: number, total: number}) => void} [onProgress]   tokens of the prompt
 *
 * @typedef {import('./engine/generate.js').TokenLogprobs} TokenLogprobs   {id, logprob, top: [{id, logprob}, ...]}: natural logarithms of
 *   probabilities before sampling parameters count, over the whole vocabulary
 *
 * @typedef {object} Result
 * @property {string} text
 * @property {number[]} promptTokens
 * @property {number[]} tokens          without the one that ended the answer
 * @property {'stop' | 'length' | 'context' | 'abort'} finishReason   'context': it is full
 * @property {number} cachedTokens      of the prompt, that had been evaluated before
 * @property {number} seed              with which the same text comes again
 * @property {number} memoryBytes
 * @property {TokenLogprobs[]} [logprobs]   of `tokens`, where they were asked for
 * @property {(TokenLogprobs | null)[]} [promptLogprobs]   of `promptTokens`; null for the first, which nothing comes before
 * @property {{loadMs: number, prefillTokens: number, prefillMs: number, decodeTokens: number, decodeMs: number}} timings   tokens evaluated
 */

const KINDS = ['url', 'file', 'path', 'synthetic'];

/** A GGUF, of those in parts the first, or the manifest that lies beside one. @param {URL} address */
function byUrl(address) {
    const url = new URL(address), isManifest = url.pathname.endsWith('.gguf.json');
    if (isManifest) url.pathname = url.pathname.slice(0, -'.json'.length);
    url.pathname = url.pathname.replace(/-\d{5}(-of-\d{5}\.gguf)$/, '-00001$1');
    return {kind: 'url', url: url.href, ...isManifest && {manifest: address.href}};
}

/** @param {string | URL} address   relative to the page's @returns {string} */
function absolute(address) {
    try {
        return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href).href;
    } catch (cause) {
        throw new GemmaError('bad-argument', `${address} is not an address`, {cause});
    }
}

/** Under Node, what is no address of the web is a path, or a file: URL. @param {string | URL} address */
const isPath = (address) => NODE && !/^(https?|blob|data):/i.test(String(address));

/**
 * What the worker is told; of a GGUF that is to be fetched here and at once (a blob: URL), its `address`.
 * @typedef {import('./engine/worker.js').Description} Description
 *
 * @param {any} model   a ModelSource, as far as anybody can be trusted to give one
 * @param {Origin & {update?: boolean}} origin
 * @returns {any} a Description, or with `address` what is not one yet
 */
function describe(model, {urls, headers, manifest, sha256, update}) {
    const isHere = model?.kind === 'path' || (typeof model === 'string' || model instanceof URL) && isPath(model);
    /** @param {string | URL} address */
    const at = (address) => isHere ? String(address) : absolute(address);
    const more = Object.fromEntries(Object.entries({
        urls: urls?.map(absolute), headers, manifest: typeof manifest === 'string' || manifest instanceof URL ? at(manifest) : manifest, sha256, update,
    }).filter(([, value]) => value !== undefined && value !== null));
    if (model instanceof Blob) return {kind: 'file', file: model, ...more};
    if (typeof model !== 'string' && !(model instanceof URL)) {
        if (Array.isArray(model?.urls) && model.shape) {
            const [url, ...others] = model.urls;
            const digests = {manifest: manifest ?? model.manifest, sha256: sha256 ?? model.sha256};
            return {...describe(url, {urls: others, headers, ...digests, update}), entry: model};
        }
        if (model?.kind === 'synthetic' && (more.sha256 ?? more.manifest) !== undefined)
            throw new GemmaError('bad-argument', 'A model of random weights has no digest: give neither sha256 nor manifest.');
        if (model?.kind === 'url') return {...model, ...describe(model.url, {...model, ...more})};
        if (KINDS.includes(model?.kind)) return {...model, ...model.manifest instanceof URL && {manifest: model.manifest.href}, ...more};
        throw new GemmaError('bad-argument', 'a model is given by its URL, as a File, by an entry of a catalogue, or as {kind, ...}');
    }
    if (isHere) return {kind: 'path', path: String(model), ...more};
    const address = new URL(absolute(model));
    if (address.protocol === 'file:') throw new GemmaError('unsupported', `A page cannot read ${address.href}: let the user choose the file.`, {here: true});
    return /^(blob|data):/.test(address.protocol) ? {kind: 'file', address: address.href, ...more} : {...byUrl(address), ...more};
}

/**
 * The same for files that were chosen together, too.
 * @param {ModelSource} model
 * @param {Origin & {update?: boolean}} origin
 * @param {AbortSignal} [signal]
 * @returns {Promise<Description>}
 */
async function findSource(model, origin, signal) {
    if (!Array.isArray(model) && !(model instanceof Blob)) {
        const {address, ...source} = describe(model, origin);
        return address ? {...source, file: await fetchFile(address)} : source;
    }
    const {file, manifest} = await (await import('./weights/file/files.js')).joinFiles(model, signal);
    return describe(file, {...origin, manifest: origin.manifest ?? manifest});
}

/** What is behind a blob: or data: URL: nothing of a file on the disk is read yet. @param {string} address */
async function fetchFile(address) {
    try {
        return await (await fetch(address)).blob();
    } catch (cause) {
        throw new GemmaError('not-found', `There is nothing at ${address.slice(0, 80)}: it was revoked, or this page's policy (connect-src) forbids it.`, {cause});
    }
}

/**
 * A caller's signal and onProgress for one call.
 * @param {{signal?: AbortSignal, onProgress?: (progress: any) => any}} watched
 */
function watch({signal, onProgress}) {
    const stopping = new AbortController(), abort = () => stopping.abort(signal?.reason);
    /** @type {{error: unknown} | undefined} */
    let failed;
    /** @param {unknown} error */
    const fail = (error) => {
        failed ??= {error};
        stopping.abort();
    };
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    return {
        signal: stopping.signal,
        stop: () => stopping.abort(),
        /** For the caller's onProgress. @param {any} progress */
        tell(progress) {
            if (failed) return;
            try {
                onProgress?.(progress)?.then?.(undefined, fail);
            } catch (error) {
                fail(error);
            }
        },
        /**
         * What the call comes to: what onProgress threw comes first, then what the signal was aborted with.
         * @template T
         * @param {Promise<T>} call
         */
        async settle(call) {
            try {
                const result = await call;
                if (failed) throw failed.error;
                return result;
            } catch (error) {
                if (failed) throw failed.error;
                throw signal?.aborted && error instanceof Error && error.name === 'AbortError' ? signal.reason : error;
            } finally {
                signal?.removeEventListener('abort', abort);
            }
        },
    };
}

/**
 * Has `work` done with the options that a caller gave.
 * @template T
 * @param {string} taker
 * @param {object | null | undefined} given
 * @param {(options: any) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function watched(taker, given, work) {
    const options = readOptions(taker, given), {signal, tell, settle} = watch(options);
    return settle(work({...options, signal, onProgress: tell}));
}

/** @param {Error} error */
const workerFailed = ({message}) => new GemmaError('internal', `the engine's worker failed: ${message}`);

const stored = () => import('./weights/stored.js');

/**
 * The models that are on this device. An id is the address from which a model came, or what import() says; Gemma.load takes it. Where there
 * is no IndexedDB (Node, some private windows), list() is empty and the others reject with 'unsupported'; with an id that is not
 * there, with 'not-found'.
 * @typedef {import('./weights/stored.js')} Stored
 */
const models = {
    /** What is here: id, name, size, storedBytes, state ('partial', 'complete', 'damaged'), savedAt, lastUsed; the last used first.
     * @returns {Promise<import('./weights/store/store.js').Stored[]>} */
    list: async () => (await stored()).storedModels(),
    /** Rejects with 'in-use' while a tab uses or downloads it. @param {string} id @returns {Promise<void>} */
    delete: async (id) => (await stored()).deleteStored(id),
    /** Deletes all that are not in use. @returns {Promise<string[]>} names of those that are left */
    deleteAll: async () => (await stored()).deleteAllStored(),
    /** Hashes what is here; what is damaged comes anew with the next load or repair.
     * @param {string} id @param {Watched} [options] @returns {Promise<{chunks: number, missing: number[], damaged: number[]}>} indices of chunks */
    verify: (id, options) => watched('verify', options, async (checked) => (await stored()).verifyStored(id, checked)),
    /** Fetches what is missing or damaged, and nothing else. @param {string} id @param {Watched & Origin} [options] @returns {Promise<void>} */
    repair: (id, options) => watched('repair', options, async (checked) => (await stored()).repairStored(id, {...checked, ...describe(id, checked)})),
    /** The model as a file, every chunk hashed on the way: a Blob, or written to `writable`, which is closed.
     * @param {string} id @param {Watched & {writable?: WritableStream}} [options] @returns {Promise<Blob | undefined>} */
    export: (id, options) => watched('export', options, async (checked) => (await stored()).exportStored(id, checked)),
    /** The digests of a complete model, for the import of its exported file to be checked.
     * @param {string} id @param {Watched} [options] @returns {Promise<object>} */
    manifest: (id, options) => watched('manifest', options, async (checked) => (await stored()).manifestOf(id, checked)),
    /** Asks a model's address whether it still has the file that is stored: by a digest or a version that it tells, else by samples. To replace
     * what is stored, load it with `update`. @param {string} id @param {Watched & Origin} [options]
     * @returns {Promise<{same: boolean, size: number}>} size: of the file at the address */
    compare: (id, options) =>
        watched('compare', options, async (checked) => (await stored()).compareStored(id, {...checked, ...describe(id, checked)})),
    /** Stores a GGUF from the disk. `id`: the address whose model it is; default: one of its own. With a manifest, each chunk is compared. A file
     * never takes the place of another by itself: the same one again mends what is damaged, and another one of its name becomes NAME (2).gguf.
     * @param {Blob | Blob[]} files   several: a GGUF or all its parts, with its manifest
     * @param {Watched & {id?: string, name?: string, manifest?: object, replace?: boolean}} [options]   replace: another file that has this id
     * @returns {Promise<import('./weights/store/store.js').Stored>} rejects with 'bad-file', 'no-room', 'exists' where the id has another file and
     *   nobody said `replace`, or 'in-use' */
    import: (files, options) => watched('import', options, async (checked) => (await stored()).importFiles(files, checked)),
    /** Whether a model of so many bytes would find room, in numbers, and what could be deleted for it. To be asked before a download.
     * @param {number} size @param {string} [id]   of the model, for what is here of it @returns {Promise<import('./weights/store/room.js').Room>} */
    room: async (size, id) => (await stored()).roomFor(size, id),
    /** Under which id a model is stored; undefined for files. @param {ModelSource} model @returns {string | undefined} */
    idOf: (model) => Array.isArray(model) ? undefined : describe(model, {}).url,
    /** Asks the browser not to remove what is stored when the disk is full; some ask the user, who should know the reason before.
     * @returns {Promise<boolean>} whether it promised */
    persist: async () => {
        try {
            return await navigator.storage?.persisted?.() || await navigator.storage?.persist?.() || false;
        } catch {
            return false;       // storage is refused here
        }
    },
};

/**
 * @typedef {import('./engine/worker.js').Service} Service
 * @typedef {<K extends keyof Service>(call: K, args: Parameters<Service[K]>[0], options?: CallOptions) => Promise<Awaited<ReturnType<Service[K]>>>} Call
 * @typedef {{signal?: AbortSignal, onEvent?: (event: any) => void}} CallOptions
 */

/** A loaded model, in a worker of its own: see Gemma.load. */
export class Gemma {
    #worker;
    /** @type {Caller<Service>} */
    #caller;
    #busy = 0;
    /** @type {unknown} */
    #closed;
    /** Gives back what says that the model is in use. @type {Promise<() => void> | undefined} */
    #using;

    static models = models;

    /** @type {Info} */
    info = /** @type {any} */ (undefined);      // until it is loaded, and nobody else has it before

    /** @private @param {import('./base/host.js').StartedWorker} worker */
    constructor(worker) {
        this.#worker = worker;
        this.#caller = new Caller(worker);
    }

    /**
     * What a model would do here, within two seconds and before any of its weights are downloaded: whether it fits, which module and how many
     * threads it would have, and how fast it would be. Measures with all of these threads, so not while a model writes. Of a GGUF by URL,
     * 256 KB are fetched; of a catalogue's entry (see app/models.json), nothing.
     * @param {ModelSource} model
     * @param {LoadOptions} [options]   as for load
     * @returns {Promise<import('./engine/probe.js').Probe>}   rejects with a GemmaError when nothing can be said: 'network', 'not-found',
     *   'bad-file', 'unsupported', 'bad-argument'
     */
    static async probe(model, options) {
        const {signal, onProgress, urls, headers, manifest, sha256, update, ...more} = readOptions('load', options);
        requireWebAssembly();
        const source = await findSource(model, {urls, headers, manifest, sha256}, signal);
        signal?.throwIfAborted();
        const worker = await startWorker(WORKER, (error) => caller.fail(workerFailed(error)));
        /** @type {Caller<Service>} */
        const caller = new Caller(worker);
        // The worker may be in the middle of a measurement, and hears nothing then.
        const stop = () => caller.fail(signal.reason);
        signal?.addEventListener('abort', stop);
        try {
            return await caller.call('probe', {source, options: more}, {signal});
        } finally {
            signal?.removeEventListener('abort', stop);
            worker.terminate();
        }
    }

    /**
     * Loads a model into a worker of its own. Rejects with a GemmaError whose `code` is stable: 'network', 'not-found', 'bad-file',
     * 'unsupported', 'no-memory', 'bad-argument', 'internal'; or with the signal's reason. When a download begins, the browser is asked to keep what
     * it stores (see Gemma.models.persist).
     * @param {ModelSource} model
     * @param {LoadOptions} [options]
     * @returns {Promise<Gemma>}
     */
    static load(model, options) {
        return watched('load', options, (checked) => Gemma.#load(model, checked));
    }

    /** @param {ModelSource} model @param {Record<string, any>} checked   LoadOptions */
    static async #load(model, {signal, onProgress, urls, headers, manifest, sha256, update, ...options}) {
        requireWebAssembly();
        const source = await findSource(model, {urls, headers, manifest, sha256, update}, signal);
        signal.throwIfAborted();
        let asked = NODE;
        /** @param {import('./weights/file/progress.js').Progress} progress */
        const onEvent = (progress) => {
            if (!asked && progress.phase === 'download') models.persist();      // without it, it is stored all the same
            asked ||= progress.phase === 'download';
            onProgress(progress);
        };
        const gemma = new Gemma(await startWorker(WORKER, (error) => gemma.#end(workerFailed(error))));
        try {
            if (source.kind === 'url' && !NODE) gemma.#using = (await import('./weights/store/tabs.js')).use(source.url);
            await gemma.#using;
            gemma.info = /** @type {Info} */ (await gemma.#call('load', {source, options}, {signal, onEvent}));
            signal.throwIfAborted();
        } catch (error) {
            gemma.close();
            throw error;
        }
        return gemma;
    }

    /**
     * A conversation. Several may live side by side, each with its own keys and values: going from one to another evaluates nothing again, and
     * prompts that are asked at the same time are answered at the same time. A session that nobody holds any more is closed.
     * @param {{system?: string, history?: Message[], sampling?: Sampling}} [options]   what comes before the first prompt, and what holds
     *     for prompts that don't say otherwise
     * @returns {Promise<Session>}
     */
    async session(options) {
        const {system, history = [], sampling} = readOptions('session', options);
        const messages = system ? [{role: 'system', content: system}, ...history] : history;
        const chosen = readOptions('sampling', sampling);
        return this.#newSession(await this.#call('session', {history: messages}), messages, chosen);
    }

    /** @param {{id: number, tokens: number}} known @param {Message[]} messages @param {Sampling} sampling */
    #newSession(known, messages, sampling) {
        /** @type {Call} */
        const call = (...args) => this.#call(...args);
        return new Session({...known, messages, sampling, contextLength: this.info.contextLength, call});
    }

    /**
     * A conversation that Session.save gave, with its keys and values: of the same model file and kvType.
     * @param {Uint8Array | ArrayBuffer} bytes
     * @param {{}} [options]   none yet
     * @returns {Promise<Session>}   rejects with 'bad-file' for bytes of another model, version or kvType, and for damaged ones
     */
    async restore(bytes, options) {
        readOptions('restore', options);
        const {messages, sampling, state} = unpackSession(bytes);
        return this.#newSession(await this.#call('restoreSession', {messages, bytes: state}), messages, sampling);
    }

    /**
     * Embeddings: for each text the mean of the final hidden states of its tokens, as a vector of length 1. Texts of like meaning have like
     * vectors: compare them by their dot product.
     * @param {string[]} texts @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<Float32Array[]>}   [info.nEmbd] each; rejects with 'context-full' for a text that is longer than the context
     */
    async embed(texts, options) {
        const {signal} = readOptions('embed', options), odd = Array.isArray(texts) ? texts.findIndex((text) => typeof text !== 'string') : 0;
        if (odd >= 0) throw new GemmaError('bad-argument', `The texts to embed are ${show(texts)}; an array of texts is expected.`);
        return this.#call('embed', {texts}, {signal});
    }

    /**
     * The tokens of a text.
     * @param {string} text @param {{bos?: boolean, special?: boolean}} [options]   special: the names of control tokens become those tokens
     * @returns {Promise<number[]>}
     */
    async tokenize(text, options) {
        if (typeof text !== 'string') throw new GemmaError('bad-argument', `The text to tokenize is ${show(text)}; a text is expected.`);
        return this.#call('tokenize', {text, options: readOptions('tokenize', options)});
    }

    /** The text of tokens. @param {number[]} ids @returns {Promise<string>} */
    async detokenize(ids) {
        const all = ArrayBuffer.isView(ids) ? Array.from(ids) : ids, {nVocab} = this.info;
        if (!Array.isArray(all)) throw new GemmaError('bad-argument', `The ids to detokenize are ${show(ids)}; an array is expected.`);
        const odd = all.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < nVocab));
        if (odd >= 0) throw new GemmaError('bad-argument', `Id ${odd} to detokenize is ${show(all[odd])}; a whole number from 0 to ${nVocab - 1} is expected.`);
        return this.#call('detokenize', {ids: all});
    }

    /** Ends the worker and frees its memory; what is still running rejects with 'closed'. */
    close() {
        this.#end(new GemmaError('closed', 'the model has been closed'));
    }

    /** Once: what is running, and whatever is asked later, rejects with `error`. @param {unknown} error */
    #end(error) {
        if (this.#closed) return;
        this.#closed = error;
        this.#caller.fail(error);
        this.#worker.terminate();
        this.#using?.then((giveBack) => giveBack(), () => {});
    }

    /** @type {Call} */
    async #call(call, args, options) {
        if (this.#closed) throw this.#closed;
        if (this.#busy++ === 0) this.#worker.idle(false);
        try {
            return await this.#caller.call(call, args, options);
        } catch (error) {
            if (error instanceof GemmaError && error.fatal) this.#end(error);
            throw error;
        } finally {
            if (--this.#busy === 0) this.#worker.idle(true);
        }
    }
}

/** Closes sessions that nobody holds. */
const forgotten = new FinalizationRegistry((close) => void close().catch(() => {}));

/** A conversation: see Gemma.session. */
export class Session {
    #id;
    #sampling;
    #call;
    #messages;
    #tokens;
    #contextLength;

    /** @param {{id: number, tokens: number, messages: Message[], contextLength: number, sampling: Sampling, call: Call}} about */
    constructor({id, tokens, messages, contextLength, sampling, call}) {
        this.#id = id;
        this.#tokens = tokens;
        this.#messages = structuredClone(messages);
        this.#contextLength = contextLength;
        this.#sampling = sampling;
        this.#call = call;
        forgotten.register(this, () => call('closeSession', {session: id}), this);
    }

    /** What has been said, the system's message and the history first: for another session to go on with. A copy. @returns {Message[]} */
    get messages() {
        return structuredClone(this.#messages);
    }

    /** How many tokens the conversation has. */
    get tokens() {
        return this.#tokens;
    }

    /** How many more the context holds. A prompt with more than these rejects with 'context-full' and leaves the conversation as it was. */
    get tokensLeft() {
        return Math.max(0, this.#contextLength - this.#tokens);
    }

    /**
     * Asks, and streams the answer: an async iterable of pieces of text, with the whole Result as a promise in `.result`. The
     * session remembers both; the next prompt evaluates only its own tokens. Leaving the loop early stops the answer. Prompts are
     * answered one after the other, in the order in which they came; one that is aborted while it waits ends at once, without a token.
     * @param {string | Message[]} prompt   a user's text, or messages to go on with (an assistant's among them was not generated here)
     * @param {PromptOptions} [options]
     * @returns {AsyncIterable<string> & {result: Promise<Result>}}
     */
    prompt(prompt, options) {
        /** @type {string[]} */
        const pieces = [];
        let wake = () => {}, ended = false, stop = () => {};
        const ask = async () => {
            const {signal, onProgress, raw = false, sampling, ...more} = readOptions('prompt', options);
            const chosen = {...this.#sampling, ...readOptions('sampling', sampling)}, watching = watch({signal, onProgress});
            stop = watching.stop;
            const call = this.#call('prompt', {session: this.#id, prompt, raw, options: {...more, sampling: chosen}}, {
                signal: watching.signal,
                onEvent(/** @type {{text?: string}} */ event) {
                    if (event.text === undefined) return watching.tell(event);
                    pieces.push(event.text);
                    wake();
                },
            });
            return watching.settle(call.then((answer) => this.#remember(answer)));
        };
        const result = ask().finally(() => {
            ended = true;
            wake();
        });
        result.catch(() => {});     // told by the iterator, or by whoever awaits the result

        async function* stream() {
            try {
                for (;;) {
                    if (pieces.length) yield pieces.splice(0).join('');
                    else if (ended) return void await result;
                    else await new Promise((/** @type {(value?: undefined) => void} */ resolve) => { wake = resolve; });
                }
            } finally {
                stop();
            }
        }
        return Object.assign(stream(), {result});
    }

    /** @param {import('./engine/worker_session.js').Answer} answer @returns {Result} */
    #remember({said, tokensHeld, ...answer}) {
        if (said) this.#messages.push(...said);
        this.#tokens = tokensHeld;
        return answer;
    }

    /**
     * A conversation that goes on from here on its own: a branch. Waits for what was asked.
     * @param {{}} [options]   none yet
     * @returns {Promise<Session>}
     */
    async clone(options) {
        readOptions('clone', options);
        const known = await this.#call('cloneSession', {session: this.#id});
        return new Session({
            ...known, messages: this.#messages, sampling: this.#sampling, contextLength: this.#contextLength, call: this.#call,
        });
    }

    /**
     * The conversation as bytes, keys and values included: Gemma.restore makes it again, without evaluating its tokens but for a few. Waits for
     * what was asked.
     * @param {{}} [options]   none yet
     * @returns {Promise<Uint8Array>}   about info.contextLength times as many bytes as a token's keys and values have, when the context is full
     */
    async save(options) {
        readOptions('save', options);
        return packSession({messages: this.#messages, sampling: this.#sampling}, await this.#call('saveSession', {session: this.#id}));
    }

    /** Forgets the conversation, and frees its memory; a prompt that is being answered ends. */
    close() {
        forgotten.unregister(this);
        return this.#call('closeSession', {session: this.#id});
    }
}
