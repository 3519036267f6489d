// The local web server: the site and the models, to this machine only unless told otherwise.
//
// Owns HTTP: headers, ranges, caching. site.js knows which file a URL means.

import {createReadStream, existsSync, readFileSync, readdirSync, statSync} from 'node:fs';
import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
import {isIP} from 'node:net';
import {hostname} from 'node:os';
import {basename, extname, join, resolve} from 'node:path';
import {pipeline} from 'node:stream';
import {codeOf, messageOf} from '../base/error.js';
import {SetupError} from './run.js';
import {listSite, policyOf, readSite, TYPES} from './site.js';

const HEADERS = {
    // These two make the page cross-origin isolated, without which there are no threads.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
    // The page's own, with what a page can't say of itself.
    ...pagePolicy(),
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    // Ask each time, answered by 304: the service worker decides what is kept, and sees a new version
    // at once.
    'Cache-Control': 'no-cache',
};

/** Served in place of the page where it is missing, as in the npm package. */
const ABOUT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>gemma serve</title>
<h1>gemma serve</h1>
<p>This server answers OpenAI's API with Gemma, on this machine. The base URL for clients is <code>/v1</code>.</p>
<ul>
<li><code>POST /v1/chat/completions</code>, <code>POST /v1/completions</code>, <code>POST /v1/embeddings</code></li>
<li><a href="v1/models"><code>GET /v1/models</code></a></li>
<li><code>POST /tokenize</code>, <code>POST /detokenize</code>, <code>GET /tokenizer_info</code>, for evaluation harnesses</li>
</ul>
<p>The npm package does not hold the chat page. It is in the source repository: <code>npm start</code> serves it there, and <code>npm run -s gemma -- serve</code>
serves the page and this API.</p>
</html>
`;

/** Of the page, which the npm package does not have. @returns {Record<string, string>} */
function pagePolicy() {
    const path = listSite().get('');
    return path ? {'Content-Security-Policy': `${policyOf(readFileSync(path, 'utf8'))}; frame-ancestors 'self'`} : {};
}

const FIRST_PORT = 8000, PORTS_TO_TRY = 20;
/** Browsers look for localhost at both, and may find another program at the one that we leave free. */
const LOCALHOST = ['127.0.0.1', '::1'];

/**
 * @typedef {{model?: string, models?: string}} Places   the GGUF that is offered first, and the folder of
 *     the others
 */

/**
 * @param {object} [options]
 * @param {number} [options.port]     0: any; default: the first of 20 from 8000 on that is free
 * @param {string} [options.host]     where it listens, and the name by which requests may call it
 * @param {string[]} [options.allowedHosts]   other names by which they may, in lower case
 * @param {string} [options.model]    the GGUF that the page offers first
 * @param {string} [options.models]   folder whose GGUFs are served under /models/
 * @param {import('./http/api.js').Api} [options.api]   what else is answered
 * @returns {Promise<{url: string, port: number, warning?: string, close: (drainMs?: number) => Promise<void>}>}
 *     warning: a sentence for the person who starts it. close: answers may go on for drainMs, by default not
 *     at all. Rejects with SetupError
 */
export async function serve({port, host = 'localhost', allowedHosts = [], model, models, api} = {}) {
    const places = {model: model && resolve(model), models: models && resolve(models)};
    /**
     * @param {import('node:http').IncomingMessage} request
     * @param {import('node:http').ServerResponse} response
     */
    const listener = (request, response) => {
        try {
            const called = request.headers.host, isOurs = api?.takes(request);
            if (!isCalled(called, host, allowedHosts)) {
                const why = called === undefined ? 'The request has no Host header.'
                    : `This server does not answer to the host name ${called}. ` +
                        'Start it with --allowed-host and that name.';
                return isOurs ? api?.refuseHost(request, response, why) : sendText(response, 403, why);
            }
            if (isOurs) void api?.answer(request, response);
            else answer(request, response, places, api !== undefined);
        } catch (error) {
            if (response.headersSent) return response.destroy();
            sendText(response, 500, `The server failed: ${messageOf(error)}`);
        }
    };
    const servers = await listen(listener, host, port);
    const bound = portOf(servers[0]);
    return {
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`,
        port: bound,
        ...!isLoopback(host) && {
            warning: 'Other machines get the page without threads and without a store, unless an https proxy stands before this server.',
        },
        async close(drainMs = 0) {
            const closed = servers.map((server) => new Promise((done) => { server.close(done); }));
            for (const server of servers) server.closeIdleConnections();
            const timer = setTimeout(() => {
                for (const server of servers) server.closeAllConnections();
            }, drainMs);
            await Promise.all(closed);
            clearTimeout(timer);
            api?.close();
        },
    };
}

