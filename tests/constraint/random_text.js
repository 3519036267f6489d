// Random texts of a grammar: each choice by chance, short ones as the text grows, characters from all over
// a class.

import {parse} from './matcher.js';

const SAMPLES = [
    0, 9, 10, 31, 32, 34, 47, 65, 92, 97, 126, 127, 0xe9, 0x2028, 0xd7ff, 0xe000, 0x1f600, 0x10ffff,
];

/** @param {string} gbnf @param {() => number} random @returns {() => string} */
export function randomTexts(gbnf, random) {
    const rules = parse(gbnf),
        costs = costsOf(rules);
    const cost = (node) => costOf(node, costs);
    return () => {
        const out = [];
        let budget = 300;
        const write = (node) => {
            budget--;
            if (node.kind === 'set') out.push(String.fromCodePoint(sample(node, random)));
            else if (node.kind === 'rule') write(rules.get(node.name));
            else if (node.kind === 'sequence') node.of.forEach(write);
            else if (node.kind === 'choice') {
                const ways = node.of.filter((way) => cost(way) < Infinity),
                    least = Math.min(...ways.map(cost));
                const left = budget > 0 ? ways : ways.filter((way) => cost(way) === least);
                write(left[Math.floor(random() * left.length)]);
            } else {
                let n = node.min;
                while (n < node.max && budget > 0 && cost(node.of) < Infinity && random() < 0.6) n++;
                if (random() < 0.03 && node.max < 100 && cost(node.of) < 3) n = node.max;
                for (let i = 0; i < n; i++) write(node.of);
            }
        };
        write(rules.get('root'));
        return out.join('');
    };
}

function sample(node, random) {
    node.members ??= Array.from({length: 128}, (_, i) => i)
        .concat(SAMPLES)
        .filter((point) => node.has(point));
    if (node.members.length === 0)
        for (let point = 128; point <= 0x10ffff; point++) if (node.has(point)) node.members.push(point);
    return node.members[Math.floor(random() * node.members.length)];
}

/** How deep the shortest text of each rule nests; until nothing changes. */
function costsOf(rules) {
    const costs = new Map();
    for (let changed = true; changed; ) {
        changed = false;
        for (const [name, body] of rules) {
            const cost = 1 + costOf(body, costs);
            if (cost >= (costs.get(name) ?? Infinity)) continue;
            costs.set(name, cost);
            changed = true;
        }
    }
    return costs;
}

function costOf(node, costs) {
    if (node.kind === 'set') return 1;
    if (node.kind === 'rule') return costs.get(node.name) ?? Infinity;
    if (node.kind === 'repeat') return node.min ? costOf(node.of, costs) : 0;
    const all = node.of.map((each) => costOf(each, costs));
    return node.kind === 'choice' ? Math.min(...all) : Math.max(0, ...all);
}
