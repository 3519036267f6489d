// The types of the Prompt API, against those of @types/dom-chromium-ai.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {test} from 'node:test';
import {CONSUMERS, ensureConsumers} from '../setup/consumers.js';

test("code for the browser's LanguageModel takes ours, strictly", async () => {
    await ensureConsumers();
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const {status, stdout} = spawnSync(process.execPath, [
        tsc, '--noEmit', '--ignoreConfig', '--strict', '--target', 'es2024', '--lib', 'es2024,dom,dom.iterable,dom.asynciterable', '--module', 'nodenext', '--allowJs', '--skipLibCheck',
        '--types', 'node', '--typeRoots', join(import.meta.dirname, '../../node_modules/@types'), join(CONSUMERS, 'prompt_api_types.ts'),
    ], {encoding: 'utf8', cwd: CONSUMERS});
    assert.equal(status, 0, stdout);
});
