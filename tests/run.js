// `npm test`: sets everything up, then runs every test file: one at a time of those in browsers, which wait
// more than they compute, and beside it one of the others; at the end, two of those that are left.
//
//   npm test -- [NAME...]      only files whose path contains one of the names
//
// Owns: which files run, and in which order. Must not know: what they test.

import {readdirSync} from 'node:fs';
import {join, relative} from 'node:path';
import {compose} from 'node:stream';
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
const WAITING = ['browser', 'weights'];       // in browsers, which wait more than they compute
const FILE_TIMEOUT_MS = 150 * 60 * 1000;      // ten times what the slowest needs
/** What is listed at the end: where the time went. */
const SLOW_MS = 60_000, LONGEST_SAID = 1000;
/** What a file's tests say at their end. */
const SUM = /^(tests|suites|pass|fail|cancelled|skipped|todo) (\d+)$/, DURATION = /^duration_ms /;

await main(async () => {
    const lanes = testFiles(process.argv.slice(2)), start = performance.now();
    await setUp();
    /** @type {Map<string, number>} */
    const sums = new Map(), times = new Map(), /** @type {string[]} */ failed = [];
    await Promise.all(lanes.map(async (own, i) => {
        for (let file; (file = own.shift() ?? lanes[1 - i]?.shift());) {
            const begun = performance.now();
            await runFile(file, sums, failed);
            times.set(file, performance.now() - begun);
        }
    }));
    for (const [file, ms] of [...times].sort(([, a], [, b]) => b - a)) if (ms > SLOW_MS)
        console.log(`ℹ ${relative(TESTS, file)}: ${Math.round(ms / 1000)} s`);
    for (const said of failed) console.log(`✖ ${said}`);
    for (const [name, n] of sums) console.log(`ℹ ${name} ${n}`);
    console.log(`ℹ duration_ms ${performance.now() - start}`);
});

/**
 * @param {string} file
 * @param {Map<string, number>} sums   of all files
 * @param {string[]} failed   tests, and why
 */
async function runFile(file, sums, failed) {
    const events = run({files: [file], timeout: FILE_TIMEOUT_MS}).on('test:fail',
        ({name, todo, details: {error}}) => {
        if (todo) return;
        process.exitCode = 1;
        const {failureType, cause} = /** @type {{failureType?: string, cause?: unknown}} */ (error);
        if (failureType !== 'subtestsFailed')
            failed.push(`${relative(TESTS, file)}: ${name}\n  ${String(cause).slice(0, LONGEST_SAID)}`);
    });
    const told = compose(events, async function* (events) {
        for await (const event of events) {
            const message = event.type === 'test:diagnostic' && event.data.nesting === 0 ? event.data.message
                : '', [, name, n] = SUM.exec(message) ?? [];
            if (name) sums.set(name, (sums.get(name) ?? 0) + Number(n));
            else if (!DURATION.test(message)) yield event;
        }
    }, new Spec());
    for await (const said of told) process.stdout.write(said);
}

async function setUp() {
    await ensureNative();
    await ensureDependencies();
    await ensureModules();
    await ensureModel();
    ensureNode24();
    for (const browser of Object.values(await ensureBrowsers())) if ('missing' in browser)
        say(browser.missing);
}

/** @param {string[]} names @returns {string[][]} of each lane: paths in the order in which they run */
function testFiles(names) {
    const files = readdirSync(TESTS, {recursive: true}).map(String)
        .filter((file) => file.endsWith('.test.js') && !file.includes('node_modules'))
        .filter((file) => names.length === 0 || names.some((name) => file.includes(name)));
    if (!files.length) throw new SetupError(`no test file matches ${names.join(', ')}`);
    const roomOf = (/** @type {string} */ file) => file.split('/')[0];
    files.sort((a, b) => Number(roomOf(b) === FIRST) - Number(roomOf(a) === FIRST) || (a < b ? -1 : 1));
    const lanes = [false, true].map((waits) =>
        files.filter((file) => WAITING.includes(roomOf(file)) === waits).map((file) => join(TESTS, file)));
    return lanes.filter((lane) => lane.length);
}
