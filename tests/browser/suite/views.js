// Every view of the app, and how one gets there from the one before: a walk through all of it, in
// any language.
//
// Owns: the walk, and what there is to see on it. Must not know: what is judged of a view.

import {join} from 'node:path';
import {closeDialog, openFile, screen} from '../harness/app.js';
import {LONG, STORY, importKept, openOne} from './kept.js';

/**
 * @typedef {object} Visit
 * @property {import('../harness/page.js').Page} page
 * @property {string} site          its address
 * @property {Record<string, any>} words   the interface's, in the language that is shown
 * @property {string} folder        for files
 * @property {{chat: string, base: string}} models   files
 *
 * @typedef {object} View
 * @property {string} name
 * @property {(visit: Visit) => Promise<unknown>} go    from the view before
 * @property {(visit: Visit) => Promise<unknown>} [each]   again in each size
 */

const golden = (name) => join(import.meta.dirname, '../../golden', name);
export const TINY = {chat: golden('tiny-gemma3.gguf'), base: golden('tiny-gemma2.gguf')};

/** Clicks by the page's own script: what is meant is there, wherever the page is scrolled to. */
const press = (page, selector) => page.evaluate((selector) => document.querySelector(selector)
    .click(), selector);
/** The button that says this, in what is open. */
const pressWord = (page, word, within = 'dialog[open]') => page.evaluate((word, within) =>
    [...document.querySelectorAll(`${within} button`)].find((button) => button.textContent === word
        && button.checkVisibility()).click(), word, within);
export const attach = (page, name, content) => page.evaluate((name, content) => {
    const files = new DataTransfer(), field = document.getElementById('attach-file');
    files.items.add(new File([content], name));
    field.files = files.files;
    field.dispatchEvent(new Event('change'));
}, name, content);
const attached = (page, name) =>
    page.until((name) => [...document.querySelectorAll('#attachments li')].some((item) =>
        item.textContent.includes(name) && item.querySelector('.soft').textContent.includes('·')), name);
const answered = (page) => page.until(() => !document.getElementById('messages').classList.contains('busy'));
/** The list stands beside the page, or is called over it. */
const showList = ({page}) => page.evaluate(() => document.getElementById('open-sidebar').checkVisibility()
    && !document.getElementById('sidebar').matches(':popover-open')
        && document.getElementById('open-sidebar').click());
const hideList = (page) => page.evaluate(() => document.getElementById('sidebar').matches(':popover-open')
    && document.getElementById('sidebar').hidePopover());
const setOwn = (page, values) => page.evaluate(async (values) => {
    document.getElementById('open-settings').click();
    for (const [key, value] of Object.entries(values)) {
        const field = document.getElementById(`setting-${key}`);
        field.value = value;
        field.dispatchEvent(new Event('input'));
    }
    document.getElementById('settings').close();
}, values);
const atRest = ({page, words}) => page.until((word) => document.getElementById('continue')
    .textContent === word, words['writer.continue']);

/** Before a model is chosen. @type {View[]} */
const BEFORE = [
    {name: 'welcome', go: ({page}) => page.until(() => document.querySelector('.card') !== null
        && document.getElementById('pick-file').onclick !== null)},
    {
        name: 'more', go: async ({page, words}) => {
            await press(page, '#more summary');
            // In one language it is waited for; in others it is seen while it is found out.
            await page.until(() => document.querySelector('.verdict') !== null);
            if (words['action.done'] === 'Done')
                await page.until(() => [...document.querySelectorAll('.verdict')].every(({textContent}) =>
                    /^(Runs|Does not run) here/.test(textContent)));
        },
    },
    {
        name: 'terms', go: async ({page}) => {
            await press(page, '#more-list button');
            await page.until(() => document.getElementById('terms')?.open);
        },
    },
    {
        name: 'loading', go: async ({page}) => {
            await press(page, '#terms .actions :last-child');
            await press(page, '#more summary');
            await press(page, '[data-offer=default] .actions button');
            await page.until(() => document.getElementById('loading-bar').value > 0);
        },
    },
    {
        name: 'error', go: async ({page, site}) => {
            await press(page, '#cancel-loading');
            await screen(page, 'welcome');
            await page.fill('#url', `${site}models/none.gguf`);
            await press(page, '#url-form button');
            await page.until(() => !document.getElementById('error').hidden);
        },
    },
    {
        name: 'list-empty', each: showList, go: async ({page}) => {
            await press(page, '#error-close');
            await press(page, '#new-conversation');
        },
    },
    {
        name: 'choose-first', go: async ({page}) => {
            await hideList(page);
            await page.fill('#message', 'Is anybody there?');
            await press(page, '#send');
            await page.until(() => !document.getElementById('notice').hidden
                && document.body.dataset.screen === 'welcome');
        },
    },
    {
        name: 'data', go: async ({page}) => {
            await press(page, '#notice-close');
            await importKept(page);
        },
    },
    {
        name: 'data-delete', go: async ({page}) => {
            await press(page, '#data section:last-child > button');
            await page.evaluate(() => document.querySelector('#data .notice').scrollIntoView());
        },
        each: ({page}) => page.evaluate(() => document.querySelector('#data .notice').scrollIntoView()),
    },
    {
        name: 'keys', go: async ({page}) => {
            await closeDialog(page);
            await press(page, '#open-keys');
            await page.until(() => document.getElementById('keys').open);
        },
    },
    {
        name: 'settings', go: async ({page}) => {
            await closeDialog(page);
            await press(page, '#open-settings');
        },
    },
    {
        name: 'settings-more', go: async ({page}) => {
            await press(page, '#preset ~ .library-buttons button');
            await page.fill('#settings .library-buttons input', 'Late evening');
            await page.evaluate(() => document.querySelectorAll('#settings details')
                .forEach((more) => { more.open = true; }));
            await page.fill('#setting-schema', '{"type": "strin');
            await page.until(() => document.querySelector('#setting-schema[aria-invalid]') !== null);
        },
        each: ({page}) => page.evaluate(() => document.getElementById('setting-overflow').scrollIntoView()),
    },
    {
        name: 'requests', go: async ({page}) => {
            await page.fill('#setting-schema', '');
            await press(page, '#open-requests');
            await page.until(() => document.querySelector('#requests details') !== null);
            await page.evaluate(() => { document.querySelector('#requests details').open = true; });
        },
    },
];

