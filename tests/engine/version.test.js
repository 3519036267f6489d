// One version: the engine's header, the package and its lock say the same.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {constants} from '../../wasm/constants.js';

const read = (path) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');

test('GEMMA_VERSION is that of package.json', () => {
    const {version} = JSON.parse(read('package.json'));
    assert.equal(/^#define GEMMA_VERSION "(.+)"$/m.exec(read('src/gemma.h'))?.[1], version);
    assert.equal(JSON.parse(read('package-lock.json')).version, version);
});

test('the constants of JavaScript are those of gemma.h', () => {
    assert.equal(read('web/base/constants.js'), constants());
});
