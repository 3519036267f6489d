// The engine's worker: started, watched and ended; and what comes of one whose threads never start. Knows
// no calls.

import {take} from '../base/asked.js';
import {GemmaError, codeOf} from '../base/error.js';
import {startWorker} from '../base/host.js';
import {watchStarts} from '../base/starts.js';
import {scriptOf} from '../base/worker_script.js';

/** @param {string | URL} folder @returns {URL} of the worker's script there */
function inFolder(folder) {
    const home = globalThis.document?.baseURI ?? globalThis.location?.href;
    try {
        return new URL('worker.js', new URL(`${folder}/`, home));
    } catch (cause) {
        throw new GemmaError('bad-argument', `baseUrl is ${folder}; expected the address of a folder.`,
            {cause});
    }
}

const WORKER = () => new Worker(new URL('../engine/worker.js', import.meta.url), {type: 'module'});

/**
 * @param {(error: GemmaError) => void} onFailure   what the worker is asked will never be answered
 * @param {{baseUrl?: string | URL}} [where]   baseUrl: the folder of the worker, and of all that it needs
 * @returns {Promise<import('../base/host.js').StartedWorker>}
 */
export async function startEngine(onFailure, {baseUrl} = {}) {
    const {url, options} = baseUrl === undefined ? scriptOf(WORKER)
        : {url: inFolder(baseUrl), options: {type: /** @type {const} */ ('module')}};
    const worker = startWorker(url, (error) => {
        onFailure(error instanceof GemmaError ? error : new GemmaError('internal',
            `The engine's worker failed: ${error.message}.`, {cause: error, fatal: true}));
    }, options);
    worker.onMessage(({asked}) => asked && take(asked));
    const endWatch = watchStarts(worker,
        () => onFailure(new GemmaError('no-threads', "The engine's threads did not start.")));
    return {
        ...worker,
        terminate() {
            endWatch();
            worker.terminate();
        },
    };
}

/**
 * Has work done that starts an engine; where that one fell silent, once more by an engine without threads.
 * @template T
 * @param {Record<string, any>} options   of the engine
 * @param {(options: Record<string, any>) => Promise<T>} work   ends its engine when it rejects
 * @returns {Promise<T>}
 */
export async function orWithoutThreads(options, work) {
    try {
        return await work(options);
    } catch (error) {
        if (codeOf(error) !== 'no-threads') throw error;
        return work({...options, threadsFailed: true});
    }
}
