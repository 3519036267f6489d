// starts.js: detects a worker that hangs while it starts workers. In Firefox `new Worker` inside a worker
// sometimes never returns; then nothing runs there, not even timers, so only its parent can notice. Owns the
// messages and the count. Knows neither the engine nor what is started.

/** @typedef {import('./protocol.js').Port} Port */

const BEAT_MS = 1000;
// an idle worker beats within milliseconds; a busy machine delays it by a few seconds
const SILENT_BEATS = 20;

/**
 * In the worker: does work that starts workers, and shows meanwhile that this one lives.
 * @template T
 * @param {Port | undefined} port   none where this is no worker
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function whileStarting(port, work) {
    const tell = (/** @type {boolean} */ starting) => port?.postMessage({starting});
    tell(true);
    const timer = setInterval(tell, BEAT_MS, true);
    try {
        return await work();
    } finally {
        clearInterval(timer);
        tell(false);
    }
}

/**
 * For the starter of the worker: calls `onSilent` once when nothing comes from the worker while it starts
 * workers. Counts the beats of a timer, not time: after a sleep of the machine, or in a tab whose timers are
 * slowed, both sides have beaten equally little.
 * @param {Port} port
 * @param {() => void} onSilent
 * @param {{beatMs?: number, beats?: number}} [limit]
 * @returns {() => void}   ends the watch
 */
export function watchStarts(port, onSilent, {beatMs = BEAT_MS, beats = SILENT_BEATS} = {}) {
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let timer;
    let silent = 0, isOver = false;
    const stop = () => {
        clearInterval(timer);
        timer = undefined;
    };
    port.onMessage((message) => {
        silent = 0;
        if (isOver || !('starting' in message)) return;
        stop();
        if (!message.starting) return;
        timer = setInterval(() => {
            if (isOver || ++silent < beats) return;
            end();
            onSilent();
        }, beatMs);
    });
    const end = () => {
        isOver = true;
        stop();
    };
    return end;
}
