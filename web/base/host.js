// host.js: which host this is, and where browsers and Node differ in workers: starting one, its port, a turn
// of the event loop. Knows no messages.

import {GemmaError} from './error.js';
import {startInBrowser} from './worker_script.js';

/**
 * Whether this is Node. Electron's pages and workers have Node's `process`, too: what has a browser's globals
 * is a browser.
 */
export const NODE = typeof process === 'object' && !!process.versions?.node
    && !('WorkerGlobalScope' in globalThis) &&
    !(typeof document === 'object' && typeof Worker === 'function');

/** @typedef {import('./protocol.js').Port} Port */

/** Node's types know only its own names of what can be transferred. @param {Transferable[]} [transfer] */
const toNode = (transfer) => /** @type {import('node:worker_threads').Transferable[] | undefined} */ (
    transfer);

/** The worker's end, inside a worker. @type {Port | undefined} */
export const workerPort = NODE ? portInNode() : 'DedicatedWorkerGlobalScope' in globalThis
    ? portInBrowser() : undefined;

/** @returns {Port | undefined} */
function portInNode() {
    // hides the import from bundlers
    const {parentPort} = process.getBuiltinModule('node:worker_threads');
    if (!parentPort) return undefined;
    return {postMessage: (m, transfer) => parentPort.postMessage(m, toNode(transfer)),
        onMessage: (f) => parentPort.on('message', f)};
}

/** @returns {Port} */
function portInBrowser() {
    return {postMessage: (m, transfer = []) => self.postMessage(m, {transfer}),
        onMessage: (f) => self.addEventListener('message', (e) => f(e.data))};
}

/**
 * @typedef {Port & {terminate: () => void, idle: (isIdle: boolean) => void}} StartedWorker   idle: under
 *     Node, a worker that is not asked anything does not keep the process alive
 */

/**
 * Starts a worker.
 * @param {URL} url   its module; see scriptOf
 * @param {(error: Error) => void} onFailure   it could not start, or ended
 * @param {WorkerOptions} [options]
 * @returns {StartedWorker}   throws GemmaError 'unsupported' where no worker may be started
 */
export function startWorker(url, onFailure, options = {type: 'module'}) {
    if (NODE) return startInNode(url, onFailure);
    if (typeof Worker === 'function') return startInBrowser({url, options}, onFailure);
    throw new GemmaError('unsupported',
        'No worker can be started here, for example in a shared worker or a service worker. Load the model in a page or ' +
        'in a dedicated worker.', {here: true});
}

/** @param {URL} url @param {(error: Error) => void} onFailure @returns {StartedWorker} */
function startInNode(url, onFailure) {
    // the process's own may not suit a worker
    const worker = new (process.getBuiltinModule('node:worker_threads').Worker)(url, {execArgv: []});
    worker.on('error', onFailure);
    worker.on('messageerror', onFailure);
    worker.on('exit', (code) => onFailure(new Error(`it ended with exit code ${code}`)));
    return {
        postMessage: (m, transfer) => worker.postMessage(m, toNode(transfer)),
        onMessage: (f) => worker.on('message', f), terminate: () => worker.terminate(),
        idle: (isIdle) => isIdle ? worker.unref() : worker.ref(),
    };
}

/** Lets messages that have come be seen. (A timer would wait milliseconds.) @type {() => Promise<void>} */
export const yieldTurn = NODE ? () => new Promise((resolve) => setImmediate(resolve)) : (() => {
    const {port1, port2} = new MessageChannel();
    /** @type {(() => void)[]} */
    const waiting = [];
    port1.onmessage = () => waiting.shift()?.();
    return () => new Promise((resolve) => {
        waiting.push(resolve);
        port2.postMessage(0);
    });
})();
