// WebKit: MiniBrowser on an X server without a screen, driven by WebKitWebDriver, which speaks plain WebDriver.
//
// Owns: how these three programs are started and ended, and the few WebDriver commands in use. Must not know: what is tested.

import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

const START_MS = 20_000;        // now and then a session never begins: then another try does
const TRIES = 3;
const SCREEN = '1600x1200x24';
/** MiniBrowser's toolbar would keep its window wider than a phone. */
const NARROW_TOOLBAR = '* { min-width: 0; padding: 0; margin: 0; font-size: 1px; }';
const ENTER = '\ue007';
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/**
 * @param {{path: string, driver: string, xvfb: string}} programs
 * @param {{scheme: 'light' | 'dark', sharedMemory: boolean}} options
 *     sharedMemory: as in Safari, which has the switch on for isolated pages; GTK's WebKit has it off
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openWebKit(programs, options) {
    for (let left = TRIES; ; left--) {
        const children = [];
        const config = mkdtempSync(join(tmpdir(), 'gemma-webkit-'));
        const end = () => {
            children.splice(0).reverse().forEach(endGroup);
            rmSync(config, {recursive: true, force: true});
        };
        process.once('exit', end);
        const close = () => {
            process.off('exit', end);
            end();
        };
        try {
            mkdirSync(join(config, 'gtk-3.0'));
            writeFileSync(join(config, 'gtk-3.0/gtk.css'), NARROW_TOOLBAR);
            const session = await startSession(programs, {...options, config}, children);
            return await openFirst(session, close);
        } catch (error) {
            close();
            if (left === 1 || error.name !== 'TimeoutError') throw error;
        }
    }
}

// A process that is told to end must still end its children.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Each program leads a process group, to which what it starts belongs. */
function start(children, program, args, options) {
    const child = spawn(program, args, {...options, detached: true});
    child.on('error', () => {});    // seen by whoever waits for the program to answer
    children.push(child);
    return child;
}

function endGroup({pid}) {
    try {
        process.kill(-pid, 'SIGKILL');
    } catch {
        // it has ended by itself
    }
}

/** @returns {Promise<(method: string, path: string, body?: object) => Promise<any>>} sends a command to the session */
async function startSession({path, driver, xvfb}, {scheme, sharedMemory, config}, children) {
    const screen = start(children, xvfb, ['-displayfd', '3', '-screen', '0', SCREEN, '-nolisten', 'tcp'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe']});
    const display = await new Promise((found, fail) => {
        screen.stdio[3].once('data', (number) => found(`:${String(number).trim()}`));
        screen.once('exit', (code) => fail(new Error(`Xvfb ended (${code})`)));
    });
    const port = await freePort();
    start(children, driver, [`--port=${port}`], {
        stdio: 'ignore',
        env: {
            ...process.env, DISPLAY: display, LIBGL_ALWAYS_SOFTWARE: '1', WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', GTK_THEME: scheme === 'dark' ? 'Adwaita:dark' : 'Adwaita',
            XDG_CONFIG_HOME: config, JSC_useSharedArrayBuffer: sharedMemory ? '1' : '0',
        },
    });
    const base = `http://127.0.0.1:${port}`;
    const started = AbortSignal.timeout(START_MS);
    while (!await fetch(`${base}/status`, {signal: started}).then((r) => r.ok, () => false)) {
        started.throwIfAborted();
        await sleep(50);
    }
    const capabilities = {alwaysMatch: {
        unhandledPromptBehavior: 'accept', timeouts: {script: 300_000},
        'webkitgtk:browserOptions': {binary: path, args: ['--automation']},
    }};
    const {sessionId} = await command(base, 'POST', '/session', {capabilities}, started);
    return (method, path, body) => command(base, method, `/session/${sessionId}${path}`, body);
}

async function command(base, method, path, body, signal) {
    const response = await fetch(base + path, {method, signal, body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined});
    const {value} = await response.json();
    if (!response.ok) throw new Error(`WebKit: ${value.error}: ${value.message}`);
    return value;
}

function freePort() {
    return new Promise((found) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const {port} = server.address();
            server.close(() => found(port));
        });
    });
}

/** Runs in the page: WebDriver has no events, so the page itself collects what goes wrong. CSP reports come also of the time before. */
function watch() {
    if (window.problemsSeen) return;
    const seen = window.problemsSeen = [];
    const {error} = console;
    console.error = (...args) => {
        seen.push(args.join(' '));
        error.apply(console, args);
    };
    addEventListener('error', (event) => seen.push(event.message ?? `${event.target?.src ?? event.target?.href} failed`), true);
    addEventListener('unhandledrejection', (event) => seen.push(String(event.reason)));
    new ReportingObserver((reports) => reports.forEach(({body}) => seen.push(`CSP: ${body.effectiveDirective} ${body.blockedURL}`)),
        {types: ['csp-violation'], buffered: true}).observe();
}

/** Runs in the page: resolves when it has been drawn as it is now. */
function painted() {
    return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn, 100))));
}

/** The session is at one window at a time: each command says at which. */
async function openFirst(session, end) {
    let turn = Promise.resolve();
    const inWindow = (handle) => (...command) => {
        const done = turn.then(() => session('POST', '/window', {handle})).then(() => session(...command));
        turn = done.catch(() => {});
        return done;
    };
    const tab = async () => {
        const {handle} = await session('POST', '/window/new', {type: 'window'});
        return drive(inWindow(handle), tab, () => inWindow(handle)('DELETE', '/window'));
    };
    return drive(inWindow(await session('GET', '/window')), tab, end);
}

async function drive(session, tab, end) {
    const evaluate = async (source, args) => {
        const script = `const done = arguments[1];
            (async () => (${source})(...arguments[0]))().then((value) => done({value}), (error) => done({error: [error, error?.stack].join(' ')}))`;
        const {value, error} = await session('POST', '/execute/async', {script, args: [args]});
        if (error) throw new Error(`in the page: ${error}`);
        return value ?? undefined;
    };
    const find = async (selector) => (await session('POST', '/element', {using: 'css selector', value: selector}))[ELEMENT];
    const problems = [];
    const takeProblems = async () => {
        problems.push(...await evaluate('() => (window.problemsSeen ?? []).splice(0)', []));
    };
    const navigate = async (path, body) => {
        await takeProblems();
        await session('POST', path, body);
        await evaluate(String(watch), []);
    };
    const driver = {
        tab,
        goto: (url) => navigate('/url', {url}),
        reload: () => navigate('/refresh'),
        evaluate,
        click: async (selector) => session('POST', `/element/${await find(selector)}/click`),
        type: async (selector, text) => session('POST', `/element/${await find(selector)}/value`, {text: text.replaceAll('\n', ENTER)}),
        upload: async (selector, path) => session('POST', `/element/${await find(selector)}/value`, {text: path}),
        screenshot: async () => Buffer.from(await session('GET', '/screenshot'), 'base64'),
        async resize(width, height) {
            // The window is larger than the page by its toolbar.
            const [moreWide, moreHigh] = await evaluate('() => [outerWidth - innerWidth, outerHeight - innerHeight]', []);
            await session('POST', '/window/rect', {width: width + moreWide, height: height + moreHigh});
            await evaluate(String(painted), []);
        },
        async problems() {
            await evaluate(String(watch), []);
            await takeProblems();
            return problems.splice(0);
        },
        async close() {
            end();
        },
    };
    await driver.resize(1280, 800);
    return driver;
}
