// errors.test.js: every way in which a conversion can be refused: one sentence on stderr that names what is
// wrong, exit status 1 (2 for the command line), and no file.

import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync,
    writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {QUANTIZE, ROOT, checkpoint, quantize, quantized, work} from './tools.js';

const sound = checkpoint('sound', 'tiny-gemma1'),
    sharded = checkpoint('sharded', 'tiny-gemma1', '--shards', '3');
const OUT = join(work, 'out');
mkdirSync(OUT);

/** A copy of a checkpoint to be damaged. */
function damaged(from = sound) {
    const folder = join(work, 'damaged');
    rmSync(folder, {recursive: true, force: true});
    cpSync(from, folder, {recursive: true});
    return folder;
}

function editJson(path, change) {
    const json = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(change(json) ?? json));
}

/** Changes the header of a safetensors file; the data stays as it is. */
function editHeader(path, change) {
    const bytes = readFileSync(path), n = Number(bytes.readBigUInt64LE(0));
    const header = Buffer.from(change(JSON.parse(bytes.toString('utf8', 8, 8 + n))));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([size, header, bytes.subarray(8 + n)]));
}

const editTensors = (path, change) => editHeader(path, (header) => JSON.stringify(change(header) ?? header));

/** Overwrites weights of a BF16 tensor: {index: bits}. */
function editWeights(path, tensor, weights) {
    const bytes = readFileSync(path), n = Number(bytes.readBigUInt64LE(0)),
        [begin] = JSON.parse(bytes.toString('utf8', 8, 8 + n))[tensor].data_offsets;
    for (const [i, bits] of Object.entries(weights)) bytes.writeUInt16LE(bits, 8 + n + begin + 2 * Number(i));
    writeFileSync(path, bytes);
}

function refused(pattern, input, ...options) {
    const out = join(OUT, 'model.gguf'),
        {status, stderr} = quantize('--in', input, '--out', out, '--type', 'q8_0', ...options);
    assert.match(stderr, new RegExp(pattern, 'i'));
    assert.match(stderr, /^quantize: [^\n]+\n$/, 'one sentence');
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(OUT), [], 'no file is left');
}

const weights = (folder) => join(folder, 'model.safetensors');

test('a sound checkpoint is not refused', () => {
    for (const folder of [damaged(), damaged(sharded)]) quantized('fine.gguf', folder, 'q8_0');
});

test('a shard is missing', () => {
    const folder = damaged(sharded);
    rmSync(join(folder, 'model-00002-of-00003.safetensors'));
    refused(/index\.json: tensor \S+ should be in shard model-00002-of-00003\.safetensors\. .*No such file/,
        folder);
});

test('the index and its shards disagree', () => {
    let folder = damaged(sharded);
    editJson(join(folder, 'model.safetensors.index.json'),
        (index) => { index.weight_map['model.norm.weight'] = 'model-00001-of-00003.safetensors'; });
    refused(
        /tensor model\.norm\.weight should be in shard model-00001-of-00003\.safetensors, but is not there/,
        folder);
    folder = damaged(sharded);
    editJson(join(folder, 'model.safetensors.index.json'),
        (index) => { index.weight_map['model.norm.weight'] = '../../etc/passwd'; });
    refused(/Tensor model\.norm\.weight: the name of a file beside the index was expected/, folder);
    folder = damaged(sharded);
    writeFileSync(join(folder, 'model.safetensors.index.json'), '{}');
    refused(/it has no weight_map/, folder);
});

test('a tensor has another shape than config.json tells', () => {
    const folder = damaged();
    editTensors(weights(folder),
        (header) => { header['model.layers.1.mlp.up_proj.weight'].shape = [256, 512]; });
    refused(
        /model\.safetensors: tensor model\.layers\.1\.mlp\.up_proj\.weight should be \[512, 256\] by config\.json, but is \[256, 512\]/,
        folder);
});

