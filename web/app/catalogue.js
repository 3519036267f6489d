// The models that this site offers (models.json). Knows nothing of what is stored, and draws nothing.

/**
 * @typedef {object} Offer
 * @property {string} name
 * @property {string[]} urls     absolute, of the same file; under the first one it is stored
 * @property {number} size       bytes
 * @property {string} [sha256]   of the whole file
 * @property {string} [manifest] absolute: what build/quantize writes beside the file; then each chunk is compared with its digest
 * @property {'checked' | 'published' | 'unknown'} [digest]   how sure that is; see models.json
 * @property {'base' | 'chat'} [kind]
 * @property {number} [context]  tokens
 * @property {string} [type]     of most weights
 * @property {import('../engine/probe.js').Shape} [shape]   without, nothing is known of it before it is loaded
 * @property {string} [about]
 * @property {{name: string, url: string}} [licence]   accepted by downloading
 */

/** @returns {Promise<Offer[]>} none without the network, unless the service worker keeps the list */
export async function readCatalogue() {
    try {
        const {models} = await (await fetch('models.json')).json();
        const absolute = (url) => new URL(url, document.baseURI).href;
        return models.map(({urls, manifest, ...offer}) => ({...offer, urls: urls.map(absolute), ...manifest && {manifest: absolute(manifest)}}));
    } catch {
        return [];
    }
}

/** What Gemma.load takes. @param {Offer} offer */
export function loadable(offer) {
    return offer.shape ? offer : offer.manifest ?? offer.urls[0];
}
