// node tests/constraint/suite.js: what of the JSON Schema Test Suite (draft 2020-12, suite/) compiles, and
// whether it is judged right.
//
// A case of a schema that compiles is right where a valid instance is taken in some order of its members, in
// each style, and an invalid one in no order. A file of the suite in which formats are annotations is left
// out, since here they are held to.

import {readFileSync} from 'node:fs';
import {toGrammar} from '../../web/constraint/constraint.js';
import {Matcher} from './matcher.js';
import {spellings} from './spellings.js';

const CASES = new URL('suite/cases.json', import.meta.url);

/** @param {(gbnf: string) => {accepts: (text: string) => boolean}} [engine] */
export function judgeSuite(engine = (gbnf) => new Matcher(gbnf)) {
    const files = new Map(),
        wrong = [],
        missed = [],
        refused = [];
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
            const taken = [...spellings(data).values()].map((texts) =>
                texts.some((text) => matcher.accepts(text)),
            );
            if (valid ? taken.every(Boolean) : !taken.some(Boolean)) row.right++;
            else (valid ? missed : wrong).push([file, description, JSON.stringify(data)]);
        }
    }
    return {files, wrong, missed, refused};
}

/**
 * What is valid and not taken, by file: each has its line in the room's README.
 * @type {[string, RegExp][]}
 */
export const MISSED = [
    ['vocabulary', /./],
    ['optional/float-overflow', /e\+308/],
    ['optional/bignum', /e\+52/],
    ['optional/format/date-time', /:60[.Z]/],
    ['optional/format/time', /:60/],
    ['optional/format/email', /\\"|\[/],
    ['optional/format/hostname', /xn--/],
];

/**
 * The counts as rows of the room's README.
 * @param {ReturnType<typeof judgeSuite>} judged
 * @returns {string[]}
 */
export function table({files, wrong, missed}) {
    const main = {schemas: 0, compiled: 0, cases: 0, right: 0},
        optional = {...main};
    for (const [file, row] of files)
        for (const key of Object.keys(main))
            (file.startsWith('optional/') ? optional : main)[key] += row[key];
    const line = (name, row) =>
        `| ${name} | ${row.schemas} | ${row.compiled} | ${row.cases} | ${row.right} |`;
    return [
        line('draft 2020-12', main),
        line('optional (formats, regular expressions, …)', optional),
        `${missed.length} valid ones missed, ${wrong.length} invalid ones taken`,
    ];
}

if (process.argv[1]?.endsWith('suite.js')) {
    const judged = judgeSuite();
    for (const each of judged.refused) console.log('refused', each.join(' | '));
    for (const each of judged.missed) console.log('missed', each.join(' | '));
    for (const each of judged.wrong) console.log('WRONG', each.join(' | '));
    console.table(Object.fromEntries(judged.files));
    console.log(table(judged).join('\n'));
}
