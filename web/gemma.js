// gemma.js: the public API. A Gemma is a loaded model in its own worker; a Session is a conversation on it.
//
//     const gemma = await Gemma.load('https://example.org/gemma.gguf', { onProgress: p => console.log(p) });
//     const session = await gemma.session();
//     const answer = session.prompt('Why is the sea salty?');
//     for await (const piece of answer) show(piece);
//     const { finishReason, timings } = await answer.result;
//
// Works in browsers and under Node 20.16 or newer (of 22: 22.3 or newer). Knows no addresses, no storage and no page.
//
// Everywhere: an option that is null or undefined counts as not given, and one that is not known is refused by its
// name. What an onProgress throws, or its promise rejects with, ends what it watches: that rejects with the same error.

import {requests} from './base/asked.js';
import {GemmaError} from './base/error.js';
import {NODE} from './base/host.js';
import {later} from './base/later.js';
import {readOptions, show} from './base/options.js';
import {Caller} from './base/protocol.js';
import {requireWebAssembly} from './engine/features.js';
import {checkConstraint, Constraint} from './gemma/constraint.js';
import {findSource} from './gemma/description.js';
import {orWithoutThreads, startEngine} from './gemma/engine.js';
import {models} from './gemma/models.js';
import {Session} from './gemma/session.js';
import {watched} from './gemma/watch.js';
import {use} from './weights/store/tabs.js';

export {Constraint, Session, GemmaError};
export * from './gemma/types.js';

/**
 * @import {ModelSource, LoadOptions, Info, Message, Origin, Sampling, ConstraintOptions, OverflowOptions, Watched,
 *     CountOptions} from './gemma/types.js'
 * @import {Call, Service} from './gemma/session.js'
 * @import {Asked} from './base/asked.js'
 */

/** Whether this is a frame of another page. */
const IN_FRAME = typeof window === 'object' && window.parent !== window;

/** Options as a message can hold them: an address as text. @param {any} options */
const withTextOfUrl = ({baseUrl, ...rest}) => ({...rest, ...baseUrl !== undefined && {baseUrl: String(baseUrl)}});

/** A loaded model, in its own worker: see Gemma.load. */
export class Gemma {
    #worker;
    /** @type {Pick<Caller<Service>, 'call' | 'fail'>} */
    #caller;
    #busy = 0;
    /** @type {unknown} */
    #closed;
    /** Gives back what says that the model is in use. @type {Promise<() => void> | undefined} */
    #using;

    /**
     * The models that are on this device. An id is the address from which a model came, or what import() says;
     * Gemma.load takes it. Where there is no IndexedDB (Node, some private windows), list() is empty and the others
     * reject with 'unsupported'; with an id that is not there, with 'not-found'.
     */
    static models = models;

    /**
     * What this library has asked of the network since the page began, and its workers: each request for a model, with
     * its address, time, method, status and bytes, also where none came back; the engine's own files as far as the
     * browser tells them to a page; and what the page's Content-Security-Policy has refused.
     * @returns {import('./base/asked.js').Asked[]}
     */
    static requests() {
        return requests();
    }

    /** @type {Info} */
    info = /** @type {any} */ (undefined);      // until it is loaded, and nobody else has it before

