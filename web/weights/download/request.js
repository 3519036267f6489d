// One request to a web server, and what can be said of its answer.
//
// Owns fetch, and is with http.js the only code that asks another origin: for the one model that the user
// chose, and nothing else. Owns which server may see the caller's headers. Knows nothing of files in pieces.

import {arrived, ask} from '../../base/asked.js';
import {GemmaError} from '../../base/error.js';

/**
 * Of the headers that a caller may give, those that may follow a redirect: browsers keep Authorization from
 * other origins, the rest is no secret.
 */
const MAY_FOLLOW = /^(authorization|accept|accept-language)$/i;
const MOST_REDIRECTS = 20;
const LONGEST_MANIFEST = 16 << 20, LONGEST_POINTER = 1000;
const STALL_MS = 30_000;

/**
 * @typedef {object} Failing          what else an error says of a request
 * @property {boolean} [passing]      it may go well the next time
 * @property {boolean} [busy]         it may go well when the host has less to do
 * @property {number} [retryAfterMs]  the host asks for a pause
 * @property {boolean} [isOther]      the answer is of another version of the file
 * @property {number} [own]           bytes that this request has brought
 * @property {boolean} [isOneTooMany] it was one request too many at once
 *
 * @typedef {GemmaError & Failing} RequestError
 *
 * @typedef {object} Access
 * @property {string} home        the model's own address: only its origin gets the caller's headers
 * @property {Record<string, string>} [headers]   sent along, for servers that want a token
 * @property {AbortSignal} [signal]
 * @property {number} [stallMs]   without a byte, after which a connection counts as broken
 */

/**
 * A failure that may pass.
 * @param {string} sentence
 * @param {{cause?: unknown, busy?: boolean, retryAfterMs?: number}} [options]
 * @returns {RequestError}
 */
export function passing(sentence, {cause, busy = true, retryAfterMs = 0} = {}) {
    return Object.assign(new GemmaError('network', sentence, {cause}), {passing: true, busy, retryAfterMs});
}

/** Asks for one file. */
export class Asker {
    #name;
    #home;
    #headers;
    #signal;
    #stallMs;

    /** @param {Access & {name: string}} options   name: of the file, for people */
    constructor({name, home, headers = {}, signal, stallMs = STALL_MS}) {
        this.#name = name;
        this.#home = home;
        this.#headers = headers;
        this.#signal = signal;
        this.#stallMs = stallMs;
    }

    /**
     * @param {string} url
     * @param {object} [options]
     * @param {string} [options.range]           such as 'bytes=0-99'
     * @param {'GET' | 'HEAD'} [options.method]
     * @param {boolean} [options.isModel]        where the answer begins with the file's first byte, that is
     *     a GGUF's
     * @param {boolean} [options.knownGood]      this address has given bytes before: a refusal now is a
     *     signed address that expired, a login page in between or a server that stumbles, and asking
     *     again may help
     * @returns {Promise<Response>} an ok one, or 416; rejects with RequestError
     */
    async ask(url, {range, method = 'GET', isModel = true, knownGood = false} = {}) {
        const response = await this.#send(url, range, method, knownGood);
        if (response.status === 416) return response;
        const {host} = new URL(url), begins = response.status !== 206 || /^bytes=0-/.test(range ?? '');
        const isText = /^text\/html/i.test(response.headers.get('Content-Type') ?? '');
        const isPage = isModel && begins && method === 'GET' && isText && !await this.#isGguf(response, host);
        if (response.ok && !isPage) return response;
        drop(response);
        throw this.#refusal(url, response, knownGood);
    }

