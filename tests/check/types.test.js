// The declarations that are built from the JSDoc: a program in TypeScript compiles against them, strictly and
// without Node's types.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import test, {after} from 'node:test';
import {fileURLToPath} from 'node:url';
import {writeTypes} from '../../web/node/package.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const folder = mkdtempSync(join(tmpdir(), 'types-'));
after(() => rmSync(folder, {recursive: true, force: true}));

/** @param {...string} args */
function tsc(...args) {
    const {status, stdout} = spawnSync(process.execPath, [TSC, '--pretty', 'false', ...args],
        {cwd: ROOT, encoding: 'utf8'});
    return {status, said: stdout};
}

test('a program in TypeScript compiles against the declarations', () => {
    const {exports, types} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(exports['.'].types, types);
    // A package as it is published: its declarations where package.json says that they are.
    const installed = join(folder, 'node_modules/gemma-wasm');
    mkdirSync(installed, {recursive: true});
    writeFileSync(join(installed, 'package.json'),
        JSON.stringify({name: 'gemma-wasm', type: 'module', types, exports}));
    writeTypes(join(installed, dirname(types)));
    const program = join(folder, 'consumer.ts');
    writeFileSync(program, readFileSync(join(ROOT, 'tests/check/consumer.ts')));
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
        compilerOptions: {
            strict: true, exactOptionalPropertyTypes: false, noEmit: true, skipLibCheck: true,
            target: 'es2022', module: 'nodenext',
            lib: ['es2022', 'dom', 'dom.iterable'], types: [],
        },
        files: ['consumer.ts'],
    }));
    const {status, said} = tsc('-p', join(folder, 'tsconfig.json'));
    assert.equal(status, 0, said);
});
