// Every view of the app (views.js), on a desktop and a phone, in both colour schemes, in English and Arabic:
// nothing sticks out or is cut off, all text has contrast, and axe-core finds nothing. Nor does anything
// stick out on a screen of 320 pixels, or where letters are twice as large.
//
// PICTURES=en,ar node --test --test-name-pattern=screens tests/browser/chromium.test.js makes pictures for
// people's eyes in test-output/screens/, in these languages.

import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {ensureModel} from '../../../web/node/setup.js';
import {visit as comeTo} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {axeFindings, faintTexts, layoutFaults} from '../harness/judge.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';
import {TINY, VIEWS} from './views.js';

const OUTPUT = join(import.meta.dirname, '../../../test-output/screens');
const MODEL = await ensureModel();
const {PICTURES = ''} = process.env;
/** Lines that run to either side are laid out by each engine, but not in each by both. */
const LANGUAGES = {chromium: ['en', 'ar'], firefox: ['en'], webkit: ['ar']};
const SIZES = {desktop: [1280, 800], phone: [390, 844]}, THEMES = ['light', 'dark'];
/** Of which only the layout is judged. @type {[name: string, size: number[], letters: string][]} */
const NARROW = [['320 pixels', [320, 640], ''], ['letters twice as large', [640, 800], '200%']];

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testScreens(name) {
    describe('screens', () => {
        const languages = PICTURES ? PICTURES.split(',') : LANGUAGES[name], lend = lender(),
            folder = mkdtempSync(join(tmpdir(), 'gemma-screens-'));
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;
        /** @type {string[]} */
        const problems = [];
        after(() => rmSync(folder, {recursive: true, force: true}));

        before(async () => {
            site = await lend(startSite({models: dirname(MODEL), meddle: crawl}));
            page = await lend(openBrowser(name));
        });

        const resize = async ([width, height], letters = '') => {
            await page.resize(width, height);
            // The list has moved, too.
            await page.until((width) => innerWidth === width && document.getElementById('sidebar')
                .hasAttribute('popover') === width < 960, width);
            await page.evaluate((letters) => { document.documentElement.style.fontSize = letters; }, letters);
        };

        /**
         * Judges what is shown now.
         * @param {import('./views.js').View} view
         * @param {import('./views.js').Visit} visit
         * @param {string} language
         */
        const look = async ({name: view, each}, visit, language) => {
            const found = {};
            const note = (/** @type {string} */ where, /** @type {string} */ what, /** @type {string[]} */ faults) => {
                if (faults.length) found[`${where}, ${what}`] = faults;
            };
            for (const [device, size] of Object.entries(SIZES)) {
                await resize(size);
                await each?.(visit);
                // What lies half behind the field to write in is too small a target.
                if (!each) await page.evaluate(() => document.body.dataset.screen === 'chat'
                    && !document.querySelector('dialog[open]')
                        && scrollTo(0, document.documentElement.scrollHeight));
                for (const [what, faults] of Object.entries(await layoutFaults(page)))
                    note(device, what, faults);
                for (const theme of THEMES) {
                    await page.evaluate((theme) => {
                        const choice = document.getElementById('theme');
                        choice.value = theme;
                        choice.dispatchEvent(new Event('change'));
                    }, theme);
                    await page.evaluate(() => document.getAnimations().forEach((one) => one.effect.getTiming()
                        .iterations < Infinity && one.finish()));
                    if (PICTURES) await page.screenshot(join(OUTPUT,
                        `${language}-${view}-${device}-${theme}.png`));
                    note(`${device}, ${theme}`, 'faint', await faintTexts(page));
                    // Axe sees the same elements in other browsers and languages, and in another theme only
                    // other colours.
                    if (name !== 'chromium' || language !== languages[0]) continue;
                    problems.push(...await page.problems());
                    note(`${device}, ${theme}`, 'axe',
                        await axeFindings(page, {isColour: theme !== THEMES[0]}));
                }
            }
            for (const [what, size, letters] of NARROW) {
                await resize(size, letters);
                await each?.(visit);
                if (PICTURES) await page.screenshot(join(OUTPUT, `${language}-${view}-${size[0]}.png`));
                for (const [fault, faults] of Object.entries(await layoutFaults(page)))
                    note(what, fault, faults);
            }
            await resize(SIZES.desktop);
            assert.deepEqual(found, {}, view);
        };

        for (const language of languages) {
            describe(language, () => {
                /** @type {import('./views.js').Visit} */
                let visit;

                before(async () => {
                    const words = JSON.parse(readFileSync(join(import.meta.dirname,
                        `../../../web/app/texts/${language}.json`), 'utf8'));
                    visit = {page, site: site.url, words, folder, models: TINY};
                    // As on the first visit, but in another language.
                    await page.goto(`${site.url}app/icons/icon.svg`);
                    await page.evaluate(async (language) => {
                        for (const {name} of await indexedDB.databases()) {
                            await new Promise((done) => {
                                const request = indexedDB.deleteDatabase(name);
                                request.onsuccess = request.onerror = request.onblocked = done;
                            });
                        }
                        localStorage.clear();
                        localStorage.setItem('gemma-language', language);
                    }, language);
                    await comeTo(page, site.url);
                    await page.until((language) => document.documentElement.lang === language, language);
                });

                for (const view of VIEWS) {
                    test(view.name, async () => {
                        await view.go(visit);
                        await look(view, visit, language);
                    });
                }
            });
        }

        test('nothing went wrong meanwhile', async () => {
            assert.deepEqual([...problems, ...await page.problems()].filter((problem) =>
                !/none\.gguf|404/.test(problem)), []);
        });
    });
}

/** The beginning of a download that then almost stands still. */
function crawl(request, response) {
    if (!request.url.startsWith('/models/gemma')) return false;
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
    response.writeHead(206, {'Content-Type': 'application/octet-stream',
        'Content-Range': `bytes ${from}-${to}/253113024`, 'Content-Length': to - from + 1});
    response.write(Buffer.alloc(9e6));
    const trickle = setInterval(() => response.write(Buffer.alloc(3e4)), 150);
    response.on('close', () => clearInterval(trickle));
    return true;
}
