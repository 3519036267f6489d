// What a person has read and written lasts: seen from three tabs, taken to another browser, where it does not
// fit, where there is no room left, however much there is of it, and when the page or the browser ends in the
// middle of an answer. The tests are one story, in this order.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {exportData, importData, openData, openFile, say, set, shownError, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {FIRST_NEEDLE, manyConversations} from '../harness/many.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
/**
 * Of pages, in the middle of an answer: each tenth is the browser's, and each third the process's; the others
 * are reloads.
 */
const ENDS = 20, BROWSER = 10, PROCESS = 3;
/** An answer that takes longer than it takes to end the page. */
const LONG = JSON.stringify({type: 'array', minItems: 2000, items: {enum: [1, 2, 3, 4, 5, 6, 7, 8]}});

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testLasting(name) {
    describe('what lasts', () => {
        const lend = lender(), work = mkdtempSync(join(tmpdir(), 'gemma-lasting-'));
        after(() => rmSync(work, {recursive: true, force: true}));
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;
        /** @type {string} */
        let exported;

        const texts = (tab = page) =>
            tab.evaluate(() => [...document.querySelectorAll('#messages .body')].map((body) =>
                body.textContent.trim()));
        const last = () => page.evaluate(() => document.querySelector('#messages > :last-child .body')
            .textContent);
        const count = (tab, n) => tab.until((n) => document.querySelectorAll('#messages > *').length === n
            && !document.querySelector('#messages.busy'), n);
        const ask = (tab, text) => tab.evaluate((text) => {
            document.getElementById('message').value = text;
            document.getElementById('chat-form').requestSubmit();
        }, text);
        const answerAgain = () =>
            page.evaluate(() => document.querySelector('#messages > :last-child [aria-label="Answer again"]')
                .click());
        /**
         * Answers again, and notes what shows as soon as the new answer has more than `length` characters.
         * The page notes it, since a short answer may end between two looks from outside. `isLast`: the page
         * reloads itself in that moment.
         */
        const answerUpTo = (length, isLast) => page.evaluate((length, isLast) => {
            const messages = document.getElementById('messages'),
                {message} = messages.lastElementChild.dataset;
            window.isBefore = true;
            sessionStorage.removeItem('shown');
            const looking = new MutationObserver(() => {
                const {lastElementChild: last} = messages,
                    text = last?.querySelector('.body')?.textContent ?? '';
                if (last?.dataset.message === message || text.length <= length) return;
                looking.disconnect();
                sessionStorage.setItem('shown', text);
                if (isLast) location.reload();
            });
            looking.observe(messages, {childList: true, subtree: true, characterData: true});
            messages.lastElementChild.querySelector('[aria-label="Answer again"]').click();
        }, length, isLast);
        const noted = () => page.until(() => sessionStorage.getItem('shown'));
        const settled = () => page.until(() => document.getElementById('send').textContent === 'Send'
            && !document.querySelector('#messages.busy'));

        before(async () => {
            site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            await set(page, {temperature: 0, maxTokens: 8, contextLength: 128});
            // WebKit's driver now and then calls it not interactable
            await page.evaluate(() => { document.getElementById('keep').checked = true; });
            await openFile(page, CHAT);
        });

        test('three tabs show the same conversation, whichever asks, and share one engine', async () => {
            await say(page, 'Who keeps the light?');
            const url = await page.evaluate(() => location.href),
                tabs = [page, await lend(page.tab()), await lend(page.tab())];
            for (const [i, tab] of tabs.entries()) {
                if (tab !== page) await tab.goto(url);
                await count(tab, 2 * i || 2);
                if (tab !== page) await ask(tab, `And number ${i}?`);
                for (const one of tabs.slice(0, i + 1)) await count(one, 2 * i + 2);
            }
            // The others show an answer's last words a moment later.
            const first = await texts(tabs.at(-1));
            for (const tab of tabs) await tab.until((first) => first.every((text, i) =>
                document.querySelectorAll('#messages .body')[i]?.textContent.trim() === text), first);
            const {held, waiting} = await page.evaluate(async () => {
                const {held, pending} = await navigator.locks.query(),
                    isLeader = ({name}) => name.startsWith('gemma-engine') && !/ tab [^ ]+$/.test(name);
                return {held: held.filter(isLeader).length, waiting: pending.filter(isLeader).length};
            });
            assert.deepEqual({held, waiting}, {held: 1, waiting: 2});
            for (const tab of tabs.slice(1)) await tab.close();
        });

        test('what does not fit is said with numbers, and the question stays to be shortened', async () => {
            await page.click('#new-chat');
            const long = `How many ${'ships '.repeat(14)}?`;
            await say(page, long);
            await ask(page, long);
            const {title, message} = await shownError(page);
            assert.equal(title, 'The text does not fit');
            assert.match(message, /\b1\d\d\b.*\b128\b/);
            await settled();
            assert.deepEqual(
                [await page.evaluate(() => document.getElementById('message').value), (await texts()).length],
                [long, 2]);
            await page.fill('#message', '');
            await say(page, 'How many?');
            await count(page, 4);
        });

        test('everything that is exported is the same in another browser, also when it comes twice',
            async () => {
            await page.evaluate(() => document.getElementById('new-document').click());
            await page.type('#text', 'Once there was a lamp');
            await page.until(() => [...document.querySelectorAll('#list .list-title')].some(({textContent}) =>
                textContent === 'Once there was a lamp'));
            await openData(page);
            exported = await exportData(page, 'Export everything');
            const path = join(work, 'export.json'), other = await lend(page.tab()),
                elsewhere = await lend(startSite());
            writeFileSync(path, exported);
            await visit(other, elsewhere.url);
            await openData(other);
            assert.match(await importData(other, path), /\b3 conversations/);
            assert.match(await importData(other, path), /\b0 conversations/);
            const {conversations} = JSON.parse(await exportData(other, 'Export everything'));
            assert.equal(conversations.length, 3);
            assert.deepEqual(conversations, JSON.parse(exported).conversations);
            await other.close();
            await page.reload();
        });

        test('200 conversations of 100 messages come, are opened and found', async () => {
            const path = join(work, 'many.json');
            writeFileSync(path, manyConversations(200, 100));
            await openData(page);
            assert.match(await importData(page, path), /\b200 conversations/);
            await page.reload();
            await page.until(() => document.querySelectorAll('#list a').length === 203);
            await page.fill('#search', `needle ${FIRST_NEEDLE + 123}`);
            await page.until(() => document.querySelectorAll('#list a').length === 1);
            await page.evaluate(() => document.querySelector('#list a').click());
            await count(page, 100);
            await page.fill('#search', '');
        });

        test('without free storage, what is shown stays, can be exported, and is kept later', async () => {
            await page.click('#new-chat');
            await set(page, {maxTokens: 500, contextLength: 512, schema: LONG, seed: 1});
            await page.evaluate(() => {
                const {put} = IDBObjectStore.prototype, messages = document.getElementById('messages');
                window.giveRoom = () => { IDBObjectStore.prototype.put = put; };
                const looking = new MutationObserver(() => {
                    if (!(messages.querySelector('.model .body')?.textContent.length > 40)) return;
                    IDBObjectStore.prototype.put = () => {
                        throw new DOMException('There is no room.', 'QuotaExceededError');
                    };
                    looking.disconnect();
                });
                looking.observe(messages, {childList: true, subtree: true, characterData: true});
            });
            await ask(page, 'Count');
            const {title} = await shownError(page), shown = await last();
            assert.equal(title, 'Not enough free storage in this browser');
            await page.evaluate(() => document.getElementById('chat-form').requestSubmit());       // Stop
            await settled();
            assert.ok((await last()).startsWith(shown));
            await openData(page);
            const {conversations} = JSON.parse(await exportData(page, 'Export everything'));
            assert.ok(conversations.some(({messages}) => messages.at(-1)?.content.startsWith(shown.trim())));
            await page.evaluate(() => window.giveRoom());
            await page.until(async (shown) => {         // it is tried again now and then
                const done = (request) =>
                    new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
                const db = await done(indexedDB.open(`gemma-app ${location.pathname}`)),
                    messages = await done(db.transaction('messages').objectStore('messages').getAll());
                db.close();
                return messages.some(({content}) => content.startsWith(shown));
            }, shown.trim());
            await page.reload();
            await count(page, 2);
            assert.ok((await last()).startsWith(shown));
            await answerAgain();
            await settled();
        });

        test(`an answer that the end of page or browser cuts keeps all that was shown, ${ENDS} times`, async () => {
            const address = await page.evaluate(() => location.href);
            let inTheMiddle = 0;
            for (let i = 1; i <= ENDS; i++) {
                const isBrowser = i % BROWSER === 0, isProcess = i % PROCESS === 0,
                    isReload = !isBrowser && !isProcess;
                await answerUpTo(i * 17 % 100, isReload);
                let shown = await noted();
                if (isReload) {
                    await page.until(() => !window.isBefore);
                    inTheMiddle++;
                } else {
                    shown = await last();
                    inTheMiddle += await page.evaluate(() => document.querySelectorAll('#messages.busy')
                        .length);
                    if (!isBrowser || !await page.restart()) await page.crash();
                    await page.goto(address);
                }
                await page.until(() => document.querySelectorAll('#messages > *').length === 2);
                const kept = await last();
                assert.ok(kept.length > 0 && kept.startsWith(shown),
                    `${i}: ${kept.length} of ${shown.length}: ${JSON.stringify([shown, kept])}`);
            }
            assert.ok(inTheMiddle > ENDS / 2, `${inTheMiddle} were in the middle`);
        });

        test('without the network, the model that is kept answers', async () => {
            await site.close();
            await page.reload();
            await page.until(() => document.querySelectorAll('#messages > *').length === 2);
            await answerUpTo(1, false);
            await noted();
            await settled();
        });
    });
}
