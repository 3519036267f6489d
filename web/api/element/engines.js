// engines.js: the models that elements of this page have loaded: those of one address use one engine, which
// ends with the last of them.

import {Gemma} from '../../gemma.js';

/**
 * @typedef {object} Engine
 * @property {Promise<Gemma>} loaded
 * @property {number} users
 * @property {AbortController} stopping
 * @property {Set<(progress: any) => void>} listeners
 */

/** @type {Map<string, Engine>} */
const engines = new Map();

/**
 * @param {string} key   equal for what may be shared
 * @param {import('../../gemma.js').ModelSource} model @param {import('../../gemma.js').LoadOptions} options
 * @param {(progress: any) => void} onProgress
 * @returns {{loaded: Promise<Gemma>, release: () => void, drop: () => void}}   release: it is needed here no
 *     more; drop: it has ended
 */
export function useEngine(key, model, options, onProgress) {
    const engine = engines.get(key) ?? start(key, model, options);
    engine.users++;
    engine.listeners.add(onProgress);
    const drop = () => {
        if (engines.get(key) === engine) engines.delete(key);
    };
    let isUsed = true;
    const release = () => {
        engine.listeners.delete(onProgress);
        if (!isUsed) return;
        isUsed = false;
        if (--engine.users) return;
        drop();
        engine.stopping.abort();
        engine.loaded.then((gemma) => gemma.close(), () => {});
    };
    return {loaded: engine.loaded, release, drop};
}

/**
 * @param {string} key
 * @param {import('../../gemma.js').ModelSource} model
 * @param {import('../../gemma.js').LoadOptions} options
 * @returns {Engine}
 */
function start(key, model, options) {
    const stopping = new AbortController(), listeners = new Set();
    const onProgress = (/** @type {any} */ progress) => {
        for (const listener of listeners) listener(progress);
    };
    const engine = {loaded: Gemma.load(model, {...options, signal: stopping.signal, onProgress}), users: 0,
        stopping, listeners};
    engine.loaded.catch(() => {
        if (engines.get(key) === engine) engines.delete(key);
    });
    engines.set(key, engine);
    return engine;
}
