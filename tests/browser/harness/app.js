// What a person does on the page, by the page's own controls.
//
// Owns: the page's ids, so that a test reads like a visit. Must not know: browsers, or what a test expects.

/** @typedef {import('./page.js').Page} Page */

export const MODEL_NAME = 'gemma-3-270m-q4_k_m.gguf';

/**
 * Comes to the site. On a host without headers the service worker reloads the page once, which is
 * isolated then.
 * @param {Page} page
 * @param {string} url
 */
export async function visit(page, url) {
    await page.goto(url);
    await page.until(() => crossOriginIsolated && document.readyState === 'complete'
        && document.getElementById('pick-file').onclick !== null);
}

/** @param {Page} page @param {'welcome' | 'loading' | 'writer' | 'chat'} name */
export function screen(page, name) {
    return page.until((name) => document.body.dataset.screen === name, name);
}

/** Waits for the screen that follows loading. @returns {Promise<'writer' | 'chat'>} */
export async function opened(page) {
    const shown = await page.until(() => {
        const {screen} = document.body.dataset;
        const error = document.getElementById('error');
        return error.hidden ? ['writer', 'chat'].includes(screen) && {screen} : {error: error.innerText};
    });
    if (shown.error) throw new Error(shown.error);
    return shown.screen;
}

/** Comes again, to no conversation in particular. */
export async function revisit(page) {
    await page.evaluate(() => history.replaceState(null, '', location.pathname));
    await page.reload();
}

/** Opens a model from the disk. @param {string} path */
export async function openFile(page, path) {
    await page.upload('#file', path);
    return opened(page);
}

/** Asks for a model by its address. @param {string} url */
export async function loadUrl(page, url) {
    // The load event may come before the script, and the script before the screen.
    await page.until(() => document.getElementById('url-form').onsubmit !== null
        && document.getElementById('url').checkVisibility());
    await page.fill('#url', '');
    await page.type('#url', url);
    await page.click('#url-form button');
}

/** The card of the site's own model. */
export const OWN = '[data-offer=default]';

/** Starts the site's own model. */
export async function start(page) {
    await page.until((own) => document.querySelector(`${own} .actions button`) !== null, OWN);
    await page.click(`${OWN} .actions button`);
}

/** @returns {Promise<{title: string, message: string}>} of the error that is shown, once there is one */
export async function shownError(page) {
    await page.until(() => !document.getElementById('error').hidden);
    return {title: await page.text('#error-title'), message: await page.text('#error-message')};
}

/** @param {Record<string, number | ''>} values by the settings' keys, see web/app/data/preferences.js */
export async function set(page, values) {
    // WebKit's load event may come before the script
    await page.until(() => document.getElementById('open-settings').onclick !== null);
    await page.click('#open-settings');
    for (const [key, value] of Object.entries(values)) await page.fill(`#setting-${key}`, String(value));
    await page.click('#settings header button');
    await page.until(() => !document.getElementById('settings').open);
}

/** Has the model go on with a text. @returns {Promise<string>} what it added */
export async function continueText(page, text) {
    await page.fill('#text', text);
    await page.click('#continue');
    return (await written(page)).slice(text.length);
}

/** Waits for the end of writing. @returns {Promise<string>} the whole text */
export async function written(page) {
    await page.until(() => document.getElementById('continue').textContent === 'Continue');
    return page.evaluate(() => document.getElementById('text').value);
}

/**
 * Says something in the chat.
 * @returns {Promise<{text: string, foot: string}>} the model's answer, with its line of figures
 */
export async function say(page, text) {
    await page.type('#message', `${text}\n`);
    await page.until(() => document.getElementById('send').textContent === 'Send'
        && document.getElementById('message').value === '');
    return page.evaluate(() => {
        const last = document.getElementById('messages').lastElementChild;
        return {text: last.querySelector('.body').textContent, foot: last.querySelector('.foot').textContent};
    });
}

/**
 * Closes a dialog, and waits until the page has heard of it: Chromium says so with the next frame, which
 * may take long.
 */
export function closeDialog(page, selector = 'dialog[open]') {
    return page.evaluate((selector) => new Promise((closed) => {
        const dialog = document.querySelector(selector);
        dialog.addEventListener('close', () => setTimeout(closed));
        dialog.close();
    }), selector);
}

/** Opens what is done with all of a person's data. @param {Page} page */
export async function openData(page) {
    await page.until(() => document.getElementById('open-data').onclick !== null);
    await page.evaluate(() => document.getElementById('open-data').click());
    await page.until(() => document.getElementById('data') !== null);
}

/** Presses a button of that, by what it says. */
export function pressData(page, label) {
    return page.evaluate((label) => [...document.querySelectorAll('#data button')].find(({textContent}) =>
        textContent === label).click(), label);
}

/** @returns {Promise<string>} what came of it */
export async function dataOutcome(page) {
    const {said} = await page.until(() => {
        const said = document.querySelector('#data .transfer-outcome')?.textContent;
        return said && said !== 'Working…' && {said};
    });
    return said;
}

/**
 * What a person is given as a file by a button of that.
 * @param {Page} page
 * @param {string} label
 * @returns {Promise<string>} its text
 */
export async function exportData(page, label) {
    await page.evaluate(() => {
        if (window.given) return;
        window.given = [];
        const create = URL.createObjectURL;
        URL.createObjectURL = (blob) => {
            window.given.push(blob);
            return create.call(URL, blob);
        };
        window.HTMLAnchorElement.prototype.click = () => {};       // no download
    });
    await pressData(page, label);
    await page.until(() => window.given.length > 0);
    return page.evaluate(() => window.given.pop().text());
}

/** Imports a file. @param {Page} page @param {string} path @returns {Promise<string>} what came of it */
export async function importData(page, path) {
    await page.evaluate(() => { document.querySelector('#data .transfer-outcome').textContent = ''; });
    await page.upload('#import-file', path);
    return dataOutcome(page);
}

/** @returns {Promise<Record<string, string>>} the strip of figures, by name */
export function figures(page) {
    return page.evaluate(() => Object.fromEntries([...document.querySelectorAll('#facts-list > div')]
        .map((fact) => [fact.querySelector('dt').textContent,
            [...fact.querySelectorAll('dd > *')].map((part) => part.textContent).join(' ')])));
}
