// What a caller gives for a model, as the description that the worker gets. Knows neither what is stored nor
// what servers say.

import {GemmaError} from '../base/error.js';
import {NODE} from '../base/host.js';
import {isA} from '../base/kinds.js';
import {show} from '../base/options.js';
import {isAlone} from '../weights/file/names.js';

/**
 * @typedef {import('./types.js').ModelSource} ModelSource
 * @typedef {import('./types.js').Origin} Origin
 */

/** What a source of each kind must have. @type {Record<string, (model: any) => boolean>} */
const KINDS = {
    url: ({url}) => typeof url === 'string' || isA(url, 'URL'),
    file: ({file}) => isA(file, 'Blob', 'File'),
    path: ({path}) => typeof path === 'string',
    synthetic: ({shape, type}) => (typeof shape === 'string' || typeof shape === 'object' && shape !== null)
        && typeof type === 'string',
};

/** A GGUF, of those in parts the first, or the manifest that lies beside one. @param {URL} address */
function byUrl(address) {
    const url = new URL(address), isManifest = url.pathname.endsWith('.gguf.json');
    if (isManifest) url.pathname = url.pathname.slice(0, -'.json'.length);
    url.pathname = url.pathname.replace(/-\d{5}(-of-\d{5}\.gguf)$/, '-00001$1');
    return {kind: 'url', url: url.href, ...isManifest && {manifest: address.href}};
}

/** @param {string | URL} address   relative to the page's @returns {string} */
function absolute(address) {
    try {
        return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href).href;
    } catch (cause) {
        throw new GemmaError('bad-argument', `${address} is not an address.`, {cause});
    }
}

/** Under Node, what is no address of the web is a path, or a file: URL. @param {string | URL} address */
const isPath = (address) => NODE && !/^(https?|blob|data):/i.test(String(address));

/**
 * A model as the worker takes it. For a GGUF that this side must fetch at once (a blob: URL), its `address`.
 * @typedef {import('../engine/service.js').Description} Description
 *
 * @param {any} model   a ModelSource; checked here
 * @param {Origin & {update?: boolean}} origin
 * @returns {any} a Description, or with `address` what is not one yet
 */
export function describe(model, {urls, headers, manifest, sha256, update}) {
    const isHere = model?.kind === 'path' || (typeof model === 'string' || isA(model, 'URL'))
        && isPath(model);
    if (!NODE && isHere) throw new GemmaError('unsupported',
        `A page cannot read the path ${model.path}: let the user choose the file.`, {here: true});
    /** @param {string | URL} address */
    const at = (address) => isHere ? String(address) : absolute(address);
    const more = Object.fromEntries(Object.entries({
        urls: urls?.map(absolute), headers, manifest: typeof manifest === 'string' || isA(manifest, 'URL')
            ? at(/** @type {string} */ (manifest)) : manifest, sha256, update,
    }).filter(([, value]) => value !== undefined && value !== null));
    if (isA(model, 'Blob', 'File')) return {kind: 'file', file: model, ...more};
    if (typeof model !== 'string' && !isA(model, 'URL')) {
        if (Array.isArray(model?.urls) && model.shape) {
            const [url, ...others] = model.urls;
            const digests = {manifest: manifest ?? model.manifest, sha256: sha256 ?? model.sha256};
            return {...describe(url, {urls: others, headers, ...digests, update}), entry: model};
        }
        if (model?.kind === 'synthetic' && (more.sha256 ?? more.manifest) !== undefined)
            throw new GemmaError('bad-argument',
                'A model of random weights has no digest: give neither sha256 nor manifest.');
        const isWhole = Object.hasOwn(KINDS, model?.kind ?? '') && KINDS[model.kind](model);
        if (isWhole && model.kind === 'url') return {...model, ...describe(model.url, {...model, ...more})};
        if (isWhole) return {...model, ...isA(model.manifest, 'URL')
            && {manifest: model.manifest.href}, ...more};
        throw new GemmaError('bad-argument',
            `Expected a model: a URL, a File, a catalogue entry or {kind, ...}; found ${show(model)}.`);
    }
    if (isHere) return {kind: 'path', path: String(model), ...more};
    const address = new URL(absolute(model));
    if (address.protocol === 'file:')
        throw new GemmaError('unsupported',
            `A page cannot read ${address.href}: let the user choose the file.`, {here: true});
    return /^(blob|data):/.test(address.protocol) ? {kind: 'file', address: address.href, ...more}
        : {...byUrl(address), ...more};
}

/**
 * The same for files that were chosen together, too.
 * @param {ModelSource} model
 * @param {Origin & {update?: boolean}} origin
 * @param {AbortSignal} [signal]
 * @returns {Promise<Description>}
 */
export async function findSource(model, origin, signal) {
    if (!Array.isArray(model) && !isA(model, 'Blob', 'File')) {
        const {address, ...source} = describe(model, origin);
        return address ? {...source, file: await fetchFile(address)} : source;
    }
    const [first, ...others] = /** @type {(Blob & {name?: string})[]} */ ([model].flat());
    if (first && !others.length && isAlone(first.name ?? '')) return describe(first, origin);
    const {file, manifest} = await (await import('../weights/file/files.js'))
        .joinFiles(/** @type {any} */ (model), signal);
    return describe(file, {...origin, manifest: origin.manifest ?? manifest});
}

/** What is behind a blob: or data: URL: nothing of a file on the disk is read yet. @param {string} address */
async function fetchFile(address) {
    try {
        return await (await fetch(address)).blob();
    } catch (cause) {
        throw new GemmaError('not-found',
            `There is nothing at ${address.slice(0, 80)}: it was revoked, or this page's policy (connect-src) forbids it.`, {cause});
    }
}
