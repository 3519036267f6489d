// Files that a person chose, as one model: a GGUF, with its manifest or without, or the parts that `build/quantize --split` wrote.
// Knows neither the store nor the engine.

import {GemmaError} from '../engine/error.js';
import {readManifest} from './manifest.js';

/**
 * @param {Blob | Blob[]} files   in any order
 * @returns {Promise<{file: File | Blob, manifest?: object}>} one file, of which nothing has been read or copied, and the manifest's JSON;
 *     rejects with GemmaError 'bad-file'
 */
export async function joinFiles(files) {
    const all = [files].flat(), found = all.find(({name = ''}) => name.endsWith('.json'));
    const others = all.filter((file) => file !== found);
    const json = found && await parse(found), manifest = json && readManifest(json);
    if (others.length === 1 && !manifest?.parts) return {file: others[0], ...json && {manifest: json}};
    if (!manifest) {
        throw new GemmaError('bad-file', !others.length ? 'No model file was chosen.'
            : `${others.length} files were chosen: choose one GGUF, or all parts of one with their manifest (.gguf.json).`);
    }
    const byName = new Map(others.map((file) => [file.name, file]));
    if (byName.has(manifest.name)) return {file: byName.get(manifest.name), manifest: json};
    const names = manifest.parts ?? [manifest.name], missing = names.filter((name) => !byName.has(name));
    if (missing.length) {
        throw new GemmaError('bad-file',
            `${missing.length} of the ${names.length} files of ${manifest.name} were not chosen, such as ${missing[0]}.`);
    }
    return {file: new File(names.map((name) => byName.get(name)), manifest.name), manifest: json};
}

async function parse(file) {
    try {
        return JSON.parse(await file.text());
    } catch (cause) {
        throw new GemmaError('bad-file', `${file.name} is not the manifest of a model: ${cause.message}.`, {cause});
    }
}
