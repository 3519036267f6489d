// Stop strings in a stream of pieces: nothing of a stop string is ever shown, nothing else is ever lost,
// wherever the pieces are cut.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {StopFilter} from '../../web/engine/stop.js';

/** Pushes the pieces; what was shown, and where it stopped. */
function run(stops, pieces) {
    const filter = new StopFilter(stops);
    let shown = '';
    for (const piece of pieces) {
        const {text, stoppedAt} = filter.push(piece);
        shown += text;
        if (stoppedAt >= 0) return {shown, stoppedAt};
    }
    return {shown: shown + filter.flush(), stoppedAt: -1};
}

/** All ways to cut a short text into pieces. */
function* cuts(text) {
    for (let mask = 0; mask < 2 ** (text.length - 1); mask++) {
        const pieces = [];
        let begin = 0;
        for (let i = 1; i <= text.length; i++) {
            if (i < text.length && !(mask >> (i - 1) & 1)) continue;
            pieces.push(text.slice(begin, i));
            begin = i;
        }
        yield pieces;
    }
}

test('a stop string is found however the text is cut', () => {
    for (const pieces of cuts('a\nUser: b'))
        assert.deepEqual(run(['\nUser:'], pieces), {shown: 'a', stoppedAt: 1}, pieces.join('|'));
});

test('what only looked like a stop string is shown', () => {
    for (const pieces of cuts('ab\n\nUse'))
        assert.deepEqual(run(['\nUser:'], pieces), {shown: 'ab\n\nUse', stoppedAt: -1}, pieces.join('|'));
});

test('a stop string that overlaps its own beginning is found', () => {
    for (const pieces of cuts('xaabaabc')) assert.equal(run(['aabc'], pieces).shown, 'xaab');
});

test('of several stop strings the one that begins first in a piece ends the text', () => {
    assert.deepEqual(run(['two', 'one'], ['zero one two']), {shown: 'zero ', stoppedAt: 5});
});

test('no more is held back than may become a stop string', () => {
    const filter = new StopFilter(['END']);
    assert.equal(filter.push('some text E').text, 'some text ');
    assert.equal(filter.push('x').text, 'Ex');
});

test('empty stop strings stop nothing', () => {
    assert.deepEqual(run(['', 'q'], ['text']), {shown: 'text', stoppedAt: -1});
});
