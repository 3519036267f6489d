// Blind comparisons: the order hides whose answer is whose, what was drawn is not drawn again, and the
// interval is Wilson's.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {draw, newComparison, nextToDraw, nextToVote, outcomeOf, promptsOf, vote,
    wilson} from '../../web/app/compare.js';

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
    for (let shown; (shown = nextToVote(comparison)); vote(comparison, 'both'))
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
            const {prompt, first: one, second} = shown;
            seen.add(prompt);
            first.add(one[0]);
            assert.deepEqual([one, second].sort(), [`A${prompt}`, `B${prompt}`]);
            vote(comparison, Number(prompt) < 5 ? 'both' : Number(prompt) < 7 ? 'neither'
                : one.startsWith('A') ? 'first' : 'second');
        }
        assert.equal(seen.size, 20);
        assert.equal(first.size, 2, 'each stands first at times');
        const {a, b, both, neither, votes, rate, low, high} = outcomeOf(comparison);
        assert.deepEqual([a, b, both, neither, votes], [13, 0, 5, 2, 20]);
        assert.ok(rate === 16.5 / 20 && low < rate && rate < high && high < 1);
    }
});
