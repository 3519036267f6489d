// The cases of masks.c: each schema of a JSON lines file ({schema, tests: [{valid, data}]}) as a grammar,
// with its valid instances as texts.
//
//   node tests/bench/masks.js CASES.jsonl [free | space | none] > CASES
//       prints on stderr how many schemas compile, and how long that takes

import {readFileSync} from 'node:fs';
import {toGrammar} from '../../web/constraint/constraint.js';

const [file, whitespace = 'free'] = process.argv.slice(2);
const spaces = whitespace === 'none' ? undefined : 1;
/** @type {number[]} */
const ms = [];
let n = 0;

for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const {schema, tests} = JSON.parse(line);
    n++;
    const start = performance.now();
    let grammar;
    try {
        grammar = toGrammar({schema, whitespace: /** @type {any} */ (whitespace)});
    } catch {
        continue;
    }
    ms.push(performance.now() - start);
    for (const {data} of tests.filter((/** @type {{valid: boolean}} */ {valid}) => valid)) {
        const text = spaces ? JSON.stringify(data, null, spaces).replace(/\n */g, whitespace === 'free' ? '$&'
            : ' ') : JSON.stringify(data);
        process.stdout.write(`${Buffer.byteLength(grammar)} ${Buffer.byteLength(text)}\n${grammar}${text}\n`);
    }
}
ms.sort((a, b) => a - b);
console.error(`${ms.length} of ${n} schemas compile to GBNF; p50 ${ms[ms.length >> 1].toFixed(2)} ms, p99 ${ms[Math.floor(ms.length * 0.99)].toFixed(1)} ms`);
