// The few helpers that every view uses. Text is only ever set as text: no view builds HTML from strings.

import {Clock, ClockSum} from '../../base/clock.js';

const SVG = 'http://www.w3.org/2000/svg';

/** The page's: every frame that is drawn teaches it its tick. */
export const clock = new Clock();

/**
 * How a view finds its elements: by their ids, below its root, so that it may live in a page or in
 * a component.
 * @param {ParentNode} root
 */
export function within(root) {
    /**
     * @template {HTMLElement} T
     * @param {string} id
     * @param {new () => T} [kind]   for those of which more is used than of any element
     * @returns {T}
     */
    return (id, kind) => {
        const found = root.querySelector(`#${id}`), expected = kind ?? HTMLElement;
        if (found instanceof expected) return /** @type {T} */ (found);
        throw new Error(`A view needs an ${expected.name} with the id ${id}, and its root has none.`);
    };
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, unknown>} [properties]   are set as properties (`textContent`, `className`,
 *     `onclick`, ...)
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/**
 * Has a parent have these children, in this order, and leaves those where they are that can stay.
 * @param {HTMLElement} parent @param {HTMLElement[]} children
 */
export function place(parent, children) {
    const wanted = new Set(/** @type {Node[]} */ (children));
    for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
    let at = parent.firstChild;
    for (const child of children) {
        if (child === at) at = at.nextSibling;
        else parent.insertBefore(child, at);
    }
}

/** A picture of the page's own set. @param {string} name */
export function icon(name) {
    const made = document.createElementNS(SVG, 'svg'), use = document.createElementNS(SVG, 'use');
    made.setAttribute('aria-hidden', 'true');
    use.setAttribute('href', `#icon-${name}`);
    made.append(use);
    return made;
}

/**
 * A button that shows a picture and says what it does.
 * @param {string} name   of the picture
 * @param {string} label
 * @param {() => void} onclick
 * @param {Record<string, unknown>} [properties]
 */
export function iconButton(name, label, onclick, properties = {}) {
    const made = element('button',
        {type: 'button', className: 'quiet icon', title: label, onclick, ...properties}, icon(name));
    made.setAttribute('aria-label', label);
    return made;
}

/**
 * Rejects where the browser does not let it, or has no clipboard for this page: one that is not from a
 * secure address.
 * @param {string} text
 */
export const toClipboard = async (text) => navigator.clipboard.writeText(text);

/**
 * Has a screen reader say something, once it is done with what it says now.
 * @param {ParentNode} root @param {string} text
 */
export function announce(root, text) {
    // While a dialog is open, what is outside of it is silent. So each dialog has a separate announcer.
    const dialog = root.querySelector('dialog[open]'), known = dialog ? dialog.querySelector('.announcer')
        : within(root)('announcer');
    const place = known ?? element('p', {className: 'hidden announcer', ariaLive: 'polite'});
    if (!known) dialog?.append(place);
    // The same once more is said once more. A place that is new is heard from the next moment on.
    const say = () => { place.textContent = place.textContent === text ? `${text}\u00a0` : text; };
    if (known) say();
    else setTimeout(say, HEARD_MS);
}

/** After this much time screen readers know a new place. */
const HEARD_MS = 100;

/** Where a sentence ends. */
const SENTENCE = /[.!?。！？।؟…:\n]["'”’)\]]*\s/gu;

/**
 * Has a screen reader say what streams, by whole sentences.
 * @param {ParentNode} root
 * @param {(text: string) => string} [read]   what is said of a text
 * @returns {(pieces: string) => void}
 */
export function createSpeaker(root, read = String) {
    let waiting = '';
    return (pieces) => {
        waiting += pieces;
        const last = [...waiting.matchAll(SENTENCE)].at(-1);
        if (!last) return;
        const end = last.index + last[0].length;
        announce(root, read(waiting.slice(0, end)).trim());
        waiting = waiting.slice(end);
    };
}

/**
 * Scrolls to the end of the page where that is at most so far below what is seen.
 * @param {number} reach   CSS pixels
 */
export function followEnd(reach) {
    const {scrollHeight} = document.documentElement;
    if (scrollHeight - innerHeight - scrollY < reach) scrollTo({top: scrollHeight});
}

/** Puts in what stands above what a person reads, which stays where it is. @param {() => void} place */
export function putAbove(place) {
    const page = document.documentElement, below = page.scrollHeight - scrollY;
    place();
    const top = page.scrollHeight - below;
    if (Math.abs(top - scrollY) > 1) scrollTo({top});
}

/**
 * True where the main pointer is a finger: Enter then makes a new line, and the keyboard is not called
 * up unasked.
 */
export const touch = matchMedia('(pointer: coarse)').matches;

/**
 * True for keys that belong to an input method: Enter takes a candidate, Escape leaves it. WebKit says so by
 * 229 after the composition has ended.
 * @param {KeyboardEvent} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

const DRAWING_SHARE = 40;       // drawing gets 1/40 of the time: the engine's threads need the same cores
const LONGEST_PAUSE_MS = 400;

/**
 * When something may be done again, so that it takes about 1/`share` of the time: its cost is measured
 * by sums.
 */
export class Pace {
    #costs = new ClockSum(clock);
    #cost = 0;
    #share;
    #longestMs;
    /** By the page's clock. */
    next = 0;

    /** @param {number} share @param {number} [longestMs]   that it waits */
    constructor(share, longestMs = Infinity) {
        this.#share = share;
        this.#longestMs = longestMs;
    }

    /** It has just been done. @param {number} start   when it began, by the page's clock */
    took(start) {
        const now = clock.read(), sum = this.#costs.add(now - start);
        if (sum) this.#cost = sum.ms / sum.amount;
        this.next = now + Math.min(this.#longestMs, this.#share * this.#cost);
    }
}

/**
 * Gathers pieces of text and shows them in a frame, however fast they come. The next frame waits in
 * proportion to what the last one cost.
 * @param {(text: string) => void} show   what has come since the last time
 * @returns {{add: (piece: string) => void, end: () => void}}   end: shows the rest now
 */
export function everyFrame(show) {
    const pace = new Pace(DRAWING_SHARE, LONGEST_PAUSE_MS);
    let gathered = '', frame = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const flush = () => {
        const text = gathered;
        gathered = '';
        if (text) show(text);
    };
    const draw = () => {
        frame = 0;
        const start = clock.read();
        flush();
        // A message comes after layout and paint.
        const {port1, port2} = new MessageChannel();
        port1.onmessage = () => {
            pace.took(start);
            port1.close();
        };
        port2.postMessage(0);
    };
    const request = () => {
        timer = undefined;
        frame = requestAnimationFrame(draw);
    };
    return {
        add(piece) {
            gathered += piece;
            if (!frame && timer === undefined)
                timer = setTimeout(request, Math.max(0, pace.next - clock.read()));
        },
        end() {
            clearTimeout(timer);
            cancelAnimationFrame(frame);
            timer = undefined;
            frame = 0;
            flush();
        },
    };
}
