// tokenizer.test.js: the engine's ids are those of the sentencepiece library, for the vocabularies of the
// tiny models and of the real Gemma 3 (tokenizer.json, made by make_tokenizer.py). Literal U+2581 are a part
// of it: the library takes them for spaces, and so do we.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {Gemma} from '../../web/gemma.js';
import {ensureModel} from '../../web/node/setup.js';

const here = import.meta.dirname;
const golden = JSON.parse(readFileSync(join(here, 'tokenizer.json'), 'utf8'));

/** A long text is stored as what it repeats, its number of ids, the first and the sum of all. */
const textOf = ({text, repeat}) => text ?? repeat[0].repeat(repeat[1] / repeat[0].length);
const summary = (ids, {first}) => first ? {n: ids.length, first: ids.slice(0, first.length),
    sum: ids.reduce((a, b) => a + b)} : ids;
const expected = ({ids, n_ids, first, sum}) => first ? {n: n_ids, first, sum} : ids;

for (const [name, cases] of Object.entries(golden)) {
    test(`${name}: the ids are sentencepiece's`, async () => {
        const path = name === 'gemma3-270m' ? await ensureModel() : join(here, name),
            gemma = await Gemma.load({kind: 'path', path}, {threads: 1});
        try {
            const texts = cases.filter(({base64}) => !base64);
            assert.ok(texts.filter(({text}) => text?.includes('\u2581')).length >= 100);
            for (const one of texts) {
                const text = textOf(one), ids = await gemma.tokenize(text);
                assert.deepEqual(summary(ids, one), expected(one), JSON.stringify(text.slice(0, 80)));
                assert.equal(await gemma.detokenize(ids), text.replaceAll('\u2581', ' '));
            }
        } finally {
            gemma.close();
        }
    });
}
