// What the app says that it has asked of the network, against what the servers and the proxy have seen: from
// the first visit on, with its workers and its service worker.

import assert from 'node:assert/strict';
import {statSync} from 'node:fs';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {loadUrl, opened, screen, shownError, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {sendFile, startServer, startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
/**
 * What the browser asks for by itself, and no page hears of: icons, the manifest, and whether there is a new
 * service worker. And, in Firefox, what a worker that is ended still wants of the addresses that only the
 * service worker knows.
 */
const BROWSERS = /^(\.\.\/|\/(sw\.js|manifest\.webmanifest|app\/icons\/|v-))/;

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testRequests(name) {
    describe('requests', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site, host, begun;      // begun: requests before the visit that is looked at

        /** What the view shows: a server's name, its tag, its figures and its requests. */
        const shown = async () => {
            await page.evaluate(() => {
                document.getElementById('requests')?.close();
                document.getElementById('open-requests').click();
            });
            return read();
        };
        const read = () => page.until(() => document.querySelector('#requests .asked-lead') && {
            lead: document.querySelector('.asked-lead').textContent,
            servers: [...document.querySelectorAll('#requests section:has(details)')].map((section) => ({
                host: section.querySelector('h3 bdi').textContent,
                tag: section.querySelector('.tag').textContent,
                requests: [...section.querySelectorAll('li')].map(
                    (li) => ({
                        path: li.querySelector('bdi').textContent, facts: li.querySelector('span').textContent,
                    })),
            })),
            refused: [...document.querySelectorAll('#requests section:not(:has(details)) bdi')].map(
                ({textContent}) => textContent),
        });
        /** As the site's server says them. */
        const pathsOf = (requests) => requests.map(({path}) => path.replace(new URL(site.url).pathname, '/'));
        /**
         * Leaves the page, and waits until its workers ask for nothing any more.
         * @returns {Promise<number>} requests so far
         */
        const leave = async () => {
            await page.goto(`${site.url}none`);
            for (;;) {
                const {length} = site.requests;
                await sleep(500);
                if (site.requests.length === length) return length;
            }
        };
        const sorted = (paths) => [...new Set(paths)].filter((path) => !BROWSERS.test(path)).sort();
        const overNetwork = ({requests}) => requests.filter(({facts}) => !facts.includes('from this device'));

        before(async () => {
            site = await lend(startSite());
            host = await lend(startServer(
                (request, response) => sendFile(request, response, CHAT, {
                    'Access-Control-Allow-Origin': '*', 'Accept-Ranges': 'bytes',
                    'Access-Control-Expose-Headers': '*',
                })));
            page = await lend(openBrowser(name));
            await visit(page, site.url);        // after the reload that isolates it
            begun = await leave();
            await page.goto(site.url);
            await page.until(() => document.querySelector('.card') !== null);
        });

        test('the list has every request that the servers have seen, and no other', async () => {
            await loadUrl(page, `${host.url}tiny-gemma3.gguf?key=SECRET`);
            await opened(page);
            const {lead, servers, refused} = await shown(), [own, other, ...more] = servers;
            const {host: ownHost} = new URL(site.url), {host: otherHost} = new URL(host.url);
            assert.match(lead, new RegExp(
                `this app has asked 2 servers: ${ownHost} \\(this site\\), ${otherHost}\\.$`));
            assert.deepEqual([own.host, own.tag, other.host, other.tag, more, refused],
                [ownHost, 'This site', otherHost, 'Another site', [], []]);
            const seen = site.requests.slice(begun).map(({path}) => path.split('?')[0]),
                listed = pathsOf(own.requests);
            assert.deepEqual(sorted(seen).filter((path) => !listed.includes(path)), [],
                'what the server saw is in the list');
            assert.deepEqual(sorted(pathsOf(overNetwork(own)))
                .filter((path) => !site.requests.some((request) => request.path.split('?')[0] === path)), [],
                'what the list says came over the network the server saw');
            assert.deepEqual(other.requests.map(({path}) => path),
                host.requests.map(() => '/tiny-gemma3.gguf?…'));
            const bytes = statSync(CHAT).size;
            assert.ok(other.requests.some(({facts}) => facts.includes(`${(bytes / 1e6).toFixed(1)} MB`)),
                JSON.stringify(other.requests));
        });

        test('an unreachable host is listed; what the page\'s policy refuses is not', async () => {
            await page.evaluate(() => {
                document.getElementById('requests').close();
                document.getElementById('change-model').click();
            });
            await screen(page, 'welcome');
            await loadUrl(page, 'http://localhost:1/none.gguf');
            await shownError(page);
            await page.click('#error-close');
            await loadUrl(page, 'http://example.org/none.gguf');
            await shownError(page);
            const {lead, servers, refused} = await shown();
            assert.match(lead, /asked 3 servers: .*, localhost:1\.$/);
            assert.match(servers.at(-1).requests[0].facts, /no answer/);
            assert.deepEqual(refused.map((url) => new URL(url).host), ['example.org']);
            assert.deepEqual(page.strangers ?? [], []);
            await page.problems();      // the browser's own lines about both
        });

        test('a later visit asks for little; another tab\'s requests are listed', async () => {
            const seenBefore = await leave();
            await page.goto(site.url);
            await page.until(() => document.querySelector('.card') !== null);
            const other = await page.tab();
            await other.goto(site.url);
            await loadUrl(other, `${host.url}other.gguf`);
            await opened(other);
            await shown();
            await page.until((path) => document.getElementById('requests').textContent.includes(path),
                '/other.gguf');
            const {servers: [own, ...others]} = await read(),
                seen = site.requests.slice(seenBefore).map(({path}) => path);
            assert.deepEqual(sorted(pathsOf(overNetwork(own))), sorted(seen));
            if (await page.evaluate(() => Boolean(navigator.serviceWorker.controller)))
                assert.ok(own.requests.length > overNetwork(own).length);
            assert.deepEqual(
                others.map((server) => [server.host, ...new Set(server.requests.map(({path}) => path))]),
                [[new URL(host.url).host, '/other.gguf']]);
            await other.close();
        });
    });
}
