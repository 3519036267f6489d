// One page in one browser, as a test sees it: the same words for all three browsers.
//
// Owns: what a test can do with a page. Must not know: which browser it is (chromium.js, firefox.js,
// webkit.js), what the page is about.

import {mkdirSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

/**
 * What a browser must be able to do.
 * @typedef {object} Driver
 * @property {(url: string) => Promise<void>} goto
 * @property {() => Promise<void>} reload
 * @property {(source: string, args: any[]) => Promise<any>} evaluate   source: of a function, perhaps
 *     an async one
 * @property {(selector: string) => Promise<void>} click
 * @property {(selector: string, text: string) => Promise<void>} type    real keys, after what is there;
 *     '\n' is Enter
 * @property {(keys: string) => Promise<void>} [press]   real keys, where the focus is: 'Tab', 'Shift+Tab'.
 *     Chromium has it
 * @property {(features: Record<string, string>) => Promise<void>} [emulate]   what a person has set in their
 *     system, as media queries ask. Chromium has it
 * @property {(selector: string, path: string) => Promise<void>} upload
 * @property {() => Promise<Buffer>} screenshot                          PNG of what is visible
 * @property {(width: number, height: number) => Promise<void>} resize   of what is visible
 * @property {() => Promise<Driver>} tab    another tab of the same browser, in front
 * @property {() => Promise<void>} close                                 ends the browser and all that
 *     belongs to it
 * @property {() => Promise<Driver>} crash    ends the page's process, and those of all others; gives
 *     another tab
 * @property {() => Promise<Driver>} [restart]   ends the browser with all of its processes, none of which
 *     learns of it, and starts it again with what it has kept; absent where a browser keeps nothing
 * @property {() => Promise<string[]>} problems   since the last time it was asked: console errors,
 *     exceptions, CSP violations
 * @property {string[]} [strangers]     requests to other machines, all of which were refused; absent where
 *     that can't be seen
 */

// ten times what a busy machine needs: a download whose server is gone is tried again for up to 15 s
const PATIENCE_MS = 300_000;
/** What takes long need not be seen at once, and looking takes time from it. */
const LOOK_AGAIN_MS = 40, SELDOM_MS = 200, SOON_MS = 1000;

export class Page {
    #driver;

    /** @param {string} name of the browser @param {Driver} driver */
    constructor(name, driver) {
        this.name = name;
        this.#driver = driver;
    }

    goto(url) {
        return this.#driver.goto(url);
    }

    reload() {
        return this.#driver.reload();
    }

    click(selector) {
        return this.#driver.click(selector);
    }

    type(selector, text) {
        return this.#driver.type(selector, text);
    }

    press(keys) {
        return this.#driver.press(keys);
    }

    emulate(features) {
        return this.#driver.emulate(features);
    }

    upload(selector, path) {
        return this.#driver.upload(selector, path);
    }

    resize(width, height) {
        return this.#driver.resize(width, height);
    }

    problems() {
        return this.#driver.problems();
    }

    get strangers() {
        return this.#driver.strangers;
    }

    /** Another tab of the same browser. @returns {Promise<Page>} closing it closes it alone */
    async tab() {
        return new Page(this.name, await this.#driver.tab());
    }

    close() {
        return this.#driver.close();
    }

    /**
     * The page's process is gone in this moment, as where memory lacks; then this is an empty tab. Where a
     * browser has none that may end, the tab is closed.
     */
    async crash() {
        const {restart, strangers} = this.#driver;
        this.#driver = {restart, strangers, ...await this.#driver.crash()};
    }

    /**
     * The browser is gone in this moment, and starts again.
     * @returns {Promise<boolean>} false where it keeps nothing, and stays
     */
    async restart() {
        if (!this.#driver.restart) return false;
        this.#driver = await this.#driver.restart();
        return true;
    }

    /**
     * Runs a function in the page with JSON arguments and a JSON result; it may be async.
     * @param {Function} fn
     */
    evaluate(fn, ...args) {
        return this.#driver.evaluate(String(fn), args);
    }

    /** What `fn` returns in the page as soon as that is truthy. @param {Function} fn */
    async until(fn, ...args) {
        const begun = Date.now(), end = begun + PATIENCE_MS;
        for (;;) {
            let value, failure;
            try {
                value = await this.evaluate(fn, ...args);
            } catch (error) {
                failure = error;        // the page is being replaced
            }
            if (value) return value;
            if (Date.now() > end) {
                const shown = await this.evaluate(() => document.body.innerText).catch(String);
                throw new Error(
                    `${this.name}: waited in vain for ${fn} with ${JSON.stringify(args)}; the page shows:\n${shown}`,
                    {cause: failure});
            }
            await sleep(Date.now() - begun < SOON_MS ? LOOK_AGAIN_MS : SELDOM_MS);
        }
    }

    /** Puts a text into a field at once, as pasting does. */
    fill(selector, text) {
        return this.evaluate((selector, text) => {
            const field = document.querySelector(selector);
            field.value = text;
            field.dispatchEvent(new Event('input', {bubbles: true}));
        }, selector, text);
    }

    /**
     * The visible text, without the line end that WebKit adds; '' when the element is hidden. WebKit finds no
     * text in what content-visibility leaves undrawn, so it is drawn for it.
     */
    text(selector) {
        return this.evaluate((selector) => {
            const element = document.querySelector(selector);
            if (!element?.checkVisibility()) return '';
            element.style.contentVisibility = 'visible';
            const text = element.innerText.trim();
            element.style.contentVisibility = '';
            return text;
        }, selector);
    }

    async screenshot(path) {
        mkdirSync(dirname(path), {recursive: true});
        writeFileSync(path, await this.#driver.screenshot());
    }
}
