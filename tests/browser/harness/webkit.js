// WebKit: MiniBrowser on an X server without a screen, driven by WebKitWebDriver, which speaks
// plain WebDriver.
//
// Owns: how these three programs are started, and WebDriver by HTTP. Must not know: what is tested.

import {mkdirSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {Programs} from './programs.js';
import {CAPABILITIES, openFirst} from './webdriver.js';

const START_MS = 20_000;        // now and then a session never begins: then another try does
const TRIES = 3;
const SCREEN = '1600x1200x24';
/** MiniBrowser's toolbar would keep its window wider than a phone. */
const NARROW_TOOLBAR = '* { min-width: 0; padding: 0; margin: 0; font-size: 1px; }';

/** The address of each command in use; {id}: one of its parameters. */
const COMMANDS = {
    GetWindowHandle: 'GET /window', SwitchToWindow: 'POST /window', NewWindow: 'POST /window/new',
    CloseWindow: 'DELETE /window',
    SetWindowRect: 'POST /window/rect', Navigate: 'POST /url', ExecuteAsyncScript: 'POST /execute/async',
    FindElement: 'POST /element', ElementClick: 'POST /element/{id}/click',
    ElementSendKeys: 'POST /element/{id}/value', TakeScreenshot: 'GET /screenshot',
};

/**
 * @param {{path: string, driver: string, xvfb: string}} programs
 * @param {{scheme: 'light' | 'dark', sharedMemory: boolean}} options
 *     sharedMemory: as in Safari, which has the switch on for isolated pages; GTK's WebKit has it off
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openWebKit(programs, options) {
    for (let left = TRIES; ; left--) {
        const running = new Programs('webkit'), close = async () => running.end();
        try {
            mkdirSync(join(running.folder, 'gtk-3.0'));
            writeFileSync(join(running.folder, 'gtk-3.0/gtk.css'), NARROW_TOOLBAR);
            return await openFirst(await startSession(programs, options, running), close);
        } catch (error) {
            await close();
            if (left === 1 || error.name !== 'TimeoutError') throw error;
        }
    }
}

/** @param {Programs} running @returns {Promise<import('./webdriver.js').Session>} */
async function startSession({path, driver, xvfb}, {scheme, sharedMemory}, running) {
    const screen = running.start(xvfb, ['-displayfd', '3', '-screen', '0', SCREEN, '-nolisten', 'tcp'],
        {stdio: ['ignore', 'ignore', 'ignore', 'pipe']});
    const display = await new Promise((found, fail) => {
        screen.stdio[3].once('data', (number) => found(`:${String(number).trim()}`));
        screen.once('exit', (code) => fail(new Error(`Xvfb ended (${code})`)));
    });
    const port = await freePort();
    running.start(driver, [`--port=${port}`], {
        stdio: 'ignore',
        env: {
            ...process.env, DISPLAY: display,
            // without a graphics card, layers put together by OpenGL are four tenths of all its work
            WEBKIT_DISABLE_COMPOSITING_MODE: '1', LIBGL_ALWAYS_SOFTWARE: '1',
            WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', GTK_THEME: scheme === 'dark'
                ? 'Adwaita:dark' : 'Adwaita',
            XDG_CONFIG_HOME: running.folder, JSC_useSharedArrayBuffer: sharedMemory ? '1' : '0',
        },
    });
    const base = `http://127.0.0.1:${port}`;
    const started = AbortSignal.timeout(START_MS);
    while (!await fetch(`${base}/status`, {signal: started}).then((r) => r.ok, () => false)) {
        started.throwIfAborted();
        await sleep(50);
    }
    const capabilities = {alwaysMatch: {...CAPABILITIES, 'webkitgtk:browserOptions': {binary: path,
        args: ['--automation']}}};
    const {sessionId} = await command(base, 'POST', '/session', {capabilities}, started);
    return (name, {id, ...body} = {}) => {
        const [method, path] = COMMANDS[name].split(' ');
        return command(base, method, `/session/${sessionId}${path.replace('{id}', id)}`, body);
    };
}

async function command(base, method, path, body, signal) {
    const response = await fetch(base + path,
        {method, signal, body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined});
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
