// Settings as a person has them: defaults, settings of one conversation, presets, answers of a form, and how
// full the context is.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {before, describe, test} from 'node:test';
import {openFile, say, screen, set, visit} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startSite} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const AXE = `() => {\n${readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')}\n}`;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testSettings(name) {
    describe('settings', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page;

        const open = async () => {
            await page.click('#open-settings');
            await page.until(() => document.getElementById('preset') && document.getElementById('prompt-library'));
        };
        const close = async () => {
            await page.click('#settings header button');
            await page.until(() => !document.getElementById('settings').open);
        };
        const value = (key) => page.evaluate((key) => document.getElementById(`setting-${key}`).value, key);
        const scope = (index) =>
            page.evaluate((index) => document.querySelectorAll('.scopes button')[index].click(), index);
        const choose = (id, label) => page.evaluate((id, label) => {
            const field = document.getElementById(id);
            field.value = [...field.options].find(({textContent}) => textContent === label).value;
            field.dispatchEvent(new Event('change', {bubbles: true}));
        }, id, label);
        const kept = () => page.evaluate(() => localStorage.getItem(`gemma-settings ${location.pathname}`));
        const leave = async (id) => {
            await page.evaluate((id) => document.querySelector(`#${id} header button`).click(), id);
            await page.until((id) => !document.getElementById(id), id);
        };
        const findings = async () => {
            if (await page.evaluate(() => typeof axe === 'undefined')) await page.evaluate(AXE);
            return page.evaluate(async (values) => (await axe.run({runOnly: {type: 'tag', values}}))
                .violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), RULES);
        };

        before(async () => {
            const site = await lend(startSite());
            page = await lend(openBrowser(name));
            await visit(page, site.url);
            await set(page, {temperature: 0, maxTokens: 8, contextLength: 256});
            await openFile(page, CHAT);
            await screen(page, 'chat');
        });

        test('what is set in a conversation holds there alone, and goes back to the default', async () => {
            await say(page, 'Who keeps the light?');
            await set(page, {maxTokens: 1, topK: 7});
            assert.deepEqual(JSON.parse(await kept()), {temperature: 0, maxTokens: 8, contextLength: 256});
            assert.match((await say(page, 'And who else?')).foot, /^1 token .*maximum answer length/);
            await open();
            assert.deepEqual([await value('maxTokens'), await value('topK'), await value('temperature')],
                ['1', '7', '0']);
            await scope(1);
            assert.deepEqual([await value('maxTokens'), await value('topK')], ['8', '64']);
            await scope(0);
            await page.evaluate(() => document.getElementById('setting-maxTokens').closest('.setting')
                .querySelector('.reset').click());
            assert.equal(await value('maxTokens'), '8');
            await page.click('#settings-reset');
            assert.equal(await value('topK'), '64');
            await close();
            assert.doesNotMatch((await say(page, 'And then?')).foot, /^1 token .*maximum answer length/);
        });

        test('a preset is kept under a name, applied and deleted; prompts have a library', async () => {
            await open();
            await page.fill('#setting-topK', '9');
            await page.evaluate(() => document.getElementById('preset').closest('.library')
                .querySelector('.library-buttons button').click());
            await page.type('.library-buttons input', 'Nine\n');
            await page.until(() => document.getElementById('preset')
                .selectedOptions[0].textContent === 'Nine');
            assert.equal(await page.evaluate(() => document.getElementById('settings').open), true,
                'Enter saves, and closes nothing');
            await choose('preset', 'Exact');
            assert.deepEqual([await value('topK'), await value('temperature')], ['64', '0']);
            await page.until(() => [...document.getElementById('preset').options].some(({textContent}) =>
                textContent === 'Nine'));
            await choose('preset', 'Nine');
            assert.equal(await value('topK'), '9');
            await choose('prompt-library', 'Brief answers');
            assert.match(await value('system'), /short/);
            await page.click('#settings-reset');
            assert.equal(await value('system'), '');
            await close();
        });

        test('two presets of one name are a choice each, and replacing one is said', async () => {
            await open();
            const save = async (id, name) => {
                await page.evaluate((id, name) => {
                    const at = document.getElementById(id).closest('.library');
                    at.querySelector('.library-buttons button').click();
                    at.querySelector('input').value = name;
                    at.querySelectorAll('.library-buttons button')[0].click();
                }, id, name);
                await page.until((id, name) => document.getElementById(id)
                    .selectedOptions[0]?.textContent === name, id, name.replace('  ', ' '));
            };
            const note = () => page.text('.library:has(#preset) p');
            await save('preset', 'Of  two');
            assert.equal(await note(), '');
            await save('prompt-library', 'of two');
            await save('prompt-library', 'Of two');
            await choose('preset', 'Choose…');
            await choose('preset', 'Of two');
            await save('preset', 'Of two');
            await page.until(() => document.querySelector('.library:has(#preset) p').textContent !== '');
            await page.evaluate(() => document.querySelectorAll(
                '.library:has(#preset) .library-buttons button')[1].click());
            await page.until(() => document.getElementById('preset').value === '');
            assert.deepEqual(await page.evaluate(() => ['preset', 'prompt-library'].map((id) =>
                [...document.getElementById(id).options].filter(({textContent}) =>
                    /^of two$/i.test(textContent)).length)), [0, 2]);
            await page.click('#settings-reset');
            await close();
        });

        test('what is too long is refused in its row, and the last value stays', async () => {
            await open();
            const refused = (key) => page.evaluate((key) =>
                document.querySelector(`.setting:has(#setting-${key}) .refused`).textContent, key);
            const write = (key, text) => page.evaluate((key, text) => {
                const field = document.getElementById(`setting-${key}`);
                field.value = text;
                field.dispatchEvent(new Event('input'));
            }, key, text);
            const long = 'a word '.repeat(15_000);
            const written = [['system', 'Rhyme.', long], ['schema', '', JSON.stringify({title: long})]];
            for (const [key, good, bad] of written) {
                await write(key, good);
                await write(key, bad);
                await page.until((key) => document.getElementById(`setting-${key}`)
                    .getAttribute('aria-invalid') === 'true', key);
                assert.match(await refused(key), /100,000/);
                await close();
                await open();
                assert.equal(await value(key), good);
            }
            await page.click('#settings-reset');
            await close();
        });

        test('two tabs change the settings of one conversation, and both changes are kept', async () => {
            const other = await lend(page.tab());
            await other.goto(await page.evaluate(() => location.href));
            await other.until(() => document.querySelectorAll('#messages > *').length > 0);
            const write = (tab, key, text) => tab.evaluate((key, text) => {
                const field = document.getElementById(`setting-${key}`);
                field.value = text;
                field.dispatchEvent(new Event('input'));
                document.getElementById('settings').close();
            }, key, text);
            for (const tab of [page, other])
                await tab.evaluate(() => document.getElementById('open-settings').click());
            await write(page, 'system', 'Rhyme.');
            const stored = () => other.evaluate(async () => {
                const {openDatabase, databaseName} = await import('/modules/app/data/database.js');
                const database = await openDatabase(databaseName());
                const all = await database.read(['conversations'], ({conversations}) => conversations.all());
                database.close();
                return all.map(({settings}) => JSON.stringify(settings)).join();
            });
            while (!/"system"/.test(await stored())) await new Promise((later) => { setTimeout(later, 100); });
            await write(other, 'topK', '5');
            while (!/"topK"/.test(await stored())) await new Promise((later) => { setTimeout(later, 100); });
            assert.match(await stored(), /Rhyme/);
            await other.close();
            await open();
            await page.click('#settings-reset');
            await close();
        });

        test('a schema that no answer can be made by is refused by name; with a good one, answers are code',
            async () => {
            await open();
            const refused = () => page.evaluate(() => document.getElementById('setting-schema')
                .closest('.setting').querySelector('.refused').textContent);
            await page.fill('#setting-schema', '{"type": "strin');
            await page.until(() => document.getElementById('setting-schema')
                .getAttribute('aria-invalid') === 'true');
            await page.fill('#setting-schema',
                '{"type": "object", "unevaluatedItems": {"$ref": "#/nowhere"}, "$dynamicRef": "#x"}');
            await page.until(() => /\$dynamicRef|unevaluatedItems|nowhere/.test(
                document.getElementById('setting-schema').closest('.setting').querySelector('.refused')
                    .textContent));
            await page.fill('#setting-schema',
                '{"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": false}');
            await page.until(() => !document.getElementById('setting-schema').hasAttribute('aria-invalid'));
            assert.equal(await refused(), '');
            await page.fill('#setting-maxTokens', '40');
            await close();
            const {text} = await say(page, 'A number?');
            assert.match(text, /\{"n": 7\}/);
            assert.equal(await page.evaluate(() =>
                document.querySelectorAll('#messages > :last-child pre code').length), 1);
        });

        test('what is set holds for what is asked in the same moment', async () => {
            await page.evaluate(() => {
                const at = (id) => document.getElementById(id), {length} = at('messages').children;
                at('open-settings').click();
                const fields = {
                    maxTokens: '41',
                    schema: '{"type": "object", "properties": {"n": {"enum": [8]}}, "required": ["n"], "additionalProperties": false}',
                };
                for (const [key, value] of Object.entries(fields)) {
                    at(`setting-${key}`).value = value;
                    at(`setting-${key}`).dispatchEvent(new Event('input'));
                }
                at('settings').close();
                at('message').value = 'Another one?';
                at('chat-form').requestSubmit();
                window.expected = length + 2;
            });
            await page.until(() => document.getElementById('messages').children.length === window.expected
                && document.getElementById('send').textContent === 'Send');
            assert.match((await page.text('#messages > :last-child .body')), /\{"n": 8\}/);
        });

        test('the gauge counts what is typed, shows what does not fit, and what a longer context costs', async () => {
            await page.until(() => /^\d+ of 256 tokens$/.test(
                document.querySelector('#gauge > span:nth-child(2)')?.textContent));
            await page.fill('#message', 'ship '.repeat(300));
            await page.until(() => document.getElementById('gauge').dataset.verdict === 'too-long');
            await page.fill('#message', '');
            await page.until(() => document.getElementById('gauge').dataset.verdict !== 'too-long');
            await open();
            await page.until(() => /\d/.test(document.getElementById('context-cost').textContent));
            const small = await page.text('#context-cost');
            await page.fill('#setting-contextLength', '128');
            await page.until((small) => /\d/.test(document.getElementById('context-cost').textContent)
                && document.getElementById('context-cost').textContent !== small, small);
            await page.fill('#setting-contextLength', '256');
            await page.evaluate(() => document.querySelectorAll('#settings details')
                .forEach((more) => { more.open = true; }));
            assert.deepEqual(await page.problems(), []);
            assert.deepEqual(await findings(), []);
            await page.problems();      // axe's own
            await close();
        });

        test('everything is exported, deleted after being asked twice, and imported again without doubles',
            async () => {
            const press = (label) =>
                page.evaluate((label) =>
                    [...document.querySelectorAll('#data button')].find(({textContent}) =>
                        textContent === label).click(), label);
            const outcome = () => page.until(() => {
                const said = document.querySelector('#data .transfer-outcome')?.textContent;
                return said && said !== 'Working…' && {said};
            });
            const openData = async () => {
                await page.until(() => document.getElementById('open-data').onclick !== null);
                await page.evaluate(() => document.getElementById('open-data').click());
                await page.until(() => document.getElementById('data') !== null);
            };
            const bring = (exported) => page.evaluate((exported) => {
                const files = new DataTransfer(), field = document.getElementById('import-file');
                files.items.add(new File([exported], 'export.json', {type: 'application/json'}));
                field.files = files.files;
                document.querySelector('#data .transfer-outcome').textContent = '';
                field.dispatchEvent(new Event('change'));
            }, exported);
            await page.evaluate(() => {
                window.made = [];
                const create = URL.createObjectURL;
                URL.createObjectURL = (blob) => {
                    window.made.push(blob);
                    return create.call(URL, blob);
                };
                window.HTMLAnchorElement.prototype.click = () => {};       // no download
            });
            // It waits to be sent, and goes with all else.
            await page.evaluate(() => {
                const dataTransfer = new DataTransfer(),
                    drop = () => document.dispatchEvent(new DragEvent('drop',
                        {dataTransfer, bubbles: true, cancelable: true}));
                dataTransfer.items.add(new File(['Secret'], 'secret.txt'));
                document.getElementById('message').value = 'Half a sentence';
                document.getElementById('tab-chat').click();
                drop();
            });
            await page.until(() => /secret\.txt.*token/.test(document.getElementById('attachments')
                .textContent));
            await openData();
            await press('Export as Markdown');
            await outcome();
            await press('Export everything');
            await page.until(() => window.made.length === 2);
            const [markdown, exported] = await page.evaluate(() =>
                Promise.all(window.made.map((blob) => blob.text())));
            assert.match(markdown, /^# Who keeps the light\?/);
            assert.ok(JSON.parse(exported));
            assert.deepEqual(await findings(), []);
            await page.problems();
            await bring(exported);
            assert.match((await outcome()).said, /\b0 conversations/);
            await press('Delete everything…');
            await page.until(() => document.querySelector('#data .notice') !== null);
            await page.evaluate(() => { window.confirm = () => true; });
            await press('Delete for good');
            await page.until(() => !document.getElementById('data') && document.querySelectorAll('#list a')
                .length === 0 && document.body.dataset.screen === 'welcome');
            assert.equal(await kept() ?? '{}', '{}');      // WebDriver has no null
            await page.until(() => document.getElementById('open-data').onclick !== null);
            assert.deepEqual(
                await page.evaluate(() => [
                    document.getElementById('message').value,
                    document.getElementById('attachments').textContent,
                    ...Object.keys(sessionStorage).filter((key) => key.includes('draft')),
                ]), ['', '']);
            await openData();
            await bring(exported);
            assert.match((await outcome()).said, /\b1 conversation\b/);
            await bring(exported);
            await page.until(() => /\b0 conversations/.test(document.querySelector('#data .transfer-outcome')
                .textContent));
            await leave('data');
            assert.deepEqual(await page.evaluate(() =>
                [...document.querySelectorAll('#list .list-title')].map(({textContent}) => textContent)),
                ['Who keeps the light?']);
        });

        test('a blind comparison is drawn, voted on, resumed, and has a result with an interval',
            async () => {
            const press = (label) =>
                page.evaluate((label) =>
                    [...document.querySelectorAll('#compare button')].find(({textContent}) =>
                        textContent === label).click(), label);
            const heading = (pattern) => page.until((pattern) => new RegExp(pattern)
                .test(document.querySelector('#compare h3')?.textContent), pattern);
            const openCompare = async () => {
                await page.evaluate(() => document.getElementById('open-compare').click());
                await page.until(() => document.querySelector('#compare .compare-body')?.children.length > 0);
            };
            await set(page, {maxTokens: 4});
            await openFile(page, CHAT);
            await openCompare();
            await press('Add my latest prompts');
            await page.until(() => /Who keeps the light\?/.test(document.getElementById('compare-prompts')
                .value));
            await page.fill('#compare-prompts', 'One?\nTwo?\nThree?');
            await choose('compare-settings-b', 'Settings as they are now');
            await press('Start');
            await page.until(() => document.querySelector('#compare [role=status]').textContent !== '');
            assert.deepEqual(await findings(), []);
            await page.problems();
            await choose('compare-settings-b', 'Exact');
            await page.evaluate(() => {
                const start = document.querySelector('#compare .actions .primary');
                new MutationObserver((_, looking) => {
                    looking.disconnect();
                    window.held = document.activeElement.tagName;
                }).observe(document.querySelector('#compare .compare-body'), {childList: true});
                start.focus();
                start.click();
            });
            await heading('1 of 3');
            assert.equal(await page.evaluate(() => window.held), 'H2', 'what was pressed is gone');
            const shown = await page.text('#compare .compare-body');
            assert.ok(!/Exact|as they are now/.test(shown), 'nothing says whose answer is whose');
            await press('First');
            await heading('2 of 3');
            await press('Undo');
            await heading('1 of 3');
            await press('Both are good');
            await heading('2 of 3');
            await leave('compare');
            await openCompare();
            await press('Resume');
            await heading('2 of 3');
            await press('Neither');
            await heading('3 of 3');
            assert.deepEqual(await findings(), []);
            await page.problems();
            await press('Both are good');
            await heading('50%');
            assert.match(await page.text('#compare .compare-body'), /between 13% and 87%/);
            assert.deepEqual(await findings(), []);
            await page.problems();
            await leave('compare');
        });

        test('what the model has forgotten is said at its answer, and nowhere else', async () => {
            const notes = () => page.evaluate(() => [...document.querySelectorAll('.dropped')].map((note) =>
                Boolean(note.closest('.model'))));
            await page.click('#new-chat');
            await open();
            await page.fill('#setting-overflow', 'drop-oldest');
            await page.fill('#setting-maxTokens', '8');
            await close();
            for (const word of ['ship', 'lamp', 'book']) {
                await page.fill('#message', `${word} `.repeat(45));
                await say(page, '');
            }
            const seen = await notes();
            assert.ok(seen.length > 0 && seen.every((isInside) => isInside), JSON.stringify(seen));
            await page.click('#new-chat');
            await page.until(() => document.querySelectorAll('#messages > *').length === 0);
            assert.deepEqual(await notes(), []);
        });
    });
}
