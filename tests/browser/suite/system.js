// What the system hands to an installed app, and what a report of an error has in it.

import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {loadUrl, screen, shownError} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

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
        });

        test('a shared text waits in the field of a new chat, once', async () => {
            await page.goto(`${site.url}?${new URLSearchParams({title: 'The <b>sea</b>', text: 'Why is it salty?', url: 'https://a.example/b?c'})}`);
            await screen(page, 'chat');
            await page.until(() => document.getElementById('message').value !== '');
            assert.deepEqual(await page.evaluate(() => [document.getElementById('message').value, location.search]), ['The <b>sea</b>\nWhy is it salty?\nhttps://a.example/b?c', '']);
        });

        test('a shortcut begins a chat or a text', async () => {
            for (const [kind, shown] of [['document', 'writer'], ['chat', 'chat']]) {
                await page.goto(`${site.url}?new=${kind}`);
                await screen(page, shown);
            }
        });

        test('the details of an error name it and the browser, and no secret of an address', async () => {
            await page.goto(site.url);
            await page.until(() => document.querySelector('.card') !== null);
            await loadUrl(page, `${site.url}none.gguf?token=SECRET#part`);
            await shownError(page);
            const copied = await page.evaluate(async () => {
                Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text; }}});
                document.getElementById('error-copy').click();
                return window.copied;
            });
            assert.match(copied, /^error: GemmaError not-found$/m);
            assert.match(copied, /^browser: Mozilla/m);
            assert.doesNotMatch(copied, /SECRET/);
            await page.problems();      // the browser's line about the missing file
        });
    });
}
