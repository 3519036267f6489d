// Work that takes long, a little at a time, so that the page answers to a person meanwhile.
//
// Owns: when it continues. Must not know: what is done.

/** How much is done at once, in the unit of the steps, and for how long each later slice runs. */
const AT_ONCE = 4000, SLICE_MS = 8;

/** @param {Iterator<number>} steps   each says how much it was @returns {() => void} ends it */
export function slowly(steps) {
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    /** @param {(done: number) => boolean} isEnough */
    const go = (isEnough) => {
        for (let done = 0; !isEnough(done);) {
            const step = steps.next();
            if (step.done) return;
            done += step.value;
        }
        timer = setTimeout(() => {
            const start = performance.now();
            go((done) => done > 0 && performance.now() - start > SLICE_MS);
        });
    };
    go((done) => done > AT_ONCE);
    return () => clearTimeout(timer);
}
