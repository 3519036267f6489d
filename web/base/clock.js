// clock.js: how long something takes, on clocks that may be coarse: with resistFingerprinting Firefox's moves by 16 or 100 ms at a time.

const TICKS = 4;            // of a coarse clock, that a measurement takes at least
const FINE_MS = 0.5;        // a clock that moves by less tells single runs apart

/** The next moment at which the clock moves. @param {() => number} now */
function edge(now) {
    const before = now();
    for (;;) {
        const at = now();
        if (at !== before) return at;
    }
}

/**
 * Milliseconds of one run of `work`, never 0: one run where the clock is fine, else the mean of as many as take some of its ticks.
 * @param {() => void} work
 * @param {() => number} [now]   the clock, in milliseconds
 */
export function timeOf(work, now = () => performance.now()) {
    let start = edge(now), least = 0;
    const next = edge(now), tick = next - start;
    if (tick > FINE_MS) least = TICKS * tick;
    start = next;
    for (let runs = 1; ; runs++) {
        work();
        const ms = now() - start;
        if (ms > 0 && ms >= least) return ms / runs;
    }
}
