// outputs.test.js: what a run does to files that are there already, to its streams and by signals: no input
// is lost, nothing stays that describes another file, and the output is there whole or not at all.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {closeSync, cpSync, existsSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync,
    symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {writeImatrix} from './gguf.js';
import {QUANTIZE, checkpoint, quantize, quantized, work} from './tools.js';

const source = checkpoint('source', 'tiny-gemma2'), big = checkpoint('big', 'gemma3-270m', '--layers', '4');

/** A new folder. */
function folder(name) {
    rmSync(join(work, name), {recursive: true, force: true});
    mkdirSync(join(work, name));
    return join(work, name);
}

const contents = (dir) => Object.fromEntries(readdirSync(dir)
    .map((name) => [name, readFileSync(join(dir, name)).toString('base64')]));

test('an output that would replace an input is refused, under any name', () => {
    const dir = join(folder('inputs'), 'model');
    cpSync(source, dir, {recursive: true});
    writeFileSync(join(dir, 'README.md'), '# A model\n');
    writeFileSync(join(dir, 'generation_config.json'), '{}');
    linkSync(join(dir, 'tokenizer.model'), join(work, 'inputs/hard.gguf'));
    symlinkSync(join(dir, 'config.json'), join(work, 'inputs/soft.gguf'));
    const before = contents(dir);
    const cases = [
        ...Object.keys(before).map((name) => [join(dir, name)]),
        [join(dir, '../model/tokenizer.model')], [join(work, 'inputs/hard.gguf')],
        [join(work, 'inputs/soft.gguf')],
        // The manifest is NAME.json.
        [join(dir, 'config'), '--manifest'], [join(dir, 'tokenizer'), '--split', '1'],
        [join(dir, 'generation_config'), '--manifest'],
    ];
    for (const [out, ...options] of cases) {
        const {status, stderr} = quantize('--in', dir, '--out', out, '--type', 'q8_0', ...options);
        assert.equal(status, 1, out);
        assert.match(stderr, /^quantize: .*: The output is the input[^\n]*\n$/, out);
    }
    assert.deepEqual(contents(dir), before);
    assert.deepEqual(readdirSync(join(work, 'inputs')).sort(), ['hard.gguf', 'model', 'soft.gguf']);
    // A result of before, in the same folder, is none.
    for (let i = 0; i < 2; i++)
        assert.equal(quantize('--in', dir, '--out', join(dir, 'model.gguf'), '--type', 'q8_0', '--split',
            '1').status, 0);
});

test('an importance matrix and a GGUF that are read are not overwritten either', () => {
    const dir = folder('gguf'), model = quantized('gguf/model.gguf', source, 'q8_0'),
        imatrix = join(dir, 'imatrix.gguf');
    writeImatrix(imatrix, ['blk.0.ffn_up.weight'], 256, new Set());
    for (const out of [model, imatrix]) {
        const {status, stderr} = quantize('--in', model, '--imatrix', imatrix, '--out', out,
            '--type', 'q4_0');
        assert.equal(status, 1);
        assert.match(stderr, /The output is the input/);
    }
    cpSync(model, join(dir, 'other.json'));
    assert.equal(quantize('--in', join(dir, 'other.json'), '--out', join(dir, 'other'), '--type', 'q4_0',
        '--manifest').status, 1);
    assert.deepEqual(readFileSync(join(dir, 'other.json')), readFileSync(model));
});

test('a name that is taken by a folder is refused before the work', () => {
    const dir = folder('taken');
    for (const [name, ...options] of [['model.gguf'], ['model.gguf.json', '--manifest'],
        ['model.gguf.part-00001', '--split', '1']]) {
        mkdirSync(join(dir, name));
        const {status, stderr} = quantize('--in', source, '--out', join(dir, 'model.gguf'), '--type',
            'f32', ...options);
        assert.equal(status, 1);
        assert.match(stderr, new RegExp(`${name.replaceAll('.', '\\.')}:? is there and is not a file`));
        assert.deepEqual(readdirSync(dir), [name]);
        rmSync(join(dir, name), {recursive: true});
    }
});

test('a second run leaves no manifest and no part that describes the first one', () => {
    const dir = folder('second'), names = () => readdirSync(dir).sort(),
        run = (...options) => quantized('second/m.gguf', source, ...options);
    const parts = (n) => Array.from({length: n}, (_, i) => `m.gguf.part-${String(i).padStart(5, '0')}`);
    run('f32', '--split', '1');
    const many = names().length - 2;
    assert.ok(many > 4);
    assert.deepEqual(names(), ['m.gguf', 'm.gguf.json', ...parts(many)]);
    run('q8_0', '--split', '1');
    const few = JSON.parse(readFileSync(join(dir, 'm.gguf.json'), 'utf8')).chunks.length;
    assert.ok(few > 1 && few < many);
    assert.deepEqual(names(), ['m.gguf', 'm.gguf.json', ...parts(few)]);
    writeFileSync(join(dir, 'm.gguf.part-00099'), 'mine');
    writeFileSync(join(dir, 'm.gguf.notes'), 'mine');
    run('q8_0', '--manifest');
    assert.deepEqual(names(), ['m.gguf', 'm.gguf.json', 'm.gguf.notes', 'm.gguf.part-00099'],
        'what no manifest names is someone else\'s');
    run('q4_0');
    assert.deepEqual(names(), ['m.gguf', 'm.gguf.notes', 'm.gguf.part-00099']);
    for (const text of ['{"file": "other.gguf", "sha256": "", "chunks": []}', '{"mine": true}', 'no JSON']) {
        writeFileSync(join(dir, 'm.gguf.json'), text);
        run('q4_0');
        assert.equal(readFileSync(join(dir, 'm.gguf.json'), 'utf8'), text,
            'a file of that name that is no manifest of it stays');
    }
});

