// How a server that runs in a terminal or a container ends: on Ctrl+C at once, on SIGTERM after its answers.
// Without this, a process that is a container's first would ignore both.
//
// Owns: signals, and the exit codes that shells expect. Must not know: what is served.

/** How long answers may go on after SIGTERM. Docker kills after ten seconds. */
const DRAIN_MS = 5000;
const SIGNALS = [{signal: 'SIGINT', code: 130, drainMs: 0}, {signal: 'SIGTERM', code: 143, drainMs: DRAIN_MS}];

/** @param {(drainMs: number) => Promise<void>} close */
export function endOnSignals(close) {
    for (const {signal, code, drainMs} of SIGNALS) process.once(signal, async () => {
        await close(drainMs);
        process.exit(code);
    });
}
