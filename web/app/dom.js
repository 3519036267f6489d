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
