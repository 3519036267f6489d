// How far a download or a load is, and how fast. Owns the arithmetic of rate and time left; knows no source.

import {Clock} from '../../base/clock.js';

/**
 * @typedef {object} Progress
 * @property {'download' | 'load'} phase   from the network, or from this device
 * @property {number} bytes         so far
 * @property {number} total         bytes in all
 * @property {number} rate          bytes per second over the last few seconds; 0 while unknown
 * @property {number} secondsLeft   Infinity while unknown
 * @property {string} [notice]      a sentence that the user should see, such as that the model can't be kept
 * @property {string} [waiting]     a sentence: why nothing comes at the moment, such as a connection
 *     that broke
 */

const WINDOW_MS = 5000;     // long enough to be calm, short enough to follow a change of network
const REPORT_MS = 100;

/**
 * @param {Progress['phase']} phase
 * @param {number} total             bytes
 * @param {(progress: Progress) => void} [onProgress]   called at most ten times a second, and at the end
 * @param {() => number} [now]   milliseconds
 */
export function createMeter(phase, total, onProgress = () => {}, now = () => performance.now()) {
    const clock = new Clock(now);
    let bytes = 0;
    /** @type {string | undefined} */
    let notice;
    /** @type {string | undefined} */
    let waiting;
    let reported = -Infinity;
    /** @type {{at: number, bytes: number}[]} bytes at moments of the last WINDOW_MS; oldest first */
    let moments = [{at: clock.read(), bytes: 0}];

    return {
        /** Counts bytes that were there before: they say nothing on the rate. @param {number} count */
        skip(count) {
            bytes += count;
            for (const moment of moments) moment.bytes += count;
        },
        /** Counts bytes that have just come; negative: that came needlessly. @param {number} count */
        add(count) {
            bytes += count;
            report(bytes >= total);
        },
        /** Says something to the user, now and with every later report. @param {string} sentence */
        say(sentence) {
            notice = sentence;
            report(true);
        },
        /** Says why nothing comes, until it is called without a sentence. @param {string} [sentence] */
        wait(sentence) {
            waiting = sentence;
            report(true);
        },
    };

    /** @param {boolean} atOnce */
    function report(atOnce) {
        const at = clock.read();
        if (!atOnce && at - reported < REPORT_MS) return;
        reported = at;
        moments.push({at, bytes});
        while (moments.length > 2 && moments[0].at < at - WINDOW_MS) moments.shift();
        const ms = at - moments[0].at;
        const rate = clock.tells(ms) ? Math.max(0, bytes - moments[0].bytes) / ms * 1000 : 0;
        onProgress({
            phase, bytes, total, rate, secondsLeft: rate > 0 ? (total - bytes) / rate : Infinity,
            notice, waiting,
        });
    }
}
