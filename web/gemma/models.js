// Gemma.models: the models that are on this device. What they need is imported when it is asked for.

import {later} from '../base/later.js';
import {describe} from './description.js';
import {watched} from './watch.js';

const stored = () => later(() => import('../weights/stored.js'));

/**
 * @typedef {import('./types.js').ModelSource} ModelSource
 * @typedef {import('./types.js').Origin} Origin
 * @typedef {import('./types.js').Watched} Watched
 */

/** See Gemma.models. */
export const models = {
    /** What is here: id, name, size, storedBytes, state ('partial', 'complete', 'damaged'), savedAt,
     * lastUsed; the last used first.
     * @returns {Promise<import('../weights/store/store.js').Stored[]>} */
    list: async () => (await stored()).storedModels(),
    /** Rejects with 'in-use' while a tab uses or downloads it. @param {string} id @returns {Promise<void>} */
    delete: async (id) => (await stored()).deleteStored(id),
    /** Deletes all that are not in use. @returns {Promise<string[]>} names of those that are left */
    deleteAll: async () => (await stored()).deleteAllStored(),
    /** Hashes what is here; what is damaged comes anew with the next load or repair.
     * @param {string} id
     * @param {Watched} [options]
     * @returns {Promise<{chunks: number, missing: number[], damaged: number[]}>} indices of chunks */
    verify: (id, options) => watched('verify', options, async (checked) => (await stored())
        .verifyStored(id, checked)),
    /**
     * Fetches what is missing or damaged, and nothing else.
     * @param {string} id
     * @param {Watched & Origin} [options]
     * @returns {Promise<void>}
     */
    repair: (id, options) => watched('repair', options, async (checked) => (await stored()).repairStored(id,
        {...checked, ...describe(id, checked)})),
    /** The model as a file, every chunk hashed on the way: a Blob, or written to `writable`, which is closed.
     * @param {string} id
     * @param {Watched & {writable?: WritableStream}} [options]
     * @returns {Promise<Blob | undefined>} */
    export: (id, options) => watched('export', options, async (checked) => (await stored())
        .exportStored(id, checked)),
    /** The digests of a complete model, for the import of its exported file to be checked.
     * @param {string} id @param {Watched} [options] @returns {Promise<object>} */
    manifest: (id, options) => watched('manifest', options, async (checked) => (await stored())
        .manifestOf(id, checked)),
    /** Asks a model's address whether it still has the file that is stored: by a digest or a version that it
     * tells, else by samples. To replace what is stored, load it with `update`.
     * @param {string} id
     * @param {Watched & Origin} [options]
     * @returns {Promise<{same: boolean, size: number}>} size: of the file at the address */
    compare: (id, options) =>
        watched('compare', options, async (checked) => (await stored()).compareStored(id,
            {...checked, ...describe(id, checked)})),
    /** Stores a GGUF from the disk. `id`: the address whose model it is; default: a new one. With a manifest,
     * each chunk is compared. A file never takes the place of another by itself: the same one again mends
     * what is damaged, and another one of its name becomes NAME (2).gguf.
     * @param {Blob | Blob[]} files   several: a GGUF or all its parts, with its manifest
     * @param {Watched & {id?: string, name?: string, manifest?: object, replace?: boolean}} [options]
     *     replace: another file that has this id
     * @returns {Promise<import('../weights/store/store.js').Stored>} rejects with 'bad-file', 'no-room',
     *     'exists' where the id has another file and `replace` is not set, or 'in-use' */
    import: (files, options) => watched('import', options, async (checked) => {
        models.persist();       // without it, it is stored all the same
        return (await stored()).importFiles(files, checked);
    }),
    /** Whether a model of this many bytes fits into the free storage, in numbers, and what could be deleted
     * for it. Ask before a download.
     * @param {number} size
     * @param {string} [id]   of the model, for what is here of it
     * @returns {Promise<import('../weights/store/room.js').Room>} */
    room: async (size, id) => (await stored()).roomFor(size, id),
    /**
     * Under which id a model is stored; undefined for files.
     * @param {ModelSource} model
     * @returns {string | undefined}
     */
    idOf: (model) => Array.isArray(model) ? undefined : describe(model, {}).url,
    /** Asks the browser not to remove what is stored when the disk is full; some ask the user, who should
     * know the reason before.
     * @returns {Promise<boolean>} whether it promised */
    persist: async () => {
        try {
            return await navigator.storage?.persisted?.() || await navigator.storage?.persist?.() || false;
        } catch {
            return false;       // storage is refused here
        }
    },
};
