// What the page costs: the page and the library write the same text in one Chromium, in turns, one tab each.
//
//   node tests/bench/page_library.js [ROUNDS] [TOKENS]       30 rounds of 128 tokens by default
//
// Owns: the two tabs and their ratio. Must not know: why they differ. Prints tokens per second at the
// quartiles of both.

import {basename, dirname} from 'node:path';
import {serve} from '../../web/node/server.js';
import {ensureModel} from '../../web/node/setup.js';
import {figures, opened, set} from '../browser/harness/app.js';
import {Page} from '../browser/harness/page.js';
import {createVisitor} from './chromium.js';

const ROUNDS = Number(process.argv[2] ?? 30), TOKENS = Number(process.argv[3] ?? 128);
const PROMPT = 'The sea at night is', THREADS = 2;
const SAMPLING = {temperature: 0.7, topK: 64, topP: 0.95, minP: 0, repeatPenalty: 1, seed: 7};

const drive = (tab) => new Page('the page', {
    evaluate: (source, args) => tab.evaluate(`(${source})(...${JSON.stringify(args)})`),
    click: (selector) => tab.click(selector),
});

/** @returns {Promise<() => Promise<{text: string, rate: number}>>} has the page continue PROMPT */
async function openPage(tab, url, model) {
    const page = drive(tab);
    await set(page, {...SAMPLING, threads: THREADS, maxTokens: TOKENS});
    await page.fill('#url', `${url}models/${model}`);
    await page.click('#url-form button');
    await opened(page);
    return async () => {
        await tab.bringToFront();
        await page.fill('#text', PROMPT);
        const text = await page.evaluate(async () => {
            const button = document.getElementById('continue');
            button.click();
            await new Promise((ended) => {      // nothing looks at the page meanwhile
                new MutationObserver(() => button.textContent === 'Continue' && ended()).observe(button,
                    {childList: true});
            });
            return document.getElementById('text').value;
        });
        return {text: text.slice(PROMPT.length), rate: parseFloat((await figures(page)).Writing)};
    };
}

/** @returns {Promise<() => Promise<{text: string, rate: number}>>} has the library continue PROMPT */
async function openLibrary(tab, url, model) {
    await tab.goto(`${url}models.json`);        // no page of ours, and the same origin
    await tab.evaluate(async (path, threads) => {
        const {Gemma} = await import(new URL('gemma.js', location.href).href);
        globalThis.session = await (await Gemma.load(path, {threads})).session();
    }, `models/${model}`, THREADS);
    return async () => {
        await tab.bringToFront();
        return tab.evaluate(async (prompt, maxTokens, sampling) => {
            const answer = globalThis.session.prompt(prompt, {raw: true, maxTokens, sampling});
            let text = '';
            for await (const piece of answer) text += piece;
            const {timings: {decodeTokens, decodeMs}} = await answer.result;
            return {text, rate: decodeTokens / decodeMs * 1000};
        }, PROMPT, TOKENS, SAMPLING);
    };
}

const path = await ensureModel(), model = encodeURIComponent(basename(path));
const server = await serve({port: 0, models: dirname(path)}), visitor = await createVisitor();
await visitor.visit(server.url, async (tab) => {
    await tab.setViewport({width: 1280, height: 800});
    const write = {page: await openPage(tab, server.url, model),
        library: await openLibrary(await tab.browser().newPage(), server.url, model)};
    const rates = {page: [], library: []};
    for (let round = -1; round < ROUNDS; round++) {
        const page = await write.page(), library = await write.library();
        if (page.text !== library.text) throw new Error('The page and the library wrote different texts.');
        if (round < 0) continue;        // the first of each warms up
        rates.page.push(page.rate);
        rates.library.push(library.rate);
    }
    for (const all of Object.values(rates)) all.sort((a, b) => a - b);
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        const [page, library] = Object.values(rates).map((all) => all[Math.round((all.length - 1) * share)]);
        console.log(`at ${share * 100} %: page ${page.toFixed(1)}, library ${library.toFixed(1)} tokens/s, ratio ${(page / library).toFixed(3)}`);
    }
    return {};
});
await server.close();
visitor.leave();
