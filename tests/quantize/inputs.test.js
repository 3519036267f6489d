// inputs.test.js: what people have that is no checkpoint or model to be converted: it is refused before
// anything is written, with what it is and what to do.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {test} from 'node:test';
import {metadataOf, readGguf, tensorsOf, writeGguf, writeImatrix} from './gguf.js';
import {QUANTIZE, checkpoint, quantized, work} from './tools.js';

const sound = checkpoint('sound', 'tiny-gemma1'),
    sharded = checkpoint('sharded', 'tiny-gemma1', '--shards', '2');
const OUT = join(work, 'out');
mkdirSync(OUT);

/** A copy of a checkpoint to be changed. */
function copy(from = sound) {
    const folder = join(work, 'copy');
    rmSync(folder, {recursive: true, force: true});
    cpSync(from, folder, {recursive: true});
    return folder;
}

/** The time limit is for what waits for ever. */
function refused(pattern, input, ...options) {
    const args = ['--in', input, '--out', join(OUT, 'model.gguf'), '--type', 'q8_0', ...options];
    const {status, stderr} = spawnSync(QUANTIZE, args, {encoding: 'utf8', timeout: 60_000});
    assert.match(stderr, new RegExp(pattern, 'i'));
    assert.match(stderr, /^quantize: [^\n]+\n$/, 'one sentence');
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(OUT), [], 'no file is left');
    const {status: dry} = spawnSync(QUANTIZE, [...args, '--dry-run'], {encoding: 'utf8', timeout: 60_000});
    assert.equal(dry, 1, '--dry-run says so, too');
}

test('pipes, devices, folders in place of files: refused, not waited for', () => {
    const pipe = join(work, 'pipe');
    execFileSync('mkfifo', [pipe]);
    refused(/pipe:? is a pipe; a file was expected/, pipe);
    refused(/null:? is a device; a file was expected/, '/dev/null');
    refused(/pipe:? is a pipe/, sound, '--imatrix', pipe);
    refused(/sound:? is a folder; a file was expected/, sound, '--imatrix', sound);
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(pipe, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}:? is a pipe; a file was expected`), folder);
        rmSync(join(folder, name));
        mkdirSync(join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}:? is a folder; a file was expected`), folder);
    }
});

test('pointers of git-lfs in place of files', () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 536223056\n`;
    for (const from of [sound, sharded]) {
        for (const name of readdirSync(from)) {
            const folder = copy(from);
            writeFileSync(join(folder, name), pointer);
            refused(new RegExp(`${name.replaceAll('.', '\\.')}:? is a git-lfs pointer, .*git lfs pull`),
                folder);
        }
    }
    const gguf = join(work, 'pointer.gguf');
    writeFileSync(gguf, pointer);
    refused(/pointer\.gguf:? is a git-lfs pointer/, gguf);
    refused(/pointer\.gguf:? is a git-lfs pointer/, sound, '--imatrix', gguf);
});

test('links whose files were not downloaded', () => {
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(`../../blobs/${'0'.repeat(64)}`, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}:? can't be read: No such file`), folder);
    }
});

// ---------------------------------------------------------------------- GGUF files that are no whole model

const whole = readGguf(quantized('whole.gguf', sound, 'f32')), metadata = metadataOf(whole),
    tensors = tensorsOf(whole);
const without = (object, pattern) => Object.fromEntries(Object.entries(object)
    .filter(([key]) => !pattern.test(key)));

/** Writes work/NAME.gguf. @returns {string} its path */
function gguf(name, entries, weights) {
    writeGguf(join(work, `${name}.gguf`), entries, weights);
    return join(work, `${name}.gguf`);
}

test('a GGUF as the tests write it is converted', () => {
    const again = readGguf(quantized('again.gguf', gguf('sound', metadata, tensors), 'q8_0'));
    assert.deepEqual(Object.keys(again.tensors), Object.keys(whole.tensors));
});

