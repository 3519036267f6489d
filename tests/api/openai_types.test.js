// The types of the OpenAI door, against those of the openai package; and how much it adds to the library.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {buildSync} from 'esbuild';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';

test('requests and answers have the types of the openai package, strictly', async () => {
    await ensureConsumers();
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const {status, stdout} = spawnSync(process.execPath, [
        tsc, '--noEmit', '--ignoreConfig', '--strict', '--target', 'es2024', '--lib',
        'es2024,dom,dom.iterable,dom.asynciterable', '--module', 'nodenext', '--allowJs', '--skipLibCheck',
        '--types', 'node', '--typeRoots', join(import.meta.dirname, '../../node_modules/@types'),
        join(CONSUMERS, 'openai_types.ts'),
    ], {encoding: 'utf8', cwd: CONSUMERS});
    assert.equal(status, 0, stdout);
});

test('the door is at most 12 KB, compressed', () => {
    const {outputFiles: [{contents}]} = buildSync({
        entryPoints: [join(import.meta.dirname, '../../web/api/openai.js')], bundle: true, minify: true,
        format: 'esm', external: ['*/gemma.js'], write: false,
    });
    assert.ok(gzipSync(contents).length <= 12 * 1024, `${gzipSync(contents).length} bytes`);
});
