// variants.test.js: config.json, weights and tokenizer as other programs and other versions of transformers
// write them. Each gives the model that transformers 5 computes with, or is refused: never another model.
// What transformers computes was asked by compare_variants.py.

import assert from 'node:assert/strict';
import {copyFileSync, cpSync, existsSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {readGguf} from './gguf.js';
import {changeTensors, editJson} from './safetensors.js';
import {checkpoint, golden, logits, quantize, quantized, tokenize, work} from './tools.js';

const SOURCES = [1, 2, 3].map((generation) => checkpoint(`source/gemma${generation}`,
    `tiny-gemma${generation}`));
const MULTIMODAL = checkpoint('multimodal/gemma3', 'tiny-gemma3', '--multimodal');
const ABSENT = undefined;

/** A copy of a checkpoint, to be changed. The folder's name, which becomes the model's, stays. */
function copy(source) {
    const folder = join(work, 'copy', source.split('/').at(-1));
    rmSync(folder, {recursive: true, force: true});
    cpSync(source, folder, {recursive: true});
    return folder;
}

/** With other settings in config.json; those that are undefined are taken out. */
function configured(source, change, within) {
    const folder = copy(source);
    editJson(join(folder, 'config.json'), (config) => {
        const object = within ? config[within] : config;
        for (const [key, value] of Object.entries(change)) {
            if (value === ABSENT) delete object[key];
            else object[key] = value;
        }
    });
    return folder;
}

function convert(folder, ...options) {
    const out = join(work, 'variant.gguf');
    rmSync(out, {force: true});
    const {status, stdout, stderr} = quantize('--in', folder, '--out', out, '--type', 'bf16', ...options);
    assert.equal(existsSync(out), status === 0);
    return {status, stdout, stderr, out};
}

function accepted(folder) {
    const {status, stderr, out} = convert(folder);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    return readGguf(out);
}

function refused(folder, what) {
    const {status, stderr} = convert(folder);
    assert.equal(status, 1, `${what}: ${stderr}`);
    assert.match(stderr, /^quantize: [^\n]+\n$/, what);
    return stderr;
}

const PLAIN = SOURCES.map((source) => accepted(source));
const NO_ROPE = {rope_theta: ABSENT, rope_local_base_freq: ABSENT, rope_scaling: ABSENT};
const local = {rope_type: 'default', rope_theta: 10000},
    global = {rope_type: 'linear', factor: 8, rope_theta: 1000000};

test('settings that say the same give the same file', () => {
    const same = [
        [[1, 2, 3], {rms_norm_eps: ABSENT, hidden_activation: ABSENT, attention_bias: ABSENT}],
        [[1, 2, 3], {use_bidirectional_attention: null, layer_types: null, rope_parameters: null}],
        [[1, 2, 3], {tie_word_embeddings: true}], [[1, 2, 3], {tie_word_embeddings: null}],
        [[1, 2, 3], {partial_rotary_factor: 1}],
        [[1, 2], {rope_theta: ABSENT}],
        [[1, 2], {...NO_ROPE, rope_parameters: {rope_type: 'default', rope_theta: 10000}}],
        [[1, 2], {rope_scaling: {}}], [[1, 2], {rope_scaling: {rope_type: 'default', factor: 4}}],
        [[1, 2], {rope_scaling: {type: 'linear', factor: 1}}],
        [[1], {hidden_act: 'gelu'}], [[1], {hidden_act: 'gelu', hidden_activation: null}],
        [[1], {hidden_act: 'gelu_pytorch_tanh'}],
        [[2, 3], {hidden_act: 'silu'}], [[2], {rope_local_base_freq: 50000}],
        [[2], {attn_logit_softcapping: ABSENT, final_logit_softcapping: ABSENT}],
        [[2], {layer_types: ['sliding_attention', 'full_attention', 'sliding_attention', 'full_attention']}],
        [[3], {rope_theta: ABSENT, rope_local_base_freq: ABSENT}],
        [[3], {attn_logit_softcapping: ABSENT, final_logit_softcapping: ABSENT}],
        [[3], {...NO_ROPE, rope_parameters: {full_attention: global, sliding_attention: local}}],
        [[3], {...NO_ROPE, rope_parameters: {full_attention: {type: 'linear', factor: 8}}}],
        [[3], {rope_scaling: {factor: 8, type: 'linear', rope_type: 'linear'}}],
        [[3], {rope_parameters: {full_attention: {rope_type: 'default', rope_theta: 1000000},
            sliding_attention: {rope_type: 'linear', factor: 1, rope_theta: 10000}}}],
        [[3], {rope_scaling: {...global, rope_theta: 1000000}, rope_theta: 5}],
        [[3], {model_type: 'gemma3_text'}], [[3], {sliding_window_pattern: ABSENT}],
        [[3], {sliding_window_pattern: 3, layer_types: Array.from({length: 7}, (_, i) => i === 5
            ? 'full_attention' : 'sliding_attention')}],
    ];
    for (const [generations, change] of same) {
        for (const generation of generations)
            assert.deepEqual(accepted(configured(SOURCES[generation - 1], change)).bytes,
                PLAIN[generation - 1].bytes, `Gemma ${generation}: ${JSON.stringify(change)}`);
    }
});

test('settings that say another model give that one', () => {
    const other = [
        [[1, 2, 3], {rms_norm_eps: 1e-5}, 'attention.layer_norm_rms_epsilon', Math.fround(1e-5)],
        [[1, 2, 3], {rope_theta: 500000}, 'rope.freq_base', 500000],
        [[1, 2], {rope_parameters: {rope_type: 'default', rope_theta: 77777}}, 'rope.freq_base', 77777],
        [
            [1, 2],
            {rope_scaling: {rope_type: 'default', rope_theta: 77777}, rope_parameters: {rope_theta: 5}},
            'rope.freq_base', 77777,
        ],
        [[3], {rope_scaling: {rope_type: 'default', rope_theta: 77777}}, 'rope.freq_base', 77777],
        [
            [3], {rope_scaling: ABSENT, rope_parameters: {full_attention: {rope_theta: 77777}}},
            'rope.freq_base', 77777,
        ],
        [[3], {rope_scaling: ABSENT}, 'rope.scaling.factor', undefined],
        [[3], {rope_scaling: {factor: 4}}, 'rope.scaling.factor', undefined],
        [
            [3], {rope_scaling: {rope_type: 'linear', factor: 2}, rope_parameters: {full_attention: global}},
            'rope.scaling.factor', 2,
        ],
        [
            [3], {rope_scaling: ABSENT, rope_parameters: {full_attention: {type: 'linear', factor: 4}}},
            'rope.scaling.factor', 4,
        ],
        [[3], {rope_local_base_freq: 50000}, 'rope.freq_base_swa', 50000],
        [
            [3], {rope_parameters: {sliding_attention: {rope_type: 'default', rope_theta: 50000}}},
            'rope.freq_base_swa', 50000,
        ],
        [[2, 3], {sliding_window: 8}, 'attention.sliding_window', 8],
        [[2, 3], {sliding_window: ABSENT}, 'attention.sliding_window', 4096],
        [[2, 3], {final_logit_softcapping: 5}, 'final_logit_softcapping', 5],
        [[2], {attn_logit_softcapping: 20}, 'attn_logit_softcapping', 20],
    ];
    for (const [generations, change, key, value] of other) {
        for (const generation of generations) {
            const {metadata} = accepted(configured(SOURCES[generation - 1], change));
            assert.equal(metadata[`gemma${generation === 1 ? '' : generation}.${key}`], value,
                `Gemma ${generation}: ${JSON.stringify(change)}`);
        }
    }
});

test('settings of a model that a GGUF can\'t say, or that nobody can compute, are refused', () => {
    const scaled = ['yarn', 'dynamic', 'llama3', 'longrope', 'proportional', null, 7].map(
        (rope_type) => ({rope_type, factor: 4}));
    const cases = [
        ...scaled.flatMap((rope) => [
            [[1, 2, 3], {rope_scaling: rope}], [[1, 2, 3], {...NO_ROPE, rope_parameters: rope}],
            [[3], {rope_parameters: {full_attention: rope}, rope_scaling: ABSENT}],
            [[3], {rope_parameters: {sliding_attention: rope}, rope_scaling: ABSENT}],
        ]),
        [[1, 2, 3], {rope_scaling: {rope_type: 'linear'}}],
        [[1, 2, 3], {rope_scaling: {rope_type: 'linear', factor: null}}],
        [[1, 2, 3], {rope_scaling: {type: 'yarn', factor: 4}}],
        [[1, 2], {rope_scaling: {rope_type: 'linear', factor: 4}}],
        [[1, 2], {rope_scaling: {type: 'linear', factor: 4}}],
        [[3], {rope_scaling: {type: 'linear', factor: 4}}],
        [[1, 2], {...NO_ROPE, rope_parameters: {full_attention: global, sliding_attention: local}}],
        [[1, 2], {...NO_ROPE, rope_parameters: {sliding_attention: local}}],
        [[3], {...NO_ROPE, rope_parameters: global}],
        [[3], {...NO_ROPE, rope_parameters: {rope_theta: 77777}}],
        [[3], {...NO_ROPE, rope_parameters: {type: 'linear', factor: 4}}],
        [[3], {...NO_ROPE, rope_parameters: {full_attention: {rope_type: 'linear'}}}],
        [[3], {rope_scaling: ABSENT, rope_parameters: {sliding_attention: {rope_type: 'linear', factor: 4}}}],
        [[3], {rope_scaling: ABSENT, rope_parameters: {sliding_attention: {type: 'linear', factor: 0.5}}}],
        [[1, 2, 3], {rope_scaling: 'linear'}], [[1, 2, 3], {rope_parameters: [1]}],
        [[1, 2, 3], {partial_rotary_factor: 0.5}],
        [[1, 2, 3], {rope_scaling: {rope_type: 'default', partial_rotary_factor: 0.5}}],
        [[1, 2, 3], {rope_theta: null}], [[1, 2, 3], {rope_theta: '10000'}],
        [[3], {rope_local_base_freq: null}],
        [[1], {hidden_act: 'silu'}], [[1], {hidden_act: 'silu', hidden_activation: ABSENT}],
        [[1], {hidden_act: null}], [[1], {hidden_activation: 'silu'}], [[2, 3], {hidden_activation: 'gelu'}],
        [[2, 3], {hidden_activation: null}], [[2, 3], {query_pre_attn_scalar: ABSENT}],
        [[2, 3], {query_pre_attn_scalar: 256}], [[2, 3], {query_pre_attn_scalar: null}],
        [[2, 3], {sliding_window: null}], [[2], {attn_logit_softcapping: null}],
        [[2], {final_logit_softcapping: 0}], [[3], {attn_logit_softcapping: 50}],
        [[1, 2, 3], {attention_bias: true}],
        [[1, 2, 3], {use_bidirectional_attention: true}],
        [[2, 3], {layer_types: Array(7).fill('full_attention')}], [[1, 2, 3], {layer_types: 'all'}],
        [[1], {layer_types: Array(3).fill('sliding_attention')}],
        [[3], {sliding_window_pattern: 3}], [[1], {model_type: 'gemma2'}], [[2], {model_type: 'gemma'}],
        [[3], {model_type: 'gemma2'}], [[2], {model_type: 'llama'}],
        [[1, 2, 3], {head_dim: 128}], [[1, 2, 3], {num_attention_heads: ABSENT, head_dim: ABSENT}],
        [[1, 2, 3], {rms_norm_eps: null}], [[1, 2, 3], {max_position_embeddings: null}],
        [[1, 2, 3], {num_key_value_heads: null}], [[2, 3], {num_key_value_heads: 2}],
    ];
    for (const [generations, change] of cases)
        for (const generation of generations)
            refused(configured(SOURCES[generation - 1], change),
                `Gemma ${generation}: ${JSON.stringify(change)}`);
});

test('of a multimodal model, text_config alone describes the text', () => {
    const plain = accepted(MULTIMODAL);
    for (const change of [{rope_theta: 5, rope_scaling: null},
        {sliding_window: 8, final_logit_softcapping: 5},
        {query_pre_attn_scalar: 9, hidden_activation: 'silu'}])
        assert.deepEqual(accepted(configured(MULTIMODAL, change)).bytes, plain.bytes, JSON.stringify(change));
    assert.equal(accepted(configured(MULTIMODAL, {sliding_window: 8}, 'text_config'))
        .metadata['gemma3.attention.sliding_window'], 8);
    refused(configured(MULTIMODAL, {query_pre_attn_scalar: ABSENT}, 'text_config'),
        'the default of query_pre_attn_scalar');
});

test('an output head that equals the embedding is left out, one that differs is kept', () => {
    const cases = [
        ...SOURCES.map((source) => [source, 'model.embed_tokens.weight', 'lm_head.weight']),
        [MULTIMODAL, 'language_model.model.embed_tokens.weight', 'language_model.lm_head.weight'],
    ];
    for (const [source, embedding, head] of cases) {
        const plain = accepted(source);
        for (const tied of [ABSENT, true, false]) {
            const folder = configured(source, {tie_word_embeddings: tied}),
                file = join(folder, 'model.safetensors');
            const without = convert(folder);
            assert.equal(without.status, 0);
            assert.deepEqual(readGguf(without.out).bytes, plain.bytes);
            assert.equal(/no lm_head\.weight/.test(without.stdout), tied === false,
                'an untied model without a head of its own is reported');

            changeTensors(file, (tensors) => { tensors[head] = tensors[embedding]; });
            const equal = convert(folder);
            assert.match(equal.stdout, /^left out: \S*lm_head\.weight, which equals the embedding$/m);
            assert.deepEqual(readGguf(equal.out).bytes, plain.bytes);

            changeTensors(file, (tensors) => {      // only the last weight is another
                const bytes = Buffer.from(tensors[embedding].bytes);
                bytes.writeUInt16LE(bytes.readUInt16LE(bytes.length - 2) ^ 1, bytes.length - 2);
                tensors[head] = {...tensors[embedding], bytes};
            });
            const other = convert(folder), gguf = readGguf(other.out);
            assert.equal(gguf.tensors['output.weight'].type, 'BF16');
            assert.deepEqual(gguf.tensors['output.weight'].shape, gguf.tensors['token_embd.weight'].shape);
            assert.equal(/^kept: \S*lm_head\.weight/m.test(other.stdout), tied !== false);
            assert.doesNotMatch(other.stdout, /^left out: \S*lm_head/m);
        }
    }
});

test('an output head of another dtype is compared by its weights', () => {
    const folder = copy(SOURCES[2]), file = join(folder, 'model.safetensors');
    const widened = (scale) => (tensors) => {
        const {shape, bytes} = tensors['model.embed_tokens.weight'], wide = Buffer.alloc(2 * bytes.length);
        for (let i = 0; i < bytes.length / 2; i++) {
            wide.writeUInt32LE(bytes.readUInt16LE(2 * i) << 16 >>> 0, 4 * i);
            if (scale !== 1) wide.writeFloatLE(wide.readFloatLE(4 * i) * scale, 4 * i);
        }
        tensors['lm_head.weight'] = {dtype: 'F32', shape, bytes: wide};
    };
    changeTensors(file, widened(1));
    assert.match(convert(folder).stdout, /left out: lm_head\.weight, which equals the embedding/);
    changeTensors(file, widened(1.001));
    assert.ok('output.weight' in accepted(folder).tensors);
});

test('a separate output head computes the logits', () => {
    const {tokens} = golden('tiny-gemma3');
    for (const [i, source] of SOURCES.entries()) {
        const folder = copy(source), n = golden(`tiny-gemma${i + 1}`).n_vocab;
        const before = logits(quantized('tied.gguf', folder, 'bf16'), tokens, '--exact');
        // the rows in the opposite order: so are the logits
        changeTensors(join(folder, 'model.safetensors'), (tensors) => {
            const {dtype, shape, bytes} = tensors['model.embed_tokens.weight'], row = bytes.length / shape[0];
            tensors['lm_head.weight'] = {
                dtype, shape,
                bytes: Buffer.concat(Array.from({length: shape[0]},
                    (_, id) => bytes.subarray((shape[0] - 1 - id) * row, (shape[0] - id) * row))),
            };
        });
        const after = logits(quantized('untied.gguf', folder, 'bf16'), tokens, '--exact');
        for (let at = 0; at < before.length; at += n)
            assert.deepEqual(after.subarray(at, at + n).toReversed(), before.subarray(at, at + n));
    }
});

/* ------------------------------------------------------------------------------------------ which files */

const SHARDED = checkpoint('sharded/gemma3', 'tiny-gemma3', '--shards', '3'),
    INDEX = 'model.safetensors.index.json';

test('a single file goes before an index and its shards, and what is not read is reported', () => {
    const other = checkpoint('other/gemma3', 'tiny-gemma3', '--seed', '7', '--shards', '3');
    for (const remove of [[], [1], [1, 2, 3]]) {        // the index may be stale
        const folder = copy(other);
        copyFileSync(join(SOURCES[2], 'model.safetensors'), join(folder, 'model.safetensors'));
        for (const i of remove) rmSync(join(folder, `model-0000${i}-of-00003.safetensors`));
        const {stdout, out} = convert(folder);
        assert.match(stdout, /^left out: model\.safetensors\.index\.json and its shards, beside model\.safetensors$/m);
        assert.deepEqual(readGguf(out).bytes, PLAIN[2].bytes);
    }
    assert.doesNotMatch(convert(SOURCES[2]).stdout, /index/);
});

test('shards without an index are read under any names; a missing one is named; two models fail', () => {
    let folder = copy(SHARDED);
    rmSync(join(folder, INDEX));
    assert.deepEqual(accepted(folder).bytes, PLAIN[2].bytes);
    for (const i of [1, 2, 3]) renameSync(join(folder, `model-0000${i}-of-00003.safetensors`),
        join(folder, `my gemma-0000${i}-of-00003.safetensors`));
    assert.deepEqual(accepted(folder).bytes, PLAIN[2].bytes);
    for (const i of [1, 2, 3]) {
        folder = copy(SHARDED);
        rmSync(join(folder, INDEX));
        rmSync(join(folder, `model-0000${i}-of-00003.safetensors`));
        assert.match(refused(folder), new RegExp(`model-0000${i}-of-00003\\.safetensors`));
    }
    folder = copy(SHARDED);
    rmSync(join(folder, INDEX));
    copyFileSync(join(folder, 'model-00001-of-00003.safetensors'),
        join(folder, 'model-00001-of-00002.safetensors'));
    assert.match(refused(folder), /shards of several models/);
});

/* ------------------------------------------------------------------------------------------ the tokenizer */

/**
 * With `n` more rows, and what tokenizer.json adds for them, as transformers 5 saves a fine-tune: nothing
 * else says so.
 */
function grown(source, added, n = added.length) {
    const folder = copy(source), rows = golden('tiny-gemma3').n_vocab;
    editJson(join(folder, 'config.json'), (config) => { config.vocab_size = rows + n; });
    changeTensors(join(folder, 'model.safetensors'), (tensors) => {
        const {dtype, shape: [, columns], bytes} = tensors['model.embed_tokens.weight'];
        tensors['model.embed_tokens.weight'] = {
            dtype, shape: [rows + n, columns],
            bytes: Buffer.concat([bytes, bytes.subarray(0, n * columns * 2)]),
        };
    });
    editJson(join(folder, 'tokenizer.json'), (tokenizer) => {
        tokenizer.added_tokens.push(...added.map(
            (token, i) => ({
                id: rows + i, single_word: false, lstrip: false, rstrip: false, normalized: false,
                special: false, ...token,
            })));
    });
    editJson(join(folder, 'tokenizer_config.json'), (settings) => { delete settings.added_tokens_decoder; });
    return folder;
}

test('tokens that only tokenizer.json adds are tokens, beside tokenizer.model and without it', () => {
    const added = [
        {content: '<|im_start|>', special: true}, {content: '<|im_end|>'}, {content: '<think>'},
        {content: 'two  words'},
    ];
    const folder = grown(SOURCES[2], added), rows = golden('tiny-gemma3').n_vocab;
    const {metadata} = accepted(folder), model = quantized('grown.gguf', folder, 'q8_0');
    assert.deepEqual(metadata['tokenizer.ggml.tokens'].slice(rows), added.map(({content}) => content));
    assert.deepEqual(metadata['tokenizer.ggml.token_type'].slice(rows), [3, 3, 4, 4]);
    assert.deepEqual(tokenize(model, 'the<think>sea two  words').filter((id) => id >= rows),
        [rows + 2, rows + 3]);
    rmSync(join(folder, 'tokenizer.model'));
    const alone = accepted(folder).metadata;
    for (const key of ['tokens', 'token_type', 'scores'])
        assert.deepEqual(alone[`tokenizer.ggml.${key}`], metadata[`tokenizer.ggml.${key}`], key);
});

test('added tokens beyond the rows are counted once; rows beyond the tokens are padding', () => {
    const folder = grown(SOURCES[2], [{content: '<a>'}, {content: '<b>'}], 1),
        rows = golden('tiny-gemma3').n_vocab;
    editJson(join(folder, 'tokenizer_config.json'), (settings) => {
        settings.added_tokens_decoder = {[rows]: {content: '<a>'}, [rows + 1]: {content: '<b>'}};
    });
    assert.match(convert(folder).stdout, new RegExp(`^left out: 1 tokens from id ${rows + 1} on`, 'm'));
    const padded = accepted(grown(SOURCES[2], [{content: '<a>'}], 3)).metadata;
    assert.deepEqual(padded['tokenizer.ggml.tokens'].slice(rows),
        ['<a>', `[PAD${rows + 1}]`, `[PAD${rows + 2}]`]);
});

test('tokenizer.json goes before a tokenizer.model that has other tokens, and it is reported', () => {
    const folder = copy(SOURCES[2]);
    editJson(join(folder, 'tokenizer.json'), (tokenizer) => {       // two pieces change their places
        const [a, b] = Object.entries(tokenizer.model.vocab).slice(-2);
        tokenizer.model.vocab[a[0]] = b[1];
        tokenizer.model.vocab[b[0]] = a[1];
    });
    const {stdout, out} = convert(folder), tokens = readGguf(out).metadata['tokenizer.ggml.tokens'],
        before = PLAIN[2].metadata['tokenizer.ggml.tokens'];
    assert.match(stdout, /^left out: tokenizer\.model, whose tokens differ from those of tokenizer\.json$/m);
    assert.deepEqual(tokens.slice(-2), before.slice(-2).toReversed());
    assert.doesNotMatch(convert(SOURCES[2]).stdout, /tokenizer/);
});
