// Chromium (by CDP) and Firefox (by WebDriver BiDi), driven by puppeteer.
//
// Owns: how the two are started and ended. Must not know: what is tested.

import {mkdtemp, rm} from 'node:fs/promises';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import puppeteer from 'puppeteer-core';

const CHROMIUM_FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    // A page that isolates itself by a reload leaves its former self in that cache, which puppeteer then takes for the page.
    '--disable-features=BackForwardCache',
];

/** Where the two report to by themselves, however they are told not to. */
const THEIR_OWN = /^(http:\/\/)?((update|content-autofill|optimizationguide-pa)\.googleapis\.com|(accounts|clients\d?|www)\.google\.com|[\w.-]+\.mozilla\.(com|org|net))[:/]/;

/** @type {Record<string, (path: string, proxy: number, scheme: 'light' | 'dark') => import('puppeteer-core').LaunchOptions>} */
const LAUNCH = {
    chromium: (path, proxy) => ({
        browser: 'chrome', executablePath: path, args: [...CHROMIUM_FLAGS, `--proxy-server=http://127.0.0.1:${proxy}`],
    }),
    firefox: (path, proxy, scheme) => ({
        browser: 'firefox', executablePath: path, args: ['--headless'],
        extraPrefsFirefox: {
            'network.proxy.type': 1,
            'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': proxy,
            'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': proxy,
            'layout.css.prefers-color-scheme.content-override': scheme === 'dark' ? 0 : 1,
        },
    }),
};

/**
 * @param {'chromium' | 'firefox'} name
 * @param {{path: string}} program
 * @param {{scheme: 'light' | 'dark'}} options
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openWithPuppeteer(name, {path}, {scheme}) {
    const strangers = [];
    const proxy = await startRefusingProxy(strangers);
    const profile = await mkdtemp(join(tmpdir(), `gemma-${name}-`));
    let browser;
    const close = async () => {
        await browser?.close().catch(() => browser.process()?.kill('SIGKILL'));
        proxy.closeAllConnections();
        proxy.close();
        await rm(profile, {recursive: true, force: true, maxRetries: 5});
    };
    try {
        browser = await puppeteer.launch({
            ...LAUNCH[name](path, proxy.address().port, scheme),
            userDataDir: profile, protocolTimeout: 3_000_000, defaultViewport: {width: 1280, height: 800},
        });
        const [page] = await browser.pages();
        const asDriver = async (page, close) => {
            if (name === 'chromium') await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
            page.on('dialog', (dialog) => dialog.accept());
            return {...drive(page), tab, strangers, close};
        };
        const tab = async () => {
            const other = await browser.newPage();
            return asDriver(other, () => other.close());
        };
        return await asDriver(page, close);
    } catch (error) {
        await close();
        throw error;
    }
}

/** What is not on this machine goes to a proxy, which notes it and refuses. */
async function startRefusingProxy(strangers) {
    const note = ({url}) => THEIR_OWN.test(url) || strangers.push(url);
    const proxy = createServer((request, response) => {
        note(request);
        response.writeHead(502).end();
    });
    proxy.on('connect', (request, socket) => {
        note(request);
        socket.on('error', () => {});
        socket.end('HTTP/1.1 502 Refused\r\n\r\n');
    });
    await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
    return proxy;
}

function drive(page) {
    let problems = [];
    page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warn') problems.push(`${message.text()} ${message.location()?.url ?? ''}`.trim());
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
