// What shows, in the page's address: a reload, a link and the browser's back button find it.
//
// Owns: what the address says, and what is a step of the browser's history. Must not know: how things
// are opened.

/**
 * @typedef {{id?: string, kind?: 'chat' | 'document'}} Address   id: of what is stored; kind: of a new one
 */

/** @param {string} id   '' for none */
export const addressOf = (id) => id ? `#id=${id}` : '#';

/** @returns {Address} */
export function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1)), kind = given.get('new');
    return {id: given.get('id') ?? undefined, ...(kind === 'chat' || kind === 'document') && {kind}};
}

/**
 * @param {Address} shown   a page that was opened without an address needs none for a new conversation
 * @param {boolean} isSame   it showed before, and is stored now, or gone: going back does not lead to what
 *     it was
 */
export function writeAddress({id, kind}, isSame) {
    const hash = id ? addressOf(id) : location.hash && `#new=${kind}`;
    if (hash !== location.hash)
        history[isSame ? 'replaceState' : 'pushState'](null, '', location.pathname + location.search + hash);
}

/** What it named is gone. */
export const clearAddress = () => history.replaceState(null, '', location.pathname + location.search);
