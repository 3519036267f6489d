// Opens a browser for a test, with a new profile.
//
// Owns: which browsers there are, and that a test skips where one is missing. Must not know: how each
// is driven.

import {ensureBrowsers} from '../../setup/browsers.js';
import {openChromium, openExtension as openOwn} from './chromium.js';
import {openFirefox} from './firefox.js';
import {Page} from './page.js';
import {openWebKit} from './webkit.js';

const programs = await ensureBrowsers();
const OPEN = {chromium: openChromium, firefox: openFirefox, webkit: openWebKit};

/**
 * Why tests of this browser can't run, or false: for a test's `skip`.
 * @param {'chromium' | 'firefox' | 'webkit'} name
 */
export function reasonToSkip(name) {
    return programs[name].missing ?? false;
}

/**
 * A fresh browser with one page.
 * @param {'chromium' | 'firefox' | 'webkit'} name
 * @param {{scheme?: 'light' | 'dark', sharedMemory?: boolean, wasm?: boolean, cookies?: boolean}} [options]
 *     sharedMemory: WebKit's switch, see webkit.js; wasm: whether it has WebAssembly, and cookies: whether
 *     pages may keep anything, which WebKit's can't be without
 * @returns {Promise<Page>}
 */
export async function openBrowser(name,
    {scheme = 'light', sharedMemory = false, wasm = true, cookies = true} = {}) {
    return new Page(name, await OPEN[name](programs[name], {scheme, sharedMemory, wasm, cookies}));
}

/**
 * Chromium with an extension, at its page.html.
 * @param {string} folder   of its manifest
 * @returns {Promise<Page>}
 */
export async function openExtension(folder) {
    return new Page('chromium', await openOwn(programs.chromium, folder));
}
