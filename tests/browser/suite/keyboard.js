// The app by keyboard alone, with real keys: everything is reached by Tab, in the order in which it stands,
// and seen when it is; dialogs keep the focus and give it back; what changes under a finger leaves the focus
// where one goes on from.

import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {openFile, screen, set, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';
import {bring, openOne} from './kept.js';
import {attach, TINY} from './views.js';

const MOST_STOPS = 120;

/** Only where a driver has real keys: Chromium. */
export function testKeyboard() {
    describe('keyboard', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        const focused = () => page.evaluate(() => {
            const {activeElement: element} = document;
            return element === document.body ? '' : element.id || element.getAttribute('aria-label')
                || element.textContent.trim().slice(0, 30) || element.tagName;
        });
        const focus = (selector) => page.evaluate((selector) => document.querySelector(selector)
            .focus(), selector);
        const isOpen = (selector) => page.evaluate((selector) =>
            document.querySelector(selector)?.matches('[open], :popover-open') ?? false, selector);

        /**
         * Tab from the beginning to the end: what was reached, what was not, and what was reached unseen.
         * @param {'Tab' | 'Shift+Tab'} key
         */
        const walk = async (key) => {
            const stops = await page.evaluate((isBack) => {
                const {activeElement} = document;
                if (!activeElement.closest('dialog, :popover-open')) {
                    const start = document.createElement('span');
                    start.tabIndex = -1;
                    document.body[isBack ? 'append' : 'prepend'](start);
                    start.focus();
                    start.remove();
                    return [];
                }
                activeElement.dataset.seen = 'yes';
                return [{name: activeElement.id, isSeen: true, isMarked: true}];
            }, key === 'Shift+Tab');
            for (let i = 0; i < MOST_STOPS; i++) {
                await page.press(key);
                const stop = await page.evaluate(async () => {
                    // what comes into sight has its size then
                    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
                    const {activeElement: element} = document;
                    // After the last in a dialog come the browser's own, then the first.
                    if (element === document.body && document.querySelector('dialog[open], :popover-open'))
                        return {isOutside: true};
                    if (element === document.body || element.dataset.seen) return undefined;
                    element.dataset.seen = 'yes';
                    const {outlineStyle, outlineWidth} = getComputedStyle(element),
                        box = element.getBoundingClientRect();
                    const x = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 2),
                        y = Math.min(Math.max(box.top + box.height / 2, 1), innerHeight - 2);
                    const top = document.elementFromPoint(x, y);
                    const isSeen = top && (element.contains(top) || top.contains(element)
                        || element.labels?.[0]?.contains(top));
                    // its caret has its own colour
                    const isMarked = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
                        || element.matches('#text');
                    return {
                        name: element.id || element.getAttribute('aria-label')
                            || element.textContent.trim().slice(0, 40), isSeen, isMarked,
                    };
                });
                if (!stop) break;
                if (!stop.isOutside) stops.push(stop);
            }
            const missed = await page.evaluate(() => {
                const modal = document.querySelector('dialog[open], :popover-open') ?? document.body;
                const all = [...modal.querySelectorAll(
                    'a[href], button, input, select, textarea, summary')].filter((element) =>
                        element.checkVisibility({visibilityProperty: true})
                    && !element.disabled && !element.dataset.seen && element.tabIndex >= 0
                        && !(element.type === 'radio' && !element.checked));
                document.querySelectorAll('[data-seen]').forEach((element) => delete element.dataset.seen);
                return all.map((element) => element.id || element.getAttribute('aria-label')
                    || element.textContent.trim().slice(0, 40));
            });
            return {
                stops: stops.map(({name}) => name), missed,
                unseen: stops.filter(({isSeen}) => !isSeen).map(({name}) => name),
                unmarked: stops.filter(({isMarked}) => !isMarked).map(({name}) => name),
            };
        };
        const assertReached = async (what) => {
            const {stops, ...faults} = await walk('Tab');
            assert.deepEqual(faults, {missed: [], unseen: [], unmarked: []}, what);
            assert.ok(stops.length > 2, what);
            return stops;
        };

        before(async () => {
            const {url} = await lend(startSite());
            page = await lend(openBrowser('chromium'));
            await visit(page, url);
            await page.until(() => document.querySelector('.card') !== null
                && document.getElementById('open-data').onclick !== null);
            // the one to recommend has been found
            await page.until(() => !document.querySelector('.finding progress'));
            await bring(page);
        });

        test('welcome: everything is reached and seen, forwards and backwards', async () => {
            await page.evaluate(() => { document.getElementById('more').open = true; });
            const stops = await assertReached('welcome');
            assert.deepEqual((await walk('Shift+Tab')).stops.toReversed(), stops);
            await page.evaluate(() => { document.getElementById('more').open = false; });
        });

        test('each dialog keeps the focus, and gives it back to what opened it', async () => {
            for (const [opener, dialog] of [['#open-settings', '#settings'], ['#open-keys', '#keys'],
                ['#open-data', '#data'], ['#list li .icon', '#item']]) {
                await focus(opener);
                const before = await focused();
                await page.press('Enter');
                await page.until((dialog) => document.querySelector(dialog)?.open, dialog);
                // its presets and prompts are fetched then
                if (dialog === '#settings') await page.until(() =>
                    ['preset', 'prompt-library'].every((id) => document.getElementById(id)));
                assert.equal(await page.evaluate((dialog) => document.querySelector(dialog)
                    .contains(document.activeElement), dialog), true, `${dialog} has the focus`);
                const {stops, ...faults} = await walk('Tab');
                assert.deepEqual(faults, {missed: [], unseen: [], unmarked: []}, dialog);
                assert.ok(!stops.includes('new-conversation'), dialog);
                await focus(`${dialog} button`);
                await page.press('Escape');
                await page.until((dialog) => !document.querySelector(dialog)?.open, dialog);
                assert.equal(await focused(), before, `after ${dialog}`);
            }
        });

        test('on a phone the list is opened, walked and left by keys', async () => {
            await page.resize(390, 844);
            await page.until(() => document.getElementById('sidebar').hasAttribute('popover'));
            await focus('#open-sidebar');
            await page.press('Enter');
            await page.until(() => document.getElementById('sidebar').matches(':popover-open'));
            assert.equal(await focused(), 'new-conversation');
            await page.press('Escape');
            assert.deepEqual([await isOpen('#sidebar'), await focused()], [false, 'open-sidebar']);
            await page.press('Enter');
            await page.until(() => document.getElementById('sidebar').matches(':popover-open'));
            await assertReached('the list on a phone, and after it the page');
            assert.equal(await isOpen('#sidebar'), false);
            await page.resize(1280, 800);
            await page.until(() => !document.getElementById('sidebar').hasAttribute('popover'));
        });

        test('chat: messages, their buttons and the field are reached; the tabs by arrows', async () => {
            await set(page, {temperature: 0, maxTokens: 6, contextLength: 512});
            await openFile(page, TINY.chat);
            await openOne(page, 'salt');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            await assertReached('chat');
            await page.resize(390, 844);
            await page.until(() => document.getElementById('sidebar').hasAttribute('popover'));
            await assertReached('chat on a phone');
            await page.resize(1280, 800);
            await page.until(() => !document.getElementById('sidebar').hasAttribute('popover'));
            await focus('#tab-chat');
            await page.press('ArrowRight');
            assert.equal(await focused(), 'tab-writer');
            await screen(page, 'writer');
            await assertReached('writer');
            await focus('#tab-writer');
            await page.press('ArrowLeft');
            assert.equal(await focused(), 'tab-chat');
        });

        test('walking between branches, editing and deleting leave the focus where one goes on', async () => {
            const inMessage = (number) =>
                page.evaluate((number) =>
                    document.querySelector(`#messages > :nth-child(${number})`)?.contains(
                        document.activeElement), number);
            await focus('#messages > :nth-child(3) .walk button:last-child');
            await page.press('Enter');
            await page.until(() => document.querySelector('#messages > :nth-child(3) .walk span')
                .textContent === '2 / 2');
            assert.equal(await inMessage(3), true, 'the other branch has the focus');
            await focus('#messages > :nth-child(3) .walk button');
            await page.press('Enter');
            await page.until(() => document.querySelector('#messages > :nth-child(3) .walk span')
                .textContent === '1 / 2');
            assert.equal(await inMessage(3), true);
            const edit = '#messages > :nth-child(3) .message-actions > .icon:nth-of-type(2)';
            await focus(edit);
            const before = await focused();
            await page.press('Enter');
            await page.until(() => document.activeElement.matches('.edit textarea'));
            await page.press('Escape');
            assert.deepEqual([await focused(), await inMessage(3)], [before, true]);
            await focus('#messages > :nth-child(4) .message-actions > .icon:last-child');
            await page.press('Enter');
            await page.until(() => document.querySelectorAll('#messages > *').length === 3);
            assert.notEqual(await focused(), '', 'something has the focus');
            await page.evaluate(() => document.getElementById('notice-act').focus());
            await page.press('Enter');
            await page.until(() => document.querySelectorAll('#messages > *').length === 4);
            assert.notEqual(await focused(), '', 'something has the focus');
        });

        test('a file is looked at, closed and removed by keys', async () => {
            await attach(page, 'notes.txt', 'Four ships.');
            await page.until(() => /token/.test(document.querySelector('#attachments li')?.textContent));
            await focus('#attachments .file-open');
            await page.press('Enter');
            await page.until(() => document.querySelector('dialog.file-text[open]') !== null);
            await page.press('Escape');
            await page.until(() => document.querySelector('dialog.file-text') === null);
            assert.match(await focused(), /notes\.txt/);
            await page.press('Tab');
            await page.press('Enter');
            await page.until(() => document.querySelector('#attachments li') === null);
            assert.equal(await focused(), 'message');
        });

        test('deleting in the list, and selecting there, leave the focus in the list', async () => {
            const inList = () => page.evaluate(() => document.getElementById('sidebar')
                .contains(document.activeElement));
            await focus('#list li:last-child .icon');
            await page.press('Enter');
            await focus('#item-delete');
            const count = await page.evaluate(() => document.querySelectorAll('#list a').length);
            await page.press('Enter');
            await page.until((count) => document.querySelectorAll('#list a').length === count - 1, count);
            assert.equal(await inList(), true, 'after deleting');
            await focus('#select-many');
            await page.press('Enter');
            assert.equal(await inList(), true, 'while selecting');
            await page.press('Space');
            await focus('#delete-selected');
            await page.press('Enter');
            await page.until((count) => document.querySelectorAll('#list a').length === count - 2, count);
            assert.equal(await inList(), true, 'after deleting some');
        });

        test('what is renamed in the list, here or in another tab, keeps the focus', async () => {
            const inRow = (title) => page.until((title) => document.activeElement.matches('#list button.icon')
                && document.activeElement.closest('li').textContent === title, title);
            const id = await page.evaluate(() => document.querySelector('#list li:last-child a')
                .hash.slice('#id='.length));
            const rename = (title) => page.evaluate(async (id, title) => {
                const {openConversations} = await import('/modules/app/data/conversations.js'),
                    other = window.other ??= await openConversations();
                await other.change(id, {title});
            }, id, title);
            await focus(`#list a[href="#id=${id}"] ~ button`);
            await page.press('Enter');
            await page.fill('#item-name', 'By this tab');
            await focus('#item-name');
            await page.press('Enter');
            await inRow('By this tab');
            await rename('By another');
            await inRow('By another');
            await page.press('Enter');
            await rename('While the dialog is open');
            await page.press('Escape');
            await inRow('While the dialog is open');
            await page.evaluate(() => window.other.close());
        });

        test('a screen reader hears an answer by sentences, and in a dialog what is said there', async () => {
            await page.evaluate(async () => {
                const {announce, createSpeaker} = await import('/modules/app/views/dom.js');
                window.heard = [];
                new MutationObserver(() => window.heard.push(document.getElementById('announcer')
                    .textContent)).observe(document.getElementById('announcer'), {childList: true});
                const speak = createSpeaker(document);
                for (const token of ['The', ' sea', ' is', ' salty', '.', ' It', ' al', 'ways', ' was', '!',
                    ' 3', '.', '5', ' %']) {
                    speak(token);
                    await Promise.resolve();
                }
                speak('\n ');
                await Promise.resolve();
                announce(document, 'Copied');
                await Promise.resolve();
                announce(document, 'Copied');
            });
            assert.deepEqual((await page.evaluate(() => window.heard)).map((said) => said.trim()),
                ['The sea is salty.', 'It always was!', '3.5 %', 'Copied', 'Copied']);
            await focus('#open-settings');
            await page.press('Enter');
            await page.evaluate(() => {
                const choice = document.getElementById('preset');
                choice.selectedIndex = 1;
                choice.dispatchEvent(new Event('change'));
            });
            await page.until(() => document.querySelector('#settings .announcer')?.textContent !== '');
            await page.press('Escape');
        });

        test('whom motion disturbs sees none, and in colours of one\'s own the borders are there',
            async () => {
            await page.emulate({'prefers-reduced-motion': 'reduce'});
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await page.fill('#message', 'Who keeps the light?');
            await page.press('Tab');
            assert.deepEqual(await page.evaluate(() => {
                const waiting = document.createElement('progress');
                document.body.append(waiting);
                const moving = document.getAnimations().length, {animationName} = getComputedStyle(waiting);
                waiting.remove();
                return [moving, animationName];
            }), [0, 'none']);
            await page.emulate({'forced-colors': 'active'});
            assert.deepEqual(
                await page.evaluate(() => [
                    matchMedia('(forced-colors: active)').matches,
                    getComputedStyle(document.querySelector('.tabs [aria-selected=true]')).outlineStyle,
                ]), [true, 'solid']);
            await page.emulate({});
        });

        test('under a thumb, Enter makes a line, and nothing calls up the keyboard unasked', async () => {
            await page.emulate({pointer: 'coarse'});
            await page.reload();
            await page.until(() => document.getElementById('attach').onclick !== null
                && document.body.dataset.screen !== 'loading');
            assert.equal(await page.evaluate(() => matchMedia('(pointer: coarse)').matches), true);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await screen(page, 'chat');
            assert.notEqual(await focused(), 'message');
            assert.equal(await page.evaluate(() => document.getElementById('message').value),
                'Who keeps the light?', 'what was typed before the reload');
            await page.fill('#message', '');
            await page.type('#message', 'One\nTwo');
            assert.deepEqual(
                await page.evaluate(() => [
                    document.getElementById('message').value,
                    document.getElementById('messages').children.length,
                ]), ['One\nTwo', 0]);
            await page.emulate({});
        });
    });
}
