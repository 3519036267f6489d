// Keys of input methods, text that streams into a long one, and what a screen reader finds in every view.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {continueText, figures, openFile, screen, set, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testTyping(name) {
    describe('typing', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            await set(page, {temperature: 0, maxTokens: 16, contextLength: 256});
            await openFile(page, CHAT);
        });

        test('Enter and Escape of an input method neither send nor stop', async () => {
            await screen(page, 'chat');
            for (const composing of [{isComposing: true, keyCode: 13}, {isComposing: false, keyCode: 229}]) {
                await page.fill('#message', 'にほん');
                const seen = await page.evaluate((composing) => {
                    const field = document.getElementById('message'), press = (key) => {
                        const event = new KeyboardEvent('keydown', {
                            key, bubbles: true, cancelable: true, ...composing,
                        });
                        field.dispatchEvent(event);
                        return event.defaultPrevented;
                    };
                    return [
                        press('Enter'), press('Escape'), document.getElementById('messages').children.length,
                        field.value,
                    ];
                }, composing);
                assert.deepEqual(seen, [false, false, 0, 'にほん']);
            }
        });

        test('every view has one heading of the first level, and the messages are a log without a list',
            async () => {
            for (const tab of ['#tab-writer', '#tab-chat']) {
                await page.click(tab);
                assert.equal(await page.evaluate(() =>
                    [...document.querySelectorAll('h1')].filter((heading) => heading.checkVisibility())
                        .length), 1, tab);
            }
            assert.deepEqual(await page.evaluate(() => {
                const log = document.querySelector('[role=log]');
                return [log.tagName, log.querySelectorAll('li').length];
            }), ['DIV', 0]);
        });

        test('what the model adds shows in mirror and field, without a new layout of the rest', async () => {
            await page.click('#tab-writer');
            const before = 'One line.\n\nAnother one';
            await page.fill('#text', before);
            await page.evaluate(() => {
                window.kept = document.getElementById('mirror').firstChild;
                window.touched = 0;
                new MutationObserver((changes) => { window.touched += changes.length; }).observe(window.kept,
                    {childList: true, subtree: true, characterData: true});
            });
            const added = await continueText(page, before);
            assert.ok(added);
            assert.equal(await page.evaluate(() => window.touched), 0);
            assert.deepEqual(
                await page.evaluate(() => [
                    document.getElementById('mirror').textContent,
                    document.querySelector('#mirror mark').textContent,
                ]), [`${before}${added}\u200b`, added]);
        });

        test('drawing leaves the cores to the engine, and loses nothing', async () => {
            const {share, text, drawn} = await page.evaluate(async () => {
                const {everyFrame} = await import('/modules/app/views/dom.js');
                let busy = 0, text = '', drawn = 0;
                const shown = everyFrame((pieces) => {
                    const start = performance.now();
                    while (performance.now() - start < 20);
                    busy += performance.now() - start;
                    text += pieces;
                    drawn++;
                });
                const start = performance.now();
                for (let i = 0; performance.now() - start < 2000; i++) {
                    shown.add('x');
                    await new Promise((done) => setTimeout(done, 4));
                    globalThis.added = i + 1;
                }
                const share = busy / (performance.now() - start);
                shown.end();
                return {share, text: text.length === globalThis.added, drawn};
            });
            assert.ok(share < 0.25, `${share} of the time`);
            assert.ok(drawn > 1 && text);
        });

        test('the kernels that run are shown', async () => {
            assert.match((await figures(page)).Module, /^(simd128|relaxed|relaxed16) wasm32$/);
        });
    });
}
