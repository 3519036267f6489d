// `npm run check`: the types of web/, ESLint's rules and the directions of imports hold.

import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import test from 'node:test';
import {fileURLToPath} from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const {scripts: {check}} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const PATH = [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter);

for (const command of check.split(' && ')) {
    test(command, () => {
        const {status, stdout, stderr} = spawnSync(command, {cwd: ROOT, shell: true, encoding: 'utf8',
            env: {...process.env, PATH}});
        assert.equal(status, 0, stdout + stderr);
    });
}
