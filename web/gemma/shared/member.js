// member.js: a tab's side of an engine that tabs share: takes a Gemma's calls as its worker would, and has
// them answered by the tab that leads, which may be this one. Knows what the next leader's engine needs, so
// that conversations and answers continue there: each session's state, and the tokens of the answers that are
// being written.

import {GemmaError, messageOf} from '../../base/error.js';
import {VERSION} from '../../base/constants.js';
import {Election, canElect} from './election.js';
import {CHANGES, Host, LOST} from './host.js';
import {Caller, answer} from '../../base/protocol.js';

/**
 * @typedef {import('../../base/protocol.js').Port} Port
 * @typedef {import('../session.js').CallOptions} CallOptions
 * @typedef {import('./host.js').Ask} Ask
 * @typedef {import('../../engine/service.js').Description} Description
 * @typedef {{id: number, state: any}} Opened   id: the present engine's; state: for the next one
 */

/** Options of one load, not of the engine that is shared. */
const OWN = new Set(['headers', 'urls', 'update']);
const OPENS = new Set(['session', 'cloneSession', 'restoreSession']);

/**
 * Whether something identifies this source among others of the same name.
 * @param {any} source
 * @returns {boolean}
 */
const isKnown = ({kind, sha256}) => kind === 'url' || kind === 'synthetic' || typeof sha256 === 'string';

/**
 * The engine that tabs of this origin share, as what Gemma takes for its worker and its caller; undefined
 * where each must have its own: without Web Locks or BroadcastChannel, and for a file without a digest, which
 * may be another one than that of its name in another tab.
 * @param {Description} source
 * @param {(error: GemmaError) => void} onFailure   what is asked will never be answered
 */
export async function startShared(source, onFailure) {
    return isKnown(source) && await canElect() ? new Member(onFailure) : undefined;
}

/**
 * What tabs must have in common: the library, the model and what its engine was asked for.
 * @param {any} source
 * @param {Record<string, any>} options
 */
function nameOf(source, options) {
    const {file, entry, ...rest} = source, model = Object.entries(rest).filter(([key]) => !OWN.has(key));
    return `gemma-engine ${VERSION} ${import.meta.url} ${JSON.stringify([...model, ...Object.entries(options)].sort())}`;
}

class Member {
    #onFailure;
    /** @type {Election | undefined} */
    #election;
    #source = /** @type {Description} */ ({kind: 'synthetic', shape: '', type: ''});
    /** @type {Record<string, any>} */
    #options = {};
    /** @type {(event: any) => void} */
    #onEvent = () => {};
    /** The engine while this tab leads. @type {Host | undefined} */
    #host;
    /** Ends what was asked of the engine before. */
    #cut = () => {};
    /**
     * The present engine, once it is ready.
     * @type {{promise: Promise<Ask>, resolve: (ask: Ask) => void, isDone: boolean}}
     */
    #link = later();
    #isLeft = false;
    /** What the engine says of itself. @type {any} */
    #info;
    /** @type {Map<number, Opened>} by the number that Gemma knows */
    #sessions = new Map();
    #lastSession = 0;
    /** @type {Map<string, {name: string, options: any}>} by the name that Gemma knows */
    #constraints = new Map();
    /** How to reject what has no answer yet. @type {Set<(error: unknown) => void>} */
    #pending = new Set();

    /** @param {(error: GemmaError) => void} onFailure */
    constructor(onFailure) {
        this.#onFailure = onFailure;
    }

