// A real browser with pages that do what page.js does, and servers from which they get a model in whichever
// way a test wants. GEMMA_BROWSER says which: chromium (the default) or firefox.
//
// Owns: the browser, the servers and the files. Must not know: what is tested.

import {createCipheriv, createHash} from 'node:crypto';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {extname, join} from 'node:path';
import test, {after, before} from 'node:test';
import puppeteer from 'puppeteer-core';
import {listSite, readSite, TYPES} from '../../web/node/site.js';
import {CHUNK_SIZE} from '../../web/weights/store/store.js';
import {ensureBrowsers} from '../setup/browsers.js';
import {PATIENT, patient} from '../setup/patience.js';

export const BROWSER = process.env.GEMMA_BROWSER ?? 'chromium';
const LAUNCH = {
    chromium: {
        args: [
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync',
            '--js-flags=--expose-gc',
            '--disable-features=BackForwardCache',      // a page that was left is gone
        ],
    },
    // Firefox asks the user whether a site may keep its data: here the answer is yes.
    firefox: {
        browser: 'firefox', args: ['--headless'],
        extraPrefsFirefox: {
            'dom.storageManager.prompt.testing': true, 'dom.storageManager.prompt.testing.allow': true,
            'browser.sessionhistory.max_total_viewers': 0, 'fission.bfcacheInParent': false,
        },
    },
};

/**
 * Bytes of a chunk where no manifest says it: less than the product's own, so that files of a few chunks are small. A
 * check that needs chunks as large as the product makes them, or others, says so.
 */
export const CHUNK = 1 << 20, LARGE_CHUNK = CHUNK_SIZE;

/** Bytes without pattern that begin like a GGUF, the same for the same seed. */
function noise(size, seed) {
    const bytes = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
        .update(Buffer.alloc(size));
    bytes.write('GGUF');
    return bytes;
}

export const FILE = noise(3 * CHUNK + 123_456, 1);
export const OTHER = noise(2 * CHUNK + 77, 2);
/** As FILE, in large chunks. */
export const LARGE_FILE = noise(3 * LARGE_CHUNK + 1_234_567, 3);
/**
 * What a test changes and looks at.
 * @type {{model: {bytes: Buffer, etag?: string | null, ranges?: boolean, headers?: object, fail?: Function,
 *     files?: Record<string, Buffer | string>}, chunk: number, asked: number[], open: number, mostOpen: number,
 *     origin: string, elsewhere: string, browser: import('puppeteer-core').Browser, page:
 *     import('puppeteer-core').Page}} model: how the servers send /model.gguf, and other files that they
 *     have; chunk: bytes; asked: indices of the pieces that were asked for, fractions for parts of them; origin,
 *     elsewhere: two addresses of the servers
 */
export const lab = {model: {bytes: FILE}, chunk: CHUNK, asked: [], open: 0, mostOpen: 0};

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** What of a file is to come, chunk by chunk. */
export const chunksOf = (bytes, size = lab.chunk) => Array.from({length: Math.ceil(bytes.length / size)},
    (_, i) => {
    const part = bytes.subarray(i * size, (i + 1) * size);
    return {length: part.length, buffer: part.length, sha256: sha256(part)};
});
export const [FILE_CHUNKS, OTHER_CHUNKS] = [chunksOf(FILE), chunksOf(OTHER)];
export const numbers = (n) => Array.from({length: n}, (_, i) => i);

/** A manifest as build/quantize writes it. */
export const manifestOf = (bytes, chunkSize = lab.chunk, file = 'model.gguf') => ({
    file, name: 'A model', architecture: 'gemma', size: bytes.length, sha256: sha256(bytes), chunkSize,
    chunks: chunksOf(bytes, chunkSize).map(({sha256: digest}) => ({sha256: digest})),
});

/** Listed once: a page asks for dozens of them. */
const SITE = listSite();

/** The site's modules, an empty page, and the model at /model.gguf in whichever way `model` says. */
function answer(request, response) {
    const path = request.url.slice(1).split('?')[0];
    if (path === 'model.gguf') return sendModel(request, response);
    const own = lab.model.files?.[path];
    if (own !== undefined) return sendModel(request, response, Buffer.from(own));
    if (path === 'page.js') return send(response, TYPES['.js'],
        readFileSync(join(import.meta.dirname, 'page.js')));
    if (path === 'weights/store/store.js') return send(response, TYPES['.js'], withChunks(readSite(path, SITE)));
    if (SITE.get(path) && path) return send(response, TYPES[extname(path)], readSite(path, SITE), 'max-age=3600');
    send(response, TYPES['.html'], '<!doctype html><script type="module" src="/page.js"></script>');
}

/** The product's store, with chunks of another size. @param {Buffer} module */
function withChunks(module) {
    const [before, after, ...more] = module.toString().split(/(?<=export const CHUNK_SIZE = )[^;]+(?=;)/);
    if (!after || more.length) throw new Error('The size of a chunk is not said once in store.js.');
    return before + lab.chunk + after;
}

function send(response, type, bytes, lasts = 'no-store') {
    response.writeHead(200, {
        'Content-Type': type, 'Cache-Control': lasts, 'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
    }).end(bytes);
}

