// The first screen: the model that the site offers, the others of its catalogue, a model of one's own, and
// those that are on this device.

import {acceptDrops} from './attaching.js';
import {Gemma} from '../../gemma.js';
import {later, once} from '../../base/later.js';
import {loadable, readCatalogue} from '../data/catalogue.js';
import {hasAgreed, rememberAgreement} from '../data/preferences.js';
import {arrange, pick} from '../data/recommend.js';
import {fileName} from '../../weights/file/names.js';
import {text} from '../texts.js';
import {keptVerdict, verdictOf} from '../verdicts.js';
import {announce, within} from './dom.js';
import {finding, hostOf, noOffer, offerCard} from './offer.js';

/**
 * @typedef {import('../../gemma.js').ModelSource} ModelSource
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 * @typedef {import('../data/catalogue.js').Offer} Offer
 *
 * @typedef {object} WelcomeOptions
 * @property {(model: ModelSource, name: string) => void} onStart
 * @property {(model: ModelSource, name: string) => void} onReplace   a stored model by what its address
 *     has now
 * @property {(files: File[], name: string) => void} onKeep   a model from the disk of which a copy is to
 *     be kept
 * @property {(error: Error) => void} onError
 * @property {(sentence: string) => void} onNotice
 */

/** Where a model is stored, the first screen waits so long at most to learn whether the network is there. */
const REACH_MS = 150;
/** A page that has just opened has other things to compute: a measurement would be too low. */
const SETTLED_MS = 400, WORKER_MS = 8000;

/** What a first visit shows nothing of. */
const bringModels = once(() => later(() => import('./models.js')));

export class Welcome {
    #root;
    #at;
    #options;
    /** Fetched where something is stored. @type {import('./manager.js').Manager | undefined} */
    #manager;
    /** Fetched when it is unfolded. @type {import('./more.js').More | undefined} */
    #more;
    /** @type {Offer[]} */
    #offers = [];
    /** What is here, as it was looked at last. @type {Stored[]} */
    #stored = [];
    /**
     * This visit's verdicts of models that have none.
     * @type {Map<Offer, import('../verdicts.js').Verdict>}
     */
    #unclear = new Map();
    /** @type {AbortController | undefined} */
    #measuring;
    /** One to recommend was looked for here: it stands where the search did. */
    #hasSearched = false;
    #isNone = false;        // there is none
    #seen;
    /** The cards that show, by all that they say. @type {Map<string, HTMLElement>} */
    #cards = new Map();
    /** The number of models chosen or begun so far: only the last one may go on. */
    #choices = 0;
    /** What was begun last, where it must come from its host. @type {Offer | undefined} */
    #begun;
    /** A model of another host could not be loaded during this visit. */
    #hasFailed = false;
    /** Whether this site answers: without it, other hosts hardly do. */
    #isReached = reach();

