// Makes sure that the C tests can be built as native programs: a compiler with its sanitizers, and SIMDe,
// with which WebAssembly's vector instructions compile natively.
// Owns: what `make test-c-native` needs of the system. Must not know: the tests.

import {existsSync} from 'node:fs';
import {SetupError, which} from '../../web/node/run.js';
import {installPackages} from './debian.js';

const NEEDED = [
    {name: 'gcc', present: () => which('gcc')},
    {name: 'make', present: () => which('make')},
    {name: 'libc6-dev', present: () => existsSync('/usr/include/stdio.h')},
    {name: 'libsimde-dev', present: () => existsSync('/usr/include/simde/wasm/simd128.h')},
    {name: 'python3', present: () => which('python3')},
];

export async function ensureNative() {
    const missing = NEEDED.filter(({present}) => !present()).map(({name}) => name);
    if (!missing.length) return;
    const reason = await installPackages('C tests', missing);
    if (reason) throw new SetupError(`the C tests need ${missing.join(', ')}: ${reason}`);
}
