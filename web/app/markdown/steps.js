// A long answer as elements, in steps, between which the page answers to a person. It is made beside the page
// and put in as a whole: what is out of sight costs nothing there (styles/markdown.css, .long). Long lists
// and tables are one block, so their items follow in steps, the last first; so do very many blocks.
//
// Owns: how much a step draws. Must not know: when the steps are done.

import {Markdown, settle} from './markdown.js';

// They are fetched with it.
export {speakOrStop} from './speaking.js';
export {spoken} from './spoken.js';

/** Characters of a step: reading and drawing them takes some milliseconds. */
const STEP = 2000;
/** A list or table longer than LONG_LIST characters is drawn in parts of about PART. */
const LONG_LIST = 12_000, PART = 4000;
/** Blocks are drawn together up to these characters. */
const BLOCKS = 100_000;
/** An element costs as much as these characters. */
const ELEMENT = 20;

/**
 * @param {HTMLElement} container @param {string} text
 * @param {{labels: import('./draw.js').Labels, put: (place: () => void) => void}} options   put: is called
 *     with what puts something in
 * @returns {Generator<number, void>} characters of each step
 */
export function* drawInSteps(container, text, {labels, put}) {
    const made = document.createElement('div'), writer = new Markdown(made, {labels, isHidden: true});
    for (let at = 0; at < text.length;) {
        const line = text.indexOf('\n', at + STEP) + 1, end = line && line < at + 2 * STEP ? line : at + STEP;
        writer.write(text.slice(at, end));
        yield Math.min(end, text.length) - at;
        at = end;
    }
    yield* writer.endInSteps();
    const lists = [...made.querySelectorAll(':scope > :is(ul, ol), :scope > .table tbody')]
        .filter((one) => costOf(one) > LONG_LIST).map((list) => ({list, items: [...list.children]}));
    for (const {list} of lists) list.replaceChildren();
    container.classList.add('markdown', 'long');
    yield* putItems(container, [...made.children], BLOCKS, put);
    for (const {list, items} of lists.reverse()) yield* putItems(list, items, PART, put);
    settle(container);
}

/**
 * @param {Element} list
 * @param {Element[]} items   the last is put in first
 * @param {number} most   characters of a step
 * @param {(place: () => void) => void} put
 * @returns {Generator<number, void>}
 */
function* putItems(list, items, most, put) {
    while (items.length) {
        /** @type {Element[]} */
        const batch = [];
        let cost = 0;
        for (let next = items.pop(); next; next = cost < most ? items.pop() : undefined) {
            batch.push(next);
            cost += costOf(next);
        }
        put(() => list.prepend(...batch.reverse()));
        yield Math.min(cost, PART);
    }
}

/** @param {Element} element */
const costOf = (element) => (element.textContent?.length ?? 0) + ELEMENT * element.querySelectorAll('*').length
    + ELEMENT;