/** @param {import('node:http').Server} server   one that listens at a port @returns {number} */
function portOf(server) {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
}

/** @param {string} host */
const isLoopback = (host) => host === 'localhost' || host === '::1' || /^127\./.test(host);

/**
 * Whether a request calls this server by one of the server's names. A page of another site whose name was
 * made to point here (DNS rebinding) calls it by that site's name. An address can't be made to point
 * elsewhere, so a server that listens at all addresses accepts each of them.
 * @param {string | undefined} header   Host @param {string} host   where the server listens
 * @param {string[]} allowed   other names
 */
function isCalled(header, host, allowed) {
    const name = header?.toLowerCase().replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
    if (!name) return false;
    if (['localhost', '127.0.0.1', '::1', host.toLowerCase(), ...allowed].includes(name)) return true;
    const isEverywhere = host === '0.0.0.0' || host === '::', own = hostname().toLowerCase();
    return isEverywhere && (isIP(name) > 0 || name === own || name === `${own}.local`);
}

/**
 * A server for each address of a host, all on the port that was asked for, or on the first that is free at
 * each of them.
 * @param {import('node:http').RequestListener} listener
 * @param {string} host
 * @param {number} [asked]
 * @returns {Promise<import('node:http').Server[]>}
 */
async function listen(listener, host, asked) {
    // Any port of one of localhost's addresses may be taken at the other: then any other is tried.
    const ports = asked ? [asked] : Array.from({length: PORTS_TO_TRY}, (_, i) => asked === 0 ? 0
        : FIRST_PORT + i);
    for (const port of ports) {
        const servers = [];
        try {
            for (const address of host === 'localhost' ? LOCALHOST : [host]) {
                // A client that has sent all may close its side, and read on.
                const server = Object.assign(createServer(listener), {httpAllowHalfOpen: true});
                await bind(server, address, servers[0] ? portOf(servers[0]) : port);
                servers.push(server);
            }
            return servers;
        } catch (error) {
            // A machine without IPv6 has one localhost only.
            if (servers.length && codeOf(error) !== 'EADDRINUSE') return servers;
            for (const server of servers) server.close();
            if (codeOf(error) !== 'EADDRINUSE')
                throw new SetupError(`The server cannot listen on ${host}:${port} (${messageOf(error)}).`);
        }
    }
    throw new SetupError(asked === undefined
        ? `The ports ${ports[0]} to ${ports.at(-1)} of ${host} are all in use; name a free one with --port.`
        : `The port ${asked} of ${host} is in use; name another with --port, or none for the first free one.`);
}

/**
 * @param {import('node:http').Server} server
 * @param {string} address
 * @param {number} port
 * @returns {Promise<void>}
 */
function bind(server, address, port) {
    return new Promise((done, fail) => {
        server.once('error', fail);
        server.listen(port, address, () => {
            server.off('error', fail);
            done();
        });
    });
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {Places} places
 * @param {boolean} hasApi
 */
function answer(request, response, {model, models}, hasApi) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('Allow', 'GET, HEAD');
        return sendText(response, 405, 'This server only answers GET and HEAD.');
    }
    let path;
    try {
        path = decodeURIComponent(new URL(request.url ?? '', 'http://localhost').pathname).slice(1);
    } catch {
        return sendText(response, 400, 'The address cannot be read.');
    }
    if (path.startsWith('models/')) {
        // Only names are looked up, in a list made from the folder: no path of the request touches the disk.
        const file = listModels(model, models).get(path.slice('models/'.length));
        return file ? sendModel(request, response, file)
            : sendText(response, 404, `There is no model at /${path}.`);
    }
    const files = listSite();
    const url = path === 'index.html' ? '' : path, file = files.get(url);
    if (file === undefined && url === '' && hasApi)
        return sendBytes(request, response, Buffer.from(ABOUT), TYPES['.html']);
    if (file === undefined) return sendText(response, 404, `There is nothing at /${path}.`);
    const bytes = url === 'models.json' ? catalogue(model, listModels(model, models)) : readSite(url, files);
    sendBytes(request, response, bytes, TYPES[extname(url || file)]);
}

/**
 * @returns {Map<string, string>} name -> absolute file name
 * @param {string} [model]
 * @param {string} [models]
 */
