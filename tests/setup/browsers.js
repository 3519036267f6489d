// Finds the three browsers that the tests drive, or installs Debian's.
// Owns: where their programs are. Must not know: how they are started and driven.

import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {which} from '../../web/node/run.js';
import {installPackages} from './debian.js';

/**
 * @typedef {object} Browsers  what could not be had has `missing`, the reason, and nothing else
 * @property {{path: string} | {missing: string}} chromium
 * @property {{path: string} | {missing: string}} firefox
 * @property {{path: string, driver: string, xvfb: string} | {missing: string}} webkit
 *     path: MiniBrowser; driver: its WebDriver; xvfb: an X server without a screen
 */

const FINDERS = {
    chromium: () => asPath(firstOf('chromium', 'chromium-browser', 'google-chrome')),
    firefox: () => asPath(firstOf('firefox-esr', 'firefox')),
    webkit: findWebKit,
};
const PACKAGES = {
    chromium: ['chromium'],
    firefox: ['firefox-esr'],
    webkit: ['webkit2gtk-driver', 'xvfb'],
};

/** @returns {Promise<Browsers>} */
export async function ensureBrowsers() {
    const names = Object.keys(FINDERS);
    const missing = names.filter((name) => !FINDERS[name]());
    const reason = missing.length ? await installPackages('Browsers',
        missing.flatMap((name) => PACKAGES[name])) : null;
    return Object.fromEntries(names.map((name) =>
        [name, FINDERS[name]() ?? {missing: `${name} is missing: ${reason ?? 'its package does not hold it'}`}]));
}

function asPath(path) {
    return path && {path};
}

function firstOf(...names) {
    return names.map(which).find(Boolean) ?? null;
}

/**
 * Debian keeps MiniBrowser in a folder per architecture and API version; 4.1 is the one its WebDriver starts.
 */
function findWebKit() {
    const path = readdirSync('/usr/lib')
        .map((folder) => join('/usr/lib', folder, 'webkit2gtk-4.1/MiniBrowser')).find(existsSync);
    const driver = which('WebKitWebDriver');
    const xvfb = which('Xvfb');
    return path && driver && xvfb ? {path, driver, xvfb} : null;
}
