// Web servers for tests: each keeps a list of what it was asked, can be stopped like a network that is gone, and can misbehave.
//
// Owns: the servers. Must not know: browsers, or what the page does.

import {createReadStream, existsSync, mkdtempSync, rmSync, statSync} from 'node:fs';
import {createServer, request as forward} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import {serve} from '../../../web/node/server.js';
import {TYPES, copySite, listSite, readSite} from '../../../web/node/site.js';

/**
 * @typedef {object} TestServer
 * @property {string} url           http://localhost:PORT/
 * @property {{method: string, path: string, range?: string}[]} requests   all so far
 * @property {() => Promise<void>} close
 *
 * @typedef {(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => void} Answer
 */

/** @param {Answer} answer @returns {Promise<TestServer>} */
export async function startServer(answer) {
    const requests = [];
    const server = createServer((request, response) => {
        requests.push({method: request.method, path: request.url, range: request.headers.range});
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

/** The site's modules as they are, for pages that are empty but for them: every other address is one. @returns {Promise<TestServer>} */
export function startModules() {
    const files = listSite();
    return startServer((request, response) => {
        const path = request.url.slice(1).split('?')[0], isModule = path !== '' && files.has(path);
        response.writeHead(200, {'Content-Type': TYPES[isModule ? extname(path) : '.html']}).end(isModule ? readSite(path, files) : '<!doctype html>');
    });
}

/**
 * The product's own server. `meddle` sees each request first; what it returns true for, it has answered itself.
 * @param {{models?: string, meddle?: (...args: Parameters<Answer>) => boolean | void}} [options]
 * @returns {Promise<TestServer>}
 */
export async function startSite({models, meddle = () => false} = {}) {
    const product = await serve({port: 0, models});
    const outer = await startServer((request, response) => {
        if (meddle(request, response)) return;
        const {method, url, headers} = request;
        const inner = forward({port: product.port, host: '127.0.0.1', method, path: url, headers, agent: false}, (answer) => {
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

/**
 * A host that only serves files: what `npm run build -- FOLDER` makes, and no headers besides the type.
 * @param {{without?: string, meddle?: (...args: Parameters<Answer>) => boolean | void}} [options]   without: a path that it does not have;
 *     meddle: as above
 * @returns {Promise<TestServer & {folder: string}>}   folder: its files, which a test may change
 */
export async function startStaticHost({without, meddle = () => false} = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-site-'));
    copySite(folder);
    if (without) rmSync(join(folder, without));
    const server = await startServer((request, response) => {
        if (meddle(request, response)) return;
        const {pathname} = new URL(request.url, 'http://localhost');
        const path = join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
        if (existsSync(path) && statSync(path).isFile()) sendFile(request, response, path);
        else response.writeHead(404, {'Content-Type': 'text/plain'}).end('There is no such file.');
    });
    return {
        ...server, folder,
        async close() {
            await server.close();
            rmSync(folder, {recursive: true, force: true});
        },
    };
}

/** Sends a whole file, or one range of it. @param {Record<string, string>} [headers] */
export function sendFile(request, response, path, headers = {}) {
    const {size} = statSync(path);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = from === undefined ? 0 : Number(from);
    const end = from === undefined ? size - 1 : Math.min(Number(to), size - 1);
    response.writeHead(from === undefined ? 200 : 206, {
        'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Content-Length': end - start + 1,
        ...from !== undefined && {'Content-Range': `bytes ${start}-${end}/${size}`}, ...headers,
    });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path, {start, end}).on('error', () => response.destroy()).pipe(response);     // the host is being closed
}
