// The command line: what each command prints, that stdout holds nothing else, and one sentence with the right
// exit code when something is wrong.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {after, test} from 'node:test';
import {SAMPLING} from '../../web/engine/generate.js';
import {ensureModel} from '../../web/node/setup.js';

const ROOT = join(import.meta.dirname, '../..'), CLI = join(ROOT, 'web/node/cli.js'),
    GOLDEN = join(ROOT, 'tests/golden');
const TURNS = join(GOLDEN, 'tiny-gemma3.gguf'), BASE = join(GOLDEN, 'tiny-gemma2.gguf'),
    TEXT = join(GOLDEN, 'text.txt');

const work = mkdtempSync(join(tmpdir(), 'gemma-cli-'));
after(() => rmSync(work, {recursive: true}));

function write(name, content) {
    writeFileSync(join(work, name), content);
    return join(work, name);
}

/** Runs a command to its end. */
function run(args, input = '') {
    return spawnSync(process.execPath, [CLI, ...args], {input, encoding: 'utf8', maxBuffer: 1 << 28});
}

/** What a command says every ten seconds, which on a slow machine pass. */
const PROGRESS = /^[a-z ]+: \d+ %\n/gm;

/** The stdout of a command that must succeed and say nothing else. */
function output(args, input) {
    const {status, stdout, stderr} = run(args, input);
    assert.deepEqual({status, stderr: stderr.replace(PROGRESS, '')}, {status: 0, stderr: ''}, args.join(' '));
    return stdout;
}

const json = (args, input) => JSON.parse(output([...args, '--json'], input));

test('npm run -s gemma passes options on, and its stdout is the result alone', () => {
    const {status, stdout} = spawnSync('npm',
        ['run', '-s', 'gemma', '--', 'tokenize', '--model', TURNS, '--json'],
        {cwd: ROOT, input: 'The sea', encoding: 'utf8'});
    assert.equal(status, 0);
    assert.deepEqual(Object.keys(JSON.parse(stdout)), ['tokens']);
});

test('generate: the object of --json, and the same text streamed without it', () => {
    const args = [
        'generate', '--model', TURNS, '--prompt', 'The sea', '--max-tokens', '9', '--temperature', '0',
        '--threads', '2',
    ];
    const result = json(args);
    assert.equal(result.tokens.length, 9);
    assert.equal(result.finishReason, 'length');
    assert.equal(result.threads, 2);
    assert.match(result.variant, /^(simd128|relaxed)$/);
    assert.ok(result.memoryBytes > 0);
    assert.equal(result.promptTokens[0], 2, 'BOS is added as the metadata says');
    assert.deepEqual(Object.keys(result.timings).sort(), [
        'decodeMs', 'decodeTokens', 'loadMs', 'prefillMs', 'prefillTokens',
    ]);
    assert.equal(output(args), `${result.text}\n`);
});

test('generate: --logprobs and --prompt-logprobs tell how likely each token was', () => {
    const args = [
        'generate', '--model', TURNS, '--prompt', 'The sea', '--max-tokens', '3', '--temperature', '0',
    ];
    const {tokens, promptTokens, logprobs, promptLogprobs} = json([
        ...args, '--logprobs', '2', '--prompt-logprobs', '0',
    ]);
    assert.deepEqual(logprobs.map(({id}) => id), tokens);
    assert.ok(logprobs.every(({logprob, top}) => logprob < 0 && top.length === 2));
    assert.deepEqual(promptLogprobs.map((one) => one?.id), [undefined, ...promptTokens.slice(1)]);
});

test('generate: --session keeps a conversation in a file and goes on with it', () => {
    const file = join(work, 'session'),
        args = ['generate', '--model', TURNS, '--chat', '--max-tokens', '4', '--temperature', '0'];
    const first = json([...args, '--prompt', 'Hello there', '--session', file]);
    const second = json([...args, '--prompt', 'And then?', '--session', file]);
    const before = [...first.promptTokens, ...first.tokens];
    assert.deepEqual(second.promptTokens.slice(0, before.length), before);
    const {status, stderr} = run([...args, '--prompt', 'x', '--session', write('other', 'something else')]);
    assert.equal(status, 1);
    assert.match(stderr, /session/);
    assert.equal(run([...args, '--prompt', 'x', '--system', 'y', '--session', file]).status, 2);
    assert.equal(run([...args, '--session', join(work, 'none')]).status, 2, 'nothing to begin with');
    assert.ok(json(['generate', '--model', TURNS, '--max-tokens', '4', '--prompt', '', '--session', file])
        .tokens.length, 'what is there is continued');
});

