// Web servers for tests: each keeps a list of what it was asked, can be stopped like a network that is gone,
// and can misbehave.
//
// Owns: the servers. Must not know: browsers, or what the page does.

import {cpSync, createReadStream, mkdtempSync, rmSync, statSync} from 'node:fs';
import {createServer, request as forward} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import {buildSite} from '../../../web/node/build.js';
import {serve} from '../../../web/node/server.js';
import {TYPES, listSite, readSite} from '../../../web/node/site.js';

/**
 * @typedef {object} TestServer
 * @property {string} url           http://localhost:PORT/
 * @property {{method: string, path: string, range?: string, sent: number}[]} requests   all so far; sent: bytes that were
 *     written piece by piece, as files are
 * @property {() => Promise<void>} close
 *
 * @typedef {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) =>
 *     void} Answer
 */

/** @param {Answer} answer @returns {Promise<TestServer>} */
export async function startServer(answer) {
    const requests = [];
    const server = createServer((request, response) => {
        const {method, url: path, headers: {range}} = request, {write} = response,
            entry = {method, path, range, sent: 0};
        requests.push(entry);
        response.write = (block, ...rest) => {
            entry.sent += block.length;
            return write.call(response, block, ...rest);
        };
        answer(request, response);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    return {
        url: `http://localhost:${server.address().port}/`,
        requests,
        close: () => new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
        }),
    };
}

/**
 * The site's modules as they are, for pages that are empty but for them: every other address is one.
 * @returns {Promise<TestServer>}
 */
export function startModules() {
    const files = listSite();
    return startServer((request, response) => {
        const path = request.url.slice(1).split('?')[0], isModule = path !== '' && files.has(path);
        response.writeHead(200, {'Content-Type': TYPES[isModule ? extname(path) : '.html']})
            .end(isModule ? readSite(path, files) : '<!doctype html>');
    });
}

/**
 * The product's own server, for development: unbundled. `meddle` sees each request first; what it returns
 * true for, it has answered itself.
 * @param {{models?: string, meddle?: (...args: Parameters<Answer>) => boolean | void}} [options]
 * @returns {Promise<TestServer>}
 */
export async function startDevelopment({models, meddle = () => false} = {}) {
    const product = await serve({port: 0, models});
    const outer = await startServer((request, response) => {
        if (meddle(request, response)) return;
        const {method, url, headers} = request;
        const inner = forward({port: product.port, host: '127.0.0.1', method, path: url, headers,
            agent: false}, (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
        inner.on('error', () => response.destroy());
        response.on('close', () => inner.destroy());
        inner.end();
    });
    return {
        ...outer,
        async close() {
            await outer.close();
            await product.close();
        },
    };
}

/** Folders that end with this process. @type {string[]} */
const folders = [];
process.once('exit', () => folders.forEach((folder) => rmSync(folder, {recursive: true, force: true})));
function makeFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-site-'));
    folders.push(folder);
    return folder;
}

/** @type {Map<string, Promise<string>>} */
const builds = new Map();
/**
 * The site as `npm run build` makes it.
 * @param {Map<string, string>} [sources]   listSite(), perhaps with changes
 * @param {string} [name]   of these changes, which are made once
 * @returns {Promise<string>} a folder that nobody changes
 */
export function builtSite(sources = listSite(), name = '') {
    const build = async () => {
        const folder = makeFolder();
        await buildSite(folder, sources);
        return folder;
    };
    const known = builds.get(name) ?? build();
    builds.set(name, known);
    return known;
}

/** Where the site lies on its host: not at the root, as on most hosts of projects. */
const BELOW = '/some/where/';
/**
 * Where the modules lie as they are, for tests of what the page does not give; beside the site, so that they
 * are none of its business.
 */
const MODULES = '/modules/';

/**
 * The site that people have, on a host that only serves files: what `npm run build` makes, and no headers
 * besides type and date.
 * In `requests` and for `meddle`, which may answer itself and then returns true, addresses begin where
 * the site lies.
 * @param {object} [options]
 * @param {string} [options.folder]    of the site; default: as it is built
 * @param {string} [options.models]    a folder whose files are in models/
 * @param {(...args: Parameters<Answer>) => boolean | void} [options.meddle]
 * @returns {Promise<TestServer & {folder: string}>}
 */
export async function startSite({folder, models, meddle = () => false} = {}) {
    const site = folder ?? await builtSite(), sources = listSite();
    const server = await startServer((request, response) => {
        const {pathname} = new URL(request.url, 'http://localhost');
        if (pathname.startsWith(MODULES))
            return sendFile(request, response, sources.get(pathname.slice(MODULES.length)) ?? '');
        if (!pathname.startsWith(BELOW)) return sendFile(request, response, '');
        request.url = request.url.slice(BELOW.length - 1);
        if (meddle(request, response)) return;
        const path = pathname.slice(BELOW.length), isModel = models && path.startsWith('models/');
        sendFile(request, response, isModel ? join(models, path.slice('models/'.length))
            : join(site, path.endsWith('/') || !path ? `${path}index.html` : path));
    });
    return {
        ...server, folder: site, url: server.url.slice(0, -1) + BELOW,
        get requests() {
            return server.requests.map(({path, ...rest}) => ({...rest, path: path.startsWith(BELOW)
                ? path.slice(BELOW.length - 1) : `..${path}`}));
        },
    };
}

/**
 * The same, at the root of its host.
 * @param {{without?: string, meddle?: (...args: Parameters<Answer>) => boolean | void}} [options]   without:
 *     a path that it does not have; meddle: as above
 * @returns {Promise<TestServer & {folder: string}>}   folder: its files, which a test may change
 */
export async function startStaticHost({without, meddle = () => false} = {}) {
    const folder = makeFolder();
    cpSync(await builtSite(), folder, {recursive: true});
    if (without) rmSync(join(folder, without));
    const server = await startServer((request, response) => {
        if (meddle(request, response)) return;
        const {pathname} = new URL(request.url, 'http://localhost');
        sendFile(request, response,
            join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname));
    });
    return {...server, folder};
}

/**
 * Sends a whole file, or one range of it; 404 where there is none.
 * @param {Record<string, string>} [headers]
 */
export function sendFile(request, response, path, headers = {}) {
    const about = path ? statSync(path, {throwIfNoEntry: false}) : undefined;
    if (!about?.isFile()) return void response.writeHead(404, {'Content-Type': 'text/plain'})
        .end('There is no such file.');
    const {size} = about;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = from === undefined ? 0 : Number(from);
    const end = from === undefined ? size - 1 : Math.min(Number(to), size - 1);
    response.writeHead(from === undefined ? 200 : 206, {
        'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Content-Length': end - start + 1,
        'Last-Modified': about.mtime.toUTCString(),
        ...from !== undefined && {'Content-Range': `bytes ${start}-${end}/${size}`}, ...headers,
    });
    if (request.method === 'HEAD') response.end();
    // the host is being closed
    else createReadStream(path, {start, end}).on('error', () => response.destroy()).pipe(response);
}
