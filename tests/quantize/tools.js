// tools.js: what the tests of build/quantize share: the program, checkpoints of random weights, and our
// engine's answers about a file.

import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before} from 'node:test';
import {run} from '../../web/node/run.js';

export const ROOT = join(import.meta.dirname, '../..');
export const QUANTIZE = join(ROOT, 'build/quantize');
export const SHAPES = ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3'];
const CLI = join(ROOT, 'web/node/cli.js');

/** A folder for this test file, removed at its end. */
export const work = mkdtempSync(join(tmpdir(), 'quantize-'));
after(() => rmSync(work, {recursive: true, force: true}));
before(() => run('make', ['-j2', 'build/quantize'], {cwd: ROOT}));

/** @param {string} name @returns {object} what golden/NAME.json holds (make_golden.py) */
export const golden = (name) =>
    JSON.parse(readFileSync(join(import.meta.dirname, `golden/${name}.json`), 'utf8'));

/** Float32Array of a file or Buffer. */
export const floats = (bytes) => new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset
    + bytes.length));

/** Writes a checkpoint by quantize/random_checkpoint.py into work/NAME. @returns {string} its path */
export function checkpoint(name, shape, ...options) {
    execFileSync('python3', [join(ROOT, 'quantize/random_checkpoint.py'), join(work, name), '--shape',
        shape, ...options]);
    return join(work, name);
}

/** Runs build/quantize to its end. @returns {{status: number, stdout: string, stderr: string}} */
export function quantize(...args) {
    return spawnSync(QUANTIZE, args, {encoding: 'utf8'});
}

/**
 * Runs it, and it must succeed and complain of nothing.
 * @returns {string} the path of the file it wrote, work/NAME
 */
export function quantized(name, input, type, ...options) {
    const out = join(work, name);
    const {status, stderr} = quantize('--in', input, '--out', out, '--type', type, ...options);
    if (status !== 0 || stderr !== '') throw new Error(`quantize exited with ${status}: ${stderr}`);
    return out;
}

/** Our engine's logits after each token, Float32Array [tokens.length * n_vocab]. */
export function logits(model, tokens, ...options) {
    const ids = join(work, 'ids'), out = join(work, 'logits');
    writeFileSync(ids, tokens.join(' '));
    execFileSync(process.execPath, [CLI, 'logits', '--model', model, '--tokens-file', ids, '--out', out,
        ...options], {stdio: ['ignore', 'ignore', 'inherit']});
    return floats(readFileSync(out));
}

/** Our engine's ids of a text. */
export function tokenize(model, text) {
    const stdout = execFileSync(process.execPath, [CLI, 'tokenize', '--model', model, '--json'],
        {input: text});
    return JSON.parse(stdout).tokens;
}
