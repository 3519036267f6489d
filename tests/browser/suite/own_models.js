// Models of one's own, from the disk and from an address: chats, texts that try to do harm, files and
// servers that fail.

import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {figures, opened, revisit, say, screen, set, loadUrl, openFile, shownError,
    visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {changeStrings} from '../harness/gguf.js';
import {lender} from '../harness/lent.js';
import {sendFile, startServer, startSite} from '../harness/servers.js';
import {checkpoint, quantized} from '../../quantize/tools.js';

const GOLDEN = join(import.meta.dirname, '../../golden');
const CHAT = join(GOLDEN, 'tiny-gemma3.gguf'), BASE = join(GOLDEN, 'tiny-gemma2.gguf');
const BRIEF = {temperature: 0, maxTokens: 12};
const HARM = '<img src=x onerror="window.harmed=true">';
const CORS = {
    'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'range',
    'Cross-Origin-Resource-Policy': 'cross-origin',
};

/** What browsers themselves say of a request that fails, and must fail. */
const ABOUT_REQUESTS = /Failed to load resource|blocked by CORS policy|Cross-Origin Request Blocked|access control checks|Origin .* is not allowed/;

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testOwnModels(name) {
    describe('models of one\'s own', () => {
        const lend = lender();
        const folder = mkdtempSync(join(tmpdir(), 'gemma-own-'));
        after(() => rmSync(folder, {recursive: true, force: true}));
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;
        let firstAnswer;

        /** A file in the scratch folder. @param {string} name @param {Buffer | string} content */
        const file = (name, content) => {
            writeFileSync(join(folder, name), content);
            return join(folder, name);
        };
        const backToModels = async () => {
            await page.click('#new-chat');        // what is open stays open with another model
            await page.click('#change-model');
            await screen(page, 'welcome');
        };

        before(async () => {
            site = await lend(startSite({models: GOLDEN}));
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            await set(page, BRIEF);
        });

        test('a chat model from the disk answers in turns, and remembers what was read before', async () => {
            assert.equal(await openFile(page, CHAT), 'chat');
            assert.equal(await page.text('#transcript-hint'), '');
            const first = await say(page, 'Who keeps the light?');
            assert.ok(first.text.length > 0);
            assert.match(first.foot, /^\d+ tokens? · [\d,.]+ tokens\/s/);
            assert.doesNotMatch(first.foot, /cached/);
            firstAnswer = first.text;
            const second = await say(page, 'And who counts the ships?');
            const [, cached] = /· (\d+) cached/.exec(second.foot);
            assert.ok(Number(cached) > 20, second.foot);
            assert.match((await figures(page)).Reading, new RegExp(`, ${cached} cached$`));
            assert.equal(site.requests.some(({path}) => path.endsWith('.gguf')), false);
        });

        test('a new conversation remembers nothing: the same question has the same answer again',
            async () => {
            await page.click('#new-chat');
            assert.equal(await page.text('#messages'), '');
            assert.equal((await say(page, 'Who keeps the light?')).text, firstAnswer);
        });

        test('a base model chats in a transcript, and the page says so', async () => {
            await backToModels();
            assert.equal(await openFile(page, BASE), 'writer');
            await page.click('#tab-chat');
            assert.match(await page.text('#transcript-hint'), /plain-text transcript/);
            await say(page, 'Who keeps the light?');
            assert.match((await say(page, 'And who counts the ships?')).foot, /\d+ cached/);
        });

        test('what the file, its name, the model and the user write is shown as text, and never runs',
            async () => {
            const hostile = changeStrings(readFileSync(CHAT), (key, value, i) => {
                if (key === 'general.name') return HARM;
                return key === 'tokenizer.ggml.tokens' && !value.startsWith('<') ? `${HARM}${i}` : value;
            });
            await backToModels();
            await page.evaluate(() => {
                window.titles = [];
                const title = document.getElementById('loading-title');
                new MutationObserver(() => window.titles.push(title.textContent)).observe(title,
                    {childList: true});
            });
            await openFile(page, file('<img src=x onerror=window.harmed=true>.gguf', hostile));
            assert.match((await page.evaluate(() => window.titles)).at(-1),
                /^Loading <img src=x onerror=window.harmed=true>\.gguf$/);
            const {text} = await say(page, HARM);
            assert.ok(text.includes(HARM), text);
            await page.click('#tab-writer');
            await page.type('#text', HARM);
            await page.click('#continue');
            await page.until(() => document.getElementById('continue').textContent === 'Continue');
            assert.ok((await page.evaluate(() => document.getElementById('mirror').textContent))
                .startsWith(HARM));
            assert.equal(await page.evaluate(() => document.querySelectorAll('img').length), 0);
            assert.equal(await page.evaluate(() => window.harmed ?? false), false);
            assert.deepEqual(await page.problems(), []);
        });

        test('an address on the same site is downloaded, and offered at the next visit', async () => {
            await backToModels();
            await loadUrl(page, `${site.url}models/tiny-gemma3.gguf`);
            assert.equal(await opened(page), 'chat');
            await revisit(page);
            await page.until(() =>
                /tiny-gemma3\.gguf\s+1\.4 MB on this device · from localhost:\d+ · used today/
                    .test(document.getElementById('stored').innerText));
        });

        test('an address on a site that lets others read is downloaded', async () => {
            const other = await lend(startServer((request, response) => {
                if (request.method === 'OPTIONS') response.writeHead(204, CORS).end();
                else sendFile(request, response, CHAT, CORS);
            }));
            await loadUrl(page, `${other.url}a%20model.gguf?download=true`);
            assert.equal(await opened(page), 'chat');
            assert.ok((await say(page, 'Hello')).text);
            await backToModels();
            assert.match(await page.text('#stored'), /a model\.gguf/);
        });

        test('one command converts a checkpoint; the page opens its manifest, also with the server gone', async () => {
            const model = quantized('checkpoint.gguf', checkpoint('checkpoint-it', 'tiny-gemma3'), 'q4_0',
                '--manifest');
            const other = await startServer((request, response) => sendFile(request, response,
                request.url.endsWith('.json') ? `${model}.json` : model, CORS));
            const url = `${other.url}checkpoint.gguf`, answers = [];
            try {
                for (const isThere of [true, false]) {
                    if (!isThere) await other.close();
                    await loadUrl(page, isThere ? `${url}.json` : url);
                    assert.equal(await opened(page), 'chat');
                    answers.push((await say(page, 'the sea at night')).text);
                    await backToModels();
                }
            } finally {
                await other.close().catch(() => {});
            }
            assert.ok(answers[0]);
            assert.equal(answers[1], answers[0]);
        });

        for (const [what, title, sentence, arrange] of [
            ['a site that does not let others read', 'The model could not be downloaded',
                /does not allow/, async () => {
                const other = await lend(startServer((request, response) => sendFile(request,
                    response, CHAT)));
                await loadUrl(page, `${other.url}model.gguf`);
            }],
            ['a server that is not there', 'The model could not be downloaded',
                /cannot be reached/, async () => {
                const other = await startServer(() => {});
                await other.close();
                await loadUrl(page, `${other.url}model.gguf`);
            }],
            // WebKit tells a worker nothing of what its policy refused.
            ['an address that the page\'s own policy refuses', 'The model could not be downloaded',
                /policy.* http:\/\/127\.0\.0\.1:\d+.*localhost|127\.0\.0\.1:\d+ cannot be reached/,
                async () => {
                const other = await lend(startServer((request, response) => sendFile(request, response,
                    CHAT, CORS)));
                await loadUrl(page, `${other.url.replace('localhost', '127.0.0.1')}model.gguf`);
            }],
            [
                'an address without a file', 'There is no model at that address', /none\.gguf was not found/,
                () => loadUrl(page, `${site.url}models/none.gguf`),
            ],
            [
                'the address of a web page', 'This file cannot be opened', /web page/,
                () => loadUrl(page, site.url),
            ],
            ['a server that dies in the middle', 'The model could not be downloaded',
                /localhost:\d+/, async () => {
                const other = await lend(startServer((request, response) => {
                    response.writeHead(200, {
                        ...CORS, 'Content-Type': 'application/octet-stream', 'Content-Length': 1e6,
                    });
                    response.write(readFileSync(CHAT).subarray(0, 5e5), () => response.destroy());
                }));
                await loadUrl(page, `${other.url}model.gguf`);
            }],
            [
                'a file that was cut off', 'This file cannot be opened', /cut\.gguf/,
                () => page.upload('#file', file('cut.gguf', readFileSync(CHAT).subarray(0, 9e5))),
            ],
            [
                'a file that was cut off in its header', 'This file cannot be opened', /short\.gguf/,
                () => page.upload('#file', file('short.gguf', readFileSync(CHAT).subarray(0, 5e3))),
            ],
            [
                'a file of something else', 'This file cannot be opened', /noise\.gguf/,
                () => page.upload('#file', file('noise.gguf', Buffer.alloc(1e6, 'noise'))),
            ],
            [
                'an empty file', 'This file cannot be opened', /empty\.gguf/,
                () => page.upload('#file', file('empty.gguf', '')),
            ],
            [
                'a web page saved as a model', 'This file cannot be opened', /page\.gguf/,
                () => page.upload('#file', file('page.gguf', '<!doctype html><h1>Sign in</h1>')),
            ],
        ]) {
            test(`${what} is told, and the page goes on working`, async () => {
                await screen(page, 'welcome');
                await arrange();
                const shown = await shownError(page);
                assert.equal(shown.title, title);
                assert.match(shown.message, sentence);
                // What refuses is not the connection.
                if (/policy/.test(shown.message))
                    assert.doesNotMatch(await page.text('#error-advice'), /connection/i);
                await page.click('#error-close');
                await openFile(page, CHAT);
                assert.ok((await say(page, 'Hello')).text);
                await backToModels();
            });
        }

        test('an address that is none is told at the field', async () => {
            await loadUrl(page, 'not an address');
            assert.equal(await page.evaluate(() => document.getElementById('url').validity.customError),
                true);
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
        });

        test('all this left nothing on the console but failed requests', async () => {
            assert.deepEqual((await page.problems()).filter((problem) => !ABOUT_REQUESTS.test(problem)), []);
        });
    });
}
