// Brings Python packages that only tests need, into a folder of build/.
// Owns: that folder. Must not know: what the packages are for.

import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {say, which} from '../../web/node/run.js';

const BUILD = fileURLToPath(new URL('../../build', import.meta.url));

/**
 * @param {string} name       of the folder
 * @param {string[]} packages   with exact versions
 * @returns {{path: string} | {missing: string}}   path: for PYTHONPATH
 */
export function ensurePython(name, packages) {
    const path = join(BUILD, `python-${name}`), done = join(path, 'installed.txt'),
        wanted = packages.join('\n');
    if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return {path};
    if (!which('python3')) return {missing: 'python3 is missing'};
    say(`Python: bringing ${packages.join(', ')} for the tests`);
    mkdirSync(path, {recursive: true});
    const command = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--upgrade',
        '--only-binary', ':all:', '--target', path, ...packages];
    const {status, stderr} = spawnSync('python3', command, {encoding: 'utf8'});
    if (status !== 0) return {missing: `pip could not install ${packages.join(', ')}: ${stderr}`};
    writeFileSync(done, wanted);
    return {path};
}