test('a run that fails leaves manifest and parts of the one before', () => {
    const dir = folder('failed'), damaged = join(work, 'not-finite');
    quantized('failed/m.gguf', source, 'q8_0', '--split', '1');
    const before = contents(dir);
    cpSync(source, damaged, {recursive: true});
    const weights = readFileSync(join(damaged, 'model.safetensors'));
    weights.writeUInt16LE(0x7fc0, weights.length - 2);
    writeFileSync(join(damaged, 'model.safetensors'), weights);
    for (const options of [[], ['--manifest'], ['--split', '2']]) {
        assert.equal(quantize('--in', damaged, '--out', join(dir, 'm.gguf'), '--type', 'q8_0',
            ...options).status, 1);
        assert.deepEqual(contents(dir), before);
    }
});

test('stdout is closed by its reader, full, or not there: the file is whole, and only a full one is an error',
    () => {
    const dir = folder('streams'), out = join(dir, 'm.gguf'),
        expected = readFileSync(quantized('expected.gguf', source, 'q8_0'));
    const command = `"${QUANTIZE}" --in "${source}" --out "${out}" --type q8_0 --verify`;
    for (const [script, status, complaint] of [
        [`(${command}; echo $? >&2) | true`, 0, /^0\n$/],
        [`(${command}; echo $? >&2) | head -1 >/dev/null`, 0, /^0\n$/],
        [
            `${command} >/dev/full`, 1,
            /^quantize: Standard output can't be written: No space left on device; the file is whole: .*m\.gguf\.\n$/,
        ],
        [`${command} >&-`, 0, /^$/], [`${command} >/dev/null 2>&- <&-`, 0, /^$/],
    ]) {
        const ended = spawnSync('sh', ['-c', script], {encoding: 'utf8'});
        assert.match(ended.stderr, complaint, script);
        assert.equal(ended.status, status, script);
        assert.deepEqual(readFileSync(out), expected, script);
        assert.deepEqual(readdirSync(dir), ['m.gguf'], script);
        rmSync(out);
    }
    const full = openSync('/dev/full', 'w');
    for (const args of [['--help'], ['--in', source, '--type', 'q8_0', '--dry-run']])
        assert.equal(spawnSync(QUANTIZE, args, {stdio: ['ignore', full, 'ignore']}).status, 1);
    closeSync(full);
});

test('a limit on the size of files is told like a full disk', () => {
    const dir = folder('limit');
    const {stderr, stdout} = spawnSync('sh',
        [
            '-c',
            `ulimit -f 128; "${QUANTIZE}" --in "${source}" --out "${dir}/m.gguf" --type f32; echo "status $?"`,
        ], {encoding: 'utf8'});
    assert.match(stderr, /^quantize: .*m\.gguf[^\n]*\n$/);
    assert.equal(stdout, 'status 1\n');
    assert.deepEqual(readdirSync(dir), []);
});

/** Runs with `before` in its shell, sends the signal once the output is under way. */
async function signalled(before, signal, dir) {
    const script = `${before} exec "${QUANTIZE}" --in "${big}" --out "${dir}/m.gguf" --type q4_k --threads 1`;
    const child = spawn('sh', ['-c', script], {stdio: 'ignore'});
    const ended = new Promise((resolve) => child.on('exit', (code, by) => resolve({code, by})));
    while (!existsSync(join(dir, `m.gguf.${child.pid}.partial`)))
        await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill(signal);
    return ended;
}

test('a signal that is ignored, as under nohup, stays ignored', async () => {
    const dir = folder('nohup'), expected = readFileSync(quantized('calm.gguf', big, 'q4_k'));
    for (const signal of ['HUP', 'INT', 'QUIT']) {
        assert.deepEqual(await signalled(`trap '' ${signal};`, `SIG${signal}`, dir),
            {code: 0, by: null}, signal);
        assert.ok(readFileSync(join(dir, 'm.gguf')).equals(expected), signal);
        rmSync(join(dir, 'm.gguf'));
    }
});

test('a signal that is not ignored ends the run and leaves nothing', async () => {
    const dir = folder('killed');
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT']) {
        assert.deepEqual(await signalled('ulimit -c 0;', signal, dir), {code: null, by: signal});
        assert.deepEqual(readdirSync(dir), []);
    }
});
