// reply.js: what goes over the wire: JSON, errors in OpenAI's form, server-sent events; and the JSON that
// comes in. Knows no addresses.

import {once} from 'node:events';
import {APIError} from '../../api/openai.js';

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 */

const TYPE = 'application/json; charset=utf-8';
const STALLED_MS = 60_000;      // a client that takes nothing for so long is gone
const PING_MS = 15_000;         // so that proxies do not end a stream while a prompt is read
/** Pauses between writes to a client that may be gone. */
const PROBE_MS = 100, PROBES_MS = 1000;
const LINGERING_MS = 5_000;     // for what a client still writes, which may read only then

/**
 * @param {number} status
 * @param {string} message
 * @param {{type?: string, param?: string | null, code?: string}} [about]
 */
export const httpError = (status, message, about) => new APIError(status, {message, ...about});

/** @param {Response} response @param {number} status @param {unknown} value */
export function sendJson(response, status, value) {
    const bytes = Buffer.from(JSON.stringify(value));
    response.writeHead(status, {'Content-Type': TYPE, 'Content-Length': bytes.length}).end(bytes);
}

/** @param {Request} request @param {Response} response @param {APIError} error */
export function sendError(request, response, error) {
    const {status = 499, error: body} = error,
        retryAfter = /** @type {any} */ (error).retryAfter ?? (status === 503 ? 5 : undefined);
    const bytes = Buffer.from(JSON.stringify({error: body}));
    response.writeHead(status, {
        'Content-Type': TYPE, 'Content-Length': bytes.length, ...retryAfter
            && {'Retry-After': String(retryAfter)},
        ...status === 401 && {'WWW-Authenticate': 'Bearer'}, ...status === 413 && {Connection: 'close'},
    });
    if (request.complete) return void response.end(bytes);
    // Closed while the client still writes, the connection would take the answer with it.
    response.write(bytes);
    const timer = setTimeout(() => request.socket.destroySoon(), LINGERING_MS);
    request.once('end', () => response.end()).once('close', () => clearTimeout(timer)).resume();
}

/**
 * A client that closed its side may still read, or may be gone. Only writing tells: the second write fails.
 * So it gets what clients ignore: HTTP 102 before the answer, comments among events.
 * @param {Request} request @param {Response} response
 */
export function probeHalfClosed({socket, httpVersion}, response) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const probe = (pause = PROBE_MS) => {
        if (response.writableEnded) return;
        if (response.headersSent) response.write(': \n\n');
        else response.writeProcessing();
        timer = setTimeout(probe, pause, PROBES_MS);
    };
    const begin = () => probe();
    if (httpVersion === '1.0') return;      // which knows no 102
    socket.once('end', begin);
    response.once('close', () => {
        socket.off('end', begin);
        clearTimeout(timer);
    });
}

/**
 * Sends chunks as server-sent events. An error among them is the last event.
 * @param {Response} response
 * @param {AsyncIterable<unknown>} chunks
 * @param {AbortSignal} signal   aborts when the client is gone
 * @param {(error: unknown) => APIError} asError
 */
export async function sendEvents(response, chunks, signal, asError) {
    response.writeHead(200, {'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache',
        'X-Accel-Buffering': 'no'});
    response.flushHeaders();
    const ping = setInterval(() => response.write(': \n\n'), PING_MS);
    /** @param {unknown} value */
    const send = async (value) => {
        if (response.write(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`)) return;
        await once(response, 'drain', {signal: AbortSignal.any([signal, AbortSignal.timeout(STALLED_MS)])});
    };
    try {
        for await (const chunk of chunks) await send(chunk);
        await send('[DONE]');
        response.end();
    } catch (error) {
        if (signal.aborted || response.writableNeedDrain) return void response.destroy();
        response.end(`data: ${JSON.stringify({error: asError(error).error})}\n\n`);
    } finally {
        clearInterval(ping);
    }
}

/**
 * The JSON of a request's body.
 * @param {Request} request @param {number} most   bytes
 * @returns {Promise<any>}
 */
export async function readJsonBody(request, most) {
    const tooLong = () => httpError(413,
        `The body of the request has more than ${most} bytes; --max-body says how many it may have.`,
        {code: 'request_too_large'});
    if (Number(request.headers['content-length'] ?? 0) > most) throw tooLong();
    if (![undefined, 'identity'].includes(request.headers['content-encoding']?.toLowerCase())) {
        throw httpError(415,
            `The body of the request is compressed (${request.headers['content-encoding']}); send it as it is.`,
            {code: 'unsupported_encoding'});
    }
    const chunks = [];
    let size = 0;
    for await (const chunk of request.iterator({destroyOnReturn: false})) {
        size += chunk.length;
        if (size > most) throw tooLong();
        chunks.push(chunk);
    }
    try {
        return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(Buffer.concat(chunks)));
    } catch {
        throw httpError(400, 'We could not parse the JSON body of your request: it is not JSON in UTF-8.',
            {code: 'invalid_json'});
    }
}