/** The list of conversations. @type {View[]} */
const LIST = [
    {
        name: 'list', each: showList, go: async ({page}) => {
            await press(page, '#requests header button');
            await closeDialog(page);
        },
    },
    {
        name: 'search', each: showList, go: async ({page}) => {
            await page.fill('#search', 'keeper');
            await page.until(() => document.querySelector('.list-excerpt') !== null);
        },
    },
    {
        name: 'search-nothing', each: showList, go: async ({page}) => {
            await page.fill('#search', 'Leuchtturmwärterhäuschendachziegel');
            await page.until(() => !document.getElementById('list-note').hidden);
        },
    },
    {
        name: 'select', each: showList, go: async ({page}) => {
            await page.fill('#search', '');
            await page.until(() => document.querySelectorAll('#list a').length > 7);
            await press(page, '#select-many');
            await page.evaluate(() => [...document.querySelectorAll('#list input')].slice(1, 3)
                .forEach((box) => box.click()));
        },
    },
    {
        name: 'item', go: async ({page}) => {
            await press(page, '#end-selection');
            await hideList(page);
            await press(page, '#list li .icon');
        },
    },
    {
        name: 'deleted', go: async ({page}) => {
            await press(page, '#item-delete');
            await page.until(() => !document.getElementById('notice').hidden);
        },
    },
];

/** With a model that was taught to chat. @type {View[]} */
const CHAT = [
    {
        name: 'chat-empty', go: async ({page, models}) => {
            await press(page, '#notice-act');
            await page.until(() => document.querySelectorAll('#list a').length > 7);
            await setOwn(page, {contextLength: 512, maxTokens: 12, seed: 5});
            await page.evaluate(() => { document.getElementById('keep').checked = true; });
            await openFile(page, models.chat);
            await press(page, '#new-conversation');
        },
    },
    {name: 'chat', go: ({page}) => openOne(page, 'salt')
        .then(() => page.until(() => document.querySelectorAll('#messages > *').length === 4
            && document.querySelector('.markdown table')))},
    {name: 'chat-top', each: ({page}) => page.evaluate(() => scrollTo(0, 0)), go: async () => {}},
    {name: 'chat-arabic', go: ({page}) => openOne(page, 'bahr')
        .then(() => page.until(() => document.querySelector('.markdown blockquote')))},
    {
        name: 'edit', go: async ({page}) => {
            await openOne(page, 'salt');
            // Code has its colours also when it comes back.
            await page.until(() => document.querySelectorAll('#messages > *').length === 4
                && CSS.highlights?.get('code-keyword')?.size !== 0);
            await press(page, '#messages > :nth-child(3) .message-actions > .icon:nth-of-type(2)');
            await page.until(() => document.querySelector('.edit') !== null);
        },
    },
    {
        name: 'files', go: async ({page}) => {
            await press(page, '.edit button.quiet');
            await press(page, '#new-conversation');
            for (const [name, content] of [['broken.pdf', '%PDF-1.7\nnothing'],
                ['Notes of the lighthouse keeper, first part, from the attic.txt', STORY],
                ['Ships, by year.csv', 'year,ships\n1911,411\n']]) {
                await attach(page, name, content);
                if (name !== 'broken.pdf') await attached(page, name);
            }
            await page.until(() => document.querySelector('.file-problem')
                && document.querySelector('.files-sum').textContent);
        },
    },
    {
        name: 'file-text', go: async ({page}) => {
            await press(page, '#attachments .file-open');
            await page.until(() => document.querySelector('dialog.file-text[open]') !== null);
        },
    },
    {
        name: 'files-too-long', go: async ({page}) => {
            await closeDialog(page);
            await attach(page, 'A long story.txt', LONG);
            await attached(page, 'A long story.txt');
            await page.until(() => document.querySelector('.ways')?.checkVisibility());
        },
    },
    {
        name: 'files-sent', go: async ({page}) => {
            await page.evaluate(() =>
                document.querySelectorAll('#attachments li:last-child .icon, .file-problem .icon')
                    .forEach((button) => button.click()));
            await page.until(() => !document.querySelector('.ways').checkVisibility()
                && document.querySelector('.files-sum').textContent);
            await page.fill('#message', 'How many ships were there?');
            await press(page, '#send');
            await page.until(() => document.querySelectorAll('#messages > *').length === 2);
            await answered(page);
        },
    },
    {
        name: 'gauge', go: async ({page}) => {
            await page.fill('#message', 'ship '.repeat(700));
            await page.until(() => document.getElementById('gauge')?.dataset.verdict === 'too-long');
        },
    },
    {
        name: 'settings-own', go: async ({page}) => {
            await page.fill('#message', '');
            await openOne(page, 'salt');
            await press(page, '#open-settings');
            await page.fill('#setting-temperature', '0.4');
            await page.fill('#setting-threads', '1');
            await page.until(() => /\p{Nd}/u.test(document.getElementById('context-cost').textContent));
        },
    },
    {
        name: 'settings-own-end', go: async () => {},
        each: ({page}) => page.evaluate(() => document.querySelector('#settings footer').scrollIntoView()),
    },
];

