// Sets a checkout up: npm packages, engine modules, default model. Each step says what it does and does
// nothing twice.
// Owns: what a checkout needs before it runs. Must not know: how Emscripten or the model are brought, who
// needs the steps.

import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {SetupError, run, runWithLines, say, which} from './run.js';

export {ensureDefaultModel as ensureModel} from './default_model.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** npm's packages: what makes the page small, and what the tests need. */
export const ensureDependencies = () => ensurePackages(ROOT, 'npm packages');

/**
 * What the package-lock.json of a folder names, in that folder.
 * @param {string} folder
 * @param {string} what
 */
export async function ensurePackages(folder, what) {
    // npm writes its own list at the end of an install. Dates don't count: a checkout changes them, and
    // needs no network.
    const installed = join(folder, 'node_modules/.package-lock.json');
    const {packages} = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
    const present = existsSync(installed) ? JSON.parse(readFileSync(installed, 'utf8')).packages : {};
    /** @param {[string, {version?: string, optional?: boolean}]} entry */
    const isThere = ([path, {version, optional}]) => path === '' || optional
        || present[path]?.version === version;
    if (Object.entries(packages).every(isThere)) return;
    say(`${what}: installing`);
    await runWithLines('npm', ['ci', '--no-audit', '--no-fund'], () => {}, {cwd: folder});
}

/** The engine's WebAssembly modules; make decides what to build. */
export async function ensureModules() {
    if (!which('make')) throw new SetupError(
        'The engine needs make to be built: install it (Debian: apt-get install make).');
    // make -q expands recipes, too. With EMCC given, it doesn't fetch Emscripten for that.
    if (spawnSync('make', ['-q', 'EMCC=emcc', 'wasm'], {cwd: ROOT}).status === 0) return;
    const emcc = emscripten();
    say('Engine: building its WebAssembly modules');
    const steps = stepsOf(run('make', ['-n', 'EMCC=emcc', 'wasm'], {cwd: ROOT}));
    const command = ['make', `-j${availableParallelism()}`, `EMCC=${emcc}`, 'wasm'];
    // Of several set-ups that start at once, one builds; flock comes with every Debian.
    mkdirSync(join(ROOT, 'build'), {recursive: true});
    if (which('flock')) command.unshift('flock', join(ROOT, 'build/wasm.lock'));
    await runWithLines(command[0], command.slice(1), buildProgress(steps), {cwd: ROOT});
}

/** Finds or installs Emscripten. The installer reports progress and failures on stderr. */
function emscripten() {
    const found = spawnSync(process.execPath, ['wasm/toolchain/emscripten.js'],
        {cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
    if (found.status !== 0) throw new SetupError('The engine can\'t be built without Emscripten.');
    return found.stdout.trim();
}

/** A compiler's call, by what it makes. */
const STEP = / -o (\S+\.(?:o|js))$/;
/** How many of them one line of progress stands for; modules have a line of their own. */
const STEPS_A_LINE = 10;

/** How many steps the output of make has. @param {string} output */
export const stepsOf = (output) => output.split('\n').filter((line) => STEP.test(line)).length;

/**
 * Turns the lines of a build into progress.
 * @param {number} total   of its steps
 * @param {(line: string) => void} [log]
 * @returns {(line: string) => void}
 */
export function buildProgress(total, log = say) {
    let steps = 0;
    return (line) => {
        const library = /generating system library: sysroot\/lib\/(wasm\d+)-.*\/libc-/.exec(line);
        if (library) log(`Engine: building Emscripten's C library for ${library[1]} (half a minute, once)`);
        const [, made] = STEP.exec(line) ?? [];
        if (made === undefined) return;
        steps++;
        if (made.endsWith('.js')) log(`Engine: step ${steps} of ${total}, linking ${basename(made, '.js')}`);
        else if (steps % STEPS_A_LINE === 1) log(`Engine: step ${steps} of ${total}, compiling`);
    };
}
