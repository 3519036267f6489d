// The first screen: the model that the site offers, the others of its catalogue, a model of one's own, and those that are on this device.

import {Gemma} from '../../gemma.js';
import {loadable, readCatalogue} from '../data/catalogue.js';
import {bytes} from './format.js';
import {byId, element} from './dom.js';
import {fileName} from '../../weights/file/names.js';
import {createManager} from './manager.js';
import {createMore} from './more.js';

/**
 * @typedef {import('../../gemma.js').ModelSource} ModelSource
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 */

/**
 * @param {object} options
 * @param {(model: ModelSource, name: string) => void} options.onStart
 * @param {(model: ModelSource, name: string) => void} options.onReplace   a stored model by what its address has now
 * @param {(files: File[], name: string) => void} options.onKeep   a model from the disk of which a copy is to be kept
 * @param {(error: Error) => void} options.onError
 * @param {(sentence: string) => void} options.onNotice
 * @returns {{refresh: () => Promise<Stored[]>, offered: Promise<void>, stop: () => void, sourceOf: (model: Stored) => ModelSource,
 *     titleOf: (model: Stored) => string}}   refresh: looks again at what is stored; offered: the site has said what it offers; stop: ends what
 *     goes on here; sourceOf: what is to be loaded for a stored model; titleOf: its name for people
 */
export function createWelcome({onStart, onReplace, onKeep, onError, onNotice}) {
    /** @type {import('../data/catalogue.js').Offer[]} */
    let offers = [];

    const offerOf = ({id}) => offers.find(({urls}) => urls[0] === id);
    const titleOf = (model) => offerOf(model)?.name ?? model.name;
    const named = (then) => (model) => then(sourceOf(model), titleOf(model));
    const manager = createManager({onStart: named(onStart), onReplace: named(onReplace), titleOf, onError, onNotice, onChange: refresh});
    const more = createMore({onStart: (offer) => onStart(loadable(offer), offer.name)});

    byId('pick-file').onclick = () => byId('file').click();
    byId('file').onchange = () => {
        const files = [...byId('file').files];
        byId('file').value = '';        // the same file may be chosen again
        open(files);
    };
    acceptDrops(byId('drop'), open);

    const address = byId('url');
    address.oninput = () => address.setCustomValidity('');
    byId('url-form').onsubmit = (event) => {
        event.preventDefault();
        const url = readAddress(address.value);
        address.setCustomValidity(url ? '' : 'Write the https:// address of a GGUF file or of its manifest.');
        if (address.reportValidity()) onStart(url, fileName(url).replace(/\.json$/, ''));
    };

    /** One model: a file, or all its parts, perhaps with its manifest. @param {File[]} files */
    function open(files) {
        if (!files.length) return;
        const {name} = files.find((file) => !file.name.endsWith('.json')) ?? files[0];
        (byId('keep').checked ? onKeep : onStart)(files, name);
    }

    /** A model of the catalogue brings its other addresses and its digest along. @param {Stored} model */
    function sourceOf(model) {
        const offer = offerOf(model);
        return offer ? loadable(offer) : model.id;
    }

    async function refresh() {
        const stored = await Gemma.models.list();
        const [first, ...others] = offers;
        byId('offered').replaceChildren(...first ? [card(first, stored.find(({id}) => id === first.urls[0]))] : []);
        more.show(others.filter(({shape}) => shape), stored);
        manager.show(stored);
        return stored;
    }

    /** @param {import('../data/catalogue.js').Offer} offer @param {Stored} [stored] */
    function card(offer, stored) {
        const {name, size, kind, about, licence} = offer;
        const here = stored && (stored.state === 'partial' ? `${bytes(stored.storedBytes)} of ${bytes(size)} on this device` : `${bytes(size)} on this device`);
        const tags = [{base: 'Base model', chat: 'Chat model'}[kind], here ?? bytes(size)];
        const made = element('article', {className: 'card'},
            element('div', {className: 'card-head'},
                element('h2', {textContent: name}),
                ...tags.filter(Boolean).map((text) => element('span', {className: 'tag', textContent: text}))));
        if (about) made.append(element('p', {textContent: about}));
        const label = !stored ? 'Download and start' : stored.state === 'partial' ? 'Continue the download' : 'Start';
        const start = element('button', {type: 'button', className: 'primary', textContent: label, onclick: () => onStart(loadable(offer), name)});
        start.setAttribute('aria-label', `${label}: ${name}`);
        made.append(element('div', {className: 'actions'}, start));
        if (licence) {
            const link = element('a', {textContent: licence.name, href: licence.url, target: '_blank', rel: 'noreferrer noopener'});
            const lead = stored && stored.state !== 'partial' ? 'Provided under the ' : 'By downloading you accept the ';
            made.append(element('p', {className: 'terms soft'}, lead, link, '.'));
        }
        return made;
    }

    const offered = readCatalogue(async (found) => {
        offers = found;
        await refresh();
    });

    return {
        refresh, offered, sourceOf, titleOf,
        stop() {
            more.stop();
            manager.stop();
        },
    };
}

/** What a person typed as an address: https is assumed, other schemes are none. @returns {string | undefined} */
function readAddress(text) {
    const typed = text.trim();
    try {
        const url = new URL(/^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`);
        return /^\S+$/.test(typed) && /^https?:$/.test(url.protocol) ? url.href : undefined;
    } catch {
        return undefined;
    }
}

/** Files may be dropped anywhere on the page, for as long as the place that says so is visible. */
function acceptDrops(place, onFiles) {
    const wanted = (event) => place.offsetParent !== null && event.dataTransfer.types.includes('Files');
    let over = 0;
    const mark = (change) => {
        over += change;
        place.classList.toggle('over', over > 0);
    };
    addEventListener('dragenter', (event) => wanted(event) && mark(1));
    addEventListener('dragleave', (event) => wanted(event) && mark(-1));
    addEventListener('dragover', (event) => wanted(event) && event.preventDefault());
    addEventListener('drop', (event) => {
        if (!wanted(event)) return;
        event.preventDefault();
        mark(-over);
        onFiles([...event.dataTransfer.files]);
    });
}
