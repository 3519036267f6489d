// The writer's parts without a page: what was changed and undone, words and sentences of any language, which
// part of a long text is read.

import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {fitWindow} from '../../web/app/drafting.js';
import {History, apply, difference, inverse} from '../../web/app/views/writer_history.js';
import {nextSentence, nextWord, showSpace} from '../../web/app/views/writer_words.js';

/** A generator of whole numbers below n, the same each time. */
function numbers(seed) {
    let state = seed;
    return (n) => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return Math.floor(state / 2 ** 31 * n);
    };
}

describe('changes', () => {
    test('any two texts differ by one change, which can be taken back', () => {
        const below = numbers(7),
            some = (n) => Array.from({length: below(n)}, () => 'ab\n é😀'[below(8)] ?? 'x').join('');
        for (let i = 0; i < 500; i++) {
            const [head, tail] = [some(9000), some(9000)], before = head + some(4) + tail,
                after = head + some(4) + tail;
            const changes = [difference(before, after), difference(before, after, below(after.length + 1))];
            for (const change of changes) {
                assert.equal(apply(before, change), after);
                assert.equal(apply(after, inverse(change)), before);
            }
            assert.ok(changes[0].added.length <= 6 && changes[0].removed.length <= 6);
        }
    });

    test('the caret says which of equal characters are new', () => {
        assert.deepEqual(difference('aaa', 'aaaa', 2), {at: 1, removed: '', added: 'a'});
        assert.deepEqual(difference('aaa', 'aaaa'), {at: 3, removed: '', added: 'a'});
        assert.deepEqual(difference('aaa', 'aa', 1), {at: 1, removed: 'a', added: ''});
    });

    test('what a person types is undone by words, what the model wrote by runs, and all of it is redone',
        () => {
        const history = new History(), run = {};
        let text = '';
        const states = [text];
        const change = (made) => {
            history.add(made);
            text = apply(text, made);
        };
        const type = (typed) => {
            for (const added of typed) change({at: text.length, removed: '', added});
        };
        for (const word of ['The ', 'sea']) {
            type(word);
            states.push(text);
        }
        change({at: text.length, removed: '', added: ' is salty', run});
        states.push(text);
        assert.deepEqual(history.written, [7, 16]);
        type('!');
        states.push(text);
        assert.equal(history.written, undefined);
        change({at: 16, removed: '!', added: ''});
        change({at: 15, removed: 'y', added: ''});
        states.push(text);
        const undone = [];
        for (let back; (back = history.undo());) undone.push(text = apply(text, back));
        assert.deepEqual(undone, states.slice(0, -1).reverse());
        assert.equal(history.canUndo, false);
        const redone = [];
        for (let again; (again = history.redo());) redone.push(text = apply(text, again));
        assert.deepEqual(redone, states.slice(1));
        history.undo();
        change({at: 0, removed: '', added: 'x'});
        assert.equal(history.canRedo, false);
    });

    test('what of an alternative is taken is known after undoing and redoing, and not after another change',
        () => {
        const history = new History(), run = {};
        history.add({at: 0, removed: '', added: 'a'});
        history.seal();
        const base = history.last;
        assert.equal(history.addedBy(run, base), 0);
        for (const added of [' one', ' two']) history.add({at: 1, removed: '', added, run});
        assert.equal(history.addedBy(run, base), 8);
        history.undo();
        assert.equal(history.addedBy(run, base), 4);
        history.redo();
        history.add({at: 9, removed: '', added: 'b'});
        assert.equal(history.addedBy(run, base), undefined);
        history.undo();
        assert.equal(history.addedBy(run, base), 8);
        for (let i = 0; i < 3; i++) history.undo();
        assert.equal(history.addedBy(run, base), undefined);
    });
});

