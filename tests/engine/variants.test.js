// The modules under Node 24, which runs them all: what must not change a result doesn't.

import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {test} from 'node:test';
import {ensureModel} from '../../web/node/setup.js';
import {ensureNode24} from '../setup/node24.js';

const CLI = join(import.meta.dirname, '../../web/node/cli.js');
const GOLDEN = join(import.meta.dirname, '../golden');
const PROMPT = 'The sea at night is not black. It is a very dark green,';

function generate(model, options) {
    const args = [
        '--model', model, '--prompt', PROMPT, '--max-tokens', '24', '--temperature', '0.7', '--seed', '12',
        '--json',
    ];
    return JSON.parse(execFileSync(ensureNode24(), [CLI, 'generate', ...args, ...options],
        {encoding: 'utf8'}));
}

for (const model of ['tiny-gemma1', 'tiny-gemma2', 'tiny-gemma3', 'the default model']) {
    for (const [variant, dots] of [['simd128', ['i32']], ['relaxed', ['i32', 'i16']]]) {
        test(`${model}, ${variant}: the same tokens by either dot product, address size and with threads`, async () => {
            const file = model.startsWith('tiny') ? join(GOLDEN, `${model}.gguf`) : await ensureModel();
            const seen = new Set();
            for (const dot of dots) {
                for (const size of [[], ['--memory64']]) {
                    for (const threads of ['1', '3']) {
                        const result = generate(file, [
                            '--variant', variant, '--dot', dot, '--threads', threads, ...size,
                        ]);
                        assert.deepEqual({variant: result.variant, threads: result.threads},
                            {variant, threads: Number(threads)});
                        assert.ok(result.tokens.length > 0);
                        seen.add(result.tokens.join());
                    }
                }
            }
            assert.equal(seen.size, 1, [...seen].join('\n'));
        });
    }
}

for (const variant of ['simd128', 'relaxed']) {
    test(`keys and values as bytes, ${variant}: sensible text, the same in every variant`, async () => {
        const model = await ensureModel(), seen = new Set();
        for (const options of [[], ['--threads', '1'], ['--threads', '3', '--memory64'], ['--dot', 'i16'],
            ['--dot', 'i32']]) {
            seen.add(generate(model, ['--kv', 'int8', '--variant', variant, ...options]).tokens.join());
        }
        assert.equal(seen.size, 1, [...seen].join('\n'));
        const f16 = generate(model, ['--variant', variant]),
            int8 = generate(model, ['--kv', 'int8', '--variant', variant]);
        assert.ok(int8.memoryBytes < f16.memoryBytes, `${int8.memoryBytes} of ${f16.memoryBytes} bytes`);
    });
}

test('relaxed SIMD is chosen where there is any', () => {
    assert.equal(generate(join(GOLDEN, 'tiny-gemma1.gguf'), []).variant, 'relaxed');
});
