// compare.js: whether the address of a stored model still has the file that is stored, for those who ask, and
// for loads with `update`. Knows neither GGUF nor the engine.

import {GemmaError, codeOf, messageOf} from '../base/error.js';
import {readDigest} from './file/check.js';
import {read} from './store/tabs.js';
import {chunkCount, isSameFile, lookUp, openStore, pointerOf, shownVersion} from './wanted.js';

/**
 * @typedef {import('./source.js').OnProgress} OnProgress
 * @typedef {import('./source.js').UrlDescription} UrlDescription
 * @typedef {import('./wanted.js').Wanted} Wanted
 * @typedef {import('./wanted.js').WholeFile} WholeFile
 */

/**
 * Whether a model's address still has the file that is stored: by its manifest, by the digest or the version
 * that its host tells, else by samples.
 * @param {UrlDescription} description
 * @param {AbortSignal} [signal]
 * @returns {Promise<{same: boolean, size: number}>}   size: of the file at the address
 */
export async function compareSource(description, signal) {
    const store = await openStore();
    if (!store.store) throw new GemmaError('unsupported', `No model is stored here. ${store.without}`,
        {here: true});
    const giveBack = await read(description.url, signal);
    try {
        const file = await lookUp(store, {...description, sha256: readDigest(description.sha256),
            update: true}, signal);
        const {stored} = file;
        if (!stored) throw new GemmaError('not-found',
            `There is no model ${description.url} on this device.`);
        return await compare({...file, store: store.store, stored, repair: false});
    } finally {
        giveBack();
        store.reader?.close();
        store.store.close();
    }
}

/** @param {WholeFile} file   all or some of it is here */
async function compare(file) {
    const {stored, present, digest, manifest, manifestUrl} = file;
    if (manifest && manifestUrl)
        return {same: stored.size === manifest.size && present.size === chunkCount(stored),
            size: manifest.size};
    const remote = await file.open({first: 0, size: undefined, checked: false});
    try {
        const told = stored.sha256 && stored.size === remote.size ? digest || remote.sha256
            || await pointerOf(file.access) : '';
        return {same: told ? told === stored.sha256
            : await isSameFile(file, {...stored, size: remote.size, ...shownVersion(remote)}, remote),
            size: remote.size};
    } finally {
        remote.close();
    }
}

/**
 * What is stored, or if its address has another file now, that one. Where it can't be asked, what is
 * here does.
 * @param {WholeFile} file
 * @param {OnProgress} onProgress
 * @returns {Promise<Wanted>}
 */
export async function lookForAnother(file, onProgress) {
    const {stored: {name, size: total}} = file;
    try {
        const {same} = await compare(file);
        return same ? file : {...file, complete: false, present: new Set(), digests: file.manifestUrl
            ? file.digests : new Map()};
    } catch (error) {
        if (codeOf(error) !== 'network') throw error;
        onProgress({phase: 'load', bytes: 0, total, rate: 0, secondsLeft: Infinity,
            notice: `${name} could not be compared with its address. ${messageOf(error)}`});
        return file;
    }
}
