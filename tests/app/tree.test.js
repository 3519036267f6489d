// The tree of messages, titles and folded texts: all that is pure in web/app/data/.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {foldText, unfolded} from '../../web/app/data/fold.js';
import {titleOf} from '../../web/app/data/titles.js';
import {below, newestLeafBelow, pathTo, siblingsOf} from '../../web/app/data/tree.js';

/** 'a b<a c<a' as messages, the oldest first. */
const messages = (text) => text.split(' ').map((each, created) => {
    const [id, parent = null] = each.split('<');
    return {id, parent, created, content: id};
});
const ids = (all) => [...all].map((each) => each.id ?? each).join(' ');

test('paths, siblings and leaves of a tree', () => {
    const tree = messages('a b<a c<b d<a e<d f<d g h<g');
    assert.equal(ids(pathTo(tree, 'f')), 'a d f');
    assert.equal(ids(pathTo(tree, null)), '');
    assert.equal(ids(pathTo(tree, 'no')), '');
    assert.equal(ids(siblingsOf(tree, 'd')), 'b d');
    assert.equal(ids(siblingsOf(tree, 'a')), 'a g');
    assert.equal(ids(siblingsOf(tree, 'no')), '');
    assert.deepEqual(['a', 'b', 'f', 'no', null].map((id) => newestLeafBelow(tree, id)),
        ['f', 'c', 'f', 'no', 'h']);
    assert.equal(newestLeafBelow([], null), null);
    assert.equal(ids(below(tree, 'd')), 'd e f');
});

test('cycles and lost parents end a path and hang nothing', () => {
    const ring = messages('a<c b<a c<b d<d e<lost f<e');
    assert.equal(ids(pathTo(ring, 'c')), 'a b c');
    assert.equal(ids(pathTo(ring, 'd')), 'd');
    assert.equal(ids(pathTo(ring, 'f')), 'e f');
    assert.equal(ids(siblingsOf(ring, 'e')), 'e');
    assert.equal(newestLeafBelow(ring, 'e'), 'f');
    for (const id of ['a', 'd', null]) newestLeafBelow(ring, id);
    assert.equal(ids(below(ring, 'a')), 'a b c');
    const many = Array.from({length: 50_000},
        (_, i) => ({id: `${i}`, parent: i ? `${i - 1}` : null, created: 0}));
    assert.equal(pathTo(many, '49999').length, 50_000);
    assert.equal(newestLeafBelow(many, '0'), '49999');
    assert.equal(below(many, '0').size, 50_000);
});

test('a title is a first line that says something, cut between words or characters', () => {
    assert.equal(titleOf('\n \t\nHello  there\u0007\nMore'), 'Hello there');
    assert.equal(titleOf(''), '');
    assert.equal(titleOf(`${'word '.repeat(30)}`), `${'word '.repeat(12).trim()}…`);
    assert.equal(titleOf('海'.repeat(100)), `${'海'.repeat(60)}…`);
    for (const whole of ['👩‍👩‍👧‍👦', '🇩🇪', 'e\u0301', '😀'])
        assert.equal(titleOf(whole.repeat(61)), `${whole.repeat(60)}…`);
});

test('a folded text has neither case nor accents, and every place in it has one in the text', () => {
    const same = [['Crème BRÛLÉE', 'creme brulee'], ['Straße', 'STRASSE'], ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
        ['İstanbul', 'istanbul'], ['ﬁne', 'FINE'], ['كِتَاب', 'كتاب'], ['１２', '12'],
        ['Don’t “łøve”', 'don\'t "love"']];
    for (const [a, b] of same) assert.equal(foldText(a), foldText(b));
    assert.notEqual(foldText('की'), foldText('का'), 'a vowel is no accent');
    const text = 'Ｔhe ﬁrst Crème brûlée of Straße 한글 e\u0301te\u0301 🇩🇪 İx', folded = foldText(text);
    for (const word of ['ﬁrst', 'Crème', 'brûlée', 'Straße', '한글', 'e\u0301te\u0301', '🇩🇪', 'x']) {
        const needle = foldText(word), [start, end] = unfolded(text, folded.indexOf(needle), needle.length);
        assert.equal(text.slice(start, end), word);
    }
});
