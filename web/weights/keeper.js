// Writes the chunks of a model that is read into the store. Knows neither where they come from nor who
// uses them.

import {codeOf, messageOf} from '../base/error.js';
import {describeRoom, lookForRoom} from './store/room.js';
import {sameVersion} from './store/store.js';
import {isReadElsewhere} from './store/tabs.js';
import {chunkLength} from './wanted.js';

/** @typedef {import('./wanted.js').Wanted} Wanted */

/**
 * Writes chunks to the store for as long as that goes well. When it doesn't (no room), the load continues
 * from memory, what is stored stays for the next time, and the reason is shown.
 * @param {Wanted} file
 * @param {import('./store/store.js').StoredModel} model
 * @param {ReturnType<typeof import('./file/progress.js').createMeter>} meter
 * @param {{turn?: import('./store/tabs.js').Turn, isOther?: boolean}} [options]   turn: to download; isOther:
 *     another file than the one that is stored, also where no version tells them apart
 */
export function createKeeper({store, without, manifest, present, stored}, model, meter,
    {turn, isOther = false} = {}) {
    const replaces = stored?.complete && (isOther || !sameVersion(stored, model));
    const writing = new Set();
    let keeping = Boolean(store), sole = false, wrote = false;
    if (!store) meter.say(notKept(without));
    return {
        async checkRoom() {
            if (!store) return;
            const here = [...present].reduce((sum, index) => sum + chunkLength(model, index), 0);
            const others = (await store.list()).filter(({id}) => id !== model.id);
            const replaced = present.size ? 0 : (await store.chunksOf(model.id)).size * model.chunkSize;
            const room = await lookForRoom(model.size - here - replaced, others);
            if (!room.enough) giveUp(describeRoom(room));
        },
        /** @param {[index: number, buffer: ArrayBuffer, digest: ArrayBuffer]} chunk */
        async keep(...chunk) {
            if (!keeping) return;
            const written = write(...chunk);
            writing.add(written);
            await written;
            writing.delete(written);
        },
        /** Stores nothing more. @returns {Promise<boolean>} whether anything was stored */
        async stop() {
            keeping = false;
            await Promise.all(writing);
            return wrote;
        },
    };

    /** @param {number} index @param {ArrayBuffer} buffer @param {ArrayBuffer} digest */
    async function write(index, buffer, digest) {
        try {
            if (turn?.isLost) return giveUp('Another tab is downloading it.');
            if (replaces && !sole && !(sole = !await isReadElsewhere(model.id)))
                return giveUp('Another tab is using the stored version.');
            await store?.writeChunk(model, index, buffer, digest, manifest?.digests, isOther);
            wrote = true;
        } catch (error) {
            const said = messageOf(error);
            giveUp(codeOf(error) === 'no-room'
                ? `${said} What has been stored so far stays for the next time.` : said);
        }
    }

    /** @param {string} reason */
    function giveUp(reason) {
        if (!keeping) return;
        keeping = false;
        meter.say(notKept(reason));
        turn?.end();
    }
}

/** @param {string} [reason] */
function notKept(reason = '') {
    return `The model runs, but is not kept for the next visit. ${reason}`;
}
