// What is read aloud of an answer.

import assert from 'node:assert/strict';
import test from 'node:test';
import {spoken} from '../../web/app/markdown/spoken.js';

const SAID = Object.entries({
    '**Salt** makes *water* heavy.': 'Salt makes water heavy.',
    '# The sea\n\n- It is `salty`.\n* It __moves__.\n> Quoted': 'The sea\n\nIt is salty.\nIt moves.\nQuoted',
    'See [the chart](https://example.org/a?b) and ![a ship](ship.png).': 'See the chart and a ship.',
    '| Sea | Depth |\n| --- | ---: |\n| North | 95 m |': 'Sea, Depth\n\nNorth, 95 m',
    '```js\nlet a = 1;\n```': '\nlet a = 1;\n',
    '```print(1)``` prints one, x__y is a name, and 2**3 = 8': 'print(1) prints one, x__y is a name, and 2**3 = 8',
    '2 * 3 * 4 is 24, snake_case_name stays, and 5*6*7, too': '2 * 3 * 4 is 24, snake_case_name stays, and 5*6*7, too',
    '1. First\n2. Second': '1. First\n2. Second',
    'Она *тихо* сказала: **да**': 'Она тихо сказала: да',
    'a ~~wrong~~ right word': 'a wrong right word',
});

for (const [markdown, words] of SAID)
    test(JSON.stringify(markdown), () => assert.equal(spoken(markdown), words));

test('long texts of marks alone take no time', () => {
    const start = process.cpuUsage(), many = (mark) => mark.repeat(20_000);
    for (const mark of ['*', '_', '`', '|', '[', '-', ' ', '\t', '**a', '> ', '![](', '[a](', ' | ', '_a',
        '~~']) for (const text of [many(mark), `${many(mark)}a`, `a${many(mark)}a`]) spoken(text);
    const {user} = process.cpuUsage(start);
    assert.ok(user < 5e6, `${user} us of processor time; a second is more than ten times what it takes`);
});
