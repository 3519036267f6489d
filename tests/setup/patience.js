// How long puppeteer waits: by default it gives a browser, a navigation and a condition 30 seconds each, and
// machines that are busy take longer.

const WAITS_MS = 300_000;

/** For its launch: also what is asked of a page ends, though later. */
export const PATIENT = {timeout: WAITS_MS, protocolTimeout: 2 * WAITS_MS};

/** @template {import('puppeteer-core').Page} P @param {P} page @returns {P} */
export function patient(page) {
    page.setDefaultTimeout(WAITS_MS);
    return page;
}