    /**
     * @private
     * @param {Pick<import('./base/host.js').StartedWorker, 'terminate' | 'idle'>} worker
     * @param {Pick<Caller<Service>, 'call' | 'fail'>} caller
     */
    constructor(worker, caller) {
        this.#worker = worker;
        this.#caller = caller;
        // A removed frame gets no messages from its worker. In Firefox its pending promises do not run, either.
        if (IN_FRAME) addEventListener('pagehide', ({persisted}) => persisted
            || this.#end(new DOMException('The frame is gone.', 'AbortError')));
    }

    /**
     * What a model would do here, within two seconds and before any of its weights are downloaded: whether it fits,
     * which module and how many threads it would have, and how fast it would be. Measures with all of these threads, so
     * not while a model writes. Of a GGUF by URL, 256 KB are fetched, at most 1 MB; of a catalogue's entry (see
     * app/models.json), nothing.
     * @param {ModelSource} model
     * @param {LoadOptions} [options]   as for load
     * @returns {Promise<import('./engine/probe.js').Probe>}   rejects with a GemmaError when nothing can be said:
     *     'network', 'not-found', 'bad-file', 'unsupported', 'bad-argument'
     */
    static async probe(model, options) {
        const {signal, onProgress, urls, headers, manifest, sha256, update, shared,
            ...more} = withTextOfUrl(readOptions('load', options));
        requireWebAssembly();
        const source = await findSource(model, {urls, headers, manifest, sha256}, signal);
        return orWithoutThreads(more, (engineOptions) => Gemma.#probe(source, engineOptions, signal));
    }

    /**
     * @param {import('./engine/service.js').Description} source
     * @param {Record<string, any>} options
     * @param {AbortSignal} [signal]
     */
    static async #probe(source, options, signal) {
        signal?.throwIfAborted();
        const worker = await startEngine((error) => caller.fail(error), options);
        /** @type {Caller<Service>} */
        const caller = new Caller(worker);
        // The worker may be in the middle of a measurement, and hears nothing then.
        const stop = () => caller.fail(signal?.reason);
        signal?.addEventListener('abort', stop);
        try {
            return await caller.call('probe', {source, options}, {signal});
        } finally {
            signal?.removeEventListener('abort', stop);
            worker.terminate();
        }
    }

    /**
     * Loads a model into its own worker. Rejects with a GemmaError whose `code` is stable: 'network', 'library',
     * 'not-found', 'bad-file', 'changed', 'storage', 'unsupported', 'no-memory', 'bad-argument', 'internal'; or with
     * the signal's reason. A model that can't be stored runs all the same. When a download begins, the browser is asked
     * to keep what it stores (see Gemma.models.persist).
     * @param {ModelSource} model
     * @param {LoadOptions} [options]
     * @returns {Promise<Gemma>}
     */
    static load(model, options) {
        return watched('load', options, (checked) => Gemma.#load(model, withTextOfUrl(checked)));
    }

    /** @param {ModelSource} model @param {Record<string, any>} checked   LoadOptions */
    static async #load(model, {signal, onProgress, urls, headers, manifest, sha256, update, shared = false,
        ...options}) {
        requireWebAssembly();
        const source = await findSource(model, {urls, headers, manifest, sha256, update}, signal);
        let asked = NODE;
        /** @param {import('./weights/file/progress.js').Progress} progress */
        const onEvent = (progress) => {
            if (!asked && progress.phase === 'download') models.persist();      // without it, it is stored all the same
            asked ||= progress.phase === 'download';
            onProgress(progress);
        };
        return orWithoutThreads(options, (engineOptions) => Gemma.#open(source, engineOptions, signal, onEvent,
            shared && !NODE));
    }

    /**
     * @param {import('./engine/service.js').Description} source
     * @param {Record<string, any>} options
     * @param {AbortSignal} signal
     * @param {(event: any) => void} onEvent @param {boolean} mayShare
     */
    static async #open(source, options, signal, onEvent, mayShare) {
        signal.throwIfAborted();
        const onFailure = (/** @type {GemmaError} */ error) => gemma.#end(error);
        const shared = mayShare ? await (await later(() => import('./gemma/shared/member.js'))).startShared(source,
            onFailure) : undefined;
        const worker = shared ?? await startEngine(onFailure, options),
            gemma = new Gemma(worker, 'call' in worker ? worker : new Caller(worker));
        try {
            if (source.kind === 'url' && !NODE) gemma.#using = use(source.url);
            await gemma.#using;
            const info = await gemma.#call('load', {source, options}, {signal, onEvent});
            gemma.info = /** @type {Info} */ ({...info, shared: shared !== undefined});
            signal.throwIfAborted();
        } catch (error) {
            gemma.close();
            throw error;
        }
        return gemma;
    }

    /**
     * A conversation. Several may live side by side, each with its own keys and values: going from one to another
     * evaluates nothing again, and prompts that are asked at the same time are answered at the same time. A session
     * that nobody holds any more is closed.
     * @param {{system?: string, history?: Message[], sampling?: Sampling} & OverflowOptions} [options]   what comes
     *     before the first prompt, and what holds for prompts that don't say otherwise
     * @returns {Promise<Session>}
     */
    async session(options) {
        const {system, history = [], sampling, onOverflow, ...policy} = readOptions('session', options);
        const messages = system ? [{role: 'system', content: system}, ...history] : history;
        const chosen = readOptions('sampling', sampling);
        return this.#newSession(await this.#call('session', {history: messages, policy}),
            {messages, sampling: chosen, onOverflow});
    }

    /**
     * @param {{id: number, tokens: number}} known
     * @param {{messages: Message[], sampling: Sampling, onOverflow?: OverflowOptions['onOverflow']}} more
     */
    #newSession(known, more) {
        /** @type {Call} */
        const call = (...args) => this.#call(...args);
        return new Session({...known, ...more, contextLength: this.info.contextLength, call});
    }

    /**
     * A conversation that Session.save gave, with its keys and values: of the same model file and kvType.
     * @param {Uint8Array | ArrayBuffer} bytes
     * @param {OverflowOptions} [options]   as for session: they are not saved
     * @returns {Promise<Session>}   rejects with 'bad-file' for bytes of another model, version or kvType, and for
     *     damaged ones
     */
    async restore(bytes, options) {
        const {onOverflow, ...policy} = readOptions('restore', options),
            {unpackSession} = await later(() => import('./engine/saved_session.js'));
        const {messages, asked, sampling, state} = unpackSession(bytes);
        return this.#newSession(await this.#call('restoreSession', {messages, asked, bytes: state, policy}),
            {messages, sampling, onOverflow});
    }

    /**
     * How many tokens a prompt has that begins a conversation, with all that the model's turns add. See also
     * Session.count.
     * @param {string | Message[]} prompt @param {CountOptions} [options]
     * @returns {Promise<number>}
     */
    async count(prompt, options) {
        return this.#call('count', {prompt, ...readOptions('count', options)});
    }

    /**
     * Compiles what answers must be, for any number of prompts: session.prompt(text, {constraint}). One that nobody
     * holds any more is closed.
     * @param {ConstraintOptions} options
     * @returns {Promise<Constraint>}   rejects with 'bad-constraint': a keyword that is not supported by name and path,
     *     a fault in a grammar by line and column
     */
    async constraint(options) {
        return new Constraint(await this.#call('constraint', {options: checkConstraint(options)}),
            (...args) => this.#call(...args));
    }

    /**
     * Embeddings: for each text the mean of the final hidden states of its tokens, as a vector of length 1. Texts of
     * like meaning have like vectors: compare them by their dot product. A base model's are not good for search; for
     * that, models like EmbeddingGemma were made, which this engine does not run.
     * @param {(string | number[])[]} texts   or their tokens, <bos> first @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<Float32Array[]>}   [info.nEmbd] each; rejects with 'context-full' for a text that is longer
     *     than the context
     */
    async embed(texts, options) {
        const isText = (/** @type {any} */ text) => typeof text === 'string' || Array.isArray(text);
        return watched('embed', options, async ({signal}) => {
            if (!Array.isArray(texts) || !texts.every(isText)) {
                throw new GemmaError('bad-argument',
                    `The texts to embed are ${show(texts)}; expected an array of strings, or of arrays of token ids.`);
            }
            return this.#call('embed',
                {texts: texts.map((text) => typeof text === 'string' ? text : this.#checkIds(text))}, {signal});
        });
    }

    /**
     * The tokens of a text.
     * @param {string} text
     * @param {{bos?: boolean, special?: boolean, maxTokens?: number}} [options]   special: the names of control tokens
     *     become those tokens; maxTokens: a text that certainly has more is refused at once
     * @returns {Promise<number[]>} rejects with 'context-full' where maxTokens says so
     */
    async tokenize(text, options) {
        if (typeof text !== 'string')
            throw new GemmaError('bad-argument', `The text to tokenize is ${show(text)}; expected a string.`);
        return this.#call('tokenize', {text, options: readOptions('tokenize', options)});
    }

    /** The text of tokens. @param {number[]} ids @returns {Promise<string>} */
    async detokenize(ids) {
        return this.#call('detokenize', {ids: this.#checkIds(ids)});
    }

    /**
     * The bytes of each token: perhaps a part of a character.
     * @param {number[]} ids
     * @param {{special?: boolean}} [options]   special: a control token has its name, which is the default; else
     *     nothing, as in the text of an answer
     * @returns {Promise<Uint8Array[]>}
     */
    async tokenBytes(ids, options) {
        const {special = true} = readOptions('tokenBytes', options);
        return this.#call('tokenBytes', {ids: this.#checkIds(ids), special});
    }

    /** @param {number[]} ids @returns {number[]} */
    #checkIds(ids) {
        const all = ArrayBuffer.isView(ids) ? Array.from(ids) : ids, {nVocab} = this.info;
        if (!Array.isArray(all))
            throw new GemmaError('bad-argument', `The token ids are ${show(ids)}; expected an array.`);
        const odd = all.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < nVocab));
        if (odd >= 0) throw new GemmaError('bad-argument',
            `Token id at index ${odd} is ${show(all[odd])}; expected a whole number from 0 to ${nVocab - 1}.`);
        return all;
    }

    /** Ends the worker and frees its memory; what is still running rejects with 'closed'. */
    close() {
        this.#end(new GemmaError('closed', 'The model has been closed. Load it again.'));
    }

    /** Once: what is running, and every later call, rejects with `error`. @param {unknown} error */
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
