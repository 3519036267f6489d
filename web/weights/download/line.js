// How many requests a host is asked at once. Some give one connection to each visitor, and refuse, close or delay the others: a request that
// fails while others are open was one too many. Then there are fewer at once, and from time to time one more is tried.
//
// Owns the counting. Knows neither requests nor what is asked for.

const LATE_MS = 1000;       // hosts may notice so late that a request has ended
const GROW_AFTER = 8;       // requests that went well; twice as many after each that was too many

/**
 * @typedef {object} Place   of a request
 * @property {(bytes: number) => void} arrived
 * @property {(letGo?: () => void) => void} lend     who needs the place may have it by letGo; without, it is needed from now on
 * @property {(failed?: boolean) => boolean} leave   gives it back, once; true when it was one too many
 *
 * @typedef {object} Line
 * @property {() => number} arrived   bytes, of all requests so far
 * @property {(host: string, order: number, signal?: AbortSignal) => Promise<Place>} enter   waits for a place; of several that wait, the one
 *     with the lowest order is next
 *
 * @param {number} stallMs   those that wait are let in when nothing has arrived for so long: who holds the places may wait for them
 * @returns {Line}
 */
export function createLine(stallMs = 30_000) {
    const hosts = new Map();
    let arrived = 0;
    return {arrived: () => arrived, enter};

    function hostOf(name) {
        if (!hosts.has(name)) hosts.set(name, {open: 0, most: Infinity, endedAt: -Infinity, calm: 0, growAfter: GROW_AFTER, arrived: 0, waiting: [], lent: new Set()});
        return hosts.get(name);
    }

    async function enter(name, order, signal) {
        const host = hostOf(name);
        signal?.throwIfAborted();
        if (isFull(host)) [...host.lent].at(-1)?.();
        if (isFull(host)) await wait(host, order, signal);
        else host.open++;
        let isHere = true, lent;
        return {
            arrived(bytes) {
                arrived += bytes;
                host.arrived += bytes;
            },
            lend(letGo) {
                host.lent.delete(lent);
                lent = letGo;
                if (isHere && lent) host.lent.add(lent);
                if (isHere && lent && host.waiting.length) lent();
            },
            leave(failed = false) {
                if (!isHere) return false;
                isHere = false;
                host.lent.delete(lent);
                host.open--;
                const isLate = host.most < Infinity && performance.now() - host.endedAt < LATE_MS, isOneTooMany = failed && (host.open > 0 || isLate);
                if (isOneTooMany) Object.assign(host, {most: Math.max(1, host.open), calm: 0, growAfter: 2 * host.growAfter});
                else if (!failed && ++host.calm >= host.growAfter) Object.assign(host, {most: host.most + 1, calm: 0});
                if (!failed) host.endedAt = performance.now();
                letIn(host);
                return isOneTooMany;
            },
        };
    }

    function isFull({open, most}) {
        return open >= most;
    }

    function letIn(host) {
        host.waiting.sort((a, b) => a.order - b.order);
        for (const waiter of host.waiting.splice(0, host.most - host.open)) waiter.go();
    }

    function wait(host, order, signal) {
        return new Promise((resolve, reject) => {
            let seen = host.arrived;
            const timer = setInterval(() => {
                if (host.arrived === seen) waiter.go();
                seen = host.arrived;
            }, stallMs);
            const stop = () => end(() => reject(signal.reason));
            const waiter = {order, go: () => end(() => resolve(host.open++))};
            const end = (then) => {
                clearInterval(timer);
                signal?.removeEventListener('abort', stop);
                host.waiting = host.waiting.filter((other) => other !== waiter);
                then();
            };
            host.waiting.push(waiter);
            signal?.addEventListener('abort', stop, {once: true});
        });
    }
}
