// host.js: where browsers and Node differ in workers: starting one, its port, a turn of the event loop. Knows no messages.

const NODE = typeof process === 'object' && !!process.versions?.node;

/** @typedef {import('./protocol.js').Port} Port */

/** The worker's end, inside the engine worker. @type {Port | undefined} */
export const workerPort = await (async () => {
    if (NODE) {
        const {parentPort} = await import('node:worker_threads');
        return parentPort && {postMessage: (m, transfer) => parentPort.postMessage(m, transfer), onMessage: (f) => parentPort.on('message', f)};
    }
    if (typeof WorkerGlobalScope === 'undefined') return undefined;
    return {postMessage: (m, transfer) => self.postMessage(m, transfer), onMessage: (f) => self.addEventListener('message', (e) => f(e.data))};
})();

/**
 * Starts a worker.
 * @param {URL} url   its module
 * @param {(error: Error) => void} onFailure   it could not start, or died
 * @returns {Promise<Port & {terminate: () => void, idle: (isIdle: boolean) => void}>}   idle: under Node, a worker that is not asked anything
 *     does not keep the process alive
 */
export async function startWorker(url, onFailure) {
    if (NODE) {
        const {Worker} = await import('node:worker_threads');
        const worker = new Worker(url, {execArgv: []});       // the process's own, such as --input-type, may not suit a worker
        worker.on('error', onFailure);
        return {
            postMessage: (m, transfer) => worker.postMessage(m, transfer), onMessage: (f) => worker.on('message', f), terminate: () => worker.terminate(),
            idle: (isIdle) => isIdle ? worker.unref() : worker.ref(),
        };
    }
    const worker = new Worker(url, {type: 'module'});
    worker.addEventListener('error', (event) => onFailure(new Error(event.message || 'its script could not be loaded')));
    return {
        postMessage: (m, transfer) => worker.postMessage(m, transfer), onMessage: (f) => worker.addEventListener('message', (e) => f(e.data)),
        terminate: () => worker.terminate(), idle: () => {},
    };
}

/** Lets messages that have come be seen. (A timer would wait milliseconds.) @type {() => Promise<void>} */
export const yieldTurn = NODE ? () => new Promise((resolve) => setImmediate(resolve)) : (() => {
    const {port1, port2} = new MessageChannel();
    const waiting = [];
    port1.onmessage = () => waiting.shift()();
    return () => new Promise((resolve) => {
        waiting.push(resolve);
        port2.postMessage(0);
    });
})();
