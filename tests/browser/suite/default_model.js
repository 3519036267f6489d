// A person's visits with the default model: download, answers, Stop, a second visit, a visit without network.
// The tests are one story, in this order.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {closeSync, openSync, readFileSync, readSync, readdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {before, describe, test} from 'node:test';
import {ensureModel} from '../../../web/node/setup.js';
import {ensureNode24} from '../../setup/node24.js';
import {figures, opened, revisit, screen, set, start, written, continueText, MODEL_NAME, OWN, shownError,
    visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {startBareLoop} from '../harness/bare_loop.js';
import {assertFetched} from '../harness/fetched.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const MODEL = await ensureModel();
const CHUNK = 16 << 20;
const PROMPT = 'Water boils at 100 degrees Celsius and freezes at';
const GREEDY = {temperature: 0, repeatPenalty: 1, maxTokens: 24, seed: 1};
const CLI = join(import.meta.dirname, '../../../web/node/cli.js');
const LONG_TEXT = readFileSync(join(import.meta.dirname, '../../golden/text.txt'), 'utf8').repeat(7);

/**
 * On a machine that does nothing else but this; alone Stop takes a tenth. Where a bare loop beside it is
 * slowed down, so may the page be.
 */
const STOP_MS = 1500, FREEZE_MS = 700;
const allowed = (ms, {slower, latest}) => ms * slower + 2 * latest;

/**
 * What runs where: WebKit has no relaxed SIMD, and GTK's gives workers no shared memory (see
 * web/engine/features.js).
 */
const EXPECTED = {chromium: ['relaxed', 'all'], firefox: ['relaxed', 'all'], webkit: ['simd128', 1]};

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testDefaultModel(name) {
    describe('the default model', () => {
        const lend = lender();
        const [variant, expectedThreads] = EXPECTED[name];
        /** @type {import('../harness/page.js').Page} */
        let page;
        /** @type {import('../harness/servers.js').TestServer} */
        let site;
        let breakAfter = Infinity;      // bytes of the model that the server still sends
        let answer;

        const files = () => readdirSync(site.folder, {recursive: true, withFileTypes: true})
            .filter((entry) => entry.isFile())
            .map(({parentPath, path, name}) => join(parentPath ?? path, name).slice(site.folder.length + 1));
        const modelRequests = () => site.requests.filter(({path}) => path.startsWith('/models/'));
        /**
         * Which of a variant's kernels are the fastest is measured by each page anew: relaxed or relaxed16.
         */
        const assertModule = (shown) =>
            assert.ok([`${variant} wasm32`, `${variant}16 wasm32`].includes(shown), shown);

        before(async () => {
            site = await lend(startSite({
                models: dirname(MODEL),
                meddle(request, response) {
                    if (!request.url.startsWith('/models/') || breakAfter === Infinity) return;
                    const {write} = response;
                    response.write = (block, ...rest) => {
                        breakAfter -= block.length;
                        if (breakAfter < 0) response.destroy();
                        return write.call(response, block, ...rest);
                    };
                },
            }));
            page = await lend(openBrowser(name));
            await visit(page, site.url);
        });

        test('the first visit tells size and terms before anything of the model is fetched', async () => {
            await page.until(() => document.querySelector('.card') !== null);
            const card = await page.text(OWN);
            for (const part of [/Gemma 3 270M/, /253 MB/, /By downloading you accept the Gemma Terms of Use/,
                /Download and start/]) assert.match(card, part);
            assert.equal(await page.evaluate(() => document.querySelector('.terms a').href),
                'https://ai.google.dev/gemma/terms');
            assert.deepEqual(modelRequests(), []);
        });

        test('a download that breaks off is told, and goes on where it ended', async () => {
            breakAfter = 90e6;
            await start(page);
            const {title, message} = await shownError(page);
            assert.equal(title, 'The model could not be downloaded');
            assert.match(message, /localhost:\d+/);
            assert.match(await page.text(OWN), /Continue the download/);
            const before = modelRequests().length, kept = await page.evaluate(keptChunks);
            breakAfter = Infinity;
            await page.click('#error-retry');
            assert.equal(await opened(page), 'writer');
            const size = 253113024, count = Math.ceil(size / CHUNK),
                missing = Array.from({length: count}, (_, i) => i).filter((i) => !kept.includes(i));
            assert.ok(kept.length > 0);
            assertFetched(modelRequests().slice(before), missing, size);
            await page.problems();      // the browser's own line about the broken connection
        });

        test('the answer streams, and makes sense', async () => {
            await set(page, GREEDY);
            await page.evaluate(() => {
                window.lengths = [];
                new MutationObserver(() => window.lengths.push(document.getElementById('text').value.length))
                    .observe(document.getElementById('mirror'), {childList: true, subtree: true});
            });
            answer = await continueText(page, PROMPT);
            assert.match(answer, /^ 0 degrees Celsius\./);
            const lengths = new Set(await page.evaluate(() => window.lengths));
            assert.ok(lengths.size > 1, 'it is drawn before it ends');      // how often, the machine says
        });

        test('speed, memory, engine module and threads are shown', async () => {
            const threads = expectedThreads === 'all'
                ? await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8)) : expectedThreads;
            const {Reading, Writing, Memory, Module, Threads, Context} = await figures(page);
            assert.match(Reading, /^[\d,.]+ tokens\/s 13 tokens, 0 cached$/);
            assert.match(Writing, /^[\d,.]+ tokens\/s 24 tokens$/);
            assert.match(Memory, /^3\d\d MB$/);
            assertModule(Module);
            assert.equal(Threads, String(threads));
            assert.equal(Context, '37 of 8,192');
        });

        test('the text is the one that the same module writes under Node', () => {
            const args = ['generate', '--model', MODEL, '--prompt', PROMPT, '--max-tokens', '24',
                '--temperature', '0', '--variant', variant, '--json'];
            const {text, tokens} = JSON.parse(execFileSync(ensureNode24(), [CLI, ...args],
                {encoding: 'utf8'}));
            assert.equal(tokens.length, 24);
            assert.equal(answer, text);
        });

        test('the model is kept in records of 16 MiB, each with its SHA-256', async () => {
            const kept = await page.evaluate(async (url) => {
                const done = (request) => new Promise((resolve, reject) => {
                    request.onsuccess = () => resolve(request.result);
                    request.onerror = () => reject(request.error);
                });
                const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16)
                    .padStart(2, '0')).join('');
                const db = await done(indexedDB.open('gemma-weights'));
                const store = (name) => db.transaction(name).objectStore(name);
                const id = new URL(url, document.baseURI).href;
                const {size} = await done(store('models').get(id));
                const records = [];
                for (const key of await done(store('chunks').getAllKeys())) {
                    // WebKit keeps no Blobs here
                    const bytes = await new Response(await done(store('chunks').get(key))).arrayBuffer();
                    const digest = hex(await crypto.subtle.digest('SHA-256', bytes));
                    records.push({bytes: bytes.byteLength, digest,
                        recorded: hex(await done(store('digests').get(key)))});
                }
                db.close();
                return {size, records};
            }, `models/${MODEL_NAME}`);
            const expected = digestsOf(MODEL).map(({bytes, digest}) => ({bytes, digest, recorded: digest}));
            assert.deepEqual(kept, {size: 253113024, records: expected});
        });

        test('every file of the site that this browser may need is kept for a visit without network',
            async () => {
            const kept = await page.evaluate(async () => {
                await navigator.serviceWorker.ready;
                const [name] = await caches.keys();
                return (await (await caches.open(name)).keys()).map(({url}) => url);
            });
            // Which of the engine's modules those are is isolation.js' matter.
            const isLater = (path) => path === 'sw.js'
                || /\.(map|wasm)$|^lib\/wasm-.*gemma64|^app\/pdf-\w+\/|^app\/texts-\w+\/(?!en)/.test(path);
            const expected = files().filter((path) => !isLater(path)).map((path) => site.url
                + path.replace('index.html', '')), here = new Set(kept);
            assert.deepEqual(expected.filter((url) => !here.has(url)), []);
            assert.ok(expected.length > 20 && kept.some((url) => url.endsWith('.wasm'))
                && !kept.some((url) => /\/app\/pdf-\w+\//.test(url)));
        });

        test('Stop acts at once while a long text is read, and the page stays lively', async () => {
            await page.fill('#text', LONG_TEXT);
            const bareLoop = startBareLoop();
            await page.evaluate(startWatchingFreezes);
            await page.click('#continue');
            await page.until(() => /^Reading… \d+%/.test(document.getElementById('text-hint').textContent));
            const ms = await page.evaluate(stopAndTime);
            const bare = bareLoop();
            assert.ok(ms < allowed(STOP_MS, bare), `${ms} ms, where a bare loop is ${JSON.stringify(bare)}`);
            assert.equal(await written(page), LONG_TEXT);
            const longest = await page.evaluate(() => window.longestFreeze());
            assert.ok(longest < allowed(FREEZE_MS, bare),
                `nothing happened on the page for ${longest} ms, where a bare loop is ${JSON.stringify(bare)}`);
        });

        test('Stop acts at once while an answer is written; what was written stays', async () => {
            await set(page, {maxTokens: 2000});
            await page.fill('#text', PROMPT);
            const bareLoop = startBareLoop();
            await page.evaluate(startWatchingFreezes);
            await page.click('#continue');
            await page.until((length) => document.getElementById('text').value.length > length,
                PROMPT.length + 30);
            const ms = await page.evaluate(stopAndTime);
            const bare = bareLoop();
            assert.ok(ms < allowed(STOP_MS, bare), `${ms} ms, where a bare loop is ${JSON.stringify(bare)}`);
            assert.ok((await written(page)).startsWith(PROMPT + answer.slice(0, 20)));
            assert.match(await page.text('#text-hint'), /^Stopped/);
            const longest = await page.evaluate(() => window.longestFreeze());
            assert.ok(longest < allowed(FREEZE_MS, bare),
                `nothing happened on the page for ${longest} ms, where a bare loop is ${JSON.stringify(bare)}`);
        });

        test('the next prompt works after Stop, with the same answer as before', async () => {
            await set(page, GREEDY);
            assert.equal(await continueText(page, PROMPT), answer);
        });

        test('a second visit reads the model from the device alone', async () => {
            const before = modelRequests().length;
            await revisit(page);
            await page.until((own) => /253 MB on this device/.test(document.querySelector(own)?.innerText),
                OWN);
            await start(page);
            await opened(page);
            assert.equal(await continueText(page, PROMPT), answer);
            assert.equal(modelRequests().length, before);
        });

        test('nothing was asked of any other site, and nothing went wrong meanwhile', async () => {
            const origins = await page.evaluate(() => performance.getEntriesByType('resource')
                .map(({name}) => new URL(name).origin));
            assert.deepEqual([...new Set(origins)], [new URL(site.url).origin]);
            assert.deepEqual(page.strangers ?? [], []);
            assert.deepEqual(await page.problems(), []);
            // Of what a worker imports, WebKit asks the network, too, for what is there already, and so does
            // Firefox now and then on a busy machine; the answer is nothing to them.
            const there = new Set(['', ...files()]),
                isThere = (path) => there.has(name === 'chromium' ? path
                    : path.replace(/^v-\w+\/(?=lib\/chunk-)/, ''));
            const site404 = site.requests.filter(({path}) => !isThere(path.slice(1))
                && !path.startsWith('/models/'));
            assert.deepEqual(site404.filter(({path}) => !path.endsWith('/favicon.ico')), []);
        });

        test('with the server gone, the page opens, the model loads, and writes the same', async () => {
            await site.close();
            await revisit(page);
            await start(page);
            assert.equal(await opened(page), 'writer');
            assert.equal(await continueText(page, PROMPT), answer);
            assertModule((await figures(page)).Module);
        });

        test('a deleted model is gone from the device', async () => {
            await page.click('#change-model');
            await screen(page, 'welcome');
            // WebDriver has no say in time
            await page.evaluate(() => { window.confirm = () => true; });
            await page.until(() => document.querySelector('#stored-list [aria-label^="Delete"]') !== null);
            await page.click('#stored-list [aria-label^="Delete"]');
            await page.until((own) => document.querySelector(`${own} .actions button`)
                .textContent === 'Download and start', OWN);
        });
    });
}