test('a file is cut off', () => {
    const folder = damaged(sharded), shard = join(folder, 'model-00002-of-00003.safetensors');
    truncateSync(shard, readFileSync(shard).length - 1000);
    refused(
        /model-00002-of-00003\.safetensors: tensor \S+:? needs the bytes up to \d+, but the file ends at byte \d+:? is it complete\?/,
        folder);
    truncateSync(shard, 100);
    refused(/00002-of-00003\.safetensors:? claims a header of \d+ bytes, but has 100 bytes in all/, folder);
    truncateSync(shard, 3);
    refused(/00002-of-00003\.safetensors:? has 3 bytes; a safetensors file has at least 8/, folder);
});

test('weights are not finite: how many, and where the first is', () => {
    const name = 'model.layers.2.mlp.down_proj.weight';
    const folder = damaged();
    editWeights(weights(folder), name, {70000: 0x7f80, 70001: 0x7fc0, 131071: 0xffc0});
    refused(
        new RegExp(
            `model\\.safetensors: tensor ${name.replaceAll('.', '\\.')} has 3 weights that are no finite numbers; the first one, in row 136, column 368, is infinite`),
        folder);
    editWeights(weights(folder), 'model.layers.0.self_attn.q_proj.weight', {5: 0x7fc1});
    for (const threads of ['1', '5']) {
        for (const type of ['q8_0', 'bf16']) {
            refused(
                /tensor model\.layers\.0\.self_attn\.q_proj\.weight has 1 weights .* in row 0, column 5, is NaN/,
                folder, '--threads', threads, '--type', type);
        }
    }
});

test('weights are too large for the output\'s type: how many, and where the first is', () => {
    const name = 'model.layers.2.mlp.down_proj.weight', folder = damaged();
    // -65536, 2 ** 24 and again
    editWeights(weights(folder), name, {70000: 0xc780, 70001: 0x4b80, 131071: 0x4b80});
    const where = /model\.safetensors: tensor model\.layers\.2\.mlp\.down_proj\.weight has 3 weights that are too large for F16; /.source +
        /the first one, in row 136, column 368, is -65536: choose another type for it, such as --tensor-type blk\.2\.ffn_down\.weight=bf16/.source;
    for (const threads of ['1', '5'])
        refused(new RegExp(where), folder, '--type', 'f16', '--threads', threads);
    // Of blocks it is the scale that may be too large; then all of the block is lost. (The search takes the
    // largest scale there is.)
    refused(/has 64 weights that are too large for Q8_0; the first one, in row 136, column 352, is /,
        folder, '--plain');
    for (const type of ['bf16', 'f32']) quantized('large.gguf', folder, type);
});

test('a scale that the engine refuses is refused, of new blocks and of copied ones', () => {
    const name = 'model.layers.2.mlp.down_proj.weight', folder = damaged(), first = 70016,
        change = (bits) => editWeights(weights(folder), name, {[first]: bits});
    // -1000, and -3e38: the search's scale is the largest that 16 bits hold.
    for (const [bits, type, n] of [[0xc47a, 'q4_0', 32], [0xff61, 'q4_0', 32], [0xff61, 'q4_k', 256]]) {
        change(bits);
        refused(new RegExp(`has ${n} weights that are too large for ${type}; the first one, in row `), folder,
            '--type', type);
    }
    change(0xc3fc);         // -504: the scale is 63
    const gguf = quantized('63.gguf', folder, 'q4_0', '--plain'), bytes = readFileSync(gguf),
        block = Buffer.from(`e05380${'88'.repeat(15)}`, 'hex'), at = bytes.indexOf(block);
    assert.ok(at > 0 && bytes.indexOf(block, at + 1) < 0);
    quantized('again.gguf', gguf, 'q4_0');
    bytes.writeUInt16LE(0x5400, at);        // 64
    const copied = join(work, '64.gguf');
    writeFileSync(copied, bytes);
    refused(/tensor blk\.2\.ffn_down\.weight has 32 weights that are too large for Q4_0; the first one, in row 136, /,
        copied, '--type', 'q4_0');
});

test('the architecture is not Gemma\'s', () => {
    const folder = damaged();
    editJson(join(folder, 'config.json'), (config) => { config.architectures = ['LlamaForCausalLM']; });
    refused(/config\.json: its architecture is "LlamaForCausalLM"; .*gemma3 are converted/, folder);
    editJson(join(folder, 'config.json'), (config) => { delete config.architectures;
        config.model_type = 'llama'; });
    refused(/config\.json: its architecture is "llama"/, folder);
    editJson(join(folder, 'config.json'), (config) => { delete config.model_type; });
    refused(/config\.json: it says neither its "architectures" nor its "model_type"/, folder);
});

