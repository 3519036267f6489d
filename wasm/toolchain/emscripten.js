// Finds Emscripten, or has it brought into .toolchain/emscripten of this checkout, and prints the path of emcc.
//
//   node wasm/toolchain/emscripten.js      stdout: one line, the emcc to call; stderr: what is going on
//
// Owns: which Emscripten is good enough, where the brought one lives. Must not know: how it is brought, what it builds.

import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {which} from '../../web/node/run.js';
import {emccOf, isComplete} from './prefix.js';

const OLDEST = [4, 0, 10];
const TOOLCHAIN = fileURLToPath(new URL('../../.toolchain', import.meta.url));
const PREFIX = join(TOOLCHAIN, 'emscripten');
const INSTALLER = fileURLToPath(new URL('install.js', import.meta.url));

const emcc = installed() ?? brought();
if (emcc) process.stdout.write(`${emcc}\n`);
else process.exitCode = 1; // the installer has said why

/** An Emscripten of the user's own, through emsdk or on PATH. @returns {string | null} */
function installed() {
    const candidates = [process.env.EMSDK && join(process.env.EMSDK, 'upstream/emscripten/emcc'), which('emcc')];
    return candidates.find((path) => path && existsSync(path) && isNewEnough(path)) || null;
}

/** @param {string} path */
function isNewEnough(path) {
    const {stdout} = spawnSync(path, ['--version'], {encoding: 'utf8'});
    const version = /\b(\d+)\.(\d+)\.(\d+)\b/.exec(stdout ?? '')?.slice(1).map(Number);
    if (!version) return false;
    const at = version.findIndex((number, i) => number !== OLDEST[i]);
    return at < 0 || version[at] > OLDEST[at];
}

/** The project's own, installed now if it isn't there. Of several builds that start at once, one installs it. */
function brought() {
    if (!isComplete(PREFIX)) {
        mkdirSync(TOOLCHAIN, {recursive: true});
        // flock comes with every Debian; where it is missing the installer, run alone, says what to do instead.
        const command = [process.execPath, INSTALLER, PREFIX, OLDEST.join('.')];
        if (which('flock')) command.unshift('flock', join(TOOLCHAIN, 'emscripten.lock'));
        spawnSync(command[0], command.slice(1), {stdio: ['ignore', 'ignore', 'inherit']});
    }
    return isComplete(PREFIX) ? emccOf(PREFIX) : null;
}
