// A small sample of tests/constraint/generations.js: answers of tiny random models, at temperature 1.5, by
// random schemas are valid by ajv.

import assert from 'node:assert/strict';
import {join} from 'node:path';
import {test} from 'node:test';
import {faultOf, randomSchema} from '../constraint/random_schemas.js';
import {Gemma} from '../../web/gemma.js';

const ANSWERS = 30;

for (const name of ['tiny-gemma2', 'tiny-gemma3']) {
    test(`${name}: ${ANSWERS} answers are JSON of their schemas, or cut`, async () => {
        const gemma = await Gemma.load({kind: 'path',
            path: join(import.meta.dirname, `../golden/${name}.gguf`)}, {threads: 2, contextLength: 512});
        let whole = 0;
        for (let seed = 0; seed < ANSWERS; seed++) {
            const schema = randomSchema(seed), session = await gemma.session(),
                sampling = {temperature: 1.5, seed, ...seed % 2 && {topK: 0, topP: 1}};
            const {text, constraint} = await session.prompt('A record:',
                {raw: true, constraint: {schema}, sampling, maxTokens: 250}).result;
            await session.close();
            if (constraint === 'cut') continue;
            whole++;
            assert.equal(faultOf(schema, text), undefined, `seed ${seed}: ${text}`);
        }
        assert.ok(whole > ANSWERS / 2, `${whole} whole answers`);
        gemma.close();
    });
}
