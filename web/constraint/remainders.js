// The multiples of a number by their digits: of a whole one as an automaton, of a part of 1 as a pattern.
//
// Owns that, in base 10 with a sign. Must not know how numbers are written otherwise.

import {any} from './digits.js';

const MAX_PARTS = 200;

/**
 * The multiples of a number, as an automaton of remainders that is as small as can be.
 * @param {number} step
 * @returns {import('./automaton.js').Automaton}
 */
export function remainders(step) {
    // Two remainders are alike where the same further digits make both a multiple: those that agree after a
    // known number of digits.
    let classes = 0;
    /** @type {number[]} */
    let of = Array.from({length: step}, (_, r) => (r === 0 ? 1 : 0));
    for (;;) {
        /** @type {Map<string, number>} */
        const names = new Map();
        const next = of.map((each, r) => {
            const key = [each, ...Array.from({length: 10}, (_, d) => of[(r * 10 + d) % step])].join();
            return names.get(key) ?? (names.set(key, names.size), names.size - 1);
        });
        if (names.size === classes) break;
        classes = names.size;
        of = next;
    }
    /** @type {import('./automaton.js').Automaton} */
    const states = [
        {
            accepts: false,
            edges: [
                [[0x2d, 0x2d], 1],
                [[0x30, 0x30], 2],
            ],
        },
        {accepts: false, edges: []},
        {accepts: true, edges: []},
    ];
    const first = /** @type {number[]} */ ([]);
    of.forEach((each, r) => (first[each] ??= r));
    first.forEach((r) =>
        states.push({
            accepts: r === 0,
            edges: Array.from({length: 10}, (_, d) => [[0x30 + d, 0x30 + d], 3 + of[(r * 10 + d) % step]]),
        }),
    );
    for (const from of [0, 1])
        for (let d = 1; d < 10; d++) states[from].edges.push([[0x30 + d, 0x30 + d], 3 + of[d % step]]);
    return states;
}

/**
 * The multiples of 0.01, 0.25 and the like, of which 1 is one: what stands after the point tells.
 * @param {number} step
 * @returns {string | undefined} a pattern
 */
export function parts(step) {
    const digits = /^0\.(\d+)$/.exec(String(step))?.[1];
    if (!digits) return;
    const whole = 10 ** digits.length,
        unit = Number(digits),
        count = whole / unit;
    if (!Number.isInteger(count) || (unit > 1 && count > MAX_PARTS)) return;
    const ways =
        unit === 1
            ? [`\\d{1,${digits.length}}`]
            : Array.from({length: count}, (_, i) =>
                  String(i * unit)
                      .padStart(digits.length, '0')
                      .replace(/(?<=.)0+$/, (zeros) => '0?'.repeat(zeros.length)),
              );
    return `^-?(?:0|[1-9]\\d{0,14})(?:\\.${any(...ways)})?$`;
}
