// The catalogue and the models that are kept: what would run here, going on after an interruption, copies of one's own files, checking, repairing,
// exporting, deleting, and other tabs.

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {before, describe, test} from 'node:test';
import {ensureModel} from '../../../web/node/setup.js';
import {listSite, readSite} from '../../../web/node/site.js';
import {opened, revisit, screen, start, shownError} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const MODEL = await ensureModel();
const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const NAME = 'Gemma 3 270M', CHUNK = 16 << 20;

/** A browser on a connection that is to save data, as far as the page can tell. */
const SAVING = 'if (localStorage.saveData) Object.defineProperty(navigator, "connection", {value: {saveData: true}});\n';

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testModels(name) {
    describe('catalogue and stored models', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;
        /** @type {import('../harness/servers.js').TestServer} */
        let site;
        let stallAfter = Infinity;      // bytes of the model, after which the server says nothing more

        const modelRequests = () => site.requests.filter(({path}) => path.startsWith('/models/'));
        const row = (model) => page.until((model) => [...document.querySelectorAll('#stored-list li')].find((li) => li.innerText.startsWith(model))?.innerText, model);
        /** By script: WebKit's driver calls some buttons of the list not interactable, or says that something lies over them. */
        const click = (selector) => page.evaluate((selector) => document.querySelector(selector).click(), selector);
        const press = async (what, model) => {
            const label = `${what}: ${model}`;
            await page.until((label) => document.querySelector(`#stored [aria-label="${label}"]`)?.checkVisibility(), label);
            await click(`#stored [aria-label="${label}"]`);
        };
        const backToModels = async () => {
            await page.click('#change-model');
            await screen(page, 'welcome');
        };
        const agree = () => page.evaluate(() => { window.confirm = () => true; });       // WebDriver has no say in time

        before(async () => {
            site = await lend(startSite({
                models: dirname(MODEL),
                meddle(request, response) {
                    if (request.url === '/app/app.js') {
                        response.writeHead(200, {'Content-Type': 'text/javascript', 'Cross-Origin-Resource-Policy': 'same-origin'}).end(SAVING + readSite('app/app.js', listSite()));
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
            await page.goto(site.url);
        });

        test('the other models are folded away, and say when looked at how they would run; nothing is fetched for that', async () => {
            await page.until(() => document.querySelector('.card') !== null);
            assert.equal(await page.evaluate(() => document.getElementById('more').open), false);
            assert.equal(await page.text('.verdict'), '');
            await page.click('#more summary');
            await page.until(() => /^Runs here: writes about [\d.,]+, reads about [\d.,]+ tokens\/s\.|^Does not run here\./.test(document.querySelector('.verdict').textContent));
            const list = await page.text('#more');
            assert.match(list, /By downloading one of them you accept the Gemma Terms of Use/);
            for (const model of [/Gemma 3 1B IT\s+Chat · 806 MB · context 32,768/, /Gemma 1 7B\s+Base · 5\.01 GB/]) assert.match(list, model);
            await page.click('#more summary');
            assert.deepEqual(page.strangers ?? [], []);
            assert.deepEqual(modelRequests(), []);
        });

        // WebKitGTK does not tell how much room there is, so there is nothing to ask; the download is tested above all the same.
        if (name !== 'webkit') test('where there is too little room, that is asked before anything is fetched, in numbers', async () => {
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
            assert.match(await page.evaluate(() => window.asked), /^This browser has too little room to keep Gemma 3 270M: 253 MB are needed, and 100 MB are free\./);
            await screen(page, 'welcome');
            assert.deepEqual(modelRequests(), []);
            await page.evaluate(() => { StorageManager.prototype.estimate = window.estimate; });
        });

        test('an interrupted download goes on by itself when the page opens, and fetches only what is missing', async () => {
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
            const again = modelRequests().slice(before).map(({range}) => Number(/\d+/.exec(range)[0]) / CHUNK);
            // Several come at once: any of the first may be the one that was kept first.
            assert.deepEqual(again.filter((index) => kept.includes(index)), [], `kept ${kept}, asked again for ${again}`);
        });

        test('what is kept is listed, with its size and when it was used', async () => {
            await backToModels();
            assert.match(await row(NAME), /253 MB on this device · from localhost:\d+ · used today/);
            assert.equal(await page.text('#delete-all'), '');
        });

        test('a copy of one\'s own file is kept where that is wanted, and starts without the file', async () => {
            await page.click('#keep');
            await page.upload('#file', CHAT);
            assert.equal(await opened(page), 'chat');
            await revisit(page);
            assert.match(await row('tiny-gemma3.gguf'), /1\.4 MB on this device · from a file · used today/);
            await press('Start', 'tiny-gemma3.gguf');
            assert.equal(await opened(page), 'chat');
            await backToModels();
        });

        test('checking finds a damaged piece, and repairing fetches that one alone', async () => {
            await press('Check what is stored', NAME);
            await page.until(() => /All 16 pieces are as they came/.test(document.getElementById('stored-list').innerText));
            await page.evaluate(async (id) => {
                const done = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
                const db = await done(indexedDB.open('gemma-weights'));
                const chunks = () => db.transaction('chunks', 'readwrite').objectStore('chunks'), key = [new URL(id, document.baseURI).href, 5];
                const record = await done(chunks().get(key)), bytes = new Uint8Array(await new Response(record).arrayBuffer());
                bytes[1234567] ^= 4;
                await done(chunks().put(record instanceof Blob ? new Blob([bytes]) : bytes.buffer, key));
                db.close();
            }, 'models/gemma-3-270m-q4_k_m.gguf');
            await press('Check what is stored', NAME);
            await page.until(() => /· damaged ·/.test(document.getElementById('stored-list').innerText));
            const before = modelRequests().length;
            await press('Repair', NAME);
            await page.until(() => document.querySelector('[aria-label="Repair: Gemma 3 270M"], [aria-label^="Cancel"]') === null);
            assert.deepEqual(modelRequests().slice(before).map(({range}) => range), [`bytes=${5 * CHUNK}-${6 * CHUNK - 1}`]);
            await press('Check what is stored', NAME);
            await page.until(() => /All 16 pieces are as they came/.test(document.getElementById('stored-list').innerText));
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
            await page.until(() => /Saved as tiny-gemma3\.gguf/.test(document.getElementById('stored-list').innerText));
            const [model, digests] = await page.evaluate(() => Promise.all(window.blobs.map(async (blob) => {
                const bytes = await blob.arrayBuffer(), digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
                return {size: bytes.byteLength, digest: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''), text: bytes.byteLength < 1e5 ? await blob.text() : ''};
            })));
            const expected = createHash('sha256').update(readFileSync(CHAT)).digest('hex');
            assert.equal(model.digest, expected);
            const manifest = JSON.parse(digests.text);
            assert.deepEqual([manifest.file, manifest.size, manifest.sha256], ['tiny-gemma3.gguf', model.size, expected]);
        });

        test('a model that another tab uses is not deleted, and the page says so', async () => {
            await agree();
            await page.evaluate(async (id) => {
                await new Promise((held) => {
                    navigator.locks.request(`gemma-use ${new URL(id, document.baseURI).href}`, {mode: 'shared'}, () => new Promise((letGo) => {
                        window.letGo = letGo;
                        held();
                    }));
                });
            }, 'models/gemma-3-270m-q4_k_m.gguf');
            await press('Delete from this device', NAME);
            assert.equal((await shownError(page)).title, 'This model is in use');
            await page.click('#error-close');
            await click('#delete-all');
            await page.until(() => /still here: gemma-3-270m/.test(document.getElementById('notice').innerText));
            assert.match(await row(NAME), /253 MB/);
            assert.doesNotMatch(await page.text('#stored'), /tiny-gemma3/);
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
                window.channel.postMessage({phase: 'download', bytes: 100e6, total: 253113024, rate: 5e6, secondsLeft: 30});
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

        test('a cancelled download waits; one on a connection that is to save data, too, with a word', async () => {
            // Of what the figures show, all may be parts of chunks, of which none is kept.
            await page.until(async () => {
                const {Gemma} = await import(new URL('gemma.js', document.baseURI).href);
                return (await Gemma.models.list()).some(({id, storedBytes}) => id.includes('270m') && storedBytes > 0);
            });
            await page.click('#cancel-loading');
            await screen(page, 'welcome');
            await page.until(() => /MB of 253 MB on this device/.test(document.querySelector('.card').innerText));
            const before = modelRequests().length;
            await revisit(page);
            await page.until(() => /Continue the download/.test(document.querySelector('.card')?.innerText));
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
            await page.evaluate(() => {
                localStorage.removeItem('gemma-cancelled');
                localStorage.saveData = '1';
            });
            await revisit(page);
            await page.until(() => /Gemma 3 270M was interrupted.*save data/.test(document.getElementById('notice').innerText));
            assert.equal(await page.evaluate(() => document.body.dataset.screen), 'welcome');
            assert.equal(modelRequests().length, before);
            await page.evaluate(() => localStorage.removeItem('saveData'));
        });

        test('all this left nothing on the console', async () => {
            assert.deepEqual(await page.problems(), []);
        });
    });
}