function sendModel(request, response, bytes = lab.model.bytes) {
    const {etag = '"v1"', ranges = true, headers = {}, fail = () => false} = lab.model;
    if (request.method === 'OPTIONS')
        return response.writeHead(lab.model.preflight ? 204 : 405, lab.model.preflight).end();
    if (request.method === 'HEAD')
        return response.writeHead(200, {'Content-Length': bytes.length, ...headers}).end();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? 'bytes=0-').map(Number);
    const index = from / lab.chunk;
    lab.asked.push(index);
    lab.mostOpen = Math.max(lab.mostOpen, ++lab.open);
    response.on('close', () => lab.open--);
    if (fail(index, request, response)) return undefined;
    const version = etag && {ETag: etag};
    if (!ranges || !request.headers.range)
        return response.writeHead(200, {'Content-Length': bytes.length, ...version, ...headers}).end(bytes);
    if (from >= bytes.length)
        return response.writeHead(416, {'Content-Range': `bytes */${bytes.length}`}).end();
    const part = bytes.subarray(from, to ? to + 1 : undefined);
    response.writeHead(206, {
        'Content-Length': part.length,
        'Content-Range': `bytes ${from}-${from + part.length - 1}/${bytes.length}`, ...version, ...headers,
    }).end(part);
}

/** Answers 400 to one piece, which nobody asks for again. */
export const refuse = (refused) => (index, request, response) => Math.floor(index) === refused
    && response.writeHead(400, lab.model.headers).end();

/** Sends only the first `length` bytes of piece `slow`, then calls `then` with the response. */
export const sendPartOf = (slow, length, then = () => {}) => (index, request, response) => {
    if (index !== slow) return false;
    const {model: {bytes}, chunk} = lab, from = index * chunk, all = Math.min(chunk, bytes.length - from);
    response.writeHead(206, {
        'Content-Length': all, 'Content-Range': `bytes ${from}-${from + all - 1}/${bytes.length}`, ETag: '"v1"',
    });
    response.write(bytes.subarray(from, from + length), () => then(response));
    return true;
};

let servers, program;
const ending = [];

before(async () => {
    ({[BROWSER]: program} = await ensureBrowsers());
    if (!program.path) return;
    servers = [createServer(answer), createServer(answer)];
    [lab.origin, lab.elsewhere] = await Promise.all(servers.map((server) => new Promise((done) =>
        server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`)))));
    lab.browser = await launch();
});

/**
 * A new browser.
 * @param {{chromium?: object, firefox?: object}} [preferences]   of its user, as the browser itself
 *     names them
 */
export async function launch({[BROWSER]: preferences} = {}) {
    const userDataDir = mkdtempSync(join(tmpdir(), 'gemma-weights-')),
        options = {
            executablePath: program.path, userDataDir, ...PATIENT, ...LAUNCH[BROWSER],
            networkEnabled: false,      // puppeteer would be told of every request: half of what a page costs
        };
    if (preferences && BROWSER === 'chromium') {
        mkdirSync(join(userDataDir, 'Default'));
        writeFileSync(join(userDataDir, 'Default/Preferences'), JSON.stringify(preferences));
    } else if (preferences) options.extraPrefsFirefox = {...options.extraPrefsFirefox, ...preferences};
    const browser = await puppeteer.launch(options);
    ending.push(async () => {
        await browser.close();
        rmSync(userDataDir, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
    });
    return browser;
}

after(async () => {
    for (const end of ending) await end();
    for (const server of servers ?? []) {
        server.closeAllConnections();
        server.close();
    }
});

/** A page that can do what page.js does. */
export async function openPage(url = lab.origin, browser = lab.browser) {
    const opened = patient(await browser.newPage());
    await goto(opened, url);
    return opened;
}

async function goto(page, url) {
    await page.goto(url);
    await page.waitForFunction(() => globalThis.page?.clear);
}

/** Loads the model in the page; asked then holds what that took from the network. */
export async function load(options, source = '/model.gguf', where = lab.page) {
    lab.asked = [];
    lab.mostOpen = 0;
    return where.evaluate((...args) => globalThis.page.load(...args), source, options);
}

/**
 * Everything that is in the database. What is undefined is left out, as one driver does by itself and
 * another does not.
 */
export const stored = async (where = lab.page) =>
    JSON.parse(JSON.stringify(await where.evaluate(() => globalThis.page.stored())));

/** The models as a program sees them. */
export const listed = (where = lab.page) => where.evaluate(() => globalThis.page.storedModels());

/**
 * Spoils a chunk.
 * @param {'lost' | 'both lost' | 'shorter' | 'flipped' | 'no digest' | 'bad digest' | 'not bytes'} how
 */
export const damage = (index, how, url = '/model.gguf') =>
    lab.page.evaluate((...args) => globalThis.page.damage(...args), url, index, how);

/** One test with a fresh page and an empty store, in which chunks have `chunk` bytes. */
export function check(name, body, {chunk = CHUNK} = {}) {
    test(BROWSER === 'chromium' ? name : `${BROWSER}: ${name}`, {timeout: 1_200_000}, async (context) => {
        if (!program.path) return context.skip(program.missing);
        lab.model = {bytes: FILE};
        lab.chunk = chunk;
        lab.asked = [];
        if (lab.page) await goto(lab.page, lab.origin);
        else lab.page = await openPage();
        await lab.page.evaluate(() => globalThis.page.clear());
        return body(context);
    });
}
