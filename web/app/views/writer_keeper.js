// Pieces that the model writes are stored before they are shown, some at a time: so nothing that was seen
// is lost.
//
// Owns: how often. Must not know: where they are stored or shown.

/** At least this long between two saves; saving takes at most 1/SHARE of the time. */
const LEAST_MS = 60, SHARE = 4;

/** @param {(pieces: string) => Promise<void>} keep   stores, then shows */
export function createKeeper(keep) {
    let waiting = '', isEnded = false;
    /** @type {Promise<void> | undefined} */
    let running;
    const run = async () => {
        while (waiting) {
            const pieces = waiting, start = performance.now();
            waiting = '';
            await keep(pieces);
            const pause = Math.max(LEAST_MS, (SHARE - 1) * (performance.now() - start));
            if (!isEnded) await new Promise((done) => setTimeout(done, pause));
        }
        running = undefined;
    };
    return {
        /** @param {string} piece */
        add(piece) {
            waiting += piece.replace(/\r\n?/g, '\n');       // as a field has them
            running ??= run();
        },
        /** When all is stored. */
        end: async () => {
            isEnded = true;
            await running;
        },
    };
}
