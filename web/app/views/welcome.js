// The first screen: the model that the site offers, a model of one's own, and those that are on this device already.

import {bytes} from '../format.js';
import {byId, element} from '../dom.js';
import {storedModels, deleteStored} from '../../weights/stored.js';

/**
 * @typedef {object} Offer
 * @property {string} name
 * @property {string} url        relative to the page, or absolute
 * @property {number} size       bytes
 * @property {'base' | 'chat'} [kind]
 * @property {string} [about]
 * @property {{name: string, url: string}} [licence]   accepted by downloading
 */

/**
 * @param {object} options
 * @param {(model: string | File, name: string) => void} options.onStart
 * @param {(error: Error) => void} options.onError
 * @returns {{refresh: () => Promise<void>}}   refresh: looks again at what is stored
 */
export function createWelcome({onStart, onError}) {
    /** @type {Offer[] | undefined} */
    let offers;

    byId('pick-file').onclick = () => byId('file').click();
    byId('file').onchange = () => {
        const [file] = byId('file').files;
        byId('file').value = '';        // the same file may be chosen again
        if (file) onStart(file, file.name);
    };
    acceptDrops(byId('drop'), (file) => onStart(file, file.name));

    const address = byId('url');
    address.oninput = () => address.setCustomValidity('');
    byId('url-form').onsubmit = (event) => {
        event.preventDefault();
        const url = readAddress(address.value);
        address.setCustomValidity(url ? '' : 'Write the https:// address of a GGUF file.');
        if (address.reportValidity()) onStart(url, decodeURIComponent(new URL(url).pathname.split('/').pop()));
    };

    async function refresh() {
        try {
            offers ??= (await (await fetch('models.json')).json()).models;
        } catch {
            offers = [];        // what is stored and what the user has still opens
        }
        const stored = await storedModels();
        const offered = offers.map((offer) => ({...offer, url: new URL(offer.url, document.baseURI).href}));
        byId('offered').replaceChildren(...offered.map((offer) => card(offer, stored.find(({id}) => id === offer.url))));

        const others = stored.filter(({id}) => !offered.some(({url}) => url === id));
        byId('stored').hidden = others.length === 0;
        byId('stored-list').replaceChildren(...others.map((model) => element('li', {},
            element('div', {},
                element('strong', {textContent: model.name}),
                element('p', {className: 'soft', textContent: `${amount(model)} · from ${new URL(model.id).host}`})),
            element('div', {className: 'actions'}, ...actions(model.id, model.name, model)))));
    }

    /** @param {Offer} offer @param {import('../../weights/stored.js').Stored} [stored] */
    function card({name, url, size, kind, about, licence}, stored) {
        const tags = [{base: 'Base model', chat: 'Chat model'}[kind], stored ? amount(stored) : bytes(size)];
        const made = element('article', {className: 'card'},
            element('div', {className: 'card-head'},
                element('h2', {textContent: name}),
                ...tags.filter(Boolean).map((text) => element('span', {className: 'tag', textContent: text}))));
        if (about) made.append(element('p', {textContent: about}));
        made.append(element('div', {className: 'actions'}, ...actions(url, name, stored)));
        if (licence) {
            const link = element('a', {textContent: licence.name, href: licence.url, target: '_blank', rel: 'noreferrer noopener'});
            made.append(element('p', {className: 'terms soft'},
                stored?.complete ? 'Provided under the ' : 'By downloading you accept the ', link, '.'));
        }
        return made;
    }

    /** The buttons of a model: start it, and delete what is stored of it. */
    function actions(url, name, stored) {
        const label = stored?.complete ? 'Start' : stored ? 'Continue the download' : 'Download and start';
        const start = element('button', {type: 'button', className: 'primary', textContent: label, onclick: () => onStart(url, name)});
        start.setAttribute('aria-label', `${label}: ${name}`);
        if (!stored) return [start];
        const remove = element('button', {type: 'button', className: 'quiet', textContent: 'Delete'});
        remove.setAttribute('aria-label', `Delete ${name} from this device`);
        remove.onclick = async () => {
            if (!confirm(`Delete ${name} from this device? It can be downloaded again.`)) return;
            await deleteStored(url).catch(onError);
            await refresh();
        };
        return [start, remove];
    }

    return {refresh};
}

/** How much of a model is here. */
function amount({size, storedBytes, complete}) {
    return complete ? `${bytes(size)} on this device` : `${bytes(storedBytes)} of ${bytes(size)} on this device`;
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
function acceptDrops(place, onFile) {
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
        if (event.dataTransfer.files.length) onFile(event.dataTransfer.files[0]);
    });
}