test('embed: a vector of length 1 for each line', () => {
    const vectors = output(['embed', '--model', TURNS], 'The sea\nat night\n').trim().split('\n')
        .map((line) => JSON.parse(line));
    assert.equal(vectors.length, 2);
    for (const vector of vectors) assert.ok(Math.abs(vector.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);
});

test('bench: --parallel counts the tokens of all sessions', () => {
    const {parallel, decode} = json([
        'bench', '--model', TURNS, '--parallel', '3', '--prompt-tokens', '20', '--max-tokens', '5',
        '--repeat', '1',
    ]);
    assert.ok(parallel === 3 && decode.median > 0);
});

test('generate: the prompt comes from stdin when none is given', () => {
    const args = ['generate', '--model', TURNS, '--max-tokens', '5', '--temperature', '0'];
    assert.deepEqual(json(args, 'Ein Käfer 🐞').promptTokens, json([...args, '--prompt', 'Ein Käfer 🐞'])
        .promptTokens);
});

test('generate: a text that is piped beside --prompt follows it', async () => {
    const args = ['generate', '--model', TURNS, '--max-tokens', '5', '--temperature', '0', '--prompt'],
        both = 'Sum it up:\nEin Käfer 🐞\n';
    const {promptTokens} = json([...args, both]);
    assert.deepEqual(json([...args, 'Sum it up:'], 'Ein Käfer 🐞\n').promptTokens, promptTokens);
    assert.deepEqual(json([...args, 'Sum it up:\n'], 'Ein Käfer 🐞\n').promptTokens, promptTokens,
        'one white space is enough');
    const shell = (line) => JSON.parse(spawnSync('sh', ['-c', line],
        {encoding: 'utf8', env: {...process.env, CLI, NODE: process.execPath}}).stdout).promptTokens;
    const call = `"$NODE" "$CLI" generate --model '${TURNS}' --max-tokens 5 --json --prompt 'Sum it up:'`,
        file = write('beside.txt', 'Ein Käfer 🐞\n');
    assert.deepEqual(shell(`(sleep 1; cat '${file}') | ${call}`), promptTokens);
    assert.deepEqual(shell(`${call} < '${file}'`), promptTokens);
    const alone = json([...args, 'Sum it up:']).promptTokens;
    assert.deepEqual(shell(`${call} < /dev/null`), alone);
    // its standard input never ends
    const open = spawn(process.execPath, [CLI, ...args, 'Sum it up:', '--json']);
    assert.deepEqual(JSON.parse((await open.stdout.toArray()).join('')).promptTokens, alone);
});

test('generate: Ctrl+C shows what there is, and ends with 130', async () => {
    const args = [
        'generate', '--model', TURNS, '--prompt', 'The sea', '--temperature', '2', '--top-k', '0', '--top-p',
        '1', '--json', '--seed',
    ];
    for (let seed = 1; ; seed++) {      // a random model may end an answer before it is interrupted
        const child = spawn(process.execPath,
            ['--import', `data:text/javascript,${encodeURIComponent(SLOWLY)}`, CLI, ...args, String(seed)],
            {stdio: ['ignore', 'pipe', 'inherit']});
        const [status, output] = await Promise.all([
            new Promise((done) => child.on('close', done)), child.stdout.toArray(),
        ]);
        const {finishReason, text} = JSON.parse(output.join(''));
        if (finishReason !== 'abort' && seed < 20) continue;
        assert.deepEqual({status, finishReason}, {status: 130, finishReason: 'abort'});
        assert.equal(typeof text, 'string');
        break;
    }
});

/** Interrupts the program as soon as it listens for that. */
const SLOWLY =
    "process.on('newListener', (name) => name === 'SIGINT' && setImmediate(() => process.kill(process.pid, 'SIGINT')))";

test('generate: a seed gives the same text, with any number of threads', () => {
    const loose = ['--temperature', '1', '--top-k', '0', '--top-p', '1', '--min-p', '0.001'];
    const args = ['generate', '--model', BASE, '--prompt', 'The', '--max-tokens', '16', ...loose];
    const say = (seed, threads) => json([...args, '--seed', seed, '--threads', threads]).text;
    assert.equal(say('1', '1'), say('1', '3'));
    assert.notEqual(say('1', '1'), say('2', '1'));
});

test('generate: --chat and --system make turns', () => {
    const args = ['generate', '--model', TURNS, '--prompt', 'Hi', '--max-tokens', '1', '--temperature', '0'];
    const prompted = (options) => output(['detokenize', '--model', TURNS], json([...args, ...options])
        .promptTokens.join(' '));
    assert.equal(prompted(['--chat']), '<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n');
    assert.equal(prompted(['--system', 'Be brief.']),
        '<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n');
    assert.equal(prompted([]), '<bos>Hi');
});

test('generate: --messages holds one conversation: each answer evaluates only what is new', () => {
    const user = (content) => ({role: 'user', content}),
        assistant = (content) => ({role: 'assistant', content});
    const messages = [
        {role: 'system', content: 'Be brief.'}, user('One?'), user('Two?'), assistant('Two.'), user('Three?'),
    ];
    const file = write('messages.json', JSON.stringify(messages));
    const result = json([
        'generate', '--model', TURNS, '--messages', file, '--max-tokens', '6', '--temperature', '0',
    ]);
    assert.equal(result.turns.length, 2);
    const [first, second] = result.turns;
    for (const key of ['text', 'tokens', 'promptTokens', 'cachedTokens'])
        assert.deepEqual(result[key], second[key], key);
    const before = [...first.promptTokens, ...first.tokens];
    assert.deepEqual(second.promptTokens.slice(0, before.length), before);
    assert.ok(second.cachedTokens >= before.length - 2);
    assert.equal(second.timings.prefillTokens, second.promptTokens.length - second.cachedTokens);
    const added = output(['detokenize', '--model', TURNS], second.promptTokens.slice(before.length).join());
    assert.equal(added,
        '<end_of_turn>\n<start_of_turn>user\nTwo?<end_of_turn>\n<start_of_turn>model\nTwo.<end_of_turn>\n' +
        '<start_of_turn>user\nThree?<end_of_turn>\n<start_of_turn>model\n');
});

test('generate: piped text beside --messages ends the last user message, or is the next one', () => {
    const user = (content) => ({role: 'user', content}),
        assistant = (content) => ({role: 'assistant', content}), text = 'Ein Käfer 🐞\n';
    const ask = (messages, input) => json(
        [
            'generate', '--model', TURNS, '--messages', write('piped.json', JSON.stringify(messages)),
            '--max-tokens', '1', '--temperature', '0',
        ], input).turns.map(({promptTokens}) => promptTokens);
    assert.deepEqual(ask([user('Sum it up:')], text), ask([user(`Sum it up:\n${text}`)]));
    assert.deepEqual(ask([user('Hi'), assistant('Hello.')], text),
        ask([user('Hi'), assistant('Hello.'), user(text)]));
    assert.deepEqual(ask([{role: 'system', content: 'Be brief.'}], text),
        ask([{role: 'system', content: 'Be brief.'}, user(text)]));
    assert.notDeepEqual(ask([user('Sum it up:')], text), ask([user('Sum it up:')]));
    const {status, stdout} = run([
        'generate', '--model', TURNS, '--messages',
        write('answered.json', JSON.stringify([user('Hi'), assistant('Hello.')])),
    ]);
    assert.deepEqual([status, stdout], [1, '']);
});

test('logits: the best of the last position, and all positions as a file', () => {
    const {logits} = json(['logits', '--model', BASE, '--tokens', '2,651,300', '--top', '5']);
    assert.equal(logits.length, 5);
    assert.ok(logits.every(([, value], i) => i === 0 || value <= logits[i - 1][1]), 'best first');
    const out = join(work, 'logits.f32'), ids = write('ids.txt', '2 651\n300\n');
    assert.equal(output(['logits', '--model', BASE, '--tokens-file', ids, '--out', out]), '');
    const bytes = readFileSync(out),
        rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    assert.equal(rows.length, 3 * 656);
    const last = rows.subarray(2 * 656);
    for (const [id, value] of logits) assert.equal(last[id], Math.fround(value));
    const prefix = json(['logits', '--model', BASE, '--tokens', '2,651', '--top', '1']).logits[0];
    assert.equal(rows[656 + prefix[0]], Math.fround(prefix[1]), 'a row is the same alone and in a batch');
});

test('tokenize and detokenize are each other\'s inverse, also for bytes that are no text', () => {
    const bytes = Buffer.concat([
        Buffer.from('Grüße, 😀\n\n  <end_of_turn>\t'), Buffer.from([0, 0xff, 0xc3, 0x28, 0xf0, 0x9f]),
    ]);
    const {tokens} = json(['tokenize', '--model', TURNS], bytes);
    const back = spawnSync(process.execPath, [CLI, 'detokenize', '--model', TURNS],
        {input: tokens.join(', ')});
    assert.deepEqual(back.stdout, bytes);
    assert.deepEqual(json(['tokenize', '--model', TURNS, '--bos', '--special'], '<end_of_turn>')
        .tokens, [2, 6]);
    assert.deepEqual(json(['tokenize', '--model', TURNS], '').tokens, []);
});

test('a megabyte on stdin is tokenized in seconds', async () => {
    const text = readFileSync(TEXT, 'utf8'), start = performance.now();
    const {tokens} = json(['tokenize', '--model', await ensureModel()],
        text.repeat(Math.ceil(1e6 / text.length)));
    assert.ok(tokens.length > 100_000);
    assert.ok(performance.now() - start < 20_000);
});

test('perplexity: exp of the mean nll, for any batches; smaller windows know less', () => {
    const measure = (...options) => json(['perplexity', '--model', BASE, '--text', TEXT, ...options]);
    const {perplexity, nll, tokens} = measure();
    assert.ok(Math.abs(perplexity - Math.exp(nll)) < 1e-9 * perplexity);
    assert.equal(tokens, json(['tokenize', '--model', BASE], readFileSync(TEXT)).tokens.length);
    // The same from the logits of one window.
    const text = write('short.txt', readFileSync(TEXT, 'utf8').slice(0, 200));
    const ids = [2, ...json(['tokenize', '--model', BASE], readFileSync(text)).tokens];
    const out = join(work, 'rows.f32');
    output(['logits', '--model', BASE, '--tokens', ids.join(), '--out', out]);
    const rows = new Float32Array(readFileSync(out).buffer.slice(0)), n = 656;
    let sum = 0;
    for (let i = 0; i + 1 < ids.length; i++) {
        const row = Array.from(rows.subarray(i * n, (i + 1) * n)), max = Math.max(...row);
        sum += max + Math.log(row.reduce((s, x) => s + Math.exp(x - max), 0)) - row[ids[i + 1]];
    }
    const short = json(['perplexity', '--model', BASE, '--text', text]);
    assert.ok(Math.abs(short.nll - sum / (ids.length - 1)) < 1e-5,
        `${short.nll} and ${sum / (ids.length - 1)}`);
    assert.notEqual(measure('--ctx', '16').nll, nll);
});

test('inspect: architecture, sizes, types, metadata, memory', () => {
    for (const about of [json(['inspect', TURNS]), JSON.parse(output(['inspect', TURNS]))]) {
        assert.equal(about.architecture, 'gemma3');
        assert.equal(about.sizes.n_vocab, 699);
        assert.equal(about.types.F16.count, 7);
        assert.equal(about.metadata['general.name'], 'tiny random gemma3 it');
        assert.ok(about.memoryBytes > about.weightBytes);
    }
});

test('bench: tokens per second of a file, and of a shape without one', () => {
    const few = ['--prompt-tokens', '8', '--max-tokens', '2', '--repeat', '1'];
    for (const model of [['--model', BASE], ['--shape', 'gemma3-270m', '--type', 'q4_0']]) {
        const {prefill, decode, variant, threads, bytesPerToken} = json(['bench', ...model, ...few]);
        for (const {min, median, max} of [prefill, decode])
            assert.ok(0 < min && min <= median && median <= max);
        assert.ok(variant && threads >= 1 && bytesPerToken > 0);
    }
});

test('serve: prints where the page is', async () => {
    const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--model', TURNS],
        {stdio: ['ignore', 'pipe', 'inherit']});
    try {
        const [line] = await child.stdout.take(1).toArray();
        const response = await fetch(String(line).trim());
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('cross-origin-opener-policy'), 'same-origin');
    } finally {
        child.kill();
    }
});

