// Makes unpacked packages of a newer Debian suite run on an older one, inside one folder that touches nothing else.
// Owns: the layout of that folder, loaders and library paths, Emscripten's configuration and the emcc wrapper.
// Must not know: where the packages come from, whether Emscripten was needed.

import {
    chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, symlinkSync, writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {SetupError, run} from '../../web/node/run.js';

const LLVM_PROGRAMS = ['clang', 'lld', 'llvm-ar', 'llvm-nm', 'llvm-objcopy', 'llvm-dwarfdump'];
const BINARYEN_PROGRAMS = [
    'wasm-opt', 'wasm-metadce', 'wasm-emscripten-finalize', 'wasm-ctor-eval', 'wasm-split', 'wasm2js',
];

/**
 * Turns a folder of unpacked packages into a working Emscripten. The folder can't be moved afterwards.
 * @param {string} prefix
 */
export function makeRunnable(prefix) {
    const llvm = llvmRoot(prefix);
    // The libraries look for each other in $ORIGIN/../lib.
    symlinkSync('x86_64-linux-gnu', join(prefix, 'usr/lib/lib'));
    useOwnLoader(prefix, [
        ...LLVM_PROGRAMS.map((name) => join(llvm, name)),
        ...BINARYEN_PROGRAMS.map((name) => join(prefix, 'usr/bin', name)),
    ]);
    // Node finds acorn, which Emscripten's optimiser imports, only under this name.
    renameSync(join(prefix, 'usr/share/nodejs'), join(prefix, 'usr/share/node_modules'));
    // Emscripten's .js files are CommonJS. The package.json above says otherwise.
    writeFileSync(join(prefix, 'package.json'), '{"type": "commonjs"}\n');
    writeFileSync(join(prefix, 'usr/share/emscripten/.emscripten'), configuration(prefix, llvm));
    writeWrapper(prefix);
    writeFileSync(stampOf(prefix), prefix);
}

/**
 * The stamp is written last, so that an interrupted install is not taken for complete; it holds the path, so that a
 * moved one isn't either.
 * @param {string} prefix
 */
export function isComplete(prefix) {
    return existsSync(stampOf(prefix)) && readFileSync(stampOf(prefix), 'utf8') === prefix;
}

/** @param {string} prefix @returns {string} the emcc to call */
export function emccOf(prefix) {
    return join(prefix, 'bin/emcc');
}

function stampOf(prefix) {
    return join(prefix, 'complete');
}

function llvmRoot(prefix) {
    const name = readdirSync(join(prefix, 'usr/lib')).find((entry) => /^llvm-\d+$/.test(entry));
    if (!name) throw new SetupError('the packages of Emscripten hold no LLVM');
    return join(prefix, 'usr/lib', name, 'bin');
}

/**
 * Gives programs the suite's own loader and libraries: its libc is newer than the system's. Running them through a
 * wrapper around the loader would not do, since clang finds its headers by its own path.
 */
function useOwnLoader(prefix, programs) {
    const libraries = join(prefix, 'usr/lib/x86_64-linux-gnu');
    const loader = join(libraries, 'ld-linux-x86-64.so.2');
    const throughLoader = (...args) => run(loader, ['--library-path', libraries, ...args]);
    const files = new Set(programs.map((program) => realpathSync(program)));
    for (const file of files) {
        throughLoader(join(prefix, 'usr/bin/patchelf'),
            '--set-interpreter', loader, '--force-rpath', '--set-rpath', libraries, file);
        checkLibraries(prefix, loader, file);
    }
}

/** Nothing may come from the system: a mix of two libc's crashes in ways hard to read. */
function checkLibraries(prefix, loader, file) {
    const foreign = [...run(loader, ['--list', file]).matchAll(/=> (\S+)/g)].map(([, path]) => path)
        .filter((path) => !path.startsWith(`${prefix}/`));
    if (foreign.length) throw new SetupError(`${file} would use libraries of the system: ${foreign.join(', ')}`);
}

/** Emscripten reads this as Python. */
function configuration(prefix, llvm) {
    return [
        'import shutil',
        `LLVM_ROOT = '${llvm}'`,
        `BINARYEN_ROOT = '${join(prefix, 'usr')}'`,
        "NODE_JS = shutil.which('node')",
        `CACHE = '${join(prefix, 'cache')}'`,
        '',
    ].join('\n');
}

/** A user's EM_* settings belong to another Emscripten. */
function writeWrapper(prefix) {
    const emcc = emccOf(prefix);
    const emscripten = join(prefix, 'usr/share/emscripten');
    mkdirSync(dirname(emcc), {recursive: true});
    writeFileSync(emcc, [
        '#!/bin/sh',
        'for name in $(env | sed -n "s/^\\(EM_[A-Z0-9_]*\\)=.*/\\1/p"); do unset "$name"; done',
        `export EM_CONFIG='${emscripten}/.emscripten'`,
        `exec python3 '${emscripten}/emcc.py' "$@"`,
        '',
    ].join('\n'));
    chmodSync(emcc, 0o755);
}
