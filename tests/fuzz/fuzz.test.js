// The fuzzers, a short while each, with the same seeds every time. For longer, or with other seeds:
//
//   FUZZ_SECONDS=600 FUZZ_SEED=12345 node --test tests/fuzz/fuzz.test.js
//
// A failure shows the command that runs the input at fault again.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import test, {before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {run} from '../../web/node/run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 20);
const SEED = process.env.FUZZ_SEED ?? '1';
const FUZZERS = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
    .filter((file) => /^fuzz_.*\.c$/.test(file))
    .map((file) => file.slice(0, -2));

before(() => run('make', [`-j${availableParallelism()}`, 'fuzz'], {cwd: ROOT}));

test('there are fuzzers', () => assert.ok(FUZZERS.length > 0));

for (const fuzzer of FUZZERS) {
    test(`${fuzzer} finds nothing in ${SECONDS} seconds`, () => {
        const {status, signal, error, stdout, stderr} = spawnSync(`build/fuzz/${fuzzer}`,
            [String(SECONDS), SEED],
            {cwd: ROOT, encoding: 'utf8', timeout: 10 * (SECONDS + 60) * 1000});
        const said = `${stdout}\n${(stderr ?? '').split('\n').slice(0, 60).join('\n')}`;
        assert.ok(status === 0, `${error?.message ?? signal ?? `exit status ${status}`}\n${said}`);
        assert.match(stdout, new RegExp(`^${fuzzer}: [1-9]\\d* inputs$`, 'm'));
    });
}
