// Sets a checkout up: npm packages, engine modules, default model. Each step says what it does and does nothing twice.
// Owns: what a checkout needs before it runs. Must not know: how Emscripten or the model are brought, who needs the steps.

import {spawnSync} from 'node:child_process';
import {existsSync, statSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {SetupError, runWithLines, say, which} from './run.js';

export {ensureDefaultModel as ensureModel} from './default_model.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** npm's packages, of which only the tests need any. */
export async function ensureDependencies() {
    // npm writes the hidden lock file at the end of an install.
    const installed = join(ROOT, 'node_modules/.package-lock.json');
    const lock = join(ROOT, 'package-lock.json');
    if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
    say('npm packages: installing');
    await runWithLines('npm', ['ci', '--no-audit', '--no-fund'], () => {}, {cwd: ROOT});
}

/** The engine's WebAssembly modules; make decides what is to be built. */
export async function ensureModules() {
    if (!which('make')) throw new SetupError('the engine needs make to be built: install it (Debian: apt-get install make)');
    // make expands recipes even when it is only asked; with an EMCC of its own it doesn't bring Emscripten for that.
    if (spawnSync('make', ['-q', 'EMCC=emcc', 'wasm'], {cwd: ROOT}).status === 0) return;
    const emcc = emscripten();
    say('Engine: building its WebAssembly modules');
    await runWithLines('make', [`-j${availableParallelism()}`, `EMCC=${emcc}`, 'wasm'], showBuild, {cwd: ROOT});
}

/** Has Emscripten found or brought. It says by itself, on stderr, what it does and what fails. */
function emscripten() {
    const found = spawnSync(process.execPath, ['wasm/toolchain/emscripten.js'],
        {cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
    if (found.status !== 0) throw new SetupError('The engine can\'t be built without Emscripten.');
    return found.stdout.trim();
}

/** Turns the lines of the build that take long into progress. */
function showBuild(line) {
    const library = /generating system library: sysroot\/lib\/(wasm\d+)-.*\/libc-/.exec(line);
    if (library) say(`Engine: building Emscripten's C library for ${library[1]} (half a minute, once)`);
    const module = / -o (\S+\.js)$/.exec(line);
    if (module) say(`Engine: compiling ${basename(module[1], '.js')}`);
}
