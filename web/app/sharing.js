// What another app has shared, as the service worker keeps it until a page takes it (sw.js): the form as it
// came. Fetched when there is something.
//
// Owns: what is in that form. Must not know: who may have sent it; it is treated as a stranger's.

const FIELDS = ['title', 'text', 'url'], LONGEST = 100_000, MOST_FILES = 20;
const nameOf = () => `gemma-shared ${new URL('.', document.baseURI).pathname}`;

/**
 * @param {URLSearchParams} given   what the page's address says: which form; from an app that was installed
 *     before files could be shared, the texts themselves
 * @returns {Promise<{text: string, files: File[]}>}   rejects where it did not come
 */
export async function takeShared(given) {
    const id = given.get('shared'), form = id ? await takeForm(id) : given;
    // Some apps give one as the other.
    const texts = FIELDS.map((field) => String(form.get(field) ?? '').slice(0, LONGEST).trim());
    const files = form.getAll('files').flatMap((/** @type {unknown} */ file) => file instanceof File
        && file.size ? file : []);
    return {text: [...new Set(texts)].filter(Boolean).join('\n'), files: files.slice(0, MOST_FILES)};
}

/** Takes it: then it is gone. @param {string} id */
async function takeForm(id) {
    const cache = await caches.open(nameOf()), at = new URL(`./?shared=${id}`, document.baseURI),
        response = await cache.match(at);
    try {
        if (!response) throw new Error('nothing of this name was shared');
        return await response.formData();
    } finally {
        await cache.delete(at);
        if (!(await cache.keys()).length) await forgetShared();
    }
}

/** Deletes what nobody took. */
export const forgetShared = () => globalThis.caches?.delete(nameOf());
