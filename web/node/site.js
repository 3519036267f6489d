// Which URL of the site serves which file. The server asks here, and so does whoever copies the site to a static host:
//
//     node web/node/site.js FOLDER      copies the whole site to FOLDER
//
// Knows no HTTP. All addresses inside the site are relative, so it may live in any folder of a host.

import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {transformSync} from 'esbuild';
import {SetupError, main, say} from './run.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** URL paths (without the leading slash) to places in the repository; a folder stands for the files under it. */
const LAYOUT = [
    ['', 'web/app/index.html'],
    ['sw.js', 'web/app/sw.js'],                             // at the root, since that is how far a service worker reaches
    ['manifest.webmanifest', 'web/app/manifest.webmanifest'],
    ['models.json', 'web/app/models.json'],
    ['app/', 'web/app'],
    ['gemma.js', 'web/gemma.js'],
    ['engine/', 'web/engine'],
    ['weights/', 'web/weights'],
    ['wasm/', 'build/wasm'],
];
/** Characters in base64 of each file's SHA-256, as in web/app/sw.js. */
const DIGEST_LENGTH = 8;
const AT_ROOT = new Set(['index.html', 'sw.js', 'manifest.webmanifest', 'models.json']);

/** @type {Record<string, string>} */
export const TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.json': 'application/json; charset=utf-8',
    '.webmanifest': 'application/manifest+json; charset=utf-8',
    '.svg': 'image/svg+xml',
    '.png': 'image/png',
    '.wasm': 'application/wasm',
};

/** @returns {Map<string, string>} URL path without the leading slash -> absolute file name */
export function listSite() {
    const files = new Map();
    for (const [url, place] of LAYOUT) {
        const path = join(ROOT, place);
        if (!url.endsWith('/')) {
            if (existsSync(path)) files.set(url, path);
            continue;
        }
        if (!existsSync(path)) continue;
        for (const entry of readdirSync(path, {recursive: true, withFileTypes: true})) {
            const name = join(entry.parentPath ?? entry.path, entry.name);
            const below = name.slice(path.length + 1);
            if (entry.isFile() && TYPES[extname(name)] && !(url === 'app/' && AT_ROOT.has(below))) files.set(url + below, name);
        }
    }
    return files;
}

/** Scripts by their sources: the same one is asked for again and again. @type {Map<string, string>} */
const minified = new Map();

/** @param {string} source @param {'esm' | undefined} format   without, a script that is no module keeps its global names */
function minify(source, format) {
    if (!minified.has(source)) minified.set(source, transformSync(source, {minify: true, format, target: 'es2022', charset: 'utf8'}).code);
    return minified.get(source);
}

/**
 * The bytes of one file as it is served. Scripts are minified. The service worker gets the
 * list of files that make up the page with their digests, and a version that changes when any of them does; the page says which version it is.
 * @param {string} url          a key of listSite()
 * @param {Map<string, string>} files   listSite()
 */
export function readSite(url, files) {
    const bytes = readFileSync(files.get(url));
    if (url === '') return Buffer.from(bytes.toString().replace('<html', `<html data-version="${versionOf(files)}"`));
    if (!url.endsWith('.js') || url.startsWith('wasm/')) return bytes;      // Emscripten's scripts are compact
    if (url !== 'sw.js') return Buffer.from(minify(bytes.toString(), 'esm'));
    const shell = shellOf(files);
    const digests = shell.map((name) => createHash('sha256').update(readSite(name, files)).digest('base64').slice(0, DIGEST_LENGTH));
    const lists = `const VERSION = '${versionOf(files)}', SHELL = ${JSON.stringify(shell.map((name) => `./${name}`))};\nconst DIGESTS = '${digests.join('')}';\n`;
    const [, rest] = bytes.toString().split(/^const VERSION = .*\nconst DIGESTS = .*\n/m);
    return Buffer.from(lists + minify(rest));
}

/** What makes up the page, in the service worker's order. */
function shellOf(files) {
    return [...files.keys()].filter((name) => name !== 'sw.js').sort();
}

function versionOf(files) {
    const hash = createHash('sha256');
    for (const name of shellOf(files)) hash.update(name).update('\0').update(readFileSync(files.get(name)));
    return hash.update(readFileSync(files.get('sw.js'))).digest('hex').slice(0, 16);
}

/** Copies the site; any static host can then serve `folder`. Models are put beside it, in models/. */
export function copySite(folder, files = listSite()) {
    if (![...files.keys()].some((url) => url.startsWith('wasm/'))) throw new SetupError('The engine is not built yet: run make wasm first.');
    for (const url of files.keys()) {
        const target = join(folder, url || 'index.html');
        mkdirSync(dirname(target), {recursive: true});
        writeFileSync(target, readSite(url, files));
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    await main(async () => {
        const [folder, ...more] = process.argv.slice(2);
        if (folder && !more.length) return copySite(folder);
        say('Say where to copy the site to: node web/node/site.js FOLDER');
        process.exitCode = 2;
    });
}
