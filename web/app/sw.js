// The service worker: keeps the page (not the models, which live in IndexedDB) so that it opens with the network
// off, and gives every file the headers that make the page cross-origin isolated, for hosts that can't send them.
//
// A version is kept whole: all its files are fetched at once, and it takes over when no older page is open any more
// or when the user asks for it, so that files of two versions never meet.

// The site's server replaces this line by the files' list and their hash (web/node/site.js).
const VERSION = 'none', SHELL = ['./'];

const CACHE = `gemma-${VERSION}`;
const HEADERS = {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
};
// Workers don't inherit the page's policy, so their files must carry one.
const CONTENT_SECURITY_POLICY = "default-src 'self'; connect-src 'self' https: http://localhost:*; script-src 'self' 'wasm-unsafe-eval'";

/** Its copy here may be older than the server's: asked for anew when the network is there. */
const CATALOGUE = new URL('models.json', self.location).href;

self.addEventListener('install', (event) => event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await Promise.all(SHELL.map(async (path) => {
        const response = await fetch(path, {cache: 'no-cache'});
        if (!response.ok) throw new Error(`${path}: ${response.status}`);
        await cache.put(path, withHeaders(response));
    }));
})()));

self.addEventListener('activate', (event) => event.waitUntil((async () => {
    for (const name of await caches.keys())
        if (name.startsWith('gemma-') && name !== CACHE) await caches.delete(name);
    await self.clients.claim();
})()));

self.addEventListener('message', ({data}) => {
    if (data === 'activate') self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
    const {request} = event;
    const url = new URL(request.url);
    const model = url.pathname.endsWith('.gguf') || request.headers.has('Range');
    if (request.method === 'GET' && url.origin === self.location.origin && !model) event.respondWith(answer(request, url));
});

async function answer(request, url) {
    const cache = await caches.open(CACHE);
    if (url.href === CATALOGUE) return fetch(request).catch(() => cache.match(request));
    // The page is one document: its address may carry a query or a fragment.
    return await cache.match(request, {ignoreSearch: request.mode === 'navigate'}) ?? fetch(request).then(withHeaders);
}

/** The same response with the headers of an isolated page. A new one also forgets a redirect, which a page must not have. */
function withHeaders(response) {
    if (response.type === 'opaque' || response.status === 0) return response;
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    return new Response(response.body, {status: response.status, statusText: response.statusText, headers});
}
