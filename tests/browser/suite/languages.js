// The page in other languages, colours and by keyboard: what is chosen in the settings holds after a reload,
// lines that run to the left fit, and each shortcut does what the sheet says.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {before, describe, test} from 'node:test';
import {screen, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {layoutFaults} from '../harness/judge.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const SIZES = [[320, 640], [1280, 800]];

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testLanguages(name) {
    describe('languages, colours and keys', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        const ready = () => page.until(() => document.getElementById('pick-file').onclick !== null
            && document.querySelector('.card') !== null && document.getElementById('language')
                .options.length > 1);
        /** Chooses in the settings; another language loads the page again. */
        const choose = async (id, value) => {
            await page.evaluate((id, value) => {
                const select = document.getElementById(id);
                select.value = value;
                select.dispatchEvent(new Event('change'));
            }, id, value);
            if (id === 'language') await page.until((tag) => document.documentElement.lang === tag, value);
            await ready();
        };
        const press = (key, about = {}, target = 'body') => page.evaluate((key, about, target) => {
            const event = new KeyboardEvent('keydown', {
                key, code: /^[A-Z]$/.test(key) ? `Key${key}` : '', bubbles: true, cancelable: true, ...about,
            });
            document.querySelector(target).dispatchEvent(event);
            return event.defaultPrevented;
        }, key, about, target);
        const isMac = () => page.evaluate(() => /mac|iphone|ipad/i.test(navigator.userAgent));
        const held = async () => await isMac() ? {ctrlKey: true, shiftKey: true}
            : {altKey: true, shiftKey: true};
        const isOpen = (id) => page.evaluate((id) => document.getElementById(id).open, id);
        const closeAll = () => page.evaluate(() => document.querySelectorAll('dialog[open]')
            .forEach((dialog) => dialog.close()));
        const open = (id) => page.evaluate((id) => document.getElementById(id).click(), id);

        /** Nothing sticks out on either side, and no text is a key. */
        const look = async (what) => {
            for (const [width, height] of SIZES) {
                await page.resize(width, height);
                // The list has moved, too.
                await page.until((width) => innerWidth === width && document.getElementById('sidebar')
                    .hasAttribute('popover') === width < 960, width);
                for (const [fault, faults] of Object.entries(await layoutFaults(page)))
                    assert.deepEqual(faults, [], `${what} at ${width}: ${fault}`);
            }
        };

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            await ready();
        });

        for (const [tag, dir] of [['ar', 'rtl'], ['de', 'ltr'], ['hi', 'ltr']]) {
            test(`${tag} is read where it is chosen, and everything fits`, async () => {
                await choose('language', tag);
                assert.equal(await page.evaluate(() => document.documentElement.dir), dir);
                const words = JSON.parse(readFileSync(new URL(`../../../web/app/texts/${tag}.json`,
                    import.meta.url), 'utf8'));
                assert.equal(await page.text('#welcome-title'), words['welcome.title']);
                assert.equal(await page.evaluate(() => document.title), words['page.title']);
                await look(`${tag}, welcome`);
                for (const id of ['open-settings', 'open-keys']) {
                    await open(id);
                    await page.until(() => document.querySelector('dialog[open]') !== null);
                    await look(`${tag}, ${id}`);
                    await closeAll();
                }
                for (const kind of ['new-conversation', 'new-document']) {
                    await open(kind);
                    await look(`${tag}, ${kind}`);
                }
            });
        }

        test('in Arabic the list stands on the right, and what points is mirrored', async () => {
            await choose('language', 'ar');
            const {list, scale} = await page.evaluate(() => ({
                list: document.documentElement.clientWidth - document.getElementById('sidebar')
                    .getBoundingClientRect().right,
                    scale: getComputedStyle(document.querySelector('#open-sidebar svg')).scale,
            }));
            assert.deepEqual([Math.round(list), scale], [0, '-1 1']);
            await choose('language', 'en');
        });

        test('light or dark is what was chosen, also after a reload, on any system', async () => {
            const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
            const light = await paper();
            await choose('theme', 'dark');
            const dark = await paper();
            assert.notEqual(dark, light);
            assert.equal(await page.evaluate(() => document.querySelector('meta[name=theme-color]').content),
                dark);
            await page.reload();
            await ready();
            assert.equal(await paper(), dark);
            assert.equal(await page.evaluate(() => document.getElementById('theme').value), 'dark');
            await choose('theme', '');
            assert.equal(await paper(), light);
        });

        test('? opens the sheet, but not in a field, for an input method, or where it is switched off',
            async () => {
            assert.equal(await press('?', {shiftKey: true}, '#search'), false);
            assert.equal(await press('?', {shiftKey: true, isComposing: true}), false);
            assert.equal(await press('?', {shiftKey: true, keyCode: 229}), false);
            assert.equal(await isOpen('keys'), false);
            assert.equal(await press('?', {shiftKey: true}), true);
            await page.until(() => document.getElementById('keys').open);
            assert.equal(await press('O', await held()), false, 'no shortcut reaches through a dialog');
            await open('keys-single');
            await page.click('#keys header button');
            assert.equal(await isOpen('keys'), false);
            assert.equal(await press('?', {shiftKey: true}), false);
            assert.equal(await press('?', await held(), '#search'), true);
            await page.until(() => document.getElementById('keys').open);
            await open('keys-single');
            await closeAll();
        });

        test('each shortcut does what the sheet says', async () => {
            const keys = await held();
            assert.equal(await press('O', {...keys, isComposing: true}), false);
            assert.equal(await press('O', {altKey: true}), false);
            await press('D', keys);
            await screen(page, 'writer');
            await press('O', keys);
            await screen(page, 'chat');
            await press('F', keys);
            assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
            // A keyboard without Latin letters: the key of that place.
            await press('ש', {...keys, code: 'KeyW'});
            assert.equal(await page.evaluate(() => matchMedia('(pointer: coarse)').matches
                || document.activeElement.id === 'message'), true);
            await press('G', keys);
            assert.equal(await isOpen('settings'), true);
            await closeAll();
            await press('H', keys);
            assert.equal(await page.evaluate(() => document.getElementById('sidebar').checkVisibility()),
                false);
            assert.equal(await page.evaluate(() => document.getElementById('open-sidebar').checkVisibility()),
                true);
            await press('H', keys);
            assert.equal(await page.evaluate(() => document.getElementById('sidebar').checkVisibility()),
                true);
            // In the search, Escape leaves what is searched, and stops no answer.
            await page.evaluate(async () => {
                const {listenToKeys} = await import('/modules/app/views/keys.js');
                window.done = [];
                listenToKeys(document, (done) => window.done.push(done), () => {});
            });
            await press('Escape', {}, '#search');
            assert.deepEqual(await page.evaluate(() => window.done), []);
            await press('Escape', {});
            assert.deepEqual(await page.evaluate(() => window.done), ['stop']);
        });
    });
}