test('serve: OpenAI\'s API, as the options say', async () => {
    const args = ['--api-key', 'key', '--parallel', '2', '--queue', '1', '--context', '256', '--max-body',
        '1000', '--threads', '1', '--cors', 'https://app.example'];
    const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--model', TURNS, ...args],
        {stdio: ['ignore', 'pipe', 'ignore']});
    try {
        const [line] = await child.stdout.take(1).toArray(), url = new URL('v1/', String(line).trim());
        const ask = (path, body, headers) => fetch(new URL(path, url), {
            method: body ? 'POST' : 'GET', body, headers: {Authorization: 'Bearer key', ...headers},
        });
        assert.equal((await ask('models', undefined, {Authorization: 'Bearer other'})).status, 401);
        const response = await ask('completions',
            JSON.stringify({prompt: 'The sea', max_tokens: 400, logit_bias: {1: -100, 6: -100}}),
            {Origin: 'https://app.example'});
        assert.equal(response.headers.get('Access-Control-Allow-Origin'), 'https://app.example');
        const {model, usage} = await response.json();
        assert.equal(model, basename(TURNS, '.gguf'));
        assert.ok(usage.total_tokens >= 256 && usage.total_tokens <= 257, 'the context is full');
        assert.equal((await ask('completions', JSON.stringify({prompt: 'x'.repeat(2000)}))).status, 413);
    } finally {
        child.kill();
    }
});