    /**
     * The bytes of an answer as they come. Leaving the loop ends the connection.
     * @param {Response} response
     * @param {string} site   for people
     */
    async* packets(response, site) {
        const reader = response.body?.getReader();
        if (!reader) return;
        try {
            for (;;) {
                const {done, value} = await this.#withinTime(reader.read()).catch((cause) => {
                    if (this.#signal?.aborted) throw this.#signal.reason;
                    throw passing(
                        `The connection to ${site} broke in the middle of ${this.#name}; try again.`, {cause});
                });
                if (done) return;
                arrived(response, value.length);
                yield value;
            }
        } finally {
            arrived(response, 0);
            reader.cancel().catch(() => {});
        }
    }

    /**
     * @param {string} url
     * @param {string | undefined} range
     * @param {'GET' | 'HEAD'} method
     * @param {boolean} knownGood
     */
    async #send(url, range, method, knownGood) {
        const {host} = new URL(url), signal = this.#signal, stalling = new AbortController();
        const timer = setTimeout(() => stalling.abort(), this.#stallMs);
        try {
            return await this.#follow(url, range ? {Range: range} : {}, {
                // The chunk store is the cache: a second copy in the browser's own would only take storage.
                method, cache: 'no-store', credentials: 'same-origin',
                signal: signal ? AbortSignal.any([signal, stalling.signal]) : stalling.signal,
            });
        } catch (cause) {
            if (signal?.aborted) throw signal.reason;
            if (cause instanceof GemmaError) throw cause;
            if (stalling.signal.aborted) throw passing(`${host} does not answer; try again later.`, {cause});
            const {sentence, refused} = await whyNot(url, this.#name);
            throw Object.assign(passing(sentence, {cause}), {passing: knownGood, ...refused && {refused}});
        } finally {
            clearTimeout(timer);
        }
    }

    /**
     * The caller's headers go to the origin of the model's own address alone: not to mirrors or parts, nor
     * where a redirect leads.
     * @param {string} url @param {Record<string, string>} range @param {RequestInit} options
     */
    async #follow(url, range, options) {
        let own = new URL(url).origin === new URL(this.#home).origin ? this.#headers : {};
        const secret = Object.keys(own).filter((key) => !MAY_FOLLOW.test(key));
        if (!secret.length) return ask(url, {...options, headers: {...own, ...range}});
        for (let at = url, hops = 0; hops <= MOST_REDIRECTS; hops++) {
            const response = await ask(at, {...options, headers: {...own, ...range}, redirect: 'manual'});
            const next = response.status >= 300 && response.status < 400 && response.headers.get('Location');
            if (response.type !== 'opaqueredirect' && !next) return response;
            drop(response);
            if (!next) {        // a browser does not say where it leads
                throw new GemmaError('network',
                    `${new URL(at).host} redirects the request for ${this.#name}, and a browser would send ` +
                    `${secret.join(', ')} wherever that leads; send the token as Authorization, or give the address to which it leads.`, {refused: true});
            }
            const target = new URL(next, at);
            if (target.origin !== new URL(at).origin) own = {};
            at = target.href;
        }
        throw new GemmaError('network',
            `${new URL(url).host} redirects the request for ${this.#name} more than ${MOST_REDIRECTS} times.`);
    }

    /**
     * Looks at the first bytes of an answer, which stays to be read: servers label a GGUF as anything.
     * @param {Response} response
     * @param {string} site
     */
    async #isGguf(response, site) {
        let text = '';
        if (!response.ok || !response.body) return false;
        for await (const packet of this.packets(response.clone(), site)) {
            text += String.fromCharCode(...packet.subarray(0, 4));
            if (text.length >= 4) break;
        }
        return text.startsWith('GGUF');
    }

    /** @param {string} url @param {Response} response @param {boolean} knownGood */
    #refusal(url, {ok, status, headers}, knownGood) {
        const name = this.#name, {host} = new URL(url);
        if (ok) {
            const sentence = `${url} is a web page, not a model file; use the address of the GGUF file itself.`;
            return knownGood ? passing(sentence, {busy: false}) : new GemmaError('bad-file', sentence);
        }
        if (status === 404 || status === 410)
            return new GemmaError('not-found', `${name} was not found: ${host} answered ${status}.`);
        if (status === 401 || status === 403) {
            const sentence = `${host} refuses to give out ${name} (${status}): it may want a login or ` +
                'an accepted licence; download the file there and open it from your disk.';
            return knownGood ? passing(sentence, {busy: false}) : new GemmaError('network', sentence,
                {refused: true});
        }
        const sentence = `${host} answered ${status} when asked for ${name}`;
        if (status !== 408 && status !== 429 && status < 500)
            return new GemmaError('network', `${sentence}: open its address in the browser to see why.`,
                {refused: true});
        return passing(`${sentence}; try again later.`,
            {retryAfterMs: readRetryAfter(headers.get('Retry-After'))});
    }

    /** @template T @param {Promise<T>} promise @returns {Promise<T>} */
    #withinTime(promise) {
        /** @type {ReturnType<typeof setTimeout>} */
        let timer;
        const late = new Promise((resolve, reject) => {
            timer = setTimeout(() => reject(new Error(`nothing came for ${this.#stallMs} ms`)),
                this.#stallMs);
        });
        return Promise.race([promise, late]).finally(() => clearTimeout(timer));
    }
}

/**
 * Origins that this page's own policy refuses: browsers say so apart from the request that fails.
 * @type {Set<string>}
 */
