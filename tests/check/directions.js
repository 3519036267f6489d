// directions.js: which file may include or import which, in C and in JavaScript, and the check of the
// C files.
// Owns: the directions. Must not know: how JavaScript is parsed (eslint.config.js).
//
//   node tests/check/directions.js     prints every #include that points the wrong way

import {readFileSync, readdirSync} from 'node:fs';
import {dirname, join, sep} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * A file may use what stands to its right, and what that may use in turn.
 * In C a name is a file without its ending, or with it where a header and its source stand at different
 * places. A folder below src/ is one name.
 */
const C = readDirections(`
    loader, random, snapshot, model.c, session.c, batch.c > session.h > model.h > batch.h, chat, weights, pool, constraint
    constraint > grammar.h, tokenizer.h
    batch.h > transformer > kv_cache, shortlist, weights > config
    batch.h > sampler, tuner
    kv_cache, shortlist > ops > pool, tuner, pack
    weights > pack > kernels, quant
    kernels > quant
    loader > describe > config > arch, gguf
    describe, gguf > quant
    chat > tokenizer.h > gguf
    tokenizer.c, tokenizer_open > vocab > tokenizer.h
    grammar.h > token_trie
    grammar.c, grammar_mask > grammar_inner > grammar.h, automaton
    automaton > program > gbnf.h, token_trie
    gbnf.c > gbnf_check > gbnf.h, gbnf_text
    exports > gemma.h
`);

/** What every C file of the engine may use, gemma.h included. */
const C_BASE = ['gemma.h', 'error', 'utf8', 'clock', 'memory'];

/** What quantize/ may use of the engine, beside its own files. The engine never uses quantize/. */
const QUANTIZE_USES = ['gemma.h', 'error', 'utf8', 'clock', 'gguf', 'arch', 'quant', 'pack'];

/**
 * In JavaScript a name is a folder of web/, or a file directly in web/. A deeper folder is named where it has
 * its own direction.
 */
export const JS = readDirections(`
    app > api > gemma.js > gemma > engine > constraint > weights > base, wasm
    node > api
`);

/**
 * @param {string} text   lines 'A, B > C > D'
 * @returns {Map<string, Set<string>>} for each name all that it may use. Throws for a circle.
 */
export function readDirections(text) {
    /** @type {Map<string, Set<string>>} */
    const next = new Map(), all = new Map();
    for (const line of text.split('\n').filter((each) => each.trim())) {
        const groups = line.split('>').map((group) => group.split(',').map((name) => name.trim()));
        groups.forEach((names, i) => names.forEach((name) => {
            next.set(name, new Set([...next.get(name) ?? [], ...groups[i + 1] ?? []]));
        }));
    }
    /** @param {string} name @param {string[]} way @returns {Set<string>} */
    const reach = (name, way) => {
        if (way.includes(name)) throw new Error(
            `The directions go in a circle: ${[...way, name].join(' > ')}.`);
        const found = all.get(name)
            ?? new Set([...next.get(name) ?? []].flatMap((each) => [each, ...reach(each, [...way, name])]));
        all.set(name, found);
        return found;
    };
    for (const name of next.keys()) reach(name, []);
    return all;
}

/**
 * Every #include that the directions forbid, and every file of the engine that they don't name.
 * @param {string} [root]   of the checkout
 * @returns {string[]} a sentence each
 */
export function wrongIncludes(root = ROOT) {
    const files = ['src', 'quantize', 'wasm'].flatMap((room) => list(root, room));
    return files.flatMap((file) => {
        if (file.startsWith('src/') && !mayUse(file))
            return [`${file} is not in the directions of tests/check/directions.js.`];
        return includesOf(root, file, files).filter((used) => !allows(file, used))
            .map((used) => `${file} includes ${used}, which does not stand to its right (tests/check/directions.js).`);
    });
}

/** @param {string} root @param {string} room @returns {string[]} its C files, by their path from the root */
function list(root, room) {
    return readdirSync(join(root, room), {recursive: true}).map((file) => join(room, String(file))
        .split(sep).join('/'))
        .filter((file) => /\.(c|h|inc)$/.test(file));
}

/**
 * What a file includes of this repository.
 * @param {string} root
 * @param {string} file
 * @param {string[]} files
 * @returns {string[]}
 */
function includesOf(root, file, files) {
    const names = [...readFileSync(join(root, file), 'utf8')
        .matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(([, name]) => name);
    const folders = [dirname(file), 'src', 'src/kernels', 'wasm'];
    return names.flatMap((name) => folders.map((folder) => join(folder, name).split(sep).join('/'))
        .find((path) => files.includes(path)) ?? []);
}

/** @param {string} file @param {string} used @returns {boolean} */
function allows(file, used) {
    const [room, other] = [file, used].map((each) => each.split('/')[0]);
    if (room === 'quantize') return other === 'quantize' || QUANTIZE_USES.some((name) => isNamed(used, name));
    if (other !== 'src') return file === 'wasm/sha256.c' && used === 'quantize/sha256.h';
    const uses = mayUse(file);
    return room === 'src' && sameName(file, used) || [...uses ?? [], ...room === 'src' ? C_BASE
        : []].some((name) => isNamed(used, name));
}

/**
 * @param {string} file
 * @returns {Iterable<string> | undefined} names; undefined for a file that has no place
 */
function mayUse(file) {
    if (C_BASE.some((name) => isNamed(file, name))) return [];
    const name = [...C.keys()].find((each) => isNamed(file, each));
    return name && C.get(name);
}

/** Whether a file is what a name of the directions stands for. @param {string} file @param {string} name */
function isNamed(file, name) {
    const path = file.replace(/^(src|wasm)\//, '');
    return path === name || path.replace(/\.[^.]*$/, '') === name || path.startsWith(`${name}/`);
}

/** NAME.c and NAME.h, or two files of one folder below src/. @param {string} file @param {string} used */
function sameName(file, used) {
    const folder = dirname(file);
    return folder !== 'src' && folder === dirname(used)
        || file.replace(/\.[^.]*$/, '') === used.replace(/\.[^.]*$/, '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
    const wrong = wrongIncludes();
    for (const sentence of wrong) console.error(sentence);
    if (wrong.length) process.exitCode = 1;
}
