// Blind comparisons: the order hides whose answer is whose, what was drawn is not drawn again, and the
// interval is Wilson's.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {draw, newComparison, nextToDraw, nextToVote, outcomeOf, promptsOf, vote,
    wilson} from '../../web/app/compare.js';
import {find} from './elements.js';

const {Compare} = await import('../../web/app/views/compare.js');     // it needs a page

const SIDES = [{name: 'A', model: '', settings: {}}, {name: 'B', model: '', settings: {}}];
/** Numbers that look random and are the same each time. */
function seeded(state) {
    return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

test('prompts are lines, each once', () => {
    assert.deepEqual(promptsOf(' a\n\nb \r\na\n'), ['a', 'b']);
    assert.equal(promptsOf(Array.from({length: 500}, (_, i) => `${i}`).join('\n')).length, 200);
});

test("Wilson's interval has published values", () => {
    const near = ({low, high}, expected) => expected.forEach((value, i) =>
        assert.ok(Math.abs([low, high][i] - value) < 5e-4, `${low} ${high}, ${expected}`));
    near(wilson(0.5, 10), [0.2366, 0.7634]);
    near(wilson(0, 10), [0, 0.2775]);
    near(wilson(1, 10), [0.7225, 1]);
    near(wilson(0.81, 263), [0.7583, 0.8529]);
    // R. G. Newcombe 1998, Statistics in Medicine 17, 857-872
    near(wilson(15 / 148, 148), [0.0624, 0.1605]);
    near(wilson(81 / 263, 263), [0.2553, 0.3662]);
    assert.deepEqual(wilson(0.5, 0), {low: 0, high: 1});
});

test('all answers of A are drawn, then those of B; what is there is not drawn again', async () => {
    const comparison = newComparison(['x', 'y'], SIDES, seeded(1)), asked = [], stop = new AbortController();
    const ask = async (side, prompt) => {
        asked.push(side.name + prompt);
        if (asked.length === 3) stop.abort();
        return `${side.name} ${prompt}`;
    };
    await assert.rejects(draw(comparison, {ask, onDrawn: () => {}, signal: stop.signal}),
        {name: 'AbortError'});
    const resumed = JSON.parse(JSON.stringify(comparison)), seen = [];
    assert.deepEqual(nextToDraw(resumed), {side: 1, prompt: 0});
    await draw(resumed, {ask, onDrawn: (...at) => void seen.push(at), signal: new AbortController().signal});
    assert.deepEqual(asked, ['Ax', 'Ay', 'Bx', 'Bx', 'By']);
    assert.deepEqual(seen, [[3, 4], [4, 4]]);
    assert.deepEqual(resumed.answers, [['A x', 'A y'], ['B x', 'B y']]);
});

test('a prompt that does not fit one of them is left out, and the others are compared', async () => {
    const comparison = newComparison(['x', 'long', 'y'], SIDES, seeded(2)),
        full = Object.assign(new Error('It is full.'), {code: 'context-full'});
    const ask = async ({name}, prompt) => {
        if (name === 'B' && prompt === 'long') throw full;
        return `${name}${prompt}`;
    };
    await draw(comparison, {ask, onDrawn: () => {}, signal: new AbortController().signal});
    assert.deepEqual([comparison.prompts, comparison.answers], [['x', 'y'], [['Ax', 'Ay'], ['Bx', 'By']]]);
    assert.deepEqual(comparison.leftOut, ['long']);
    const seen = [];
    for (let shown; (shown = nextToVote(comparison)); vote(comparison, shown.number, 'both'))
        seen.push([shown.prompt, ...[shown.first, shown.second].sort()]);
    assert.deepEqual(seen.sort(), [['x', 'Ax', 'Bx'], ['y', 'Ay', 'By']]);
    await assert.rejects(draw(newComparison(['x'], SIDES), {ask: async () => { throw new Error('No.'); },
        onDrawn: () => {}, signal: new AbortController().signal}), /No\./);
});

test('votes count for whose answer it was, in any order', () => {
    for (let seed = 1; seed < 30; seed++) {
        const prompts = Array.from({length: 20}, (_, i) => `${i}`),
            comparison = newComparison(prompts, SIDES, seeded(seed));
        comparison.answers = [prompts.map((prompt) => `A${prompt}`), prompts.map((prompt) => `B${prompt}`)];
        const seen = new Set(), first = new Set();
        for (let shown; (shown = nextToVote(comparison));) {
            const {number, prompt, first: one, second} = shown;
            seen.add(prompt);
            first.add(one[0]);
            assert.deepEqual([one, second].sort(), [`A${prompt}`, `B${prompt}`]);
            vote(comparison, number, Number(prompt) < 5 ? 'both' : Number(prompt) < 7 ? 'neither'
                : one.startsWith('A') ? 'first' : 'second');
        }
        assert.equal(seen.size, 20);
        assert.equal(first.size, 2, 'each stands first at times');
        const {a, b, both, neither, votes, rate, low, high} = outcomeOf(comparison);
        assert.deepEqual([a, b, both, neither, votes], [13, 0, 5, 2, 20]);
        assert.ok(rate === 16.5 / 20 && low < rate && rate < high && high < 1);
    }
});

/** The dialog, at its votes. @param {{put?: () => Promise<unknown>}} [kept] */
async function openVotes(kept) {
    const comparison = newComparison(['x', 'y', 'z'], SIDES, seeded(3));
    comparison.answers = [['', '', ''], ['', '', '']];
    document.body.replaceChildren();
    new Compare({models: async () => [], presets: async () => [], preferences: () => ({}),
        kept: {list: async () => [comparison], put: async () => {}, ...kept}});
    await settled();
    button('compare.resume').onclick({detail: 0});
    await settled();
    return comparison;
}

/** What has been begun is done. */
const settled = () => new Promise((resolve) => { setTimeout(resolve); });
const button = (key) => find('button').find(({textContent}) => textContent === key);
const shown = () => find('blockquote').map(({textContent}) => textContent).join();

test('a vote counts for the pair that is shown, once, also by a double click', async () => {
    let puts = 0;
    const comparison = await openVotes({put: async () => { puts++; }}),
        pairs = comparison.order.map(({prompt}) => comparison.prompts[prompt]), before = puts;
    assert.equal(shown(), pairs[0]);
    const pressed = button('compare.vote-both');
    pressed.onclick({detail: 1});
    assert.equal(shown(), pairs[1], 'at once');
    pressed.onclick({detail: 0});
    button('compare.vote-both').onclick({detail: 2});
    await settled();
    assert.deepEqual([comparison.votes, shown()], [['both'], pairs[1]]);
    button('action.undo').onclick({detail: 1});
    assert.deepEqual([comparison.votes, shown()], [[], pairs[0]]);
    const last = pairs.map(() => {
        const found = button('compare.vote-neither');
        found.onclick({detail: 1});
        return found;
    }).at(-1);
    last.onclick({detail: 1});
    await settled();
    assert.deepEqual([comparison.votes, shown()], [['neither', 'neither', 'neither'], '']);
    assert.ok(button('compare.again') && puts > before);
});

test('a vote that cannot be kept counts all the same, and why it cannot is said', async () => {
    let isFull = false, stored;
    const comparison = await openVotes({put: async (one) => {
        if (isFull) throw new Error('There is no space.');
        stored = [...one.votes];
    }});
    isFull = true;
    button('compare.vote-both').onclick({detail: 1});
    await settled();
    const status = find('p').find(({role}) => role === 'status'), {prompt} = comparison.order[1];
    assert.deepEqual([comparison.votes, shown(), status.textContent, stored],
        [['both'], comparison.prompts[prompt], 'There is no space.', []]);
    isFull = false;
    button('compare.vote-neither').onclick({detail: 1});
    await settled();
    assert.deepEqual([stored, status.textContent], [['both', 'neither'], '']);
});

test('a comparison that is begun by two presses is begun once', async () => {
    const asked = [], kept = [];
    document.body.replaceChildren();
    new Compare({models: async () => [{id: 'a', name: 'A'}, {id: 'b', name: 'B'}], presets: async () => [],
        preferences: () => ({}), ask: async (_, prompt) => (asked.push(prompt), ''),
        kept: {list: async () => [], put: async (one) => kept.push(one)}});
    await settled();
    find('textarea')[0].value = 'x';
    find('select').forEach((choice, i) => { choice.value = i < 2 ? '0' : i === 2 ? '1' : '0'; });
    const start = button('compare.start');
    start.onclick({detail: 1});
    start.onclick({detail: 2});
    await settled();
    assert.deepEqual([asked, new Set(kept).size, shown()], [['x', 'x'], 1, 'x']);
});
