// node tests/constraint/suite.js: what of the JSON Schema Test Suite (draft 2020-12, suite/) compiles, and whether it is judged right.
//
// A case of a schema that compiles is right where a valid instance is taken in some order of its members, in each style, and an
// invalid one in no order. A file of the suite in which formats are annotations is left out, since here they are held to.

import {readFileSync} from 'node:fs';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';
import {spellings} from './spellings.js';

const CASES = new URL('suite/cases.json', import.meta.url);

/** @param {(gbnf: string) => {accepts: (text: string) => boolean}} [engine] */
export function judgeSuite(engine = (gbnf) => new Matcher(gbnf)) {
    const files = new Map(), wrong = [], missed = [], refused = [];
    for (const [file, description, schema, tests] of JSON.parse(readFileSync(CASES, 'utf8'))) {
        if (file === 'format') continue;
        const row = files.get(file) ?? {schemas: 0, compiled: 0, cases: 0, right: 0};
        files.set(file, row);
        row.schemas++;
        let matcher;
        try {
            matcher = engine(toGrammar({schema}));
        } catch (error) {
            if (error.code !== 'bad-constraint') throw error;
            // A schema that nothing fulfils is refused, and that is right where no instance is valid.
            refused.push([file, description, error.message, tests.some(([valid]) => valid)]);
            continue;
        }
        row.compiled++;
        for (const [valid, data] of tests) {
            row.cases++;
            const taken = [...spellings(data).values()].map((texts) => texts.some((text) => matcher.accepts(text)));
            if (valid ? taken.every(Boolean) : !taken.some(Boolean)) row.right++;
            else (valid ? missed : wrong).push([file, description, JSON.stringify(data)]);
        }
    }
    return {files, wrong, missed, refused};
}

if (process.argv[1]?.endsWith('suite.js')) {
    const {files, wrong, missed, refused} = judgeSuite();
    for (const each of refused) console.log('refused', each.join(' | '));
    for (const each of missed) console.log('missed', each.join(' | '));
    for (const each of wrong) console.log('WRONG', each.join(' | '));
    console.table(Object.fromEntries(files));
    const sum = {schemas: 0, compiled: 0, cases: 0, right: 0};
    for (const row of files.values()) for (const key of Object.keys(sum)) sum[key] += row[key];
    console.log({...sum, missed: missed.length, wrong: wrong.length});
}
