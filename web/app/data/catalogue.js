// The models that this site offers (models.json). Knows nothing of what is stored, and draws nothing.

/**
 * @typedef {object} Offer
 * @property {string} name
 * @property {string[]} urls     absolute, of the same file; under the first one it is stored
 * @property {number} size       bytes
 * @property {string} [sha256]   of the whole file
 * @property {string} [manifest] absolute: what build/quantize writes beside the file; then each chunk is
 *     compared with its digest
 * @property {'checked' | 'published' | 'unknown'} [digest]   how sure that is; see models.json
 * @property {'base' | 'chat'} [kind]
 * @property {number} [context]  tokens
 * @property {string} [type]     of most weights
 * @property {import('../../engine/probe.js').Shape} [shape]   without, nothing is known of it before it
 *     is loaded
 * @property {string | Record<string, string>} [about]   or by the tags of languages, with 'en' among them
 * @property {{name: string, url: string, policy?: {name: string, url: string}}} [licence]   accepted by
 *     downloading; policy: what belongs to it
 */

/**
 * The list as the service worker keeps it, then as the site has it now: what is here does not wait for
 * the network.
 * @param {(offers: Offer[]) => Promise<void>} onOffers   called for each of the two, if it is another one
 */
export async function readCatalogue(onOffers) {
    /** @type {RequestInit[]} */
    const ways = [{cache: 'no-cache'}];
    if (navigator.serviceWorker?.controller) ways.unshift({cache: 'only-if-cached', mode: 'same-origin'});
    /** @type {string | undefined} */
    let shown;
    for (const way of ways) {
        const text = await fetch('models.json', way).then((response) => response.text())
            .catch(() => undefined);
        const offers = text === undefined || text === shown ? undefined : parse(text);
        if (!offers) continue;
        shown = text;
        await onOffers(offers);
    }
}

/**
 * @param {string} text
 * @returns {Offer[] | undefined} undefined for what is no such list, as a web page that says so
 */
function parse(text) {
    const absolute = (/** @type {string} */ url) => new URL(url, document.baseURI).href;
    try {
        return JSON.parse(text).models.map((/** @type {Offer} */ {urls, manifest, ...offer}) =>
            ({...offer, urls: urls.map(absolute), ...manifest && {manifest: absolute(manifest)}}));
    } catch {
        return undefined;
    }
}

/** What Gemma.load takes. @param {Offer} offer @returns {import('../../gemma.js').ModelSource} */
export function loadable(offer) {
    const {shape} = offer;
    return shape ? {...offer, shape} : offer.manifest ?? offer.urls[0];
}