test('serve: SIGTERM lets answers end, Ctrl+C does not; an empty key is none', async () => {
    for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]]) {
        const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--model', TURNS],
            {stdio: ['ignore', 'pipe', 'ignore'], env: {...process.env, GEMMA_API_KEY: ''}});
        const ended = new Promise((resolve) => { child.once('exit', (...how) => resolve(how)); });
        const [line] = await child.stdout.take(1).toArray();
        const {body} = await fetch(new URL('v1/completions', String(line).trim()), {
            method: 'POST', headers: {Connection: 'close'}, body: JSON.stringify(
                {prompt: 'The sea', max_tokens: 300, stream: true, logit_bias: {1: -100, 6: -100}}),
        });
        let events = '';
        const read = async () => {
            for await (const piece of body.pipeThrough(new TextDecoderStream())) {
                if (!events) child.kill(signal);
                events += piece;
            }
        };
        await read().catch(() => {});
        if (signal === 'SIGTERM') assert.match(events, /data: \[DONE\]\n\n$/);
        assert.deepEqual(await ended, [code, null]);
    }
});

/** Which commands a help text has. */
const commandsIn = (text) => [...text.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name)
    .filter((name) => name !== 'Options');

test('help says how every command is called, or one alone, and the defaults', () => {
    const all = readdirSync(join(ROOT, 'web/node/commands')).map((name) => basename(name, '.js'))
        .filter((name) => !['shared', 'windows'].includes(name)).sort();
    for (const args of [[], ['help'], ['--help'], ['-h']])
        assert.deepEqual(commandsIn(output(args)).sort(), all, args.join(' '));
    for (const args of [['generate', '--help'], ['serve', '-h'], ['constraint', '-h'],
        ['generate', '--prompt', 'x', '-h'], ['tokenize', '--help']])
        assert.deepEqual(commandsIn(output(args)), [args[0]], args.join(' '));
    assert.equal(output(['help', 'bench']), output(['bench', '--help']));
    assert.match(output(['bench', '--help']), /--model/);
    const generate = output(['generate', '--help']);
    for (const [name, value] of Object.entries(SAMPLING)) {
        const option = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
        assert.ok(generate.includes(`[--${option} ${value}]`), name);
    }
});

