// The requests of the app, in order: what the browser says of the page's files, what the library says of
// models and workers. Draws nothing.

import {Gemma} from '../../gemma.js';
import {fileName} from '../../weights/file/names.js';
import {newId} from './ids.js';

/**
 * @typedef {Omit<import('../../base/asked.js').Asked, 'kind'> & {kind: string, isHere?: boolean}}
 *     Request   isHere: it came from this device, not over the network
 *
 * @typedef {{name: string, requests: Request[], bytes: number}} Group   name: of a file, '' for the app's own
 * @typedef {{origin: string, host: string, isOwn: boolean, groups: Group[], count: number, here: number,
 *     bytes: number}} Server   count: over the network; here: the others
 */

/** What the page's files are, by their endings. @type {Record<string, string>} */
const KINDS = {js: 'script', css: 'style', svg: 'picture', png: 'picture', ico: 'picture'};
const tab = newId(), {href: folder} = new URL('.', document.baseURI);

/** Of this tab and its workers. @returns {{opened: number, requests: Request[]}} */
export function ownRequests() {
    const known = Gemma.requests(),
        models = new Set(known.filter(({kind}) => kind === 'model').map(({url}) => url));
    const entries = /** @type {PerformanceResourceTiming[]} */ (
        [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]);
    const kindOf = (/** @type {PerformanceResourceTiming} */ {initiatorType, name}) =>
        initiatorType === 'navigation' ? 'page' : KINDS[/\w+$/.exec(new URL(name).pathname)?.[0] ?? '']
        ?? 'data';
    const files = entries.filter(({name}) => !models.has(name)).map((entry, i) => ({
        id: `${tab}-${i}`, at: performance.timeOrigin + entry.startTime, url: entry.name, kind: kindOf(entry),
        status: entry.responseStatus, bytes: entry.transferSize,
    }));
    const listed = new Set([...files, ...known.filter(({kind}) => kind === 'file')].map(({url}) => url));
    const others = known.filter(({kind, url}) => kind !== 'worker' || !listed.has(url));
    return {opened: performance.timeOrigin, requests: [...files, ...others].map(placed)};
}

/**
 * Of this site, what no byte came of over the network was kept here, by the browser or by the service worker;
 * and only that one knows addresses below v-VERSION/ (sw.js). What it must fetch for them it tells itself.
 * WebKit gives no status, and of an answer that only says that a copy is good no byte: that counts as asked.
 * @param {Request} request @returns {Request}
 */
function placed(request) {
    const {url, kind, bytes, status, refused} = request, {origin} = new URL(url);
    if (status === 0 && !refused && !isAllowed(url)) return {...request, refused: 'connect-src'};
    const isVersioned = url.startsWith(`${folder}v-`),
        isPage = kind === 'page' && navigator.serviceWorker?.controller;
    const isKept = kind !== 'model' && !refused && (isVersioned || !bytes && (status || isPage));
    return isKept && origin === location.origin ? {...request, bytes: 0, isHere: true} : request;
}

/**
 * Whether the page's own policy may let a request through: WebKit does not tell a worker that it refuses one.
 * @param {string} url
 */
function isAllowed(url) {
    const {origin, protocol, hostname} = new URL(url),
        policy = /** @type {HTMLMetaElement | null} */ (
            document.querySelector('meta[http-equiv=Content-Security-Policy]'));
    const [, sources] = /connect-src ([^;]*)/.exec(policy?.content ?? '') ?? [];
    return !sources || sources.split(' ').some((source) => source === "'self'" ? origin === location.origin
        : [protocol, origin, `${protocol}//${hostname}:*`].includes(source)
            || !/^(https?:(\/\/[^/*]+(:\*)?)?|blob:|data:|'none')$/.test(source));
}

/**
 * By servers, this site's first; and what was never sent.
 * @param {Request[]} requests @param {string} ownOrigin
 * @returns {{servers: Server[], refused: Request[]}}
 */
export function byServer(requests, ownOrigin) {
    // A page that has its policy twice, in a header and in itself, hears of each refusal twice.
    const refused = [...new Map(requests.filter((request) => request.refused)
        .map((request) => [`${request.url} ${request.refused}`, request])).values()];
    const never = new Set(refused.filter((request) => request.refused === 'connect-src')
        .map(({url}) => new URL(url).origin));
    /** @type {Map<string, Server>} */
    const servers = new Map();
    const add = (/** @type {string} */ url, /** @type {Request} */ request) => {
        const {origin, host} = new URL(url), isOwn = origin === ownOrigin;
        const server = servers.get(origin) ?? {origin, host, isOwn, groups: [], count: 0, here: 0, bytes: 0},
            name = request.kind === 'model' ? fileName(url) : '';
        let group = server.groups.find((one) => one.name === name);
        if (!group) server.groups.push(group = {name, requests: [], bytes: 0});
        group.requests.push(request);
        group.bytes += request.bytes ?? 0;
        server.bytes += request.bytes ?? 0;
        if (request.isHere) server.here++;
        else server.count++;
        servers.set(origin, server);
    };
    for (const request of requests) {
        const {url, from, status} = request;
        if (request.refused || never.has(new URL(url).origin) && !status) continue;
        add(url, from ? {...request, bytes: 0} : request);
        if (from) add(from, {...request, url: from, from: undefined});
    }
    return {servers: [...servers.values()].sort((a, b) => Number(b.isOwn) - Number(a.isOwn)), refused};
}
