// The service worker: keeps the page (not the models, which live in IndexedDB) so that it opens with the
// network off, and gives every file the headers that make the page cross-origin isolated, for hosts that
// can't send them.
//
// A version is kept whole, in a separate cache: all its files that this browser may need are fetched at once,
// and each is compared with its digest, so that files of two versions never meet. Another engine module or
// another language is fetched when it is first asked for, compared as well, and kept from then on. A version
// takes over when no older page is open any more, or when a person asks for it.
//
// A page keeps its own version: its scripts have addresses below v-VERSION/, which only this worker knows,
// and an older version's cache stays until its last page is gone. Each page says which version it is by
// holding a lock with the name of that cache (install.js). A page that came before there was a worker has
// plain addresses, and gets the oldest version, the one that was installed beside it: while such a page is
// open, nothing is deleted.
//
// What another app shares comes as a form (manifest.webmanifest). It waits in a separate cache until the
// page takes it (sharing.js). Any site may send such a form: so it is bounded, it only becomes an unsent
// message, and it is gone after a day.
//
// Everything else of this host is none of its business: other pages, and another server at this address.

// The build and the development server replace these lines by the files' list, their hash, the digest of each
// file, and the page's Content-Security-Policy (web/node/site.js): workers don't inherit it, so each file
// is given it.
// A version that is no such hash, since somebody has changed a file on the host, has files that are
// not compared.
const VERSION = 'none', SHELL = ['./'];
const DIGESTS = '';
const POLICY = "default-src 'self'";

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const SCOPE = new URL('./', worker.location.href);
const NAME = 'gemma-wasm';
/** Future versions must name their caches and locks like this, too. @param {string} version */
const cacheOf = (version) => `${NAME} ${version} ${SCOPE.pathname}`;
const CACHE = cacheOf(VERSION);
const DIGEST_LENGTH = 22, COMPUTED = /^[0-9a-f]{16}$/;

/** Reports each request of this worker to the pages, which list them (requests.js). */
const told = new BroadcastChannel(`gemma-requests ${SCOPE.pathname}`);

/** @param {RequestInfo | URL} request @param {RequestInit} [options] */
async function ask(request, options) {
    const url = request instanceof Request ? request.url : new URL(request, SCOPE).href, at = Date.now();
    let status = 0, bytes = 0;
    try {
        const response = await fetch(request, options);
        status = response.status;
        bytes = Number(response.headers.get('Content-Length'));
        return response;
    } finally {
        told.postMessage([{id: `${at} ${url}`, at, url, kind: 'service', method: 'GET', status, bytes}]);
    }
}

const HEADERS = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
};

/** What few people use is fetched, and then kept, when it is first used. */
const LATER = /^\.\/app\/pdf(-\w+)?\//;

/**
 * The models that the site offers: data, which may be newer than the version and is compared with nothing.
 */
const CATALOGUE = 'models.json';

/**
 * A module whose one function is relaxed SIMD's f32x4.relaxed_madd: whether this browser knows it decides
 * which engine modules it may run.
 */
const RELAXED = new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0, 10, 13, 1, 11,
    0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 2, 0x0b,
]);

/**
 * What this browser may need with the network off. Not among it: modules that it can't run or need not, those
 * with addresses of 64 bits, which only models above 4 GB have, and languages that are not its own.
 * @param {string} path
 */
function isWanted(path) {
    const [, kernels] = /\/gemma-(\w+)\.wasm$/.exec(path) ?? [],
        [, language] = /\/texts[\w-]*\/(\w+)\.json$/.exec(path) ?? [];
    if (kernels) return (kernels === 'simd128') !== WebAssembly.validate(RELAXED);
    if (language) return language === 'en' || worker.navigator.languages.some((tag) => tag.toLowerCase()
        .split('-')[0] === language);
    return !LATER.test(path) && !/\/gemma64[\w-]*\.\w+$/.test(path);
}

/** @param {string} path */
const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1);
/** Of the files of older versions: what was asked for once may be again. */
async function namesKept() {
    const all = await Promise.all((await ours()).map(async (name) => (await (await caches.open(name)).keys())
        .map(({url}) => nameOf(url))));
    return new Set(all.flat());
}

worker.addEventListener('install', (event) => event.waitUntil((async () => {
    // All of them before any is kept: a deploy in between leaves nothing.
    const used = await namesKept(), paths = SHELL.filter((path) => isWanted(path) || used.has(nameOf(path)));
    const files = await Promise.all(paths.map((path) => bringOne(SHELL.indexOf(path)))),
        cache = await caches.open(CACHE);
    await Promise.all(files.map((file, i) => cache.put(paths[i], file)));
})()));

