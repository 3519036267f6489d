// WebKit with the switch that Safari has on: shared memory for the workers of isolated pages, and so threads.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {figures, openFile, say, set, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');

export function testSafari() {
    describe('shared memory, as in Safari', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser('webkit', {sharedMemory: true}));
            await visit(page, site.url);
        });

        test('the engine runs with threads, and writes what it writes with one', async () => {
            const answers = new Set();
            for (const threads of [1, 2, 3]) {
                await set(page, {temperature: 0, maxTokens: 24, threads});
                await openFile(page, CHAT);
                answers.add((await say(page, 'Who keeps the light?')).text);
                const shown = await figures(page);
                assert.deepEqual([shown.Module, shown.Threads], ['simd128 wasm32', String(threads)]);
                await page.click('#new-chat');      // what is open stays open
                await page.click('#change-model');
            }
            assert.equal(answers.size, 1);
            assert.deepEqual(await page.problems(), []);
        });
    });
}
