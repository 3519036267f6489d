// protocol.js: the messages between a page (or Node) and the engine worker, and nothing else. One request has
// one id; the worker may send events with that id and then exactly one answer.
//
//   to the worker     {id, call, args}                  call: a method of the worker's service (worker.js)
//                     {id, abort: true}                 stop that request: its answer still comes
//   from the worker   {ready: true}                     once, first: it has started
//                     {starting: boolean}               it starts workers, or has started them: see starts.js
//                     {asked}                           what it asks of the network: see asked.js
//                     {id, event}                       progress and text, see the callers
//                     {id, result} | {id, error: {code, message, name, fatal, here, refused, requested, contextLength,
//                                                          stack, cause}}
//
// A message costs some 20 microseconds, a token milliseconds: so a token is a message, and there is no
// shared buffer.

import {GemmaError, messageOf} from './error.js';

/**
 * @typedef {{code: string, message: string, name?: string, fatal?: boolean, here?: boolean, refused?:
 *     boolean, requested?: number, contextLength?: number, stack?: string, cause?: Cause}} Failure
 * @typedef {{name: string, message: string, stack?: string, cause?: Cause}} Cause   of an error, as texts:
 *     what was thrown may be anything
 *
 * @typedef {{id: number, call: string, args: any, abort?: undefined} | {id: number, abort: true}} ToWorker
 * @typedef {{ready: true} | {starting: boolean} | {asked: import('./asked.js').Asked} | {id: number, event:
 *     any} | {id: number, result: any} | {id: number, error: Failure}} FromWorker
 *
 * @typedef {{postMessage: (message: any, transfer?: Transferable[]) => void, onMessage: (listener: (message:
 *     any) => void) => void}} Port
 *
 * @typedef {{signal: AbortSignal, emit: (event: any) => void, transfer: Transferable[]}} Context   of a call
 *     that is answered
 * @typedef {Record<string, (args: any, context: Context) => any>} Service
 */

/**
 * @typedef {object} Pending
 * @property {(result: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {((event: any) => void) | undefined} onEvent
 * @property {() => void} done
 */

/** The page's side, of a worker that answers the calls of S. @template {Service} S */
export class Caller {
    #port;
    /** @type {Map<number, Pending>} */
    #pending = new Map();
    #last = 0;
    #ready = false;

    /** @param {Port} port */
    constructor(port) {
        this.#port = port;
        port.onMessage((message) => this.#receive(message));
    }

    /**
     * @template {keyof S & string} K
     * @param {K} call
     * @param {Parameters<S[K]>[0]} args       structured-cloneable
     * @param {{signal?: AbortSignal, onEvent?: (event: any) => void, transfer?: Transferable[]}}
     *     [options]   an aborted signal asks the worker to stop; before the worker has started, the call
     *     rejects at once
     * @returns {Promise<Awaited<ReturnType<S[K]>>>}
     */
    call(call, args, {signal, onEvent, transfer = []} = {}) {
        const id = ++this.#last;
        return new Promise((resolve, reject) => {
            const done = () => {
                this.#pending.delete(id);
                signal?.removeEventListener('abort', abort);
            };
            const abort = () => {
                this.#port.postMessage({id, abort: true});
                if (this.#ready) return;
                done();
                reject(signal?.reason);
            };
            this.#pending.set(id, {resolve, reject, onEvent, done});
            try {
                this.#port.postMessage({id, call, args}, transfer);
            } catch (cause) {
                done();
                reject(new GemmaError('bad-argument',
                    `What was given to ${call}() can't be sent to a worker: ${messageOf(cause)}.`, {cause}));
                return;
            }
            if (signal?.aborted) abort();
            else signal?.addEventListener('abort', abort);
        });
    }

    /** Ends every request, for a worker that is gone. @param {unknown} error */
    fail(error) {
        for (const {reject, done} of this.#pending.values()) {
            done();
            reject(error);
        }
    }

    /** @param {FromWorker} message */
    #receive(message) {
        this.#ready = true;
        if (!('id' in message)) return;
        const request = this.#pending.get(message.id);
        if (!request) return;
        if ('event' in message) {
            request.onEvent?.(message.event);
            return;
        }
        request.done();
        if ('error' in message) request.reject(asError(message.error));
        else request.resolve(message.result);
    }
}

const DEEPEST = 4;      // causes of causes that are sent along

/**
 * What caused an error, as what can be sent.
 * @param {any} thrown
 * @param {number} [depth]
 * @returns {Cause | undefined}
 */
function causeOf(thrown, depth = 0) {
    const cause = thrown?.cause;
    if (cause === undefined || cause === null || depth === DEEPEST) return undefined;
    const {name = 'Error', stack} = cause;
    return {name: String(name), message: String(messageOf(cause)), ...stack && {stack: String(stack)},
        cause: causeOf(cause, depth + 1)};
}

/**
 * The same as an error again, with the worker's stack.
 * @param {Cause | undefined} cause
 * @returns {Error | undefined}
 */
function revive(cause) {
    if (!cause) return undefined;
    const {name, message, stack} = cause, error = new Error(message, {cause: revive(cause.cause)});
    return Object.assign(error, {name}, stack && {stack});
}

/** @param {Failure} failure */
function asError({code, message, name, stack, cause, ...more}) {
    if (name === 'AbortError') return new DOMException(message, name);
    const error = new GemmaError(code, message, {...more, ...cause && {cause: revive(cause)}});
    return stack ? Object.assign(error, {stack}) : error;
}

/**
 * The worker's side: answers calls by the methods of `service`, each called with (args,
 * {signal, emit, transfer}); what of its result is not to be copied it adds to `transfer`.
 * @param {Port} port
 * @param {Service} service
 */
export function answer(port, service) {
    /** @type {Map<number, AbortController>} */
    const running = new Map();
    port.onMessage(async (/** @type {ToWorker} */ message) => {
        const {id} = message;
        if (message.abort) {
            running.get(id)?.abort();
            return;
        }
        const {call, args} = message, controller = new AbortController();
        /** @type {Transferable[]} */
        const transfer = [];
        running.set(id, controller);
        try {
            const result = await service[call](args,
                {signal: controller.signal, emit: (event) => port.postMessage({id, event}), transfer});
            port.postMessage({id, result: result ?? null}, transfer);
        } catch (thrown) {
            const error = /** @type {any} */ (thrown);       // service methods throw what they like
            const code = error instanceof GemmaError ? error.code : 'internal',
                {name, fatal, here, refused, requested, contextLength, stack} = error ?? {};
            port.postMessage({id, error: {code, message: messageOf(error), name, fatal, here, refused,
                requested, contextLength, stack, cause: causeOf(error)}});
        } finally {
            running.delete(id);
        }
    });
    port.postMessage({ready: true});
}
