// The other models of the catalogue, folded away; each says whether it runs here and how fast, once
// somebody looks.

import {text, textWith} from '../texts.js';
import {verdictOf} from '../verdicts.js';
import {announce, element, within} from './dom.js';
import {bytes, rough} from './format.js';
import {linkTo} from './offer.js';

/**
 * @typedef {import('../data/catalogue.js').Offer} Offer
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 */

export class More {
    #root;
    #onStart;
    #fold;
    #list;
    #terms;
    /** @type {AbortController | undefined} */
    #measuring;
    /** @type {{offer: Offer, line: HTMLElement, row: HTMLElement}[]} */
    #rows = [];
    /** What the rows say. */
    #shown = '';

    /** @param {ParentNode} root @param {{onStart: (offer: Offer) => void}} options */
    constructor(root, {onStart}) {
        const at = within(root);
        this.#root = root;
        this.#onStart = onStart;
        this.#fold = at('more', HTMLDetailsElement);
        this.#list = at('more-list');
        this.#terms = at('more-terms');
    }

    /** Ends the measuring, which takes all cores. */
    stop() {
        this.#measuring?.abort();
        this.#measuring = undefined;
    }

    /** @param {Offer[]} offers @param {Stored[]} stored */
    show(offers, stored) {
        const all = JSON.stringify([offers,
            offers.map((offer) => stored.find(({id}) => id === offer.urls[0])?.state)]);
        if (all === this.#shown && this.#measuring) return;
        this.#shown = all;
        this.stop();
        this.#rows = offers.map((offer) => this.#row(offer, stored.find(({id}) => id === offer.urls[0])));
        this.#list.replaceChildren(...this.#rows.map(({row}) => row));
        const {licence} = offers.find((offer) => offer.licence) ?? {};
        this.#terms.replaceChildren(...licence ? textWith('more.terms', {licence: linkTo(licence)}) : []);
        if (this.#fold.open) this.#measure();
    }

    /** @param {Offer} offer @param {Stored} [here]   what is on this device of it */
    #row(offer, here) {
        const {name, kind, size, context} = offer;
        const line = element('p', {className: 'soft verdict'});
        const label = text(!here ? 'model.download' : here.state === 'partial' ? 'model.continue'
            : 'model.start');
        const button = element('button', {type: 'button', textContent: label,
            onclick: () => this.#onStart(offer)});
        button.setAttribute('aria-label', text('label.of', {label, name}));
        const facts = [kind && text(`more.${kind}`), bytes(size), context
            && text('more.context', {count: context})];
        const soft = element('span', {className: 'soft', textContent: facts.filter(Boolean).join(' · ')});
        const title = element('p', {}, element('strong', {textContent: name}), ' ', soft);
        return {offer, line, row: element('li', {}, element('div', {}, title, line), button)};
    }

    async #measure() {
        this.stop();
        const {signal} = this.#measuring = new AbortController();
        let fitting = 0;
        for (const {offer, line, row} of this.#rows) {
            line.textContent = text('more.finding');
            try {
                const found = await verdictOf(offer, signal);
                line.textContent = verdict(found);
                row.classList.toggle('unfit', !found.fits);
                if (found.fits) fitting++;
            } catch (error) {
                if (signal.aborted) return;
                line.textContent = /** @type {Error} */ (error).message;
            }
        }
        announce(this.#root, text('more.fitting', {fitting, count: this.#rows.length}));
    }
}

/** @param {import('../verdicts.js').Verdict} verdict */
function verdict({fits, reasons, prefill, decode}) {
    const lead = fits ? text('more.runs', {decode: rough(decode ?? 0), prefill: rough(prefill ?? 0)})
        : text('more.runs-not');
    return [lead, ...reasons].join(' ');
}
