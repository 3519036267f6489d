// The types of the Prompt API, against those of @types/dom-chromium-ai.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {build} from 'esbuild';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';

test("code for the browser's LanguageModel takes ours, strictly", async () => {
    await ensureConsumers();
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const {status, stdout} = spawnSync(process.execPath, [
        tsc, '--noEmit', '--ignoreConfig', '--strict', '--target', 'es2024', '--lib',
        'es2024,dom,dom.iterable,dom.asynciterable', '--module', 'nodenext', '--allowJs', '--skipLibCheck',
        '--types', 'node', '--typeRoots', join(import.meta.dirname, '../../node_modules/@types'),
        join(CONSUMERS, 'prompt_api_types.ts'),
    ], {encoding: 'utf8', cwd: CONSUMERS});
    assert.equal(status, 0, stdout);
});

test('the door is at most 12 KB, compressed', async () => {
    const entry = join(import.meta.dirname, '../../web/api/prompt-api.js');
    const {outputFiles: [{contents}]} = await build({entryPoints: [entry], bundle: true, minify: true,
        format: 'esm', write: false, external: ['*/gemma.js'], logLevel: 'error'});
    assert.ok(gzipSync(contents).length <= 12 * 1024, `${gzipSync(contents).length} bytes`);
});
