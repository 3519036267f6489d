// protocol.js: the messages between a page (or Node) and the engine worker, and nothing else. One request has one id; the worker may send
// events with that id and then exactly one answer.
//
//   to the worker     {id, call, args}                  call: a method of the worker's service (worker.js)
//                     {id, abort: true}                 stop that request: its answer still comes
//   from the worker   {ready: true}                     once, first: it has started
//                     {id, event}                       progress and text, see the callers
//                     {id, result} | {id, error: {code, message, name, fatal, here}}
//
// A message costs some 20 microseconds, a token milliseconds: so a token is a message, and there is no shared buffer.

import {GemmaError} from './error.js';

/** @typedef {{postMessage: (message: any, transfer?: any[]) => void, onMessage: (listener: (message: any) => void) => void}} Port */

/** The page's side. */
export class Caller {
    #port;
    #pending = new Map();
    #last = 0;
    #ready = false;

    /** @param {Port} port */
    constructor(port) {
        this.#port = port;
        port.onMessage((message) => this.#receive(message));
    }

    /**
     * @param {string} call
     * @param {any} args                       structured-cloneable
     * @param {{signal?: AbortSignal, onEvent?: (event: any) => void, transfer?: Transferable[]}} [options]   an aborted signal asks the worker to
     *     stop; before the worker has started, the call rejects at once
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
                reject(signal.reason);
            };
            this.#pending.set(id, {resolve, reject, onEvent, done});
            try {
                this.#port.postMessage({id, call, args}, transfer);
            } catch (cause) {
                done();
                reject(new GemmaError('bad-argument', `What was given to ${call}() can't be sent to a worker: ${cause.message}.`, {cause}));
                return;
            }
            if (signal?.aborted) abort();
            else signal?.addEventListener('abort', abort);
        });
    }

    /** Ends every request, for a worker that is gone. */
    fail(error) {
        for (const {reject, done} of this.#pending.values()) {
            done();
            reject(error);
        }
    }

    #receive({id, event, result, error}) {
        this.#ready = true;
        const request = this.#pending.get(id);
        if (!request) return;
        if (event !== undefined) {
            request.onEvent?.(event);
            return;
        }
        request.done();
        if (error) request.reject(asError(error));
        else request.resolve(result);
    }
}

function asError({code, message, name, fatal, here}) {
    return name === 'AbortError' ? new DOMException(message, name) : Object.assign(new GemmaError(code, message, {here}), fatal && {fatal});
}

/**
 * The worker's side: answers calls by the methods of `service`, each called with (args, {signal, emit, transfer}); what of its result is not to
 * be copied it adds to `transfer`.
 * @param {Port} port
 * @param {Record<string, (args: any, context: {signal: AbortSignal, emit: (event: any) => void, transfer: Transferable[]}) => any>} service
 */
export function answer(port, service) {
    const running = new Map();
    port.onMessage(async ({id, call, args, abort}) => {
        if (abort) {
            running.get(id)?.abort();
            return;
        }
        const controller = new AbortController(), transfer = [];
        running.set(id, controller);
        try {
            const result = await service[call](args, {signal: controller.signal, emit: (event) => port.postMessage({id, event}), transfer});
            port.postMessage({id, result: result ?? null}, transfer);
        } catch (error) {
            const code = error instanceof GemmaError ? error.code : 'internal';
            port.postMessage({id, error: {code, message: error?.message ?? String(error), name: error?.name, fatal: error?.fatal, here: error?.here}});
        } finally {
            running.delete(id);
        }
    });
    port.postMessage({ready: true});
}
