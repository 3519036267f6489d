// node tests/constraint/maskbench.js CASES.jsonl [NAME]: how many schemas of MaskBench compile, and whether
// their instances are taken as they are meant. The cases are not part of this repository:
// guidance-ai/jsonschemabench, maskbench/data, one case a line.

import {readFileSync} from 'node:fs';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';

/**
 * @param {string} path
 * @param {(gbnf: string) => {accepts: (text: string) => boolean}} [engine]
 */
export function judge(path, engine = (gbnf) => new Matcher(gbnf)) {
    const cases = readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const out = {
        schemas: cases.length,
        compiled: 0,
        taken: 0,
        missed: [],
        wrong: [],
        refused: [],
        ms: [],
        size: [],
    };
    for (const {schema, tests, file} of cases) {
        const start = performance.now();
        let gbnf;
        try {
            gbnf = toGrammar({schema});
        } catch (error) {
            if (error.code !== 'bad-constraint') throw error;
            out.refused.push([file, error.message]);
            continue;
        }
        out.ms.push(performance.now() - start);
        out.size.push(gbnf.length);
        out.compiled++;
        const matcher = engine(gbnf);
        tests.forEach(({valid, data}, i) => {
            for (const text of [JSON.stringify(data), JSON.stringify(data, null, 2)]) {
                const is = matcher.accepts(text);
                if (is && !valid) out.wrong.push([file, i, text]);
                else if (!is && valid) out.missed.push([file, i, text]);
                else if (is) out.taken++;
            }
        });
    }
    return out;
}

if (process.argv[1]?.endsWith('maskbench.js')) {
    const out = judge(process.argv[2]);
    const at = (list, share) => list.sort((a, b) => a - b)[Math.floor(list.length * share)];
    for (const [file, why] of out.refused) console.log('refused', file, why);
    for (const [file, i, text] of out.missed) console.log('missed', file, i, text.slice(0, 150));
    for (const [file, i, text] of out.wrong) console.log('WRONG', file, i, text.slice(0, 150));
    console.log({
        schemas: out.schemas,
        compiled: out.compiled,
        taken: out.taken,
        missed: out.missed.length,
        wrong: out.wrong.length,
        ms50: at(out.ms, 0.5),
        ms99: at(out.ms, 0.99),
        size50: at(out.size, 0.5),
        size99: at(out.size, 0.99),
    });
}
