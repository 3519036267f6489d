// Files that a person chose, as one model: a GGUF, with its manifest or without, or the parts that
// `build/quantize --split` or llama.cpp's gguf-split wrote. Knows neither the store nor the engine.

import {GemmaError, messageOf} from '../../base/error.js';
import {joinParts, readPartHeader} from './gguf_parts.js';
import {unlessAborted} from '../../base/abort.js';
import {readManifest} from './manifest.js';
import {partNames, wholeName} from './names.js';
import {readSlice} from './slice.js';

/** @typedef {Blob & {name?: string}} NamedBlob   a File has a name */

/**
 * @param {Blob | Blob[]} files   in any order
 * @param {AbortSignal} [signal]
 * @returns {Promise<{file: File | Blob, manifest?: object}>} one file, of which nothing has been read or
 *     copied, and the manifest's JSON; rejects with GemmaError 'bad-file'
 */
export const joinFiles = (files, signal) => unlessAborted(join(files), signal);

/** @param {NamedBlob | NamedBlob[]} files @returns {Promise<{file: NamedBlob, manifest?: object}>} */
async function join(files) {
    const all = [files].flat(), found = all.find(({name = ''}) => name.endsWith('.json'));
    const others = all.filter((file) => file !== found);
    const json = found && await parse(found), manifest = json && readManifest(json);
    const names = partNames(others[0]?.name ?? '');
    if (names && !manifest?.parts)
        return {file: await joinSplit(inOrder(others, names, wholeName(names[0])), names), ...json
            && {manifest: json}};
    if (others.length === 1 && !manifest?.parts) return {file: others[0], ...json && {manifest: json}};
    if (!manifest) {
        throw new GemmaError('bad-file', !others.length ? 'No model file was chosen.'
            : `${others.length} files were chosen: choose one GGUF, or all parts of one, those of build/quantize with their manifest (.gguf.json).`);
    }
    const whole = others.find(({name}) => name === manifest.name);
    if (whole) return {file: whole, manifest: json};
    return {file: new File(inOrder(others, manifest.parts ?? [manifest.name], manifest.name), manifest.name),
        manifest: json};
}

/** @param {NamedBlob[]} files @param {string[]} names @param {string} whole */
function inOrder(files, names, whole) {
    const byName = new Map(files.map((file) => [file.name, file])),
        missing = names.filter((name) => !byName.has(name));
    if (!missing.length) return names.map((name) => /** @type {NamedBlob} */ (byName.get(name)));
    throw new GemmaError('bad-file',
        `${missing.length} of the ${names.length} files of ${whole} were not chosen, such as ${missing[0]}.`);
}

/** Reads nothing of their weights. @param {NamedBlob[]} parts @param {string[]} names */
async function joinSplit(parts, names) {
    /** @param {NamedBlob} part @returns {(length: number) => Promise<Uint8Array>} */
    const read = (part) => async (length) => new Uint8Array(await readSlice(part, part.name
        ?? '', 0, length));
    const headers = await Promise.all(parts.map((part, i) => readPartHeader(read(part), names[i])));
    const pieces = joinParts(wholeName(names[0]), headers, parts.map(({size}) => size));
    return new File(pieces.map(({bytes, part, from, length}) => bytes
        ? /** @type {BlobPart} */ (bytes) : parts[part].slice(from, from + length)), wholeName(names[0]));
}

/** @param {NamedBlob} file */
async function parse(file) {
    try {
        return JSON.parse(await file.text());
    } catch (cause) {
        throw new GemmaError('bad-file', `${file.name} is not the manifest of a model: ${messageOf(cause)}.`,
            {cause});
    }
}
