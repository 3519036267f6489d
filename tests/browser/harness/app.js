// What a person does on the page, by the page's own controls.
//
// Owns: the page's ids, so that a test reads like a visit. Must not know: browsers, or what a test expects.

/** @typedef {import('./page.js').Page} Page */

export const MODEL_NAME = 'gemma-3-270m-q4_k_m.gguf';

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
    await page.fill('#url', '');
    await page.type('#url', url);
    await page.click('#url-form button');
}

/** Starts the model that the page offers first. */
export async function start(page) {
    await page.until(() => document.querySelector('.card button.primary') !== null);
    await page.click('.card button.primary');
}

/** @returns {Promise<{title: string, message: string}>} of the error that is shown, once there is one */
export async function shownError(page) {
    await page.until(() => !document.getElementById('error').hidden);
    return {title: await page.text('#error-title'), message: await page.text('#error-message')};
}

/** @param {Record<string, number | ''>} values by the settings' keys, see web/app/data/preferences.js */
export async function set(page, values) {
    await page.until(() => document.getElementById('open-settings').onclick !== null);      // WebKit's load event may come before the script
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

/** Says something in the chat. @returns {Promise<{text: string, foot: string}>} the model's answer, with its line of figures */
export async function say(page, text) {
    await page.type('#message', `${text}\n`);
    await page.until(() => document.getElementById('send').textContent === 'Send' && document.getElementById('message').value === '');
    return page.evaluate(() => {
        const last = document.getElementById('messages').lastElementChild;
        return {text: last.querySelector('.body').textContent, foot: last.querySelector('.foot').textContent};
    });
}

/** @returns {Promise<Record<string, string>>} the strip of figures, by name */
export function figures(page) {
    return page.evaluate(() => Object.fromEntries([...document.querySelectorAll('#facts-list > div')]
        .map((fact) => [fact.querySelector('dt').textContent, [...fact.querySelectorAll('dd > *')].map((part) => part.textContent).join(' ')])));
}