test('the configuration says what a GGUF can\'t', () => {
    const cases = [
        [
            {query_pre_attn_scalar: 100},
            /query_pre_attn_scalar is 100; 32 is what readers of the GGUF will take/,
        ],
        [
            {sliding_window_pattern: 4},
            /one in 4 layers is global \(sliding_window_pattern\); one in 6 was expected/,
        ],
        [{layer_types: Array(7).fill('full_attention')}, /layer 0 is not of type sliding_attention/],
        [{rope_scaling: {rope_type: 'yarn', factor: 2}}, /it scales RoPE by "yarn"/],
        [{hidden_activation: 'relu'}, /hidden_activation is "relu"/],
        [{use_bidirectional_attention: true}, /use_bidirectional_attention is true/],
        [{num_hidden_layers: 'many'}, /"num_hidden_layers" is no whole number from 1 to 1024/],
        [{hidden_size: 1e20}, /"hidden_size" is no whole number/],
    ];
    const from = checkpoint('third', 'tiny-gemma3');
    for (const [change, pattern] of cases) {
        const folder = damaged(from);
        editJson(join(folder, 'config.json'), (config) => ({...config, ...change}));
        refused(pattern, folder);
    }
    const folder = damaged(checkpoint('second', 'tiny-gemma2'));
    editJson(join(folder, 'config.json'), (config) => ({...config, final_logit_softcapping: null}));
    refused(/a soft cap of the logits is null; a Gemma 2 has both/, folder);
});

test('a tensor is missing, unknown, or of a type that is not converted', () => {
    let folder = damaged();
    editJson(join(folder, 'config.json'), (config) => { config.num_hidden_layers = 4; });
    refused(
        /damaged: tensor model\.layers\.3\.input_layernorm\.weight is missing, which a gemma of 4 layers needs/,
        folder);
    folder = damaged();
    editJson(join(folder, 'config.json'), (config) => { config.num_hidden_layers = 2; });
    refused(/model\.safetensors: tensor model\.layers\.2\.input_layernorm\.weight is not one of a gemma/,
        folder);
    folder = damaged();
    editTensors(weights(folder), (header) => { header['model.norm.weight'].dtype = 'I16'; });
    refused(/tensor model\.norm\.weight is stored as I16; F32, F16 and BF16 are converted/, folder);
    editTensors(weights(folder), (header) => { header['model.norm.weight'].dtype = 'Q3_X'; });
    refused(/tensor model\.norm\.weight is stored as Q3_X; F32, F16 and BF16 are converted/, folder);
});

test('a safetensors header is broken', () => {
    const norm = 'model.norm.weight';
    const cases = [
        [
            (header) => JSON.stringify(header).slice(0, -1),
            /it is not sound JSON: at byte \d+ a comma or a closing bracket was expected/,
        ],
        [() => '[]', /its header is no object/],
        [
            (header) => JSON.stringify(header).replace('"model.norm.weight"',
                '"model.layers.0.input_layernorm.weight"'), /an object ends that has the same key twice/,
        ],
        [
            (header) => JSON.stringify({...header, [norm]: {...header[norm], data_offsets: [0, 512]}}),
            /overlaps|a gap lies before it/,
        ],
        [
            (header) => JSON.stringify({...header, [norm]: {...header[norm], data_offsets: [5]}}),
            /its data_offsets are not two whole numbers/,
        ],
        [
            (header) => JSON.stringify({...header, [norm]: {...header[norm], shape: [300]}}),
            /its shape needs 600 bytes, but its data_offsets span 512/,
        ],
        [
            (header) => JSON.stringify({...header, [norm]: {...header[norm], shape: [-1]}}),
            /a dimension is no whole number/,
        ],
        [
            (header) => JSON.stringify({...header, [norm]: {...header[norm], shape: [2 ** 40, 2 ** 40]}}),
            /its size is beyond 2\^63 bytes/,
        ],
    ];
    for (const [change, pattern] of cases) {
        const folder = damaged();
        editHeader(weights(folder), change);
        refused(pattern, folder);
    }
});

