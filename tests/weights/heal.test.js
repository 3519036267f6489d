// The browser dies in the middle of a download, the store's bytes rot: the model always arrives, is always
// right, and little is fetched twice.
//
//   GEMMA_SEED=1 GEMMA_KILLS=20 GEMMA_FLIPS=200     the long run: other moments, and more of them. Firefox,
//                                                   which starts slowly, has a quarter of each

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import test, {after, before} from 'node:test';
import {pipeline} from 'node:stream/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import puppeteer from 'puppeteer-core';
import {ensureModel} from '../../web/node/setup.js';
import {TYPES, listSite, readSite} from '../../web/node/site.js';
import {startServer} from '../browser/harness/servers.js';
import {ensureBrowsers} from '../setup/browsers.js';
import {PATIENT, patient} from '../setup/patience.js';

const SEED = Number(process.env.GEMMA_SEED ?? 1), KILLS = Number(process.env.GEMMA_KILLS ?? 6),
    FLIPS = Number(process.env.GEMMA_FLIPS ?? 60);
const CHUNK = 16 << 20, CONNECTIONS = 4;
const RATE = 120e6;                 // bytes per second of the server, so that a download takes seconds
const LATEST_MS = 2000;             // after the start of a load, the browser is killed
const DATE = 'Mon, 01 Jan 2024 00:00:00 GMT';
const PROMPT = 'Water boils at 100 degrees Celsius and freezes at', ANSWER = / 0 degrees Celsius\./;

const MODEL = await ensureModel(), SIZE = statSync(MODEL).size,
    MODEL_PATH = 'models/gemma-3-270m-q4_k_m.gguf';
const TINY = readFileSync(join(import.meta.dirname, '../golden/tiny-gemma3.gguf')), TINY_CHUNK = 1 << 16;
const programs = await ensureBrowsers();

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function numbersFrom(seed) {
    let a = seed;
    return () => {
        a = a + 0x6d2b79f5 | 0;
        let t = Math.imul(a ^ a >>> 15, 1 | a);
        t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
        return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
    };
}

const LAUNCH = {
    chromium: {args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
        '--no-first-run', '--disable-background-networking']},
    firefox: {
        browser: 'firefox', args: ['--headless'],
        extraPrefsFirefox: {'toolkit.startup.max_resumed_crashes': -1},
    },
};

let site, folder, browser;
/**
 * Of the models' server, since it was last emptied: first bytes of the ranges that were asked for, and
 * bytes sent.
 */
let asked = [], sent = 0;
let free = 0;       // when the line is free again, for the rate
/**
 * How the server behaves: another ETag for each answer, of one date; and no answer but 503 or 403 while
 * another one is under way.
 */
let changing = false, single = false, open = 0, answers = 0, refusals = 0;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gemma-heal-'));
    const files = listSite();
    site = await startServer((request, response) => {
        const path = request.url.slice(1), bytes = {'tiny.gguf': TINY, [MODEL_PATH]: MODEL}[path];
        if (bytes) return void sendSlowly(bytes, request, response);
        if (!path || !files.has(path)) return response.writeHead(404).end();
        response.writeHead(200, {
            'Content-Type': TYPES[extname(path)], 'Cross-Origin-Opener-Policy': 'same-origin',
            'Cross-Origin-Embedder-Policy': 'require-corp',
            'Cache-Control': 'max-age=3600',        // each engine asks for dozens of modules
        }).end(readSite(path, files));
    });
});

after(async () => {
    await browser?.close().catch(() => {});
    await site?.close();
    rmSync(folder, {recursive: true, force: true, maxRetries: 10, retryDelay: 200});
});

/** @param {string | Buffer} file */
async function sendSlowly(file, request, response) {
    const size = typeof file === 'string' ? SIZE : file.length;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number),
        end = Math.min(last, size - 1);
    if (single && open) return response.writeHead(++refusals % 2 ? 503 : 403).end();
    open++;
    response.on('close', () => open--);
    asked.push(first);
    response.writeHead(206, {
        'Content-Length': end - first + 1, 'Content-Range': `bytes ${first}-${end}/${size}`,
        ETag: changing ? `"${answers++}"` : '"1"', 'Last-Modified': DATE,
    });
    const blocks = typeof file === 'string' ? createReadStream(file,
        {start: first, end, highWaterMark: 1 << 18}) : [file.subarray(first, end + 1)];
    const slowed = async function* () {
        for await (const block of blocks) {
            free = Math.max(free, performance.now()) + block.length / RATE * 1000;
            await sleep(Math.max(0, free - performance.now()));
            sent += block.length;
            yield block;
        }
    };
    await pipeline(slowed, response).catch(() => {});       // the browser was killed
}

async function openPage(name) {
    const userDataDir = join(folder, name);
    mkdirSync(userDataDir, {recursive: true});
    browser = await puppeteer.launch({
        executablePath: programs[name].path, userDataDir, ...PATIENT, ...LAUNCH[name], networkEnabled: false,
    });
    const page = patient(await browser.newPage());
    await page.goto(`${site.url}models.json`);
    asked = [];
    sent = 0;
    return page;
}

/** @returns {Promise<{bytes: number, state?: string, indices: number[]}>} what is in the store of a model */
const stored = (page, path) => page.evaluate(async (path) => {
    const {ChunkStore} = await import('/weights/store/store.js');
    const store = await ChunkStore.open(), id = new URL(path, `${location.origin}/`).href;
    const [entry] = (await store.list()).filter((model) => model.id === id);
    const indices = [...await store.chunksOf(id)];
    store.close();
    return {bytes: entry?.storedBytes ?? 0, state: entry?.state, indices};
}, path);

