// Times are right and finite on fine clocks and on coarse ones.

import assert from 'node:assert/strict';
import test from 'node:test';
import {timeOf} from '../../web/base/clock.js';

for (const tick of [0.005, 1, 16.67, 100]) {
    for (const takes of [0.05, 3, 20, 250]) {
        test(`work of ${takes} ms by a clock that moves by ${tick} ms`, () => {
            let time = 0.3;
            const now = () => Math.floor((time += 0.001) / tick) * tick;
            const ms = timeOf(() => { time += takes; }, now);
            assert.ok(Math.abs(ms / takes - 1) < 0.3, `${ms}`);
        });
    }
}
