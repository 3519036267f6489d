// How busy the machine is while something is timed: a bare loop that runs beside it. Owns the measure; knows
// nothing of what is timed.

const PAUSE_MS = 20;

/** A few milliseconds of arithmetic. @returns {number} how long they took */
function work() {
    const start = performance.now();
    let sum = 0;
    for (let i = 0; i < 1_000_000; i++) sum += Math.sqrt(i);
    return sum > 0 ? performance.now() - start : Infinity;
}

const ALONE_MS = Math.min(...Array.from({length: 50}, work));

/**
 * @returns {() => {slower: number, latest: number}} ends it: how many times as long the same work took as
 *     alone, and by how many ms it came too late
 */
export function startBareLoop() {
    const times = [];
    let latest = 0, due = performance.now() + PAUSE_MS;
    const look = () => {
        latest = Math.max(latest, performance.now() - due);
        times.push(work());
        due = performance.now() + PAUSE_MS;
    };
    const timer = setInterval(() => {
        look();
        timer.refresh();
    }, PAUSE_MS).unref();       // a test that fails may not end it
    return () => {
        clearInterval(timer);
        look();
        return {slower: Math.max(1, times.reduce((sum, ms) => sum + ms, 0) / times.length / ALONE_MS),
            latest};
    };
}