function listModels(model, models) {
    const found = new Map();
    if (models && existsSync(models))
        for (const name of readdirSync(models)) if (name.endsWith('.gguf'))
            found.set(name, join(models, name));
    if (model) found.set(basename(model), model);
    for (const [name, file] of found) if (!statSync(file, {throwIfNoEntry: false})?.isFile())
        found.delete(name);
    return found;
}

/**
 * The site's catalogue without models that this server lacks. The one for which it was started comes first,
 * under an address that changes with the file: a page keeps what it has loaded from an address.
 * @param {string | undefined} model
 * @param {Map<string, string>} found
 */
function catalogue(model, found) {
    /** @type {{models: {urls: string[], name?: string, size?: number}[]}} */
    const {models, ...rest} = JSON.parse(readSite('models.json', listSite()).toString());
    /** @param {{urls: string[]}} entry */
    const has = ({urls: [url]}) => !url.startsWith('models/') || found.has(url.slice('models/'.length));
    const offered = models.filter(has);
    if (model) {
        const name = basename(model);
        const url = `models/${encodeURIComponent(name)}`;
        const known = offered.findIndex(({urls}) => urls[0] === url);
        const stat = statSync(model, {throwIfNoEntry: false});
        if (known >= 0) offered.unshift(...offered.splice(known, 1));
        else if (stat) offered.unshift({name, urls: [`${url}?version=${versionOf(stat)}`], size: stat.size});
    }
    return Buffer.from(JSON.stringify({models: offered, ...rest}));
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {Uint8Array} bytes
 * @param {string} type
 */
function sendBytes(request, response, bytes, type) {
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const headers = {...HEADERS, ETag: etag, 'Content-Type': type};
    if (matches(request.headers['if-none-match'], etag)) return response.writeHead(304, headers).end();
    response.writeHead(200, {...headers, 'Content-Length': bytes.length});
    response.end(request.method === 'HEAD' ? undefined : bytes);
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 * @param {string} file
 */
function sendModel(request, response, file) {
    const stat = statSync(file);
    const {size} = stat;
    const etag = `"${versionOf(stat)}"`;
    /** @type {import('node:http').OutgoingHttpHeaders} */
    const headers = {
        ...HEADERS, ETag: etag, 'Last-Modified': stat.mtime.toUTCString(),
        'Content-Type': 'application/octet-stream', 'Accept-Ranges': 'bytes',
    };
    if (matches(request.headers['if-none-match'], etag)) return response.writeHead(304, headers).end();

    const range = parseRange(request, etag, size);
    if (range === 'unsatisfiable')
        return response.writeHead(416, {...headers, 'Content-Range': `bytes */${size}`}).end();
    const {start, end} = range ?? {start: 0, end: size - 1};
    if (range) headers['Content-Range'] = `bytes ${start}-${end}/${size}`;
    response.writeHead(range ? 206 : 200, {...headers, 'Content-Length': end - start + 1});
    if (request.method === 'HEAD' || size === 0) return response.end();
    // A reader who leaves in the middle is normal; pipeline closes the file then.
    pipeline(createReadStream(file, {start, end}), response, () => {});
}

/** Changes when a file does. @param {import('node:fs').Stats} stat */
function versionOf({size, mtimeMs}) {
    return `${size.toString(36)}-${Math.round(mtimeMs).toString(36)}`;
}

/**
 * RFC 9110, section 14: one range of bytes. Others, and ranges of an older file, get the whole one.
 * @param {import('node:http').IncomingMessage} request
 * @param {string} etag
 * @param {number} size
 * @returns {'unsatisfiable' | {start: number, end: number} | undefined}
 */
function parseRange(request, etag, size) {
    const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
    if (!match || request.method !== 'GET' || (match[1] === '' && match[2] === '')) return undefined;
    if (request.headers['if-range'] && request.headers['if-range'] !== etag) return undefined;
    const [first, last] = match.slice(1).map(Number);
    if (match[1] && match[2] && first > last) return undefined;
    const start = match[1] === '' ? Math.max(0, size - last) : first;
    const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(last, size - 1);
    return start > end ? 'unsatisfiable' : {start, end};
}

/** @param {string | undefined} ifNoneMatch @param {string} etag */
function matches(ifNoneMatch, etag) {
    return ifNoneMatch?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag
        || one.trim() === '*') ?? false;
}

/** @param {import('node:http').ServerResponse} response @param {number} status @param {string} sentence */
function sendText(response, status, sentence) {
    response.writeHead(status, {...HEADERS, 'Content-Type': 'text/plain; charset=utf-8'})
        .end(`${sentence}\n`);
}
