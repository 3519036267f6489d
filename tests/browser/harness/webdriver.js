// A page driven by plain WebDriver, which WebKit's driver and Firefox's Marionette speak.
//
// Owns: how a test's words become WebDriver's commands. Must not know: which browser it is, how
// commands travel.

import {setTimeout as sleep} from 'node:timers/promises';

const LOOK_AGAIN_MS = 40;
const ENTER = '\ue007';
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** Asked of a session at its start. */
export const CAPABILITIES = {unhandledPromptBehavior: 'accept', timeouts: {script: 600_000}};

/**
 * @typedef {(command: string, parameters?: object) => Promise<any>} Session   sends a command, by its name in
 *     the standard, and gives its value
 */

/**
 * Runs in the page before anything else does that a test asks of it: WebDriver has no events, so the page
 * itself collects what goes wrong, also after it has reloaded itself. CSP reports come also of the time
 * before, where there are such.
 */
function watch() {
    if (window.problemsSeen) return;
    const seen = window.problemsSeen = [];
    const {error} = console;
    console.error = (...args) => {
        seen.push(args.join(' '));
        error.apply(console, args);
    };
    addEventListener('error',
        (event) => seen.push(event.message ?? `${event.target?.src ?? event.target?.href} failed`), true);
    addEventListener('unhandledrejection', (event) => seen.push(String(event.reason)));
    const refused = ({effectiveDirective, blockedURL, blockedURI}) =>
        seen.push(`CSP: ${effectiveDirective} ${blockedURL ?? blockedURI}`);
    if (!('ReportingObserver' in window)) document.addEventListener('securitypolicyviolation', refused);
    else new ReportingObserver((reports) => reports.forEach(({body}) => refused(body)),
        {types: ['csp-violation'], buffered: true}).observe();
}

/** Runs in the page: resolves when it has been drawn as it is now. */
function painted() {
    return new Promise((drawn) =>
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn, 100))));
}

/** These run in the page. */
function look() {}
function leave() {
    window.leaving = true;
    setTimeout(() => location.reload());
}
function arrived() {
    return !window.leaving && document.readyState === 'complete';
}

/**
 * The first page of a session. The session is at one window at a time: each command says at which.
 * @param {Session} session
 * @param {() => Promise<void>} end   ends the browser
 * @param {() => void} [endPage]   ends the processes of its pages; where a session would end with them, a
 *     crash is the end of a tab
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openFirst(session, end, endPage) {
    let turn = Promise.resolve();
    const inWindow = (handle) => (...command) => {
        const done = turn.then(() => session('SwitchToWindow', {handle})).then(() => session(...command));
        turn = done.catch(() => {});
        return done;
    };
    /** @param {string} handle @param {() => Promise<void>} [close] */
    const driveWindow = (handle, close = () => inWindow(handle)('CloseWindow')) => {
        const open = async () => (await inWindow(handle)('NewWindow', {type: 'window'})).handle;
        const crash = async () => {
            if (endPage) {
                endPage();
                return driveWindow(await open(), close);
            }
            const other = await open();
            await inWindow(handle)('CloseWindow');
            return driveWindow(other, close);
        };
        return drive(inWindow(handle), {tab: async () => driveWindow(await open()), close, crash});
    };
    return driveWindow(await session('GetWindowHandle'), end);
}

/** WebKit's driver leaves what is below the window's edge where it is, and then can't click it. */
function reveal(selector) {
    const element = document.querySelector(selector), {top, bottom} = element.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) element.scrollIntoView({block: 'center', behavior: 'instant'});
}

async function drive(session, {tab, close, crash}) {
    const evaluate = async (source, args) => {
        const script = `(${watch})();
            const done = arguments[1];
            (async () => (${source})(...arguments[0]))().then((value) => done({value}), (error) => done({error: [error, error?.stack].join(' ')}))`;
        const {value, error} = await session('ExecuteAsyncScript', {script, args: [args]});
        if (error) throw new Error(`in the page: ${error}`);
        return value ?? undefined;
    };
    const find = async (selector) => (await session('FindElement',
        {using: 'css selector', value: selector}))[ELEMENT];
    const problems = [];
    const takeProblems = async () => {
        problems.push(...await evaluate('() => (window.problemsSeen ?? []).splice(0)', []));
    };
    const driver = {
        tab, close, crash, evaluate,
        async goto(url) {
            await takeProblems();
            await session('Navigate', {url});
            await evaluate(String(look), []);
        },
        // As a page does it: Firefox takes WebDriver's Refresh for one that asks no service worker.
        async reload() {
            await takeProblems();
            await evaluate(String(leave), []);
            while (!await evaluate(String(arrived), []).catch(() => false)) await sleep(LOOK_AGAIN_MS);
            await evaluate(String(look), []);
        },
        async click(selector) {
            const id = await find(selector);
            await evaluate(String(reveal), [selector]);
            return session('ElementClick', {id});
        },
        type: async (selector, text) => session('ElementSendKeys',
            {id: await find(selector), text: text.replaceAll('\n', ENTER)}),
        upload: async (selector, path) => session('ElementSendKeys', {id: await find(selector), text: path}),
        screenshot: async () => Buffer.from(await session('TakeScreenshot', {full: false}), 'base64'),
        async resize(width, height) {
            // The window is larger than the page by its toolbar.
            const [moreWide, moreHigh] =
                await evaluate('() => [outerWidth - innerWidth, outerHeight - innerHeight]', []);
            await session('SetWindowRect', {width: width + moreWide, height: height + moreHigh});
            await evaluate(String(painted), []);
        },
        async problems() {
            await takeProblems();
            return problems.splice(0);
        },
    };
    await driver.resize(1280, 800);
    return driver;
}