    /**
     * As Caller.call.
     * @param {string} call @param {any} args @param {CallOptions} [options]
     * @returns {Promise<any>}
     */
    call(call, args, options = {}) {
        return new Promise((resolve, reject) => {
            this.#pending.add(reject);
            this.#election?.watch(true);
            const work = call === 'load' ? this.#load(args, options) : call === 'prompt'
                ? this.#prompt(args, options) : this.#ask(call, args, options);
            work.then(resolve, reject).finally(() => {
                this.#pending.delete(reject);
                if (!this.#pending.size) this.#election?.watch(false);
            });
        });
    }

    /** As Caller.fail. @param {unknown} error */
    fail(error) {
        for (const reject of this.#pending) reject(error);
        this.#pending.clear();
    }

    /** Takes part no more. While others use the engine of this tab, it stays. */
    terminate() {
        this.#isLeft = true;
        this.#cut();
        if (!this.#host?.size) this.#end();
    }

    idle() {}

    #end() {
        this.#host?.end();
        this.#host = undefined;
        this.#election?.leave();
    }

    // ---------------------------------------------------------------------------------------- the engine

    /** @param {{source: Description, options: Record<string, any>}} asked @param {CallOptions} options */
    #load({source, options}, {signal, onEvent = () => {}}) {
        this.#source = source;
        this.#options = options;
        this.#onEvent = onEvent;
        this.#election = new Election(nameOf(source, options), {
            lead: () => this.#lead(), follow: (port) => this.#follow(port),
            serve: (port, gone) => this.#serve(port, gone), lose: () => this.#lose(),
        });
        this.#election.watch(true);
        return new Promise((resolve, reject) => {
            if (signal?.aborted) return reject(signal.reason);
            signal?.addEventListener('abort', () => reject(signal.reason));
            this.#link.promise.then(() => resolve(this.#info), reject);
        });
    }

    #lead() {
        const host = this.#host = new Host(this.#source, this.#options, {
            onEnd: () => this.#election?.resign(),
            onLeft: () => {
                if (this.#isLeft && !host.size && this.#host === host) this.#end();
            },
        });
        const client = host.client();
        this.#connect((...args) => client.call(...args), () => client.leave(), true);
    }

    /** @param {Port} port */
    #follow(port) {
        const caller = new Caller(port),
            ready = new Promise((/** @type {(value?: undefined) => void} */ heard) =>
                port.onMessage(() => heard()));
        this.#connect((call, args, options) => caller.call(call, args, options), () => caller.fail(LOST),
            false, ready);
    }

    /** @param {Port} port @param {Promise<void>} gone */
    #serve(port, gone) {
        const client = this.#host?.client();
        if (!client) return;
        gone.then(() => client.leave());
        answer(port, new Proxy({},
            {get: (_, call) => (/** @type {any} */ args, /** @type {any} */ {signal, emit}) =>
            client.call(String(call), args, {signal, onEvent: emit})}));
    }

    #lose() {
        this.#host?.end();
        this.#host = undefined;
        this.#unlink();
        if (this.#isLeft) this.#election?.leave();
    }

    /** What is asked from now on waits for the next engine, and what is being answered, too. */
    #unlink() {
        if (this.#link.isDone) this.#link = later();
        const cut = this.#cut;
        this.#cut = () => {};
        cut();
    }

    /**
     * Makes an engine the present one.
     * @param {Ask} ask
     * @param {() => void} cut
     * @param {boolean} isOwn   it is this tab's
     * @param {Promise<void>} [ready]
     */
    async #connect(ask, cut, isOwn, ready) {
        this.#unlink();
        this.#cut = cut;
        const isPresent = () => this.#cut === cut;
        let isLoaded = false;
        try {
            await ready;
            this.#info = await ask('load', {}, {onEvent: (event) => isPresent() && this.#onEvent(event)});
            isLoaded = true;
            for (const session of this.#sessions.values()) if (session.state)
                session.id = (await ask('resumeSession', {state: session.state})).id;
            for (const constraint of this.#constraints.values())
                constraint.name = await ask('constraint', {options: constraint.options});
            if (!isPresent()) return;
            this.#link.isDone = true;
            this.#link.resolve(ask);
        } catch (error) {
            if (!isPresent() || error === LOST) return;
            if (!this.#info) this.#onFailure(/** @type {GemmaError} */ (error));
            // One that another tab can't load is loaded by the next.
            else if (isOwn || isLoaded)
                this.#onFailure(new GemmaError('engine-lost',
                    `The tab that held the model was closed, and this one could not go on: ${messageOf(error)}`,
                    {cause: error}));
        }
    }

    // ---------------------------------------------------------------------------------------- calls

    /** @param {string} call @param {any} args @param {CallOptions} options */
    async #ask(call, args, {signal, onEvent = () => {}}) {
        const told = {events: 0};
        for (;;) {
            const ask = await this.#link.promise;
            try {
                return this.#remember(call, args, await ask(call, this.#toEngine(args),
                    {signal, onEvent: follow(told, onEvent)}));
            } catch (error) {
                if (error !== LOST) throw error;
            }
        }
    }

    /** Names of sessions and constraints as the present engine knows them. @param {any} args */
    #toEngine(args) {
        const {session, constraint, options} = args ?? {}, compiled = options?.constraint?.compiled;
        return {
            ...args, ...session !== undefined && {session: this.#sessions.get(session)?.id ?? -1},
            ...constraint !== undefined && {constraint: this.#constraints.get(constraint)?.name
                ?? constraint},
            ...compiled !== undefined
                && {options: {...options, constraint: {compiled: this.#constraints.get(compiled)?.name
                    ?? compiled}}},
        };
    }

    /** @param {string} call @param {any} args @param {any} result */
    #remember(call, args, result) {
        if (call === 'closeSession') this.#sessions.delete(args.session);
        if (call === 'closeConstraint') this.#constraints.delete(args.constraint);
        if (call === 'constraint') this.#constraints.set(result, {name: result, options: args.options});
        if (CHANGES.has(call)) {
            const {state, ...answered} = result, session = this.#sessions.get(args.session);
            if (session && state) session.state = state;
            return answered;
        }
        if (!OPENS.has(call)) return result;
        const {state, ...known} = result;
        this.#sessions.set(++this.#lastSession, {id: known.id, state});
        return {...known, id: this.#lastSession};
    }

    /**
     * An answer, however many engines it takes: the next one writes what the last one has written, of which
     * nothing is reported twice.
     * @param {any} asked @param {CallOptions} options
     */
    async #prompt(asked, {signal, onEvent = () => {}}) {
        const {sampling} = asked.options, seed = sampling?.seed ?? Math.floor(Math.random() * 2 ** 48),
            told = {events: 0};
        /** @type {number[]} */
        let known = [];
        for (;;) {
            const ask = await this.#link.promise, begun = known,
                options = {...asked.options, sampling: {...sampling, seed}, known: begun};
            const again = follow(told, onEvent), stopping = new AbortController();
            /** @type {number[]} */
            const ids = [];
            // Stop comes to an engine that has caught up, so that the answer ends where it was.
            const stop = () => {
                if (signal?.aborted && ids.length >= begun.length) stopping.abort();
            };
            stop();
            signal?.addEventListener('abort', stop);
            try {
                const result = await ask('prompt', this.#toEngine({...asked, options}),
                    {signal: stopping.signal, onEvent: ({ids: more = [], ...event}) => {
                    ids.push(...more);
                    if (ids.length > known.length) known = ids;
                    again(event);
                    stop();
                }});
                return this.#remember('prompt', asked, result);
            } catch (error) {
                if (error !== LOST) throw error;
            } finally {
                signal?.removeEventListener('abort', stop);
            }
        }
    }
}

/** @returns {{promise: Promise<Ask>, resolve: (ask: Ask) => void, isDone: boolean}} */
function later() {
    /** @type {(ask: Ask) => void} */
    let resolve = () => {};
    const promise = new Promise((/** @type {(ask: Ask) => void} */ done) => { resolve = done; });
    return {promise, resolve, isDone: false};
}

/**
 * Passes on what an engine tells of a call, from where the last one had come to: each tells the same.
 * @param {{events: number}} told   so far, over all engines
 * @param {(event: any) => void} onEvent
 */
function follow(told, onEvent) {
    let events = 0;
    return (/** @type {any} */ event) => {
        const isReading = event.phase === 'prefill';
        if (isReading ? !told.events : ++events > told.events) onEvent(event);
        told.events = Math.max(told.events, events);
    };
}
