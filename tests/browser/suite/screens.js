// Every screen in both colour schemes, on a phone and on a desktop: pictures for people's eyes in test-output/, and what a program can judge:
// nothing sticks out sideways, every control has a name, all text has contrast, and axe-core finds nothing.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {before, describe, test} from 'node:test';
import {ensureModel} from '../../../web/node/setup.js';
import {continueText, loadUrl, openFile, opened, say, screen, set, shownError, start} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const OUTPUT = join(import.meta.dirname, '../../../test-output/screens');
const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const MODEL = await ensureModel();
const SIZES = {phone: [390, 844], desktop: [1280, 800]};
const CONTRAST = 4.5;       // WCAG 2, level AA
const AXE = `() => {\n${readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')}\n}`;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const BEGINNING = 'The lighthouse keeper had counted the ships for thirty years before anyone asked him why.';

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testScreens(name) {
    for (const scheme of ['light', 'dark']) {
        describe(`screens, ${scheme}`, () => {
            const lend = lender();
            /** @type {import('../harness/page.js').Page} */
            let page;
            let site;

            /** Judges and pictures what is shown now, in both sizes. */
            const look = async (what) => {
                for (const [device, [width, height]] of Object.entries(SIZES)) {
                    await page.resize(width, height);
                    await page.until((width) => innerWidth === width, width);
                    // What lies half behind the field to write in is too small a target.
                    await page.evaluate(() => document.body.dataset.screen === 'chat' && scrollTo(0, document.documentElement.scrollHeight));
                    await page.until(() => document.getAnimations().every(({effect}) => effect.getTiming().iterations === Infinity));
                    await page.screenshot(join(OUTPUT, `${name}-${device}-${scheme}-${what}.png`));
                    assert.equal(await page.text('#update'), '', `${what} on a ${device}: no other version is there`);
                    const {wide, outgrown, nameless, faint} = await page.evaluate(judge, CONTRAST);
                    assert.ok(wide <= width, `${what} is ${wide} wide on a ${device} of ${width}`);
                    assert.deepEqual(outgrown, [], `${what} on a ${device}: sticks out of what it lies in`);
                    assert.deepEqual(nameless, [], `${what} on a ${device}: controls without a name`);
                    assert.deepEqual(faint, [], `${what} on a ${device}: text with too little contrast`);
                    if (await page.evaluate(() => typeof axe === 'undefined')) await page.evaluate(AXE);
                    assert.deepEqual(await page.evaluate(askAxe, RULES), [], `${what} on a ${device}: what axe-core finds`);
                }
            };

            before(async () => {
                site = await lend(startSite({
                    models: dirname(MODEL),
                    // The beginning of a download that then almost stands still.
                    meddle(request, response) {
                        if (!request.url.startsWith('/models/gemma')) return false;
                        const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
                        response.writeHead(206, {'Content-Type': 'application/octet-stream', 'Content-Range': `bytes ${from}-${to}/253113024`, 'Content-Length': to - from + 1});
                        response.write(Buffer.alloc(9e6));
                        const trickle = setInterval(() => response.write(Buffer.alloc(3e4)), 150);
                        response.on('close', () => clearInterval(trickle));
                        return true;
                    },
                }));
                page = await lend(openBrowser(name, {scheme}));
                await page.goto(site.url);
                assert.equal(await page.evaluate((scheme) => matchMedia(`(prefers-color-scheme: ${scheme})`).matches, scheme), true);
            });

            test('welcome', async () => {
                await page.until(() => document.querySelector('.card') !== null);
                await look('welcome');
            });

            test('the other models', async () => {
                await page.click('#more summary');
                await page.until(() => [...document.querySelectorAll('.verdict')].every(({textContent}) => /^(Runs|Does not run) here/.test(textContent)));
                await look('more');
                await page.click('#more summary');
            });

            test('loading', async () => {
                await start(page);
                await page.until(() => /MB of 253 MB/.test(document.getElementById('loading-figures').textContent));
                await look('loading');
                await page.click('#cancel-loading');
                await screen(page, 'welcome');
            });

            test('error', async () => {
                await loadUrl(page, `${site.url}models/none.gguf`);
                await shownError(page);
                await look('error');
                await page.click('#error-close');
            });

            test('settings', async () => {
                await page.click('#open-settings');
                await look('settings');
                await page.click('#settings header button');
            });

            test('writer, empty and with an answer', async () => {
                await set(page, {temperature: 0, maxTokens: 80});
                await page.upload('#file', MODEL);
                await opened(page);
                await look('writer-empty');
                await continueText(page, BEGINNING);
                await look('writer');
            });

            test('transcript of a base model', async () => {
                await page.click('#tab-chat');
                await look('chat-empty');
                await say(page, 'What did the keeper write into his blue notebook?');
                await say(page, 'And who reads it?');
                await look('chat');
            });

            test('chat with a model that has turns', async () => {
                await set(page, {maxTokens: 12});
                await page.click('#change-model');
                await openFile(page, CHAT);
                await say(page, 'Who keeps the light?');
                await look('turns');
                await page.click('#open-settings');
                await page.fill('#setting-threads', '1');
                await look('settings-loaded');
                await page.click('#settings header button');
            });

            test('alternatives and the likeliest next words', async () => {
                await page.click('#tab-writer');
                await page.fill('#text', BEGINNING);
                await page.click('#draw');
                await page.until(() => document.querySelector('.alternative') && document.getElementById('continue').textContent === 'Continue');
                await page.click('#show-likely');
                await page.until(() => document.querySelector('#likely button') !== null);
                await look('alternatives');
                await page.click('#close-alternatives');
            });

            test('models on the device', async () => {
                await page.click('#change-model');
                await screen(page, 'welcome');
                await page.click('#keep');
                await openFile(page, CHAT);
                await page.click('#change-model');
                await screen(page, 'welcome');
                await page.evaluate(() => document.getElementById('stored').scrollIntoView());
                await look('stored');
            });
        });
    }
}

