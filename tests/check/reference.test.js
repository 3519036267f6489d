// web/REFERENCE.md is what the comments say: after a change of them, `npm run docs` writes it anew.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test from 'node:test';
import {REFERENCE, makeReference} from './reference.js';

const made = makeReference();

test('web/REFERENCE.md is up to date: npm run docs',
    () => assert.equal(readFileSync(REFERENCE, 'utf8'), made));

test('it has each public call once, with its parameters, and each type that they mention', () => {
    for (const heading of ['### Gemma.load(model, options?)', '### gemma.session(options?)',
        '### session.prompt(prompt, options?)',
        '### gemma.embed(texts, options?)', '### Gemma.probe(model, options?)', '### Gemma.models.list()',
        '### LoadOptions', '### PromptOptions', '### Result', '### Probe']) {
        assert.equal(made.split('\n').filter((line) => line === heading).length, 1, heading);
    }
    assert.ok(!made.includes('#private') && !made.includes('any`'),
        'nothing internal, and no type left open');
});

test('it has no line of more than 120 columns',
    () => assert.deepEqual(made.split('\n').filter((line) => line.length > 120), []));
