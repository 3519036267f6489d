// The few helpers that every view uses. Text is only ever set as text: no view builds HTML from strings.

/** @param {string} id @returns {HTMLElement} */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. Properties are set as properties (`textContent`, `className`, `onclick`, ...).
 * @param {string} name
 * @param {object} [properties]
 * @param {...(Node | string)} children
 */
export function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

/** Has a screen reader say something, once it is done with what it says now. */
export function announce(text) {
    byId('announcer').textContent = text;
}

/** True where the main pointer is a finger: Enter then makes a new line, and the keyboard is not called up unasked. */
export const touch = matchMedia('(pointer: coarse)').matches;

/** True for keys that belong to an input method: Enter takes a candidate, Escape leaves it. WebKit tells by 229 after the composition has ended. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

const DRAWING_SHARE = 16;       // drawing gets one part in so many of the time: the engine's threads need the same cores
const LONGEST_PAUSE_MS = 400;

/**
 * Gathers pieces of text and shows them in a frame, however fast they come. The next frame waits in proportion to what the last one cost.
 * @param {(text: string) => void} show   what has come since the last time
 * @returns {{add: (piece: string) => void, end: () => void}}   end: shows the rest now
 */
export function everyFrame(show) {
    let gathered = '', frame = 0, timer = 0, next = 0;
    const flush = () => {
        const text = gathered;
        gathered = '';
        if (text) show(text);
    };
    const draw = () => {
        frame = 0;
        const start = performance.now();
        flush();
        // A message comes after layout and paint.
        const {port1, port2} = new MessageChannel();
        port1.onmessage = () => {
            const now = performance.now();
            next = now + Math.min(LONGEST_PAUSE_MS, DRAWING_SHARE * (now - start));
            port1.close();
        };
        port2.postMessage(0);
    };
    const request = () => {
        timer = 0;
        frame = requestAnimationFrame(draw);
    };
    return {
        add(piece) {
            gathered += piece;
            if (!frame && !timer) timer = setTimeout(request, Math.max(0, next - performance.now()));
        },
        end() {
            clearTimeout(timer);
            cancelAnimationFrame(frame);
            timer = frame = 0;
            flush();
        },
    };
}
