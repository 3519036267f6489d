// What models are on this device, for those who show or delete them. Where there is no store, there are none.

import {ChunkStore} from './store.js';

/**
 * @typedef {import('./store.js').StoredModel & {storedBytes: number, complete: boolean}} Stored   storedBytes: of
 *     `size`, are here
 * @returns {Promise<Stored[]>}   newest first
 */
export async function storedModels() {
    let store;
    try {
        store = await ChunkStore.open();
        const models = await Promise.all((await store.list()).map(async (model) => {
            const storedBytes = Math.min(model.size, (await store.chunksOf(model.id)).size * model.chunkSize);
            return {...model, storedBytes, complete: storedBytes === model.size};
        }));
        return models.sort((a, b) => b.savedAt - a.savedAt);
    } catch {
        return [];
    } finally {
        store?.close();
    }
}

/** @param {string} id   the model's address */
export async function deleteStored(id) {
    const store = await ChunkStore.open();
    try {
        await store.delete(id);
    } finally {
        store.close();
    }
}
