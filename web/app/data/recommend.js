// Which models stand first, and in which order. Pure: knows neither elements nor how models are measured.

/**
 * @typedef {import('./catalogue.js').Offer} Offer
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {Pick<import('../../engine/probe.js').Probe, 'fits' | 'decode'>} Verdict
 *
 * @typedef {{offer?: Offer, verdict?: Verdict, missing?: Offer}} Choice   offer: the one to recommend, if
 *     there is one; missing: whose verdict is needed to say it
 * @typedef {{offer: Offer, role: 'default' | 'recommended' | 'stored'}} Card
 */

/** Tokens a second that a chat model must write to be recommended: about twice as fast as people read. */
export const ENOUGH = 8;
/** A model that would write at so small a part of that, by the speed of a larger one, is not measured. */
const HOPELESS = 0.5;

/**
 * The largest chat model that fits and writes fast enough.
 * @param {Offer[]} offers
 * @param {(offer: Offer) => Verdict | undefined} verdictOf
 * @param {(offer: Offer) => boolean} [hasRoom]   whether there is storage for it
 * @returns {Choice}
 */
export function pick(offers, verdictOf, hasRoom = () => true) {
    const chats = offers.filter(({kind, shape}) => kind === 'chat' && shape).filter(hasRoom)
        .sort((a, b) => b.size - a.size);
    let work = 0;       // bytes of weights a second
    for (const offer of chats) {
        const verdict = verdictOf(offer);
        if (!verdict && work && work / offer.size < ENOUGH * HOPELESS) continue;
        if (!verdict) return {missing: offer};
        const {fits, decode = 0} = verdict;
        if (fits && decode >= ENOUGH) return {offer, verdict};
        if (fits) work = decode * offer.size;
    }
    return {};
}

/**
 * What the first screen shows first. The site's own model is always among it, and stands first where the
 * network gives nothing else. A chat model that is here comes before one that must be downloaded.
 * @param {Offer[]} offers   the site's own first
 * @param {object} state
 * @param {Stored[]} state.stored   the one that was used last first
 * @param {boolean} state.isOffline
 * @param {boolean} [state.isOwnFirst]   the recommended one could not be downloaded just now, or comes late
 * @param {Offer} [state.recommended]
 * @returns {Card[]}
 */
export function arrange(offers, {stored, isOffline, isOwnFirst, recommended}) {
    const [own] = offers;
    if (!own) return [];
    const complete = stored.filter(({state}) => state === 'complete'),
        find = (/** @type {Stored} */ {id}) => offers.find(({urls, kind}) => urls[0] === id
            && kind === 'chat');
    const here = complete.map(find).find((offer) => offer);
    const first = here ? {offer: here, role: /** @type {const} */ ('stored')} : recommended && !isOffline
        ? {offer: recommended, role: /** @type {const} */ ('recommended')} : undefined;
    const last = {offer: own, role: /** @type {const} */ ('default')};
    if (!first || first.offer === own) return [last];
    const isOwnHere = complete.some(({id}) => id === own.urls[0]);
    return first.role === 'recommended' && (isOwnFirst || isOwnHere) ? [last, first] : [first, last];
}