describe('words and sentences', () => {
    test('a word has the white space before it and the punctuation after it', () => {
        const texts = {
            ' the light.” She': ' the', ' light.” She': ' light.”', '\n\nThen (of course)': '\n\nThen',
            ' (of course)': ' (of', 'がある。': undefined, ' don’t go': ' don’t', ' — ': ' — ',
            '...': '...', '': '', ' سفينة، ثم': ' سفينة،', ' 3.5 m': ' 3.5',
        };
        for (const [text, word] of Object.entries(texts)) if (word !== undefined)
            assert.equal(nextWord(text), word, text);
    });

    test('taking words, or sentences, one after the other gives the whole text', () => {
        const text =
            ' He laughed. “Why?” she asked.\n\nIt was 3.5 m high (or so)…  夜は長い。船は来ない。 سفينة، ثم أخرى؟ 😀😀 end';
        for (const next of [nextWord, nextSentence]) {
            const parts = [];
            for (let left = text; left; left = left.slice(parts.at(-1).length)) {
                parts.push(next(left));
                assert.ok(parts.at(-1).length > 0);
            }
            assert.equal(parts.join(''), text);
            assert.ok(parts.length >= 6, `${parts.length}`);
        }
    });

    test('a sentence leaves the white space after it to the next one', () => {
        assert.equal(nextSentence(' It rained. Then it stopped.'), ' It rained.');
        assert.equal(nextSentence('\n\nIt rained.\nThen'), '\n\nIt rained.');
        assert.equal(nextSentence('夜は長い。船は来ない。'), '夜は長い。');
        assert.equal(nextSentence('  \n'), '  \n');
    });

    test('white space is made visible', () => {
        assert.deepEqual(showSpace(' the'), [{text: '·', isSpace: true}, {text: 'the', isSpace: false}]);
        assert.equal(showSpace('\n\t a\u00a0').map(({text}) => text).join(''), '↵⇥·a⍽');
    });
});

describe('the part of a long text that is read', () => {
    const count = async (text) => (text.match(/\S+|\n/g) ?? []).length + 1;
    const line = (i) => `${Array.from({length: 12}, (_, k) => `word${i}x${k}`).join(' ')}\n`,
        long = Array.from({length: 400}, (_, i) => line(i)).join('');

    test('a text that fits is read whole', async () => {
        assert.deepEqual(await fitWindow(line(1), {most: 14, count}), {from: 0, tokens: 14, total: 14});
        assert.ok((await fitWindow(line(1), {most: 13, count})).from > 0);
        assert.deepEqual(await fitWindow('', {most: 14, count}), {from: 0, tokens: 1, total: 1});
    });

    test('of a longer one a part that fits, from the beginning of a line, with what all of it has',
        async () => {
        for (const most of [64, 300, 1000]) {
            const {from, tokens, total} = await fitWindow(long, {most, count});
            assert.ok(tokens <= most && tokens > most / 3, `${tokens} of ${most}`);
            assert.equal(await count(long.slice(from)), tokens);
            assert.equal(long[from - 1], '\n');
            assert.ok(Math.abs(total - await count(long)) < 0.1 * total, `${total}`);
        }
    });

    test('it begins where it began while that is worth it', async () => {
        const most = 300, {from} = await fitWindow(long, {most, count});
        const grown = await fitWindow(`${long}and some more`, {most, before: from, count});
        assert.equal(grown.from, from);
        const more = `${long}${long.slice(0, 5000)}`,
            moved = await fitWindow(more, {most, before: from, count});
        assert.ok(moved.from > from && moved.tokens <= most);
    });

    test('texts of any kind: no spaces, no lines, dense ends, wide characters', async () => {
        const dense = async (text) => [...text].reduce((sum, c) => sum + (c < '\u0100' ? 0.25 : 3), 1);
        const texts = {
            letters: 'a'.repeat(50_000), wide: '😀'.repeat(9000),
            ends: `${'a'.repeat(60_000)}${'語'.repeat(900)}`, begins: `${'語'.repeat(9000)}${'a'.repeat(3000)}`,
        };
        for (const [name, text] of Object.entries(texts)) {
            for (const counted of [dense, async (part) => Math.ceil(await dense(part))]) {
                const {from, tokens} = await fitWindow(text, {most: 1024, count: counted});
                assert.ok(from > 0 && from < text.length && tokens <= 1024 && tokens > 100,
                    `${name}: ${tokens} from ${from}`);
                assert.doesNotMatch(text.slice(from, from + 1), /[\uDC00-\uDFFF]/, name);
            }
        }
    });
});
