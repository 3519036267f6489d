// Real headless Chromium for the contenders that are pages.
//
// Owns: how it is started and ended. Must not know: what is measured in it.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';
import {ensureBrowsers} from '../setup/browsers.js';
import {peakMemoryOfLargest} from './shared.js';

const FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic',
    '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** A visitor whose profile stays: what a page has stored is there at the next visit. */
export async function createVisitor() {
    const {chromium} = await ensureBrowsers();
    if (!chromium.path) throw new Error(chromium.missing);
    const profile = mkdtempSync(join(tmpdir(), 'gemma-bench-'));
    return {
        /**
         * Opens the page in a fresh browser; `work` uses it and returns a sample, to which what the browser
         * knows is added.
         * @param {string} url
         * @param {(page: import('puppeteer-core').Page, pid: number) =>
         *     Promise<import('./shared.js').Sample>} work   pid: the browser's
         * @returns {Promise<import('./shared.js').Sample>}
         */
        async visit(url, work) {
            const browser = await puppeteer.launch({executablePath: chromium.path, userDataDir: profile,
                protocolTimeout: 0, args: FLAGS});
            try {
                const page = await browser.newPage(), start = performance.now();
                await page.goto(url);
                const pageMs = performance.now() - start;
                const {pid} = browser.process(), {startup, facts, ...sample} = await work(page, pid);
                return {
                    ...sample, startup: {'the page': pageMs, ...startup},
                    facts: {...facts, browser: await browser.version()},
                    memory: peakMemoryOfLargest(pid),
                };
            } finally {
                await browser.close();
            }
        },
        leave: () => rmSync(profile, {recursive: true, force: true, maxRetries: 5}),
    };
}
