// Conversations as they are kept, in each browser: written piece by piece, searched, exported and imported,
// there after a reload, seen by another tab.

import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import {openBrowser} from '../harness/browsers.js';
import {lender} from '../harness/lent.js';
import {startModules} from '../harness/servers.js';

/* global store */

/** Runs in the page. */
async function begin() {
    const {openConversations} = await import('/app/data/conversations.js');
    window.store = await openConversations();
}

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testData(name) {
    describe('data', () => {
        const lend = lender();
        /** @type {import('../harness/page.js').Page} */
        let page, url;

        before(async () => {
            ({url} = await lend(startModules()));
            page = await lend(openBrowser(name));
            await page.goto(url);
            await page.evaluate(begin);
        });

        test('a conversation is kept, found, and seen by another tab; a tab that is gone loses nothing',
            async () => {
            const seen = await page.evaluate(async () => {
                const chat = await store.create(),
                    user = await store.add(chat.id,
                        {role: 'user', content: 'Wie salzig?\nDas Mittelmeer über der Schwelle.',
                            parent: null});
                const {id} = await store.add(chat.id, {role: 'assistant', content: '', parent: user.id,
                    state: 'writing'}), writing = store.write(id);
                for (let i = 0; i < 300; i++) await writing.append(`${i} `);
                const [found] = await store.search('UBER schwelle');
                return {kept: store.isKept, chat: chat.id, id, word: found.excerpt.slice(...found.at)};
            });
            assert.deepEqual([seen.kept, seen.word], [true, 'Schwelle']);
            const other = await page.tab();
            await other.goto(url);
            await other.evaluate(begin);
            const answer = (page) => page.evaluate(async ({chat}) => (await store.read(chat)).at(-1), seen);
            const content = Array.from({length: 300}, (_, i) => `${i} `).join('');
            assert.deepEqual(await answer(other).then(({content, state}) => [content, state]),
                [content, 'writing']);
            await other.evaluate(async ({chat}) => { await store.change(chat, {title: 'Salz'}); }, seen);
            await page.until(() => store.list()[0].title === 'Salz');
            await page.reload();
            await page.evaluate(begin);
            await page.until(async (chat) => (await store.read(chat)).at(-1).state === 'stopped', seen.chat);
            assert.equal((await answer(page)).content, content);
            await other.close();
        });

        test('what is exported is imported, also packed; a saved session is kept', async () => {
            const seen = await page.evaluate(async () => {
                const [{exportAll, importFile}, {keepState, readState}] =
                    await Promise.all([import('/app/data/transfer.js'), import('/app/data/states.js')]);
                const {openConversations} = await import('/app/data/conversations.js'),
                    blob = await exportAll(store), other = await openConversations('other');
                const first = await importFile(other, blob), again = await importFile(other, blob),
                    {id} = store.list()[0];
                const contents = async (each) => (await each.read(id))
                    .map(({id, parent, content}) => [id, parent, content]).join();
                const same = await contents(other) === await contents(store);
                const kept = await keepState(store, id,
                    {model: 'm', dropped: 2, bytes: new Uint8Array(100_000).fill(7)}),
                    state = await readState(store, id, {model: 'm'});
                return {first, again, same, kept, state: [state?.dropped, state?.bytes.length,
                    state?.bytes[99_999]]};
            });
            assert.deepEqual([seen.first.messages, seen.again.messages, seen.same, seen.kept, seen.state],
                [2, 0, true, true, [2, 100_000, 7]]);
        });
    });
}
