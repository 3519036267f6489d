// host.js: the engine of the tab that leads: one worker, loaded once, and its clients, which are this tab and
// the others. What a client has opened is its own, and ends with it. Knows no locks and no channels.

import {Caller} from '../../base/protocol.js';
import {GemmaError} from '../../base/error.js';
import {orWithoutThreads, startEngine} from '../engine.js';

/**
 * @typedef {import('../session.js').Service} Service
 * @typedef {import('../session.js').CallOptions} CallOptions
 * @typedef {(call: string, args: any, options?: CallOptions) => Promise<any>} Ask
 */

/** The error of a call whose engine is gone; the caller retries with the next engine. */
export const LOST = new GemmaError('engine-lost',
    'The tab that held the engine is gone, and no other could take over. Load the model again.');

/** Calls that open a session. */
const OPENS = new Set(['session', 'resumeSession', 'cloneSession', 'restoreSession']);
/** Calls after which a session is another one. */
export const CHANGES = new Set(['prompt', 'append', 'rewind']);
/** Calls of which the engine that a tab shares is not its own to answer. */
const REFUSED = new Set(['probe', 'sessionState']);

export class Host {
    /** @type {import('../../base/host.js').StartedWorker | undefined} */
    #worker;
    /** @type {Caller<Service> | undefined} */
    #caller;
    #ending = new AbortController();
    #onEnd;
    #loaded;
    /** @type {Set<(event: any) => void>} */
    #listeners = new Set();
    /** The last word of how far it is loaded. @type {any} */
    #progress;
    /** @type {Set<Client>} */
    #clients = new Set();

    /**
     * @param {import('../../engine/service.js').Description} source @param {Record<string, any>} options
     * @param {{onEnd: () => void, onLeft: () => void}} on   onEnd: it could not be loaded, or has failed, and
     *     waiting calls have been rejected; onLeft: a client is gone
     */
    constructor(source, options, {onEnd, onLeft}) {
        this.#onEnd = onEnd;
        this.onLeft = onLeft;
        this.#loaded = orWithoutThreads(options, (engineOptions) => this.#open(source, engineOptions));
        this.#loaded.catch(() => this.#endSoon());
    }

    /** @param {import('../../engine/service.js').Description} source @param {Record<string, any>} options */
    async #open(source, options) {
        this.#worker?.terminate();
        const {signal} = this.#ending;
        const worker = await startEngine((error) => {
            caller.fail(new GemmaError(error.code, error.message, {cause: error, fatal: true}));
            if (this.#caller === caller && this.#isLoaded) this.#endSoon();
        }, options);
        /** @type {Caller<Service>} */
        const caller = this.#caller = new Caller(worker);
        this.#worker = worker;
        if (signal.aborted) worker.terminate();
        signal.throwIfAborted();
        const info = await caller.call('load', {source, options}, {signal, onEvent: (event) => {
            this.#progress = event;
            for (const listener of this.#listeners) listener(event);
        }});
        this.#isLoaded = true;
        return info;
    }

    #isLoaded = false;

    /**
     * What the engine says of itself, once it is loaded.
     * @param {((event: any) => void) | undefined} onEvent
     */
    async loaded(onEvent = () => {}) {
        this.#listeners.add(onEvent);
        if (this.#progress && !this.#isLoaded) onEvent(this.#progress);
        try {
            return await this.#loaded;
        } finally {
            this.#listeners.delete(onEvent);
        }
    }

    /** How many use it. */
    get size() {
        return this.#clients.size;
    }

    /** One more that uses it. */
    client() {
        const client = new Client(this);
        this.#clients.add(client);
        return client;
    }

    /** @param {Client} client */
    forget(client) {
        if (this.#clients.delete(client)) this.onLeft();
    }

    /** @type {Ask} */
    async ask(call, args, options) {
        await this.#loaded;
        if (!this.#caller || this.#ending.signal.aborted) throw LOST;
        try {
            return await this.#caller.call(/** @type {keyof Service} */ (call), args, options);
        } catch (error) {
            if (error instanceof GemmaError && error.fatal) this.#endSoon();
            throw error;
        }
    }

    /** Once the errors that are on their way have been sent. */
    #endSoon() {
        setTimeout(() => {
            if (!this.#ending.signal.aborted) this.#onEnd();
        });
    }

    /** Ends the engine; what it was asked is lost. */
    end() {
        this.#ending.abort(LOST);
        this.#caller?.fail(LOST);
        this.#worker?.terminate();
    }
}

/** One that uses the engine: what it may ask, and what is freed with it. */
class Client {
    #host;
    #ending = new AbortController();
    /** @type {Set<number>} */
    #sessions = new Set();
    /** @type {Set<string>} */
    #constraints = new Set();

    /** @param {Host} host */
    constructor(host) {
        this.#host = host;
    }

    /** @type {Ask} */
    async call(call, args, {signal, onEvent} = {}) {
        if (call === 'load') return this.#host.loaded(onEvent);
        if (REFUSED.has(call)) throw new GemmaError('bad-argument',
            `A shared engine does not answer ${call}().`);
        const session = args?.session, ending = this.#ending.signal;
        if (typeof session === 'number' && !this.#sessions.has(session) && call !== 'closeSession')
            throw new GemmaError('bad-argument', 'This session has been closed.');
        if (call === 'closeSession' && !this.#sessions.delete(session)) return undefined;
        if (call === 'closeConstraint' && !this.#constraints.delete(args.constraint)) return undefined;
        const result = await this.#host.ask(call, args, {signal: signal ? AbortSignal.any([signal, ending])
            : ending, onEvent});
        if (call === 'constraint') this.#constraints.add(result);
        if (OPENS.has(call)) this.#sessions.add(result.id);
        if (ending.aborted) this.#free();
        if (!OPENS.has(call) && !CHANGES.has(call)) return result;
        // What the next engine would need, should this one end.
        const state = await this.#host.ask('sessionState', {session: result.id ?? session})
            .catch(() => undefined);
        return {...result, state};
    }

    /** It is gone: what it asked is stopped, and what it opened is closed. */
    leave() {
        this.#ending.abort();
        this.#free();
        this.#host.forget(this);
    }

    #free() {
        for (const session of this.#sessions) this.#host.ask('closeSession', {session}).catch(() => {});
        for (const constraint of this.#constraints)
            this.#host.ask('closeConstraint', {constraint}).catch(() => {});
        this.#sessions.clear();
        this.#constraints.clear();
    }
}
