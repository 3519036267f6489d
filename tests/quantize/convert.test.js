// convert.test.js: from a checkpoint's folder to a GGUF: what is in it is what llama.cpp's converter writes,
// and our engine computes with it what transformers computes with the checkpoint (golden/, made by
// make_golden.py).

import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {readGguf} from './gguf.js';
import {SHAPES, checkpoint, floats, golden, logits, quantize, quantized, tokenize, work} from './tools.js';

/** As make_golden.py shortens lists. */
function shortened(value) {
    return Array.isArray(value) ? [value.length, createHash('sha256').update(value.join('\n')).digest('hex')]
        : value;
}

/** The largest difference from transformers' logits, as a share of their range. */
function distance(name, ours) {
    const {positions, n_vocab} = golden(name),
        theirs = floats(readFileSync(join(import.meta.dirname, `golden/${name}.bin`)));
    let diff = 0, min = Infinity, max = -Infinity;
    for (const v of theirs) { min = Math.min(min, v); max = Math.max(max, v); }
    positions.forEach((position, i) => {
        for (let j = 0; j < n_vocab; j++)
            diff = Math.max(diff, Math.abs(ours[position * n_vocab + j] - theirs[i * n_vocab + j]));
    });
    return diff / (max - min);
}

for (const shape of SHAPES) {
    const expected = golden(shape);

    test(`${shape}: metadata and tensors are those of llama.cpp's converter`, () => {
        const {metadata, tensors} = readGguf(quantized(`${shape}.gguf`,
            checkpoint(`${shape}-it`, shape), 'bf16'));
        const ours = Object.fromEntries(Object.entries(metadata)
            .map(([key, value]) => [key, shortened(value)]));
        assert.deepEqual(ours, expected.metadata);
        assert.deepEqual(Object.fromEntries(Object.entries(tensors)
            .map(([name, t]) => [name, [t.type, t.shape]])), expected.tensors);
    });

    test(`${shape}: bf16 and f32 give transformers' logits`, () => {
        for (const type of ['bf16', 'f32']) {
            const model = quantized(`${shape}-${type}.gguf`, checkpoint(`${shape}-it`, shape), type);
            const apart = distance(shape, logits(model, expected.tokens, '--exact'));
            assert.ok(apart <= 1e-3, `${type}: the largest difference is ${apart} of the logits' range`);
        }
    });

    test(`${shape}: config.json as transformers 5 writes it says the same`, () => {
        const folder = checkpoint(`five/${shape}`, shape),
            before = readFileSync(quantized('four.gguf', folder, 'q8_0'));
        writeFileSync(join(folder, 'config.json'), JSON.stringify(expected.config));
        assert.deepEqual(readFileSync(quantized('five.gguf', folder, 'q8_0')), before);
    });

    test(`${shape}: tokenizer.json and tokenizer.model make one vocabulary, as in PyPI tokenizers`, () => {
        const [json, model] = ['json', 'model'].map((form) => quantized(`${form}.gguf`,
            checkpoint(`${shape}-${form}`, shape, '--tokenizer', form), 'q8_0'));
        const a = readGguf(json).metadata, b = readGguf(model).metadata;
        for (const key of ['tokens', 'scores', 'token_type'])
            assert.deepEqual(a[`tokenizer.ggml.${key}`], b[`tokenizer.ggml.${key}`], key);
        assert.equal(a['tokenizer.ggml.tokens'].indexOf('\t'), -1, 'the byte 0x09 is a byte again');
        // The engine, rightly, takes no control token from a text (that is 'special'), as the library does.
        for (const {text, ids} of expected.texts.filter(({text}) => !/_of_turn|unused|<pad>/.test(text)))
            assert.deepEqual(tokenize(json, text), ids, text);
    });
}

test('shards, and the tokenizer in one form or both, change nothing', () => {
    const one = quantized('one.gguf', checkpoint('one/sharded', 'tiny-gemma3'), 'q8_0');
    const three = quantized('three.gguf', checkpoint('three/sharded', 'tiny-gemma3', '--shards', '3'),
        'q8_0');
    assert.deepEqual(readFileSync(one), readFileSync(three));
});

