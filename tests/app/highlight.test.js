// What is coloured in code.

import assert from 'node:assert/strict';
import test from 'node:test';
import {findKinds} from '../../web/app/markdown/highlight.js';

test('names of languages are those of the list, also where JavaScript knows the name', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'nothing'])
        assert.deepEqual(findKinds('let a = 1', name), [], name);
    assert.ok(findKinds('let a = 1', 'JS').length > 0);
});

test('names in CSS are those before a colon', () => {
    const css = 'a-b { --c1 : 2px; grid-area:"x" }',
        words = findKinds(css, 'css').filter(([kind]) => kind === 'keyword')
        .map(([, from, to]) => css.slice(from, to));
    assert.deepEqual(words, ['--c1', 'grid-area']);
});

test('one long run of anything takes time in proportion to its length, in every language', () => {
    const time = (text, language) => Math.min(...Array.from({length: 3}, () => {
        const start = performance.now();
        findKinds(text, language);
        return performance.now() - start;
    }));
    for (const language of ['js', 'python', 'sql', 'html', 'css', 'json']) {
        for (const run of ['a', '_', '7', ' ', '\n', '"', "'", '`', '-', '/', '*', '<', '\\', '"""', '/*',
            '<!-', '</', 'a-', 'a ', '"\n']) {
            const [short, long] = [1000,
                30_000].map((length) => time(run.repeat(length / run.length), language));
            // 30 times as long; its square is 900
            assert.ok(long < 300 * Math.max(short, 1),
                `${language}, ${JSON.stringify(run)}: ${short} and ${long} ms`);
        }
    }
});
