// What could not be stored yet, for want of room: while there is anything, the browser asks before it closes
// the page. Must not know: what it is.

/** @type {Set<object>} */
const waiting = new Set();
const ask = (/** @type {Event} */ event) => event.preventDefault();

/** @param {object} what @param {boolean} isUnkept */
export function setUnkept(what, isUnkept) {
    const had = waiting.size > 0;
    if (isUnkept) waiting.add(what);
    else waiting.delete(what);
    if (waiting.size > 0 === had) return;
    // Not always there: some browsers do not keep a page that has it for the way back.
    if (had) removeEventListener('beforeunload', ask);
    else addEventListener('beforeunload', ask);
}