test('GGUF files of other kinds are named', () => {
    const imatrix = join(work, 'imatrix.gguf');
    writeImatrix(imatrix, ['blk.0.ffn_up.weight'], 256, new Set());
    refused(/it is an importance matrix, not a model: .*--imatrix/, imatrix);
    const lora = {
        'general.type': ['string', 'adapter'], 'adapter.type': ['string', 'lora'],
        'general.architecture': ['string', 'gemma'], 'adapter.lora.alpha': ['f32', 16],
    };
    const factors = {
        'blk.0.attn_q.weight.lora_a': {shape: [256, 8], values: Array(2048).fill(0)},
        'blk.0.attn_q.weight.lora_b': {shape: [8, 256], values: Array(2048).fill(0)},
    };
    refused(/it is a LoRA adapter, not a whole model: merge it/, gguf('lora', lora, factors));
    const vision = {'general.type': ['string', 'mmproj'], 'general.architecture': ['string', 'clip']};
    refused(/it is the vision part of a model \(mmproj\)/, gguf('mmproj', vision, factors));
    refused(/it is the vision part/, gguf('old-mmproj', without(vision, /type/), factors));
    refused(/it is a control vector/, gguf('vector', {'general.architecture': ['string', 'controlvector']},
        {'direction.1': {shape: [256], values: Array(256).fill(0)}}));
    refused(/it has no tensors, only metadata, such as a vocabulary/, gguf('vocabulary', metadata, {}));
});

test('what the engine needs of a model decides, before anything is written', () => {
    for (const name of ['token_embd', 'output_norm', 'blk.1.attn_q', 'blk.2.ffn_norm'])
        refused(new RegExp(`part\\.gguf: the file has no tensor ${name.replaceAll('.', '\\.')}\\.weight`),
            gguf('part', metadata, without(tensors, new RegExp(`^${name}\\.`))));
    for (const key of ['tokenizer.ggml.tokens', 'tokenizer.ggml.scores', 'tokenizer.ggml.model',
        'gemma.embedding_length', 'gemma.feed_forward_length'])
        refused(new RegExp(`part\\.gguf: .*${key.replaceAll('.', '\\.')}`),
            gguf('part', without(metadata, new RegExp(`^${key}$`)), tensors));
    const tokens = metadata['tokenizer.ggml.tokens'],
        renamed = (from, to) => ({
            ...metadata, 'tokenizer.ggml.tokens': ['string', tokens[1].map((t) => t === from ? to : t)],
        });
    refused(/the vocabulary has no token <0x41>; all 256 bytes are needed/,
        gguf('part', renamed('<0x41>', 'A byte'), tensors));
    refused(/the vocabulary has no <bos>/,
        gguf('part', without(renamed('<bos>', '<s>'), /bos_token_id/), tensors));
    refused(/tokenizer is "gpt2"/,
        gguf('part', {...metadata, 'tokenizer.ggml.model': ['string', 'gpt2']}, tensors));
    refused(/rope|RoPE/, gguf('part', {...metadata, 'gemma.rope.scaling.type': ['string', 'yarn']}, tensors));
    refused(/tensor blk\.0\.attn_norm\.weight should be \[256, 1\]/,
        gguf('part', metadata, {
            ...tensors, 'blk.0.attn_norm.weight': {shape: [128], values: Array(128).fill(1)},
        }));
});

test('an importance matrix that is none, or of another model', () => {
    refused(/whole\.gguf: it is no importance matrix, but a GGUF of type "model"/, sound, '--imatrix',
        join(work, 'whole.gguf'));
    refused(/tiny\.gguf: it is no importance matrix/, sound, '--imatrix',
        gguf('tiny', {'general.type': ['string', 'imatrix']},
            {'blk.0.attn_q.weight': tensors['blk.0.attn_q.weight']}));
    const imatrix = join(work, 'imatrix.gguf');
    writeImatrix(imatrix, ['blk.7.ffn_up.weight', 'blk.8.ffn_up.weight'], 256, new Set());
    refused(/imatrix\.gguf: the importance matrix tells of 2 tensors, but of none that this model has/, sound,
        '--imatrix', imatrix);
    writeImatrix(imatrix, ['blk.0.ffn_up.weight'], 128, new Set());
    refused(
        /imatrix\.gguf: the importance matrix has 128 numbers for tensor blk\.0\.ffn_up\.weight; 256 were expected/,
        sound, '--imatrix', imatrix);
    const old = join(work, 'imatrix.dat'), name = 'blk.0.attn_q.weight',
        i32 = (n) => Buffer.from(new Int32Array([n]).buffer);
    writeFileSync(old,
        Buffer.concat([
            i32(1), i32(name.length), Buffer.from(name), i32(3), i32(256), Buffer.alloc(1024), i32(3),
        ]));
    refused(
        /imatrix\.dat: it is an importance matrix in the older format of llama-imatrix \(\.dat\).*--output-format gguf/,
        sound, '--imatrix', old);
});

