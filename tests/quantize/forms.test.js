// forms.test.js: forms of checkpoints that people have beside those that transformers writes today: each
// gives the same file.

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
    const bytes = readFileSync(path), n = Number(bytes.readBigUInt64LE(0)),
        header = JSON.parse(bytes.toString('utf8', 8, 8 + n));
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
    for (const [shape, architecture] of [['tiny-gemma1', 'GemmaModel'], ['tiny-gemma2', 'Gemma2Model'],
        ['tiny-gemma3', 'Gemma3TextModel']]) {
        const folder = copy(sources[shape]);
        editJson(folder, 'config.json', (config) => ({...config, architectures: [architecture]}));
        assert.ok(converted(folder).equals(converted(sources[shape])), architecture);
        editTensors(join(folder, 'model.safetensors'), (header) => Object.fromEntries(Object.entries(header)
            .map(([name, t]) => [name.replace(/^model\./, ''), t])));
        assert.ok(converted(folder).equals(converted(sources[shape])),
            `${architecture}, names without "model."`);
    }
    const folder = copy(multimodal),
        bare = (name) => name.replace('language_model.model.', 'language_model.');
    editJson(folder, 'config.json', (config) => ({...config, architectures: ['Gemma3Model']}));
    editJson(folder, 'model.safetensors.index.json', (index) => {
        index.weight_map = Object.fromEntries(Object.entries(index.weight_map)
            .map(([name, file]) => [bare(name), file]));
    });
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.safetensors')))
        editTensors(join(folder, name),
            (header) => Object.fromEntries(Object.entries(header).map(([tensor, t]) => [bare(tensor), t])));
    assert.ok(converted(folder).equals(converted(multimodal)));
});

test('config.json as editors and Python write it: a byte order mark, NaN, Infinity', () => {
    const folder = copy(sources['tiny-gemma2']), path = join(folder, 'config.json'),
        expected = converted(sources['tiny-gemma2']);
    const text = readFileSync(path, 'utf8').trim();
    writeFileSync(path, `\ufeff${text.slice(0, -1)}, "loss": NaN, "best_metric": Infinity, "metrics": [-Infinity]}`);
    for (const name of ['tokenizer_config.json', 'tokenizer.json'])
        writeFileSync(join(folder, name), `\ufeff${readFileSync(join(folder, name), 'utf8')}`);
    assert.ok(converted(folder).equals(expected));
    for (const key of ['rms_norm_eps', 'rope_theta', 'final_logit_softcapping', 'num_hidden_layers',
        'hidden_size', 'vocab_size']) {
        const parsed = JSON.parse(text);
        for (const value of ['NaN', 'Infinity', '1e999', '-1e999', '1e-60', '1e-999', '1e40']) {
            writeFileSync(path, JSON.stringify({...parsed, [key]: 'HERE'}).replace('"HERE"', value));
            const {status, stderr} = quantize('--in', folder, '--out', join(work, 'none.gguf'),
                '--type', 'q8_0');
            assert.equal(status, 1, 'but a number that counts must be one');
            assert.match(stderr, new RegExp(`config\\.json: .*${key}`), value);
        }
    }
});

test('sampling of generation_config.json that no float holds is left out', () => {
    const folder = copy(sources['tiny-gemma3']), path = join(folder, 'generation_config.json');
    for (const value of ['NaN', '1e999', '1e40', '"warm"']) {
        writeFileSync(path, `{"temperature": ${value}, "top_p": 0.5}`);
        assert.deepEqual(told(folder, 'general.sampling.'), {top_p: 0.5}, value);
    }
});

