// api.js: OpenAI's API over HTTP, and what evaluation harnesses ask besides. The addresses are a table;
// answers come from web/api/openai.js, which the same requests could be given in JavaScript. Node's own http
// does: ten addresses need no router, and a library would be the first run-time dependency.

import {randomBytes} from 'node:crypto';
import {asApiError} from '../../api/openai.js';
import {messageOf} from '../../base/error.js';
import {checkKey, checkOrigin, sendPreflight} from './callers.js';
import {ServedModel} from './model.js';
import {httpError, probeHalfClosed, readJsonBody, sendError, sendEvents, sendJson} from './reply.js';
import {detokenize, tokenize} from './tokenizer.js';

/**
 * @typedef {import('node:http').IncomingMessage} Request
 * @typedef {import('node:http').ServerResponse} Response
 * @typedef {import('./model.js').Loaded} Loaded
 * @typedef {import('./callers.js').Rules & import('./model.js').ModelOptions & {maxBody?: number}} ApiOptions
 *
 * @typedef {object} Call
 * @property {any} body
 * @property {string} rest          of the address
 * @property {AbortSignal} signal   aborts when the client is gone
 * @typedef {(model: Loaded, call: Call) => Promise<unknown>} Answerer   its answer: an object, or an async
 *     iterable of events
 */

const MAX_BODY = 16 * 2 ** 20;

/** @type {{method: 'GET' | 'POST', address: string, answer: Answerer}[]} {id}: the rest of the address */
const ADDRESSES = [
    {method: 'POST', address: '/v1/chat/completions', answer: ({client}, {body, signal}) =>
        client.chat.completions.create(body, {signal})},
    {method: 'POST', address: '/v1/completions', answer: ({client}, {body, signal}) =>
        client.completions.create(body, {signal})},
    {method: 'POST', address: '/v1/embeddings', answer: ({client}, {body, signal}) =>
        client.embeddings.create(body, {signal})},
    {method: 'GET', address: '/v1/models', answer: ({client}) => client.models.list()},
    {method: 'GET', address: '/v1/models/{id}', answer: ({client}, {rest}) => client.models.retrieve(rest)},
    {method: 'POST', address: '/tokenize', answer: ({gemma}, {body}) => tokenize(gemma, body)},
    {method: 'POST', address: '/detokenize', answer: ({gemma}, {body}) => detokenize(gemma, body)},
    {method: 'GET', address: '/tokenizer_info', answer: ({tokenizerInfo}) => tokenizerInfo()},
];
const ROUTES = ADDRESSES.map(({address, ...route}) =>
    ({...route, path: new RegExp(`^${address.replace('{id}', '(.+)')}$`)}));
/** The clients' base URL: it is answered, without the model, by the list of addresses. */
const BASE = /^\/v1\/?$/;
const LISTED = {addresses: ADDRESSES.map(({method, address}) => `${method} ${address}`)};
/** Answered to everyone, without the model: that the server is there. */
const HEALTH = '/health';
const OWN = /^\/(v1(\/|$)|(tokenize|detokenize|tokenizer_info|health)$)/;
/** Where the clients' base URL lacks its end. */
const LACKS_V1 = /^\/(chat\/completions|completions|embeddings|models|responses)$/;

/** @param {Request} request */
function pathOf({url = ''}) {
    // Proxies may send the whole address (RFC 9112, 3.2.2).
    const [path] = url.replace(/^https?:\/\/[^/?]*/i, '').split('?');
    try {
        return decodeURIComponent(path);
    } catch {
        return path;
    }
}

/** What to ask instead. @param {string} path */
const hintFor = (path) => LACKS_V1.test(path) ? 'The base URL of this API ends with /v1.'
    : /^\/v1\/responses(\/|$)/.test(path)
    ? 'The Responses API is not here; use /v1/chat/completions (chat.completions.create).'
    : 'GET /v1 lists the addresses.';

export class Api {
    #options;
    #model;

    /** @param {ApiOptions} options */
    constructor(options) {
        this.#options = options;
        this.#model = new ServedModel(options);
    }

    /** Whether a request is for the API. @param {Request} request */
    takes(request) {
        const path = pathOf(request);
        return OWN.test(path) || LACKS_V1.test(path);
    }

    /** @param {Request} request @param {Response} response @param {string} why   it is called by a wrong name */
    refuseHost(request, response, why) {
        sendError(request, response, httpError(403, why, {code: 'host_not_allowed'}));
    }

    /** Answers it; never rejects. @param {Request} request @param {Response} response */
    async answer(request, response) {
        const gone = new AbortController();
        response.on('close', () => gone.abort());
        response.on('error', () => gone.abort());
        probeHalfClosed(request, response);
        response.setHeader('X-Request-Id', `req_${randomBytes(12).toString('hex')}`);
        response.setHeader('X-Content-Type-Options', 'nosniff');
        try {
            await this.#answer(request, response, gone.signal);
        } catch (error) {
            if (gone.signal.aborted) return;
            if (response.headersSent) response.destroy();
            else sendError(request, response, asApiError(error));
        }
    }

    /** @param {Request} request @param {Response} response @param {AbortSignal} signal */
    async #answer(request, response, signal) {
        const path = pathOf(request), method = request.method === 'HEAD' ? 'GET' : request.method ?? '';
        checkOrigin(request, response, this.#options);
        const routes = ROUTES.filter((route) => route.path.test(path)),
            methods = path === HEALTH || BASE.test(path) ? ['GET'] : routes.map((route) => route.method);
        if (method === 'OPTIONS') return sendPreflight(request, response, [...methods, 'OPTIONS']);
        if (path === HEALTH && method === 'GET') return sendJson(response, 200, {status: 'ok'});
        checkKey(request, this.#options);
        if (!methods.length) throw httpError(404, `Unknown request URL: ${method} ${path}. ${hintFor(path)}`,
            {code: 'unknown_url'});
        if (BASE.test(path) && method === 'GET') return sendJson(response, 200, LISTED);
        const route = routes.find((one) => one.method === method);
        if (!route) {
            response.setHeader('Allow', methods.join(', '));
            throw httpError(405, `Not allowed to ${request.method} on ${path}; ${methods.join(' and ')} is.`,
                {code: 'method_not_allowed'});
        }
        const body = method === 'POST' ? await readJsonBody(request, this.#options.maxBody ?? MAX_BODY)
            : undefined, rest = route.path.exec(path)?.[1] ?? '';
        const loaded = await this.#load();
        try {
            const answer = await route.answer(loaded, {body, rest, signal});
            // A client may have asked for a stream by extra_body, too.
            const isStream = method === 'POST' && typeof answer === 'object' && answer !== null
                && Symbol.asyncIterator in answer;
            if (!isStream) return sendJson(response, 200, answer);
            await sendEvents(response, /** @type {AsyncIterable<unknown>} */ (answer), signal, (error) => {
                this.#model.endedBy(error, loaded);
                return asApiError(error);
            });
        } catch (error) {
            this.#model.endedBy(error, loaded);
            throw error;
        }
    }

    async #load() {
        try {
            return await this.#model.get();
        } catch (error) {
            throw httpError(503, `The model cannot be loaded: ${messageOf(error)}`,
                {type: 'server_error', code: 'model_not_loaded'});
        }
    }

    /** Frees the model. */
    close() {
        this.#model.close();
    }
}