// ---------------------------------------------------------------- folders and files that are no checkpoint

/**
 * A folder of these files.
 * @param {Record<string, string | Buffer>} files by name; a name may have folders
 */
function folder(files) {
    const path = join(work, 'folder');
    rmSync(path, {recursive: true, force: true});
    for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), {recursive: true});
        writeFileSync(join(path, name), text);
    }
    return path;
}

const CONFIG = readFileSync(join(sound, 'config.json')),
    WEIGHTS = readFileSync(join(sound, 'model.safetensors'));

test('folders without safetensors: what they hold is named, with what to do', () => {
    const cases = [
        ['pytorch_model.bin', /has no safetensors, but pytorch_model\.bin: a PyTorch checkpoint: .*save_pretrained/],
        ['pytorch_model-00001-of-00002.bin', /pytorch_model-00001-of-00002\.bin: a PyTorch checkpoint/],
        ['pytorch_model.bin.index.json', /pytorch_model\.bin\.index\.json: a PyTorch checkpoint/],
        ['consolidated.00.pth', /consolidated\.00\.pth: a PyTorch checkpoint/],
        ['gemma-2b-it.ckpt', /gemma-2b-it\.ckpt: a PyTorch checkpoint/],
        [
            'adapter_model.safetensors',
            /adapter_model\.safetensors: a LoRA adapter, not a whole model: .*merge_and_unload/,
        ],
        ['adapter_model.bin', /a LoRA adapter/], ['adapter_config.json', /a LoRA adapter/],
        ['tf_model.h5', /a TensorFlow checkpoint/], ['flax_model.msgpack', /a Flax checkpoint/],
        ['model.weights.h5', /a Keras checkpoint/],
        ['model.onnx', /an ONNX model/], ['onnx/model_q4.onnx', /ONNX models/],
        ['gemma.task', /a MediaPipe model/], ['gemma.tflite', /a LiteRT model/],
        ['2b-it-sfp.sbs', /a model of gemma\.cpp/],
        ['model.gguf', /model\.gguf: a GGUF: give that file as --in/],
    ];
    for (const [name, pattern] of cases) {
        refused(pattern, folder({[name]: 'x', 'README.md': 'x'}));
        refused(pattern, folder({[name]: 'x', 'config.json': CONFIG, 'tokenizer.json': '{}'}));
    }
    refused(/adapter_config\.json: a LoRA adapter/,
        folder({
            'adapter_config.json': '{}', 'adapter_model.safetensors': 'x', 'pytorch_model.bin': 'x',
            'config.json': CONFIG,
        }));
});

test('the cache of Hugging Face: the snapshot is named', () => {
    const [one, two] = ['1', '2'].map((digit) => digit.repeat(40)),
        snapshot = (revision) => ({[`snapshots/${revision}/config.json`]: CONFIG});
    refused(new RegExp(
        `folder:? is the root of a model in the cache of Hugging Face, .*; give .*/folder/snapshots/${two}\\.\n`),
        folder({...snapshot(one), ...snapshot(two), 'refs/main': two, 'blobs/0': 'x'}));
    refused(new RegExp(`; give .*/folder/snapshots/${one}\\.\n`),
        folder({...snapshot(one), 'refs/main': two}));
    refused(new RegExp(`has no config\\.json, but a folder in it has one; give .*/snapshots/${one}\\.\n`),
        join(folder(snapshot(one)), 'snapshots'));
    const hub = (name, files) => Object.fromEntries(Object.entries(files)
        .map(([path, text]) => [`models--google--${name}/${path}`, text]));
    refused(new RegExp(`is the cache of Hugging Face, .*; give .*models--google--gemma-2b/snapshots/${one}\\.\n`),
        folder({...hub('gemma-2b', {...snapshot(one), 'refs/main': one}), 'version.txt': '1'}));
    refused(/has no config\.json, but a folder in it has one; give .*checkpoint-500/,
        folder({'checkpoint-500/config.json': CONFIG}));
});

