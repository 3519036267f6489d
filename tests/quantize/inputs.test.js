// inputs.test.js: what people have that is no checkpoint or model to be converted: it is refused before anything is written, with what it is
// and what to do.

import assert from 'node:assert/strict';
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {metadataOf, readGguf, tensorsOf, writeGguf, writeImatrix} from './gguf.js';
import {QUANTIZE, checkpoint, quantized, work} from './tools.js';

const sound = checkpoint('sound', 'tiny-gemma1'), sharded = checkpoint('sharded', 'tiny-gemma1', '--shards', '2');
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
    assert.match(stderr, pattern);
    assert.match(stderr, /^quantize: [^\n]+\n$/, 'one sentence');
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(OUT), [], 'no file is left');
    const {status: dry} = spawnSync(QUANTIZE, [...args, '--dry-run'], {encoding: 'utf8', timeout: 60_000});
    assert.equal(dry, 1, '--dry-run says so, too');
}

test('pipes, devices, folders in place of files: refused, not waited for', () => {
    const pipe = join(work, 'pipe');
    execFileSync('mkfifo', [pipe]);
    refused(/pipe: is a pipe; a file was expected/, pipe);
    refused(/null: is a device; a file was expected/, '/dev/null');
    refused(/pipe: is a pipe/, sound, '--imatrix', pipe);
    refused(/sound: is a folder; a file was expected/, sound, '--imatrix', sound);
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(pipe, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a pipe; a file was expected`), folder);
        rmSync(join(folder, name));
        mkdirSync(join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a folder; a file was expected`), folder);
    }
});

test('pointers of git-lfs in place of files', () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 536223056\n`;
    for (const from of [sound, sharded]) {
        for (const name of readdirSync(from)) {
            const folder = copy(from);
            writeFileSync(join(folder, name), pointer);
            refused(new RegExp(`${name.replaceAll('.', '\\.')}: is a git-lfs pointer, .*git lfs pull`), folder);
        }
    }
    const gguf = join(work, 'pointer.gguf');
    writeFileSync(gguf, pointer);
    refused(/pointer\.gguf: is a git-lfs pointer/, gguf);
    refused(/pointer\.gguf: is a git-lfs pointer/, sound, '--imatrix', gguf);
});

test('links whose files were not downloaded', () => {
    for (const name of readdirSync(sound)) {
        const folder = copy();
        rmSync(join(folder, name));
        symlinkSync(`../../blobs/${'0'.repeat(64)}`, join(folder, name));
        refused(new RegExp(`${name.replaceAll('.', '\\.')}: can't be read: No such file`), folder);
    }
});

// ------------------------------------------------------------------------------------------ GGUF files that are no whole model

const whole = readGguf(quantized('whole.gguf', sound, 'f32')), metadata = metadataOf(whole), tensors = tensorsOf(whole);
const without = (object, pattern) => Object.fromEntries(Object.entries(object).filter(([key]) => !pattern.test(key)));

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
    const lora = {'general.type': ['string', 'adapter'], 'adapter.type': ['string', 'lora'], 'general.architecture': ['string', 'gemma'], 'adapter.lora.alpha': ['f32', 16]};
    const factors = {'blk.0.attn_q.weight.lora_a': {shape: [256, 8], values: Array(2048).fill(0)}, 'blk.0.attn_q.weight.lora_b': {shape: [8, 256], values: Array(2048).fill(0)}};
    refused(/it is a LoRA adapter, not a whole model: merge it/, gguf('lora', lora, factors));
    const vision = {'general.type': ['string', 'mmproj'], 'general.architecture': ['string', 'clip']};
    refused(/it is the vision part of a model \(mmproj\)/, gguf('mmproj', vision, factors));
    refused(/it is the vision part/, gguf('old-mmproj', without(vision, /type/), factors));
    refused(/it is a control vector/, gguf('vector', {'general.architecture': ['string', 'controlvector']}, {'direction.1': {shape: [256], values: Array(256).fill(0)}}));
    refused(/it has no tensors, only metadata, such as a vocabulary/, gguf('vocabulary', metadata, {}));
});

test('what the engine needs of a model decides, before anything is written', () => {
    for (const name of ['token_embd', 'output_norm', 'blk.1.attn_q', 'blk.2.ffn_norm'])
        refused(new RegExp(`part\\.gguf: the file has no tensor ${name.replaceAll('.', '\\.')}\\.weight`), gguf('part', metadata, without(tensors, new RegExp(`^${name}\\.`))));
    for (const key of ['tokenizer.ggml.tokens', 'tokenizer.ggml.scores', 'tokenizer.ggml.model', 'gemma.embedding_length', 'gemma.feed_forward_length'])
        refused(new RegExp(`part\\.gguf: .*${key.replaceAll('.', '\\.')}`), gguf('part', without(metadata, new RegExp(`^${key}$`)), tensors));
    const tokens = metadata['tokenizer.ggml.tokens'], renamed = (from, to) => ({...metadata, 'tokenizer.ggml.tokens': ['string', tokens[1].map((t) => t === from ? to : t)]});
    refused(/the vocabulary has no token <0x41>; all 256 bytes are needed/, gguf('part', renamed('<0x41>', 'A byte'), tensors));
    refused(/the vocabulary has no <bos>/, gguf('part', without(renamed('<bos>', '<s>'), /bos_token_id/), tensors));
    refused(/tokenizer is "gpt2"/, gguf('part', {...metadata, 'tokenizer.ggml.model': ['string', 'gpt2']}, tensors));
    refused(/rope|RoPE/, gguf('part', {...metadata, 'gemma.rope.scaling.type': ['string', 'yarn']}, tensors));
    refused(/tensor blk\.0\.attn_norm\.weight should be \[256, 1\]/, gguf('part', metadata, {...tensors, 'blk.0.attn_norm.weight': {shape: [128], values: Array(128).fill(1)}}));
});

test('an importance matrix that is none, or of another model', () => {
    refused(/whole\.gguf: it is no importance matrix, but a GGUF of type "model"/, sound, '--imatrix', join(work, 'whole.gguf'));
    refused(/tiny\.gguf: it is no importance matrix/, sound, '--imatrix', gguf('tiny', {'general.type': ['string', 'imatrix']}, {'blk.0.attn_q.weight': tensors['blk.0.attn_q.weight']}));
    const imatrix = join(work, 'imatrix.gguf');
    writeImatrix(imatrix, ['blk.7.ffn_up.weight', 'blk.8.ffn_up.weight'], 256, new Set());
    refused(/imatrix\.gguf: the importance matrix tells of 2 tensors, but of none that this model has/, sound, '--imatrix', imatrix);
    writeImatrix(imatrix, ['blk.0.ffn_up.weight'], 128, new Set());
    refused(/imatrix\.gguf: the importance matrix has 128 numbers for tensor blk\.0\.ffn_up\.weight; 256 were expected/, sound, '--imatrix', imatrix);
    const old = join(work, 'imatrix.dat'), name = 'blk.0.attn_q.weight', i32 = (n) => Buffer.from(new Int32Array([n]).buffer);
    writeFileSync(old, Buffer.concat([i32(1), i32(name.length), Buffer.from(name), i32(3), i32(256), Buffer.alloc(1024), i32(3)]));
    refused(/imatrix\.dat: it is an importance matrix in the older format of llama-imatrix \(\.dat\).*--output-format gguf/, sound, '--imatrix', old);
});
