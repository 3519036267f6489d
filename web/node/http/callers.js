// callers.js: who may call the API: pages of which origins, and with which key. Knows no answers.

import {createHash, timingSafeEqual} from 'node:crypto';
import {httpError} from './reply.js';

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {object} Rules
 * @property {string} [apiKey]       what callers must send as a bearer token
 * @property {string[]} [origins]    of pages that may call besides those of this machine; '*': all
 */

const LOOPBACK = /^https?:\/\/(localhost|[\w-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest();

/**
 * Pages of other sites must not use this machine's model behind its user's back. With the key, any page
 * may call.
 * @param {string} origin @param {string | undefined} host   of the request @param {Rules} rules
 */
function isAllowed(origin, host, {apiKey, origins = []}) {
    return apiKey !== undefined || LOOPBACK.test(origin) || origin === `http://${host}`
        || origin === `https://${host}` || origins.includes('*') || origins.includes(origin);
}

/**
 * Says in the response that the page may read it. Throws where it may not call.
 * @param {Request} request @param {Response} response @param {Rules} rules
 */
export function checkOrigin(request, response, rules) {
    const {host, 'sec-fetch-site': site} = request.headers;
    response.setHeader('Vary', 'Origin');
    // Where a page only wants a picture or the like, browsers say no origin.
    const origin = request.headers.origin ?? (site === 'cross-site' ? 'null' : undefined);
    if (origin === undefined) return;
    if (!isAllowed(origin, host, rules)) {
        throw httpError(403,
            `Pages of ${origin} may not use this server; start it with --cors ${origin} or with --api-key.`,
            {code: 'origin_not_allowed'});
    }
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Expose-Headers', 'X-Request-Id, Retry-After');
}

/**
 * Answers a browser that asks what a page may send.
 * @param {Request} request
 * @param {Response} response
 * @param {string[]} methods
 */
export function sendPreflight(request, response, methods) {
    const {'access-control-request-headers': headers = 'authorization, content-type',
        'access-control-request-private-network': isPrivate} = request.headers;
    response.writeHead(204, {
        'Access-Control-Allow-Methods': methods.join(', '), 'Access-Control-Allow-Headers': headers,
        'Access-Control-Max-Age': '600',
        ...isPrivate && {'Access-Control-Allow-Private-Network': 'true'},
    }).end();
}

/** @param {Request} request @param {Rules} rules */
export function checkKey(request, {apiKey}) {
    if (apiKey === undefined) return;
    const [, given] = /^Bearer\s+(.+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digest(given), digest(apiKey))) return;
    throw httpError(401, given === undefined
        ? "You didn't provide an API key. Send it as the header Authorization: Bearer KEY."
            : 'Incorrect API key provided.', {
        code: 'invalid_api_key',
    });
}
