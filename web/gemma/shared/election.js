// election.js: which of the tabs that share an engine holds it. Owns the locks and channels by which tabs of
// one origin find their leader:
//
//   lock NAME              the leader's. The others queue for it: the tab that gets it leads.
//   lock NAME tab ID       held by each tab as long as it takes part, so that the leader learns when one is
//                          gone for any reason
//   channel NAME           {who}: is there a leader?  {leader}: I lead, with this number
//                          {join, leader}: tab ID comes to that leader
//   channel NAME LEADER ID between one leader and one tab: the messages of protocol.js
//
// A leader's number is larger than those before it, so no tab follows a replaced leader that wakes up. Knows
// nothing of engines.

import {GemmaError} from '../../base/error.js';

/**
 * @typedef {import('../../base/protocol.js').Port} Port
 *
 * @typedef {object} Part       what a tab does in each case
 * @property {() => void} lead  it leads from now on
 * @property {(port: Port) => void} follow   another tab leads from now on; the port answers once that one has
 *     heard of this tab
 * @property {(port: Port, gone: Promise<void>) => void} serve   while it leads: another tab has come,
 *     until it is gone
 * @property {() => void} lose  it no longer leads or follows, until another of these is called
 */

const BEAT_MS = 1000;
// beats of silence: after 2 ask; after 6 to 9 (random) take over
const ASK_BEATS = 2, SILENT_BEATS = 6, MORE_BEATS = 3;

/**
 * Takes a lock.
 * @returns {Promise<() => void>} gives it back; rejects when it is refused, or `signal` was aborted
 * @param {string} name @param {LockOptions} options @param {() => void} [onStolen]
 */
function hold(name, options, onStolen) {
    return new Promise((resolve, reject) => {
        /** @type {(() => void) | undefined} */
        let giveBack;
        const held = () => new Promise((/** @type {(value?: undefined) => void} */ end) => {
            giveBack = () => end();
            resolve(giveBack);
        });
        navigator.locks.request(name, options, held).catch((error) => {
            reject(error);
            if (giveBack) onStolen?.();
        });
    });
}

/**
 * Whether tabs can find each other here. Opaque origins and some private windows have the functions,
 * and refuse.
 */
export async function canElect() {
    try {
        new BroadcastChannel('gemma-shared').close();
        await navigator.locks.request(`gemma-shared ${crypto.randomUUID()}`, () => {});
        return true;
    } catch {
        return false;
    }
}

/** @param {string} name @param {() => void} onHeard @returns {Port & {close: () => void}} */
function openPort(name, onHeard) {
    const channel = new BroadcastChannel(name);
    let isOpen = true;
    channel.addEventListener('message', onHeard);
    return {
        postMessage(message) {
            if (isOpen) channel.postMessage(message);       // a tab that is gone hears nothing
        },
        onMessage: (listener) => channel.addEventListener('message', ({data}) => listener(data)),
        close() {
            isOpen = false;
            channel.close();
        },
    };
}