test('the tokenizer is missing or broken', () => {
    let folder = damaged();
    rmSync(join(folder, 'tokenizer.model'));
    rmSync(join(folder, 'tokenizer.json'));
    refused(/damaged:? has neither tokenizer\.model nor tokenizer\.json/, folder);
    folder = damaged();
    truncateSync(join(folder, 'tokenizer.model'), 5000);
    refused(/tokenizer\.model: it is no sound SentencePiece model: it is cut off or damaged/, folder);
    writeFileSync(join(folder, 'tokenizer.model'), '');
    refused(/tokenizer\.model: it is no sound SentencePiece model: it has no pieces/, folder);
    folder = damaged();
    rmSync(join(folder, 'tokenizer.model'));
    editJson(join(folder, 'tokenizer.json'), (tokenizer) => { tokenizer.model.merges.push(['zz', 'zz']); });
    refused(/tokenizer\.json: .*a merge makes a token that its vocab lacks/, folder);
    writeFileSync(join(folder, 'tokenizer.json'), '{"model": {"type": "Unigram"}}');
    refused(/its model is not BPE with byte_fallback/, folder);
    writeFileSync(join(folder, 'tokenizer.json'), '{"model": ');
    refused(/tokenizer\.json: it is not sound JSON: at byte 10 a value was expected/, folder);
});

