// errors.js: errors in OpenAI's form: a class for each HTTP status, with status, type, param and code; and
// what the library's own errors are among them. Knows no requests.

import {GemmaError} from '../../gemma.js';

/** @typedef {{message: string, type: string, param: string | null, code: string | null}} ErrorBody */

/** What a request comes to that can't be answered. `error` is what OpenAI's servers send as {error}. */
export class APIError extends Error {
    /** The openai package's have those of the response. @type {undefined} */
    headers;
    /** @type {undefined} */
    requestID;

    /**
     * @param {number | undefined} status   as over HTTP; undefined: the request did not end
     * @param {Partial<ErrorBody> & {message: string}} error
     * @param {ErrorOptions} [options]
     */
    constructor(status, {message, type = status && status < 500 ? 'invalid_request_error' : 'server_error',
        param = null, code = null}, options) {
        super(message, options);
        this.status = status;
        /** @type {ErrorBody} */
        this.error = {message, type, param, code};
        this.type = type;
        this.param = param;
        this.code = code;
    }
}

export class BadRequestError extends APIError {}
export class AuthenticationError extends APIError {}
export class PermissionDeniedError extends APIError {}
export class NotFoundError extends APIError {}
export class RateLimitError extends APIError {
    /** Seconds after which asking again makes sense. */
    retryAfter = 1;
}
export class InternalServerError extends APIError {}
export class APIUserAbortError extends APIError {}
export class APIConnectionTimeoutError extends APIError {}

/** @type {Record<string, [number, string]>} by GemmaError's code: the status and OpenAI's code */
const CODES = {
    'bad-argument': [400, 'invalid_value'], 'bad-constraint': [400, 'invalid_schema'],
    'context-full': [400, 'context_length_exceeded'],
    'unsupported': [400, 'unsupported_value'], 'no-memory': [503, 'no_memory'],
    'closed': [503, 'model_closed'],
};

/** @param {string} message @param {string | null} param @param {string} [code] @returns {never} */
export function refuse(message, param, code = 'invalid_value') {
    throw new BadRequestError(400, {message, param, code});
}

/** Where a request was stopped by its own signal. */
export const aborted = () => new APIUserAbortError(undefined,
    {message: 'Request was aborted.', type: 'aborted'});

/**
 * Anything thrown, as an APIError.
 * @param {unknown} thrown
 * @param {{prompt?: string, constraint?: string}} [params]   which fields of the request said the prompt and
 *     what the answer must be
 * @returns {APIError}
 */
export function asApiError(thrown, {prompt, constraint} = {}) {
    if (thrown instanceof APIError) return thrown;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown)),
        gemmaCode = error instanceof GemmaError ? error.code : '';
    if (error.name === 'AbortError') return aborted();
    const [status, code] = Object.hasOwn(CODES, gemmaCode) ? CODES[gemmaCode]
        : [500, gemmaCode || 'internal'];
    const param = gemmaCode === 'context-full' ? prompt : gemmaCode === 'bad-constraint'
        ? constraint : undefined;
    const ErrorClass = status < 500 ? BadRequestError : InternalServerError;
    return new ErrorClass(status, {message: error.message, param: param ?? null, code}, {cause: error});
}
