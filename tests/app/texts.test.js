// The words of the interface: every key that is used is there, every key that is there is used, and each
// language has the placeholders and the plural forms that it needs.

import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {LANGUAGES, findLanguage, text, textWith, useTexts} from '../../web/app/texts.js';
import {bytes, date, duration, list, percent} from '../../web/app/views/format.js';

const APP = join(import.meta.dirname, '../../web/app');
const read = (path) => readFileSync(join(APP, path), 'utf8');
const page = read('index.html');
const scripts = readdirSync(APP, {recursive: true}).filter((name) => name.endsWith('.js')).map(read);
/** @type {Record<string, Record<string, string | Record<string, string>>>} */
const files = Object.fromEntries(Object.keys(LANGUAGES)
    .map((tag) => [tag, JSON.parse(read(`texts/${tag}.json`))]));
const {en} = files;
const formsOf = (entry) => typeof entry === 'string' ? {'': entry} : entry;
const placeholdersOf = (form) => [...form.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

/** Keys that are written whole, and beginnings of those that are put together: `end.${x}`. */
function findUses() {
    const whole = new Set(), beginnings = new Set();
    for (const [, key] of page.matchAll(/ data-(?:text|label|hint|title)="([^"]+)"/g)) whole.add(key);
    for (const script of scripts) {
        for (const [, key] of script.matchAll(/['"`]([a-z][a-z-]*\.[a-z][\w-]*)['"`]/g)) whole.add(key);
        for (const [, beginning] of script.matchAll(/`([a-z][a-z-]*\.[\w-]*)\$\{/g))
            beginnings.add(beginning);
    }
    return {whole, beginnings};
}

/** What looks like a key, and is a file's name. */
const FILE = /\.(js|json|css|html|svg|md|gguf|webmanifest)$/;

test('every key that the page or a script uses is in the English file', () => {
    const groups = new Set(Object.keys(en).map((key) => key.split('.')[0])), missing = [];
    for (const [, key] of page.matchAll(/ data-(?:text|label|hint|title)="([^"]+)"/g)) if (!(key in en))
        missing.push(key);
    for (const script of scripts) {
        for (const [, key] of script.matchAll(/\btext(?:With)?\('([^']+)'/g)) if (!(key in en))
            missing.push(key);
        for (const [, key] of script.matchAll(/'([a-z-]+\.[a-z][\w-]*)'/g)) {
            if (groups.has(key.split('.')[0]) && !FILE.test(key) && !(key in en)) missing.push(key);
        }
        for (const [, beginning] of script.matchAll(/\btext(?:With)?\(`([^`$]+)\$\{/g)) {
            if (!Object.keys(en).some((key) => key.startsWith(beginning))) missing.push(`${beginning}…`);
        }
    }
    assert.deepEqual(missing, []);
});

test('no key is in the English file that nobody uses', () => {
    const {whole, beginnings} = findUses();
    assert.deepEqual(Object.keys(en).filter((key) => !whole.has(key)
        && ![...beginnings].some((beginning) => key.startsWith(beginning))), []);
});

test('the English in the page is that of the file', () => {
    const plain = (written) => written.replace(/&nbsp;/g, '\u00a0').replace(/&amp;/g, '&');
    let compared = 0;
    for (const [tag, , content] of page.matchAll(/<([a-z]\w*)\b[^>]*>([^<]*)/g)) {
        const attribute = (name) => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
        for (const [name, shown] of [['text', content], ['label', attribute('aria-label')],
            ['hint', attribute('placeholder')], ['title', attribute('title')]]) {
            const key = attribute(`data-${name}`);
            if (key === undefined) continue;
            assert.equal(plain(shown ?? ''), en[key], `${key}, in index.html and en.json`);
            compared++;
        }
    }
    assert.ok(compared > 40, `${compared} texts are compared`);
});

for (const [tag, texts] of Object.entries(files)) {
    test(`${tag}: the keys of the English file, in order`, () => {
        assert.deepEqual(Object.keys(texts), Object.keys(en).sort((a, b) => a < b ? -1 : 1));
    });

    test(`${tag}: the placeholders and the plural forms that the language has`, () => {
        const {pluralCategories} = new Intl.PluralRules(tag).resolvedOptions();
        for (const [key, entry] of Object.entries(texts)) {
            const forms = formsOf(entry),
                expected = placeholdersOf(formsOf(en[key]).other ?? formsOf(en[key])['']);
            assert.equal(typeof entry, typeof en[key], key);
            if (typeof entry !== 'string')
                assert.deepEqual(Object.keys(forms).sort(), [...pluralCategories].sort(), key);
            for (const [name, form] of Object.entries(forms)) {
                assert.ok(form.trim(), `${key} ${name} is empty`);
                const found = placeholdersOf(form);
                // Where a form is for one number alone, the number may be a word.
                if (['zero', 'one', 'two'].includes(name))
                    assert.deepEqual(found.filter((one) => !expected.includes(one)), [], `${key} ${name}`);
                else assert.deepEqual(found, expected, `${key} ${name}`);
            }
        }
    });
}

test('what a button shows is in its longer name, for those who speak to their machine', () => {
    const pairs = [['model.continue', 'model.continue-download'], ['stored.check', 'stored.check-what'],
        ['stored.export', 'stored.export-what'],
        ['stored.replace', 'stored.replace-what'], ['action.delete', 'stored.delete-what'],
        ...['check', 'export', 'repair'].map((doing) => ['action.cancel', `cancel.${doing}`])];
    for (const [tag, texts] of Object.entries(files)) {
        for (const [short, long] of pairs) {
            const [shown, name] = [texts[short], texts[long]].map((form) => String(form)
                .toLocaleLowerCase(tag));
            const isWritten = ['ja', 'zh'].includes(tag) ? name.includes(shown)
                : new RegExp(`(?<![\\p{L}\\p{M}])${shown}(?![\\p{L}\\p{M}])`, 'u').test(name);
            assert.ok(isWritten, `${tag}: ${shown} is not in ${name}`);
        }
    }
});

test('a plural takes the form of its number, and numbers are written as the language does', () => {
    const forms = {zero: 'zero', one: 'one', two: 'two', few: 'few {count}', many: 'many {count}',
        other: 'other {count}'};
    useTexts('ar', {things: forms});
    assert.deepEqual([0, 1, 2, 3, 11, 100].map((count) => text('things', {count}).split(' ')[0]),
        ['zero', 'one', 'two', 'few', 'many', 'other']);
    useTexts('de', {things: forms, ...files.de});
    assert.equal(text('things', {count: 12345}), 'other 12.345');
    assert.deepEqual([1.5e9, 2.53e8, 5.2e6].map((n) => bytes(n).replace(/\s/, ' ')),
        ['1,50 GB', '253 MB', '5,2 MB']);
    assert.equal(list(['a', 'b']), 'a und b');
    useTexts('en', en);
    assert.deepEqual([bytes(1.5e9), bytes(2.53e8), bytes(5.2e6), bytes(2500), bytes(999), percent(0.409),
        duration(0.2), duration(61), duration(7800)],
        ['1.50 GB', '253 MB', '5.2 MB', '3 kB', '1 kB', '40%', '1 s', '2 min', '2 h 10 min']);
    assert.deepEqual([list(['a', 'b', 'c']), date(new Date(2026, 4, 3).getTime())],
        ['a, b, c', 'May 3, 2026']);
});

test('a value is put in as it is, and elements between the words', () => {
    useTexts('en', {a: '{name} and {name}: {other}', b: 'By {link}.'});
    assert.equal(text('a', {name: '$& {other}', other: '<b>'}), '$& {other} and $& {other}: <b>');
    const link = /** @type {any} */ ({});
    assert.deepEqual(textWith('b', {link}), ['By ', link, '.']);
    useTexts('en', en);
});

test('the first language that a person reads is taken, English where there is none of them', () => {
    assert.equal(findLanguage(['nl-NL', 'pt-BR', 'en']), 'pt');
    assert.equal(findLanguage(['zh-Hant-TW']), 'zh');
    assert.equal(findLanguage(['nl', 'toString']), 'en');
});
