// The C tests (tests/c/test_*.c), natively under ASan and UBSan, and as WebAssembly with the kernels of
// each variant.
// What runs on several threads is also run under TSan. A failure shows the names of the C tests that failed
// and the places of their checks.

import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import test, {before, describe} from 'node:test';
import {fileURLToPath} from 'node:url';
import {run} from '../../web/node/run.js';
import {ensureNode24} from '../setup/node24.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
// ten times what the longest one takes on a slow machine: for programs that hang
const TIMEOUT_MS = 20 * 60 * 1000;
const MOST_OUTPUT = 64 << 20;           // bytes
const PROGRAMS = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
    .filter((file) => /^test_.*\.c$/.test(file)).map((file) => file.slice(0, -2));

/** What calls no kernels is the same code in each variant: it runs in one. */
const WITHOUT_KERNELS = new Set(['chat', 'gguf', 'grammar', 'memory', 'pool', 'sampler', 'search',
    'tokenizer', 'tuner'].map((name) => `test_${name}`));

const NODE = {simd128: process.execPath, relaxed: ensureNode24(), relaxed16: ensureNode24()};

/** What make builds, and how a program of that build is called. */
const BUILDS = [
    {name: 'native', target: 'test-c-native', command: (program) => [`build/native/${program}`]},
    ...Object.entries(NODE).map(([variant, node]) => (
        {name: variant, target: 'test-c-wasm',
            command: (program) => [node, `build/wasm-tests/${variant}.cjs`, program]})),
];

before(() => {
    for (const target of new Set(BUILDS.map(({target}) => target)))
        run('make', [`-j${availableParallelism()}`, target], {cwd: ROOT});
});

test('the pool and sessions, under TSan', () => {
    run('make', ['-f', 'tests/c/tsan.mk', `-j${availableParallelism()}`], {cwd: ROOT});
});

test('there are C tests', () => assert.ok(PROGRAMS.length > 0));

// Most run on one thread: as many at once as there are cores.
describe('the C tests', {concurrency: availableParallelism()}, () => {
    for (const {name, command} of BUILDS) {
        for (const program of PROGRAMS.filter((program) => !name.startsWith('relaxed')
            || !WITHOUT_KERNELS.has(program))) {
            test(`${program}, ${name}`, async () => {
                const [file, ...args] = command(program), {error, stdout, stderr} = await execute(file, args);
                const failed = stdout.match(/^(not ok|FAIL) .*$/gm) ?? [];
                const said = [...failed, ...stderr.split('\n').slice(0, 60)].join('\n');
                assert.ok(!error && !failed.length,
                    `${error?.signal ?? `exit status ${error?.code ?? 0}`}\n${said}`);
                // A program that ends early or tests nothing has not passed.
                const passed = stdout.match(/^ok \w+$/gm)?.length ?? 0;
                assert.ok(passed > 0, 'it ran no tests');
                assert.match(stdout, new RegExp(`^${passed} tests, 0 failed checks$`, 'm'));
            });
        }
    }
});

/**
 * @param {string} file
 * @param {string[]} args
 * @returns {Promise<{error: (import('node:child_process').ExecFileException) | null, stdout: string,
 *     stderr: string}>}
 */
function execute(file, args) {
    return new Promise((ended) => {
        execFile(file, args, {cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: MOST_OUTPUT},
            (error, stdout, stderr) => ended({error, stdout, stderr}));
    });
}
