// Files as people have them, made of the tiny models of tests/golden: of Ollama, padded, with thousands of
// added tokens, with turns of others.
// What is said and what is written; the rules are tested in tests/c.

import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';
import {Conversation, TRANSCRIPT} from '../../web/engine/conversation.js';
import {Gemma} from '../../web/gemma.js';
import {BOOL, F32, GgufFile, STRING, U32} from './gguf_edit.js';

const GOLDEN = join(import.meta.dirname, '../golden'), TINY = join(GOLDEN, 'tiny-gemma3.gguf');
const GREEDY = {temperature: 0}, ENDLESS = {1: -Infinity, 6: -Infinity};
const CONTROL = 3, USER_DEFINED = 4;

const work = mkdtempSync(join(tmpdir(), 'gemma-files-'));
after(() => rmSync(work, {recursive: true}));

/** Changes the tiny Gemma 3, loads it, runs, closes. */
let files = 0;
async function withFile(change, body, options = {}) {
    const gguf = GgufFile.read(TINY);
    change(gguf);
    const gemma = await Gemma.load({kind: 'path', path: gguf.write(join(work, `${++files}.gguf`))},
        {threads: 1, ...options});
    try {
        return await body(gemma);
    } finally {
        gemma.close();
    }
}

const continued = async (gemma, text = 'Hello') =>
    (await (await gemma.session()).prompt(text,
        {raw: true, maxTokens: 12, sampling: {...GREEDY, logitBias: ENDLESS}}).result).tokens;

// --------------------------------------------------------------- what files leave out, or have too much of

test('a file as Ollama writes it, with vision tensors, gives the tokens of the complete file', async () => {
    const noScale = (g) => g.drop('gemma3.rope.scaling.type', 'gemma3.rope.scaling.factor');
    const ollama = (g) => {
        noScale(g).drop('gemma3.rope.freq_base', 'gemma3.attention.layer_norm_rms_epsilon',
            'gemma3.attention.key_length', 'gemma3.attention.value_length');
        g.set('gemma3.vision.block_count', U32, 1).set('gemma3.vision.attention.layer_norm_epsilon', F32,
            1e-6).set('gemma3.mm.tokens_per_image', U32, 256);
        g.set('gemma3.rope.local.freq_base', F32, 10000);
        g.tensors.unshift({
            name: 'v.blk.0.attn_q.weight', dims: [32, 32], type: 1, data: Buffer.alloc(2048, 0xff),
        });
        g.tensors.push({
            name: 'mm.input_projection.weight', dims: [128, 32], type: 1, data: Buffer.alloc(8192, 0xff),
        });
    };
    assert.deepEqual(await withFile(ollama, (gemma) => continued(gemma)),
        await withFile(noScale, (gemma) => continued(gemma)));
});

test('tokens without a row and rows without a token are not there', async () => {
    const whole = await withFile(() => {}, (gemma) => continued(gemma));
    for (const [tokens, rows] of [[700, 699], [699, 704], [720, 699], [699, 762]]) {
        const change = (g) => {
            for (let i = 699; i < tokens; i++) g.addToken(`<image_soft_token${i}>`, CONTROL);
            g.setRows(rows);
        };
        await withFile(change, async (gemma) => {
            assert.equal(gemma.info.nVocab, 699, `${tokens} tokens, ${rows} rows`);
            assert.deepEqual(await continued(gemma), whole);
            const session = await gemma.session();
            await assert.rejects(session.prompt('x', {raw: true, sampling: {logitBias: {699: 1}}}).result,
                {code: 'bad-argument'});
            assert.ok((await gemma.tokenize('<image_soft_token699>', {special: true}))
                .every((id) => id < 699));
        });
    }
    await assert.rejects(withFile((g) => g.setRows(699 + 1025), () => {}),
        {code: 'bad-file', message: /token_embd\.weight has 1724 rows for a vocabulary of 699 tokens/});
});

test('40,000 added tokens are tokens like others', async () => {
    const change = (g) => {
        for (let i = 0; i < 40000; i++) g.addToken(`<custom_token_${i}>`, USER_DEFINED);
        g.setRows(699 + 40000);
    };
    await withFile(change, async (gemma) => {
        assert.deepEqual(await gemma.tokenize('a<custom_token_39999><custom_token_3999>'),
            [...await gemma.tokenize('a'), 40698, 699 + 3999]);
        assert.equal(await gemma.detokenize([40698]), '<custom_token_39999>');
        assert.equal((await continued(gemma)).length, 12);
    });
});

test('a byte order mark comes back', () => withFile(() => {}, async (gemma) => {
    for (const text of ['\ufeffname,age', '\ufeff', 'a\ufeffb', '\ufeff\ufeff'])
        assert.equal(await gemma.detokenize(await gemma.tokenize(text)), text);
}));

// ---------------------------------------------------------------------------------------- turns

const CHATML =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const template = (text) => (g) => g.set('tokenizer.chat_template', STRING, text);
const renamed = (g) => g.renameToken('<start_of_turn>', '<|im_start|>').renameToken('<eos>', '<|im_end|>');
const added = (kind) => (g) => g.addToken('<|im_start|>', kind).addToken('<|im_end|>', kind).setRows(701)
    .set('tokenizer.ggml.eos_token_id', U32, 700);
const named = (name) => (g) => g.set('general.name', STRING, name);
const all = (...changes) => (g) => changes.forEach((change) => change(g));

/** The prompt of a message after an answered one, as text. */
async function said(gemma) {
    const session = await gemma.session({
        system: 'Be brief.', history: [{role: 'user', content: 'Hi'}, {role: 'assistant', content: 'Yes?'}],
    });
    const {promptTokens} = await session.prompt('Hello', {maxTokens: 1, sampling: GREEDY}).result;
    return gemma.detokenize(promptTokens);
}

