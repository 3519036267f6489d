// clock.js: how long something takes, on clocks that may be coarse: with resistFingerprinting Firefox's moves
// by 16 or 100 ms at a time.
// By such a clock, work of 5 ms takes 0 or 100 ms. So a single duration is not trusted. Knows nothing of the
// work. (clock.c is its twin.)

const TICKS = 4;            // of a coarse clock, that a measurement takes at least
const SUM_TICKS = 16;       // the same for a sum of many durations, each of which is wrong by up to a tick
const FINE_MS = 0.5;        // a clock that moves by less tells single runs apart
const FIRST_READINGS = 200; // in a row, which take microseconds: a fine clock moves meanwhile

/** The next moment at which the clock moves. @param {() => number} now */
function edge(now) {
    const before = now();
    for (;;) {
        const at = now();
        if (at !== before) return at;
    }
}

/**
 * Milliseconds of one run of `work`, never 0: one run where the clock is fine, else the mean of as many as
 * take some of its ticks.
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

/** A clock that learns its tick: the least by which it was seen to move. */
export class Clock {
    #now;
    #last;
    /** Milliseconds; Infinity: not seen to move yet. */
    tick = Infinity;

    /** @param {() => number} [now]   the clock, in milliseconds */
    constructor(now = () => performance.now()) {
        this.#now = now;
        this.#last = now();
        for (let i = 0; i < FIRST_READINGS; i++) this.read();
    }

    /** Milliseconds since some moment. */
    read() {
        const now = this.#now(), moved = now - this.#last;
        if (moved > 0 && moved < this.tick) this.tick = moved;
        this.#last = now;
        return now;
    }

    /** Whether this clock can tell how long that took, without a break. @param {number} ms   by this clock */
    tells(ms) {
        return ms > 0 && ms >= TICKS * this.tick;
    }
}

/** Durations that are added up, and how much was done in them. */
export class ClockSum {
    #clock;
    #ms = 0;
    #amount = 0;

    /** @param {Clock} clock */
    constructor(clock) {
        this.#clock = clock;
    }

    /**
     * Adds a duration. Once the sum tells them: the milliseconds in all and how much was done, which begins
     * a new sum.
     * On a fine clock every duration tells.
     * @param {number} ms @param {number} [amount]
     * @returns {{ms: number, amount: number} | undefined}
     */
    add(ms, amount = 1) {
        this.#ms += ms;
        this.#amount += amount;
        if (!(this.#ms > 0 && this.#ms >= SUM_TICKS * this.#clock.tick)) return undefined;
        const sum = {ms: this.#ms, amount: this.#amount};
        this.#ms = this.#amount = 0;
        return sum;
    }
}
