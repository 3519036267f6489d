// Installs Debian packages that the tests need, where the tests run as root on a Debian (a CI machine,
// a container).
// Owns: the system's apt. Must not know: what the packages are for.

import {existsSync} from 'node:fs';
import {SetupError, runWithLines, say} from '../../web/node/run.js';

const EVERY = 25; // packages between two lines of progress

/**
 * @param {string} what  who needs them, to begin lines of progress with
 * @param {string[]} packages
 * @returns {Promise<string | null>} why they could not be installed
 */
export async function installPackages(what, packages) {
    const command = `apt-get install ${packages.join(' ')}`;
    if (!existsSync('/etc/debian_version')) return `install what Debian calls ${packages.join(', ')}`;
    if (process.getuid?.() !== 0) return `run as root: ${command}`;
    const env = {...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive'};
    const show = progressOf(what);
    say(`${what}: installing the Debian packages ${packages.join(', ')}`);
    try {
        await runWithLines('apt-get', ['update', '-q', '-o', 'APT::Update::Error-Mode=any'], () => {}, {env});
        await runWithLines('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], show,
            {env});
        return null;
    } catch (error) {
        if (error instanceof SetupError) return error.message;
        throw error;
    }
}

/** @returns {(line: string) => void} counts apt's lines, of which there are hundreds */
function progressOf(what) {
    let total = 0;
    const count = {'Get:': 0, 'Setting up': 0};
    return (line) => {
        const newly = /(\d+) newly installed/.exec(line);
        if (newly) total = Number(newly[1]);
        for (const [start, done] of [['Get:', 'downloaded'], ['Setting up', 'installed']]) {
            if (!line.startsWith(start)) continue;
            count[start]++;
            if (count[start] % EVERY === 0 || count[start] === total)
                say(`${what}: ${done} ${count[start]}/${total}`);
        }
    };
}
