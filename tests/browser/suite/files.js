// Files beside a message: a text, HTML with scripts, a PDF with some, what is refused, and the three ways for
// what does not fit. The tests are one story.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {closeDialog, openFile, revisit, say, set} from '../harness/app.js';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startStaticHost} from '../harness/servers.js';

const CHAT = join(import.meta.dirname, '../../golden/tiny-gemma3.gguf');
const LONG = Array.from({length: 40}, (_, i) => `Paragraph ${i} says that the keeper counted ${i} ships.`)
    .join('\n\n');

/**
 * A PDF with a page for each text.
 * @param {string[]} pages
 * @param {{catalog?: string, trailer?: string, more?: string[]}} [extra]
 */
function pdfOf(pages, {catalog = '', trailer = '', more = []} = {}) {
    const first = 4 + more.length, objects = [
        `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
        `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, i) => `${first + 2 * i} 0 R`).join(' ')}] >>`,
        '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>', ...more,
        ...pages.flatMap((text, i) => {
            const content = `BT /F1 12 Tf 72 700 Td ${text.split('\n').map((line) => `(${line}) Tj 0 -14 Td`).join(' ')} ET`;
            return [
                `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + 2 * i + 1} 0 R >>`,
                `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
            ];
        }),
    ];
    let text = '%PDF-1.7\n';
    const offsets = objects.map((object, i) => {
        const at = text.length;
        text += `${i + 1} 0 obj\n${object}\nendobj\n`;
        return at;
    });
    const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('')}`;
    return `${text}${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${text.length}\n%%EOF\n`;
}

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testFiles(name) {
    describe('files', () => {
        const lend = lender(), folder = mkdtempSync(join(tmpdir(), 'gemma-files-'));
        /** @type {import('../harness/page.js').Page} */
        let page;
        let site;
        after(() => rmSync(folder, {recursive: true, force: true}));

        const attach = async (file, content) => {
            writeFileSync(join(folder, file), content);
            await page.upload('#attach-file', join(folder, file));
        };
        const attached = (file) => page.until((file) => [...document.querySelectorAll('#attachments li')]
            .find((item) => item.querySelector('strong').textContent === file
                && /token/.test(item.textContent))?.textContent, file);
        const refused = () => page.until(() => document.querySelector('.file-problem')?.textContent);
        const remove = () => page.evaluate(() => document.querySelectorAll('#attachments .icon')
            .forEach((button) => button.click()));
        /** What the dialog says of a file. */
        const read = async (selector) => {
            await page.evaluate((selector) => document.querySelector(`${selector} .file-open`)
                .click(), selector);
            const texts = await page.until(() => document.querySelector('dialog.file-text')
                && [...document.querySelectorAll('dialog.file-text pre')].map((text) => text.textContent));
            await closeDialog(page, 'dialog.file-text');
            return texts;
        };

        before(async () => {
            site = await lend(startStaticHost());
            page = await lend(openBrowser(name));
            await page.goto(site.url);
            await page.until(() => crossOriginIsolated);
            await set(page, {temperature: 1, maxTokens: 8, contextLength: 250});
            await page.until(() => document.getElementById('pick-file').onclick !== null);
            await page.click('#keep');
            await openFile(page, CHAT);
        });

        test('a text is counted, sent with the message, and can be read there', async () => {
            await attach('notes.txt', 'The keeper counts ships.\n');
            assert.match(await attached('notes.txt'), /[1-9]\d* token/);
            await page.until(() => /250/.test(document.querySelector('.files-sum').textContent));
            await say(page, 'What does he count?');
            assert.equal(await page.text('#attachments'), '');
            assert.match(await page.text('#messages .user'), /notes\.txt/);
            assert.deepEqual(await read('#messages .user'), ['The keeper counts ships.\n']);
        });

        test('of HTML the text is read, and nothing in it runs or is fetched', async () => {
            await attach('page.html',
                '<h1>Lamp</h1><script>document.title = "ran"</script><img src="https://example.org/x.png" onerror="document.title = \'ran\'"><p>It burns.</p><svg onload="document.title=\'ran\'"></svg>');
            await attached('page.html');
            assert.deepEqual(await read('#attachments'), ['# Lamp\n\nIt burns.']);
            assert.notEqual(await page.evaluate(() => document.title), 'ran');
            await remove();
        });

        test('of a PDF the text is read, its scripts are not run, and pages are told apart', async () => {
            const script = '<< /S /JavaScript /JS (app.alert\\(1\\); this.submitForm\\("https://example.org/"\\);) >>';
            await attach('book.pdf', pdfOf(['First page\nof the book', 'Second page'],
                {catalog: `/OpenAction 4 0 R`, more: [script]}));
            await attached('book.pdf');
            assert.deepEqual(await read('#attachments'), ['First page\nof the book\n\nSecond page']);
            await say(page, 'What is it?');
            assert.match(await page.text('#messages'), /book\.pdf/);
        });

        test('what cannot be read is refused by a sentence, as text', async () => {
            /** @type {[string, string | Buffer][]} */
            const cases = [
                ['<img src=x onerror=alert(1)>.txt', Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 8])],
                ['empty.txt', ''], ['broken.pdf', '%PDF-1.7\nnothing'], ['picture.pdf', pdfOf([''])],
                ['locked.pdf', pdfOf(['Secret'], {
                    more: [`<< /Filter /Standard /V 1 /R 2 /P -4 /O <${'ab'.repeat(32)}> /U <${'cd'.repeat(32)}> >>`],
                    trailer: `/Encrypt 4 0 R /ID [<${'01'.repeat(16)}> <${'01'.repeat(16)}>]`,
                })],
            ];
            const sentences = new Set();
            for (const [file, content] of cases) {
                await attach(file, content);
                const sentence = await refused();
                assert.ok(sentence.includes(file), sentence);
                sentences.add(sentence.replace(file, ''));
                await remove();
                await page.until(() => !document.querySelector('.file-problem, #attachments li'));
            }
            assert.equal(sentences.size, cases.length);
        });

        test('a message is not sent without a file that it waits for and that proves to be unreadable',
            async () => {
            const seen = await page.evaluate(async () => {
                const field = document.getElementById('message'),
                    before = document.querySelectorAll('#messages > *').length,
                    dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File(['%PDF-1.7\nnothing'], 'broken.pdf'));
                dataTransfer.items.add(new File(['Readable.'], 'whole.md'));
                document.getElementById('messages')
                    .dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
                field.value = 'What do these say?';
                document.getElementById('chat-form').requestSubmit();
                while (!document.querySelector('.file-problem')
                    || !/token/.test(document.querySelector('#attachments li')?.textContent))
                    await new Promise((done) => setTimeout(done, 10));
                await new Promise((done) => setTimeout(done, 100));
                return [
                    field.value, document.querySelectorAll('#attachments li').length,
                    document.querySelectorAll('#messages > *').length - before,
                ];
            });
            assert.deepEqual(seen, ['What do these say?', 1, 0]);
            await page.fill('#message', '');
            await remove();
            await page.until(() => !document.querySelector('.file-problem, #attachments li'));
        });

        /** Attaches what does not fit in a new conversation, and asks. */
        const askLong = async (way, question) => {
            await page.click('#new-chat');
            await attach('long.txt', LONG);
            await page.until(() => document.querySelector('.ways')?.checkVisibility()
                && document.querySelector('.ways legend').textContent.includes('250'));
            await page.evaluate((way) => document.getElementById(`way-${way}`).click(), way);
            await say(page, question);
        };

        test('what does not fit: its first part', async () => {
            await askLong('first', 'What is said?');
            const [asked, whole] = await read('#messages .user');
            assert.ok(LONG.startsWith(asked) && asked.length < whole.length && asked.length > 100);
            assert.equal(whole, LONG);
        });

        test('what does not fit: every part in turn, and all together, which has the form that was asked for',
            async () => {
            const schema = '{"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": false}';
            const setForm = async (schema, maxTokens) => {
                await page.click('#new-chat');
                await page.click('#open-settings');
                await page.fill('#setting-maxTokens', String(maxTokens));
                for (const written of ['{', schema]) {      // it is looked at a little later
                    await page.fill('#setting-schema', written);
                    await page.until((isWrong) => document.getElementById('setting-schema')
                        .hasAttribute('aria-invalid') === isWrong, written === '{');
                }
                await page.click('#settings header button');
            };
            await setForm(schema, 30);
            await askLong('parts', 'Sum it up');
            const asked = await page.evaluate(() =>
                [...document.querySelectorAll('#messages > :last-child pre')].map(({textContent}) =>
                    textContent));
            const answer = await page.evaluate(() => document.querySelector('#messages > :last-child .body')
                .textContent), parts = [...answer.matchAll(/Part (\d+) of (\d+)/g)];
            assert.ok(parts.length > 1 && parts.length === Number(parts[0][2]), answer);
            assert.match(answer, /All parts together/);
            assert.deepEqual(JSON.parse(asked.at(-1)), {n: 7});
            await setForm('', 8);
        });

        test('what does not fit: the passages that have to do with each question', async () => {
            await askLong('search', 'What does paragraph 17 say?');
            assert.match((await read('#messages .user'))[0], /^\[lines? [^\]]+\]\n[^]*\b17\b/);
            await say(page, 'And paragraph 31?');
            assert.match((await read('#messages > :nth-child(3)'))[0], /\b31\b/);
        });

        test('what changes while its file is read is not sent; a file that comes meanwhile is sent, too',
            async () => {
            await page.click('#new-chat');
            const seen = await page.evaluate(async () => {
                const field = document.getElementById('message'), form = document.getElementById('chat-form');
                const drop = (name) => {
                    const dataTransfer = new DataTransfer();
                    dataTransfer.items.add(new File(['Dropped.'], name));
                    document.getElementById('messages').dispatchEvent(new DragEvent('drop',
                        {dataTransfer, bubbles: true, cancelable: true}));
                };
                const {text} = Blob.prototype, {arrayBuffer} = Blob.prototype;
                let read;
                const held = new Promise((done) => { read = done; });
                Blob.prototype.text = async function () { await held; return text.call(this); };
                Blob.prototype.arrayBuffer = async function () { await held; return arrayBuffer.call(this); };
                drop('one.md');
                field.value = 'First';
                form.requestSubmit();
                await new Promise((done) => setTimeout(done));
                field.value = 'First, and more';
                read();
                Object.assign(Blob.prototype, {text, arrayBuffer});
                while (!/token/.test(document.querySelector('#attachments li').textContent))
                    await new Promise((done) => setTimeout(done, 10));
                await new Promise((done) => setTimeout(done, 100));
                const kept = [
                    field.value, document.querySelectorAll('#attachments li').length,
                    document.querySelectorAll('#messages > *').length,
                ];
                form.requestSubmit();
                drop('two.md');
                return kept;
            });
            assert.deepEqual(seen, ['First, and more', 1, 0]);
            await page.until(() => document.getElementById('send').textContent === 'Send'
                && document.querySelectorAll('#messages > *').length === 2);
            const sent = await page.text('#messages .user');
            assert.match(sent, /one\.md[^]*two\.md[^]*First, and more/);
            assert.deepEqual(
                await page.evaluate(() => [
                    document.getElementById('message').value,
                    document.querySelectorAll('#attachments li').length,
                ]), ['', 0]);
        });

        test('what is sent anew while its file is read is sent, as it is then', async () => {
            await page.click('#new-chat');
            await page.evaluate(async () => {
                const field = document.getElementById('message'), form = document.getElementById('chat-form'),
                    dataTransfer = new DataTransfer(), {text, arrayBuffer} = Blob.prototype;
                let read;
                const held = new Promise((done) => { read = done; });
                Blob.prototype.text = async function () { await held; return text.call(this); };
                Blob.prototype.arrayBuffer = async function () { await held; return arrayBuffer.call(this); };
                dataTransfer.items.add(new File(['Held.'], 'held.md'));
                document.getElementById('messages')
                    .dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
                for (const written of ['First', 'Second', 'Second']) {
                    field.value = written;
                    form.requestSubmit();
                    await new Promise((done) => setTimeout(done));
                }
                Object.assign(Blob.prototype, {text, arrayBuffer});
                read();
            });
            await page.until(() => document.getElementById('send').textContent === 'Send'
                && document.querySelectorAll('#messages > *').length === 2);
            assert.match(await page.text('#messages .user'), /held\.md[^]*Second/);
            assert.equal(await page.evaluate(() => document.getElementById('message').value), '');
        });

        test('files can be dropped; a model among them is offered as one', async () => {
            await page.evaluate(() => {
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File(['Dropped.'], 'dropped.md'));
                dataTransfer.items.add(new File(['GGUF'], 'other.gguf'));
                document.getElementById('messages')
                    .dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
            });
            await attached('dropped.md');
            await page.until(() => document.getElementById('notice-text').textContent.includes('other.gguf')
                && !document.getElementById('notice').hidden);
            await remove();
            await page.click('#notice-close');
        });

        test('each conversation has its own unsent message and files, also while they are read', async () => {
            await page.click('#new-chat');
            await page.fill('#message', 'For a new one');
            await attach('new.md', 'New.');
            await attached('new.md');
            const seen = await page.evaluate(async () => {
                const until = async (isSo) => {
                    while (!isSo()) await new Promise((done) => setTimeout(done, 10));
                };
                const shown = () => [document.getElementById('message').value,
                    ...[...document.querySelectorAll('#attachments strong')].map((name) => name.textContent)];
                const {text, arrayBuffer} = Blob.prototype;
                let read;
                const held = new Promise((done) => { read = done; });
                Blob.prototype.text = async function () { await held; return text.call(this); };
                Blob.prototype.arrayBuffer = async function () { await held; return arrayBuffer.call(this); };
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File(['Slow.'], 'slow.md'));
                document.getElementById('messages')
                    .dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
                await until(() => document.querySelectorAll('#attachments li').length === 2);
                const turns = [shown()];
                document.querySelector('#list a').click();
                await until(() => document.querySelectorAll('#messages > *').length);
                turns.push(shown());
                document.getElementById('message').value = 'For another';
                Object.assign(Blob.prototype, {text, arrayBuffer});
                read();
                document.getElementById('new-chat').click();
                await until(() => document.querySelectorAll('#messages > *').length === 0);
                turns.push(shown());
                document.querySelector('#list a').click();
                await until(() => document.querySelectorAll('#messages > *').length);
                turns.push(shown());
                return turns;
            });
            assert.deepEqual(seen.map((turn) => turn.toSorted()), [['For a new one', 'new.md', 'slow.md'], [''],
                ['For a new one', 'new.md', 'slow.md'], ['For another']].map((turn) => turn.toSorted()));
            await page.fill('#message', '');
            await page.click('#new-chat');
            await attached('slow.md');      // what is not read yet is lost by a reload
            await page.reload();
            await page.until(() => document.getElementById('attach').onclick !== null);
            await page.click('#new-chat');
            await attached('new.md');
            await attached('slow.md');
            assert.equal(await page.evaluate(() => document.getElementById('message').value), 'For a new one');
            await page.fill('#message', '');
            await remove();
        });

        test('without the network a PDF is read; a reload keeps what is written and attached', async () => {
            await revisit(page);
            await page.until(() => navigator.serviceWorker.controller !== null
                && document.getElementById('attach').onclick !== null);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await attach('again.pdf', pdfOf(['Read by the worker']));
            await attached('again.pdf');
            await page.fill('#message', 'Half a sentence');
            await site.close();
            await page.reload();
            await page.until(() => document.getElementById('attach').onclick !== null);
            await page.evaluate(() => document.getElementById('new-conversation').click());
            await attached('again.pdf');
            assert.equal(await page.evaluate(() => document.getElementById('message').value),
                'Half a sentence');
            assert.deepEqual(await read('#attachments'), ['Read by the worker']);
            await remove();
            await attach('offline.pdf', pdfOf(['Read offline']));
            await attached('offline.pdf');
            assert.deepEqual(await read('#attachments'), ['Read offline']);
        });

        test('nothing went wrong meanwhile', async () => {
            assert.deepEqual((await page.problems())
                .filter((problem) => !/models\.json|Failed to load|sw\.js/.test(problem)), []);
            assert.deepEqual((page.strangers ?? []).filter((host) => host.includes('example.org')), []);
        });
    });
}