/** Has the model write something. */
const answer = (page, path, options, prompt, maxTokens) => page.evaluate(async (path, options, prompt,
    maxTokens) => {
    const {Gemma} = await import('/gemma.js');
    const gemma = await Gemma.load(new URL(path, `${location.origin}/`).href, options);
    const {text} = await (await gemma.session()).prompt(prompt,
        {raw: true, maxTokens, sampling: {temperature: 0}}).result;
    gemma.close();
    return text;
}, path, options, prompt, maxTokens);

async function killAndHeal(name, kills, context, isOdd) {
    changing = single = isOdd;
    const random = numbersFrom(SEED);
    let total = 0, mostLost = 0, last = {sent: 0, bytes: 0};
    for (let kill = 0; kill <= kills; kill++) {
        const page = await openPage(name);
        const here = await stored(page, MODEL_PATH);
        const lost = last.sent - (here.bytes - last.bytes);
        assert.ok(here.bytes >= last.bytes, 'nothing that was stored is lost');
        assert.ok(lost <= CONNECTIONS * CHUNK,
            `${lost} bytes had been sent before the last kill and were not stored`);
        mostLost = Math.max(mostLost, lost);
        if (kill === kills) {
            assert.match(await answer(page, MODEL_PATH, {}, PROMPT, 24), ANSWER);
        } else {
            void page.evaluate(async (path) => {
                const {Gemma} = await import('/gemma.js');
                await Gemma.load(new URL(path, `${location.origin}/`).href);
            }, MODEL_PATH).catch(() => {});
            await sleep(random() * LATEST_MS);
            const ended = once(browser.process(), 'exit');
            browser.process().kill('SIGKILL');
            await ended;
            await sleep(300);
        }
        assert.deepEqual(asked.filter((first) => here.indices.includes(Math.floor(first / CHUNK))), [],
            'nothing that is here is fetched');
        last = {sent, bytes: here.bytes};
        total += sent;
    }
    await browser.close();
    context.diagnostic(
        `${total} bytes were sent for a file of ${SIZE}; at most ${mostLost} of them in vain at one kill`);
}

/** Flips one bit of what is stored. */
const flip = (page, path, index, offset, bit) => page.evaluate(async (path, index, offset, bit) => {
    const done = (request) => new Promise((resolve, reject) => Object.assign(request,
        {onsuccess: () => resolve(request.result), onerror: reject}));
    const db = await done(indexedDB.open('gemma-weights')),
        key = [new URL(path, `${location.origin}/`).href, index];
    const chunks = () => db.transaction('chunks', 'readwrite').objectStore('chunks');
    const bytes = new Uint8Array(await (await done(chunks().get(key))).arrayBuffer());
    bytes[Math.floor(offset * bytes.length)] ^= 1 << bit;
    await done(chunks().put(new Blob([bytes]), key));
    db.close();
}, path, index, offset, bit);

async function rotAndHeal(name, path, flips, size, chunkSize, options, prompt) {
    const random = numbersFrom(SEED), count = Math.ceil(size / chunkSize);
    const page = await openPage(name);
    changing = single = false;
    const right = await answer(page, path, options, prompt, 12);
    for (let i = 0; i < flips; i++) {
        changing = single = i % 2 === 1;
        const index = Math.floor(random() * count);
        await flip(page, path, index, random(), Math.floor(random() * 8));
        asked = [];
        assert.equal(await answer(page, path, options, prompt, 12), right);
        assert.deepEqual(asked, [index * chunkSize]);
    }
    asked = [];
    assert.equal(await answer(page, path, options, prompt, 12), right);
    assert.deepEqual(asked, [], 'all is whole again');
    await browser.close();
}

for (const [name, share] of [['chromium', 1], ['firefox', 1 / 4]]) {
    const options = {skip: programs[name].missing, timeout: 9_000_000};
    const kills = Math.ceil(KILLS * share), flips = Math.ceil(FLIPS * share),
        flipsOfDefault = Math.ceil(flips / 40);
    test(`${name} is killed at ${kills} moments of a download (seed ${SEED}), and heals each time by itself`,
        options, (context) => killAndHeal(name, kills, context, false));
    const killsOfOdd = Math.ceil(kills / 2);
    test(`${name} is killed ${killsOfOdd} times, with changing ETags and one connection (seed ${SEED})`, options,
        (context) => killAndHeal(name, killsOfOdd, context, true));
    test(`${name}: ${flips} times a stored byte rots (seed ${SEED}): one chunk is fetched`, options,
        () => rotAndHeal(name, 'tiny.gguf', flips, TINY.length, TINY_CHUNK,
            {threads: 1, manifest: manifestOf(TINY, TINY_CHUNK)}, 'The sea at night'));
    test(`${name}: the same for ${flipsOfDefault} bytes of the default model`, options,
        () => rotAndHeal(name, MODEL_PATH, flipsOfDefault, SIZE, CHUNK, {}, PROMPT));
}

function manifestOf(bytes, chunkSize) {
    const sha256 = (part) => createHash('sha256').update(part).digest('hex');
    const chunks = Array.from({length: Math.ceil(bytes.length / chunkSize)},
        (_, i) => ({sha256: sha256(bytes.subarray(i * chunkSize, (i + 1) * chunkSize))}));
    return {file: 'tiny.gguf', size: bytes.length, sha256: sha256(bytes), chunkSize, chunks};
}
