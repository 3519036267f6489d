// One request to a web server, and what can be said of its answer.
//
// Owns fetch, and is with http.js the only code that asks another origin: for the one model that the user chose, and
// nothing else. Knows nothing of files in pieces.

import {GemmaError} from '../engine/error.js';

/**
 * @typedef {GemmaError & {passing?: boolean, retryAfterMs?: number}} RequestError   passing: it may go well the next time
 */

/** A failure that may pass. @param {string} sentence @param {{cause?: unknown, retryAfterMs?: number}} [options] @returns {RequestError} */
export function passing(sentence, {cause, retryAfterMs = 0} = {}) {
    return Object.assign(new GemmaError('network', sentence, {cause}), {passing: true, retryAfterMs});
}

/**
 * @param {object} options
 * @param {string} options.name          file name, for people
 * @param {Record<string, string>} [options.headers]   sent along, for servers that want a token
 * @param {AbortSignal} [options.signal]
 * @param {number} options.stallMs       without a byte, after which a connection counts as broken
 */
export function createAsker({name, headers = {}, signal, stallMs}) {
    return {ask, packets};

    /**
     * @param {string} url
     * @param {object} [options]
     * @param {string} [options.range]           such as 'bytes=0-99'
     * @param {'GET' | 'HEAD'} [options.method]
     * @param {boolean} [options.knownGood]      this address has given bytes before: a refusal now is a signed address that expired,
     *     a login page in between or a server that stumbles, and asking again may help
     * @returns {Promise<Response>} an ok one, or 416; rejects with RequestError
     */
    async function ask(url, {range, method = 'GET', knownGood = false} = {}) {
        const site = new URL(url).host;
        const stalling = new AbortController();
        const timer = setTimeout(() => stalling.abort(), stallMs);
        let response;
        try {
            // The chunk store is the cache: a second copy in the browser's own would only take the room.
            response = await fetch(url, {
                method, headers: {...headers, ...range && {Range: range}}, cache: 'no-store', credentials: 'same-origin',
                signal: signal ? AbortSignal.any([signal, stalling.signal]) : stalling.signal,
            });
        } catch (cause) {
            if (signal?.aborted) throw signal.reason;
            if (stalling.signal.aborted) throw passing(`${site} does not answer; try again later.`, {cause});
            const elsewhere = globalThis.location?.origin !== new URL(url).origin;
            const sentence = `${site} cannot be reached${elsewhere ? `, or it does not allow other sites to read ${name}` : ''}.`;
            throw knownGood ? passing(sentence, {cause}) : new GemmaError('network', sentence, {cause});
        } finally {
            clearTimeout(timer);
        }
        if (response.ok && !/^text\/html/i.test(response.headers.get('Content-Type') ?? '')) return response;
        if (response.status === 416) return response;
        drop(response);
        throw refusal(url, site, response, knownGood);
    }

    function refusal(url, site, {ok, status, headers: answered}, knownGood) {
        if (ok) {
            const sentence = `${url} is a web page, not a model file; use the address of the GGUF file itself.`;
            return knownGood ? passing(sentence) : new GemmaError('bad-file', sentence);
        }
        if (status === 404 || status === 410) return new GemmaError('not-found', `${name} was not found: ${site} answered ${status}.`);
        if (status === 401 || status === 403) {
            const sentence = `${site} refuses to give out ${name} (${status}): it may want a login or ` +
                'an accepted licence; download the file there and open it from your disk.';
            return knownGood ? passing(sentence) : new GemmaError('network', sentence);
        }
        const sentence = `${site} answered ${status} when asked for ${name}; try again later.`;
        if (status !== 408 && status !== 429 && status < 500) return new GemmaError('network', sentence);
        return passing(sentence, {retryAfterMs: readRetryAfter(answered.get('Retry-After'))});
    }

    /** The bytes of an answer as they come. Leaving the loop ends the connection. @param {string} site   for people */
    async function* packets(response, site) {
        const reader = response.body.getReader();
        try {
            for (;;) {
                const {done, value} = await withinTime(reader.read()).catch((cause) => {
                    if (signal?.aborted) throw signal.reason;
                    throw passing(`The connection to ${site} broke in the middle of ${name}; try again.`, {cause});
                });
                if (done) return;
                yield value;
            }
        } finally {
            reader.cancel().catch(() => {});
        }
    }

    function withinTime(promise) {
        let timer;
        const late = new Promise((resolve, reject) => {
            timer = setTimeout(() => reject(new Error(`nothing came for ${stallMs} ms`)), stallMs);
        });
        return Promise.race([promise, late]).finally(() => clearTimeout(timer));
    }
}

/** Lets an answer go without reading it. */
export function drop(response) {
    response?.body?.cancel().catch(() => {});
}

/** @returns {string} what the server calls this version of the file */
export function validatorOf(response) {
    return response.headers.get('ETag') ?? response.headers.get('Last-Modified') ?? '';
}

/** What a partial answer holds, as far as we are shown it. @returns {{start?: number, total?: number}} */
export function contentRange(response) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '') ?? [];
    return start === undefined ? {} : {start: Number(start), total: Number(total)};
}

/**
 * The SHA-256 of the whole file that a server publishes with an answer; '' when it doesn't. Hugging Face's ETag of 64 digits is one
 * for some files and another kind of digest for others: it is not taken.
 */
export function publishedDigest(response) {
    const linked = /^"?([0-9a-f]{64})"?$/i.exec(response.headers.get('X-Linked-ETag') ?? '');
    if (linked) return linked[1].toLowerCase();
    const fields = `${response.headers.get('Repr-Digest') ?? ''},${response.headers.get('Digest') ?? ''}`;
    const [, base64] = /(?:^|,)\s*sha-256=:?([A-Za-z0-9+/]{43}=)/i.exec(fields) ?? [];
    return base64 ? Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('') : '';
}

/**
 * The SHA-256 that a Hugging Face repository keeps of a large file, in the pointer that stands for it in git.
 * @param {string} url
 * @param {(url: string) => Promise<Response>} ask
 * @returns {Promise<string>} in hex; '' when there is none
 */
export async function askPointer(url, ask) {
    const pointer = url.replace(/^(https?:\/\/[^/]+\/[^/]+\/[^/]+)\/resolve\//, '$1/raw/');
    if (pointer === url) return '';
    try {
        const response = await ask(pointer);
        if (Number(response.headers.get('Content-Length')) > 1000) {
            drop(response);
            return '';
        }
        return /^version https:\/\/git-lfs[^]*^oid sha256:([0-9a-f]{64})$/m.exec(await response.text())?.[1] ?? '';
    } catch {
        return '';      // nobody promised one
    }
}

/** @param {string | null} value   seconds, or a date @returns {number} milliseconds */
function readRetryAfter(value) {
    if (!value) return 0;
    const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return ms > 0 ? ms : 0;
}

/** The last part of an address's path, as people write it. */
export function fileName(url) {
    const last = new URL(url).pathname.split('/').pop();
    try {
        return decodeURIComponent(last) || 'model.gguf';
    } catch {
        return last;
    }
}