test('a multimodal checkpoint gives its text model, and what is left out is named', () => {
    const text = readGguf(quantized('text.gguf', checkpoint('text/same', 'tiny-gemma3'), 'bf16'));
    const folder = checkpoint('multimodal/same', 'tiny-gemma3', '--multimodal', '--shards', '2'),
        out = join(work, 'multimodal.gguf');
    const {status, stdout} = quantize('--in', folder, '--out', out, '--type', 'bf16');
    assert.equal(status, 0);
    assert.match(stdout,
        /^left out: multi_modal_projector\.mm_input_projection_weight and 1 more of multi_modal_projector\.$/m);
    assert.match(stdout, /^left out: vision_tower\..* and 1 more of vision_tower\.$/m);
    const {metadata, tensors, bytes} = readGguf(out);
    assert.deepEqual({metadata, tensors}, {metadata: text.metadata, tensors: text.tensors});
    assert.deepEqual(bytes, text.bytes);
});

test('weights in F16 and F32 are converted, too', () => {
    for (const dtype of ['F16', 'F32']) {
        const model = quantized(`${dtype}.gguf`, checkpoint(dtype, 'tiny-gemma3', '--dtype', dtype), 'f32');
        const {tokens} = golden('tiny-gemma3'),
            rounded = distance('tiny-gemma3', logits(model, tokens, '--exact'));
        // The same numbers before rounding to BF16: close to the golden logits, but not the same.
        assert.ok(rounded > 1e-3 && rounded < 0.1, `${dtype}: ${rounded}`);
    }
});

test('what a README tells of base models and data sets is read as gguf-py\'s metadata.py reads it', () => {
    const told = (front) => {
        const folder = checkpoint('origins', 'tiny-gemma1');
        writeFileSync(join(folder, 'README.md'), `---\n${front}\n---\n`);
        const {metadata} = readGguf(quantized('origins.gguf', folder, 'q8_0'));
        return Object.fromEntries(Object.entries(metadata)
            .flatMap(([key, value]) => /^general\.(base_model|dataset)\./.test(key)
                ? [[key.slice(8), value]] : []));
    };
    assert.deepEqual(
        told(
            'base_model:\n- a/b-7b-v1.2\n- http://huggingface.co/google/gemma-2b-it\n- https://example.org/x\n- plain-name-2b\n- ./local-model\ndataset: one/two'),
        {
        'base_model.count': 5,
        'base_model.0.name': 'B 7b v1.2', 'base_model.0.version': 'v1.2', 'base_model.0.organization': 'A',
        'base_model.0.repo_url': 'https://huggingface.co/a/b-7b-v1.2',
        'base_model.1.name': 'Gemma 2b It', 'base_model.1.organization': 'Google',
        'base_model.1.repo_url': 'http://huggingface.co/google/gemma-2b-it',
        'base_model.2.repo_url': 'https://example.org/x',
        'base_model.3.name': 'Plain Name 2b',
        'base_model.4.name': 'Local Model',
        'dataset.count': 1, 'dataset.0.name': 'Two', 'dataset.0.organization': 'One',
        'dataset.0.repo_url': 'https://huggingface.co/one/two',
    });
    assert.deepEqual(told('base_models: [x/y, \'z/Big Name\']\ndatasets:\n- https://huggingface.co/datasets/a/b'), {
        'base_model.count': 2, 'base_model.0.name': 'Y', 'base_model.0.organization': 'X',
        'base_model.0.repo_url': 'https://huggingface.co/x/y',
        'base_model.1.name': 'z/Big Name',
        'dataset.count': 1, 'dataset.0.repo_url': 'https://huggingface.co/datasets/a/b',
    });
    assert.deepEqual(told('license: gemma'), {});
});

test('--name takes the place of the folder\'s', () => {
    const model = quantized('named.gguf', checkpoint('tiny-gemma1-it', 'tiny-gemma1'), 'q8_0', '--name',
        'A "name" ü');
    assert.equal(readGguf(model).metadata['general.name'], 'A "name" ü');
});
