// The service worker's side of the page: registers it, says which version this page is, offers new versions,
// and reloads once where only the service worker can make the page cross-origin isolated (hosts that can't
// send COOP and COEP headers).

import {trustedScript} from './trusted.js';
import {within} from './views/dom.js';

const SETTLED_MS = 5000, HOUR_MS = 3_600_000;
const SCOPE = new URL('.', document.baseURI).pathname;

/**
 * This page's version where the service worker gave it its files, see sw.js; '' for one that came before
 * there was a worker.
 */
const [, version = ''] = /^v-(\w+)\//.exec(import.meta.url.slice(new URL('.', document.baseURI).href.length))
    ?? [];
const current = version || document.documentElement.dataset.version;

/**
 * @param {ParentNode} root
 * @param {() => boolean} busy   true while a reload would lose something
 */
export async function install(root, busy) {
    const container = navigator.serviceWorker, at = within(root);
    at('update-now').onclick = () => location.reload();
    at('update-later').onclick = () => {
        at('update').hidden = true;
        at('message').focus({preventScroll: true});
    };
    // not a secure address, or switched off: the page works, online and with one thread
    if (!container) return;

    // Held for as long as the page is open: its version stays.
    navigator.locks?.request(`gemma-wasm ${version} ${SCOPE}`, {mode: 'shared'}, () => new Promise(() => {}))
        .catch(() => {});
    const worker = new URL('sw.js', document.baseURI).href;
    /** Not that of a folder above. */
    const controller = () => container.controller?.scriptURL === worker ? container.controller : undefined;
    /** @type {ServiceWorkerRegistration | undefined} */
    let registration;
    let updating = false;
    const offer = () => { at('update').hidden = false; };
    const greet = () => {
        if (!window.crossOriginIsolated && controller()) reloadOnce('isolation', busy);
        controller()?.postMessage('started');
        // then the page that this one replaces is gone, too
        setTimeout(() => controller()?.postMessage('settled'), SETTLED_MS);
    };
    at('update-now').onclick = () => {
        // another tab has begun the update: this one follows
        if (!registration?.waiting) return location.reload();
        updating = true;
        registration.waiting.postMessage('activate');
    };
    container.addEventListener('message', ({data, source}) => {
        if (data === 'gone' && !busy()) location.reload();      // the server is another one now
        if (data === 'gone' || data === current
            || /** @type {ServiceWorker | null} */ (source)?.scriptURL !== worker) return;
        // A page without a version would get files of the other version.
        if (version || !reloadOnce('version', busy)) offer();
    });
    container.addEventListener('controllerchange', () => updating ? location.reload() : greet());
    greet();
    registration = await container.register(trustedScript(worker)).catch(() => undefined);
    if (!registration) return;

    // A first worker waits for nothing. WebKit may make it the page's controller while it still calls
    // it waiting.
    const look = () => registration.waiting && registration.active && controller() && offer();
    look();
    registration.addEventListener('updatefound',
        () => registration.installing?.addEventListener('statechange', look));
    // An installed app may stay open for days.
    setInterval(() => registration.update().catch(() => {}), HOUR_MS);
}

/**
 * After a part of the page could not be fetched: offers the version that the server has now, where that is
 * another one.
 * @param {ParentNode} root
 */
export async function lookForNewer(root) {
    try {
        await (await navigator.serviceWorker?.getRegistration())?.update();      // it offers what it finds
        const html = await (await fetch(SCOPE, {cache: 'no-store'})).text();
        if (html.includes('data-version') && !html.includes(`"${current}"`))
            within(root)('update').hidden = false;
    } catch {
        // There is no network: nothing to offer.
    }
}

/**
 * Once per tab and reason: where it does not help (an old browser, a frame), the page stays as it is.
 * @param {string} why @param {() => boolean} busy
 * @returns {boolean} whether it reloads
 */
function reloadOnce(why, busy) {
    const key = `gemma-reloaded-for-${why} ${SCOPE}`;
    try {
        if (busy() || sessionStorage.getItem(key)) return false;
        sessionStorage.setItem(key, '1');
    } catch {
        return false;       // no memory, no guard against reloading for ever
    }
    location.reload();
    return true;
}