/** The SHA-256 of each piece of a file. */
function digestsOf(path) {
    const file = openSync(path);
    const buffer = Buffer.alloc(CHUNK);
    const found = [];
    for (let n; (n = readSync(file, buffer, 0, CHUNK, null)) > 0;) {
        found.push({bytes: n, digest: createHash('sha256').update(buffer.subarray(0, n)).digest('hex')});
    }
    closeSync(file);
    return found;
}

/* These run in the page. */

/** Which chunks of the one model are in the store. */
async function keptChunks() {
    const done = (request) => new Promise((resolve, reject) => Object.assign(request,
        {onsuccess: () => resolve(request.result), onerror: reject}));
    const db = await done(indexedDB.open('gemma-weights'));
    const keys = await done(db.transaction('chunks').objectStore('chunks').getAllKeys());
    db.close();
    return keys.map(([, index]) => index);
}

function startWatchingFreezes() {
    let last = performance.now();
    let longest = 0;
    const look = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
    };
    const timer = setInterval(look, 10);
    window.longestFreeze = () => {
        look();
        clearInterval(timer);
        return longest;
    };
}

function stopAndTime() {
    const button = document.getElementById('continue');
    if (button.textContent !== 'Stop') throw new Error('nothing is running');
    const start = performance.now();
    return new Promise((stopped) => {
        new MutationObserver(() => stopped(performance.now() - start)).observe(button, {childList: true});
        button.click();
    });
}
