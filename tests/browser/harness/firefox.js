// Firefox without a window, driven by its Marionette, which speaks plain WebDriver over a socket. Not by
// WebDriver BiDi: in a page that is driven so, one in some dozens of workers that a worker starts
// never begins.
//
// Owns: how it is started, and how commands travel. Must not know: what is tested.

import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect} from 'node:net';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {Programs, programsOf} from './programs.js';
import {startRefusingProxy} from './proxy.js';
import {CAPABILITIES, openFirst} from './webdriver.js';

const START_MS = 120_000;
/** Toolbars would keep the window wider than a phone. */
const NARROW_TOOLBAR = ':root, body, #navigator-toolbox, #navigator-toolbox * { min-width: 0 !important; }';

/**
 * @param {{path: string}} program
 * @param {{scheme: 'light' | 'dark', wasm: boolean, cookies: boolean}} options
 * @returns {Promise<import('./page.js').Driver>}
 */
export async function openFirefox({path}, {scheme, wasm, cookies}) {
    const strangers = [], proxy = await startRefusingProxy(strangers), running = new Programs('firefox');
    const close = async () => {
        running.end();
        proxy.close();
    };
    try {
        writeProfile(running.folder, {
            'marionette.port': 0,       // any that is free; it is written into the profile
            'browser.shell.checkDefaultBrowser': false,
            'toolkit.legacyUserProfileCustomizations.stylesheets': true,
            // it is killed, see restart
            'toolkit.startup.max_resumed_crashes': -1, 'browser.sessionstore.resume_from_crash': false,
            'javascript.options.wasm': wasm, ...!cookies && {'network.cookie.cookieBehavior': 2},
            'network.proxy.type': 1,
            'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': proxy.port,
            'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': proxy.port,
            'layout.css.prefers-color-scheme.content-override': scheme === 'dark' ? 0 : 1,
        });
        const portFile = join(running.folder, 'MarionetteActivePort');
        const start = async () => {
            const {pid} = running.start(path, ['--headless', '--marionette', '--profile', running.folder],
                {stdio: 'ignore'});
            const endPage = () => programsOf(pid, /-contentproc .* tab$/)
                .forEach((one) => process.kill(one, 'SIGKILL'));
            return {...await openFirst(await startSession(portFile), close, endPage), strangers, restart};
        };
        const restart = async () => {
            await running.kill();
            rmSync(portFile, {force: true});
            return start();
        };
        return await start();
    } catch (error) {
        await close();
        throw error;
    }
}

function writeProfile(folder, preferences) {
    mkdirSync(join(folder, 'chrome'));
    writeFileSync(join(folder, 'chrome/userChrome.css'), NARROW_TOOLBAR);
    writeFileSync(join(folder, 'user.js'), Object.entries(preferences)
        .map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`).join(''));
}

/** @param {string} portFile @returns {Promise<import('./webdriver.js').Session>} */
async function startSession(portFile) {
    const end = Date.now() + START_MS;
    for (;;) {
        const send = await dial(portFile).catch(() => undefined);
        if (send) {
            await send('NewSession', CAPABILITIES);
            return send;
        }
        if (Date.now() > end) throw new Error('Firefox: Marionette does not answer.');
        await sleep(50);
    }
}

/**
 * Marionette's messages: their length in decimal digits, a colon, JSON: [0, number, command, parameters]
 * there, [1, number, error, result] back.
 */
async function dial(portFile) {
    const socket = connect(Number(readFileSync(portFile, 'utf8')), '127.0.0.1');
    const waiting = new Map();
    let bytes = Buffer.alloc(0), number = 0;
    await new Promise((done, fail) => {
        socket.on('error', fail);
        socket.once('data', done);      // the first message is a greeting
    });
    socket.on('data', (more) => {
        bytes = Buffer.concat([bytes, more]);
        for (let colon; (colon = bytes.indexOf(':')) > 0;) {
            const end = colon + 1 + Number(bytes.subarray(0, colon));
            if (bytes.length < end) return;
            const [, number, error, result] = JSON.parse(bytes.subarray(colon + 1, end));
            bytes = bytes.subarray(end);
            const {done, fail} = waiting.get(number);
            waiting.delete(number);
            if (error) fail(new Error(`Firefox: ${error.error}: ${error.message}`));
            else done(result !== null && 'value' in result ? result.value : result);
        }
    });
    const ended = new Error('Firefox has ended.');
    socket.on('close', () => waiting.forEach(({fail}) => fail(ended)));
    return (command, parameters = {}) => new Promise((done, fail) => {
        if (socket.destroyed) return fail(ended);
        waiting.set(++number, {done, fail});
        const message = JSON.stringify([0, number, `WebDriver:${command}`, parameters]);
        socket.write(`${Buffer.byteLength(message)}:${message}`);
    });
}
