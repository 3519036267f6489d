// New versions of the page, and other apps at its address: no tab ever runs files of two versions, and the
// service worker keeps to its own.

import assert from 'node:assert/strict';
import {cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {listSite} from '../../../web/node/site.js';
import {figures, openFile, opened, say, set, shownError} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {builtSite, startDevelopment, startStaticHost} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const BRIEF = {temperature: 0, maxTokens: 12};

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testVersions(name) {
    describe('versions', () => {
        const lend = lender();
        const work = mkdtempSync(join(tmpdir(), 'gemma-versions-'));
        after(() => rmSync(work, {recursive: true}));
        /** @type {import('../harness/page.js').Page} */
        let page;

        before(async () => {
            page = await lend(openBrowser(name));
        });

        /**
         * The site with another title, and with other words between page and worker: the two of one version
         * alone understand each other.
         */
        const sourcesOf = (title) => {
            const changed = listSite();
            const change = (url, from, to) => {
                const path = join(work, `${title} ${url.replaceAll('/', ' ')}`);
                writeFileSync(path, readFileSync(changed.get(url), 'utf8').replaceAll(from, to));
                changed.set(url, path);
            };
            change('', /(<title[^>]*>)Gemma on your device/g, `$1${title}`);
            change('base/protocol.js', /\bargs\b/g, `args${title}`);
            return changed;
        };
        /** Puts it there, as a deploy does. */
        const deploy = async (folder, title) => cpSync(await builtSite(title && sourcesOf(title), title),
            folder, {recursive: true});
        const isReady = async () => (await navigator.serviceWorker.ready).active?.state === 'activated'
            && navigator.serviceWorker.controller !== null;
        const visit = async (tab, url, title) => {
            await tab.goto(url);
            await tab.until(isReady);
            await tab.until((title) => document.title === title && crossOriginIsolated
                && document.getElementById('file').onchange !== null, title);
        };
        const works = async (tab) => {
            await set(tab, BRIEF);
            if (await tab.evaluate(() => document.body.dataset.screen !== 'welcome'))
                await tab.click('#change-model');
            await openFile(tab, CHAT);
            assert.ok((await say(tab, 'Hello')).text);
        };
        const titleOf = (tab) => tab.evaluate(() => document.title);
        const versionsKept = (tab) => tab.evaluate(async () => (await caches.keys()).length);

        test('an update reaches all tabs, each when it wants, and none runs two versions', async () => {
            const host = await lend(startStaticHost());
            await deploy(host.folder, 'One');
            const tabs = [page, await lend(page.tab()), await lend(page.tab())];
            for (const tab of tabs) await visit(tab, host.url, 'One');
            await works(tabs[1]);
            await deploy(host.folder, 'Two');
            const fourth = await lend(page.tab());
            await visit(fourth, host.url, 'One');
            for (const tab of [...tabs, fourth])
                await tab.until(() => !document.getElementById('update').hidden);
            await tabs[0].click('#update-now');
            await tabs[0].until(() => document.title === 'Two');
            // Those that stay go on whole, in a worker that is running, in a new one, and with what
            // comes only now.
            await works(tabs[1]);
            await works(tabs[2]);
            await works(tabs[0]);
            assert.deepEqual([await titleOf(tabs[1]), await titleOf(tabs[2])], ['One', 'One']);
            assert.equal(await versionsKept(tabs[0]), 2);
            // A third version while two are at work.
            await fourth.click('#update-now');
            await fourth.until(() => document.title === 'Two');
            await deploy(host.folder, 'Three');
            await fourth.reload();
            await fourth.until(() => !document.getElementById('update').hidden);
            await tabs[1].click('#update-now');
            await tabs[1].until(() => document.title === 'Three');
            for (const tab of [tabs[2], fourth, tabs[1]]) await works(tab);
            assert.deepEqual([await titleOf(tabs[2]), await titleOf(fourth)], ['One', 'Two']);
            for (const tab of [tabs[2], fourth, tabs[0]]) {
                await tab.click('#update-now');
                await tab.until(() => document.title === 'Three');
                assert.equal(await tab.text('#update'), '');
                await works(tab);
            }
            await tabs[0].until(async () => (await caches.keys()).length === 1);
        });

        test('a deploy during an install leaves nothing; the next visit gets the new version', async () => {
            const old = mkdtempSync(join(work, 'old-'));
            let mixing = false;
            const host = await lend(startStaticHost({
                // The list of one version, most files of another: those whose names stay the same, and others
                // that are gone.
                meddle(request, response) {
                    if (!mixing || !request.url.endsWith('/sw.js')
                        && !request.url.endsWith('/manifest.webmanifest')) return false;
                    response.writeHead(200, {'Content-Type': 'text/javascript'})
                        .end(readFileSync(join(old, request.url)));
                    return true;
                },
            }));
            await deploy(old, 'Half');
            await deploy(host.folder, 'Whole');
            const tab = await lend(page.tab());
            mixing = true;
            await tab.goto(host.url);
            await tab.until(() => document.title === 'Whole' && document.getElementById('file')
                .onchange !== null);
            // The page itself begins to install it, and fails: this picture the worker alone asks for.
            while (!host.requests.some(({path}) => path === '/app/icons/icon-512.png')) await sleep(20);
            await tab.until(async () => (await navigator.serviceWorker.getRegistrations()).length === 0);
            assert.equal(await versionsKept(tab), 0);
            mixing = false;
            await visit(tab, host.url, 'Whole');
            // The same when there is a version already: it stays.
            await deploy(host.folder, 'Next');
            mixing = true;
            await tab.reload();
            await tab.evaluate(() => navigator.serviceWorker.ready.then((registration) =>
                registration.update()).catch(() => {}));
            await tab.until(async () => !(await navigator.serviceWorker.ready).installing);
            assert.equal(await versionsKept(tab), 1);
            assert.deepEqual([await titleOf(tab), await tab.text('#update')], ['Whole', '']);
            await works(tab);
            await tab.problems();
        });

        test('a page that came before there was a worker starts its engine from what the worker keeps',
            async () => {
            const site = await startDevelopment(), tab = await lend(page.tab());
            try {
                await tab.goto(site.url);
                await tab.until(isReady);
                assert.equal(await tab.evaluate(() => document.querySelector('script[type=module]')
                    .src.includes('/v-')), false);
            } finally {
                await site.close();
            }
            await works(tab);
            // Also while the engine's threads sleep: who waits for one of them to answer waits for ever.
            await tab.until(async () => (await fetch('engine/probe.js')).ok);
        });

        test('below a path, the built site answers with threads, also with the network off', async () => {
            const host = await lend(startStaticHost()), tab = await lend(page.tab()),
                address = `${host.url}deep/er/`;
            await deploy(join(host.folder, 'deep/er'));
            rmSync(join(host.folder, 'sw.js'));
            await visit(tab, address, 'Gemma on your device');
            await works(tab);
            assert.deepEqual(host.requests.filter(({path}) => !path.startsWith('/deep/er/')
                && path !== '/favicon.ico'), []);
            await host.close();
            await tab.reload();
            await tab.until(() => document.getElementById('file').onchange !== null && crossOriginIsolated);
            await works(tab);
            if (name !== 'webkit') assert.equal((await figures(tab)).Threads,
                String(await tab.evaluate(() => Math.min(navigator.hardwareConcurrency, 8))));
            await tab.problems();
        });

        test('no file that was changed on the host is installed', async () => {
            const host = await lend(startStaticHost()), tab = await lend(page.tab());
            const names = readdirSync(host.folder, {recursive: true}).map(String);
            const some = [
                /^lib\/gemma\.js$/, /^lib\/chunk-\w+\.js$/, /^lib\/worker-\w+\.js$/,
                name === 'webkit' ? /gemma-simd128\.wasm$/ : /relaxed16\.wasm$/, /^app\/styles.*\.css$/,
                /icon\.svg$/,
            ].map((pattern) => names.find((one) => pattern.test(one)));
            const install = () => navigator.serviceWorker.register('sw.js').then(async (registration) => {
                const worker = registration.installing ?? registration.waiting ?? registration.active;
                await new Promise((ended) => {
                    const look = () => ['activated', 'redundant'].includes(worker.state) && ended();
                    worker.onstatechange = look;
                    look();
                });
                return worker.state;
            }, () => 'redundant');
            // Firefox saves what is no page
            writeFileSync(join(host.folder, 'empty.html'), '<!doctype html><title>Nothing</title>');
            await tab.goto(`${host.url}empty.html`);
            for (const file of some) {
                const place = join(host.folder, file), whole = readFileSync(place);
                writeFileSync(place, Buffer.concat([whole, Buffer.from('\n')]));
                assert.equal(await tab.evaluate(install), 'redundant', file);
                assert.equal(await versionsKept(tab), 0, file);
                writeFileSync(place, whole);
            }
            assert.equal(await tab.evaluate(install), 'activated');
        });

        test('the page opens without the network by each of its names', async () => {
            const host = await lend(startStaticHost());
            const tab = await lend(page.tab());
            await visit(tab, host.url, 'Gemma on your device');
            await host.close();
            for (const path of ['', 'index.html', '?a=b', 'index.html?a=b#c']) {
                await tab.goto(host.url + path);
                await tab.until(() => document.getElementById('file').onchange !== null
                    && crossOriginIsolated);
            }
            await works(tab);
        });

        test('a part that does not come is asked for again; a new version is offered', async () => {
            let gone;
            const host = await lend(startStaticHost({
                without: 'sw.js',
                meddle({url}, response) {
                    if (!gone?.test(url)) return false;
                    response.writeHead(404).end();
                    return true;
                },
            }));
            const tab = await lend(page.tab()),
                press = (id) => tab.evaluate((id) => document.getElementById(id).click(), id);
            await tab.goto(host.url);
            await tab.until(() => document.getElementById('open-data').onclick !== null
                && document.querySelector('.card') !== null);
            await tab.fill('#message', 'Half a sentence');
            gone = /\/app\/(tools|desk)-/;
            await press('open-data');
            assert.equal((await shownError(tab)).title, 'A part of this page could not be loaded');
            gone = undefined;
            await press('error-close');
            await press('open-data');
            await tab.until(() => document.getElementById('data') !== null);
            assert.equal(await tab.text('#update'), '');
            await tab.evaluate(() => document.querySelector('#data header button').click());
            await deploy(host.folder, 'Later');
            gone = /\/app\/desk-|\/sw\.js/;
            await press('new-document');
            await shownError(tab);
            await tab.until(() => !document.getElementById('update').hidden);
            gone = /\/sw\.js/;
            await tab.click('#update-now');
            await tab.until(() => document.title === 'Later' && document.getElementById('message')
                .value === 'Half a sentence');
            await tab.problems();
        });

        const COPIES = [['', 'Gemma on your device'], ['a/', 'a'], ['a/b/', 'ab'], ['c/', 'c']];
        test('copies in folders of one host, one within the other, leave each other alone', async () => {
            const host = await lend(startStaticHost());
            for (const at of ['a', 'a/b', 'c']) await deploy(join(host.folder, at), at.replace('/', ''));
            const tab = await lend(page.tab());
            // Once, all copies shared what they kept: the first that is opened takes it.
            writeFileSync(join(host.folder, 'empty.html'), '<!doctype html><title>Nothing</title>');
            await tab.goto(`${host.url}empty.html`);
            await tab.evaluate(() => {
                localStorage.setItem('gemma-theme', 'dark');
                localStorage.setItem('gemma-settings', '{"topK": 7}');
            });
            // Each page reloads itself once, to be isolated. A driver's navigation that comes before that
            // is lost.
            for (const [at, title] of COPIES) {
                await visit(tab, host.url + at, title);
                assert.equal(await tab.evaluate(() => document.documentElement.dataset.theme),
                    at ? 'system' : 'dark');
            }
            await tab.until(async () => (await caches.keys()).length === 4);
            // Conversations and settings of one are in no other, and "Delete everything" deletes its own.
            const state = async (at) => {
                await tab.goto(host.url + at);
                await tab.until(() => document.getElementById('open-data').onclick !== null
                    && document.querySelector('.card') !== null);
                return tab.evaluate(() => [
                    document.querySelectorAll('#list a').length,
                    JSON.parse(localStorage.getItem(`gemma-settings ${location.pathname}`)),
                ]);
            };
            assert.deepEqual(await state('a/'), [0, {}]);
            await works(tab);
            assert.deepEqual(await state('c/'), [0, {}]);
            await set(tab, {maxTokens: 7});
            const press = (label) => tab.until((label) => {
                const found = [...document.querySelectorAll('#data button')].find(({textContent}) =>
                    textContent === label);
                found?.click();
                return found !== undefined;
            }, label);
            await tab.evaluate(() => {
                window.confirm = () => true;
                document.getElementById('open-data').click();
            });
            await press('Delete everything…');
            await press('Delete for good');
            await tab.until(() => !document.getElementById('data') && document.getElementById('open-data')
                .onclick !== null);
            assert.deepEqual([await state('a/'), await state('c/'), await state('')],
                [[1, BRIEF], [0, {}], [0, {topK: 7}]]);
            await host.close();
            for (const [at, title] of COPIES) {
                await tab.goto(host.url + at);
                await tab.until((title) => document.title === title && document.getElementById('file')
                    .onchange !== null, title);
            }
        });

        for (const [what, worker] of Object.entries({'no service worker': undefined,
            'another one': 'self.onfetch = () => {};', 'a page for every address': '<!doctype html>'})) {
            test(`where another app answers now, which has ${what}, the page makes way`, async () => {
                let other = false;
                const host = await lend(startStaticHost({
                    meddle(request, response) {
                        if (!other) return false;
                        const {pathname} = new URL(request.url, 'http://localhost');
                        const isWorker = pathname === '/sw.js';
                        response.writeHead(isWorker && worker === undefined ? 404 : 200, {
                            'Content-Type': isWorker && worker?.startsWith('self')
                                ? 'text/javascript' : 'text/html',
                        });
                        response.end(isWorker ? worker
                            : `<!doctype html><title>the other app</title>${pathname}`);
                        return true;
                    },
                }));
                const tab = await lend(page.tab());
                await visit(tab, host.url, 'Gemma on your device');
                other = true;
                // A page that only this host has is none of ours, and neither is a file that we have, too.
                await tab.goto(`${host.url}other.html`);
                assert.deepEqual(await tab.evaluate(async () => [document.title,
                    await (await fetch('manifest.webmanifest')).text()]),
                    ['the other app', '<!doctype html><title>the other app</title>/manifest.webmanifest']);
                assert.equal(await tab.evaluate(async () => (await fetch(''))
                    .headers.has('Content-Security-Policy')), false);
                await tab.goto(host.url);
                await tab.until(() => document.title === 'the other app');
                // Where a worker of the other app takes over by itself, or the browser drops ours, ours has
                // no say any more.
                if (worker === undefined)
                    await tab.until(async () => !await navigator.serviceWorker.getRegistration()
                        && !(await caches.keys()).length);
            });
        }

        test('an edited list of models shows at the next visit; local models do not wait', async () => {
            let stalled = false;
            const host = await lend(startStaticHost({meddle: () => stalled}));
            const tab = await lend(page.tab());
            const list = join(host.folder, 'models.json'),
                first = () => document.querySelector('[data-offer=default] h2')?.textContent;
            await visit(tab, host.url, 'Gemma on your device');
            const offered = await tab.until(first);
            await tab.click('#keep');
            await openFile(tab, CHAT);
            const {models, ...rest} = JSON.parse(readFileSync(list));
            writeFileSync(list, JSON.stringify({models: [{...models[0], name: 'An edited one'}], ...rest}));
            await tab.goto(host.url);
            await tab.until((name) => document.querySelector('[data-offer=default] h2')?.textContent === name,
                'An edited one');
            assert.notEqual(offered, 'An edited one');
            stalled = true;
            await tab.reload();
            await tab.until((name) => document.querySelector('[data-offer=default] h2')?.textContent === name,
                'An edited one');
            await set(tab, BRIEF);
            await tab.click('#stored-list [aria-label^="Start"]');
            await opened(tab);
            assert.ok((await say(tab, 'Hello')).text);
        });
    });
}
