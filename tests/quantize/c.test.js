// The C tests of quantize/ (test_*.c here), natively under ASan and UBSan.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readdirSync} from 'node:fs';
import test, {before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {run} from '../../web/node/run.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAMS = readdirSync(fileURLToPath(new URL('.', import.meta.url)))
    .filter((file) => /^test_.*\.c$/.test(file)).map((file) => file.slice(0, -2));

before(() => run('make', ['-j2', 'test-quantize-native'], {cwd: ROOT}));

test('there are C tests', () => assert.ok(PROGRAMS.length > 0));

for (const program of PROGRAMS) {
    test(program, () => {
        const {status, stdout, stderr} = spawnSync(`build/native/quantize-tests/${program}`,
            {cwd: ROOT, encoding: 'utf8', timeout: 600_000});
        assert.ok(status === 0, `${stdout}\n${stderr}`);
        assert.match(stdout, /^[1-9]\d* tests, 0 failed checks$/m);
    });
}
