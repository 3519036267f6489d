// exports.test.js: every function of the engine that JavaScript calls is on the list of what the modules
// export, and none is there for nothing.

import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {test} from 'node:test';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const exported = new Set(read('wasm/exports.txt').trim().split('\n')
    .map((name) => name.replace(/^_gx_/, '')));
const scripts = readdirSync(join(ROOT, 'web/engine')).filter((name) => name.endsWith('.js'))
    .map((name) => read(`web/engine/${name}`)).join('\n');
const called = new Set([...scripts.matchAll(/\bx\.(\w+)\(/g)].map(([, name]) => name));

test('what JavaScript calls is exported', () => {
    assert.ok(called.size > 40);
    assert.deepEqual([...called].filter((name) => !exported.has(name)), []);
});

test('what is exported is defined, and used', () => {
    const source = read('wasm/exports.c');
    assert.deepEqual([...exported].filter((name) => !source.includes(`gx_${name}(`)), []);
    assert.deepEqual([...exported].filter((name) => !scripts.includes(name)), []);
});
