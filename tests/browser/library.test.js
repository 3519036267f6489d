// The library in pages of other people: imported from another origin, in Electron's pages, under a policy,
// where a file of it is missing. In Chromium and, where it is there, Firefox.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {test} from 'node:test';
import {TYPES, listSite, readSite} from '../../web/node/site.js';
import {openBrowser, reasonToSkip} from './harness/browsers.js';

const TINY = readFileSync(join(import.meta.dirname, '../golden/tiny-gemma3.gguf'));
const ISOLATED = {
    'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'cross-origin',
};
const BROWSERS = ['chromium', 'firefox'], files = listSite();

/**
 * The site's files and a model, for every origin; `change(path, use)` gives a status, other headers or
 * another text.
 * @param {(path: string, use: string) => any} change
 */
async function serve(change = () => undefined) {
    const server = createServer((request, response) => {
        const path = new URL(request.url, 'http://x').pathname.slice(1),
            {status = 200, headers = {}, text} = change(path, request.headers['sec-fetch-dest']) ?? {};
        const bytes = text ?? (path === 'tiny.gguf' ? TINY : path === ''
            ? '<!doctype html><meta charset="utf-8">' : files.has(path) && readSite(path, files));
        const type = path === '' ? TYPES['.html'] : TYPES[extname(path)] ?? 'application/octet-stream';
        if (!bytes) return response.writeHead(404).end();
        response.writeHead(status, {
            'Content-Type': type, 'Content-Length': Buffer.byteLength(bytes),
            'Access-Control-Allow-Origin': '*', ...ISOLATED, ...headers,
        }).end(bytes);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {url: `http://localhost:${server.address().port}/`, close: () => (server.closeAllConnections(),
        server.close())};
}

/** In the page: loads the model and answers, or says what was thrown. */
async function use(library, model, options, script) {
    if (script) window.eval(script);
    const {Gemma, GemmaError} = await import(`${library}gemma.js`);
    const source = model === 'blob:' ? URL.createObjectURL(await (await fetch('tiny.gguf')).blob()) : model;
    try {
        const gemma = await Gemma.load(source, options);
        const {tokens} = await (await gemma.session()).prompt('Hello',
            {raw: true, maxTokens: 8, sampling: {temperature: 0, logitBias: {1: -Infinity, 6: -Infinity}}})
            .result;
        gemma.close();
        return {tokens: tokens.length, threads: gemma.info.threads};
    } catch (error) {
        return {code: error.code, isOurs: error instanceof GemmaError, message: error.message};
    }
}

for (const name of BROWSERS) {
    test(`the library in other people's pages, ${name}`, {skip: reasonToSkip(name)}, async (context) => {
        const browser = await openBrowser(name), servers = [];
        context.after(async () => {
            await browser.close();
            for (const server of servers) server.close();
        });
        /**
         * @param {{page?: Function, library?: Function, model?: string, options?: object, script?: string}}
         *     about   of a page, and of a library elsewhere
         */
        const inPage = async ({page: change, library, model = 'tiny.gguf', options = {}, script = ''}) => {
            servers.push(await serve(change));
            const home = servers.at(-1).url;
            if (library) servers.push(await serve(library));
            const page = await browser.tab();
            await page.goto(home);
            const result = await page.evaluate(use, servers.at(-1).url, model, options, script);
            await page.close();
            return result;
        };

        await context.test('from its own origin, with threads', async () => {
            assert.deepEqual(await inPage({options: {threads: 2}}), {tokens: 8, threads: 2});
        });
        await context.test('from another origin, with threads', async () => {
            assert.deepEqual(await inPage({library: () => undefined, options: {threads: 2}}),
                {tokens: 8, threads: 2});
        });
        await context.test('from a blob: address', async () => {
            assert.deepEqual(await inPage({model: 'blob:', options: {threads: 1}}), {tokens: 8, threads: 1});
        });
        for (const versions of ["{node: '20.11.0', electron: '30.0.0'}, type: 'renderer'",
            "{node: '20.11.0'}"]) {
            await context.test(`where process is {versions: ${versions}}`, async () => {
                assert.equal(
                    (await inPage({
                        script: `window.process = {versions: ${versions}}`, options: {threads: 1},
                    })).tokens, 8);
            });
        }
        await context.test('threads that can\'t start are done without', async () => {
            /* The script of the threads. */
            const change = (path, use) => path === 'engine/thread.js' && use === 'worker'
                ? {status: 404, text: 'gone', headers: {'Cache-Control': 'no-store'}}
                : {headers: {'Cache-Control': 'no-store'}};
            assert.deepEqual(await inPage({page: change, options: {threads: 2}}), {tokens: 8, threads: 1});
        });
        await context.test('a worker that can\'t start, or dies at its start, is an error of the library',
            async () => {
            const changes = {
                'its script is missing': (path) => path === 'engine/worker.js' && {status: 404, text: 'gone'},
                'a file that it imports is missing': (path) => path === 'engine/generate.js'
                    && {status: 404, text: 'gone'},
                'it throws at once': (path) => path === 'engine/generate.js'
                    && {text: 'throw new Error("at start")'},
                'it is of another kind': (path) => path === 'engine/worker.js'
                    && {headers: {'Content-Type': 'text/html'}},
            };
            for (const [what, change] of Object.entries(changes)) {
                const {code, isOurs} = await inPage({page: change, options: {threads: 1}});
                assert.deepEqual({code, isOurs},
                    {
                        code: what === 'it throws at once' && code === 'internal' ? 'internal' : 'library',
                        isOurs: true,
                    }, what);
            }
            for (const policy of ["worker-src 'none'", "worker-src 'self'"]) {
                const {isOurs, tokens} = await inPage({
                    page: (path) => path === '' && {headers: {'Content-Security-Policy': policy}},
                    library: () => undefined, options: {threads: 1},
                });
                assert.ok(isOurs, `${policy}: ${tokens}`);
            }
        });
        await context.test('a part that does not come is an error, and the next call tries again', async () => {
                const parts = [
                    'weights/stored.js', 'engine/saved_session.js', 'engine/embed.js',
                    'constraint/constraint.js',
                ], gone = new Set(parts);
            // As a page that came before its server's files were replaced: by nothing, or by a page for
            // every address.
            const change = (path) => gone.has(path) ? {status: path === parts[0] ? 200 : 404,
                text: '<!doctype html>', headers: {'Content-Type': 'text/html'}} : undefined;
            servers.push(await serve(change));
            const page = await browser.tab();
            await page.goto(servers.at(-1).url);
            const askEach = () => page.evaluate(async () => {
                const {Gemma} = await import('./gemma.js'),
                    gemma = window.gemma ??= await Gemma.load('tiny.gguf', {threads: 1}),
                    session = await gemma.session();
                const calls = [
                    () => Gemma.models.list(), () => session.save(), () => gemma.embed(['a']),
                    () => gemma.constraint({regex: 'a'}),
                ];
                return Promise.all(calls.map((call) => call().then(() => 'there',
                    (error) => `${error.constructor.name} ${error.code}`)));
            });
            assert.deepEqual(await askEach(), parts.map(() => 'GemmaError library'));
            gone.clear();
            assert.deepEqual(await askEach(), parts.map(() => 'there'));
            await page.close();
        });
        await context.test('a policy that refuses all requests is told as such', async () => {
            const change = (path) => path === 'engine/worker.js'
                && {headers: {'Content-Security-Policy': "connect-src 'none'"}};
            for (const model of ['tiny.gguf', 'blob:']) {
                const {code, isOurs, message} = await inPage({page: change, model, options: {threads: 1}});
                assert.deepEqual({code, isOurs}, {code: 'network', isOurs: true}, message);
                assert.match(message, /policy/, model);
            }
        });
        await context.test('a page can\'t read file: addresses, and is told so', async () => {
            const {code, isOurs} = await inPage({model: 'file:///etc/hostname'});
            assert.deepEqual({code, isOurs}, {code: 'unsupported', isOurs: true});
        });
    });
}

for (const name of BROWSERS) {
    test(`without WebAssembly nothing of a model is asked for, ${name}`, {skip: reasonToSkip(name)},
        async (context) => {
        const page = await openBrowser(name, {wasm: false}), asked = [];
        const server = await serve((path) => void asked.push(path));
        context.after(async () => {
            await page.close();
            server.close();
        });
        await page.goto(server.url);
        assert.equal(await page.evaluate(() => typeof WebAssembly), 'undefined');
        for (const model of ['tiny.gguf', 'tiny.gguf.json']) {
            const {code, isOurs} = await page.evaluate(use, server.url, model, {}, '');
            assert.deepEqual({code, isOurs}, {code: 'unsupported', isOurs: true}, model);
        }
        const probed = await page.evaluate(() => import('/gemma.js')
            .then(({Gemma}) => Gemma.probe('tiny.gguf')).catch(({code}) => code));
        assert.equal(probed, 'unsupported');
        assert.deepEqual(asked.filter((path) => path.includes('.gguf')), []);
    });
}
