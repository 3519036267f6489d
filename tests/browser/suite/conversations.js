// Conversations as a person lives with them: they are there after a reload, messages are edited and answered again, branches are walked, deletions
// undone, and another tab sees it all. The tests are one story, in this order.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {openFile, opened, say, screen, set} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const GOLDEN = join(import.meta.dirname, '../../golden'), CHAT = join(GOLDEN, 'tiny-gemma3.gguf'), OTHER = join(GOLDEN, 'tiny-gemma1.gguf');

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testConversations(name) {
    describe('conversations', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        /** @type {string[]} */
        let said;

        const texts = (tab = page) => tab.evaluate(() => [...document.querySelectorAll('#messages .body')].map((body) => body.textContent.trim()));
        const titles = (tab = page) => tab.evaluate(() => [...document.querySelectorAll('#list .list-title')].map(({textContent}) => textContent));
        const press = (label, message = ':last-child') => page.evaluate((label, message) => document.querySelector(`#messages > ${message} [aria-label="${label}"]`).click(), label, message);
        const settled = () => page.until(() => document.getElementById('send').textContent === 'Send' && !document.querySelector('#messages.busy'));
        const choose = (title) => page.evaluate((title) => [...document.querySelectorAll('#list a')].find((link) => link.textContent.includes(title)).click(), title);

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await page.goto(site.url);
            await set(page, {temperature: 1, seed: 4, maxTokens: 12, contextLength: 512});
            await page.until(() => document.getElementById('pick-file').onclick !== null);
            await page.click('#keep');
            await openFile(page, CHAT);
        });

        test('a conversation is named by its first message, and the list has it', async () => {
            await say(page, 'Who keeps the light?');
            await say(page, 'And who reads the book?');
            said = await texts();
            assert.equal(said.length, 4);
            await page.until(() => document.querySelector('#list .list-title')?.textContent === 'Who keeps the light?');
            assert.equal((await titles()).length, 1);
            assert.equal(await page.text('#chat-title'), 'Who keeps the light?');
        });

        test('an answer that is drawn again is another branch, and both can be walked', async () => {
            await press('Answer again');
            await settled();
            const [, , , again] = await texts();
            await page.until(() => document.querySelector('#messages > :last-child .walk span')?.textContent === '2 / 2');
            await press('Previous version');
            await page.until((text) => document.querySelector('#messages > :last-child .body').textContent.trim() === text, said[3]);
            await press('Next version');
            await page.until((text) => document.querySelector('#messages > :last-child .body').textContent.trim() === text, again);
        });

        test('a message that is changed begins a branch, with an answer of its own', async () => {
            await press('Edit', ':nth-child(3)');
            await page.fill('#messages .edit textarea', 'And who writes it?');
            await page.click('#messages .edit .primary');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            await settled();
            assert.equal((await texts())[2], 'And who writes it?');
            await press('Previous version', ':nth-child(3)');
            await page.until(() => document.querySelector('#messages > :nth-child(3) .body').textContent === 'And who reads the book?');
        });

        test('an answer that was cut goes on where it ended', async () => {
            await set(page, {maxTokens: 1});
            await press('Answer again');
            await settled();
            const cut = (await texts())[3];
            await set(page, {maxTokens: 12});
            await press('Continue this answer');
            await page.until((length) => document.querySelector('#messages > :last-child .body').textContent.trim().length > length, cut.length);
            await settled();
            assert.ok((await texts())[3].startsWith(cut));
            assert.equal((await texts()).length, 4);
        });

        test('after a reload all of it is there, and can be read without a model', async () => {
            const before = await texts();
            await page.reload();
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            assert.deepEqual(await texts(), before);
            assert.equal(await page.text('#chat-title'), 'Who keeps the light?');
        });

        test('asking loads the model that was used', async () => {
            await page.type('#message', 'And now?\n');
            await page.until(() => document.querySelectorAll('#messages > *').length === 6);
            await settled();
            assert.ok((await texts())[5].length > 0);
        });

        test('what is deleted comes back by Undo', async () => {
            const before = await texts();
            await press('Delete from here', ':nth-child(5)');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            await page.until(() => !document.getElementById('notice-act').hidden && !document.getElementById('notice').hidden);
            await page.click('#notice-act');
            await page.until(() => document.querySelectorAll('#messages > *').length === 6);
            assert.deepEqual(await texts(), before);
        });

        test('search finds a word of an answer or a question', async () => {
            await page.click('#new-chat');
            await say(page, 'Something else entirely');
            await page.until(() => document.querySelectorAll('#list a').length === 2);
            await page.fill('#search', 'BOOK reads');
            await page.until(() => document.querySelectorAll('#list a').length === 1);
            assert.match(await page.text('#list'), /Who keeps the light\?/);
            await page.fill('#search', '');
            await page.until(() => document.querySelectorAll('#list a').length === 2);
        });

        test('another tab sees what is said, renamed and deleted', async () => {
            const other = await lend(page.tab());
            await other.goto(await page.evaluate(() => location.href));
            await other.until(() => document.querySelectorAll('#messages > *').length === 2);
            await page.evaluate(() => document.querySelector('#list li:has([aria-current]) .icon').click());
            await page.fill('#item-name', 'Renamed');
            await page.evaluate(() => document.querySelector('#item [value=save]').click());
            await other.until(() => [...document.querySelectorAll('#list .list-title')].some(({textContent}) => textContent === 'Renamed'));
            // Keys and the mouse belong to the tab in front.
            await page.fill('#message', 'More of it');
            await page.evaluate(() => document.getElementById('chat-form').requestSubmit());
            await settled();
            assert.equal((await texts()).length, 4);
            await other.until(() => document.querySelectorAll('#messages > *').length === 4);
            await page.evaluate(() => document.querySelector('#list li:has([aria-current]) .icon').click());
            await page.evaluate(() => document.getElementById('item-delete').click());
            await other.until(() => document.querySelectorAll('#list a').length === 1);
            assert.deepEqual(await titles(other), ['Who keeps the light?']);
            await page.until(() => !document.getElementById('notice-act').hidden && !document.getElementById('notice').hidden);
            await page.evaluate(() => document.getElementById('notice-act').click());
            await other.until(() => document.querySelectorAll('#list a').length === 2);
            await other.close();
        });

        test('a text is kept like a conversation', async () => {
            await page.evaluate(() => document.getElementById('new-document').click());
            await page.type('#text', 'Once there was a lamp');
            await page.until(() => [...document.querySelectorAll('#list .list-title')].some(({textContent}) => textContent === 'Once there was a lamp'));
            await choose('Who keeps the light?');
            await page.until(() => document.body.dataset.screen === 'chat');
            await choose('Once there was a lamp');
            await page.until(() => document.getElementById('text').value === 'Once there was a lamp');
            await page.reload();
            await page.until(() => document.getElementById('text').value === 'Once there was a lamp');
        });

        test('a conversation is answered by its own model, whichever was used meanwhile', async () => {
            const speaker = () => page.evaluate(() => document.querySelector('#messages > :last-child .who').textContent);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await page.evaluate(() => document.getElementById('change-model').click());
            await screen(page, 'welcome');
            await page.evaluate(() => { document.getElementById('keep').checked = true; });
            await page.upload('#file', OTHER);
            await opened(page);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await say(page, 'By the other model');
            const other = await speaker();
            await choose('Who keeps the light?');
            await page.until(() => document.querySelectorAll('#messages > *').length === 6);
            await page.fill('#message', 'And by the first?');
            await page.evaluate(() => document.getElementById('chat-form').requestSubmit());
            await page.until(() => document.querySelectorAll('#messages > *').length === 8);
            await settled();
            assert.notEqual(await speaker(), other);
            await choose('By the other model');
            await page.until(() => document.querySelectorAll('#messages > *').length === 2);
            await page.fill('#message', 'Again');
            await page.evaluate(() => document.getElementById('chat-form').requestSubmit());
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            await settled();
            assert.equal(await speaker(), other);
        });

        test('the address says what is open: none, or one that is gone, is no conversation', async () => {
            await choose('Who keeps the light?');
            await page.until(() => document.getElementById('chat-title').textContent === 'Who keeps the light?' && document.body.dataset.screen === 'chat');
            await page.evaluate(() => { location.hash = '#id=gone'; });
            await page.until(() => location.hash === '' && document.querySelectorAll('#messages > *').length === 0);
            await page.evaluate(() => history.back());
            await page.until(() => document.getElementById('chat-title').textContent === 'Who keeps the light?');
        });

        test('a question that is left before its answer stays where it was asked; one that is stopped comes back, before what is typed since', async () => {
            await page.reload();
            await page.until(() => document.getElementById('chat-title').textContent === 'Who keeps the light?');
            await page.evaluate(() => {
                document.getElementById('message').value = 'And after that?';
                document.getElementById('chat-form').requestSubmit();
                [...document.querySelectorAll('#list a')].find((link) => !link.hasAttribute('aria-current') && !link.textContent.includes('lamp')).click();
            });
            await page.until(() => document.body.dataset.screen === 'chat' && document.getElementById('chat-title').textContent !== 'Who keeps the light?');
            await settled();
            assert.equal(await page.evaluate(() => document.getElementById('message').value), '');
            await choose('Who keeps the light?');
            await page.until(() => document.querySelector('#messages > :last-child .body')?.textContent === 'And after that?');
            await page.evaluate(() => {
                const field = document.getElementById('message'), form = document.getElementById('chat-form');
                field.value = 'Stopped';
                form.requestSubmit();
                field.value = 'Typed since';
                form.requestSubmit();
            });
            await settled();
            await page.until(() => document.getElementById('message').value === 'Stopped\n\nTyped since');
        });

        test('nothing went wrong meanwhile', async () => assert.deepEqual(await page.problems(), []));
    });
}
