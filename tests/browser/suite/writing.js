// Writing with the model, as a writer does: it continues at the cursor, in several ways, by words; all is
// undone and redone; nothing that was shown is lost. The tests are one story, in this order.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {continueText, openFile, set, visit, written} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const MODEL = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const CONTEXT = 256;

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testWriting(name) {
    describe('writing', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;

        const value = (tab = page) => tab.evaluate(() => document.getElementById('text').value);
        const shown = (tab = page) => tab.evaluate(() => document.getElementById('mirror')
            .textContent.replace('\u200b', ''));
        const marked = () => page.evaluate(() =>
            [...document.querySelectorAll('#mirror mark')].map(({textContent}) => textContent).join(''));
        const place = (from, to = from) => page.evaluate((from, to) => {
            document.getElementById('text').focus();
            document.getElementById('text').setSelectionRange(from, to);
        }, from, to);
        const press = (key, more = {}) => page.evaluate((key, more) => {
            document.getElementById('text')
                .dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true, ...more}));
        }, key, more);
        const step = (key, more = {}) => page.evaluate(() => /mac/i.test(navigator.userAgent))
            .then((mac) => press(key, {...mac ? {altKey: true} : {ctrlKey: true}, ...more}));
        const cards = () => page.evaluate(() =>
            [...document.querySelectorAll('.alternative')].filter((card) => card.checkVisibility())
                .map((card) => card.querySelector('.card-text').textContent));
        const rested = () => page.until(() => document.getElementById('continue').textContent === 'Continue');
        const stored = (text) => page.until(async (text) => {
            const {openConversations} = await import('/modules/app/data/conversations.js');
            const store = globalThis.store ??= await openConversations(),
                id = new URLSearchParams(location.hash.slice(1)).get('id');
            return await store.readText(id) === text;
        }, text);

        before(async () => {
            site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            // of a seed that does not end at once
            await set(page, {temperature: 1, maxTokens: 12, seed: 5, contextLength: CONTEXT});
            await openFile(page, MODEL);
            await page.click('#tab-writer');
        });

        test('the model continues at the cursor, and what stands after it stays there', async () => {
            const text = 'One line.\nThe sea and the light.\nThe last line.', at = text.indexOf(' and');
            await page.fill('#text', text);
            await place(at);
            await page.until(() => document.getElementById('text-hint').textContent.includes('before'));
            await page.click('#continue');
            const whole = await written(page), added = whole.slice(at, whole.length - (text.length - at));
            assert.ok(added);
            assert.deepEqual([whole.slice(0, at), whole.slice(at + added.length)],
                [text.slice(0, at), text.slice(at)]);
            assert.deepEqual([await shown(), await marked()], [whole, added]);
            assert.equal(await page.evaluate(() => document.getElementById('text').selectionStart),
                at + added.length);
            await stored(whole);
        });

        test('another way replaces it, and undoing brings back each of them, then what was there before',
            async () => {
            const first = await value();
            await page.click('#another');
            const second = await written(page);
            assert.notEqual(second, first, 'also where the seed is set');
            await page.click('#undo');
            assert.deepEqual([await value(), await shown()], [first, first]);
            assert.ok(await marked());
            await press('z', {ctrlKey: true});
            assert.deepEqual([await value(), await marked()],
                ['One line.\nThe sea and the light.\nThe last line.', '']);
            await press('z', {ctrlKey: true, shiftKey: true});
            assert.equal(await value(), first);
            await page.click('#redo');
            assert.equal(await value(), second);
            await stored(second);
        });

        test('a stop text ends what the model writes, before it', async () => {
            const all = await continueText(page, 'The old book'), stop = all.slice(1).match(/[^\s\\]{2,}/)[0];
            await set(page, {stop});
            assert.equal(await continueText(page, 'The old book'), all.slice(0, all.indexOf(stop)));
            await set(page, {stop: ''});
            assert.equal(await continueText(page, 'The old book'), all, 'the same seed and text');
        });

        test('what is typed is undone by words, beside what the model wrote', async () => {
            await page.fill('#text', '');
            await page.type('#text', 'The old keeper');
            const after = await continueTyped();
            await page.type('#text', ' sat down');
            const states = [await value()],
                expected = [
                    `${after} sat down`, `${after} sat `, after, 'The old keeper', 'The old ', 'The ', '',
                ];
            for (let i = 1; i < expected.length; i++) {
                await page.click('#undo');
                states.push(await value());
            }
            assert.deepEqual(states, expected);
            for (let i = 1; i < expected.length; i++) await page.click('#redo');
            assert.deepEqual([await value(), await shown()], [expected[0], expected[0]]);
        });

        const continueTyped = async () => {
            await press('Enter', {ctrlKey: true});
            return written(page);
        };

        test('keys of an input method are left alone, and what it composes is one change', async () => {
            await page.fill('#text', '');
            await page.evaluate(() => {
                const area = document.getElementById('text'), compose = (text, isComposing) => {
                    area.value = text;
                    area.dispatchEvent(new InputEvent('input', {isComposing, bubbles: true}));
                };
                for (const part of ['に', 'にほ', 'にほん']) compose(part, true);
                area.dispatchEvent(new KeyboardEvent('keydown',
                    {key: 'Enter', ctrlKey: true, isComposing: true, bubbles: true}));
                compose('日本', true);
                area.dispatchEvent(new CompositionEvent('compositionend', {data: '日本', bubbles: true}));
            });
            assert.deepEqual([await value(), await shown(), await page.text('#continue')],
                ['日本', '日本', 'Continue']);
            await page.click('#undo');
            assert.deepEqual([await value(), await shown()], ['', '']);
        });

        test('three alternatives show side by side; one is taken by words; undo restores them', async () => {
            const text = 'The old keeper of the light', before = `${text} `;
            await page.fill('#text', text);
            await press('Enter', {ctrlKey: true, shiftKey: true});
            await page.until(() => document.querySelectorAll('.alternative').length === 3);
            await rested();
            const all = await cards();
            assert.equal(all.length, 3);
            assert.ok(new Set(all).size > 1, 'their seeds differ');
            assert.equal(await value(), text);
            await step('ArrowDown');
            await step('ArrowRight');
            const one = await value();
            assert.ok(one.length > text.length && one.startsWith(text));
            assert.equal((await cards()).length <= 1, true);
            assert.equal(await marked(), one.slice(text.length));
            await step('ArrowRight', {shiftKey: true});
            assert.ok((await value()).length >= one.length);
            while (await value() !== text) await page.click('#undo');
            assert.deepEqual(await cards(), all);
            await page.evaluate(() =>
                document.querySelector('.alternative:nth-child(3) .card-actions :last-child').click());
            const whole = await value();
            assert.ok(whole.startsWith(text) && whole.length > before.length);
            assert.deepEqual(await cards(), []);
            await stored(whole);
            await page.click('#undo');
            assert.deepEqual([await value(), (await cards()).length], [text, 3]);
            await press('Escape');
            assert.deepEqual(await cards(), []);
        });

        test('typing while alternatives are drawn ends them', async () => {
            await set(page, {maxTokens: 200});
            await page.fill('#text', 'The light');
            await page.click('#draw');
            await page.until(() => [...document.querySelectorAll('.card-text')].some(({textContent}) =>
                textContent.trim()));
            await page.type('#text', 's');
            await rested();
            assert.deepEqual([await value(), await cards()], ['The lights', []]);
            await set(page, {maxTokens: 12});
        });

        test('the likeliest next tokens show their probabilities; one is inserted', async () => {
            const chips = () => page.evaluate(
                () => [...document.querySelectorAll('#likely button')].map((chip) => [
                    [...chip.querySelectorAll('bdi .hidden')].map((part) => part.remove())
                        && chip.querySelector('bdi').textContent,
                    parseFloat(chip.querySelector('small').textContent.replace('<', '')), chip.disabled,
                ]));
            await page.fill('#text', 'The sea');
            await press('Enter', {altKey: true});
            await page.until(() => document.querySelectorAll('#likely button').length === 10);
            const first = await chips(), percents = first.map(([, percent]) => percent),
                index = first.findIndex(([, , isOff]) => !isOff);
            assert.deepEqual(percents, percents.toSorted((a, b) => b - a));
            assert.ok(percents.every((percent) => percent >= 0 && percent <= 100));
            await page.evaluate((index) => {
                window.former = document.querySelector('#likely li');
                document.querySelectorAll('#likely button')[index].click();
            }, index);
            await page.until(() => document.querySelector('#likely li') !== window.former);
            assert.equal((await value()).slice('The sea'.length).replace(/\s/g, ''),
                first[index][0].replace(/[·↵⇥]/g, ''));
            assert.equal(await marked(), (await value()).slice('The sea'.length));
            await page.click('#show-likely');
            assert.equal(await page.text('#likely'), '');
        });

        test('of a text that is longer than the context the last part is read, and the page says how much',
            async () => {
            const text = Array.from({length: 300}, (_, i) => `Line ${i} of the old book.`).join('\n');
            assert.ok(await continueText(page, text));
            const numbers = (await page.text('#window-note')).match(/[\d,.]+/g)
                .map((number) => Number(number.replace(/\D/g, '')));
            const tokens = await page.evaluate(() =>
                [...document.querySelectorAll('#facts-list dd')].map(({textContent}) => textContent)
                    .find((text) => text.endsWith('of 256')));
            assert.ok(numbers[0] > CONTEXT / 4 && numbers[0] < CONTEXT && numbers[1] > 1500, `${numbers}`);
            const written = parseInt(tokens) - numbers[0];      // it may end by itself
            assert.ok(written >= 0 && written <= 12, `${tokens}, ${numbers}`);
            assert.equal(await shown(), await value());
            await continueText(page, 'Short.');
            assert.equal(await page.text('#window-note'), '');
        });

        test('all that is shown is stored already', async () => {
            await set(page, {maxTokens: 150});
            await page.evaluate(() => {
                const {put} = IDBObjectStore.prototype;
                window.kept = '';
                window.early = [];
                IDBObjectStore.prototype.put = function (value, key) {
                    if (this.name === 'documents')
                        this.transaction.addEventListener('complete', () => { window.kept = value; });
                    return put.call(this, value, key);
                };
                window.looked = 0;
                const look = () => {
                    const shown = document.getElementById('mirror').textContent.replace('\u200b', '');
                    window.looked++;
                    if (document.getElementById('text').readOnly && shown.length > 'Short.'.length
                        && shown.length > window.kept.length) window.early.push([shown, window.kept]);
                };
                new MutationObserver(look).observe(document.getElementById('mirror'),
                    {childList: true, subtree: true});
            });
            assert.ok(await continueText(page, 'Short.'));
            assert.deepEqual(await page.evaluate(() => window.early), []);
            assert.ok(await page.evaluate(() => window.looked) > 2);
        });

        test('a reload in the middle loses nothing that was shown', async () => {
            await page.fill('#text', 'The sea');
            await page.evaluate(() => {
                window.isBefore = true;
                new MutationObserver(() => {
                    if (!document.querySelector('#mirror mark')) return;
                    sessionStorage.setItem('seen', document.getElementById('mirror')
                        .textContent.replace('\u200b', ''));
                    location.reload();
                }).observe(document.getElementById('mirror'), {childList: true, subtree: true});
                document.getElementById('continue').click();
            });
            const seen = await page.until(() => !window.isBefore && document.getElementById('text')
                .value !== '' && sessionStorage.getItem('seen'));
            assert.ok((await value()).startsWith(seen), `${await value()}: ${seen}`);
        });

        test('another tab shows what is written here; where both write at once, each text is kept',
            async () => {
            const other = await page.tab(), url = await page.evaluate(() => location.href);
            await other.goto(url);
            await other.until(() => document.getElementById('text').value !== '');
            await page.fill('#text', 'Written in one tab.');
            await other.until(() => document.getElementById('text').value === 'Written in one tab.');
            await page.evaluate(async () => {
                const {databaseName} = await import('/modules/app/data/database.js'),
                    id = new URLSearchParams(location.hash.slice(1)).get('id');
                await new Promise((held) => void navigator.locks.request(`${databaseName()} ${id}`,
                    () => new Promise((release) => held(window.release = release))));
            });
            await page.fill('#text', 'Mine.');
            await other.fill('#text', 'Theirs.');
            await page.evaluate(() => void setTimeout(window.release, 500));
            const titles = (tab) => tab.until(() => {
                const titles = [...document.querySelectorAll('#list .list-title')].map(({textContent}) =>
                    textContent);
                return titles.includes('Mine.') && titles.includes('Theirs.') && titles;
            });
            assert.deepEqual((await titles(page)).toSorted(), (await titles(other)).toSorted());
            assert.deepEqual([await value(), await value(other)], ['Mine.', 'Theirs.']);
            await other.close();
        });

        test('what the model still writes for a text is not put into another one', async () => {
            await openFile(page, MODEL);
            await page.click('#tab-writer');
            await page.fill('#text', 'A story');
            await page.evaluate(() => {
                const looking = new MutationObserver(() => {
                    if (!document.querySelector('#mirror mark')) return;
                    looking.disconnect();
                    document.getElementById('new-document').click();
                });
                looking.observe(document.getElementById('mirror'), {childList: true, subtree: true});
                document.getElementById('continue').click();
            });
            await page.until(() => document.getElementById('text').value === '');
            await page.evaluate(() => new Promise((done) => { setTimeout(done, 300); }));
            assert.deepEqual([await value(), await shown(), await page.text('#continue')],
                ['', '', 'Continue']);
            assert.deepEqual(await page.problems(), []);
        });
    });
}