/** Before a command: ten seconds pass between any two looks at the clock. */
const HASTY = "let t = 0; performance.now = () => t += 1e4;";

test('what takes long says how far it is on stderr, also without a terminal', () => {
    const text = write('window.txt', readFileSync(TEXT, 'utf8').slice(0, 1500));
    for (const args of [['perplexity', '--model', BASE, '--text', text, '--json'],
        ['bench', '--model', BASE, '--prompt-tokens', '8', '--max-tokens', '2', '--repeat', '1', '--json']]) {
        const {status, stdout, stderr} = spawnSync(process.execPath,
            ['--import', `data:text/javascript,${encodeURIComponent(HASTY)}`, CLI, ...args],
            {encoding: 'utf8'});
        assert.equal(status, 0, stderr);
        assert.equal(typeof JSON.parse(stdout), 'object');
        const said = stderr.match(PROGRESS) ?? [];
        assert.ok(said.length > 1, args[0]);
        assert.equal(said.join(''), stderr, args[0]);
    }
});

test('the version is that of package.json', () => {
    const {name, version} = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(output(['--version']), `${name} ${version}\n`);
});

test('serve: a taken port is an error', async () => {
    const taken = createServer();
    await new Promise((done) => taken.listen(0, '127.0.0.1', done));
    const {port} = taken.address();
    const child = spawn(process.execPath, [CLI, 'serve', '--port', String(port), '--model', TURNS],
        {stdio: ['ignore', 'pipe', 'pipe']});
    const [status, said] = await Promise.all([
        new Promise((done) => child.on('close', done)), child.stderr.toArray(),
    ]);
    assert.equal(status, 1);
    assert.match(said.join(''), new RegExp(`${port}`));
    taken.close();
});

