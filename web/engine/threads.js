// threads.js: the workers in which the engine's threads run, in browsers. They are started before there is an
// instance: in Firefox `new Worker` inside of a worker now and then never returns (see starts.js), and a
// worker that stands still there cannot be ended. So it should hold neither memory nor locks by then. Knows
// no instances; the scripts are Emscripten's, which takes these workers in the place of new ones.

import {NODE, workerPort} from '../base/host.js';
import {whileStarting} from '../base/starts.js';
import {scriptOf, startPlain} from '../base/worker_script.js';

/** By this name Emscripten's script knows that it runs in a thread. */
const NAME = 'em-pthread';
const THREAD = () => new Worker(new URL('./thread.js', import.meta.url),
    {type: 'module', name: 'em-pthread'});

/** Those not taken yet, of one script of Emscripten's. @type {{starter: string, workers: Worker[]}} */
let ready = {starter: '', workers: []};
/** What one of them reported before there was a listener. @type {ErrorEvent | undefined} */
let reported;

/** Ends those not taken yet. */
export function endThreads() {
    for (const worker of ready.workers) worker.terminate();
    ready = {starter: '', workers: []};
    reported = undefined;
}

/** @param {string} starter @param {typeof Worker} [constructor] */
function startOne(starter, constructor) {
    const worker = startPlain(scriptOf(THREAD), constructor);
    worker.postMessage({starter});
    return worker;
}

/**
 * Starts workers until `count` are ready. An error here occurs again, and is reported, when they are taken.
 * @param {URL} starter @param {number} count
 */
export async function startThreads({href}, count) {
    if (NODE || count < 1) return;
    if (ready.starter !== href) endThreads();
    ready.starter = href;
    const {workers} = ready;
    await whileStarting(workerPort, async () => {
        while (workers.length < count) {
            const worker = startOne(href);
            worker.onerror = (event) => {
                event.preventDefault();
                reported ??= event;
            };
            workers.push(worker);
        }
    }).catch(() => {});
}

/**
 * Has Emscripten start: the workers that it wants are those that are ready. Rejects with what one of these
 * has reported.
 * @template T
 * @param {URL} starter
 * @param {() => Promise<T>} start
 * @returns {Promise<T>}
 */
export async function withThreads({href}, start) {
    if (NODE) return start();
    if (reported) throw reported;
    const {Worker: plain} = globalThis, {workers} = ready;
    globalThis.Worker = /** @type {any} */ (class {
        /** @param {string | URL} address @param {WorkerOptions} [options] */
        constructor(address, options) {
            if (options?.name !== NAME) return new plain(address, options);
            return workers.shift() ?? startOne(href, plain);
        }
    });
    try {
        return await start();
    } finally {
        globalThis.Worker = plain;
    }
}
