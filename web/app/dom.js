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

/**
 * Gathers pieces of text and shows them once a frame, however fast they come.
 * @param {(text: string) => void} show   what has come since the last time
 * @returns {{add: (piece: string) => void, end: () => void}}   end: shows the rest now
 */
export function everyFrame(show) {
    let gathered = '', frame = 0;
    const end = () => {
        cancelAnimationFrame(frame);
        frame = 0;
        const text = gathered;
        gathered = '';
        if (text) show(text);
    };
    return {
        add(piece) {
            gathered += piece;
            frame ||= requestAnimationFrame(end);
        },
        end,
    };
}