/** Two settings of a model, blind. @type {View[]} */
const COMPARE = [
    {
        name: 'compare', go: async ({page}) => {
            await page.fill('#setting-threads', '');
            await closeDialog(page);
            await press(page, '#open-compare');
            await page.until(() => document.getElementById('compare-prompts') !== null);
            await page.fill('#compare-prompts', 'Why is the sea salty?\nWho counts the ships?');
        },
    },
    {
        name: 'compare-vote', go: async ({page}) => {
            await press(page, '#compare .primary');
            await page.until(() => document.querySelector('#compare .votes') !== null);
        },
    },
    {
        name: 'compare-result', go: async ({page, words}) => {
            for (const vote of ['compare.vote-first', 'compare.vote-both']) {
                await page.until((word) =>
                    [...document.querySelectorAll('#compare .votes button')].some(({textContent}) =>
                        textContent === word), words[vote]);
                await pressWord(page, words[vote]);
            }
            await page.until(() => document.querySelector('.interval') !== null);
        },
    },
    {
        name: 'compare-earlier', go: async ({page, words}) => {
            await pressWord(page, words['compare.again']);
            await page.until(() => document.querySelector('#compare .rows') !== null);
        },
        each: ({page}) => page.evaluate(() => document.querySelector('#compare .rows').scrollIntoView()),
    },
];

/** Writing, first with that model, then with one that is a base model. @type {View[]} */
const WRITER = [
    {
        name: 'writer-empty', go: async ({page}) => {
            await closeDialog(page);
            await press(page, '#new-document');
            await screen(page, 'writer');
        },
    },
    {
        name: 'writer', go: async (visit) => {
            await openOne(visit.page, 'light');
            await visit.page.until(() => document.getElementById('text').value.length > 100);
            await press(visit.page, '#continue');
            await visit.page.until(() => !document.getElementById('another').hidden);
            await atRest(visit);
        },
    },
    {
        name: 'writer-ways', go: async (visit) => {
            await press(visit.page, '#draw');
            await visit.page.until(() => document.querySelectorAll('.alternative').length === 3);
            await atRest(visit);
        },
    },
    {
        name: 'writer-likely', go: async ({page}) => {
            await press(page, '#show-likely');
            await page.until(() => document.querySelectorAll('#likely button').length === 10);
        },
    },
    {
        name: 'stored', go: async ({page}) => {
            await press(page, '#close-alternatives');
            await press(page, '#change-model');
            await screen(page, 'welcome');
        },
        each: ({page}) => page.evaluate(() => document.getElementById('stored').scrollIntoView()),
    },
    {
        name: 'transcript', go: async ({page, models}) => {
            await page.evaluate(() => { document.getElementById('keep').checked = false; });
            await openFile(page, models.base);
            await press(page, '#tab-chat');
            await press(page, '#new-conversation');
            await page.fill('#message', 'What did the keeper write?');
            await press(page, '#send');
            await page.until(() => document.querySelectorAll('#messages > *').length === 2);
            await answered(page);
        },
    },
    {name: 'update', go: ({page}) =>
        page.evaluate(() => { document.getElementById('update').hidden = false; })},
];

export const VIEWS = [...BEFORE, ...LIST, ...CHAT, ...COMPARE, ...WRITER];
