// What models would do on this device: measured once for each kind, one at a time, and kept on the device.
//
// Owns: what was measured. Must not know: elements, which model a person chooses.

import {Gemma} from '../gemma.js';
import {loadable} from './data/catalogue.js';
import {recall, remember} from './data/local.js';

/**
 * @typedef {import('./data/catalogue.js').Offer} Offer
 * @typedef {Pick<import('../engine/probe.js').Probe, 'fits' | 'decode' | 'prefill' | 'reasons'> & {at?:
 *     number}} Verdict   at: when it was measured, as Date.now()
 */

/** Then it is measured anew: the device may have been busy. */
const WEEK_MS = 7 * 24 * 3_600_000;

/** Of this page; by shape and type, for a chat model is as fast as its base. @type {Map<string, Verdict>} */
const found = new Map(Object.entries(read()));
/** The one that is being measured: it takes all cores. @type {Promise<unknown>} */
let measuring = Promise.resolve();

/** Another browser, or a page with other threads, measures anew. */
function device() {
    const {userAgent, hardwareConcurrency,
        deviceMemory} = /** @type {Navigator & {deviceMemory?: number}} */ (navigator);
    return [userAgent, hardwareConcurrency, deviceMemory, globalThis.crossOriginIsolated].join();
}

/** @returns {Record<string, Verdict>} */
function read() {
    try {
        const kept = JSON.parse(recall('verdicts') ?? '{}'),
            recent = (/** @type {[string, any]} */ [, {at}]) => Math.abs(Date.now() - at) < WEEK_MS;
        return kept.device === device() ? Object.fromEntries(Object.entries(kept.found).filter(recent)) : {};
    } catch {
        return {};      // not ours
    }
}

/** @param {Offer} offer */
const keyOf = ({shape, type, size}) => JSON.stringify([shape, type, Math.round(size / 1e8)]);

/** What is known without measuring. @param {Offer} offer @returns {Verdict | undefined} */
export const keptVerdict = (offer) => found.get(keyOf(offer));

/**
 * Measures a model where that was not done before.
 * @param {Offer} offer @param {AbortSignal} signal
 * @returns {Promise<Verdict>} rejects as Gemma.probe
 */
export function verdictOf(offer, signal) {
    const next = measuring.then(async () => {
        signal.throwIfAborted();
        const kept = keptVerdict(offer);
        // Whether there is storage for it changes from day to day; what a person should know of that,
        // the probe says.
        if (kept && (await Gemma.models.room(offer.size, offer.urls[0])).enough) return kept;
        const {fits, decode, prefill, reasons, keeps, threadsFailed} = await Gemma.probe(loadable(offer),
            {signal});
        const verdict = {fits, decode, prefill, reasons, at: Date.now()};
        if (keeps && !threadsFailed) keep(keyOf(offer), verdict);
        return verdict;
    });
    measuring = next.catch(() => {});
    return next;
}

/** @param {string} key @param {Verdict} verdict */
function keep(key, verdict) {
    found.set(key, verdict);
    remember('verdicts', JSON.stringify({device: device(), found: Object.fromEntries(found)}));
}
