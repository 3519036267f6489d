// Brings Emscripten from Debian packages into a folder, without root and without touching the system (10 s, 100 MB).
//
//   node wasm/toolchain/install.js PREFIX OLDEST      called by emscripten.js, under a lock
//
// Owns: the order of the steps and what to tell people when one fails. Must not know: whether another
// Emscripten exists.

import {spawnSync} from 'node:child_process';
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {SetupError, main, run, say} from '../../web/node/run.js';
import {PrivateApt, isDebian} from './apt.js';
import {emscriptenPackages} from './packages.js';
import {isComplete, makeRunnable} from './prefix.js';

const SUITE = 'forky'; // the first Debian whose Emscripten has today's memory64

const [prefix, oldest] = process.argv.slice(2);

await main(async () => {
    if (isComplete(prefix)) return; // another build has brought it while this one waited for the lock
    const advice = `install Emscripten ${oldest} or newer ` +
        '(https://emscripten.org/docs/getting_started/downloads.html) and put emcc on PATH';
    const obstacle = whyNot();
    if (obstacle) throw new SetupError(`Emscripten can't be brought here (${obstacle}): ${advice}`);
    try {
        await bring();
    } catch (error) {
        rmSync(prefix, {recursive: true, force: true});
        if (!(error instanceof SetupError)) throw error;
        throw new SetupError(`Emscripten could not be fetched; mend what follows, or ${advice}\n${error.message}`);
    }
});

/** @returns {string | null} why this machine can't have it brought */
function whyNot() {
    if (process.platform !== 'linux' || process.arch !== 'x64' || !isDebian()) return 'this is not Debian on x86-64';
    const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']);
    return python.status === 0 ? null : 'Python 3.10 or newer is missing';
}

async function bring() {
    say('Emscripten: not found, bringing it from Debian packages (100 MB)');
    rmSync(prefix, {recursive: true, force: true});
    mkdirSync(prefix, {recursive: true});
    const apt = new PrivateApt(join(prefix, 'apt'), SUITE);
    try {
        say(`Emscripten: reading the package index of Debian ${SUITE}`);
        const names = ['patchelf', ...emscriptenPackages(apt.index())];
        const debs = await apt.download(names,
            (name, nth) => say(`Emscripten: downloading ${nth}/${names.length} ${name}`));
        say('Emscripten: unpacking');
        for (const deb of debs) run('dpkg', ['-x', deb, prefix]);
    } finally {
        apt.close();
    }
    makeRunnable(prefix);
    say('Emscripten: ready');
}
