// Alternatives: continuations of a text, side by side. One of them is chosen, and taken by word, sentence or
// all; undoing brings the others back.
//
// Owns: the cards and how much of the chosen one is taken. Must not know: the text, models.

import {element, everyFrame} from './dom.js';
import {nextSentence, nextWord} from './writer_words.js';
import {text} from '../texts.js';

/** @typedef {'word' | 'sentence' | 'all'} Part */
/**
 * @typedef {{text: string, isEnded: boolean, stop: AbortController, card: HTMLElement, body: HTMLElement,
 *     shown: ReturnType<typeof everyFrame>}} Alternative
 */

/** Of scripts that write spaces between words. */
const SPACED =
    '[\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}\\p{Script=Arabic}\\p{Script=Devanagari}\\p{Nd}]';
const ENDS_IN_WORD = new RegExp(`${SPACED}$`, 'u'), BEGINS_IN_WORD = new RegExp(`^${SPACED}`, 'u');

/** Parts, by the keys of their texts. @type {Part[]} */
const PARTS = ['word', 'sentence', 'all'];

export class Tray {
    #element;
    #cards;
    #onTake;
    /** @type {Alternative[]} */
    #all = [];
    #chosen = 0;
    /** Characters of the chosen one. */
    #taken = 0;
    /** The text is the one that they continue, or has a part of one of them since. */
    #fits = false;
    /** The end of the text that they continue. */
    #before = '';

    /**
     * @param {HTMLElement} root   shown while there is something to take
     * @param {(part: Part) => void} onTake
     */
    constructor(root, onTake) {
        this.#element = root;
        this.#cards = /** @type {HTMLElement} */ (root.querySelector('ol'));
        this.#onTake = onTake;
    }

    get isOpen() {
        return !this.#element.hidden;
    }

    get isEmpty() {
        return this.#all.every(({text}) => !text);
    }

    get chosen() {
        return this.#chosen;
    }

    get taken() {
        return this.#taken;
    }

    /**
     * @param {number} count
     * @param {string} before   the text that they continue
     * @returns {AbortSignal[]} which end one of them
     */
    begin(count, before) {
        this.close();
        this.#before = before.slice(-2);
        this.#taken = this.#chosen = 0;
        this.#all = Array.from({length: count}, (_, i) => this.#create(i, count));
        this.#cards.replaceChildren(...this.#all.map(({card}) => card));
        this.choose(0);
        this.show(0);
        return this.#all.map(({stop}) => stop.signal);
    }

    /** @param {number} index @param {string} piece */
    add(index, piece) {
        const one = this.#all[index];
        one.text += piece;
        one.shown.add(piece);
    }

    /** @param {number} index */
    end(index) {
        const one = this.#all[index];
        one.shown.end();
        one.isEnded = true;
        one.card.classList.remove('writing');
        if (!one.text) one.body.append(element('span',
            {className: 'soft', textContent: text('writer.nothing')}));
        this.show(this.#fits ? this.#taken : undefined);
    }

    /** @param {number} index */
    choose(index) {
        if (this.#taken) return;
        this.#chosen = (index + this.#all.length) % this.#all.length;
        for (const [i, {card}] of this.#all.entries()) card.classList.toggle('chosen', i === this.#chosen);
        this.#all[this.#chosen]?.card.scrollIntoView({block: 'nearest'});
    }

    /** What a part of the chosen one is now; '' while its word is being written. @param {Part} part */
    next(part) {
        const one = this.#all[this.#chosen], left = one?.text.slice(this.#taken) ?? '';
        if (part === 'all') return left;
        const found = part === 'word' ? nextWord(left) : nextSentence(left);
        return found === left && !one?.isEnded ? '' : found;
    }

    /**
     * So much of the chosen one is in the text now; the others wait for that to be undone.
     * @param {number | undefined} taken   undefined: the text is another one
     */
    show(taken) {
        this.#fits = taken !== undefined;
        if (taken !== undefined && taken !== this.#taken) {
            this.#taken = taken;
            const one = this.#all[this.#chosen];
            one.shown.end();
            one.body.textContent = this.#visible(one);
        }
        for (const [i, {card, stop}] of this.#all.entries()) {
            const isOther = this.#taken > 0 && i !== this.#chosen;
            card.hidden = isOther;
            if (isOther) stop.abort();
        }
        const {text = '', isEnded = true} = this.#all[this.#chosen] ?? {},
            isSpent = isEnded && this.#taken === text.length && this.#taken > 0;
        this.#element.hidden = taken === undefined || !this.#all.length || isSpent;
    }

    /**
     * What is left of one. A card has no white space first; instead it says where a line, or no new
     * word, begins.
     * @param {Pick<Alternative, 'text'>} one
     */
    #visible({text}) {
        const left = text.slice(this.#taken), start = left.trimStart(),
            space = left.slice(0, left.length - start.length);
        if (space || !start) return `${space.includes('\n') ? '↵ ' : ''}${start}`;
        const isWithinWord = ENDS_IN_WORD.test(this.#before + text.slice(0, this.#taken))
            && BEGINS_IN_WORD.test(start);
        return `${isWithinWord ? '…' : ''}${start}`;
    }

    stop() {
        for (const {stop} of this.#all) stop.abort();
    }

    close() {
        this.stop();
        this.#all = [];
        this.#element.hidden = true;
        this.#cards.replaceChildren();
    }

    /** @param {number} index @param {number} count @returns {Alternative} */
    #create(index, count) {
        const body = element('p', {className: 'card-text', dir: 'auto'}),
            take = (/** @type {Part} */ part) => {
            this.choose(index);
            this.#onTake(part);
        };
        const buttons = PARTS.map((part) => element('button', {type: 'button', className: part === 'all' ? ''
            : 'quiet', textContent: text(`writer.take-${part}`), onclick: () => take(part)}));
        const card = element('li', {className: 'alternative writing'}, body,
            element('div', {className: 'card-actions'}, ...buttons));
        card.setAttribute('aria-label', text('writer.alternative', {number: index + 1, count}));
        body.onclick = () => this.choose(index);
        const shown = everyFrame((pieces) => {
            if (body.textContent?.trim()) body.append(pieces);
            else body.textContent = this.#visible(one);
        });
        const one = {text: '', isEnded: false, stop: new AbortController(), card, body, shown};
        return one;
    }
}