test('a snapshot of the cache, all links, is converted, and named as its model', () => {
    const root = join(work, 'models--google--gemma-tiny-it'),
        snapshot = join(root, 'snapshots', 'a'.repeat(40));
    mkdirSync(join(root, 'blobs'), {recursive: true});
    mkdirSync(snapshot, {recursive: true});
    readdirSync(sharded).forEach((name, i) => {
        cpSync(join(sharded, name), join(root, 'blobs', String(i)));
        symlinkSync(`../../blobs/${i}`, join(snapshot, name));
    });
    assert.equal(readGguf(quantized('cached.gguf', snapshot, 'q8_0')).metadata['general.name'],
        'Gemma Tiny It');
});

test('files that are neither a GGUF nor a folder', () => {
    const path = join(work, 'file.gguf');
    for (const [bytes, pattern] of [
        [WEIGHTS, /this is not a GGUF file; it is a safetensors file: give the folder/],
        ['PK\x03\x04pytorch', /zip archive, as PyTorch/],
        [Buffer.from([0x80, 2, 0x8a]), /a PyTorch checkpoint/], ['\x1c\0\0\0TFL3', /a LiteRT model/],
        ['<!DOCTYPE html><html>', /a web page/],
        [Buffer.from([0x1f, 0x8b, 8]), /gzip/], ['tjgg\x03\0\0\0', /from before GGUF/], ['', /it is empty/],
        ['a text', /this is not a GGUF file/],
    ]) {
        writeFileSync(path, bytes);
        refused(pattern, path);
    }
});

/** Changes the header of a safetensors file. Tensors that are added share no bytes: they are empty. */
function editTensors(path, change) {
    const bytes = readFileSync(path), n = Number(bytes.readBigUInt64LE(0)),
        header = JSON.parse(bytes.toString('utf8', 8, 8 + n));
    change(header);
    const text = Buffer.from(JSON.stringify(header)), size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(path, Buffer.concat([size, text, bytes.subarray(8 + n)]));
}

test('quantised checkpoints are named by their method', () => {
    const q = 'model.layers.0.self_attn.q_proj',
        end = WEIGHTS.length - 8 - Number(WEIGHTS.readBigUInt64LE(0));
    const empty = {dtype: 'U8', shape: [0], data_offsets: [end, end]};
    for (const [tensors, config, method] of [
        [
            [`${q}.qweight`, `${q}.qzeros`, `${q}.scales`],
            {quantization_config: {quant_method: 'gptq', bits: 4}}, 'GPTQ',
        ],
        [[`${q}.qweight`, `${q}.qzeros`, `${q}.scales`], {quantization_config: {quant_method: 'awq'}}, 'AWQ'],
        [
            [`${q}.weight.absmax`, `${q}.weight.quant_map`],
            {quantization_config: {quant_method: 'bitsandbytes'}}, 'bitsandbytes',
        ],
        [[`${q}.weight_scale_inv`], {quantization_config: {quant_method: 'fp8'}}, 'FP8'],
        [[`${q}.weight_packed`], {}, 'compressed-tensors'],
        [[`${q}.scales`, `${q}.biases`], {quantization: {group_size: 64, bits: 4}}, 'MLX'],
        [[`${q}.qweight`], {}, 'GPTQ or AWQ'],
    ]) {
        const checkpoint = copy(), path = join(checkpoint, 'config.json');
        editTensors(join(checkpoint, 'model.safetensors'), (header) => {
            for (const name of tensors) header[name] = empty;
        });
        writeFileSync(path, JSON.stringify({...JSON.parse(readFileSync(path, 'utf8')), ...config}));
        refused(
            new RegExp(`copy: its weights are quantised by ${method} \\(tensor .*give the checkpoint in BF16`),
            checkpoint);
    }
    const eight = copy();
    editTensors(join(eight, 'model.safetensors'),
        (header) => { Object.assign(header[`${q}.weight`], {dtype: 'F8_E4M3', shape: [512, 256]}); });
    refused(/its weights are quantised by FP8/, eight);
    // Settings alone are no quantised weights.
    const stale = copy(), path = join(stale, 'config.json');
    writeFileSync(path,
        JSON.stringify({
            ...JSON.parse(readFileSync(path, 'utf8')),
            quantization_config: {quant_method: 'bitsandbytes', load_in_4bit: true},
        }));
    quantized('stale.gguf', stale, 'q8_0');
});
