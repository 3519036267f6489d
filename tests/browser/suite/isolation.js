// Hosts that only serve files: the service worker makes the page cross-origin isolated, without it the page
// runs one thread; new versions of the page. And what the page's policy forbids.

import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, dirname, join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {listSite} from '../../../web/node/site.js';
import {figures, loadUrl, openFile, opened, say, set, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {builtSite, sendFile, startSite, startStaticHost} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const BRIEF = {temperature: 0, maxTokens: 12};

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testIsolation(name) {
    describe('isolation and policy', () => {
        const lend = lender(), work = mkdtempSync(join(tmpdir(), 'gemma-isolation-'));
        after(() => rmSync(work, {recursive: true}));
        /** @type {import('../harness/page.js').Page} */
        let page;
        let answer;

        before(async () => {
            page = await lend(openBrowser(name));
        });

        test('on a host without headers the service worker isolates the page, after one reload', async () => {
            const host = await lend(startStaticHost());
            await page.goto(host.url);
            // The one entry is the page's note that it has reloaded.
            await page.until(() => crossOriginIsolated && document.readyState === 'complete'
                && sessionStorage.length === 1);
            await set(page, BRIEF);
            await openFile(page, CHAT);
            answer = await say(page, 'Hello');
            assert.ok(answer.text);
            const threads = name === 'webkit' ? 1
                : await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8));
            assert.equal((await figures(page)).Threads, String(threads));
            await page.reload();
            assert.equal(await page.evaluate(() => crossOriginIsolated), true);
            assert.deepEqual(await page.problems(), []);
        });

        test('the service worker keeps this browser\'s modules, and others when they are used', async () => {
            const kept = (pattern) => page.evaluate(async (source) => {
                const [name] = await caches.keys(), requests = await (await caches.open(name)).keys();
                return requests.map(({url}) => url).filter((url) => new RegExp(source).test(url));
            }, pattern);
            // the first screen may have asked for one of gemma64 to measure
            const nameOf = (url) => url.split('/').at(-1), modules = await kept('/gemma-[^/]*wasm$');
            const relaxed = modules.length > 1,
                mayChoose = relaxed ? ['gemma-relaxed.wasm', 'gemma-relaxed16.wasm'] : ['gemma-simd128.wasm'];
            assert.deepEqual(modules.map(nameOf).sort(), mayChoose);
            const [english] = await kept('/en\\.json$'),
                others = [
                    modules[0].replace(/gemma-\w+/, 'gemma64-simd128'), english.replace('/en.', '/hi.'),
                ];
            for (const url of others) {
                assert.deepEqual(await kept(`/${nameOf(url)}$`), []);
                // By the address that this page's version has.
                const status = await page.evaluate(async (path) => (await fetch(new URL(`..${path}`,
                    document.querySelector('script[type=module]').src))).status, new URL(url).pathname);
                assert.equal(status, 200);
                assert.deepEqual(await kept(`/${nameOf(url)}$`), [url]);
            }
        });

        test('a version that somebody has made by hand on the host is offered, and comes when it is wanted',
            async () => {
            const host = await lend(startStaticHost());
            const change = (file, from, to) => {
                const path = join(host.folder, file);
                writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
            };
            await page.goto(host.url);
            await page.until(() => crossOriginIsolated && document.readyState === 'complete'
                && document.getElementById('update').hidden);
            change('index.html', /(<title[^>]*>)Gemma on your device/, '$1The next version');
            change('sw.js', /VERSION = '\w+'/, "VERSION = 'next'");
            await page.reload();
            await page.until(() => !document.getElementById('update').hidden);
            assert.equal(await page.evaluate(() => document.title), 'Gemma on your device');
            await page.click('#update-now');
            await page.until(() => document.title === 'The next version');
            assert.deepEqual(await page.until(async () => {
                const names = await caches.keys();
                return names.length === 1 && names;
            }), ['gemma-wasm next /']);
            assert.equal(await page.text('#update'), '');
        });

        test('the reload that isolates the page does not lose what is written before it', async () => {
            let come = () => {};
            const coming = new Promise((done) => { come = done; }), folder = await builtSite();
            const site = await lend(startSite({meddle(request, response) {
                if (request.url !== '/sw.js') return false;
                coming.then(() => sendFile(request, response, join(folder, 'sw.js')));
                return true;
            }}));
            await page.goto(site.url);
            await page.until(() => document.getElementById('pick-file').onclick !== null);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await page.type('#message', 'Who keeps the light?');
            come();
            await page.until(() => navigator.serviceWorker.controller !== null);
            await sleep(500);
            assert.deepEqual(
                await page.evaluate(() => [document.getElementById('message').value, crossOriginIsolated]),
                ['Who keeps the light?', false]);
            await page.fill('#message', '');
            await page.reload();
            await page.until(() => crossOriginIsolated);
        });

        test('without a service worker the page runs one thread, says so, and answers the same', async () => {
            const host = await lend(startStaticHost({without: 'sw.js'}));
            await page.goto(host.url);
            assert.equal(await page.evaluate(() => crossOriginIsolated), false);
            await set(page, BRIEF);
            await openFile(page, CHAT);
            assert.equal((await say(page, 'Hello')).text, answer.text);
            assert.equal((await figures(page)).Threads, '1 page not isolated');
            await page.problems();      // that sw.js was not found
        });

        // So it is in Firefox now and then: in a worker, `new Worker` never returns. (In WebKit an engine has
        // one thread.)
        if (name !== 'webkit') test(
            'an engine whose threads never start is ended, and starts again with one thread', async () => {
            const sources = listSite(), changes = {
                'engine/worker.js': (text) =>
                    `${text}\nglobalThis.Worker = class { constructor() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); } };`,
                'base/starts.js': (text) => text.replace(/SILENT_BEATS = \d+/, 'SILENT_BEATS = 2'),
            };
            for (const [url, change] of Object.entries(changes)) {
                const path = join(work, basename(url));
                writeFileSync(path, change(readFileSync(sources.get(url), 'utf8')));
                sources.set(url, path);
            }
            const site = await lend(startSite({
                models: dirname(CHAT), folder: await builtSite(sources, 'no threads'),
            }));
            await visit(page, site.url);
            await set(page, {...BRIEF, threads: 3});
            await loadUrl(page, `${site.url}models/${basename(CHAT)}`);
            assert.equal(await opened(page), 'chat');
            assert.equal((await figures(page)).Threads, '1 others did not start');
            assert.ok(await page.text('#notice-text'));
            assert.equal((await say(page, 'Hello')).text, answer.text);
            // Nobody downloads or reads any more, and one uses it: the ended worker's locks are gone. Those
            // of the page and of its tabs stay.
            await page.until(async () => (await navigator.locks.query())
                .held.map(({name}) => name.split(' ')[0])
                .filter((name) => !['gemma-wasm', 'gemma-engine', 'gemma-app'].includes(name))
                    .join() === 'gemma-use');
            await page.click('#change-model');
            await set(page, {threads: ''});
            assert.deepEqual(await page.problems(), []);
        });

        for (const type of ['application/octet-stream', 'application/wasm; charset=utf-8', undefined]) {
            test(`engine modules of the type ${type} are compiled all the same`, async () => {
                const folder = await builtSite();
                const site = await lend(startSite({
                    meddle: ({url}, response) => url.endsWith('.wasm')
                        && response.writeHead(200, type && {'Content-Type': type}).end(readFileSync(join(
                            folder, url))),
                }));
                await visit(page, site.url);
                await set(page, BRIEF);
                await openFile(page, CHAT);
                assert.equal((await say(page, 'Hello')).text, answer.text);
            });
        }

        test('injected scripts, handlers and eval do not run, and other hosts cannot be reached',
            async () => {
            const site = await lend(startSite());
            await visit(page, site.url);
            const {ran, refused} = await page.evaluate(async (elsewhere) => {
                const ran = [], refused = [];
                document.addEventListener('securitypolicyviolation',
                    ({effectiveDirective}) => refused.push(effectiveDirective));
                window.ran = (what) => ran.push(what);
                // Where trusted types are known, the text of a script and the address of one throw; markup
                // that was written before them is tried without.
                const untrusted = (properties) => {
                    const script = document.createElement('script');
                    try {
                        Object.assign(script, properties);
                    } catch {
                        refused.push('require-trusted-types-for');
                        for (const [name, value] of Object.entries(properties)) {
                            if (name === 'textContent') script.append(value);
                        }
                    }
                    document.body.append(script);
                };
                untrusted({textContent: 'ran("inline script")'});
                const image = document.createElement('img');
                try {
                    image.setAttribute('onerror', 'ran("handler")');
                } catch {
                    refused.push('require-trusted-types-for');
                }
                image.src = 'none.png';
                document.body.append(image);
                untrusted({src: `${elsewhere}/x.js`});
                // In a separate task, and by the window's own functions: what an automation tool evaluates
                // may be privileged.
                await new Promise((done) => setTimeout(() => {
                    for (const run of [() => window.eval('ran("eval")'),
                        () => new window.Function('ran("Function")')(),
                        () => window.setTimeout('ran("timer")')]) {
                        try { run(); } catch { /* as it must be */ }
                    }
                    done();
                }));
                await fetch(`${elsewhere}/x`).then(() => ran.push('fetch'), () => {});
                await new Promise((done) => setTimeout(done, 100));
                image.remove();
                return {ran, refused};
            }, new URL(site.url.replace('localhost', '127.0.0.1')).origin);
            assert.deepEqual(ran, []);
            // WebKit may name a handler's violation by the directive above; where trusted types are known, a
            // script's text and address and eval fail by those before.
            const isNamed = (directive) => refused.includes(directive) || (directive === 'script-src-attr'
                && refused.includes('script-src'))
                || (directive.startsWith('script-src') && refused.includes('require-trusted-types-for'));
            for (const directive of ['script-src-elem', 'script-src-attr', 'script-src', 'connect-src'])
                assert.ok(isNamed(directive), `${directive} among ${refused}`);
        });
    });
}
