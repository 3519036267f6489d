// view_parts.js: what the view is made with: elements, keys of input methods, and what a screen reader
// is told.

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, unknown>} properties   set as properties, `part` and `role` as attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(name, {part, role, ...properties}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    if (part) made.setAttribute('part', String(part));
    if (role) made.setAttribute('role', String(role));
    made.append(...children);
    return made;
}

/** A place for elements of the page. @param {string} name */
export const slot = (name) => make('slot', {name});

/** Where the main pointer is a finger, Enter makes a new line, and the keyboard is not called up unasked. */
export const isTouch = () => matchMedia('(pointer: coarse)').matches;

/**
 * True for keys that belong to an input method. WebKit says so by 229 after the composition has ended.
 * @param {KeyboardEvent} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

const PAUSE_MS = 3000;      // a screen reader that is interrupted at each word says nothing

/** Tells a screen reader what is written: whole sentences, and now and then. */
export class Announcer {
    element = make('div', {className: 'unseen', role: 'status'});
    #text = '';
    #next = 0;

    /** @param {string} text   at once */
    say(text) {
        this.#text = '';
        this.#next = performance.now() + PAUSE_MS;
        this.element.textContent = text;
    }

    /** @param {string} piece   of what is written */
    add(piece) {
        this.#text += piece;
        if (performance.now() < this.#next) return;
        const [, sentences, rest] = /^([^]*[.!?…:\n。！？])(?=\s|$)([^]*)$/.exec(this.#text) ?? [];
        if (sentences?.trim()) {
            this.say(sentences);
            this.#text = rest;
        }
    }

    /** @param {string} text   how it ended */
    end(text) {
        this.say(`${this.#text} ${text}`.trim());
    }
}