test('there is no checkpoint, or no GGUF', () => {
    refused(/nothing-here:? can't be read: No such file or directory/, join(work, 'nothing-here'));
    refused(/config\.json:? can't be read: No such file/, OUT);
    const text = join(work, 'text.gguf');
    writeFileSync(text, 'this is a text');
    refused(/text\.gguf: this is not a GGUF file/, text);
    copyFileSync(join(ROOT, 'tests/golden/tiny-gemma2.gguf'), text);
    truncateSync(text, 500000);
    refused(/text\.gguf: the file ends at byte 500000/, text);
    const folder = damaged();
    rmSync(weights(folder));
    refused(/model\.safetensors:? can't be read: No such file/, folder);
});

test('the importance matrix is of another model, or none', () => {
    refused(/can't be read/, sound, '--imatrix', join(work, 'no-imatrix'));
    refused(/config\.json: this is not a GGUF file/, sound, '--imatrix', join(sound, 'config.json'));
});

test('The output is the input, or can\'t be written', () => {
    const model = quantized('same.gguf', sound, 'q8_0'), before = readFileSync(model);
    const same = quantize('--in', model, '--out', join(work, 'out/../same.gguf'), '--type', 'q4_0');
    assert.match(same.stderr, /same\.gguf: The output is the input/);
    assert.equal(same.status, 1);
    assert.deepEqual(readFileSync(model), before);
    const folder = quantize('--in', sound, '--out', OUT, '--type', 'q4_0');
    assert.match(folder.stderr, /out:? is there and is not a file/);
    const nowhere = quantize('--in', sound, '--out', join(work, 'no/such/folder.gguf'), '--type', 'q4_0');
    assert.match(nowhere.stderr, /folder\.gguf:? can't be written: No such file or directory/);
});

test('the disk is full', () => {
    const disk = join(work, 'disk');
    mkdirSync(disk);
    const script = `mount -t tmpfs -o size=1m none "${disk}" || exit; "${QUANTIZE}" --in "${sound}" --out "${disk}/model.gguf" --type f32; echo "status $?"; ls "${disk}"`;
    const {stdout, stderr} = spawnSync('unshare', ['-rm', 'sh', '-c', script], {encoding: 'utf8'});
    if (stdout?.startsWith('status')) {
        assert.match(stderr, /model\.gguf:? needs \d+ bytes, but the disk has \d+ left/);
        assert.equal(stdout, 'status 1\n', 'nothing is left on it');
        const bytes = statSync(quantized('whole.gguf', sound, 'f32')).size,
            parts = script.replace('size=1m', `size=${bytes + 100_000}`).replace('; echo',
                ' --manifest --split 1000000; echo');
        const split = spawnSync('unshare', ['-rm', 'sh', '-c', parts], {encoding: 'utf8'});
        assert.match(split.stderr, /The parts of .*model\.gguf need another \d+ bytes, but the disk has \d+ left/);
        assert.equal(split.stdout, 'status 1\n', 'it is said before the work');
    }
    // Where the test can't make a separate file system, a limit stands for it: no file may be larger than 64
    // KiB.
    const limited = `trap '' XFSZ; ulimit -f 128; "${QUANTIZE}" --in "${sound}" --out "${disk}/model.gguf" --type f32; echo "status $?"; ls "${disk}"`;
    const second = spawnSync('sh', ['-c', limited], {encoding: 'utf8'});
    assert.match(second.stderr, /model\.gguf/);
    assert.equal(second.stdout, 'status 1\n', 'nothing is left on it');
});

test('interrupted: nothing is left, and what was there before stays', async () => {
    const big = checkpoint('big', 'gemma3-270m', '--layers', '4'), out = join(OUT, 'model.gguf');
    for (const signal of ['SIGINT', 'SIGTERM']) {
        writeFileSync(out, 'before');
        const child = spawn(QUANTIZE, [
            '--in', big, '--out', out, '--type', 'q4_k_m', '--threads', '1', '--manifest',
        ]);
        while (!readdirSync(OUT).some((name) => name.endsWith('.partial')))
            await new Promise((resolve) => setTimeout(resolve, 5));
        child.kill(signal);
        const ended = await new Promise((resolve) => child.on('exit', (code, by) => resolve({code, by})));
        assert.deepEqual(ended, {code: null, by: signal});
        assert.deepEqual(readdirSync(OUT), ['model.gguf']);
        assert.equal(readFileSync(out, 'utf8'), 'before');
    }
    rmSync(out);
});

test('the command line is wrong: exit status 2', () => {
    const cases = [
        [[], /--in is missing/], [['--in', sound, '--type', 'q8_0'], /--out is missing/],
        [['--in', sound, '--out', 'x'], /--type is missing/],
        [['--in'], /--in: a value was expected/], [['--fast'], /"--fast".*--help/],
        [['--type', 'q9'], /--type: one of f32, f16, bf16, q4_0, .*q6_k was expected, not "q9"/],
        [['--threads', '0'], /--threads: a whole number of 1 or more was expected, not "0"/],
        [['--split', '1x'], /--split: a whole number/],
        [
            ['--tensor-type', 'ffn_up'],
            /--tensor-type: PATTERN=TYPE, as in ffn_down=q6_k, was expected, not "ffn_up"/,
        ],
        [
            ['--tensor-type', '=q8_0'],
            /--tensor-type: PATTERN=TYPE, as in ffn_down=q6_k, was expected, not "=q8_0"/,
        ],
        [['--tensor-type', 'ffn(=q8_0'], /--tensor-type: a regular expression before the = was expected/],
    ];
    for (const [args, pattern] of cases) {
        const {status, stdout, stderr} = quantize(...args);
        assert.match(stderr, new RegExp(pattern, 'i'));
        assert.deepEqual({status, stdout, lines: stderr.split('\n').length},
            {status: 2, stdout: '', lines: 2});
    }
});

test('a --tensor-type that decides nothing is refused', () => {
    const decides = (text) => new RegExp(`--tensor-type "${text}" decides no tensor's type`);
    refused(decides('ffn_dwn=q6_k'), sound, '--tensor-type', 'attn=q8_0', '--tensor-type', 'ffn_dwn=q6_k');
    refused(decides('ffn_norm=f16'), sound, '--tensor-type', 'ffn_norm=f16');      // norms stay as they are
    refused(decides('ffn_down=q6_k'), sound, '--tensor-type', 'ffn=q8_0', '--tensor-type', 'ffn_down=q6_k');
});

test('--help tells the options', () => {
    const {status, stdout} = quantize('--help');
    assert.equal(status, 0);
    for (const option of ['--in', '--out', '--type', '--tensor-type', '--imatrix', '--plain', '--manifest',
        '--split', '--threads', '--dry-run', '--verify']) {
        assert.ok(stdout.includes(option), option);
    }
    assert.ok(!existsSync(join(OUT, 'model.gguf')));
});
