// Which models the first screen shows first: the largest chat model that is fast enough, what is here before
// what must be downloaded, and the site's own where the network gives nothing else.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {arrange, pick} from '../../web/app/data/recommend.js';

const offer = (name, kind, size) => ({name, kind, size, urls: [`https://example.org/${name}`], shape: {}});
const OWN = offer('own', 'base', 250e6),
    [SMALL, MIDDLE, LARGE, HUGE] = [
        offer('small', 'chat', 290e6), offer('middle', 'chat', 800e6), offer('large', 'chat', 1.7e9),
        offer('huge', 'chat', 5e9),
    ];
const OFFERS = [OWN, SMALL, MIDDLE, offer('middle base', 'base', 800e6), LARGE, HUGE];

/**
 * A device by its tokens per second of a model of 1 GB, the bytes it can hold and its free storage.
 * @returns which models were measured, and what came of it
 */
function measure(speed, most = Infinity, free = Infinity) {
    const known = new Map(), asked = [];
    for (;;) {
        const {offer, verdict, missing} = pick(OFFERS, (each) => known.get(each), ({size}) => size <= free);
        if (!missing) return {offer, verdict, asked};
        asked.push(missing.name);
        known.set(missing, missing.size > most ? {fits: false}
            : {fits: true, decode: speed * 1e9 / missing.size});
    }
}

test('the largest chat model that fits and writes 8 tokens/s is recommended; few are measured', () => {
    const seen = (...device) => (({offer, asked}) => [offer?.name, ...asked])(measure(...device));
    assert.deepEqual(seen(100), ['huge', 'huge']);
    assert.deepEqual(seen(14), ['large', 'huge', 'large']);
    assert.deepEqual(seen(14, 2e9), ['large', 'huge', 'large']);
    assert.deepEqual(seen(14, Infinity, 1e9), ['middle', 'middle'],
        'what there is no storage for is not measured');
    assert.deepEqual(seen(13, 2e9), ['middle', 'huge', 'large', 'middle']);
    assert.deepEqual(seen(3), ['small', 'huge', 'small'],
        'what would be far too slow by the speed of another is not measured');
    assert.deepEqual(seen(1), [undefined, 'huge']);
    assert.deepEqual(seen(100, 0), [undefined, 'huge', 'large', 'middle', 'small']);
    assert.equal(pick([OWN], () => undefined).missing, undefined, 'a list without chat models');
});

test('what is here stands before what must be downloaded, and the site\'s own where nothing else can be had',
    () => {
    const stored = (...names) =>
        names.map((name) => ({id: `https://example.org/${name}`, state: 'complete'}));
    const cards = (state) => arrange(OFFERS, {stored: [], isOffline: false, recommended: LARGE, ...state})
        .map(({offer, role}) => `${offer.name}: ${role}`);
    assert.deepEqual(cards({}), ['large: recommended', 'own: default']);
    assert.deepEqual(cards({stored: stored('middle base')}), ['large: recommended', 'own: default']);
    assert.deepEqual(cards({stored: stored('own', 'middle base')}), ['own: default', 'large: recommended']);
    assert.deepEqual(cards({stored: stored('other', 'middle', 'small')}), ['middle: stored', 'own: default'],
        'the one that was used last');
    assert.deepEqual(cards({stored: [{...stored('middle')[0], state: 'partial'}]}),
        ['large: recommended', 'own: default']);
    assert.deepEqual(cards({isOffline: true}), ['own: default']);
    assert.deepEqual(cards({isOffline: true, stored: stored('small')}), ['small: stored', 'own: default']);
    assert.deepEqual(cards({isOwnFirst: true}), ['own: default', 'large: recommended']);
    assert.deepEqual(cards({recommended: undefined}), ['own: default']);
    assert.deepEqual(arrange([], {stored: [], isOffline: false}), []);
});