const forbidden = new Set();
globalThis.addEventListener?.('securitypolicyviolation', ({blockedURI}) => {
    if (URL.canParse(blockedURI)) forbidden.add(new URL(blockedURI).origin);
});
const POLICY_MS = 100;      // until it is known

/**
 * Why a request failed before there was an answer, which fetch does not say.
 * @param {string} url @param {string} name   of the file
 * @returns {Promise<{sentence: string, refused?: boolean}>}   refused: not by the network
 */
async function whyNot(url, name) {
    const {host, origin, protocol, hostname} = new URL(url), page = globalThis.location;
    const isLocal = /^(localhost|127\.|\[::1\])/.test(hostname);
    if (page) await new Promise((resolve) => setTimeout(resolve, POLICY_MS));
    if (forbidden.has(origin)) {
        const advice = isLocal ? 'write localhost in its place'
            : protocol === 'http:' ? 'give an https address, or one of this site' : 'allow it in that policy';
        return {
            refused: true,
            sentence: `This page's own policy (connect-src of its Content-Security-Policy) does not allow requests to ${origin}: ${advice}.`,
        };
    }
    if (page?.protocol === 'https:' && protocol === 'http:' && !isLocal)
        return {
            refused: true,
            sentence: `A page that came by https cannot ask ${origin}: give an https address of ${name}.`,
        };
    const elsewhere = !page || page.origin === origin ? ''
        : `, or it does not allow other sites to read ${name}`;
    const offline = globalThis.navigator?.onLine === false ? '; this browser says that there is no network'
        : '';
    return {sentence: `${host} cannot be reached${elsewhere}${offline}.`};
}

/** Lets an answer go without reading it. @param {Response} response */
export function drop(response) {
    response.body?.cancel().catch(() => {});
}

/**
 * A text of at most `most` bytes.
 * @param {string} url @param {number} most @param {Access} access
 * @returns {Promise<string>}
 */
async function askText(url, most, access) {
    const asker = new Asker({name: url, ...access}), decoder = new TextDecoder();
    let text = '', left = most;
    for await (const packet of asker.packets(await asker.ask(url, {isModel: false}), new URL(url).host)) {
        left -= packet.length;
        if (left < 0) throw new GemmaError('bad-file',
            `${url} has more than the ${most} bytes that are expected of such a file.`);
        text += decoder.decode(packet, {stream: true});
    }
    return text + decoder.decode();
}

/** @param {string} url   of a manifest @param {Access} access @returns {Promise<object>} its JSON */
export async function askManifest(url, access) {
    const text = await askText(url, LONGEST_MANIFEST, access);
    try {
        return JSON.parse(text);
    } catch (cause) {
        const {message} = /** @type {Error} */ (cause);
        throw new GemmaError('bad-file', `${url} is not the manifest of a model: ${message}.`, {cause});
    }
}

/**
 * The SHA-256 that a Hugging Face repository keeps of a large file, in the pointer that stands for it in git.
 * @param {string} url
 * @param {Access} access
 * @returns {Promise<string>} in hex; '' when there is none
 */
export async function askPointer(url, access) {
    const pointer = url.replace(/^(https?:\/\/[^/]+\/[^/]+\/[^/]+)\/resolve\//, '$1/raw/');
    if (pointer === url) return '';
    try {
        const text = await askText(pointer, LONGEST_POINTER, access);
        return /^version https:\/\/git-lfs[^]*^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1] ?? '';
    } catch {
        access.signal?.throwIfAborted();
        return '';      // nobody promised one
    }
}

/**
 * What a partial answer holds, as far as we are shown it.
 * @param {Headers} headers
 * @returns {{start?: number, end?: number, total?: number}}
 */
export function contentRange(headers) {
    const [, start, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get('Content-Range') ?? '')
        ?? [];
    return start === undefined
        ? {} : {start: Number(start), end: Number(last) + 1, ...total !== '*' && {total: Number(total)}};
}

/**
 * How many bytes an answer announces; of a compressed one, this is unknown before its end.
 * @param {Headers} headers
 * @returns {number | undefined}
 */
export function announcedLength(headers) {
    const length = headers.get('Content-Length'), coding = headers.get('Content-Encoding') ?? 'identity';
    return length !== null && coding === 'identity' ? Number(length) : undefined;
}

/** @param {string | null} value   seconds, or a date @returns {number} milliseconds */
function readRetryAfter(value) {
    if (!value) return 0;
    const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return ms > 0 ? ms : 0;
}
