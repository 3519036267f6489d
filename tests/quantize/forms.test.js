// forms.test.js: forms of checkpoints that people have beside those that transformers writes today: each gives the same file.

import assert from 'node:assert/strict';
import {cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {readGguf} from './gguf.js';
import {checkpoint, quantize, quantized, work} from './tools.js';

const SHAPES = ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3'];
const sources = Object.fromEntries(SHAPES.map((shape) => [shape, checkpoint(`sources/${shape}`, shape)]));
const sharded = checkpoint('sharded/tiny-gemma1', 'tiny-gemma1', '--shards', '3');
const multimodal = checkpoint('multimodal/tiny-gemma3', 'tiny-gemma3', '--multimodal', '--shards', '2');

/** A copy, under the same name, to be changed. */
function copy(from) {
    const folder = join(work, 'copies', from.split('/').at(-1));
    rmSync(folder, {recursive: true, force: true});
    cpSync(from, folder, {recursive: true});
    return folder;
}

function editJson(folder, name, change) {
    const path = join(folder, name), json = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(change(json) ?? json));
}

/** Changes the header of a safetensors file. */
function editTensors(path, change) {
    const bytes = readFileSync(path), n = Number(bytes.readBigUInt64LE(0)), header = JSON.parse(bytes.toString('utf8', 8, 8 + n));
    const text = Buffer.from(JSON.stringify(change(header) ?? header)), size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(path, Buffer.concat([size, text, bytes.subarray(8 + n)]));
}

const converted = (folder) => readFileSync(quantized('form.gguf', folder, 'q8_0'));

test('architectures missing, empty or null: the model_type decides', () => {
    for (const source of [...Object.values(sources), multimodal]) {
        const expected = converted(source);
        for (const architectures of [undefined, null, []]) {
            const folder = copy(source);
            editJson(folder, 'config.json', (config) => ({...config, architectures}));
            assert.ok(converted(folder).equals(expected), `${source}: ${architectures}`);
        }
    }
});

test('a model saved without its head: GemmaModel and its kin', () => {
    for (const [shape, architecture] of [['tiny-gemma1', 'GemmaModel'], ['tiny-gemma2', 'Gemma2Model'], ['tiny-gemma3', 'Gemma3TextModel']]) {
        const folder = copy(sources[shape]);
        editJson(folder, 'config.json', (config) => ({...config, architectures: [architecture]}));
        assert.ok(converted(folder).equals(converted(sources[shape])), architecture);
        editTensors(join(folder, 'model.safetensors'), (header) => Object.fromEntries(Object.entries(header).map(([name, t]) => [name.replace(/^model\./, ''), t])));
        assert.ok(converted(folder).equals(converted(sources[shape])), `${architecture}, names without "model."`);
    }
    const folder = copy(multimodal), bare = (name) => name.replace('language_model.model.', 'language_model.');
    editJson(folder, 'config.json', (config) => ({...config, architectures: ['Gemma3Model']}));
    editJson(folder, 'model.safetensors.index.json', (index) => {
        index.weight_map = Object.fromEntries(Object.entries(index.weight_map).map(([name, file]) => [bare(name), file]));
    });
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.safetensors')))
        editTensors(join(folder, name), (header) => Object.fromEntries(Object.entries(header).map(([tensor, t]) => [bare(tensor), t])));
    assert.ok(converted(folder).equals(converted(multimodal)));
});

test('config.json as editors and Python write it: a byte order mark, NaN, Infinity', () => {
    const folder = copy(sources['tiny-gemma2']), path = join(folder, 'config.json'), expected = converted(sources['tiny-gemma2']);
    const text = readFileSync(path, 'utf8').trim();
    writeFileSync(path, `\ufeff${text.slice(0, -1)}, "loss": NaN, "best_metric": Infinity, "metrics": [-Infinity]}`);
    for (const name of ['tokenizer_config.json', 'tokenizer.json']) writeFileSync(join(folder, name), `\ufeff${readFileSync(join(folder, name), 'utf8')}`);
    assert.ok(converted(folder).equals(expected));
    writeFileSync(path, text.replace(/"rms_norm_eps": *[^,}]+/, '"rms_norm_eps": NaN'));
    const {status, stderr} = quantize('--in', folder, '--out', join(work, 'none.gguf'), '--type', 'q8_0');
    assert.equal(status, 1, 'but a number that counts must be one');
    assert.match(stderr, /config\.json: .*rms_norm_eps/);
});

test('shards in a folder inside', () => {
    const folder = copy(sharded), names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
    mkdirSync(join(folder, 'shards/deep'), {recursive: true});
    const place = (name, i) => ['', 'shards/', 'shards/deep/'][i % 3] + name;
    names.forEach((name, i) => renameSync(join(folder, name), join(folder, place(name, i))));
    editJson(folder, 'model.safetensors.index.json', (index) => {
        for (const [tensor, file] of Object.entries(index.weight_map)) index.weight_map[tensor] = place(file, names.indexOf(file));
    });
    assert.ok(converted(folder).equals(converted(sharded)));
    for (const bad of ['/etc/passwd', 'shards/../../x.safetensors', '..', 'shards//x', 'shards/', '']) {
        editJson(folder, 'model.safetensors.index.json', (index) => { index.weight_map['model.norm.weight'] = bad; });
        const {status, stderr} = quantize('--in', folder, '--out', join(work, 'none.gguf'), '--type', 'q8_0');
        assert.equal(status, 1);
        assert.match(stderr, /tensor model\.norm\.weight: the name of a file beside the index was expected/, bad);
    }
});

test('vision tensors of any dtype, since they are left out', () => {
    const expected = converted(multimodal);
    for (const dtype of ['F8_E4M3', 'F8_E8M0', 'F4', 'C64', 'I4_PACKED_BY_SOMEONE', 'U8']) {
        const folder = copy(multimodal);
        for (const name of readdirSync(folder).filter((file) => file.endsWith('.safetensors'))) {
            editTensors(join(folder, name), (header) => {
                for (const [tensor, t] of Object.entries(header)) {
                    if (!/^(vision_tower|multi_modal_projector)\./.test(tensor)) continue;
                    const bytes = t.data_offsets[1] - t.data_offsets[0];
                    Object.assign(t, {dtype, shape: [/^(U8|F8)/.test(dtype) ? bytes : bytes / 4]});
                    if (dtype === 'U8') t.shape = [bytes];
                }
            });
        }
        assert.ok(converted(folder).equals(expected), dtype);
    }
});
