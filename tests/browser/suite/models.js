// The catalogue and the models that are kept: what would run here, going on after an interruption, copies of
// one's own files, checking, repairing, exporting, deleting, and other tabs.

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {ensureModel} from '../../../web/node/setup.js';
import {listSite} from '../../../web/node/site.js';
import {OWN, opened, revisit, say, screen, set, start, shownError, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {assertFetched} from '../harness/fetched.js';
import {builtSite, startSite} from '../harness/servers.js';

const MODEL = await ensureModel();
const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const NAME = 'Gemma 3 270M', CHUNK = 16 << 20;

/** A browser on a connection that is to save data, as far as the page can tell. */
const SAVING =
    'if (localStorage.saveData) Object.defineProperty(navigator, "connection", {value: {saveData: true}});\n';

/** Counts the workers that the page has. */
const COUNTING = `window.workers = 0;
window.Worker = class extends Worker {
    constructor(...given) { super(...given); window.workers++; }
    terminate() { super.terminate(); window.workers--; }
};
`;

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testModels(name) {
    describe('catalogue and stored models', () => {
        const lend = lender(), folder = mkdtempSync(join(tmpdir(), 'gemma-models-'));
        after(() => rmSync(folder, {recursive: true, force: true}));
        /** @type {import('../harness/page.js').Page} */
        let page;
        /** @type {import('../harness/servers.js').TestServer} */
        let site;
        let stallAfter = Infinity;      // bytes of the model, after which the server says nothing more
        let isElsewhere = false;        // the catalogue's other models come from a host that nobody reaches

        let seen = 0;                   // requests, when the story begins
        const modelRequests = () => site.requests.slice(seen).filter(({path}) => path.startsWith('/models/'));
        const row = (model) => page.until((model) =>
            [...document.querySelectorAll('#stored-list li')].find((li) =>
                li.innerText.startsWith(model))?.innerText, model);
        /**
         * By script: WebKit's driver calls some buttons of the list not interactable, or says that something
         * lies over them.
         */
        const click = (selector) => page.evaluate((selector) => document.querySelector(selector)
            .click(), selector);
        const press = async (what, model) => {
            const label = `${what}: ${model}`;
            await page.until((label) =>
                document.querySelector(`#stored [aria-label="${label}"]`)?.checkVisibility(), label);
            await click(`#stored [aria-label="${label}"]`);
        };
        const backToModels = async () => {
            await page.click('#change-model');
            await screen(page, 'welcome');
        };
        // WebDriver has no say in time
        const agree = () => page.evaluate(() => { window.confirm = () => true; });

        before(async () => {
            const sources = listSite(), app = join(folder, 'app.js');
            writeFileSync(app, SAVING + COUNTING + readFileSync(sources.get('app/app.js'), 'utf8'));
            site = await lend(startSite({
                folder: await builtSite(sources.set('app/app.js', app), 'saving'), models: dirname(MODEL),
                meddle(request, response) {
                    if (isElsewhere && request.url === '/models.json') {
                        const list = readFileSync(sources.get('models.json'), 'utf8')
                            .replaceAll('https://huggingface.co/', 'http://localhost:1/');
                        response.writeHead(200, {'Content-Type': 'application/json'}).end(list);
                        return true;
                    }
                    if (!request.url.startsWith('/models/') || stallAfter === Infinity) return false;
                    const {write} = response;
                    response.write = (block, ...rest) => {
                        stallAfter -= block.length;
                        return stallAfter < 0 ? false : write.call(response, block, ...rest);
                    };
                    return false;
                },
            }));
            page = await lend(openBrowser(name));
            await visit(page, site.url);
        });

        test('the largest chat model that is fast enough is found below the site\'s own; nothing jumps or is fetched', async () => {
            const look = () => page.evaluate((own) => {
                const [first, second] = document.getElementById('offered').children;
                return {
                    first: first.dataset.offer, isWaiting: Boolean(second.querySelector('progress')),
                    texts: [first, second].map(({innerText}) => innerText),
                    top: document.querySelector(own).getBoundingClientRect().top,
                };
            }, OWN);
            await page.evaluate(() => localStorage.removeItem(`gemma-verdicts ${location.pathname}`));
            await page.reload();
            await page.until(() => document.getElementById('offered').children.length === 2);
            const before = await look();
            assert.deepEqual([before.first, before.isWaiting], ['default', true]);
            await page.until(() => window.workers > 0);
            await page.click('#new-conversation');
            // Nobody looks at the models: nothing is measured.
            await page.until(() => window.workers === 0);
            await backToModels();
            await page.until(() => document.querySelector('.finding progress') === null);
            const after = await look(),
                {found} = JSON.parse(await page.evaluate(() =>
                    localStorage.getItem(`gemma-verdicts ${location.pathname}`)));
            assert.ok(Math.abs(after.top - before.top) < 0.1,
                `the first card was at ${before.top} and is at ${after.top}`);
            // Which one it is, this machine says.
            const speeds = Object.values(found).map(({decode}) => decode),
                best = speeds.find((speed) => speed >= 8);
            if (best) assert.match(after.texts[1],
                /^Gemma .* IT\s+Recommended\s+Chat model\s+[\d.]+ [MG]B\s+The largest chat model.*: about [\d.]+ tokens\/s, after one download of .* from huggingface\.co\.\s+Download and start/);
            else assert.match(after.texts[1], /^None of the chat models/);
            await page.reload();
            await page.until(() => document.querySelector('.card') !== null);
            // of what is known at once, the better one comes first
            if (best) assert.deepEqual((await look()).texts.map((text) => text.slice(0, 30)),
                after.texts.toReversed().map((text) => text.slice(0, 30)));
            assert.deepEqual(Object.values(JSON.parse(await page.evaluate(() =>
                localStorage.getItem(`gemma-verdicts ${location.pathname}`))).found).map(({decode}) =>
                    decode), speeds);
            assert.deepEqual(page.strangers ?? [], []);
            assert.deepEqual(modelRequests(), []);
        });

        test('another host\'s terms are shown once; without that host, the site\'s model comes first', async () => {
            isElsewhere = true;
            // fast enough, so that there is something to recommend on every machine
            await page.evaluate(() => {
                const kept = JSON.parse(localStorage.getItem(`gemma-verdicts ${location.pathname}`));
                for (const verdict of Object.values(kept.found)) if (verdict.fits) verdict.decode = 10;
                localStorage.setItem(`gemma-verdicts ${location.pathname}`, JSON.stringify(kept));
            });
            await revisit(page);
            const press = (selector) => page.until((selector) => {
                const button = document.querySelector(selector);
                button?.click();
                return Boolean(button);
            }, selector);
            const first = '[data-offer=recommended] .actions button';
            await page.until(() => /localhost:1\./.test(
                document.querySelector('[data-offer=recommended]')?.innerText));
            await press(first);
            await page.until(() => document.getElementById('terms')?.open);
            assert.match(await page.text('#terms'),
                /comes under the Gemma Terms of Use and the Gemma Prohibited Use Policy\..* comes from localhost:1\./s);
            assert.deepEqual(await page.evaluate(() =>
                [...document.querySelectorAll('#terms a')].map(({href, rel, target}) => [href, rel,
                    target].join(' '))),
                ['terms', 'prohibited_use_policy'].map((path) =>
                    `https://ai.google.dev/gemma/${path} noreferrer noopener _blank`));
            await press('#terms .actions :last-child');
            await page.until(() => document.getElementById('terms') === null);
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
            await press(first);
            await press('#terms .primary');
            assert.equal((await shownError(page)).title, 'The model could not be downloaded');
            await page.until(() => document.querySelector('.card').dataset.offer === 'default');
            await page.evaluate(() => { document.getElementById('more').open = true; });
            await press('#more-list [aria-label$=": Gemma 3 1B"]');
            // begun without a question
            await page.until(() => document.getElementById('error').hidden);
            await shownError(page);
            assert.equal(await page.text('#error-other'), 'Use Gemma 3 270M from this site');
            stallAfter = 0;
            await press('#error-other');
            await page.until(() => document.body.dataset.screen === 'loading');
            await page.until(() => /Gemma 3 270M/.test(document.getElementById('loading-title').textContent));
            await page.click('#cancel-loading');
            await screen(page, 'welcome');
            stallAfter = Infinity;
            isElsewhere = false;
            await page.evaluate(() => localStorage.clear());
            await page.problems();      // the browser's own line about the host
            seen = site.requests.length;
            await revisit(page);
        });

        test('the other models are folded away, and show how they would run, without a fetch', async () => {
            await page.until(() => document.querySelector('.card') !== null);
            assert.equal(await page.evaluate(() => document.getElementById('more').open), false);
            assert.equal(await page.text('.verdict'), '');
            await page.click('#more summary');
            await page.until(() =>
                /^Runs here: writes about [\d.,]+, reads about [\d.,]+ tokens\/s\.|^Does not run here\./
                    .test(document.querySelector('.verdict').textContent));
            const list = await page.text('#more');
            assert.match(list, /By downloading one of them you accept the Gemma Terms of Use/);
            for (const model of [/Gemma 3 1B IT\s+Chat · 806 MB · context 32,768/,
                /Gemma 1 7B\s+Base · 5\.01 GB/]) assert.match(list, model);
            await page.click('#more summary');
            assert.deepEqual(page.strangers ?? [], []);
            assert.deepEqual(modelRequests(), []);
        });

        // WebKitGTK does not tell how much room there is, so there is nothing to ask; the download is tested
        // above all the same.
        if (name !== 'webkit') test(
            'where there is too little room, that is asked before anything is fetched, in numbers',
            async () => {
            await page.evaluate(() => {
                window.estimate = navigator.storage.estimate;
                StorageManager.prototype.estimate = async () => ({quota: 150e6, usage: 50e6});
                window.confirm = (sentence) => {
                    window.asked = sentence;
                    return false;
                };
            });
            await start(page);
            await page.until(() => window.asked);
            assert.match(await page.evaluate(() => window.asked), / Gemma 3 270M: 253 MB .* 100 MB /);
            await screen(page, 'welcome');
            assert.deepEqual(modelRequests(), []);
            await page.evaluate(() => { StorageManager.prototype.estimate = window.estimate; });
        });

        test('an interrupted download resumes when the page opens, and fetches what is missing', async () => {
            stallAfter = 110e6;
            await start(page);
            const kept = await page.until(() => new Promise((resolve) => {
                const request = indexedDB.open('gemma-weights');
                request.onsuccess = () => {
                    const keys = request.result.transaction('chunks').objectStore('chunks').getAllKeys();
                    keys.onsuccess = () => {
                        request.result.close();
                        resolve(keys.result.length > 0 && keys.result.map(([, index]) => index));
                    };
                };
            }));
            stallAfter = Infinity;
            const before = modelRequests().length;
            await revisit(page);
            assert.equal(await opened(page), 'writer');
            const again = modelRequests().slice(before)
                .map(({range}) => Number(/\d+/.exec(range)[0]) / CHUNK);
            // Several come at once: any of the first may be the one that was kept first.
            assert.deepEqual(again.filter((index) => kept.includes(index)), [],
                `kept ${kept}, asked again for ${again}`);
        });

        test('what is kept is listed, with its size and when it was used', async () => {
            await backToModels();
            assert.match(await row(NAME), /253 MB on this device · from localhost:\d+ · used today/);
            assert.equal(await page.text('#delete-all'), '');
        });

        test('a copy of one\'s own file is kept where that is wanted, and starts without the file',
            async () => {
            await page.click('#keep');
            await page.upload('#file', CHAT);
            assert.equal(await opened(page), 'chat');
            await revisit(page);
            assert.match(await row('tiny-gemma3.gguf'), /1\.4 MB on this device · from a file · used today/);
            await press('Start', 'tiny-gemma3.gguf');
            assert.equal(await opened(page), 'chat');
        });

        test('two models are compared blind: a vote counts for the right one', async () => {
            await set(page, {maxTokens: 8, temperature: 0});
            await say(page, 'Who keeps the light?');
            const kept = () => page.evaluate(async () => {
                const done = (request) =>
                    new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
                const db = await done(indexedDB.open(`gemma-app ${location.pathname}`)),
                    all = (name) => done(db.transaction(name).objectStore(name).getAll());
                const [[{model}], others] = await Promise.all([all('conversations'), all('kept')]);
                db.close();
                return {model: model.name, comparison: others.find(({prompts}) => prompts)};
            });
            assert.equal((await kept()).model, 'tiny-gemma3.gguf');
            await click('#open-compare');
            await page.until(() => document.getElementById('compare-prompts'));
            await page.fill('#compare-prompts', 'The sea\nThe light\nThe keeper');
            await click('#compare .actions .primary');
            const answers = [], choices = ['first', 'second', 'first'];
            for (const [i, choice] of choices.entries()) {
                const shown = await page.until((i) =>
                    /^Prompt (\d)/.exec(document.querySelector('#compare h3')?.textContent)?.[1] === String(i
                        + 1) && {
                    prompt: document.querySelector('#compare blockquote').textContent,
                    all: document.querySelector('#compare .compare-body').innerText,
                    answers: [...document.querySelectorAll('#compare article .body')].map(({textContent}) =>
                        textContent.trim()),
                }, i);
                assert.doesNotMatch(shown.all, /Gemma 3 270M|tiny-gemma3/);
                answers.push({prompt: shown.prompt, chosen: shown.answers[choice === 'first' ? 0 : 1]});
                await click(`#compare .votes :nth-child(${choice === 'first' ? 1 : 2})`);
            }
            await page.until(() => document.querySelector('#compare .interval') !== null);
            const {model, comparison: {prompts, sides, answers: drawn, votes, order}} = await kept();
            assert.deepEqual(sides.map((side) => side.name.split(' · ')[0]), ['tiny-gemma3.gguf', NAME]);
            assert.notDeepEqual(drawn[0], drawn[1], 'two models answered');
            assert.deepEqual(order.map(({prompt}) => prompts[prompt]), answers.map(({prompt}) => prompt));
            const plain = (text) => text.replace(/[^\p{L}\p{N}]/gu, '');        // Markdown is drawn
            assert.deepEqual(answers.map(({prompt, chosen}, i) =>
                plain(drawn[votes[i] === 'a' ? 0 : 1][prompts.indexOf(prompt)]) === plain(chosen)),
                [true, true, true]);
            const wins = votes.filter((vote) => vote === 'a').length;
            assert.deepEqual(await page.evaluate(() =>
                [...document.querySelectorAll('#compare .keys dd')].map(({textContent}) => textContent)),
                [wins, 3 - wins, 0, 0].map(String));
            assert.equal(model, 'tiny-gemma3.gguf');
            await click('#compare header button');
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'chat',
                'what was open is shown again');
            await say(page, 'And who lights it?');
            assert.equal((await kept()).model, 'tiny-gemma3.gguf');
            // What is chosen for a text is not the conversation's behind it.
            await click('#new-document');
            await screen(page, 'writer');
            await backToModels();
            await start(page);
            assert.equal(await opened(page), 'writer');
            assert.equal((await kept()).model, 'tiny-gemma3.gguf');
            await page.evaluate(() => localStorage.removeItem(`gemma-settings ${location.pathname}`));
            await backToModels();
        });

        test('checking finds a damaged piece, and repairing fetches that one alone', async () => {
            await press('Check what is stored', NAME);
            await page.until(() => /All 16 chunks/.test(document.getElementById('stored-list').innerText));
            await page.evaluate(async (id) => {
                const done = (request) =>
                    new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
                const db = await done(indexedDB.open('gemma-weights'));
                const chunks = () => db.transaction('chunks', 'readwrite').objectStore('chunks'),
                    key = [new URL(id, document.baseURI).href, 5];
                const record = await done(chunks().get(key)),
                    bytes = new Uint8Array(await new Response(record).arrayBuffer());
                bytes[1234567] ^= 4;
                await done(chunks().put(record instanceof Blob ? new Blob([bytes]) : bytes.buffer, key));
                db.close();
            }, 'models/gemma-3-270m-q4_k_m.gguf');
            await press('Check what is stored', NAME);
            await page.until(() => /· damaged ·/.test(document.getElementById('stored-list').innerText));
            const before = modelRequests().length;
            await press('Repair', NAME);
            await page.until(() => document.querySelector(
                '[aria-label="Repair: Gemma 3 270M"], [aria-label^="Cancel"]') === null);
            const repaired = modelRequests().slice(before);
            assertFetched(repaired, [5], 253113024);
            for (const {range} of repaired) assert.ok(range.endsWith(`-${6 * CHUNK - 1}`), range);
            assert.equal(repaired[0].range, `bytes=${5 * CHUNK}-${6 * CHUNK - 1}`);
            await press('Check what is stored', NAME);
            await page.until(() => /All 16 chunks/.test(document.getElementById('stored-list').innerText));
        });

        test('an exported file is the one that was kept, and its digests are beside it', async () => {
            await page.evaluate(() => {
                window.showDirectoryPicker = undefined;       // headless, nobody could answer it
                HTMLAnchorElement.prototype.click = () => {};
                URL.createObjectURL = ((create) => (blob) => {
                    window.blobs = [...window.blobs ?? [], blob];
                    return create.call(URL, blob);
                })(URL.createObjectURL);
            });
            await press('Export to a file', 'tiny-gemma3.gguf');
            await page.until(() => /Saved as tiny-gemma3\.gguf/.test(document.getElementById('stored-list')
                .innerText));
            const [model, digests] = await page.evaluate(() => Promise.all(window.blobs.map(async (blob) => {
                const bytes = await blob.arrayBuffer(),
                    digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
                return {
                    size: bytes.byteLength,
                    digest: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
                    text: bytes.byteLength < 1e5 ? await blob.text() : '',
                };
            })));
            const expected = createHash('sha256').update(readFileSync(CHAT)).digest('hex');
            assert.equal(model.digest, expected);
            const manifest = JSON.parse(digests.text);
            assert.deepEqual([manifest.file, manifest.size, manifest.sha256],
                ['tiny-gemma3.gguf', model.size, expected]);
        });

        test('a model that another tab uses is not deleted, and the page says so', async () => {
            await agree();
            await page.evaluate(async (id) => {
                await new Promise((held) => {
                    navigator.locks.request(`gemma-use ${new URL(id, document.baseURI).href}`,
                        {mode: 'shared'}, () => new Promise((letGo) => {
                        window.letGo = letGo;
                        held();
                    }));
                });
            }, 'models/gemma-3-270m-q4_k_m.gguf');
            await press('Delete from this device', NAME);
            assert.equal((await shownError(page)).title, 'This model is in use');
            await page.click('#error-close');
            await click('#delete-all');
            await page.until(() => /still here: gemma-3-270m/.test(document.getElementById('notice')
                .innerText));
            await page.until(() => /253 MB/.test(document.getElementById('stored').innerText)
                && !/tiny-gemma3/.test(document.getElementById('stored').innerText));
            await page.evaluate(() => window.letGo());
            await page.click('#notice-close');
            await press('Delete from this device', NAME);
            await page.until(() => document.getElementById('stored').hidden);
        });

        test('while another tab downloads, its progress is shown; then this one goes on', async () => {
            await page.evaluate((id) => {
                const name = `gemma-download ${new URL(id, document.baseURI).href}`;
                navigator.locks.request(name, () => new Promise((letGo) => { window.letGo = letGo; }));
                window.channel = new BroadcastChannel(name);
            }, 'models/gemma-3-270m-q4_k_m.gguf');
            await start(page);
            await page.until(() => {
                window.channel.postMessage({
                    phase: 'download', bytes: 100e6, total: 253113024, rate: 5e6, secondsLeft: 30,
                });
                return /^100 MB of 253 MB/.test(document.getElementById('loading-figures').textContent)
                    && /Another tab/.test(document.getElementById('loading-hint').textContent);
            });
            stallAfter = 110e6;
            await page.evaluate(() => {
                window.channel.close();
                window.letGo();
            });
            await page.until(() => !/Another tab/.test(document.getElementById('loading-hint').textContent));
        });

        test('a cancelled download waits; one on a connection that is to save data, too, with a word',
            async () => {
            // Of what the figures show, all may be parts of chunks, of which none is kept.
            await page.until(async () => {
                const {Gemma} = await import(new URL('gemma.js', document.baseURI).href);
                return (await Gemma.models.list()).some(({id, storedBytes}) => id.includes('270m')
                    && storedBytes > 0);
            });
            await page.click('#cancel-loading');
            await screen(page, 'welcome');
            await page.until((own) => /MB of 253 MB on this device/.test(document.querySelector(own)
                .innerText), OWN);
            const before = modelRequests().length;
            await revisit(page);
            await page.until((own) => /Continue the download/.test(document.querySelector(own)?.innerText),
                OWN);
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
            await page.evaluate(() => {
                localStorage.removeItem(`gemma-cancelled ${location.pathname}`);
                localStorage.saveData = '1';
            });
            await revisit(page);
            await page.until(() => /Gemma 3 270M was interrupted.*save data/.test(
                document.getElementById('notice').innerText));
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
            assert.equal(modelRequests().length, before);
            await page.evaluate(() => localStorage.removeItem('saveData'));
        });

        test('all this left nothing on the console', async () => {
            assert.deepEqual(await page.problems(), []);
        });
    });
}
