// The first screen: the model that the site offers, the others of its catalogue, a model of one's own, and those that are on this device.

import {acceptDrops} from './attaching.js';
import {Gemma} from '../../gemma.js';
import {currentLanguage, text, textWith} from '../texts.js';
import {loadable, readCatalogue} from '../data/catalogue.js';
import {bytes} from './format.js';
import {element, within} from './dom.js';
import {fileName} from '../../weights/file/names.js';
import {Manager} from './manager.js';
import {More} from './more.js';

/**
 * @typedef {import('../../gemma.js').ModelSource} ModelSource
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {import('../data/catalogue.js').Offer} Offer
 *
 * @typedef {object} WelcomeOptions
 * @property {(model: ModelSource, name: string) => void} onStart
 * @property {(model: ModelSource, name: string) => void} onReplace   a stored model by what its address has now
 * @property {(files: File[], name: string) => void} onKeep   a model from the disk of which a copy is to be kept
 * @property {(error: Error) => void} onError
 * @property {(sentence: string) => void} onNotice
 */

export class Welcome {
    #at;
    #options;
    #manager;
    #more;
    /** @type {Offer[]} */
    #offers = [];

    /** @param {ParentNode} root @param {WelcomeOptions} options */
    constructor(root, options) {
        const {onStart, onReplace, onError, onNotice} = options;
        const at = this.#at = within(root);
        this.#options = options;
        /** @param {WelcomeOptions['onStart']} then @returns {(model: Stored) => void} */
        const named = (then) => (model) => then(this.sourceOf(model), this.titleOf(model));
        this.#manager = new Manager(root, {
            onStart: named(onStart), onReplace: named(onReplace), onError, onNotice,
            titleOf: (model) => this.titleOf(model), onChange: () => this.refresh(),
        });
        this.#more = new More(root, {onStart: (offer) => onStart(loadable(offer), offer.name)});
        const file = at('file', HTMLInputElement);
        at('pick-file').onclick = () => file.click();
        file.onchange = () => {
            const files = [...file.files ?? []];
            file.value = '';        // the same file may be chosen again
            this.#open(files);
        };
        acceptDrops(at('drop'), (files) => this.#open(files));
        this.#acceptAddress(at('url-form'), at('url', HTMLInputElement));
        /** The site has said what it offers. */
        this.offered = readCatalogue(async (found) => {
            this.#offers = found;
            await this.refresh();
        });
    }

    /** Looks again at what is stored. */
    async refresh() {
        const stored = await Gemma.models.list();
        const [first, ...others] = this.#offers;
        const cards = first ? [this.#card(first, stored.find(({id}) => id === first.urls[0]))] : [];
        this.#at('offered').replaceChildren(...cards);
        this.#more.show(others.filter(({shape}) => shape), stored);
        this.#manager.show(stored);
        return stored;
    }

    /** Ends what is being done and measured here. */
    stop() {
        this.#more.stop();
        this.#manager.stop();
    }

    /** A stored model's name for people. @param {Stored} model */
    titleOf(model) {
        return this.#offerOf(model)?.name ?? model.name;
    }

    /**
     * What is to be loaded for a stored model: one of the catalogue brings its other addresses and its digest along.
     * @param {Stored} model
     * @returns {ModelSource}
     */
    sourceOf(model) {
        const offer = this.#offerOf(model);
        return offer ? loadable(offer) : model.id;
    }

    /** @param {Stored} model */
    #offerOf({id}) {
        return this.#offers.find(({urls}) => urls[0] === id);
    }

    /** One model: a file, or all its parts, perhaps with its manifest. @param {File[]} files */
    #open(files) {
        if (!files.length) return;
        const {name} = files.find((file) => !file.name.endsWith('.json')) ?? files[0];
        const {onKeep, onStart} = this.#options;
        (this.#at('keep', HTMLInputElement).checked ? onKeep : onStart)(files, name);
    }

    /** @param {HTMLElement} form @param {HTMLInputElement} address */
    #acceptAddress(form, address) {
        address.oninput = () => address.setCustomValidity('');
        form.onsubmit = (event) => {
            event.preventDefault();
            const url = readAddress(address.value);
            address.setCustomValidity(url ? '' : text('own.address-wrong'));
            if (address.reportValidity() && url) this.#options.onStart(url, fileName(url).replace(/\.json$/, ''));
        };
    }

    /** @param {Offer} offer @param {Stored} [stored] */
    #card(offer, stored) {
        const {name, size, kind, about, licence} = offer, isPartial = stored?.state === 'partial';
        const amount = stored && isPartial ? text('count.part', {done: bytes(stored.storedBytes), total: bytes(size)}) : bytes(size);
        const tags = [kind && text(`model.${kind}`), stored ? text('model.here', {amount}) : amount];
        const made = element('article', {className: 'card'},
            element('div', {className: 'card-head'},
                element('h2', {textContent: name}),
                ...tags.filter(Boolean).map((tag) => element('span', {className: 'tag', textContent: tag}))));
        if (about) made.append(element('p', {dir: 'auto', textContent: typeof about === 'string' ? about : about[currentLanguage()] ?? about.en}));
        const label = text(!stored ? 'model.download-start' : isPartial ? 'model.continue-download' : 'model.start');
        const onclick = () => this.#options.onStart(loadable(offer), name);
        const start = element('button', {type: 'button', className: 'primary', textContent: label, onclick});
        start.setAttribute('aria-label', text('label.of', {label, name}));
        made.append(element('div', {className: 'actions'}, start));
        if (licence) {
            const link = element('a', {textContent: licence.name, href: licence.url, target: '_blank', rel: 'noreferrer noopener'});
            const terms = textWith(stored && !isPartial ? 'terms.provided' : 'terms.accept', {licence: link});
            made.append(element('p', {className: 'terms soft'}, ...terms));
        }
        return made;
    }
}

/** What a person typed as an address: https is assumed, other schemes are none. @param {string} written @returns {string | undefined} */
function readAddress(written) {
    const typed = written.trim();
    try {
        const url = new URL(/^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`);
        return /^\S+$/.test(typed) && /^https?:$/.test(url.protocol) ? url.href : undefined;
    } catch {
        return undefined;
    }
}
