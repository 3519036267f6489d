// The service worker's side of the page: registers it, offers new versions, and reloads once where only the service
// worker can make the page cross-origin isolated (hosts that can't send COOP and COEP headers).

import {byId} from './dom.js';

const RELOADED = 'gemma-reloaded-for-isolation';

/**
 * @param {() => boolean} busy   true while a reload would lose something
 */
export async function install(busy) {
    const container = navigator.serviceWorker;
    if (!container) return;     // not a secure address, or switched off: the page works, online and with one thread

    let updating = false;
    container.addEventListener('controllerchange', () => {
        if (updating) location.reload();
        else reloadForIsolation(busy);
    });
    const registration = await container.register('sw.js').catch(() => undefined);
    if (!registration) return;
    if (container.controller) reloadForIsolation(busy);

    const offer = () => {
        if (!registration.waiting || !container.controller) return;
        byId('update').hidden = false;
        byId('update-now').onclick = () => {
            updating = true;
            registration.waiting.postMessage('activate');
        };
    };
    offer();
    registration.addEventListener('updatefound', () => registration.installing?.addEventListener('statechange', offer));
}

/** Once per tab: where it does not help (an old browser, a frame), the page stays as it is and runs one thread. */
function reloadForIsolation(busy) {
    if (window.crossOriginIsolated || busy()) return;
    try {
        if (sessionStorage.getItem(RELOADED)) return;
        sessionStorage.setItem(RELOADED, '1');
    } catch {
        return;         // no memory, no guard against reloading for ever
    }
    location.reload();
}
