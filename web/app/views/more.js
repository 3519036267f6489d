// The other models of the catalogue, folded away; each says whether it runs here and how fast, once somebody looks.

import {Gemma} from '../../gemma.js';
import {bytes} from './format.js';
import {announce, byId, element} from './dom.js';

/**
 * @param {{onStart: (offer: import('../data/catalogue.js').Offer) => void}} options
 * @returns {{show: (offers: import('../data/catalogue.js').Offer[], stored: import('../../weights/store/store.js').Stored[]) => void, stop: () => void}}
 *     stop: ends the measuring, which takes all cores
 */
export function createMore({onStart}) {
    const fold = byId('more'), list = byId('more-list');
    /** By shape and type, for a chat model is as fast as its base. @type {Map<string, import('../../engine/probe.js').Probe>} */
    const known = new Map();
    /** @type {AbortController | undefined} */
    let measuring;
    let rows = [];

    fold.ontoggle = () => fold.open ? measure() : stop();

    function stop() {
        measuring?.abort();
        measuring = undefined;
    }

    async function measure() {
        stop();
        const {signal} = measuring = new AbortController();
        let fitting = 0;
        for (const {offer, line} of rows) {
            const key = JSON.stringify([offer.shape, offer.type, Math.round(offer.size / 1e8)]);
            line.textContent = 'Finding out how it would run here…';
            try {
                if (!known.has(key)) known.set(key, await Gemma.probe(offer, {signal}));
                line.textContent = verdict(known.get(key));
                line.closest('li').classList.toggle('unfit', !known.get(key).fits);
                fitting += known.get(key).fits;
            } catch (error) {
                if (signal.aborted) return;
                line.textContent = error.message;
            }
        }
        announce(`${fitting} of these ${rows.length} models run here.`);
    }

    return {
        stop,
        show(offers, stored) {
            stop();
            rows = offers.map((offer) => {
                const line = element('p', {className: 'soft verdict'});
                const here = stored.find(({id}) => id === offer.urls[0]);
                const label = !here ? 'Download' : here.state === 'partial' ? 'Continue' : 'Start';
                const button = element('button', {type: 'button', textContent: label, onclick: () => onStart(offer)});
                button.setAttribute('aria-label', `${label}: ${offer.name}`);
                const facts = [{base: 'Base', chat: 'Chat'}[offer.kind], bytes(offer.size), offer.context && `context ${offer.context.toLocaleString('en')}`];
                const row = element('li', {},
                    element('div', {},
                        element('p', {}, element('strong', {textContent: offer.name}), ' ', element('span', {className: 'soft', textContent: facts.filter(Boolean).join(' · ')})),
                        line),
                    button);
                return {offer, line, row};
            });
            list.replaceChildren(...rows.map(({row}) => row));
            fold.hidden = rows.length === 0;
            const {licence} = offers.find((offer) => offer.licence) ?? {};
            byId('more-terms').replaceChildren(...licence ? ['By downloading one of them you accept the ',
                element('a', {textContent: licence.name, href: licence.url, target: '_blank', rel: 'noreferrer noopener'}),
                '. They come from huggingface.co, where others have put them.'] : []);
            if (fold.open) measure();
        },
    };
}

/** @param {import('../../engine/probe.js').Probe} probe */
function verdict({fits, reasons, prefill, decode}) {
    if (!fits) return `Does not run here. ${reasons.join(' ')}`;
    const about = (n) => n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString('en');
    return [`Runs here: writes about ${about(decode)}, reads about ${about(prefill)} tokens/s.`, ...reasons].join(' ');
}
