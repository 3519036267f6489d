// `npm test`: sets everything up, then runs every test file, one at a time, for the machine may have only two cores.
//
//   npm test -- [NAME...]      only files whose path contains one of the names
//
// Owns: which files run, and in which order. Must not know: what they test.

import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {run} from 'node:test';
import {spec as Spec} from 'node:test/reporters';
import {fileURLToPath} from 'node:url';
import {SetupError, main, say} from '../web/node/run.js';
import {ensureDependencies, ensureModel, ensureModules} from '../web/node/setup.js';
import {ensureBrowsers} from './setup/browsers.js';
import {ensureNative} from './setup/native.js';
import {ensureNode24} from './setup/node24.js';

const TESTS = fileURLToPath(new URL('.', import.meta.url));
const FIRST = 'c'; // what everything else stands on
const LAST = 'browser'; // the slowest
const FILE_TIMEOUT_MS = 150 * 60 * 1000;      // ten times what the slowest needs

await main(async () => {
    const files = testFiles(process.argv.slice(2));
    await setUp();
    run({files, concurrency: 1, timeout: FILE_TIMEOUT_MS})
        .on('test:fail', ({todo}) => {
            if (!todo) process.exitCode = 1;
        })
        .compose(new Spec())
        .pipe(process.stdout);
});

async function setUp() {
    await ensureNative();
    await ensureDependencies();
    await ensureModules();
    await ensureModel();
    ensureNode24();
    for (const browser of Object.values(await ensureBrowsers())) if ('missing' in browser) say(browser.missing);
}

/** @param {string[]} names @returns {string[]} paths in the order in which they run */
function testFiles(names) {
    const files = readdirSync(TESTS, {recursive: true}).map(String)
        .filter((file) => file.endsWith('.test.js') && !file.includes('node_modules'))
        .filter((file) => names.length === 0 || names.some((name) => file.includes(name)));
    if (!files.length) throw new SetupError(`no test file matches ${names.join(', ')}`);
    const rank = (file) => ({[FIRST]: 0, [LAST]: 2})[file.split('/')[0]] ?? 1;
    return files.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).map((file) => join(TESTS, file));
}
