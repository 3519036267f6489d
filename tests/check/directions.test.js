// Which file may include or import which: the C files as they are, and wrong directions in a copy of
// the checkout.

import assert from 'node:assert/strict';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join, relative} from 'node:path';
import test, {after, before} from 'node:test';
import {fileURLToPath} from 'node:url';
import {ESLint} from 'eslint';
import {readDirections, wrongIncludes} from './directions.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'directions-'));

before(() => {
    for (const path of ['src', 'quantize', 'wasm', 'web', 'tests/check', 'eslint.config.js',
        'package.json']) {
        cpSync(join(ROOT, path), join(copy, path), {recursive: true});
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
});

after(() => rmSync(copy, {recursive: true, force: true}));

test('a name may use all that stands to its right, over several lines, and no circle is taken', () => {
    const directions = readDirections('a > b, c\n c > d > e\n b > e');
    assert.deepEqual(
        Object.fromEntries([...directions].map(([name, uses]) => [name, [...uses].sort().join('')])),
        {a: 'bcde', b: 'e', c: 'de', d: 'e', e: ''});
    assert.throws(() => readDirections('a > b\n b > c > a'), /a > b > c > a/);
});

test('no C file includes what does not stand to its right', () => assert.deepEqual(wrongIncludes(), []));

for (const [file, included] of [
    ['src/kernels/scalar.c', 'ops.h'], ['src/gguf.c', 'config.h'], ['src/ops.c', 'weights.h'],
    ['src/sampler.c', 'model.h'],
    ['src/error.h', 'gguf.h'], ['src/weights.c', '../quantize/plan.h'], ['quantize/plan.c', 'transformer.h'],
    ['quantize/plan.c', 'kernels/kernels.h'],
    ['wasm/exports.c', 'session.h'], ['src/transformer.c', 'batch.h'],
]) {
    test(`in a copy, ${file} may not include ${included}`, () => {
        const path = join(copy, file), text = readFileSync(path, 'utf8');
        writeFileSync(path, `${text}\n  #  include "${included}"\n`);
        const wrong = wrongIncludes(copy);
        writeFileSync(path, text);
        assert.equal(wrong.length, 1, wrong.join('\n'));
        assert.ok(wrong[0].startsWith(`${file} `));
        assert.deepEqual(wrongIncludes(copy), []);
    });
}

test('in a copy, a C file of the engine that has no place is named', () => {
    const path = join(copy, 'src/elsewhere.c');
    writeFileSync(path, '');
    assert.equal(wrongIncludes(copy).length, 1);
    rmSync(path);
});

/**
 * @param {string} file
 * @param {string} text
 * @returns {Promise<(string | null)[]>} the rules that a new file of the copy breaks
 */
async function broken(file, text) {
    const path = join(copy, file);
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(path, text);
    try {
        const [{messages}] = await new ESLint({cwd: copy}).lintFiles(relative(copy, path));
        return messages.map(({ruleId}) => ruleId);
    } finally {
        rmSync(path);
    }
}

const PATHS = 'import-x/no-restricted-paths', MENTIONS = 'rooms/mentions';
for (const [file, text, rules] of [
    ['web/weights/new.js', 'import \'../engine/stop.js\';\n', [PATHS]],
    ['web/weights/new.js', 'export const later = () => import(\'../engine/stop.js\');\n', [PATHS, MENTIONS]],
    [
        'web/weights/new.js',
        '/** @type {import(\'../engine/stop.js\').Clock} */\nexport const clock = undefined;\n', [MENTIONS],
    ],
    ['web/weights/new.js', '/** @type {import(\'./nowhere.js\').Clock} */\nexport const clock = undefined;\n',
        [MENTIONS]],
    ['web/engine/new.js', 'export const url = new URL(\'../gemma.js\', import.meta.url);\n', [MENTIONS]],
    ['web/engine/new.js', 'export * from \'../gemma.js\';\n', [PATHS]],
    ['web/engine/new.js', 'export * from \'../app/views/format.js\';\n', [PATHS]],
    ['web/engine/deep/new.js', 'export * from \'../../node/args.js\';\n', [PATHS]],
    ['web/node/new.js', 'export * from \'../app/views/format.js\';\n', [PATHS]],
    ['web/app/new.js', 'export * from \'../node/args.js\';\n', [PATHS]],
    ['web/node/new.js', 'export * from \'../weights/file/sha256.js\';\nexport * from \'../gemma.js\';\n', []],
    ['web/app/new.js', 'export * from \'../gemma.js\';\n', []],
    ['web/engine/new.js', 'export * from \'../weights/file/sha256.js\';\n', []],
]) {
    test(`in a copy, ${file} with ${text.trim()} breaks ${rules.join(' and ') || 'no rule'}`, async () => {
        assert.deepEqual((await broken(file, text)).sort(), rules.sort());
    });
}