/** One sentence on stderr, nothing on stdout. */
function refuses(args, status, pattern, input) {
    const result = run(args, input);
    assert.deepEqual({status: result.status, stdout: result.stdout}, {status, stdout: ''},
        `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, /^gemma: [^\n]+\n$/, args.join(' '));
    assert.match(result.stderr, pattern, args.join(' '));
}

test('wrong calls are told in one sentence, exit code 2', () => {
    const cases = [
        [['sing'], /Unknown command sing/],
        [['generate', '--prompt', 'x', '--tempo', '1'], /Unknown option --tempo.*generate --help/],
        [['generate', '--promt', 'x'], /Unknown option --promt.* --prompt\b.*generate --help/],
        [['bench', '--max-token=3'], / --max-tokens\b/],
        [['serve', '--prot', '1'], / --port\b/],
        [['generate', '--prompt'], /--prompt needs a value/],
        [['generate', '-p', 'x'], /Unknown option -p/],
        [['generate', '--prompt', 'x', '--temperature', 'hot'], /--temperature hot: a number/],
        [['generate', '--prompt', 'x', '--max-tokens', '1.5'], /--max-tokens 1.5/],
        [['generate', '--prompt', 'x', '--threads', '0'], /--threads 0/],
        [['generate', '--prompt', 'x', '--variant', 'avx'], /--variant avx/],
        [['generate', '--prompt', 'x', '--json=yes'], /--json takes no value/],
        [['generate', 'x'], /Unexpected word x/],
        [['generate', '--prompt', 'x', '--messages', 'y'], /exclude each other/],
        [['generate', '--model', BASE], /prompt is empty/i],
        [['generate', '--model', BASE, '--prompt', ''], /prompt is empty/i],
        [['generate', '--model', TURNS, '--chat', '--prompt', ' \n'], /prompt is empty/i],
        [['generate', '--prompt', 'x', '--choices', ''], /--choices/],
        [['constraint', '--choices', 'yes, ,no'], /--choices/],
        [['logits', '--model', BASE, '--json'], /--tokens/],
        [['logits', '--model', BASE, '--tokens', '1,b', '--json'], /b is not a token id/],
        [['perplexity', '--model', BASE], /--text is needed/],
        [['perplexity', '--model', BASE, '--text', TEXT, '--ctx', '1'], /--ctx 1/],
        [['inspect'], /needs a file/],
        [['bench', '--model', BASE, '--shape', 'gemma-2b'], /exclude each other/],
        [['serve', '--port', '70000'], /--port 70000/],
        [['serve', '--parallel', '0'], /--parallel 0/],
        [['serve', '--queue', 'x'], /--queue x/],
        [['serve', '--api-key', ''], /--api-key/],
        [['serve', '--host='], /--host/],
        [['serve', '--cors', 'https://a.example, b.example'], /--cors b\.example/],
    ];
    for (const [args, pattern] of cases) refuses(args, 2, pattern);
});

test('what is missing or broken is told in one sentence, exit code 1', () => {
    const truncated = write('truncated.gguf', readFileSync(BASE).subarray(0, 900_000));
    const cases = [
        [['generate', '--model', join(work, 'none.gguf'), '--prompt', 'x'], /none\.gguf/],
        [['generate', '--model', work, '--prompt', 'x'], /is not a file/],
        [['generate', '--model', truncated, '--prompt', 'x'], /truncated\.gguf/],
        [['tokenize', '--model', TEXT], /text\.txt/],
        [['inspect', TEXT], /text\.txt/],
        [['generate', '--model', BASE, '--prompt', 'x', '--ctx', '100000'], /100000 tokens/],
        [['generate', '--model', BASE, '--prompt', 'x', '--temperature', '-1'], /temperature/],
        [['generate', '--model', BASE, '--prompt', 'x '.repeat(600)], /\d+ tokens.*512/],
        [['generate', '--model', BASE, '--messages', join(work, 'none.json')], /none\.json/],
        [['generate', '--model', BASE, '--messages', write('bad.json', '{')], /bad\.json is not JSON/],
        [
            ['generate', '--model', BASE, '--messages', write('odd.json', '[{"role": "cat"}]')],
            /odd\.json.*expected/,
        ],
        [['logits', '--model', BASE, '--tokens', '2,99999', '--json'], /99999 is outside/],
        [['logits', '--model', BASE, '--tokens', '2', '--out', join(work, 'no/such/folder')], /no such file/],
        [['perplexity', '--model', BASE, '--text', join(work, 'none.txt')], /none\.txt/],
        [['perplexity', '--model', BASE, '--text', write('empty.txt', '')], /is empty/],
        [['bench', '--shape', 'gemma-3b', '--type', 'q4_0'], /gemma-3b/],
        [['bench', '--shape', 'gemma-2b', '--type', 'q9_9'], /q9_9/],
        [['serve', '--model', join(work, 'none.gguf')], /There is no file .*none\.gguf/],
        [['serve', '--model', work], /is not a file/],
        [['serve', '--model', TEXT], /text\.txt.*GGUF/],
    ];
    for (const [args, pattern] of cases) refuses(args, 1, pattern);
});

test('ids that no token has are refused', () => refuses(['detokenize', '--model', BASE], 1,
    /99999 is outside/, '5 99999'));

test('an engine that this Node lacks is told in one sentence', {skip: !process.version.startsWith('v20.')
    && 'Node 20 lacks both'}, () => {
    refuses(['generate', '--model', BASE, '--prompt', 'x', '--variant', 'relaxed'], 1, /relaxed SIMD/i);
    refuses(['generate', '--model', BASE, '--prompt', 'x', '--memory64'], 1, /memory64/);
});

test('an output that cannot be written is told, exit code 1', () => {
    const full = openSync('/dev/full', 'w');
    const {status, stderr} = spawnSync(process.execPath, [CLI, 'tokenize', '--model', TURNS],
        {input: 'The sea', encoding: 'utf8', stdio: ['pipe', full, 'pipe']});
    closeSync(full);
    assert.equal(status, 1);
    assert.match(stderr, /^gemma: .*ENOSPC.*\.\n$/);
});

test('whoever stops reading stops the command quietly', async () => {
    const args = ['logits', '--model', BASE, '--tokens', '2', '--top', '656', '--json'];
    const child = spawn(process.execPath, [CLI, ...args], {stdio: ['ignore', 'pipe', 'pipe']});
    let said = '';
    child.stderr.on('data', (text) => { said += text; });
    child.stdout.destroy();
    const status = await new Promise((done) => child.on('close', done));
    assert.deepEqual({status, said}, {status: 0, said: ''});
});

test('constraint: without a model, whether it compiles and which lines it accepts', () => {
    const schema = write('schema.json',
        '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}');
    const lines = write('instances.jsonl', '{"a": 1}\n{"a":12}\n{"a": "1"}\n\n{}\n{"a":\t3 }\n{"a": 1');
    const {compileMs, ...found} = json(['constraint', '--schema', schema, '--instances', lines]);
    assert.deepEqual(found, {
        compiled: true, error: null, accepted: [true, true, false, false, false, true, false],
    });
    assert.ok(compileMs > 0);
    const accepts = (args, text) => json(['constraint', ...args, '--instances', write('texts', text)])
        .accepted;
    for (const [option, text] of [['--schema', '{"const": 1}'], ['--grammar', 'root ::= "1"']])
        assert.deepEqual(accepts([option, write('marked', `\uFEFF${text}`)], '1\n2'), [true, false]);
    assert.deepEqual(accepts(['--regex', '[ab]+'], 'ab\nc\n'), [true, false]);
    assert.deepEqual(accepts(['--choices', 'yes, no'], 'no\nyesno\n no'), [true, false, false]);
    assert.deepEqual(accepts(['--grammar', write('g.gbnf', 'root ::= "x"+ "y"')], 'xxy\ny'), [true, false]);
    assert.deepEqual(accepts(['--schema', schema, '--whitespace', 'none'], '{"a":1}\n{"a": 1}'),
        [true, false]);
    const deep = (end) => `${'('.repeat(30)}a${end.repeat(30)}`, ways = 't ::= "a" | "(" e ")"\nroot ::= e\n';
    assert.deepEqual(accepts(['--grammar', write('alike.gbnf', `${ways}e ::= t | t "+" e | t "-" e`)],
        `a+a-a\n${deep(')')}\n${deep('-a)')}\n${deep(']')}`), [true, true, true, false]);
    assert.deepEqual(accepts(['--grammar', write('ways.gbnf', `${ways}e ::= s | d\ns ::= t | t "+" e\nd ::= t "-" e`)],
        `a+a\n${deep(')')}\n(a)\nb`), [true, null, true, false], 'what cannot be told does not hide the others');
    const kinds = ['row', 'col', 'tab', 'box'], tree = {$ref: '#/$defs/n', $defs: {n: {anyOf: kinds.map((kind) =>
        ({type: 'object', properties: {id: {type: 'integer'}, children: {type: 'array', items: {$ref: '#/$defs/n'}},
            type: {const: kind}}, required: ['id', 'children', 'type'], additionalProperties: false}))}}};
    const nested = (depth, last = 'box') => JSON.stringify({id: 1, children: depth ? [JSON.parse(nested(depth - 1, last))]
        : [], type: depth ? kinds[depth % 4] : last});
    assert.deepEqual(accepts(['--schema', write('tree.json', JSON.stringify(tree))],
        [nested(0), nested(6), nested(80), nested(80, 'none')].join('\n')), [true, true, true, false]);
});

test('constraint: what does not compile is told, by --json too', () => {
    const {compiled, accepted, error} = json([
        'constraint', '--schema', write('not.json', '{"properties": {"a": {"not": {"type": "null"}}}}'),
    ]);
    assert.deepEqual([compiled, accepted], [false, []]);
    assert.match(error, /not/);
    assert.match(json(['constraint', '--grammar', write('bad.gbnf', 'root ::= "a"\nb ::= ]')])
        .error, /\b2\b/);
    const {status, stderr} = run(['constraint', '--regex', '(?=a)']);
    assert.equal(status, 1);
    assert.equal(stderr.trim().split('\n').length, 1);
    for (const args of [[], ['--regex', 'a', '--choices', 'b'], ['--regex', 'a', '--whitespace', 'none'],
        ['--schema', 'x', '--whitespace', 'much']]) {
        assert.equal(run(['constraint', ...args]).status, 2, args.join(' '));
    }
});

test('generate: --schema, --regex, --choices and --grammar say what the text must be', () => {
    const args = ['generate', '--model', TURNS, '--prompt', 'The sea', '--max-tokens', '60', '--seed', '3'];
    const {text, constraint} = json([
        ...args, '--schema',
        write('list.json', '{"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3}'),
    ]);
    assert.equal(constraint, 'complete');
    assert.ok(JSON.parse(text).every((each) => typeof each === 'boolean'));
    assert.match(output([...args, '--regex', '[0-9]{3}']), /^[0-9]{3}\n$/);
    assert.match(output([...args, '--choices', 'east,west']), /^(east|west)\n$/);
    assert.match(output([...args, '--grammar', write('ab.gbnf', 'root ::= "a" "b"')]), /^ab\n$/);
});