/** Runs in the page. @param {string[]} rules by their tags @returns {Promise<string[]>} a line for each element at fault */
async function askAxe(rules) {
    // Rules for targets' sizes are off unless they are asked for.
    const {violations} = await axe.run(document, {runOnly: rules, resultTypes: ['violations'], rules: {'target-size': {enabled: true}}});
    return violations.flatMap(({id, nodes}) => nodes.map(({html, failureSummary}) => `${id}: ${html.slice(0, 160)}: ${failureSummary}`));
}

/** Runs in the page. */
function judge(enough) {
    const shown = [...document.body.querySelectorAll('*')].filter((element) => element.checkVisibility() && !element.closest('.hidden, [inert]'));
    const modal = document.querySelector('dialog[open]');
    const considered = shown.filter((element) => !modal || modal.contains(element));

    const outgrown = considered.filter((element) => getComputedStyle(element).display !== 'inline'
        && element.getBoundingClientRect().right > element.parentElement.getBoundingClientRect().right + 1)
        .map((element) => element.outerHTML.slice(0, 120));

    const nameOf = (element) => element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent;
    const nameless = considered.filter((element) => element.matches('button, input, textarea, a, select') && !nameOf(element).trim())
        .map((element) => element.outerHTML.slice(0, 120));

    /** rgb(), rgba() and color(srgb ...) as four numbers from 0 to 1. */
    const colour = (text) => {
        const [r, g, b, a = 1] = text.match(/[\d.]+(e-\d+)?/g).map(Number);
        return text.startsWith('color') ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
    const backdrop = (element) => element ? over(colour(getComputedStyle(element).backgroundColor), backdrop(element.parentElement)) : [1, 1, 1];
    const luminance = (rgb) => rgb.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const faint = [];
    for (const element of considered) {
        const placeholder = element.placeholder && !element.value;
        const text = placeholder ? element.placeholder : [...element.childNodes].filter(({nodeType}) => nodeType === Node.TEXT_NODE).map(({data}) => data).join('').trim();
        // A textarea's own text may be clear, over a mirror that shows it.
        if (!text || (element.matches('textarea') && !placeholder)) continue;
        const {color, opacity} = getComputedStyle(element, placeholder ? '::placeholder' : null);
        const [r, g, b, a] = colour(color);
        if (a === 0) continue;      // WebKit gives the field's own style for its placeholder's
        const under = backdrop(element);
        const [low, high] = [luminance(over([r, g, b, a * opacity], under)), luminance(under)].sort((x, y) => x - y);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < enough) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
    }
    return {wide: document.documentElement.scrollWidth, outgrown, nameless, faint};
}
