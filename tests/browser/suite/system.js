// What the system hands to an installed app, and what a report of an error has in it.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {loadUrl, openFile, opened, say, screen, shownError, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {sendFile, startServer, startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testSystem(name) {
    describe('the system', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;

        before(async () => {
            site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
        });

        test('a shared text waits in the field of a new chat, once', async () => {
            await page.goto(`${site.url}?${new URLSearchParams({title: 'The <b>sea</b>', text: 'Why is it salty?', url: 'https://a.example/b?c'})}`);
            await screen(page, 'chat');
            await page.until(() => document.getElementById('message').value !== '');
            assert.deepEqual(await page.evaluate(() => [document.getElementById('message').value,
                location.search]), ['The <b>sea</b>\nWhy is it salty?\nhttps://a.example/b?c', '']);
        });

        test('what an app or a page shares is an unsent message with its files, once', async () => {
            const stranger = await lend(startServer((request, response) => {
                if (request.url === '/tiny.gguf') return sendFile(request, response, CHAT);
                response.writeHead(200, {'Content-Type': 'text/html'})
                    .end('<!doctype html><title>elsewhere</title>');
            }));
            const share = async (texts, files) => {
                await page.fill('#message', '');
                await page.goto(stranger.url);
                await page.evaluate(async (action, texts, files) => {
                    const form = document.createElement('form'), field = document.createElement('input'),
                        given = new DataTransfer();
                    Object.assign(form, {
                        method: 'post', enctype: 'multipart/form-data', acceptCharset: 'utf-8', action,
                    });
                    for (const [name, value] of Object.entries(texts))
                        form.append(Object.assign(document.createElement('input'), {name, value}));
                    for (const [name, content] of files)
                        given.items.add(new File([content ?? await (await fetch(name)).blob()], name));
                    form.append(Object.assign(field, {
                        type: 'file', name: 'files', multiple: true, files: given.files,
                    }));
                    document.body.append(form);
                    setTimeout(() => form.submit());
                }, site.url, texts, files);
                await page.until(() => document.title !== 'elsewhere'
                    && document.body.dataset.screen === 'chat');
            };
            const shared = () => page.evaluate(async () => [
                location.search,
                (await caches.keys()).filter((name) => name.startsWith('gemma-shared')).length,
            ]);
            await page.until(async () => (await navigator.serviceWorker.ready).active.state === 'activated');
            await share({title: 'Notes', text: '<img src=x onerror=alert(1)>', url: ''},
                [['a b.csv', 'sea;salt\n1;2\n'], ['ü<b>.md', '# Tide\n']]);
            await page.until(() => document.getElementById('message').value
                && document.querySelectorAll('#attachments li').length === 2);
            assert.deepEqual(
                await page.evaluate(() => [
                    document.getElementById('message').value,
                    document.querySelectorAll('#messages > *').length,
                    document.querySelectorAll('#list a').length,
                ]), ['Notes\n<img src=x onerror=alert(1)>', 0, 0]);
            assert.match(await page.text('#attachments'), /a b\.csv[^]*ü<b>\.md/);
            assert.deepEqual(await shared(), ['', 0]);
            // A reload may keep what is written, and never takes what was shared once more.
            await page.reload();
            await page.until(() => document.getElementById('message').value !== '');
            assert.equal(await page.text('#attachments'), '');
            // A model is only offered, and is there although what kept it is gone.
            await share({}, [['tiny.gguf']]);
            await page.until(() => document.getElementById('notice-text').textContent.includes('tiny.gguf'));
            assert.deepEqual(await shared(), ['', 0]);
            await page.click('#notice-act');
            assert.equal(await opened(page), 'chat');
            await page.fill('#message', '');
            // What is not there, since it was too large or was taken before, is said.
            await page.goto(`${site.url}?shared=123`);
            await page.until(() => /did not arrive/.test(document.getElementById('notice').innerText));
            assert.equal(await page.evaluate(() => document.getElementById('message').value), '');
            // Of what no page takes, the last three wait; what came a day ago is deleted.
            await page.evaluate(async () => {
                const cache = await caches.open(`gemma-shared ${location.pathname}`);
                for (const time of [1, 2, Date.now() + 1, Date.now() + 2, Date.now() + 3, Date.now() + 4])
                    await cache.put(`./?shared=${time}`, new Response('x'));
            });
            await share({text: 'x'}, []);
            await page.until(() => document.getElementById('message').value !== '');
            await page.until(async () => {
                const left = await (await caches.open(`gemma-shared ${location.pathname}`)).keys();
                return left.length >= 2 && left.length <= 3 && left.every(({url}) => url.split('=')[1] > 2);
            });
        });

        test('a shortcut begins a chat or a text', async () => {
            for (const [kind, shown] of [['document', 'writer'], ['chat', 'chat']]) {
                await page.goto(`${site.url}?new=${kind}`);
                await screen(page, shown);
            }
        });

        test('the details of an error name it and the browser, and no secret of an address', async () => {
            await visit(page, site.url);
            await page.until(() => document.querySelector('.card') !== null);
            await loadUrl(page, `${site.url}none.gguf?token=SECRET#part`);
            await shownError(page);
            const copied = await page.evaluate(async () => {
                Object.defineProperty(navigator, 'clipboard',
                    {value: {writeText: async (text) => { window.copied = text; }}});
                document.getElementById('error-copy').click();
                return window.copied;
            });
            assert.match(copied, /^error: GemmaError not-found$/m);
            assert.match(copied, /^browser: Mozilla/m);
            assert.doesNotMatch(copied, /SECRET/);
            // Where a browser lets nothing be copied, they are there to read.
            await page.evaluate(() => {
                Object.defineProperty(navigator.clipboard, 'writeText', {
                    value: async () => { throw new DOMException('It is not allowed.', 'NotAllowedError'); },
                });
                document.getElementById('error-copy').click();
            });
            await page.until(() => document.getElementById('error-details').checkVisibility());
            const [shown, selected] = await page.evaluate(() => {
                const {value, selectionStart, selectionEnd} = document.getElementById('error-details');
                return [value, value.slice(selectionStart, selectionEnd)];
            });
            assert.deepEqual([shown, selected], [copied, copied]);
            await page.problems();      // the browser's line about the missing file
        });

        if (name !== 'webkit')
            test('where all cookies are blocked the page starts, says that nothing is kept, and answers',
                async () => {
            const blocked = await lend(openBrowser(name, {cookies: false}));
            await blocked.goto(site.url);       // without a service worker it is not isolated
            await blocked.until(() => document.getElementById('pick-file').onclick !== null);
            const kept = await blocked.text('#notice-text');
            assert.ok(kept.length > 20, kept);
            await openFile(blocked, CHAT);
            await blocked.evaluate(() => document.getElementById('tab-chat').click());
            await screen(blocked, 'chat');
            const {text} = await say(blocked, 'Who keeps the light?');
            assert.ok(text.length > 0);
        });
    });
}