/** Of the first version here, whose pages have come without a worker. */
const isFirst = !worker.registration.active;

worker.addEventListener('activate', (event) => event.waitUntil((async () => {
    if (!isFirst) return;
    for (const name of await ours()) if (name !== CACHE) await caches.delete(name);
    await worker.clients.claim();
})()));

worker.addEventListener('message', (event) => {
    if (event.data === 'activate') worker.skipWaiting();
    if (event.data === 'settled') event.waitUntil(tidy());
    if (event.data !== 'started' || !(event.source instanceof Client)) return;
    event.source.postMessage(VERSION);
    event.waitUntil(stepAside(event.source));
});

worker.addEventListener('fetch', (event) => {
    const {request} = event, url = new URL(request.url);
    const path = pathOf(url), [, version, file] = /^v-(\w+)\/(.+)/.exec(path) ?? [];
    if (request.method === 'POST' && request.mode === 'navigate' && isBelow(url) && isPage(path)) {
        event.waitUntil(tidyShared());
        return event.respondWith(keepShared(request));
    }
    if (request.method !== 'GET' || !isBelow(url) || request.headers.has('Range')) return;
    if (request.mode === 'navigate') {
        if (isPage(path)) event.respondWith(answerPage(request));
    } else if (version) {
        event.respondWith(answerFile(version, file));
    } else if (path === CATALOGUE) {
        event.respondWith(answerCatalogue(request));
    } else if (SHELL.includes(`./${path}`)) {
        event.respondWith(answerPlain(event));
    }
});

/** @param {URL} url */
const isBelow = ({href}) => href.startsWith(SCOPE.href);
/** @param {URL} url */
const pathOf = ({pathname}) => pathname.slice(SCOPE.pathname.length);
/** @param {string} path */
const isPage = (path) => path === '' || path === 'index.html';
/** @param {string} version @param {string} path */
const kept = (version, path) => caches.match(new URL(path, SCOPE), {cacheName: cacheOf(version)});
/** Names of the caches, the oldest first. */
const ours = async () => (await caches.keys()).filter((name) => name.startsWith(`${NAME} `)
    && name.endsWith(` ${SCOPE.pathname}`));

/** The page is one document: its address may carry a query or a fragment. @param {Request} request */
async function answerPage(request) {
    const response = await kept(VERSION, './');
    if (!response) return ask(request).then(withHeaders);
    const html = await response.text();
    return new Response(html.replaceAll('="app/', `="v-${VERSION}/app/`), {headers: response.headers});
}

/** Where what other apps share waits, as the form that came, by when it came. */
const SHARED = `gemma-shared ${SCOPE.pathname}`;

/** The page that follows takes it, or finds that it was too much. @param {Request} request */
async function keepShared(request) {
    const at = `./?shared=${Date.now()}`;
    try {
        const body = await request.blob(),
            headers = {'Content-Type': request.headers.get('Content-Type') ?? ''};
        if (body.size < 1e9) await (await caches.open(SHARED)).put(at, new Response(body, {headers}));
    } catch {
        // There is no room.
    }
    return Response.redirect(at, 303);
}

/** Of what no page has taken, the last three wait for a day. */
async function tidyShared() {
    if (!await caches.has(SHARED)) return;
    const cache = await caches.open(SHARED), waiting = await cache.keys();
    for (const [i, {url}] of waiting.entries())
        if (i < waiting.length - 3 || Date.now() - Number(url.split('=')[1]) > 864e5) await cache.delete(url);
}

/** A file of a version: never one of another. @param {string} version @param {string} path */
async function answerFile(version, path) {
    const i = version === VERSION ? SHELL.indexOf(`./${path}`) : -1;
    return await kept(version, path)
        ?? (i < 0 ? new Response('This version is gone: reload the page.', {status: 404}) : keepLater(i));
}

/** For pages that came before there was a worker, and for their workers. @param {FetchEvent} event */
async function answerPlain({request, clientId}) {
    if (await isOurs(clientId)) {
        for (const cacheName of await ours()) {
            const response = await caches.match(request.url, {cacheName});
            if (response) return response;
        }
        const i = SHELL.indexOf(`./${pathOf(new URL(request.url))}`);
        if (i >= 0 && !isWanted(SHELL[i])) return keepLater(i);
    }
    return ask(request).then(withHeaders);
}

/**
 * Whether a client is a page of ours or its worker. Only windows are asked for: to tell of a worker, Firefox
 * waits for that worker's answer, and one that still imports its modules, or a thread of the engine that
 * sleeps, gives none. A client that is no window is a worker: it is ours where a page of ours is open.
 * @param {string} id
 */
