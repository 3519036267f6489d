// Conversations as a person lives with them: they are there after a reload, messages are edited and answered
// again, branches are walked, deletions undone, and another tab sees it all. The tests are one story, in
// this order.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {openFile, opened, say, screen, set, shownError, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const GOLDEN = join(import.meta.dirname, '../../golden'), CHAT = join(GOLDEN, 'tiny-gemma3.gguf'),
    OTHER = join(GOLDEN, 'tiny-gemma1.gguf');

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testConversations(name) {
    describe('conversations', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        /** @type {string[]} */
        let said;

        const texts = (tab = page) =>
            tab.evaluate(() => [...document.querySelectorAll('#messages .body')].map((body) =>
                body.textContent.trim()));
        const titles = (tab = page) =>
            tab.evaluate(() => [...document.querySelectorAll('#list .list-title')].map(({textContent}) =>
                textContent));
        const press = (label, message = ':last-child') => page.evaluate((label, message) =>
            document.querySelector(`#messages > ${message} [aria-label="${label}"]`).click(), label, message);
        const settled = () => page.until(() => document.getElementById('send').textContent === 'Send'
            && !document.querySelector('#messages.busy'));
        const choose = (title) =>
            page.evaluate((title) => [...document.querySelectorAll('#list a')].find((link) =>
                link.textContent.includes(title)).click(), title);

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
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
            await page.until(() => document.querySelector(
                '#list .list-title')?.textContent === 'Who keeps the light?');
            assert.equal((await titles()).length, 1);
            assert.equal(await page.text('#chat-title'), 'Who keeps the light?');
        });

        test('an answer that is drawn again is another branch, and both can be walked', async () => {
            await press('Answer again');
            await settled();
            const [, , , again] = await texts();
            assert.notEqual(again, said[3], 'also where the seed is set');
            await page.until(() => document.querySelector(
                '#messages > :last-child .walk span')?.textContent === '2 / 2');
            await press('Previous version');
            await page.until((text) => document.querySelector('#messages > :last-child .body')
                .textContent.trim() === text, said[3]);
            await press('Next version');
            await page.until((text) => document.querySelector('#messages > :last-child .body')
                .textContent.trim() === text, again);
        });

        test('what is changed while an answer is written is not lost: it can be saved afterwards',
            async () => {
            await press('Edit', ':nth-child(3)');
            const seen = await page.evaluate(() => {
                const form = document.getElementById('chat-form'),
                    save = () => document.querySelector('#messages .edit .primary');
                document.querySelector('#messages .edit textarea').value = 'And who is changed?';
                document.getElementById('message').value = 'Never mind';
                form.requestSubmit();
                const isOff = save().disabled;
                save().click();
                form.requestSubmit();       // stops it
                return isOff;
            });
            await settled();
            assert.deepEqual([seen, await page.evaluate(() =>
                [document.querySelector('#messages .edit textarea').value,
                    document.querySelector('#messages .edit .primary').disabled])],
                [true, ['And who is changed?', false]]);
            await page.evaluate(() => [...document.querySelectorAll('#messages .edit button')][0].click());
            await page.fill('#message', '');
            while ((await texts()).length > 4) {
                await press('Delete from here', ':nth-child(5)');
                await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            }
        });

        test('a changed message begins a branch, with its own answer', async () => {
            await press('Edit', ':nth-child(3)');
            await page.fill('#messages .edit textarea', 'And who');
            await page.type('#messages .edit textarea', ' writes it?');
            await page.click('#messages .edit .primary');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            await settled();
            assert.equal((await texts())[2], 'And who writes it?');
            await press('Previous version', ':nth-child(3)');
            await page.until(() => document.querySelector('#messages > :nth-child(3) .body')
                .textContent === 'And who reads the book?');
        });

        test('a message that is being changed still is after a look at something else', async () => {
            await press('Edit', ':nth-child(3)');
            await page.fill('#messages .edit textarea', 'And who is still writing?');
            await page.click('#new-chat');
            await page.until(() => document.querySelectorAll('#messages > *').length === 0);
            await choose('Who keeps the light?');
            await page.until(() => document.querySelector(
                '#messages > :nth-child(3) .edit textarea')?.value === 'And who is still writing?');
            // Also after a reload, and the field's words with it.
            await page.fill('#message', 'Half');
            await page.reload();
            await page.until(() => document.querySelector(
                '#messages > :nth-child(3) .edit textarea')?.value === 'And who is still writing?'
                    && document.getElementById('message').value === 'Half');
            await page.fill('#message', '');
            await page.evaluate(() => document.querySelector('#messages .edit button[type=button]').click());
            await page.until(() => document.querySelector(
                '#messages > :nth-child(3) .body')?.textContent === 'And who reads the book?'
                    && !document.querySelector('#messages .edit'));
        });

        test('an answer that was cut goes on where it ended', async () => {
            await set(page, {maxTokens: 1});
            await press('Answer again');
            await settled();
            const cut = (await texts())[3];
            await set(page, {maxTokens: 12});
            await press('Continue this answer');
            await page.until((length) => document.querySelector('#messages > :last-child .body')
                .textContent.trim().length > length, cut.length);
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
            await page.until(() => !document.getElementById('notice-act').hidden
                && !document.getElementById('notice').hidden);
            const shows = (expected, isSame = true) => page.until((expected, isSame) => isSame
                === (JSON.stringify([...document.querySelectorAll('#messages .body')].map((body) =>
                    body.textContent.trim())) === expected), JSON.stringify(expected), isSame);
            const undo = async (expected) => {
                await page.until(() => document.getElementById('notice-act').checkVisibility());
                await page.click('#notice-act');
                await shows(expected);
            };
            await undo(before);
            // One after the other, the last first.
            await press('Delete from here', ':nth-child(5)');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            const first = await texts();
            await press('Delete from here', ':nth-child(3)');
            await shows(first, false);
            await undo(first);
            await undo(before);
            assert.equal(await page.text('#notice'), '');
        });

        test('search finds a word of an answer or a question', async () => {
            await page.click('#new-chat');
            await say(page, 'Something else entirely');
            await page.until(() => document.querySelectorAll('#list a').length === 2);
            // What it needs is read when the field is entered.
            await page.evaluate(() => {
                const {get} = IDBObjectStore.prototype;
                window.read = 0;
                IDBObjectStore.prototype.get = function (...keys) {
                    if (this.name === 'search') window.read++;
                    return get.apply(this, keys);
                };
                document.getElementById('search').focus();
            });
            const read = await page.until(() => window.read >= 2 && window.read);
            await page.fill('#search', 'BOOK reads');
            await page.until(() => document.querySelectorAll('#list a').length === 1);
            assert.equal(await page.evaluate(() => window.read), read);
            assert.match(await page.text('#list'), /Who keeps the light\?/);
            // What is written elsewhere leaves what was found as it is: a press on it is not lost.
            await page.evaluate(() => { window.row = document.querySelector('#list li'); });
            await say(page, 'One more');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            assert.equal(await page.evaluate(() => window.row.isConnected), true);
            await page.fill('#search', '');
            await page.until(() => document.querySelectorAll('#list a').length === 2);
        });

        test('what a search hides is not deleted, and a folder may be called as a day is', async () => {
            const boxes = () => page.evaluate(() => [...document.querySelectorAll('#list input')]
                .map(({checked}) => checked));
            await page.evaluate(() => document.getElementById('select-many').click());
            await page.evaluate(() => document.querySelector('#list li:nth-child(1) input').click());
            await page.fill('#search', 'BOOK reads');
            await page.until(() => document.querySelectorAll('#list li').length === 1);
            assert.deepEqual(await boxes(), [false]);
            await page.evaluate(() => document.getElementById('delete-selected').click());
            await page.fill('#search', '');
            await page.until(() => document.querySelectorAll('#list a').length === 2);
            const [, second] = await titles();
            const change = async (folder, name) => {
                await page.evaluate((title) => [...document.querySelectorAll('#list li')].find((row) =>
                    row.textContent.includes(title)).querySelector('.icon').click(), name);
                await page.fill('#item-folder', folder);
                await page.evaluate(() => document.querySelector('#item [value=save]').click());
            };
            await change('Today', second);
            await page.until(() => document.querySelectorAll('#list ul').length === 2);
            assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('#list h2')]
                .map(({textContent}) => textContent)), ['Today', 'Today']);
            await change('', second);
            await page.until(() => document.querySelectorAll('#list ul').length === 1);
        });

        test('another tab sees what is said, renamed and deleted', async () => {
            const other = await lend(page.tab());
            await other.goto(await page.evaluate(() => location.href));
            await other.until(() => document.querySelectorAll('#messages > *').length === 4);
            await page.evaluate(() => document.querySelector('#list li:has([aria-current]) .icon').click());
            await page.fill('#item-name', 'Renamed');
            await page.evaluate(() => document.querySelector('#item [value=save]').click());
            await other.until(() => [...document.querySelectorAll('#list .list-title')].some(
                ({textContent}) => textContent === 'Renamed'));
            // Keys and the mouse belong to the tab in front.
            await page.fill('#message', 'More of it');
            await page.evaluate(() => document.getElementById('chat-form').requestSubmit());
            await settled();
            assert.equal((await texts()).length, 6);
            await other.until(() => document.querySelectorAll('#messages > *').length === 6);
            await page.evaluate(() => document.querySelector('#list li:has([aria-current]) .icon').click());
            await page.evaluate(() => document.getElementById('item-delete').click());
            await other.until(() => document.querySelectorAll('#list a').length === 1);
            assert.deepEqual(await titles(other), ['Who keeps the light?']);
            await page.until(() => !document.getElementById('notice-act').hidden
                && !document.getElementById('notice').hidden);
            await page.evaluate(() => document.getElementById('notice-act').click());
            await other.until(() => document.querySelectorAll('#list a').length === 2);
            await other.close();
        });

        test('a text is kept like a conversation', async () => {
            await page.evaluate(() => document.getElementById('new-document').click());
            await page.type('#text', 'Once there was a lamp');
            await page.until(() => [...document.querySelectorAll('#list .list-title')].some(({textContent}) =>
                textContent === 'Once there was a lamp'));
            await choose('Who keeps the light?');
            await page.until(() => document.body.dataset.screen === 'chat');
            await choose('Once there was a lamp');
            await page.until(() => document.getElementById('text').value === 'Once there was a lamp');
            await page.reload();
            await page.until(() => document.getElementById('text').value === 'Once there was a lamp');
        });

        test('a conversation is answered by its own model, whichever was used meanwhile', async () => {
            const speaker = () => page.evaluate(() => document.querySelector('#messages > :last-child .who')
                .textContent);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await page.evaluate(() => document.getElementById('change-model').click());
            await screen(page, 'welcome');
            await page.evaluate(() => { document.getElementById('keep').checked = true; });
            await page.upload('#file', OTHER);
            await opened(page);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await say(page, 'By the other model');
            const other = await speaker(), named = () => page.text('#change-model');
            assert.equal(await named(), other, 'the head of the page names the model');
            await choose('Who keeps the light?');
            await page.until(() => document.querySelectorAll('#messages > *').length === 6);
            assert.notEqual(await named(), other);
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
            await page.until(() => document.getElementById('chat-title')
                .textContent === 'Who keeps the light?' && document.body.dataset.screen === 'chat');
            await page.evaluate(() => {
                document.getElementById('notice-close').click();
                location.hash = '#id=gone';
            });
            await page.until(() => location.hash === '' && document.querySelectorAll('#messages > *')
                .length === 0);
            await page.evaluate(() => history.back());
            await page.until(() => document.getElementById('chat-title')
                .textContent === 'Who keeps the light?');
        });

        test('a question left before its answer stays; a stopped one comes back to the field', async () => {
            await page.reload();
            await page.until(() => document.getElementById('chat-title')
                .textContent === 'Who keeps the light?');
            await page.evaluate(() => {
                document.getElementById('message').value = 'And after that?';
                document.getElementById('chat-form').requestSubmit();
                [...document.querySelectorAll('#list a')].find((link) => !link.hasAttribute('aria-current')
                    && !link.textContent.includes('lamp')).click();
            });
            await page.until(() => document.body.dataset.screen === 'chat'
                && document.getElementById('chat-title').textContent !== 'Who keeps the light?');
            await settled();
            assert.equal(await page.evaluate(() => document.getElementById('message').value), '');
            await choose('Who keeps the light?');
            await page.until(() => document.querySelector(
                '#messages > :last-child .body')?.textContent === 'And after that?');
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

        test('a stopped first question leaves no conversation; the next one gives the title', async () => {
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await page.until(() => location.hash === '#new=chat');
            const before = await titles();
            // Without a model there is time to stop.
            await page.reload();
            await page.until(() => document.body.dataset.screen === 'chat'
                && document.querySelectorAll('#list a').length > 0);
            await page.evaluate(() => {
                const field = document.getElementById('message'), form = document.getElementById('chat-form');
                field.value = 'Never mind';
                form.requestSubmit();
                form.requestSubmit();
            });
            await page.until(() => document.getElementById('message').value === 'Never mind');
            await settled();
            await screen(page, 'chat');
            await page.until((count) => document.querySelectorAll('#list a').length === count, before.length);
            assert.deepEqual([await titles(), await page.evaluate(() => location.hash)],
                [before, '#new=chat']);
            await page.fill('#message', '');
            await say(page, 'A question to the end');
            await page.until(() => document.querySelector(
                '#list .list-title')?.textContent === 'A question to the end');
            assert.match(await page.evaluate(() => location.hash), /^#id=/);
        });

        test('a question without an answer can be answered, by its button or by saving it as it is',
            async () => {
            const answer = () => page.evaluate(() =>
                [...document.querySelectorAll('#messages > :last-child .message-actions button')].find(
                    ({textContent}) => textContent === 'Answer')?.click());
            const unanswered = async () => {
                await press('Delete from here');
                await page.until(() => document.querySelectorAll('#messages > *').length === 1);
            };
            const answered = async () => {
                await page.until(() => document.querySelectorAll('#messages > *').length === 2);
                await settled();
                return page.evaluate(() =>
                    [...document.querySelectorAll('#messages .message-actions button')].some(
                        ({textContent}) => textContent === 'Answer'));
            };
            await unanswered();
            await answer();
            assert.equal(await answered(), false);
            await unanswered();
            await press('Edit');
            await page.click('#messages .edit .primary');
            assert.equal(await answered(), false);
            // With an answer it only closes the field.
            await press('Edit', ':first-child');
            await page.click('#messages .edit .primary');
            const has = (selector) => page.evaluate((selector) => document.querySelector(selector) !== null,
                selector);
            assert.deepEqual([await has('#messages .edit'), (await texts()).length], [false, 2]);
            assert.equal(await has('#messages .walk'), false, 'no other version was made');
        });

        test('with its last message a conversation is gone, and Undo brings it back', async () => {
            const count = (await titles()).length;
            await press('Delete from here', ':first-child');
            await page.until((count) => document.querySelectorAll('#list a').length === count, count - 1);
            await page.until(() => !document.getElementById('notice-act').hidden
                && !document.getElementById('notice').hidden);
            await page.evaluate(() => document.getElementById('notice-act').click());
            await page.until((count) => document.querySelectorAll('#list a').length === count
                && document.querySelectorAll('#messages > *').length === 2, count);
        });

        test('back and forward walk between conversations and texts; a reload shows what showed',
            async () => {
            const at = (place, title) => page.until((place, title) => document.body.dataset.screen === place
                && (place === 'chat' ? document.getElementById('chat-title').textContent
                : document.getElementById('text').value) === title
                    && document.querySelector('#list [aria-current]')?.textContent.includes(
                        title) === Boolean(title), place, title);
            const go = (steps) => page.evaluate((steps) => history.go(steps), steps);
            await choose('Who keeps the light?');
            await at('chat', 'Who keeps the light?');
            await choose('Once there was a lamp');
            await at('writer', 'Once there was a lamp');
            await page.evaluate(() => document.getElementById('tab-chat').click());
            await at('chat', 'Who keeps the light?');
            await page.evaluate(() => document.getElementById('new-document').click());
            await page.until(() => location.hash === '#new=document' && document.getElementById('text')
                .value === '');
            await go(-1);
            await at('chat', 'Who keeps the light?');
            await go(-1);
            await at('writer', 'Once there was a lamp');
            await go(2);
            await page.until(() => document.body.dataset.screen === 'writer'
                && document.getElementById('text').value === '');
            await page.reload();
            await page.until(() => document.body.dataset.screen === 'writer'
                && document.querySelectorAll('#list a').length > 0);
            assert.equal(await page.evaluate(() => document.getElementById('text').value), '');
            await page.fill('#text', 'A new beginning');
            await page.until(() => /^#id=/.test(location.hash));
            await go(-1);
            await at('chat', 'Who keeps the light?');
            await go(1);
            await at('writer', 'A new beginning');
            // Quick steps end at the last.
            await page.evaluate(() => {
                for (const title of ['Who keeps', 'By the other', 'Who keeps', 'A question to'])
                    [...document.querySelectorAll('#list a')].find((link) => link.textContent.includes(title))
                    .click();
            });
            await at('chat', 'A question to the end');
            assert.equal((await texts())[0], 'A question to the end');
        });

        // The browser itself has no microphone here: what is tested is the page.
        if (name === 'chromium')
            test('a message is dictated only where speech is recognised on this device', async () => {
            const seen = await page.evaluate(async () => {
                const {offerDictation} = await import('/modules/app/views/dictation.js'),
                    field = document.getElementById('message'), out = {asked: [], notices: []}, made = [];
                const button = () => document.getElementById('dictate');
                class Recognition {
                    processLocally = false;
                    constructor() { made.push(this); }
                    start() { out.asked.push(['start', this.lang, this.processLocally]); }
                    stop() { out.asked.push(['stop']); }
                }
                const offer = (states) => offerDictation(document, {Recognition: Object.assign(Recognition, {
                    available: async (options) => (out.asked.push(['available', options]), states),
                    install: async () => (out.asked.push(['install']), true),
                }), onNotice: (sentence) => out.notices.push(sentence)});
                button()?.remove();     // the browser's own
                await offer('unavailable');
                out.unavailable = Boolean(button());
                await offer('downloadable');
                window.confirm = () => true;
                field.value = 'Dear keeper,';
                button().click();
                await new Promise((done) => setTimeout(done));
                out.pressed = button().ariaPressed;
                const hear = (...texts) =>
                    made[0].onresult({results: texts.map((transcript) => [{transcript}])});
                hear('what is');
                out.interim = field.value;
                hear('what is the ', ' light');
                out.final = field.value;
                made[0].onerror({error: 'network'});
                document.getElementById('attach').focus();
                button().click();
                hear('too late');
                out.end = [field.value, button().ariaPressed];
                // Another conversation's message is there, of which nothing is heard.
                button().click();
                field.value = 'To somebody else';
                made[1].onresult({results: [[{transcript: 'what is'}]]});
                out.other = [field.value, button().ariaPressed];
                field.value = '';
                button().remove();
                return out;
            });
            assert.deepEqual([seen.unavailable, seen.pressed], [false, 'true']);
            assert.deepEqual([seen.interim, seen.final, seen.end], [
                'Dear keeper, what is', 'Dear keeper, what is the light',
                ['Dear keeper, what is the light', 'false'],
            ]);
            assert.match(seen.asked.find(([what]) => what === 'start')[1], /^en-/);
            assert.deepEqual(seen.asked.map(([what]) => what), [
                'available', 'available', 'install', 'start', 'stop', 'start', 'stop',
            ]);
            assert.deepEqual(seen.other, ['To somebody else', 'false']);
            assert.ok(seen.asked.every(([what, options, isLocal]) => what === 'available'
                ? options.processLocally : what !== 'start' || isLocal));
            assert.equal(seen.notices.length, 1);
        });

        test('a long list is drawn as far as it is scrolled, and its rows stay', async () => {
            const count = () => page.evaluate(() => document.querySelectorAll('#list a').length);
            await page.evaluate(async () => {
                const {openConversations} = await import('/modules/app/data/conversations.js'),
                    store = await openConversations();
                await store.bring(Array.from({length: 600}, (_, i) => ({messages: [], summary: {
                    id: `long${i}`, kind: 'chat', title: `${i}`, isTitled: true, created: i, updated: i,
                    pinned: false, folder: '', leaf: null, messages: 0,
                }})));
                store.close();
            });
            await page.until(() => document.querySelectorAll('#list a').length === 250);
            await page.evaluate(() => {
                window.first = document.querySelector('#list li');
                document.querySelector('#list').scrollTop = 1e6;
            });
            await page.until(() => document.querySelectorAll('#list a').length === 500);
            assert.equal(await page.evaluate(() => window.first === document.querySelector('#list li')), true);
            await page.fill('#search', '599');
            await page.until(() => document.querySelectorAll('#list a').length === 1);
            await page.fill('#search', '');
            await page.until(() => document.querySelectorAll('#list a').length > 1);
            assert.equal(await count(), 250);
        });

        test('nothing went wrong meanwhile', async () => assert.deepEqual(await page.problems(), []));

        test('where a newer page has changed what is kept, that is said, and another try is offered',
            async () => {
            await page.evaluate(() => new Promise((resolve, reject) => {
                const opening = indexedDB.open(`gemma-app ${location.pathname}`, 99);
                opening.onerror = () => reject(opening.error);
                opening.onsuccess = () => resolve(opening.result.close());
            }));
            await page.reload();
            await shownError(page);
            await page.evaluate(() => new Promise((resolve) => {
                indexedDB.deleteDatabase(`gemma-app ${location.pathname}`).onsuccess = resolve;
            }));
            await page.click('#error-retry');
            await page.until(() => document.getElementById('error').hidden
                && document.getElementById('open-data').onclick !== null);
        });
    });
}
