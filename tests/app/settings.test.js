// Settings: a conversation's settings override the defaults, and values that others wrote are taken only for
// known settings.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {group, settingsOf} from '../../web/app/asking.js';
import {SETTINGS, defaultPreferences, readSchema, readSettings} from '../../web/app/data/preferences.js';
import {find, press} from './elements.js';

// They need a page.
const {judge} = await import('../../web/app/views/gauge.js');
const {presets} = await import('../../web/app/views/settings_library.js');

const defaults = defaultPreferences();

test('without a conversation\'s settings, the defaults are asked', () => {
    for (const summary of [undefined, {}, {settings: {}}]) {
        const {system, overflow, options} = settingsOf(summary, defaults);
        assert.deepEqual(
            [system, overflow, options.maxTokens, options.sampling.temperature, options.constraint],
            ['', 'error', defaults.maxTokens, 0.8, undefined]);
        assert.deepEqual(Object.keys(options.sampling).sort(), [
            'frequencyPenalty', 'minP', 'presencePenalty', 'repeatPenalty', 'temperature', 'topK', 'topP',
        ]);
    }
});

test("a conversation's own settings go over the defaults, one by one", () => {
    const settings = {
        system: 'Rhyme.', temperature: 0, seed: 7, overflow: 'drop-oldest', stop: 'END\n\\n\\n\nA\\tB',
        schema: '{"type": "object"}',
    };
    const {system, overflow, options} = settingsOf({settings}, {...defaults, topK: 5, seed: 1});
    assert.deepEqual([system, overflow], ['Rhyme.', 'drop-oldest']);
    assert.deepEqual([options.sampling.temperature, options.sampling.seed, options.sampling.topK], [0, 7, 5]);
    assert.deepEqual(options.stop, ['END', '\n\n', 'A\tB']);
    assert.deepEqual(options.constraint, {schema: {type: 'object'}});
    assert.equal('seed' in settingsOf({settings: {seed: null}}, {...defaults, seed: 1}).options.sampling,
        false, 'empty, where the default is not');
});

test('what others wrote is taken where it is a setting within its range', () => {
    assert.deepEqual(readSettings(undefined), {});
    assert.deepEqual(readSettings('topK'), {});
    assert.deepEqual(
        readSettings({
            temperature: '1', topK: -1, topP: NaN, minP: null, overflow: 'ignore', system: {}, schema: '[1]',
            stop: 1, kvType: 'f64', other: 1,
        }), {});
    assert.deepEqual(readSettings(JSON.parse('{"__proto__": {"topK": 3}, "constructor": 1}')), {});
    assert.deepEqual(readSettings(Object.create({topK: 3})), {});
    const good = {
        temperature: 2, topK: 0, seed: null, maxTokens: 8192, system: 'x', schema: '', kvType: 'int8',
    };
    assert.deepEqual(readSettings(good), good);
    for (const {key, initial} of SETTINGS) if (initial !== undefined)
        assert.deepEqual(readSettings({[key]: initial}), {[key]: initial}, key);
});

test('a schema is a JSON object', () => {
    for (const written of ['', '{', '[]', '1', 'null', 'true'])
        assert.equal(readSchema(written), undefined, written);
    assert.deepEqual(readSchema(' {"type": "string"} '), {type: 'string'});
});

test('the engine gets what belongs to it, and nothing that is empty', () => {
    assert.deepEqual(group(defaults, 'loading'), {kvType: 'f16'});
    assert.deepEqual(group({...defaults, contextLength: 512, threads: undefined, seed: 0}, 'loading'),
        {kvType: 'f16', contextLength: 512});
    assert.equal(group({...defaults, seed: 0}, 'sampling').seed, 0);
});

test('the gauge has a word where there is little left, or where it does not fit', () => {
    assert.deepEqual(
        [
            judge(10, 100, 'error', 0), judge(89, 100, 'error', 0), judge(91, 100, 'error', 0),
            judge(91, 100, 'drop-oldest', 0),
        ], ['', '', 'little', '']);
    assert.deepEqual(
        [
            judge(100, 100, 'error', 20), judge(300, 100, 'drop-oldest', 20),
            judge(300, 100, 'drop-oldest', 100),
        ], ['full', 'drops', 'too-long']);
});

test("a preset's name is saved by Enter and left by Escape, not by those of an input method", async () => {
    const saved = [], stored = {list: async () => [], save: async ({name}) => void saved.push(name)},
        made = presets({stored, get: () => null, onError: assert.fail});
    const isNaming = () => find('input', made).length > 0, buttons = () => find('button', made);
    buttons().find(({textContent}) => textContent === 'preset.save').onclick();
    const [name] = find('input', made);
    name.value = '日本';
    for (const key of ['Enter', 'Escape'])
        for (const composing of [{isComposing: true}, {keyCode: 229}]) press(name, key, composing);
    assert.deepEqual([isNaming(), saved], [true, []]);
    press(name, 'Enter');
    assert.deepEqual([isNaming(), saved], [false, ['日本']]);
});
