// Parts of the library that are fetched when they are needed: one that does not come is an error with a code,
// and is asked for again.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {GemmaError} from '../../web/base/error.js';
import {later} from '../../web/base/later.js';

const folder = mkdtempSync(join(tmpdir(), 'gemma-later-'));
after(() => rmSync(folder, {recursive: true}));
const isMissing = (error) => error instanceof GemmaError && error.code === 'library'
    && error.cause instanceof Error;

test('a part that does not come is an error of the library, with its cause', async () => {
    await assert.rejects(later(() => import(join(folder, 'none.js'))), isMissing);
    assert.equal((await later(() => import('node:os'))).tmpdir, tmpdir);
});

test('where the browser remembers a failed import, the next call uses another address', async () => {
    const path = join(folder, 'part.js'), {href} = pathToFileURL(path);
    for (const [i, says] of ['Failed to fetch dynamically imported module: ',
        'error loading dynamically imported module: '].entries()) {
        const remembered = new TypeError(says + href.replace('part', `part${i}`)),
            bring = [
                () => Promise.reject(remembered, 'part0.js'), () => Promise.reject(remembered, 'part1.js'),
            ][i];
        await assert.rejects(later(bring), isMissing);
        await assert.rejects(later(bring), isMissing);
        writeFileSync(path.replace('part', `part${i}`), 'export const part = {};');
        const {part} = await later(bring);
        assert.ok(part);
        assert.equal((await later(bring)).part, part);
    }
});

test('of something that a part imports, no other part is made', async () => {
    const path = join(folder, 'dependency.js'),
        bring = () => Promise.reject(
            new TypeError(`error loading dynamically imported module: ${pathToFileURL(path).href}`));
    writeFileSync(path, '');
    await assert.rejects(later(bring), isMissing);
    await assert.rejects(later(bring), isMissing);
});