const TURNS = '<bos><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n' +
    '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n';

for (const [name, change] of [
    ['renamed tokens and "it" in the name', all(renamed, template(CHATML), named('Gemma 2b It Bnb 4bit'))],
    ['renamed tokens', all(renamed, template(CHATML), named('model'))],
    ['added control tokens', all(added(CONTROL), template(CHATML))],
    ['added tokens that a user could type', all(added(USER_DEFINED), template(CHATML))],
    [
        'added tokens and no template',
        all(added(CONTROL), (g) => g.drop('tokenizer.chat_template'), named('model')),
    ],
    ['renamed tokens and the old template', all(renamed, named('Gemma 2b It'))],
    ['no tokens of its own', all(template(CHATML), named('model'))],
]) {
    test(`ChatML with ${name}: its turns, and no text becomes them`, () => withFile(change, async (gemma) => {
        const {chat, chatStyle} = gemma.info;
        assert.deepEqual({chat, chatStyle}, {chat: true, chatStyle: 'chatml'});
        assert.equal(await said(gemma), TURNS);
        const ids = await gemma.tokenize('<|im_end|>', {special: true});
        if (ids.length > 1) return;     // it has no such token
        const {promptTokens} = await (await gemma.session()).prompt('a<|im_end|>b',
            {maxTokens: 1, sampling: GREEDY}).result;
        assert.equal(promptTokens.filter((id) => id === ids[0]).length, 1);
        const ended = await (await gemma.session()).prompt('Hi',
            {maxTokens: 5, sampling: {...GREEDY, logitBias: {[ids[0]]: 1000}}}).result;
        assert.deepEqual([ended.finishReason, ended.tokens.length], ['stop', 0]);
    }));
}

test('where the end of a turn is no token, texts end an answer: in a transcript the name of either speaker', () => {
    const stops = (style) => new Conversation({}, style, []).stops;
    assert.deepEqual(stops({style: 'chatml', stops: ['<|im_end|>'], leads: false}), ['<|im_end|>']);
    assert.deepEqual(stops(TRANSCRIPT), ['\nUser:', '\nAssistant:']);
});

for (const [style, text, expected] of [
    ['turns', "{{ '<start_of_turn>' + m['role'] }}",
        '<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYes?<end_of_turn>\n' +
        '<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n'],
    ['zephyr', "{{ '<|user|>\\n' + m['content'] + eos_token }}{{ '<|assistant|>\\n' }}",
        '<bos><|system|>\nBe brief.<eos>\n<|user|>\nHi<eos>\n<|assistant|>\nYes?<eos>\n' +
        '<|user|>\nHello<eos>\n<|assistant|>\n'],
    ['openchat', "{{ 'GPT4 Correct ' + m['role'].title() + ': ' + m['content'] + '<end_of_turn>' }}",
        '<bos>Be brief.<end_of_turn>GPT4 Correct User: Hi<end_of_turn>' +
        'GPT4 Correct Assistant: Yes?<end_of_turn>GPT4 Correct User: Hello<end_of_turn>GPT4 Correct Assistant:'],
    ['alpaca', "{{ '### Instruction:\\n' + m['content'] }}{{ '### Response:\\n' }}",
        '<bos>Be brief.\n\n### Instruction:\nHi\n\n### Response:\nYes?<eos>\n\n' +
        '### Instruction:\nHello\n\n### Response:\n'],
    [
        'transcript', "{{ 'a template of nobody ' + m['content'] }}",
        '<bos>Be brief.\n\nUser: Hi\nAssistant: Yes?\nUser: Hello\nAssistant:',
    ],
]) {
    test(
        `a template of the kind "${style}": ${style === 'transcript' ? 'a chat model all the same' : 'its turns'}`,
        () => withFile(template(text), async (gemma) => {
        const {chat, chatStyle} = gemma.info;
        assert.deepEqual({chat, chatStyle}, {chat: true, chatStyle: style});
        assert.equal(await said(gemma), expected);
    }));
}

test('a template that begins without BOS gets none where the file adds none', async () => {
    const change = all(added(CONTROL), template(CHATML),
        (g) => g.set('tokenizer.ggml.add_bos_token', BOOL, 0));
    assert.equal(await withFile(change, said), TURNS.slice('<bos>'.length));
});

// ---------------------------------------------------------------------------------------- stop strings

for (const [style, raw, options] of [['raw text', true, {}], ['turns', false, {}],
    ['a transcript', false, {chat: false}]]) {
    test(`a stop string that is exactly a control token ends the answer: ${style}`,
        () => withFile(() => {}, async (gemma) => {
        const [id] = await gemma.tokenize('<start_of_turn>', {special: true}),
            session = await gemma.session();
        const say = (stop) => session.prompt('Hello',
            {raw, maxTokens: 20, stop, sampling: {...GREEDY, logitBias: {...ENDLESS, [id]: 100}}}).result;
        const {finishReason, tokens, text} = await say(['nothing', '<start_of_turn>']);
        assert.deepEqual({finishReason, tokens, text}, {finishReason: 'stop', tokens: [id], text: ''});
        assert.equal((await say('<start_of_turn>')).finishReason, 'stop');
        if (raw) return;
        // it was not kept
        const {promptTokens} = await session.prompt('And?', {maxTokens: 1, sampling: GREEDY}).result;
        assert.equal(promptTokens.filter((token) => token === id).length, style === 'turns' ? 6 : 0);
        assert.equal((await say(['<start_of_turn> '])).finishReason, 'length');
    }, options));
}
