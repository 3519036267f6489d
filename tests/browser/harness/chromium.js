// Chromium, driven by puppeteer.
//
// Owns: how it is started and ended. Must not know: what is tested.

import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';
import {groupGone, programsOf} from './programs.js';
import {startRefusingProxy} from './proxy.js';
import {PATIENT, patient} from '../../setup/patience.js';

const FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic',
    '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // A page that isolates itself by a reload leaves its former self in that cache, which puppeteer then
    // takes for the page.
    '--disable-features=BackForwardCache',
];

/**
 * @param {{path: string}} program
 * @param {{scheme: 'light' | 'dark', wasm: boolean, cookies: boolean}} options
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openChromium({path}, {scheme, wasm, cookies}) {
    const strangers = [];
    const proxy = await startRefusingProxy(strangers);
    const profile = await mkdtemp(join(tmpdir(), 'gemma-chromium-'));
    if (!cookies) {
        await mkdir(join(profile, 'Default'));
        await writeFile(join(profile, 'Default/Preferences'),
            JSON.stringify({profile: {default_content_setting_values: {cookies: 2}}}));
    }
    let browser;
    const close = async () => {
        await browser?.close().catch(() => browser.process()?.kill('SIGKILL'));
        proxy.close();
        await rm(profile, {recursive: true, force: true, maxRetries: 5});
    };
    const asDriver = async (page, close) => {
        await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
        page.on('dialog', (dialog) => dialog.accept());
        const driver = {...drive(page), tab, strangers, close, restart, async crash() {
            const crashed = new Promise((seen) => { page.once('error', seen); });
            for (const pid of programsOf(browser.process().pid, /--type=renderer/))
                process.kill(pid, 'SIGKILL');
            await crashed;
            return driver;      // which has another process as soon as it goes anywhere
        }};
        return driver;
    };
    const start = async () => {
        browser = await puppeteer.launch({
            browser: 'chrome', executablePath: path,
            args: [...FLAGS, `--proxy-server=http://127.0.0.1:${proxy.port}`, ...wasm ? []
                : ['--js-flags=--jitless']],
            networkEnabled: false,      // puppeteer would be told of every request, which nobody reads
            userDataDir: profile, ...PATIENT, defaultViewport: {width: 1280, height: 800},
        });
        const [page] = await browser.pages();
        return asDriver(patient(page), close);
    };
    const tab = async () => {
        const other = patient(await browser.newPage());
        return asDriver(other, () => other.close());
    };
    const restart = async () => {
        const program = browser.process(), ended = new Promise((done) => { program.once('exit', done); });
        process.kill(-program.pid, 'SIGKILL');
        await ended;
        await groupGone(program.pid);
        // else it looks for the other one
        for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie'])
            await rm(join(profile, name), {force: true});
        return start();
    };
    try {
        return await start();
    } catch (error) {
        await close();
        throw error;
    }
}

/**
 * The page page.html of an extension.
 * @param {{path: string}} program
 * @param {string} folder   of its manifest, with a service worker
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openExtension({path}, folder) {
    const browser = await puppeteer.launch({
        browser: 'chrome', executablePath: path, args: FLAGS.filter((flag) => flag !== '--headless')
            .concat('--headless=new'), pipe: true, enableExtensions: [folder], ...PATIENT,
    });
    const close = () => browser.close().catch(() => browser.process()?.kill('SIGKILL'));
    try {
        const worker = await browser.waitForTarget((target) => target.type() === 'service_worker', PATIENT),
            page = patient(await browser.newPage());
        await page.goto(new URL('/page.html', worker.url()).href);
        return {...drive(page), close};
    } catch (error) {
        await close();
        throw error;
    }
}

function drive(page) {
    let problems = [], session;
    page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warn')
            problems.push(`${message.text()} ${message.location()?.url ?? ''}`.trim());
    });
    page.on('pageerror', (error) => problems.push(String(error)));

    const find = async (selector) => {
        await page.bringToFront();      // a tab behind another is not drawn, and clicks wait for that
        const found = await page.$(selector);
        if (!found) throw new Error(`there is no ${selector}`);
        return found;
    };
    return {
        goto: async (url) => void await page.goto(url),
        reload: async () => void await page.reload(),
        // As text, for puppeteer would call a function made here by `new Function`.
        evaluate: (source, args) => page.evaluate(`(${source})(...${JSON.stringify(args)})`),
        click: async (selector) => (await find(selector)).click(),
        async type(selector, text) {
            await (await find(selector)).focus();
            const lines = text.split('\n');
            for (const [i, line] of lines.entries()) {
                await page.keyboard.type(line);
                if (i < lines.length - 1) await page.keyboard.press('Enter');
            }
        },
        async press(keys) {
            const [last, ...held] = keys.split('+').reverse();
            for (const key of held) await page.keyboard.down(key);
            await page.keyboard.press(last);
            for (const key of held) await page.keyboard.up(key);
        },
        // By the protocol itself: puppeteer knows some of them only.
        async emulate({pointer = 'fine', ...features}) {
            session ??= await page.createCDPSession();
            await session.send('Emulation.setTouchEmulationEnabled', {enabled: pointer === 'coarse'});
            await session.send('Emulation.setEmulatedMedia',
                {features: Object.entries(features).map(([name, value]) => ({name, value}))});
        },
        upload: async (selector, path) => (await find(selector)).uploadFile(path),
        screenshot: async () => Buffer.from(await page.screenshot()),
        resize: (width, height) => page.setViewport({width, height}),
        async problems() {
            const seen = problems;
            problems = [];
            return seen;
        },
    };
}