export class Election {
    #name;
    #part;
    #id = '';
    /** @type {BroadcastChannel | undefined} */
    #channel;
    #ending = new AbortController();
    /** The number of the leader that was heard of last. */
    #leader = 0;
    #leads = false;
    /** While it leads, those it serves; else the leader. @type {Map<string, Port & {close: () => void}>} */
    #ports = new Map();
    #giveBackOwn = () => {};
    #giveBackLead = () => {};
    #silent = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #timer;
    #patience = 0;
    #leave = (/** @type {Event} */ event) => {
        if (/** @type {PageTransitionEvent} */ (event).persisted) this.#suspend();
    };
    #return = (/** @type {Event} */ event) => {
        if (/** @type {PageTransitionEvent} */ (event).persisted) this.#enter();
    };

    /** @param {string} name   of what is shared @param {Part} part */
    constructor(name, part) {
        this.#name = name;
        this.#part = part;
        // A page that is kept for "back" runs nothing, so it must not lead meanwhile.
        globalThis.addEventListener?.('pagehide', this.#leave);
        globalThis.addEventListener?.('pageshow', this.#return);
        this.#enter();
    }

    async #enter() {
        const {signal} = this.#ending = new AbortController(), id = this.#id = crypto.randomUUID();
        const giveBack = await hold(`${this.#name} tab ${id}`, {});
        if (signal.aborted) return giveBack();
        this.#giveBackOwn = giveBack;
        this.#channel = new BroadcastChannel(this.#name);
        this.#channel.onmessage = ({data}) => this.#receive(data);
        this.#channel.postMessage({who: true});
        this.#stand({signal});
    }

    /** Waits for its turn to lead. @param {LockOptions} options */
    async #stand(options) {
        const {signal} = this.#ending;
        const giveBack = await hold(this.#name, options, () => this.#resign()).catch(() => undefined);
        if (!giveBack || signal.aborted || this.#leads) return giveBack?.();
        this.#giveBackLead = giveBack;
        this.#closePorts();
        this.#leads = true;
        this.#leader = Math.max(Date.now(), this.#leader + 1);
        this.#part.lead();
        this.#channel?.postMessage({leader: this.#leader});
    }

    /** @param {{who?: true, leader?: number, join?: string}} message */
    #receive({who, leader = 0, join}) {
        if (who && this.#leads) this.#channel?.postMessage({leader: this.#leader});
        if (join !== undefined && this.#leads && leader === this.#leader) this.#serve(join);
        if (join !== undefined || !leader || this.#leads || leader < this.#leader) return;
        this.#silent = 0;
        if (leader === this.#leader && this.#ports.size) return;
        this.#closePorts();
        this.#leader = leader;
        const port = this.#open(this.#id);
        this.#part.follow(port);
        this.#channel?.postMessage({join: this.#id, leader});
    }

    /** @param {string} id   of a tab */
    #serve(id) {
        if (this.#ports.has(id)) return;
        const port = this.#open(id), {signal} = this.#ending;
        this.#part.serve(port, hold(`${this.#name} tab ${id}`, {signal}).then((giveBack) => {
            giveBack();
            port.close();
            this.#ports.delete(id);
        }).catch(() => {}));
    }

    /** @param {string} id   of the tab at the other end, or of this one */
    #open(id) {
        const port = openPort(`${this.#name} ${this.#leader} ${id}`, () => { this.#silent = 0; });
        this.#ports.set(id, port);
        return port;
    }

    #closePorts() {
        for (const port of this.#ports.values()) port.close();
        this.#ports.clear();
    }

    /**
     * While a call waits for the leader: a silent leader, whose page is frozen or busy, is replaced. Counts
     * beats of this tab's timer: while the machine sleeps it stands still, as the leader's does.
     * @param {boolean} isWaiting
     */
    watch(isWaiting) {
        if (isWaiting === (this.#timer !== undefined)) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
        if (!isWaiting) return;
        this.#silent = 0;
        this.#patience = SILENT_BEATS + Math.floor(Math.random() * (MORE_BEATS + 1));     // not all at once
        this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    }

    #beat() {
        if (this.#leads || !this.#channel) return;
        if (++this.#silent >= ASK_BEATS) this.#channel.postMessage({who: true});
        if (this.#silent < this.#patience) return;
        this.#silent = 0;
        this.#stand({steal: true});
    }

    /**
     * Leads no more, because its engine has ended or another tab has taken its place; it may lead again when
     * all others have.
     */
    resign() {
        if (this.#leads) this.#giveBackLead();
        this.#resign();
    }

    #resign() {
        if (!this.#leads) return;
        this.#leads = false;
        this.#closePorts();
        this.#part.lose();
        const {signal} = this.#ending;
        if (signal.aborted) return;
        this.#channel?.postMessage({who: true});
        this.#stand({signal});
    }

    #suspend() {
        if (this.#ending.signal.aborted) return;
        this.#ending.abort(new GemmaError('closed', 'The page was left.'));
        this.#giveBackLead();
        this.#leads = false;
        this.#closePorts();
        this.#channel?.close();
        this.#channel = undefined;
        this.#part.lose();
        this.#giveBackOwn();
    }

    /** Takes part no more. */
    leave() {
        this.watch(false);
        globalThis.removeEventListener?.('pagehide', this.#leave);
        globalThis.removeEventListener?.('pageshow', this.#return);
        this.#suspend();
    }
}
