// asked.js: what this page, or this worker, has asked of the network, for those who want to see it. A worker
// tells its page.
//
// Owns: the list. Must not know: what is asked for, and who shows it.

/**
 * One request.
 * @typedef {object} Asked
 * @property {string} id          of this list, the same while more becomes known of it
 * @property {number} at          milliseconds since 1970
 * @property {string} url
 * @property {'model' | 'file' | 'worker'} kind   of a model, a file of the engine, or the script of a worker
 * @property {string} [method]
 * @property {string} [range]     the part of the file that was asked for: 'bytes=0-99'
 * @property {number} [status]    of the answer; 0 where none came
 * @property {number} [bytes]     that came over the network, as far as it is known
 * @property {string} [from]      the address that answered, where another one did
 * @property {string} [refused]   the directive of the Content-Security-Policy by which it was never sent
 */

const LEAST_NEWS = 1 << 20;     // bytes between two words of what comes
const MOST = 10_000;            // the oldest are forgotten

const realm = Math.random().toString(36).slice(2);
let last = 0;
/** @type {Map<string, Asked>} */
const all = new Map();
/** @type {Set<(asked: Asked) => void>} */
const listeners = new Set();
/** @type {WeakMap<Response, Asked>} */
const answers = new WeakMap();

/** It is new, or more is known of it. @param {Asked} asked */
export function take(asked) {
    all.set(asked.id, asked);
    if (all.size > MOST) all.delete(String(all.keys().next().value));
    for (const listener of listeners) listener(asked);
}

/** @param {Omit<Asked, 'id' | 'at'> & {at?: number}} given @returns {Asked} */
export function note(given) {
    const asked = {id: `${realm}-${++last}`, at: Date.now(), ...given};
    take(asked);
    return asked;
}

/** @param {(asked: Asked) => void} listener */
export const listen = (listener) => void listeners.add(listener);

/** All of this realm and of the workers that it has started. @returns {Asked[]} */
export const requests = () => [...all.values()].map((asked) => ({...asked}));

/**
 * As fetch, and noted as a model's.
 * @param {string} url
 * @param {RequestInit & {headers: Record<string, string>}} options
 */
export async function ask(url, options) {
    const {method = 'GET', headers: {Range: range}} = options,
        asked = note({url, kind: 'model', method, ...range && {range}});
    try {
        const response = await fetch(url, options);
        asked.status = response.status;
        if (response.url && new URL(response.url).origin !== new URL(url).origin) asked.from = response.url;
        answers.set(response, asked);
        return response;
    } catch (error) {
        asked.status = 0;
        throw error;
    } finally {
        take(asked);
    }
}

/** Bytes of an answer have come. @param {Response} response @param {number} count */
export function arrived(response, count) {
    const asked = answers.get(response);
    if (!asked) return;
    const before = asked.bytes ?? 0, now = asked.bytes = before + count;
    if (!count || Math.floor(before / LEAST_NEWS) !== Math.floor(now / LEAST_NEWS)) take(asked);
}

/** Notes the files that this worker has loaded and will load, as far as the browser says. */
export function noteFiles() {
    if (typeof PerformanceObserver !== 'function') return;
    new PerformanceObserver((list) => {
        const models = new Set([...all.values()].filter(({kind}) => kind === 'model').map(({url}) => url));
        for (const entry of /** @type {PerformanceResourceTiming[]} */ (list.getEntries())) {
            if (models.has(entry.name)) continue;
            note({url: entry.name, kind: 'file', at: performance.timeOrigin + entry.startTime,
                bytes: entry.transferSize, status: entry.responseStatus});
        }
    }).observe({type: 'resource', buffered: true});
}

globalThis.addEventListener?.('securitypolicyviolation', ({blockedURI, effectiveDirective, disposition}) => {
    if (disposition === 'enforce' && /^\w+:\/\//.test(blockedURI))
        note({url: blockedURI, kind: 'file', refused: effectiveDirective});
});
