// threads.js: the workers in which the engine's threads run, in browsers. They are started before there is an instance: in Firefox `new Worker`
// inside of a worker now and then never returns (see starts.js), and a worker that stands still there cannot be ended. So it should hold
// neither memory nor locks by then. Knows no instances; the scripts are Emscripten's, which takes these workers in the place of new ones.

import {NODE, workerAddress, workerPort} from '../base/host.js';
import {whileStarting} from '../base/starts.js';

const OPTIONS = /** @type {const} */ ({type: 'module', name: 'em-pthread'});      // by this name the script knows that it is a thread

/** Those that nobody has taken yet, of one script. @type {{script: string, workers: Worker[]}} */
let ready = {script: '', workers: []};
/** What one of them reported before anybody listened. @type {ErrorEvent | undefined} */
let reported;

/** Ends those that nobody has taken. */
export function endThreads() {
    for (const worker of ready.workers) worker.terminate();
    ready = {script: '', workers: []};
    reported = undefined;
}

/**
 * Starts workers until so many are ready. What fails here fails again, and is told, when they are taken.
 * @param {URL} script @param {number} count
 */
export async function startThreads(script, count) {
    if (NODE || count < 1) return;
    if (ready.script !== script.href) endThreads();
    ready.script = script.href;
    const address = workerAddress(script), {workers} = ready;
    await whileStarting(workerPort, async () => {
        while (workers.length < count) {
            const worker = new Worker(address, OPTIONS);
            worker.onerror = (event) => {
                event.preventDefault();
                reported ??= event;
            };
            workers.push(worker);
        }
    }).catch(() => {});
}

/**
 * Has Emscripten start: the workers that it wants are those that are ready. Rejects with what one of these has reported.
 * @template T
 * @param {URL} script
 * @param {() => Promise<T>} start
 * @returns {Promise<T>}
 */
export async function withThreads(script, start) {
    if (NODE || ready.script !== script.href) return start();
    if (reported) throw reported;
    const {Worker: plain} = globalThis, {workers} = ready;
    globalThis.Worker = /** @type {any} */ (class {
        /** @param {string | URL} address @param {WorkerOptions} [options] */
        constructor(address, options) {
            return options?.name === OPTIONS.name && workers.shift() || new plain(address, options);
        }
    });
    try {
        return await start();
    } finally {
        globalThis.Worker = plain;
    }
}
