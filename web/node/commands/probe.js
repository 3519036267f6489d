// probe.js: gemma probe FILE|URL: whether a model fits here and how fast it would be, before it
// is downloaded.

import {readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {GemmaError, codeOf, messageOf} from '../../base/error.js';
import {probe} from '../../engine/probe.js';
import {UsageError, parseArgs} from '../args.js';
import {MODEL_OPTIONS, engineOptions, printJson} from './shared.js';

const {model, ...ENGINE_OPTIONS} = MODEL_OPTIONS;

/** The model that a command-line word names, as a description for the engine. @param {string} word */
async function describe(word) {
    if (/^https?:/.test(word)) return {kind: 'url', url: word};
    if (!word.endsWith('.json')) return {kind: 'path', path: word};
    let json;
    try {
        json = JSON.parse(await readFile(word, 'utf8'));
    } catch (cause) {
        throw new GemmaError(codeOf(cause) === 'ENOENT' ? 'not-found' : 'bad-file',
            `${word} cannot be read as JSON: ${messageOf(cause)}.`, {cause});
    }
    if (json?.shape) return {kind: 'path', entry: json};
    if (typeof json?.file !== 'string')
        throw new GemmaError('bad-file',
            `${word} is neither a manifest of build/quantize nor an entry of a catalogue.`);
    return {kind: 'path', path: join(dirname(word), json.chunks?.[0]?.file ?? json.file), name: json.file,
        size: json.size};
}

/** @param {string[]} argv */
export default async function run(argv) {
    const {options, words: [word]} = parseArgs(argv, {...ENGINE_OPTIONS, json: 'flag'}, 1);
    if (word === undefined) throw new UsageError('Probe needs a file or an address.');
    const found = await probe(await describe(word), engineOptions(options));
    if (options.json) printJson(found);
    else print(found);
}

/** @param {import('../../engine/probe.js').Probe} found */
function print({name, fits, reasons, type, size, memoryBytes, contextLength, threads, variant, memory64,
    prefill, decode}) {
    const lines = [`${name}: ${fits ? 'fits' : 'does not fit'} (${(size / 1e6).toFixed(0)} MB, most weights ${type})`];
    if (fits && prefill !== undefined && decode !== undefined) {
        lines.push(`about ${prefill.toFixed(0)} tokens/s of prefill and ${decode.toFixed(1)} of decode`,
            `${variant}, ${memory64 ? 'memory64' : 'wasm32'}, ${threads} threads, ${(memoryBytes / 1e6).toFixed(0)} MB of memory with a context of ${contextLength}`);
    }
    process.stdout.write(`${[...lines, ...reasons].join('\n')}\n`);
}
