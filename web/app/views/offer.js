// The cards of the first screen: one for each model that stands first, and a line while one is
// being found out.
//
// Owns: a card's elements. Must not know: which model stands where, what is stored.

import {element} from './dom.js';
import {bytes, rough} from './format.js';
import {currentLanguage, text, textWith} from '../texts.js';

/**
 * @typedef {import('../data/catalogue.js').Offer} Offer
 * @typedef {import('../data/recommend.js').Card} Card
 * @typedef {import('../../weights/store/store.js').Stored} Stored
 */

/** Where a model comes from. @param {Offer} offer */
export const hostOf = ({urls}) => new URL(urls[0]).host;

/** A link that leaves the app. @param {{name: string, url: string}} to */
export const linkTo = ({name, url}) => element('a', {textContent: name, href: url, target: '_blank',
    rel: 'noreferrer noopener'});

/** @param {Offer} offer @returns {string | undefined} */
function aboutOf({about}) {
    return typeof about === 'object' ? about[currentLanguage()] ?? about.en : about;
}

/** Why it stands first. @param {Card} card @param {number} speed   tokens a second */
function reasonOf({offer, role}, speed) {
    const {size} = offer;
    if (role === 'stored') return text('offer.here');
    return role === 'recommended'
        ? text('offer.why', {speed: rough(speed), size: bytes(size), host: hostOf(offer)}) : '';
}

/**
 * @param {Card} card
 * @param {object} about
 * @param {Stored} [about.stored]     what is here of it
 * @param {number} [about.speed]      tokens a second that it writes here
 * @param {boolean} about.isFirst
 * @param {boolean} about.isAgreed    a person has accepted its terms
 * @param {() => void} about.onStart
 */
export function offerCard(card, {stored, speed = 0, isFirst, isAgreed, onStart}) {
    const {offer, role} = card, {name, size, kind, licence} = offer, isPartial = stored?.state === 'partial';
    const amount = stored && isPartial
        ? text('count.part', {done: bytes(stored.storedBytes), total: bytes(size)}) : bytes(size);
    const tags = [kind && text(`model.${kind}`), stored ? text('model.here', {amount}) : amount];
    const made = element('article', {className: 'card'}, element('div', {className: 'card-head'},
        element('h2', {textContent: name}),
        ...role === 'recommended'
            ? [element('span', {className: 'tag best', textContent: text('offer.recommended')})] : [],
        ...tags.filter(Boolean).map((tag) => element('span', {className: 'tag', textContent: tag}))));
    made.dataset.offer = role;
    const about = aboutOf(offer), reason = reasonOf(card, speed);
    for (const [dir, sentence] of [['', reason], ['auto', about]]) if (sentence)
        made.append(element('p', {dir, textContent: sentence}));
    const label = text(!stored ? 'model.download-start' : isPartial ? 'model.continue-download'
        : 'model.start');
    const start = element('button', {type: 'button', className: isFirst ? 'primary' : '', textContent: label,
        onclick: onStart});
    start.setAttribute('aria-label', text('label.of', {label, name}));
    made.append(element('div', {className: 'actions'}, start));
    if (!licence) return made;
    const {policy} = licence, accepts = role === 'default' && !isAgreed && (!stored || isPartial);
    const key = !accepts ? 'terms.provided' : policy ? 'terms.accept-both' : 'terms.accept';
    made.append(element('p', {className: 'terms soft'},
        ...textWith(key, {licence: linkTo(licence), ...policy && {policy: linkTo(policy)}})));
    return made;
}

/** Below the others, until it is known which one to recommend. */
export const finding = () => element('label', {className: 'finding soft', textContent: text('offer.finding')},
    element('progress'));

/** Takes its place where no model can be recommended. */
export const noOffer = () => element('p', {className: 'finding soft', textContent: text('offer.none')});
