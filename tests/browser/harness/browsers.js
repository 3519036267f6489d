// Opens a browser for a test, with a profile of its own.
//
// Owns: which browsers there are, and that a test skips where one is missing. Must not know: how each is driven.

import {ensureBrowsers} from '../../setup/browsers.js';
import {Page} from './page.js';
import {openWithPuppeteer} from './puppeteer.js';
import {openWebKit} from './webkit.js';

const programs = await ensureBrowsers();

/** Why tests of this browser can't run, or false: for a test's `skip`. @param {'chromium' | 'firefox' | 'webkit'} name */
export function reasonToSkip(name) {
    return programs[name].missing ?? false;
}

/**
 * A fresh browser with one page.
 * @param {'chromium' | 'firefox' | 'webkit'} name
 * @param {{scheme?: 'light' | 'dark', sharedMemory?: boolean}} [options]   sharedMemory: WebKit's switch, see webkit.js
 * @returns {Promise<Page>}
 */
export async function openBrowser(name, {scheme = 'light', sharedMemory = false} = {}) {
    const open = name === 'webkit' ? openWebKit(programs.webkit, {scheme, sharedMemory}) : openWithPuppeteer(name, programs[name], {scheme});
    return new Page(name, await open);
}
