// The other models of the catalogue, folded away; each says whether it runs here and how fast, once somebody looks.

import {Gemma} from '../../gemma.js';
import {text, textWith} from '../texts.js';
import {bytes, rough} from './format.js';
import {announce, element, within} from './dom.js';
import {loadable} from '../data/catalogue.js';

/**
 * @typedef {import('../data/catalogue.js').Offer} Offer
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {import('../../engine/probe.js').Probe} Probe
 */

export class More {
    #root;
    #onStart;
    #fold;
    #list;
    #terms;
    /** By shape and type, for a chat model is as fast as its base. @type {Map<string, Probe>} */
    #known = new Map();
    /** @type {AbortController | undefined} */
    #measuring;
    /** @type {{offer: Offer, line: HTMLElement, row: HTMLElement}[]} */
    #rows = [];

    /** @param {ParentNode} root @param {{onStart: (offer: Offer) => void}} options */
    constructor(root, {onStart}) {
        const at = within(root);
        this.#root = root;
        this.#onStart = onStart;
        this.#fold = at('more', HTMLDetailsElement);
        this.#list = at('more-list');
        this.#terms = at('more-terms');
        this.#fold.ontoggle = () => this.#fold.open ? this.#measure() : this.stop();
    }

    /** Ends the measuring, which takes all cores. */
    stop() {
        this.#measuring?.abort();
        this.#measuring = undefined;
    }

    /** @param {Offer[]} offers @param {Stored[]} stored */
    show(offers, stored) {
        this.stop();
        this.#rows = offers.map((offer) => this.#row(offer, stored.find(({id}) => id === offer.urls[0])));
        this.#list.replaceChildren(...this.#rows.map(({row}) => row));
        this.#fold.hidden = this.#rows.length === 0;
        const {licence} = offers.find((offer) => offer.licence) ?? {};
        this.#terms.replaceChildren(...licence ? textWith('more.terms', {
            licence: element('a', {textContent: licence.name, href: licence.url, target: '_blank', rel: 'noreferrer noopener'}),
        }) : []);
        if (this.#fold.open) this.#measure();
    }

    /** @param {Offer} offer @param {Stored} [here]   what is on this device of it */
    #row(offer, here) {
        const {name, kind, size, context} = offer;
        const line = element('p', {className: 'soft verdict'});
        const label = text(!here ? 'model.download' : here.state === 'partial' ? 'model.continue' : 'model.start');
        const button = element('button', {type: 'button', textContent: label, onclick: () => this.#onStart(offer)});
        button.setAttribute('aria-label', text('label.of', {label, name}));
        const facts = [kind && text(`more.${kind}`), bytes(size), context && text('more.context', {count: context})];
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
                const found = await this.#probe(offer, signal);
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

    /** @param {Offer} offer @param {AbortSignal} signal */
    async #probe(offer, signal) {
        const key = JSON.stringify([offer.shape, offer.type, Math.round(offer.size / 1e8)]);
        const found = this.#known.get(key) ?? await Gemma.probe(loadable(offer), {signal});
        this.#known.set(key, found);
        return found;
    }
}

/** @param {import('../../engine/probe.js').Probe} probe */
function verdict({fits, reasons, prefill, decode}) {
    const lead = fits ? text('more.runs', {decode: rough(decode ?? 0), prefill: rough(prefill ?? 0)}) : text('more.runs-not');
    return [lead, ...reasons].join(' ');
}
