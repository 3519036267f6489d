// site.js: which URL of the site serves which file of the repository, unbundled, as the server gives them in
// development; and what the service worker must know of the files. build.js makes what is published of
// the same list.
//
// Knows no HTTP. All addresses inside the site are relative, so it may live in any folder of a host.

import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {SetupError} from './run.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * URL paths (without the leading slash) to places in the repository; a folder stands for the files under it.
 */
const LAYOUT = [
    ['', 'web/app/index.html'],
    // at the root, since that is how far a service worker reaches
    ['sw.js', 'web/app/sw.js'],
    ['manifest.webmanifest', 'web/app/manifest.webmanifest'],
    ['models.json', 'web/app/models.json'],
    ['app/', 'web/app'],
    // as .js: hosts know its type
    ['app/pdf/pdf.js', 'node_modules/pdfjs-dist/legacy/build/pdf.min.mjs'],
    ['app/pdf/worker.js', 'node_modules/pdfjs-dist/legacy/build/pdf.worker.min.mjs'],
    ['app/markdown/marked.js', 'node_modules/marked/lib/marked.esm.js'],
    ['gemma.js', 'web/gemma.js'],
    ['gemma/', 'web/gemma'],
    ['base/', 'web/base'],
    ['engine/', 'web/engine'],
    ['constraint/', 'web/constraint'],
    ['weights/', 'web/weights'],
    ['wasm/', 'web/wasm'],
];
/** Characters in base64 of each file's SHA-256, as in web/app/sw.js: 132 of its bits. */
const DIGEST_LENGTH = 22;
/** Below these folders are files for Node only. */
const NODE_ONLY = /^node\//;
const AT_ROOT = new Set(['index.html', 'sw.js', 'manifest.webmanifest', 'models.json']);

/** @type {Record<string, string>} */
export const TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.json': 'application/json; charset=utf-8',
    '.map': 'application/json; charset=utf-8',
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
            const name = join(entry.parentPath ?? /** @type {any} */ (entry).path, entry.name);
            const below = name.slice(path.length + 1);
            if (!entry.isFile() || !TYPES[extname(name)] || NODE_ONLY.test(below)) continue;
            if (!(url === 'app/' && AT_ROOT.has(below))) files.set(url + below, name);
        }
    }
    return files;
}

/**
 * The bytes of one file as it is served in development: as it is, but for the page, which says its version,
 * and for its service worker.
 * @param {string} url          a key of listSite()
 * @param {Map<string, string>} files   listSite()
 */
export function readSite(url, files) {
    if (url !== '' && url !== 'sw.js') return readFileSync(files.get(url) ?? '');
    /** @type {Map<string, Buffer>} */
    const shell = new Map();
    for (const [name, path] of files) if (name !== 'sw.js') shell.set(name, readFileSync(path));
    const {html, lists, rest} = completeSite(readFileSync(files.get('sw.js') ?? '', 'utf8'), shell);
    return url === '' ? html : Buffer.from(lists + rest);
}

/**
 * What depends on all files that make up the page: its version, which it says, and the service worker's lists
 * of these files and of their digests, with the page's policy.
 * @param {string} worker   the service worker's source
 * @param {Map<string, Buffer>} shell   URL paths -> bytes, of all but the service worker; the page's is ''
 * @returns {{html: Buffer, lists: string, rest: string}}   lists and rest: the service worker's new text
 */
export function completeSite(worker, shell) {
    const names = [...shell.keys()].sort(), read = (/** @type {string} */ name) => shell.get(name)
        ?? Buffer.alloc(0);
    const version = versionOf([...names.map((name) => /** @type {[string, Buffer]} */ ([name, read(name)])),
        ['sw.js', worker]]);
    const html = Buffer.from(read('').toString().replace('<html', `<html data-version="${version}"`));
    const digestOf = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('base64')
        .slice(0, DIGEST_LENGTH);
    const digests = names.map((name) => digestOf(name === '' ? html : read(name)));
    const [head, rest] = worker.split(/^const VERSION = .*\nconst DIGESTS = .*\nconst POLICY = .*\n/m);
    const lists = `const VERSION = '${version}', SHELL = ${JSON.stringify(names.map((name) => `./${name}`))};\nconst DIGESTS = '${digests.join('')}';\n` +
        `const POLICY = ${JSON.stringify(policyOf(html.toString()))};\n`;
    return {html, lists, rest: head + rest};
}

/** The Content-Security-Policy that a page says of itself. @param {string} html */
export function policyOf(html) {
    const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/i.exec(html) ?? [];
    if (!policy) throw new SetupError('The page says no Content-Security-Policy.');
    return policy;
}

/**
 * @param {[name: string, content: string | Buffer][]} contents   in an order that stays
 * @returns {string} changes with any of them
 */
export function versionOf(contents) {
    const hash = createHash('sha256');
    for (const [name, content] of contents) hash.update(name).update('\0').update(content);
    return hash.digest('hex').slice(0, 16);
}
