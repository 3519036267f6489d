// What the shell believes of this machine's WebAssembly: relaxed SIMD is believed only where it
// computes correctly.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {test} from 'node:test';
import {detectFeatures} from '../../web/engine/features.js';
import {ensureNode24} from '../setup/node24.js';

const FEATURES = join(import.meta.dirname, '../../web/engine/features.js');

// (module (func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2
// i32x4.relaxed_dot_i8x16_i7x16_add_s))
const RELAXED_DOT = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0,
    10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x93, 0x02, 0x0b];

function featuresOf(node, flags = []) {
    const program = `import { detectFeatures } from ${JSON.stringify(FEATURES)}; console.log(JSON.stringify(await detectFeatures()));`;
    return JSON.parse(execFileSync(node, [...flags, '--input-type=module', '-e', program],
        {encoding: 'utf8'}));
}

test('this Node runs the plain modules, with threads', async () => {
    const {simd128, shared, isolated, cores} = await detectFeatures();
    assert.deepEqual({simd128, shared, isolated}, {simd128: true, shared: true, isolated: true});
    assert.ok(cores >= 1);
});

test('Node 24 has relaxed SIMD, computing correctly before and after optimisation, and memory64', () => {
    const {relaxed, dot, memory64} = featuresOf(ensureNode24());
    assert.deepEqual({relaxed, memory64}, {relaxed: true, memory64: true});
    assert.match(dot, /^i(32|16)$/);
});

// Node 20 validates it behind the flag; its baseline compiler's relaxed dot product is wrong.
test('relaxed SIMD that computes wrongly is not believed', {skip: !process.version.startsWith('v20.')
    && 'only Node 20 has the fault'}, () => {
    const flag = '--experimental-wasm-relaxed-simd';
    const program = `console.log(WebAssembly.validate(Uint8Array.from(${JSON.stringify(RELAXED_DOT)})))`;
    assert.equal(execFileSync(process.execPath, [flag, '-e', program], {encoding: 'utf8'}), 'true\n');
    assert.equal(featuresOf(process.execPath, [flag]).relaxed, false);
});