async function isOurs(id) {
    const windows = await worker.clients.matchAll({type: 'window', includeUncontrolled: true}),
        client = windows.find((one) => one.id === id);
    return client ? isOneOfOurs(client) : windows.some(isOneOfOurs);
}

/** @param {Client} client */
function isOneOfOurs({url}) {
    const at = new URL(url);
    return isBelow(at) && isPage(pathOf(at));
}

/**
 * As the site has it now, and without the network as it was last; the page may ask for that alone, in order
 * not to wait.
 * @param {Request} request
 */
async function answerCatalogue({url, cache}) {
    const response = cache !== 'only-if-cached' && await ask(url, {cache: 'no-cache'}).catch(() => undefined);
    if (!response) return await kept(VERSION, CATALOGUE) ?? Response.error();
    // A page to sign in at is no catalogue.
    if (response.ok && !hasLeft && await response.clone().json().catch(() => undefined)) {
        // there is no room: the last one stays
        await (await caches.open(CACHE)).put(url, withHeaders(response.clone())).catch(() => {});
    }
    return response;
}

/** @param {number} i */
async function keepLater(i) {
    const response = await bringOne(i);
    // there is no room: it is used all the same
    if (!isWanted(SHELL[i]) && !hasLeft) await (await caches.open(CACHE)).put(SHELL[i], response.clone())
        .catch(() => {});
    return response;
}

/** @param {number} i */
const bringOne = (i) => bring(SHELL[i], DIGESTS.substr(i * DIGEST_LENGTH, DIGEST_LENGTH));

/**
 * Fetches a file; a copy on the way that is of another version is passed by.
 * @param {string} path
 * @param {string} digest
 */
async function bring(path, digest) {
    for (const cache of /** @type {const} */ (['no-cache', 'reload'])) {
        const response = await ask(path, {cache});
        if (!response.ok) throw new Error(`${path}: ${response.status}`);
        const bytes = await response.clone().arrayBuffer();
        if (path === `./${CATALOGUE}` || !COMPUTED.test(VERSION) || await digestOf(bytes) === digest)
            return withHeaders(response);
    }
    throw new Error(`${path} is not of version ${VERSION}`);
}

/** @param {ArrayBuffer} bytes */
async function digestOf(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return btoa(String.fromCharCode(...digest)).slice(0, DIGEST_LENGTH);
}

/** Deletes the older versions that no page uses. */
async function tidy() {
    await tidyShared();
    for (const name of await ours()) {
        if (name === CACHE) continue;
        await navigator.locks?.request(name, {ifAvailable: true}, async (lock) => {
            // While an update is under way, another version is not an older one.
            if (!lock || worker.registration.installing || worker.registration.waiting) return;
            const pages = await openPages();
            const windows = (await worker.clients.matchAll({type: 'window', includeUncontrolled: true}))
                .filter(({url}) => isBelow(new URL(url)));
            // A page that has not begun to run holds no lock yet, and one with plain addresses has
            // no version.
            if (windows.length > pages.length || pages.some((page) => page.name === cacheOf(''))) return;
            await caches.delete(name);
        });
    }
}

/** The locks that they hold. */
const openPages = async () => (await navigator.locks?.query())?.held?.filter(({mode, name}) =>
    mode === 'shared' && name?.endsWith(` ${SCOPE.pathname}`)) ?? [];

/** What comes after that is not kept: the page may still ask for the list of models. */
let hasLeft = false;

/**
 * Leaves, with all that it keeps, where the server has no such worker any more: another app may answer
 * there now.
 * @param {Client} page
 */
async function stepAside(page) {
    const response = await ask(worker.location.href, {cache: 'no-cache'}).catch(() => undefined);
    // One that leads elsewhere asks to sign in.
    const isGone = response?.redirected ? false : response?.ok ? !(await response.text()).includes(NAME)
        : response !== undefined && [404, 410].includes(response.status);
    if (!isGone) return;
    hasLeft = true;
    await worker.registration.unregister();
    // Pages that are at work keep their files. A page that was just left may still hold its lock.
    const windows = (await worker.clients.matchAll({type: 'window', includeUncontrolled: true}))
        .map(({id}) => id), pages = await openPages();
    const known = pages.some(({clientId}) => clientId === page.id);
    const atWork = pages.filter(({clientId}) => !known || windows.includes(clientId ?? ''));
    if (atWork.length < 2) for (const name of await ours()) await caches.delete(name);
    page.postMessage('gone');
}

/**
 * The same response with the headers of an isolated page. A new one also forgets a redirect, which a page
 * must not have.
 * @param {Response} response
 */
function withHeaders(response) {
    if (response.type === 'opaque' || response.status === 0) return response;
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', POLICY);
    return new Response(response.body, {status: response.status, statusText: response.statusText, headers});
}
