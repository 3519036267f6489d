// The app with years of conversations: how long it takes to open, to open one of them and to search, and how
// much memory the tab has, without a model.
//
//   node tests/bench/conversations.js [--conversations 200] [--messages 100] [--rounds 5]
//
// The built site from a host that only serves files, in Chromium. Memory: what the tab's process alone has
// (Private_* of smaps_rollup), less that of an empty page of the same host; and what the browser says of the
// page itself (performance.measureUserAgentSpecificMemory).
//
// Owns: that one measure. Must not know: models.

import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {importData, openData, visit} from '../browser/harness/app.js';
import {openBrowser} from '../browser/harness/browsers.js';
import {FIRST_NEEDLE, manyConversations} from '../browser/harness/many.js';
import {programsOf} from '../browser/harness/programs.js';
import {startSite} from '../browser/harness/servers.js';

const {values} = parseArgs({options: {conversations: {type: 'string', default: '200'},
    messages: {type: 'string', default: '100'}, rounds: {type: 'string', default: '5'}}});
const CONVERSATIONS = Number(values.conversations), MESSAGES = Number(values.messages),
    ROUNDS = Number(values.rounds);
const REST_MS = 3000;       // what is done once the page is there, and garbage

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
/** Bytes that the largest of Chromium's pages alone has. */
function privateBytes() {
    const sizes = programsOf(process.pid, /--type=renderer/).map((pid) => {
        const kilobytes = [...readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
            .matchAll(/^Private_\w+: +(\d+) kB/gm)].map(([, size]) => Number(size));
        return 1024 * kilobytes.reduce((sum, size) => sum + size, 0);
    });
    return Math.max(...sizes);
}

/* These run in the page. */

/**
 * Resolves with the time since the address was asked for, when the list has all and the conversation
 * its messages.
 */
const opened = (conversations, messages) => new Promise((done) => {
    const look = () => {
        if (document.querySelectorAll('#list a').length < conversations
            || document.querySelectorAll('#messages > *').length < messages)
            return requestAnimationFrame(look);
        requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    };
    look();
});
const choose = async (i, messages) => {
    const start = performance.now(), link = document.querySelectorAll('#list a')[i],
        before = document.querySelector('#messages > :last-child')?.dataset.message;
    link.click();
    await new Promise((done) => {
        const look = () => document.querySelectorAll('#messages > *').length === messages
            && document.querySelector('#messages > :last-child').dataset.message !== before
            ? setTimeout(done) : requestAnimationFrame(look);
        look();
    });
    return performance.now() - start;
};
const search = async (query, found) => {
    const field = document.getElementById('search'), start = performance.now();
    field.value = query;
    field.dispatchEvent(new Event('input', {bubbles: true}));
    await new Promise((done) => {
        const look = () => document.querySelectorAll('#list a').length === found ? setTimeout(done)
            : requestAnimationFrame(look);
        look();
    });
    return performance.now() - start;
};
const ownBytes = async () => (await performance.measureUserAgentSpecificMemory()).bytes;

/** Rows of the list before it is scrolled (views/sidebar.js). */
const DRAWN = Math.min(CONVERSATIONS, 250);
const folder = mkdtempSync(join(tmpdir(), 'gemma-many-')), site = await startSite(),
    page = await openBrowser('chromium');
try {
    await page.goto(`${site.url}manifest.webmanifest`);
    await sleep(REST_MS);
    const empty = privateBytes(), file = join(folder, 'many.json'),
        content = manyConversations(CONVERSATIONS, MESSAGES);
    writeFileSync(file, content);
    await visit(page, site.url);
    await openData(page);
    const start = performance.now();
    console.log(await importData(page, file),
        `${((performance.now() - start) / 1000).toFixed(1)} s for ${(content.length / 1e6).toFixed(1)} MB`);
    await page.reload();
    await page.evaluate(opened, DRAWN, 0);
    await page.evaluate(choose, 0, MESSAGES);
    const rows = {open: [], 'open one': [], 'search, first': [], search: []};
    for (let round = 0; round < ROUNDS; round++) {
        await page.reload();
        rows.open.push(await page.evaluate(opened, DRAWN, MESSAGES));
        rows['open one'].push(await page.evaluate(choose, 1 + round, MESSAGES),
            await page.evaluate(choose, 0, MESSAGES));
        for (const [i, number] of [CONVERSATIONS - 1, 12, 33, 54].entries()) {
            rows[i ? 'search' : 'search, first'].push(await page.evaluate(search,
                `needle ${FIRST_NEEDLE + number}`, 1));
            await page.evaluate(search, '', DRAWN);
        }
    }
    for (const [what, ms] of Object.entries(rows))
        console.log(`${what.padEnd(14)} ${median(ms).toFixed(0).padStart(5)} ms  (${ms.map((one) => one.toFixed(0)).join(' ')})`);
    // In a process that has not imported anything.
    const address = await page.evaluate(() => location.href);
    await page.crash();
    await page.goto(address);
    await page.evaluate(opened, DRAWN, MESSAGES);
    await sleep(REST_MS);
    const before = privateBytes() - empty;
    await page.evaluate(search, `needle ${FIRST_NEEDLE}`, 1);
    const searched = privateBytes() - empty,
        own = await Promise.race([page.evaluate(ownBytes), sleep(60_000, NaN)]);
    const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
    console.log(`memory         ${mb(before).padStart(8)}  more than an empty page, which has ${mb(empty)}; after a search ${mb(searched)}; the browser's own count ${mb(own)}`);
} finally {
    await page.close();
    await site.close();
    rmSync(folder, {recursive: true, force: true});
}
