// errors.js: what the Prompt API rejects with: DOMExceptions by their names, and QuotaExceededError with its
// numbers. Knows the library's codes.

import {GemmaError} from '../../gemma.js';

/** @param {string} name @param {string} message @param {unknown} [cause] */
export function exception(name, message, cause) {
    const error = new DOMException(message, name);
    if (cause !== undefined)
        Object.defineProperty(error, 'cause', {value: cause, configurable: true, writable: true});
    return error;
}

/** Where the platform has no class of this name. */
class OwnQuotaExceededError extends DOMException {
    /** @param {string} message @param {{quota: number, requested: number}} numbers */
    constructor(message, {quota, requested}) {
        super(message, 'QuotaExceededError');
        this.quota = quota;
        this.requested = requested;
    }
}

/**
 * @param {number} requested
 * @param {number} quota   tokens
 * @returns {DOMException & {requested: number, quota: number}}
 */
export function quotaExceeded(requested, quota) {
    /** @type {typeof OwnQuotaExceededError} */
    const QuotaExceededError = /** @type {any} */ (globalThis).QuotaExceededError ?? OwnQuotaExceededError;
    return new QuotaExceededError(`This needs ${requested} tokens, the context window has ${quota}.`, {
        quota,
        requested,
    });
}

/** Names by the library's codes. @type {Record<string, string>} */
const NAMES = {
    network: 'NetworkError',
    'not-found': 'NetworkError',
    library: 'NetworkError',
    unsupported: 'NotSupportedError',
    'bad-constraint': 'NotSupportedError',
    closed: 'InvalidStateError',
    'no-memory': 'OperationError',
    'no-room': 'OperationError',
    storage: 'OperationError',
    'bad-file': 'OperationError',
};

/**
 * @param {any} error   anything that was thrown
 * @param {string} [other]   for codes that have no name here
 * @returns {any}
 */
export function toException(error, other = 'UnknownError') {
    if (!(error instanceof GemmaError)) return error;
    const {code, message, requested, contextLength} = error;
    if (code === 'context-full') return quotaExceeded(requested ?? 0, contextLength ?? 0);
    return exception(NAMES[code] ?? other, message, error);
}