    /** @param {HTMLElement} root @param {WelcomeOptions} options */
    constructor(root, options) {
        const at = this.#at = within(root), {onError} = options;
        this.#root = root;
        this.#options = options;
        at('more').ontoggle = () => this.#showMore().catch(onError);
        const file = at('file', HTMLInputElement);
        at('pick-file').onclick = () => file.click();
        file.onchange = () => {
            const files = [...file.files ?? []];
            file.value = '';        // the same file may be chosen again
            this.#open(files);
        };
        acceptDrops(at('drop'), (files) => this.#open(files));
        this.#acceptAddress(at('url-form'), at('url', HTMLInputElement));
        // Only where somebody looks: it takes all cores, and memory. Who scrolls looks on.
        this.#seen = new IntersectionObserver((entries) => {
            const {isIntersecting, boundingClientRect: {width}} = entries[entries.length - 1];
            if (isIntersecting) this.#findOut();
            else if (!width) this.#stopMeasuring();
        });
        for (const event of ['online', 'offline']) addEventListener(event, () => {
            this.#isReached = reach();
            this.refresh().catch(onError);
        });
        /** The site has said what it offers. */
        this.offered = readCatalogue(async (found) => {
            this.#offers = found;
            await this.refresh();
        }).finally(() => { at('own').hidden = false; });
    }

    /** Looks again at what is stored. */
    async refresh() {
        const [stored, {free}] = await Promise.all([Gemma.models.list(), Gemma.models.room(0)]);
        this.#stored = stored;
        const isReached = !stored.length
            || await Promise.race([this.#isReached, new Promise((late) => setTimeout(late, REACH_MS, true))]);
        const isOffline = navigator.onLine === false || !isReached;
        const {offer: recommended, missing} = this.#pick(free),
            cards = arrange(this.#offers, {stored, isOffline,
                isOwnFirst: this.#hasFailed || this.#hasSearched || !recommended,
                recommended: recommended ?? (this.#hasFailed ? undefined : missing)});
        const places = cards.map((card, i) => {
            const {offer, role} = card, isPlace = role === 'recommended' && offer === missing;
            const about = {stored: stored.find(({id}) => id === offer.urls[0]),
                speed: keptVerdict(offer)?.decode, isFirst: i === 0, isAgreed: hasAgreed(offer.licence)};
            return this.#cardOf(JSON.stringify([card, isPlace, about]), () => isPlace ? finding()
                : offerCard(card, {...about, onStart: () => this.#begin(offer)}));
        });
        if (this.#isNone && !cards[1] && !isOffline) places.push(this.#cardOf('none', noOffer));
        this.#place(places);
        // It does not stand alone first, to be pushed down.
        if (places.length) this.#at('own').hidden = false;
        this.#seen.disconnect();
        // The site's own may be the one to be measured.
        if (cards.some(({offer, role}) => offer === missing && role !== 'stored'))
            this.#seen.observe(places[0][1]);
        await this.#showMore().catch(this.#options.onError);
        if (stored.length || this.#manager) await this.#showManager(stored).catch(this.#options.onError);
        return stored;
    }

    /**
     * One that is as before is the same element.
     * @param {string} key
     * @param {() => HTMLElement} make
     * @returns {[key: string, card: HTMLElement]}
     */
    #cardOf(key, make) {
        return [key, this.#cards.get(key) ?? make()];
    }

    /**
     * What stays is not touched: somebody may be about to press it.
     * @param {[key: string, card: HTMLElement][]} cards
     */
    #place(cards) {
        const place = this.#at('offered'),
            held = place.contains(document.activeElement) && document.activeElement?.ariaLabel;
        this.#cards = new Map(cards);
        for (const old of [...place.children]) if (!cards.some(([, card]) => card === old)) old.remove();
        for (const [i, [, card]] of cards.entries()) if (place.children[i] !== card)
            place.insertBefore(card, place.children[i] ?? null);
        if (held && !place.contains(document.activeElement))
            [...place.querySelectorAll('button')].find(({ariaLabel}) => ariaLabel === held)?.focus();
    }

    async #showMore() {
        const fold = this.#at('more', HTMLDetailsElement),
            others = this.#offers.slice(1).filter(({shape}) => shape);
        fold.hidden = !others.length;
        if (!fold.open) return this.#more?.stop();
        const {More} = await bringModels();
        this.#more ??= new More(this.#root, {onStart: (offer) => this.#begin(offer)});
        if (fold.open) this.#more.show(others, this.#stored);
    }

    /** @param {Stored[]} stored */
    async #showManager(stored) {
        const {onStart, onReplace, onError, onNotice} = this.#options, {Manager} = await bringModels();
        /** @param {WelcomeOptions['onStart']} then @returns {(model: Stored) => void} */
        const named = (then) => (model) => then(this.sourceOf(model), this.titleOf(model));
        this.#manager ??= new Manager(this.#root, {
            onStart: named(onStart), onReplace: named(onReplace), onError, onNotice,
            titleOf: (model) => this.titleOf(model), onChange: () => this.refresh(),
            isOffered: ({id}) => [...this.#cards.keys()].some((said) => said.includes(`"${id}"`)),
        });
        this.#manager.show(stored);
    }

    /** @param {number} [free]   bytes of storage; a part of a model may be there already */
    #pick(free = Infinity) {
        const left = (/** @type {Offer} */ {size, urls}) =>
            size - (this.#stored.find(({id}) => id === urls[0])?.storedBytes ?? 0);
        return pick(this.#offers, (offer) => keptVerdict(offer) ?? this.#unclear.get(offer),
            (offer) => left(offer) <= free);
    }

    /** Measures models until one can be recommended, or none is left. */
    async #findOut() {
        if (this.#measuring) return;
        const {signal} = this.#measuring = new AbortController(),
            waiting = () => /** @type {HTMLElement | null} */ (this.#at('offered').querySelector('.finding'));
        let isKnown = true;
        try {
            await hasSettled();
            const {free} = await Gemma.models.room(0);
            for (let next; (next = this.#pick(free).missing);) {
                const offer = next;
                signal.throwIfAborted();
                const verdict = await verdictOf(offer, signal).catch(() => {
                    isKnown = false;        // nothing is said of it, and it is tried again at the next visit
                    return {fits: false, reasons: []};
                });
                signal.throwIfAborted();
                this.#unclear.set(offer, verdict);
            }
            const {offer} = this.#pick(free);
            this.#hasSearched = !!waiting();
            this.#isNone = this.#hasSearched && isKnown && !offer;
            await this.refresh();
            const label = text('offer.recommended');
            if (offer) announce(this.#root, text('label.of', {label, name: offer.name}));
        } catch {
            if (!signal.aborted) waiting()?.remove();       // else something has begun
        } finally {
            if (this.#measuring?.signal === signal) this.#measuring = undefined;
        }
    }

    /** A person has chosen one. @param {Offer} offer */
    #begin(offer) {
        this.#choose(offer).catch(this.#options.onError);
    }

    /** Its terms are shown once. @param {Offer} offer */
    async #choose(offer) {
        const {licence, urls} = offer, isOwn = urls[0] === this.#offers[0].urls[0],
            isNew = !this.#stored.some(({id}) => id === urls[0]), choice = ++this.#choices;
        if (isNew && licence && !isOwn && !hasAgreed(licence)) {
            const {askTerms} = await bringModels();
            // Another one may have been chosen, or begun, meanwhile.
            if (choice !== this.#choices || !await askTerms(offer) || choice !== this.#choices) return;
        }
        if (isNew) rememberAgreement(licence);
        this.#options.onStart(loadable(offer), offer.name);
    }

    /**
     * What a person can do where a model of another host could not be loaded: the site's own, which stands
     * first from now on.
     * @param {Error & {code?: string}} error   of what was begun last
     * @returns {{label: string, onPress: () => void} | undefined}
     */
    insteadOf({code}) {
        const [own] = this.#offers;
        if (code !== 'network' || !this.hostAsked) return undefined;
        this.#hasFailed = true;
        this.refresh().catch(this.#options.onError);
        return {label: text('offer.instead', {name: own.name}), onPress: () => this.#begin(own)};
    }

    /** The other host from which the model comes that was begun last, where it is one of the catalogue. */
    get hostAsked() {
        const [own] = this.#offers;
        return this.#begun && hostOf(this.#begun) !== hostOf(own) ? hostOf(this.#begun) : '';
    }

    /** A model is begun: ends what is being done and measured here. @param {ModelSource} [model] */
    stop(model) {
        const id = model && Gemma.models.idOf(model);
        this.#stopMeasuring();
        this.#begun = this.#stored.some((stored) => stored.id === id && stored.state === 'complete')
            ? undefined : this.#offers.find(({urls}) => urls[0] === id);
        this.#choices++;
        this.#hasSearched = this.#isNone = false;
        this.#more?.stop();
        this.#manager?.stop();
    }

    #stopMeasuring() {
        this.#measuring?.abort();
        this.#measuring = undefined;
    }

    /** A stored model's name for people. @param {Stored} model */
    titleOf(model) {
        return this.#offerOf(model)?.name ?? model.name;
    }

    /**
     * What to load for a stored model. One of the catalogue also has its other addresses and its digest.
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
            if (address.reportValidity() && url)
                this.#options.onStart(url, fileName(url).replace(/\.json$/, ''));
        };
    }
}

/** Whether this site answers, where a page without the network would show all the same. */
async function reach() {
    return !navigator.serviceWorker?.controller || fetch('models.json', {method: 'HEAD', cache: 'no-store'})
        .then(() => true, () => false);
}

/**
 * The page has done what it does when it opens. A service worker that is being installed may yet reload it,
 * to give it threads.
 */
async function hasSettled() {
    const {controller, ready} = navigator.serviceWorker ?? {controller: true},
        wait = (/** @type {number} */ ms) => new Promise((over) => setTimeout(over, ms));
    if (!controller) await Promise.race([ready, wait(WORKER_MS)]);
    await wait(SETTLED_MS);
}

/**
 * What a person typed as an address: https is assumed, other schemes are none.
 * @param {string} written
 * @returns {string | undefined}
 */
function readAddress(written) {
    const typed = written.trim();
    try {
        const url = new URL(/^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`);
        return /^\S+$/.test(typed) && /^https?:$/.test(url.protocol) ? url.href : undefined;
    } catch {
        return undefined;
    }
}
