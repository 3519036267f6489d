// A real Chromium with pages that have the app's data and nothing else.
//
// Owns: the browser and its server. Must not know: what is tested.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {after, before, beforeEach} from 'node:test';
import puppeteer from 'puppeteer-core';
import {startModules} from '../browser/harness/servers.js';
import {ensureBrowsers} from '../setup/browsers.js';
import {PATIENT, patient} from '../setup/patience.js';

const ARGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--disable-background-networking', '--js-flags=--expose-gc',
];

/**
 * @type {{browser: import('puppeteer-core').Browser, page: import('puppeteer-core').Page, origin: string}}
 */
export const lab = {};
const {chromium} = await ensureBrowsers();

let server, profile;
before(async () => {
    if (!chromium.path) return;
    server = await startModules();
    profile = mkdtempSync(join(tmpdir(), 'gemma-data-'));
    lab.browser = await puppeteer.launch({
        executablePath: chromium.path, userDataDir: profile, args: ARGS, ...PATIENT,
    });
});
after(async () => {
    await lab.browser?.close();
    await server?.close();
    if (profile) rmSync(profile, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
});

let folders = 0;
beforeEach(async () => {
    if (!chromium.path) return;
    lab.origin = `${server.url}${++folders}/`;      // each test has its own database
    lab.page = await openPage();
});

/** A page in the test's folder, with `store` open. @param {string} [address] */
export async function openPage(address = lab.origin) {
    const page = patient(await lab.browser.newPage());
    await page.goto(address);
    await page.evaluate(async () => {
        Object.assign(globalThis, {data: {
            ...await import('/app/data/conversations.js'), ...await import('/app/data/database.js'),
            ...await import('/app/data/tree.js'),
        }});
        globalThis.store = await globalThis.data.openConversations();
        globalThis.heard = [];
        globalThis.store.listen((change) => globalThis.heard.push(change));
    });
    return page;
}

/** A test of the browser. @param {string} name @param {() => Promise<void>} work */
export function check(name, work) {
    test(name, {skip: chromium.missing ?? false}, async () => {
        try {
            await work();
        } finally {
            for (const page of await lab.browser.pages()) if (page.url() !== 'about:blank')
                await page.close().catch(() => {});
        }
    });
}
