// Times are right and finite on fine clocks and on coarse ones, and what is decided by them is
// decided rightly.

import assert from 'node:assert/strict';
import test from 'node:test';
import {Clock, ClockSum, timeOf} from '../../web/base/clock.js';
import {Drafts} from '../../web/engine/drafts.js';
import {createMeter} from '../../web/weights/file/progress.js';
import {speed} from '../../web/app/views/format.js';

const TICKS = [0.005, 1, 16.67, 100];

/** A clock that moves by `tick`; pass() lets time go on. @param {number} tick */
function fakeClock(tick) {
    let time = 0.3;
    return {now: () => Math.floor((time += 0.001) / tick) * tick,
        pass: (/** @type {number} */ ms) => { time += ms; }};
}

for (const tick of TICKS) {
    for (const takes of [0.05, 3, 20, 250]) {
        test(`work of ${takes} ms by a clock that moves by ${tick} ms`, () => {
            const {now, pass} = fakeClock(tick), ms = timeOf(() => pass(takes), now);
            assert.ok(Math.abs(ms / takes - 1) < 0.3, `${ms}`);
        });

        test(`the sum of many durations of ${takes} ms by a clock that moves by ${tick} ms`, () => {
            const {now, pass} = fakeClock(tick), clock = new Clock(now), sum = new ClockSum(clock);
            for (let i = 0, told; !told; i++) {
                assert.ok(i < 20 + 100 * tick / takes, 'it is told after some ticks');
                pass(i % 7 / 7 * tick);         // where between two ticks it begins differs
                const start = clock.read();
                pass(takes);
                told = sum.add(clock.read() - start);
                if (told) assert.ok(Math.abs(told.ms / told.amount / takes - 1) < 0.5,
                    `${told.ms} for ${told.amount}`);
            }
        });
    }

    /**
     * Of an endless text that repeats itself, how many batches of 2,000 tokens had drafts. A token takes
     * 10 ms.
     * @param {number} ms   that a batch with a draft takes
     * @param {(i: number) => boolean} isRight   whether the draft for the token i is
     */
    const drafted = (ms, isRight) => {
        const {now, pass} = fakeClock(tick), clock = new Clock(now);
        let draft = 0, batches = 0, withDraft = 0;
        const session = {
            accept: () => draft > 0 && isRight(i) ? draft-- > 0 : (draft = 0) > 0,
            /** @param {number[]} ids */
            draft: (ids) => { draft = ids.length; },
        };
        const drafts = new Drafts(session, Array.from({length: 40}, (_, j) => j % 4), clock);
        let i = 0;
        for (; i < 2000; i++) {
            if (drafts.accept(i % 4)) continue;
            drafts.propose();
            batches++;
            if (draft > 0) withDraft++;
            const start = clock.read();
            pass(draft > 0 ? ms : 10);
            drafts.measured(clock.read() - start);
        }
        return withDraft / batches;
    };

    test(`drafts that pay are kept, and others are left, by a clock that moves by ${tick} ms`, () => {
        assert.ok(drafted(15, () => true) > 0.5, 'right ones for half of a token more');
        assert.ok(drafted(25, () => false) < 0.25, 'wrong ones');
        assert.ok(drafted(25, (i) => i % 3 > 0) > 0.5, 'three tokens in the time of two and a half');
        assert.ok(drafted(40, (i) => i % 3 > 0) < 0.25, 'three tokens in the time of four');
    });

    test(`a rate is that of a few seconds, and none before it can be told, by a clock that moves by ${tick} ms`, () => {
        const {now, pass} = fakeClock(tick);
        /** @type {number[]} */
        const rates = [];
        const meter = createMeter('download', 1e9, ({rate}) => rates.push(rate), now);
        for (let i = 0; i < 400; i++) {
            pass(10);
            meter.add(1e5);             // 10 MB a second
        }
        for (const rate of rates) assert.ok(rate === 0 || Math.abs(rate / 1e7 - 1) < 0.3, `${rate}`);
        assert.ok(Math.abs(rates[rates.length - 1] / 1e7 - 1) < 0.1);
    });

    test(`a speed is shown where a clock that moves by ${tick} ms tells it`, () => {
        const {now, pass} = fakeClock(tick), clock = new Clock(now);
        pass(tick);
        clock.read();
        assert.equal(speed(10, 0, clock), '');
        assert.equal(speed(10, 3 * tick, clock), '');
        assert.match(speed(10, 10 * tick, clock), /^[1-9][\d,.]* tokens\/s$/);
    });
}