test('shards in a folder inside', () => {
    const folder = copy(sharded), names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
    mkdirSync(join(folder, 'shards/deep'), {recursive: true});
    const place = (name, i) => ['', 'shards/', 'shards/deep/'][i % 3] + name;
    names.forEach((name, i) => renameSync(join(folder, name), join(folder, place(name, i))));
    editJson(folder, 'model.safetensors.index.json', (index) => {
        for (const [tensor, file] of Object.entries(index.weight_map))
            index.weight_map[tensor] = place(file, names.indexOf(file));
    });
    assert.ok(converted(folder).equals(converted(sharded)));
    for (const bad of ['/etc/passwd', 'shards/../../x.safetensors', '..', 'shards//x', 'shards/', '']) {
        editJson(folder, 'model.safetensors.index.json',
            (index) => { index.weight_map['model.norm.weight'] = bad; });
        const {status, stderr} = quantize('--in', folder, '--out', join(work, 'none.gguf'), '--type', 'q8_0');
        assert.equal(status, 1);
        assert.match(stderr, /Tensor model\.norm\.weight: the name of a file beside the index was expected/,
            bad);
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

/** The metadata of a checkpoint's GGUF whose keys begin so, without that beginning. */
function told(folder, beginning) {
    const {metadata} = readGguf(quantized('told.gguf', folder, 'q8_0'));
    return Object.fromEntries(Object.entries(metadata).filter(([key]) => key.startsWith(beginning))
        .map(([key, value]) => [key.slice(beginning.length), value]));
}

test('chat templates: the default one and those by name, as gguf-py keeps them', () => {
    const templates = (list, files = {}) => {
        const folder = copy(sources['tiny-gemma3']);
        editJson(folder, 'tokenizer_config.json', (settings) => ({...settings, chat_template: list}));
        for (const [name, text] of Object.entries(files)) {
            mkdirSync(join(folder, name, '..'), {recursive: true});
            writeFileSync(join(folder, name), text);
        }
        return told(folder, 'tokenizer.chat_template');
    };
    assert.deepEqual(templates('{{ one }}'), {'': '{{ one }}'});
    assert.deepEqual(templates([{name: 'tool use', template: '{{ tools }}'},
        {name: 'default', template: '{{ one }}'}, {name: 'rag-2', template: '{{ rag }}'}]),
        {'': '{{ one }}', '.tool_use': '{{ tools }}', '.rag_2': '{{ rag }}', 's': ['tool_use', 'rag_2']});
    assert.deepEqual(templates([{name: 'rag', template: '{{ rag }}'}]), {'.rag': '{{ rag }}', 's': ['rag']},
        'no default one');
    assert.deepEqual(templates([{name: 'a b', template: '1'}, {name: 'a-b', template: '2'}, {name: 'no text'},
        {template: 'no name'}, 5, {name: 'default', template: '{{ ü }}'}]),
        {'': '{{ ü }}', '.a_b': '1', 's': ['a_b']}, 'no key comes twice');
    assert.deepEqual(templates([]), {});
    assert.deepEqual(templates(undefined, {'chat_template.jinja': '{{ file }}'}), {'': '{{ file }}'});
    assert.deepEqual(templates(undefined, {'chat_template.jinja': '{{ file }}',
        'additional_chat_templates/tool_use.jinja': 'T', 'additional_chat_templates/rag.jinja': 'R',
        'additional_chat_templates/notes.txt': 'N'}),
        {'': '{{ file }}', '.rag': 'R', '.tool_use': 'T', 's': ['rag', 'tool_use']});
    const list = JSON.stringify({chat_template: [{name: 'default', template: 'D'},
        {name: 'x', template: 'X'}]});
    assert.deepEqual(templates(undefined, {'chat_template.json': list}), {'': 'D', '.x': 'X', 's': ['x']});
});

test('special tokens that only special_tokens_map.json tells', () => {
    const expected = told(sources['tiny-gemma1'], 'tokenizer.ggml.'),
        ids = ['bos_token_id', 'eos_token_id', 'unknown_token_id', 'padding_token_id'];
    for (const form of [(text) => text, (text) => ({content: text, lstrip: false})]) {
        const folder = copy(sources['tiny-gemma1']), map = {};
        editJson(folder, 'tokenizer_config.json', (settings) => {
            for (const name of ['bos', 'eos', 'unk', 'pad']) {
                const text = settings[`${name}_token`]?.content ?? settings[`${name}_token`];
                if (text) map[`${name}_token`] = form(text);
                delete settings[`${name}_token`];
            }
        });
        editJson(folder, 'config.json', (config) => { for (const name of ['bos', 'eos', 'pad'])
            delete config[`${name}_token_id`]; });
        writeFileSync(join(folder, 'special_tokens_map.json'), JSON.stringify(map));
        const found = told(folder, 'tokenizer.ggml.');
        for (const id of ids) assert.equal(found[id], expected[id], id);
        assert.equal(typeof found.bos_token_id, 'number');
        // The settings themselves go first.
        editJson(folder, 'tokenizer_config.json', (settings) => ({...settings, bos_token: '<eos>'}));
        assert.equal(told(folder, 'tokenizer.ggml.').bos_token_id, expected.eos_token_id);
    }
});

test('a README\'s settings with CRLF, comments, blank lines', () => {
    const settings = (text) => {
        const folder = copy(sources['tiny-gemma1']);
        writeFileSync(join(folder, 'README.md'), text);
        const {license, 'license.name': name, tags, languages, 'base_model.count': bases,
            'base_model.0.repo_url': url} = told(folder, 'general.');
        return {license, name, tags, languages, bases, url};
    };
    const text = ['---', '# made by hand', 'license: gemma # the terms', '', 'license_name: "a # b"',
        'tags: # two', '- one  # first', '# between', '', '- two', 'language: [en, de] # both',
        "base_model: 'google/gemma-2b#main'", '---', '', '# A model', 'license: mit'].join('\n');
    const expected = {license: 'gemma', name: 'a # b', tags: ['one', 'two'], languages: ['en', 'de'],
        bases: 1, url: 'https://huggingface.co/google/gemma-2b#main'};
    assert.deepEqual(settings(text), expected);
    assert.deepEqual(settings(text.replaceAll('\n', '\r\n')), expected);
    assert.deepEqual(settings(`\ufeff${text}`), expected);
    const none = {license: undefined, name: undefined, tags: undefined, languages: undefined,
        bases: undefined, url: undefined};
    for (const other of [`\n${text}`, '---\nlicense: gemma\n', '# A model\n---\nlicense: gemma\n---\n', '---',
        '', '--- \nlicense: gemma\n----\n']) assert.deepEqual(settings(other), none, other);
});
