// later.js: parts of the library that are fetched when they are first needed, by import(). Owns how a failed
// import is reported and retried: an error that says what to do, and another try by the next call. Knows
// no parts.

import {GemmaError, messageOf} from './error.js';

/**
 * What Chromium and Firefox say, with an address. Firefox (tried: 153), as Chromium did for long, remembers a
 * failure for as long as the page lives, and another address is another module to it. Its address may be that
 * of something which the part imports: then only a reload helps.
 */
const FAILED = /dynamically imported module: (\S+\/([^/\s]+))$/;
/** How often an address has failed. @type {Map<string, number>} */
const failures = new Map();

/**
 * A part that is not there.
 * @param {string} part   its address, or what is known of it
 * @param {string} [reason]
 * @param {unknown} [cause]
 */
export const missing = (part, reason, cause) => new GemmaError('library',
    `A part of this program could not be loaded${part && ` (${part}${reason ? `: ${reason}` : ''})`}. ` +
    'Check the connection and try again, or reload the page for a newer version.', {cause});

/**
 * What a module gives that is imported only now.
 * @template T
 * @param {() => Promise<T>} bring   a function that imports it by its literal address, which bundlers
 *     must see
 * @returns {Promise<T>}   rejects with 'library'; the next call tries again
 */
export async function later(bring) {
    try {
        return await bring();
    } catch (cause) {
        const message = messageOf(cause), [, address = '', name = ''] = FAILED.exec(message) ?? [],
            times = failures.get(address) ?? 0;
        if (times && String(bring).includes(name)) {
            try {
                return await import(/* @vite-ignore */ /* webpackIgnore: true */ `${address}?again=${times}`);
            } catch {
                // as before
            }
        }
        if (address) failures.set(address, times + 1);
        throw missing(address, address ? '' : message, cause);
    }
}

/**
 * What is made once, when it is first asked for; what failed is made anew by the next call.
 * @template T
 * @param {() => Promise<T>} make @returns {() => Promise<T>}
 */
export function once(make) {
    /** @type {Promise<T> | undefined} */
    let made;
    return () => made ??= make().catch((error) => {
        made = undefined;
        throw error;
    });
}
