// The page in other languages, colours and by keyboard: what is chosen in the settings holds after a reload, lines that run to the left fit, and each
// shortcut does what the sheet says.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {before, describe, test} from 'node:test';
import {screen} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const AXE = `() => {\n${readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')}\n}`;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SIZES = [[320, 640], [1280, 800]];

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testLanguages(name) {
    describe('languages, colours and keys', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        const ready = () => page.until(() => document.getElementById('pick-file').onclick !== null && document.querySelector('.card') !== null && document.getElementById('language').options.length > 1);
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
            const event = new KeyboardEvent('keydown', {key, code: /^[A-Z]$/.test(key) ? `Key${key}` : '', bubbles: true, cancelable: true, ...about});
            document.querySelector(target).dispatchEvent(event);
            return event.defaultPrevented;
        }, key, about, target);
        const isMac = () => page.evaluate(() => /mac|iphone|ipad/i.test(navigator.userAgent));
        const held = async () => await isMac() ? {ctrlKey: true, shiftKey: true} : {altKey: true, shiftKey: true};
        const isOpen = (id) => page.evaluate((id) => document.getElementById(id).open, id);
        const closeAll = () => page.evaluate(() => document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close()));
        const open = (id) => page.evaluate((id) => document.getElementById(id).click(), id);

        /** Nothing sticks out on either side, no text is a key, and axe finds nothing. */
        const look = async (what) => {
            for (const [width, height] of SIZES) {
                await page.resize(width, height);
                // The list has moved, too.
                await page.until((width) => innerWidth === width && document.getElementById('sidebar').hasAttribute('popover') === width < 960, width);
                const found = await page.evaluate(() => {
                    const shown = [...document.body.querySelectorAll('*')].filter((element) => element.checkVisibility() && !element.closest('.hidden'));
                    const out = shown.filter((element) => {
                        const {left, right} = element.getBoundingClientRect();
                        return left < -1 || right > document.documentElement.clientWidth + 1;
                    });
                    const keys = shown.filter(({children, textContent}) => !children.length && /^[a-z]+\.[a-z-]+$/.test(textContent));
                    return {out: out.map(({outerHTML}) => outerHTML.slice(0, 120)), keys: keys.map(({textContent}) => textContent)};
                });
                assert.deepEqual(found, {out: [], keys: []}, `${what} at ${width}`);
                if (await page.evaluate(() => typeof axe === 'undefined')) await page.evaluate(AXE);
                assert.deepEqual(await page.evaluate(async (rules) => {
                    const {violations} = await axe.run(document, {runOnly: rules, resultTypes: ['violations'], rules: {'target-size': {enabled: true}}});
                    return violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html.slice(0, 160)}`));
                }, RULES), [], `${what} at ${width}: what axe-core finds`);
            }
        };

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await page.goto(site.url);
            await ready();
        });

        for (const [tag, dir] of [['ar', 'rtl'], ['de', 'ltr']]) {
            test(`${tag} is read where it is chosen, and everything fits and is found`, async () => {
                await choose('language', tag);
                assert.equal(await page.evaluate(() => document.documentElement.dir), dir);
                const words = JSON.parse(readFileSync(new URL(`../../../web/app/texts/${tag}.json`, import.meta.url), 'utf8'));
                assert.equal(await page.text('#welcome-title'), words['welcome.title']);
                assert.equal(await page.evaluate(() => document.title), words['page.title']);
                await look(`${tag}, welcome`);
                for (const id of ['open-settings', 'open-keys']) {
                    await open(id);
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
                list: document.documentElement.clientWidth - document.getElementById('sidebar').getBoundingClientRect().right, scale: getComputedStyle(document.querySelector('#open-sidebar svg')).scale,
            }));
            assert.deepEqual([Math.round(list), scale], [0, '-1 1']);
            await choose('language', 'en');
        });

        test('light or dark is what was chosen, also after a reload, whatever the system has', async () => {
            const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
            const light = await paper();
            await choose('theme', 'dark');
            const dark = await paper();
            assert.notEqual(dark, light);
            assert.equal(await page.evaluate(() => document.querySelector('meta[name=theme-color]').content), dark);
            await page.reload();
            await ready();
            assert.equal(await paper(), dark);
            assert.equal(await page.evaluate(() => document.getElementById('theme').value), 'dark');
            await choose('theme', '');
            assert.equal(await paper(), light);
        });

        test('? opens the sheet, but not in a field, for an input method, or where it is switched off', async () => {
            assert.equal(await press('?', {shiftKey: true}, '#search'), false);
            assert.equal(await press('?', {shiftKey: true, isComposing: true}), false);
            assert.equal(await press('?', {shiftKey: true, keyCode: 229}), false);
            assert.equal(await isOpen('keys'), false);
            assert.equal(await press('?', {shiftKey: true}), true);
            assert.equal(await isOpen('keys'), true);
            assert.equal(await press('O', await held()), false, 'no shortcut reaches through a dialog');
            await open('keys-single');
            await page.click('#keys header button');
            assert.equal(await isOpen('keys'), false);
            assert.equal(await press('?', {shiftKey: true}), false);
            assert.equal(await press('?', await held(), '#search'), true);
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
            assert.equal(await page.evaluate(() => matchMedia('(pointer: coarse)').matches || document.activeElement.id === 'message'), true);
            await press('G', keys);
            assert.equal(await isOpen('settings'), true);
            await closeAll();
            await press('H', keys);
            assert.equal(await page.evaluate(() => document.getElementById('sidebar').checkVisibility()), false);
            assert.equal(await page.evaluate(() => document.getElementById('open-sidebar').checkVisibility()), true);
            await press('H', keys);
            assert.equal(await page.evaluate(() => document.getElementById('sidebar').checkVisibility()), true);
        });
    });
}
