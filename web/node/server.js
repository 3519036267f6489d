// The local web server: the site and the models, to this machine only unless told otherwise.
//
// Owns HTTP: headers, ranges, caching. site.js knows which file a URL means.

import {createReadStream, existsSync, readdirSync, statSync} from 'node:fs';
import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
import {basename, extname, join, resolve} from 'node:path';
import {pipeline} from 'node:stream';
import {listSite, readSite, TYPES} from './site.js';

/** Everything is refused that the page does not need; `https:` is for the model that a user names. */
export const CONTENT_SECURITY_POLICY = "default-src 'self'; connect-src 'self' https: http://localhost:*; " +
    "script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'self'";

const HEADERS = {
    // These two make the page cross-origin isolated, without which there are no threads.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    // Ask each time, answered by 304: the service worker decides what is kept, and sees a new version at once.
    'Cache-Control': 'no-cache',
};

const PORTS_TO_TRY = 20;

/**
 * @param {object} [options]
 * @param {number} [options.port]     the first port to try; when it is taken, the next ones follow. 0: any
 * @param {string} [options.host]
 * @param {string} [options.model]    the GGUF that the page offers first; without, the catalogue's own default
 * @param {string} [options.models]   folder whose GGUFs are served under /models/
 * @returns {Promise<{url: string, port: number, close: () => Promise<void>}>}
 */
export async function serve({port = 8000, host = '127.0.0.1', model, models} = {}) {
    const server = createServer((request, response) => {
        try {
            answer(request, response, {model: model && resolve(model), models: models && resolve(models)});
        } catch (error) {
            if (response.headersSent) return response.destroy();
            sendText(response, 500, `The server failed: ${error.message}`);
        }
    });
    const bound = await listen(server, host, port);
    return {
        url: `http://${host === '127.0.0.1' ? 'localhost' : host}:${bound}/`,
        port: bound,
        close: () => new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
        }),
    };
}

async function listen(server, host, first) {
    const last = first === 0 ? 0 : first + PORTS_TO_TRY - 1;
    for (let port = first; port <= last; port++) {
        try {
            await new Promise((done, fail) => {
                server.once('error', fail);
                server.listen(port, host, () => {
                    server.off('error', fail);
                    done();
                });
            });
            return server.address().port;
        } catch (error) {
            if (error.code !== 'EADDRINUSE') throw new Error(`The server cannot listen on ${host}:${port} (${error.message}).`);
        }
    }
    throw new Error(`The ports ${first} to ${last} of ${host} are all in use; name a free one with --port.`);
}

function answer(request, response, {model, models}) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD');
        return sendText(response, 405, 'This server only answers GET and HEAD.');
    }
    let path;
    try {
        path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname).slice(1);
    } catch {
        return sendText(response, 400, 'The address cannot be read.');
    }
    if (path.startsWith('models/')) {
        // Only names are looked up, in a list made from the folder: no path of the request touches the disk.
        const file = listModels(model, models).get(path.slice('models/'.length));
        return file ? sendModel(request, response, file) : sendText(response, 404, `There is no model at /${path}.`);
    }
    const files = listSite();
    const url = path === 'index.html' ? '' : path;
    if (!files.has(url)) return sendText(response, 404, `There is nothing at /${path}.`);
    const bytes = url === 'models.json' && model ? catalogueOf(model, files) : readSite(url, files);
    sendBytes(request, response, bytes, TYPES[extname(files.get(url))]);
}

/** @returns {Map<string, string>} name -> absolute file name */
function listModels(model, models) {
    const found = new Map();
    if (models && existsSync(models))
        for (const name of readdirSync(models)) if (name.endsWith('.gguf')) found.set(name, join(models, name));
    if (model) found.set(basename(model), model);
    return found;
}

/** The catalogue when the server was started for one model: that model first, as far as its name and size tell. */
function catalogueOf(model, files) {
    const catalogue = JSON.parse(readSite('models.json', files));
    const url = `models/${basename(model)}`;
    const known = catalogue.models.filter((entry) => entry.url === url);
    const entry = {name: basename(model), url, size: statSync(model).size};
    return Buffer.from(JSON.stringify({...catalogue, models: known.length ? known : [entry]}));
}

function sendBytes(request, response, bytes, type) {
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const headers = {...HEADERS, ETag: etag, 'Content-Type': type};
    if (matches(request.headers['if-none-match'], etag)) return response.writeHead(304, headers).end();
    response.writeHead(200, {...headers, 'Content-Length': bytes.length});
    response.end(request.method === 'HEAD' ? undefined : bytes);
}

function sendModel(request, response, file) {
    const {size, mtimeMs, mtime} = statSync(file);
    const etag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
    const headers = {
        ...HEADERS, ETag: etag, 'Last-Modified': mtime.toUTCString(), 'Content-Type': 'application/octet-stream', 'Accept-Ranges': 'bytes',
    };
    if (matches(request.headers['if-none-match'], etag)) return response.writeHead(304, headers).end();

    const range = parseRange(request, etag, size);
    if (range === 'unsatisfiable') return response.writeHead(416, {...headers, 'Content-Range': `bytes */${size}`}).end();
    const {start, end} = range ?? {start: 0, end: size - 1};
    if (range) headers['Content-Range'] = `bytes ${start}-${end}/${size}`;
    response.writeHead(range ? 206 : 200, {...headers, 'Content-Length': end - start + 1});
    if (request.method === 'HEAD' || size === 0) return response.end();
    // A reader who leaves in the middle is normal; pipeline closes the file then.
    pipeline(createReadStream(file, {start, end}), response, () => {});
}

/** RFC 9110, section 14: one range of bytes. Others, and ranges of an older file, get the whole one. */
function parseRange(request, etag, size) {
    const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
    if (!match || (match[1] === '' && match[2] === '')) return undefined;
    if (request.headers['if-range'] && request.headers['if-range'] !== etag) return undefined;
    const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
    const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
    return start > end ? 'unsatisfiable' : {start, end};
}

function matches(ifNoneMatch, etag) {
    return ifNoneMatch?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*') ?? false;
}

function sendText(response, status, sentence) {
    response.writeHead(status, {...HEADERS, 'Content-Type': 'text/plain; charset=utf-8'}).end(`${sentence}\n`);
}
