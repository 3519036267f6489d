// The toolchain: the right Emscripten is found, an incomplete one isn't used, what is missing is said in
// one sentence.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test, {after, before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {emscriptenPackages} from '../../wasm/toolchain/packages.js';
import {isComplete} from '../../wasm/toolchain/prefix.js';

const TOOLCHAIN = fileURLToPath(new URL('../../wasm/toolchain/', import.meta.url));

let scratch;
before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'gemma-toolchain-'));
});
after(() => rmSync(scratch, {recursive: true, force: true}));

/** Runs one of the toolchain's programs. */
function tool(name, args, env) {
    return spawnSync(process.execPath, [join(TOOLCHAIN, name), ...args],
        {encoding: 'utf8', env: {...process.env, ...env}});
}

/** Writes an emcc that only knows its version. */
function fakeEmcc(path, version) {
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(path, `#!/bin/sh\necho "emcc (Emscripten gcc/clang-like replacement) ${version} (abc)"\n`);
    chmodSync(path, 0o755);
    return path;
}

test('once Emscripten is there, finding it prints one path and nothing else, and takes no network', () => {
    const [first, second] = [tool('emscripten.js', []), tool('emscripten.js', [], {APT_CONFIG: '/nowhere'})];
    assert.match(second.stdout, /^\S.*emcc\n$/);
    assert.equal(second.stdout, first.stdout);
    assert.equal(second.stderr, '');
});

test('an emcc on PATH is used when it is new enough', () => {
    const folder = join(scratch, 'path');
    const emcc = fakeEmcc(join(folder, 'emcc'), '4.0.10');
    const PATH = `${folder}:${process.env.PATH}`;
    assert.equal(tool('emscripten.js', [], {PATH, EMSDK: ''}).stdout, `${emcc}\n`);
    for (const version of ['4.0.9', '3.1.69', 'unknown']) {
        fakeEmcc(emcc, version);
        assert.notEqual(tool('emscripten.js', [], {PATH, EMSDK: ''}).stdout, `${emcc}\n`, version);
    }
});

test('an emsdk comes before PATH', () => {
    const emcc = fakeEmcc(join(scratch, 'emsdk/upstream/emscripten/emcc'), '5.0.0');
    fakeEmcc(join(scratch, 'other/emcc'), '6.0.0');
    const env = {EMSDK: join(scratch, 'emsdk'), PATH: `${join(scratch, 'other')}:${process.env.PATH}`};
    assert.equal(tool('emscripten.js', [], env).stdout, `${emcc}\n`);
});

test('a machine that lacks something is told in one sentence what to install', () => {
    const {status, stderr} = tool('install.js', [join(scratch, 'prefix'), '4.0.10'], {PATH: scratch});
    assert.equal(status, 1);
    assert.match(stderr, /^Emscripten can't be brought here \(.*\): install Emscripten 4\.0\.10 or newer \(https:.*\) and put emcc on PATH\n$/);
});

test('an install that was interrupted or moved is not complete', () => {
    const prefix = join(scratch, 'moved');
    mkdirSync(prefix);
    assert.equal(isComplete(prefix), false);
    writeFileSync(join(prefix, 'complete'), '/elsewhere');
    assert.equal(isComplete(prefix), false);
});

test('of all packages that Emscripten depends on, tools and their libraries are chosen', () => {
    const index = new Map(Object.entries({
        emscripten: {Section: 'devel',
            Depends: 'clang-21, lld-21 (>= 1:21), nodejs (>= 12) | other, python3:any, ccache'},
        'clang-21': {Section: 'devel',
            Depends: 'libc6 (>= 2.38), libllvm21 (= 1:21.1), libclang-common-21-dev, binutils'},
        'lld-21': {Section: 'devel', Depends: 'libllvm21, libcurl4t64'},
        'libclang-common-21-dev': {Section: 'libdevel'},
        libllvm21: {Section: 'libs', Depends: 'libc6, libz3-4'},
        libc6: {Section: 'libs', Depends: 'libgcc-s1'},
        'libgcc-s1': {Section: 'libs', Depends: 'gcc-15-base (= 15), libc6'},
        'gcc-15-base': {Section: 'libs'},
        libcurl4t64: {Section: 'libs'},
        'libz3-4': {Section: 'libs'},
        binutils: {Section: 'devel'},
    }));
    assert.deepEqual(emscriptenPackages(index).sort(), [
        'clang-21', 'emscripten', 'libc6', 'libclang-common-21-dev', 'libgcc-s1', 'libllvm21',
        'libz3-4', 'lld-21',
    ]);
});
