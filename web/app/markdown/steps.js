// A long answer as elements, in steps, between which the page answers to a person. It is made beside the page
// and put in as a whole: what is out of sight costs nothing there (styles/markdown.css, .long). Long lists
// are one block, so their items follow in steps, the last first.
//
// Owns: how much a step draws. Must not know: when the steps are done.

import {Markdown, settle} from './markdown.js';

// They are fetched with it.
export {speakOrStop} from './speaking.js';
export {spoken} from './spoken.js';

/** Characters of a step: reading and drawing them takes some milliseconds. */
const STEP = 2000;
/** A list longer than LONG_LIST characters is drawn in parts of about PART. */
const LONG_LIST = 12_000, PART = 4000;

/**
 * @param {HTMLElement} container @param {string} text
 * @param {{labels: import('./draw.js').Labels, put: (place: () => void) => void}} options   put: is called
 *     with what puts something in
 * @returns {Generator<number, void>} characters of each step
 */
export function* drawInSteps(container, text, {labels, put}) {
    const made = document.createElement('div'), writer = new Markdown(made, {labels, isHidden: true});
    for (let at = 0; at < text.length;) {
        const line = text.indexOf('\n', at + STEP), end = line < 0 ? text.length : line + 1;
        writer.write(text.slice(at, end));
        yield end - at;
        at = end;
    }
    writer.end();
    const lists = [...made.children].filter((one) => /^(ul|ol)$/.test(one.localName)
        && lengthOf(one) > LONG_LIST).map((list) => ({list, items: [...list.children]}));
    for (const {list} of lists) list.replaceChildren();
    container.classList.add('markdown', 'long');
    put(() => container.append(...made.childNodes));
    for (const {list, items} of lists.reverse()) yield* putItems(list, items, put);
    settle(container);
}

/**
 * @param {Element} list
 * @param {Element[]} items
 * @param {(place: () => void) => void} put
 * @returns {Generator<number, void>}
 */
function* putItems(list, items, put) {
    while (items.length) {
        /** @type {Element[]} */
        const batch = [];
        let length = 0;
        for (let next = items.pop(); next; next = length < PART ? items.pop() : undefined) {
            batch.unshift(next);
            length += lengthOf(next);
        }
        put(() => list.prepend(...batch));
        yield length;
    }
}

/** @param {Element} element */
const lengthOf = ({textContent}) => textContent?.length ?? 0;
