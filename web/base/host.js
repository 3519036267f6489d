// host.js: which host this is, and where browsers and Node differ in workers: starting one, its port, a turn of the event loop. Knows no
// messages.

import {GemmaError, messageOf} from './error.js';

/** Whether this is Node. Electron's pages and workers have Node's `process`, too: what has a browser's globals is a browser. */
export const NODE = typeof process === 'object' && !!process.versions?.node && !('WorkerGlobalScope' in globalThis) &&
    !(typeof document === 'object' && typeof Worker === 'function');

/** @typedef {import('./protocol.js').Port} Port */

const STARTING_MS = 60_000;     // on a slow network its scripts may take long

/** Node's types know only its own names of what can be transferred. @param {Transferable[]} [transfer] */
const toNode = (transfer) => /** @type {import('node:worker_threads').Transferable[] | undefined} */ (transfer);

/** The worker's end, inside the engine worker. @type {Port | undefined} */
export const workerPort = await (async () => {
    if (NODE) {
        const {parentPort} = await import('node:worker_threads');
        if (!parentPort) return undefined;
        return {postMessage: (m, transfer) => parentPort.postMessage(m, toNode(transfer)), onMessage: (f) => parentPort.on('message', f)};
    }
    if (!('WorkerGlobalScope' in globalThis)) return undefined;
    return {postMessage: (m, transfer = []) => self.postMessage(m, {transfer}), onMessage: (f) => self.addEventListener('message', (e) => f(e.data))};
})();

/**
 * The address by which a worker can be started. A browser starts workers from its own origin only, but such a worker may import from others.
 * @param {URL} url   of a module
 * @returns {string}
 */
export function workerAddress(url) {
    if (NODE || !/^https?:$/.test(url.protocol) || url.origin === globalThis.location?.origin) return url.href;
    return URL.createObjectURL(new Blob([`import ${JSON.stringify(url.href)};`], {type: 'text/javascript'}));
}

/**
 * Starts a worker.
 * @param {URL} url   its module
 * @param {(error: Error) => void} onFailure   it could not start, or ended
 * @typedef {Port & {terminate: () => void, idle: (isIdle: boolean) => void}} StartedWorker
 *
 * @returns {Promise<StartedWorker>}   idle: under Node, a worker that is not asked anything
 *     does not keep the process alive. Rejects with GemmaError 'unsupported' where no worker may be started
 */
export async function startWorker(url, onFailure) {
    if (NODE) {
        const {Worker} = await import('node:worker_threads');
        const worker = new Worker(url, {execArgv: []});       // the process's own, such as --input-type, may not suit a worker
        worker.on('error', onFailure);
        worker.on('messageerror', onFailure);
        worker.on('exit', (code) => onFailure(new Error(`it ended with exit code ${code}`)));
        return {
            postMessage: (m, transfer) => worker.postMessage(m, toNode(transfer)), onMessage: (f) => worker.on('message', f), terminate: () => worker.terminate(),
            idle: (isIdle) => isIdle ? worker.unref() : worker.ref(),
        };
    }
    let worker;
    try {
        worker = new Worker(workerAddress(url), {type: 'module'});
    } catch (cause) {
        throw new GemmaError('unsupported', `This page may not start a worker from ${url.href} (${messageOf(cause)}). Serve the library's files from the ` +
            "page's own origin, or allow blob: in the page's worker-src.", {cause, here: true});
    }
    worker.addEventListener('error', (event) => onFailure(new Error(event.message || `${url.href} could not be loaded`)));
    // Firefox says nothing of a module that can't be imported. A worker's first message is that it is ready.
    const silent = setTimeout(() => onFailure(new Error(`${url.href} did not start within ${STARTING_MS / 1000} s`)), STARTING_MS);
    worker.addEventListener('message', () => clearTimeout(silent), {once: true});
    worker.addEventListener('messageerror', () => onFailure(new Error('one of its messages could not be read')));
    return {
        postMessage: (m, transfer = []) => worker.postMessage(m, transfer), onMessage: (f) => worker.addEventListener('message', (e) => f(e.data)),
        terminate: () => {
            clearTimeout(silent);
            worker.terminate();
        },
        idle: () => {},
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
