// inputs.test.js: what people have that is no checkpoint or model to be converted: it is refused before anything is written, with what it is
// and what to do.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {QUANTIZE, ROOT, checkpoint, quantized, work} from './tools.js';

const sound = checkpoint('sound', 'tiny-gemma1'), sharded = checkpoint('sharded', 'tiny-gemma1', '--shards', '2');
const OUT = join(work, 'out');
mkdirSync(OUT);

/** A copy of a checkpoint to be changed. */
function copy(from = sound) {
    const folder = join(work, 'copy');
    rmSync(folder, {recursive: true, force: true});
    cpSync(from, folder, {recursive: true});
    return folder;
}

/** The time limit is for what waits for ever. */
function refused(pattern, input, ...options) {
    const args = ['--in', input, '--out', join(OUT, 'model.gguf'), '--type', 'q8_0', ...options];
    const {status, stderr} = spawnSync(QUANTIZE, args, {encoding: 'utf8', timeout: 60_000});
    assert.match(stderr, pattern);
    assert.match(stderr, /^quantize: [^\n]+\n$/, 'one sentence');
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(OUT), [], 'no file is left');
    const {status: dry} = spawnSync(QUANTIZE, [...args, '--dry-run'], {encoding: 'utf8', timeout: 60_000});
    assert.equal(dry, 1, '--dry-run says so, too');
}

test('pipes, devices, folders in place of files: refused, not waited for', () => {
    const pipe = join(work, 'pipe');
    execFileSync('mkfifo', [pipe]);
    refused(/pipe: is a pipe; a file was expected/, pipe);
    refused(/null: is a device; a file was expected/, '/dev/null');
    refused(/pipe: is a pipe/, sound, '--imatrix', pipe);
    refused(/sound: is a folder; a file was expected/, sound, '--imatrix', sound);
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(pipe, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a pipe; a file was expected`), folder);
        rmSync(join(folder, name));
        mkdirSync(join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a folder; a file was expected`), folder);
    }
});

test('pointers of git-lfs in place of files', () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 536223056\n`;
    for (const from of [sound, sharded]) {
        for (const name of readdirSync(from)) {
            const folder = copy(from);
            writeFileSync(join(folder, name), pointer);
            refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a git-lfs pointer, .*git lfs pull`), folder);
        }
    }
    const gguf = join(work, 'pointer.gguf');
    writeFileSync(gguf, pointer);
    refused(/pointer\.gguf: is a git-lfs pointer/, gguf);
    refused(/pointer\.gguf: is a git-lfs pointer/, sound, '--imatrix', gguf);
});

test('links whose files were not downloaded', () => {
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(`../../blobs/${'0'.repeat(64)}`, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: can't be read: No such file`), folder);
    }
});
