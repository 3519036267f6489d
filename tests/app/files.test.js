// Files of a message, but for the page: what is read of them, where long texts are cut, and how a model is
// asked about what does not fit.

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answerInParts} from '../../web/app/files/answering.js';
import {asNew, lookedUp, toAsked} from '../../web/app/files/asking.js';
import {countTokens, estimateTokens} from '../../web/app/files/counting.js';
import {findPassages} from '../../web/app/files/finding.js';
import {htmlToText} from '../../web/app/files/html.js';
import {askInParts} from '../../web/app/files/in_parts.js';
import {cutText, pagesOf, placeOf} from '../../web/app/files/passages.js';
import {prepare} from '../../web/app/files/prepare.js';
import {MOST_BYTES, cleanName, readFile} from '../../web/app/files/reading.js';

const bytesOf = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
const fileOf = (content, name = 'a.txt', type = '') => new File([content], name, {type});
const refused = (code) => (error) => error.code === code;
/** A token for each run of letters, digits or other signs, and for each white space. */
const tokensOf = (text) => text.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu) ?? [];
const count = async (text) => tokensOf(text).length;

test('HTML gives what people read, in lines, and nothing of what is for machines', () => {
    assert.equal(htmlToText(
        '<!DOCTYPE html><html><head><title>A &amp; B</title><style>p > a {}</style></head><body><h1>One</h1><p>Two\n  <b>th</b>ree &lt;4&gt;</p><ul><li>x<li>y</ul>' +
        '<script>if (a < b) document.write("</p>")</script><!-- no <p>no</p> -->end</body></html>'),
        'A & B\n\n# One\n\nTwo three <4>\n\n- x\n- y\n\nend');
    assert.equal(htmlToText('<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>'),
        'a\tb\n1\t2');
    assert.equal(htmlToText('<pre>a\n  b\n</pre>c<br>d'), 'a\n  b\n\nc\nd');
    assert.equal(htmlToText(
        '&eacute;&Uuml;&#x1F600;&#8364;&nbsp;&hellip;&constructor;&omega;&Omega;&#0;&#xD800;'),
        'éÜ😀€ …&constructor;ωΩ\ufffd\ufffd');
    assert.equal(htmlToText('1 < 2 & 3 <a title="a > b">go</a><a title=\'">\'>on</a>'), '1 < 2 & 3 goon');
    assert.equal(htmlToText('<SCRIPT>x</ScRiPt >shown<svg/>too<svg onload=x><text>no</text></svg>!'),
        'showntoo!');
});

test('HTML with faults ends where it ends, in a time that grows with its length', () => {
    assert.equal(htmlToText('a<script>b'), 'a');
    assert.equal(htmlToText('a<!-- b'), 'a');
    assert.equal(htmlToText('a<b title="c'), 'a');
    assert.equal(htmlToText('İ<STYLE>x</STYLE>b'), 'İb');
    // Each would take hours if it were read again for each of its beginnings.
    for (const part of ['<', '<!--', '<a ', '<a "', '</', '<svg>', '<script></scriptx', '&', '<!', ' ', '\n ',
        '<pre>  ', '<p>']) htmlToText(part.repeat(300_000));
});

test('texts are read in the encoding that they have', async () => {
    const text = 'Käse 🧀\nзима', read = async (bytes) => (await readFile(fileOf(bytes))).text;
    assert.equal(await read(text), text);
    assert.equal(await read(bytesOf([0xef, 0xbb, 0xbf], text)), text);
    assert.equal(await read(bytesOf([0xff, 0xfe], Buffer.from(text, 'utf16le'))), text);
    assert.equal(await read(bytesOf([0xfe, 0xff], Buffer.from(text, 'utf16le').swap16())), text);
    assert.equal(await read(Buffer.from('plain letters', 'utf16le')), 'plain letters');
    assert.equal(await read(bytesOf([0x43, 0x61, 0x66, 0xe9])), 'Café');
    assert.equal(await read('a\r\nb\rc'), 'a\nb\nc');
    // The first bytes that are looked at may end within a character.
    assert.equal((await read('é'.repeat(5000) + 'a')).length, 5001);
    assert.equal((await read(`a${'é'.repeat(5000)}`)).length, 5001);
    const bad = bytesOf('Müller;Größe\n'.repeat(20), [0xe4], '\nEnde'), cut = bytesOf('Größe ü').slice(0, -1);
    assert.equal((await readFile(fileOf(bad, 'a.csv'))).text, `${'Müller;Größe\n'.repeat(20)}\ufffd\nEnde`,
        'UTF-8 with a bad byte');
    assert.equal((await readFile(fileOf(cut))).text, 'Größe \ufffd', 'UTF-8 that was cut');
    const cyrillic = bytesOf('<meta charset="windows-1251"><p>',
        [0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2], '</p>');
    assert.equal((await readFile(fileOf(cyrillic, 'a.html', 'text/html'))).text.trim(), 'Привет');
});

/** Of hexadecimal digits. */
const hex = (digits) => Buffer.from(digits, 'hex');

test("a text of an older program is read in an encoding of the reader's languages", async () => {
    const simple = 'c4e3bac3a3accac0bde7a1a3', japanese = '82b182f182c982bf82cd814190a28a458142',
        russian = 'cff0e8e2e5f22c20ece8f0';
    for (const [digits, languages, ...expected] of [
        [simple, ['zh-CN', 'en'], '你好，世界。', 'GB18030'], [simple, ['en-US', 'zh'], '你好，世界。', 'GB18030'],
        ['a741a66ea141a540acc9a143', ['zh-TW', 'zh'], '你好，世界。', 'Big5'],
        ['a741a66e', ['zh-Hant-HK'], '你好', 'Big5'],
        [japanese, ['ja'], 'こんにちは、世界。', 'Shift_JIS'], [japanese, ['ru', 'ja'], 'こんにちは、世界。', 'Shift_JIS'],
        ['a4b3a4f3a4cba4c1a4cfa1a2c0a4b3a6a1a3', ['ja-JP'], 'こんにちは、世界。', 'EUC-JP'],
        ['bec8b3e7c7cfbcbcbfe4', ['ko-KR', 'ko'], '안녕하세요', 'EUC-KR'],
        [russian, ['ru'], 'Привет, мир', 'windows-1251'], [russian, ['en', 'uk'], 'Привет, мир', 'windows-1251'],
        ['5a61bff3b3e6', ['pl', 'en'], 'Zażółć', 'windows-1250'],
        [russian, ['de', 'pl'], 'Ïðèâåò, ìèð', 'windows-1252'], [russian, [], 'Ïðèâåò, ìèð', 'windows-1252'],
    ]) {
        const {text, encoding} = await readFile(fileOf(hex(digits)), {languages});
        assert.deepEqual([text, encoding], expected, `${languages}`);
    }
    const long = bytesOf('a', hex(simple.repeat(5000))),
        {text} = await readFile(fileOf(long), {languages: ['zh']});
    assert.equal(text, `a${'你好，世界。'.repeat(5000)}`, 'its head ends within a character');
});

test('where another script is likely, words with accents are Latin all the same', async () => {
    for (const written of ['Café', 'naïve résumé', 'Müller, Größe', 'Übung', 'garçon', 'don\x92t', 'Aoû\xa0t']) {
        // Node 20 takes windows-1252 for Latin-1; browsers have a ’ there
        const bytes = Buffer.from(written, 'latin1'), expected = new TextDecoder('windows-1252').decode(bytes);
        assert.equal(expected.replace(/[\x92’]/, '\x92'), written);
        for (const language of ['zh-CN', 'zh-TW', 'ja', 'ko', 'ru', 'el', 'he', 'ar', 'th', 'fr']) {
            const {text, encoding} = await readFile(fileOf(bytes), {languages: [language]});
            assert.deepEqual([text, encoding], [expected, 'windows-1252'], language);
        }
    }
    const mixed = '用Python写Code很好', bytes = hex('d3c3507974686f6ed0b4436f6465badcbac3');
    assert.equal((await readFile(fileOf(bytes), {languages: ['zh']})).text, mixed);
});

test('an encoding that a file says is taken, and is not said to be assumed', async () => {
    const read = (...parts) => readFile(fileOf(bytesOf(...parts)), {languages: ['zh']});
    for (const head of ['<?xml version="1.0" encoding="windows-1251"?>', '<meta charset=windows-1251>']) {
        assert.deepEqual(await read(head, hex('cff0e8e2e5f2')),
            {name: 'a.txt', type: 'text/plain', size: head.length + 6, text: `${head}Привет`});
    }
    assert.equal('encoding' in await read('Größe'), false);
});

test('a file that is no text is refused by a code, under any name', async () => {
    await assert.rejects(readFile(fileOf(bytesOf('PK\x03\x04', [0, 0, 8, 0]), 'a.txt', 'text/plain')),
        refused('kind'));
    await assert.rejects(readFile(fileOf(Uint8Array.from({length: 5000}, (_, i) => i * 7919 % 256), 'a.csv')),
        refused('kind'));
    await assert.rejects(readFile(fileOf(bytesOf('a'.repeat(MOST_BYTES / 2), [0]), 'a.txt')),
        refused('kind'));
    await assert.rejects(readFile(fileOf('', 'a.txt')), refused('empty'));
    await assert.rejects(readFile(fileOf(' \n ', 'a.txt')), refused('empty'));
    await assert.rejects(readFile(fileOf('<html><script>1</script></html>', 'a.html')), refused('empty'));
    await assert.rejects(readFile(/** @type {any} */ ({name: 'folder', size: 4096,
        slice: () => ({arrayBuffer: async () => { throw new DOMException('', 'NotReadableError'); }})})),
        refused('unreadable'));
});

test('a file that is too large is not read', async () => {
    let reads = 0;
    const large = {
        name: 'a.txt', type: '', size: 100e6, slice: () => new Blob(['letters']),
        arrayBuffer: async () => { reads++; return new ArrayBuffer(0); },
    };
    await assert.rejects(readFile(/** @type {any} */ (large)), (error) => error.code === 'too-large'
        && error.values.size === 100e6);
    await assert.rejects(readFile(/** @type {any} */ ({...large, slice: () => new Blob(['%PDF-1.7'])}),
        {pdfToText: async () => ''}), refused('too-large'));
    assert.equal(reads, 0);
});

test('a PDF is one by its bytes, and a file without text says so', async () => {
    assert.deepEqual(await readFile(fileOf('junk\n%PDF-1.4 …', 'a.txt'), {pdfToText: async () => 'x'}),
        {name: 'a.txt', type: 'application/pdf', size: 17, text: 'x'});
    await assert.rejects(readFile(fileOf('%PDF-1.4', 'a.pdf'), {pdfToText: async () => '\f \f'}),
        refused('pdf-empty'));
    assert.equal((await readFile(fileOf('not one', 'a.pdf'))).text, 'not one');
    const code = "let head = '%PDF-1.4';", about = fileOf(code, 'a.js');
    assert.equal((await readFile(about, {pdfToText: async () => 'x'})).text, code, 'a text about PDFs');
    assert.equal((await readFile(fileOf('<p>a</p>', 'A.HTM'))).text, 'a');
    assert.equal((await readFile(fileOf('  <!DOCTYPE html><p>a</p>', 'noname'))).type, 'text/html');
    assert.equal((await readFile(fileOf('<p>a</p>', 'a.js'))).text, '<p>a</p>');
});

test('a program that begins as a page does is read as it is; a page without an ending is one', async () => {
    const source = '<!DOCTYPE html>\n<script>let a = 1;</script><?php echo $b; ?><p>c</p>',
        readAs = async (name, type) => (await readFile(fileOf(source, name, type))).text;
    for (const [name, type] of [['index.php'], ['a.jsp'], ['a.ejs'], ['a.hbs'], ['a.html.twig'],
        ['a.html.erb'], ['a.vue'], ['a.txt'], ['a.php~'], ['index.php', 'text/html'],
        ['a.aspx', 'application/xhtml+xml']]) assert.equal(await readAs(name, type), source, name);
    for (const [name, type] of [['page'], ['Version 2.5'], ['Mr. Smith'], ['a.html'], ['a.XHTML'],
        ['a.shtml'], ['example.com', 'text/html'], ['noname', 'application/xhtml+xml']])
        assert.equal(await readAs(name, type), 'c', name);
});

test('a name is one line of a bounded length', () => {
    assert.equal(cleanName('a\n\u202eb\u0000c.txt'), 'a b c.txt');
    assert.equal(cleanName('\n'), 'file');
    assert.ok(cleanName(`${'x'.repeat(5000)}.pdf`).length <= 200 && cleanName(`${'x'.repeat(5000)}.pdf`)
        .endsWith('.pdf'));
    assert.ok(cleanName('🧀'.repeat(500)).isWellFormed());
});

test('a file stands before the question, between marks that it does not have', () => {
    const asked = toAsked({role: 'user', content: 'Why?',
        attachments: [{name: 'a"b\n.js', type: '', size: 1, text: 'let a = `x`;\n````\n'},
            {name: 'b.pdf', type: '', size: 1, text: 'all', asked: 'some', how: 'first'}]});
    assert.equal(asked.content,
        'File "a\'b\'.js":\n`````js\nlet a = `x`;\n````\n`````\n\nFile "b.pdf", its beginning:\n```\nsome\n```\n\nWhy?');
    assert.deepEqual(toAsked({role: 'assistant', content: 'a'}), {role: 'assistant', content: 'a'});
    const asPart = /** @type {any} */ ({role: 'user', content: 'Q',
        attachments: [{name: 'a', type: '', size: 1, text: 'secret', how: 'parts'}]});
    assert.doesNotMatch(String(toAsked(asPart, true).content), /secret/);
    const lookedUpNow = /** @type {any} */ ({role: 'user', content: 'Q',
        attachments: [{name: 'a', type: '', size: 1, text: 'secret', how: 'search', asked: 'passage'}]});
    assert.match(String(toAsked(lookedUpNow, true).content), /passages of it:\n```\npassage\n```\n\nQ$/);
    assert.doesNotMatch(String(toAsked(lookedUpNow).content), /secret|passage\n/);
});

test('files that are looked up are looked up for the next question, too, and anew for one that was changed',
    () => {
    const path = /** @type {any[]} */ ([{attachments: [{name: 'a', type: '', size: 9, text: 'long',
        how: 'search', asked: 'x'}, {name: 'b', type: '', size: 1, text: 'y'}]}, {}]);
    const [found, ...more] = lookedUp(path, []);
    assert.deepEqual([found.name, found.how, found.text, more.length], ['a', 'found', '', 0]);
    assert.deepEqual(lookedUp(path, [{name: 'c', type: '', size: 1, text: 'z', how: 'parts'}])
        .map(({name}) => name), ['c']);
    assert.deepEqual(asNew([{...found, text: 'some'}, path[0].attachments[0]])
        .map(({text, asked}) => [text, asked]), [['', undefined], ['long', undefined]]);
});

test('tokens are counted in pieces that cut no character, and estimated without a model', async () => {
    const pieces = [], text = `${'🧀'.repeat(20_000)}\n${'a b\n'.repeat(10_000)}`;
    await countTokens(text, async (piece) => pieces.push(piece));
    assert.equal(pieces.join(''), text);
    assert.ok(pieces.length > 3 && pieces.every((piece) => piece.isWellFormed() && piece.length <= 16_385));
    assert.equal(estimateTokens('a'.repeat(400)), 100);
    assert.equal(estimateTokens('冬'.repeat(160)), 100);
    const stop = new AbortController();
    await assert.rejects(countTokens(text, async () => stop.abort(), stop.signal), {name: 'AbortError'});
});

const LONG = Array.from({length: 60},
    (_, i) => `Paragraph ${i} begins here. It says that the keeper counted ${i} ships.\nThen it ends.`)
    .join('\n\n');

test('passages have no gaps, are as long as they may be, and end where paragraphs do', async () => {
    for (const most of [1, 2, 7, 40, 100, 100_000]) {
        const passages = await cutText(LONG, most, count);
        assert.equal(passages.map(({start, end}) => LONG.slice(start, end)).join(''), LONG);
        assert.ok(passages.every(({tokens}) => tokens <= most), `${most}`);
    }
    const passages = await cutText(LONG, 100, count);
    assert.ok(passages.slice(0, -1).every(({end}) => LONG.slice(0, end).endsWith('\n\n')));
    assert.ok(passages.slice(0, -1).every(({tokens}) => tokens > 50));
    assert.equal((await cutText(LONG, 100, count, {passages: 2})).length, 2);
    const from = passages[1].end - 20, rest = await cutText(LONG, 300, count, {from});
    assert.equal(rest.map(({start, end}) => LONG.slice(start, end)).join(''), LONG.slice(from));
    assert.deepEqual(await cutText('', 10, count), []);
});

test('a text without any border is cut within its words, between characters', async () => {
    const letters = async (text) => [...text].length;
    for (const text of ['x'.repeat(5000), '🧀'.repeat(3000), '冬が来る。'.repeat(500),
        `${' '.repeat(4000)}a${'\n'.repeat(4000)}`]) {
        const passages = await cutText(text, 64, letters);
        assert.equal(passages.map(({start, end}) => text.slice(start, end)).join(''), text);
        assert.ok(passages.every(({start, end, tokens}) => tokens <= 64 && text.slice(start, end)
            .isWellFormed()));
    }
});

test('a text of megabytes is cut by few counts', async () => {
    let counts = 0;
    for (const unit of ['word ', 'x', 'One sentence. ', '\n', 'a\n\n', '")\' ']) {
        counts = 0;
        const text = unit.repeat(2e6 / unit.length),
            passages = await cutText(text, 500, async (part) => (counts++, Math.ceil(part.length / 4)));
        assert.equal(passages.at(-1).end, text.length);
        assert.ok(counts < 12_000, `${JSON.stringify(unit)}: ${counts}`);
    }
});

test('the place of a passage is its page, or its lines', () => {
    assert.deepEqual(placeOf('a\nb\nc\nd', {start: 2, end: 6}), {lines: [2, 3]});
    assert.deepEqual(placeOf('a\fb\fc', {start: 4, end: 5}), {page: 3});
    const pages = `${'a '.repeat(50)}\fb\f\fc c c`,
        starts = [0, 40, 100, 101, 102, 103, 104, 106].map((start) => ({start, end: start + 1}));
    assert.deepEqual(pagesOf(pages, starts), starts.map((passage) => placeOf(pages, passage).page));
    assert.deepEqual(pagesOf('no pages', [{start: 0}]), [undefined]);
});

/** A model that counts as above, and embeds a text as the letters that it has. */
const fakeModel = (contextLength = 600) => {
    const embedded = [];
    return /** @type {any} */ ({
        info: {contextLength}, embedded,
        count: async (messages) => messages.reduce((sum, {content}) => sum + tokensOf(content).length + 4, 1),
        tokenize: async (text) => tokensOf(text),
        embed: async (texts, {signal} = {}) => texts.map((text) => {
            signal?.throwIfAborted();
            embedded.push(text);
            const vector = new Float32Array(26);
            for (const letter of text.toLowerCase()) if (letter >= 'a' && letter <= 'z')
                vector[letter.charCodeAt(0) - 97]++;
            const length = Math.hypot(...vector) || 1;
            return vector.map((value) => value / length);
        }),
    });
};
const asking = (gemma, more = {}) => ({
    gemma, path: [], system: '', maxTokens: 50, signal: new AbortController().signal, onProgress: () => {},
    ...more,
});
const question = (content, attachments) => /** @type {any} */ ({role: 'user', content, attachments});

test('of files that do not fit, small ones are read whole and large ones as far as they fit', async () => {
    const gemma = fakeModel(),
        files = [
            {name: 'long.txt', type: '', size: 1, text: LONG, how: 'first', tokens: 1500},
            {name: 'short.txt', type: '', size: 1, text: 'Short.', how: 'first', tokens: 2},
        ];
    const prepared = await prepare(question('Why?', files), asking(gemma)), [long, short] = prepared;
    assert.ok(LONG.startsWith(long.asked) && long.asked.endsWith('\n\n') && long.text === LONG);
    assert.deepEqual([short.how, short.asked, short.text], [undefined, undefined, 'Short.']);
    const used = await gemma.count([toAsked(question('Why?', prepared))]);
    assert.ok(used + 50 <= 600 && used > 300, `${used}`);
});

test('where a conversation leaves no space for a file, that is said by a code', async () => {
    const path = [question('word '.repeat(250))],
        files = [{name: 'a', type: '', size: 1, text: LONG, how: 'first'}];
    await assert.rejects(prepare(question('Why?', files), asking(fakeModel(), {path})),
        {code: 'context-full'});
});

const FACTS = [
    ...Array.from({length: 40}, (_, i) => `Entry ${i}: the weather was calm, and nothing happened.`),
    'The zebra quizzed Zoltan in Brazil.',
    ...Array.from({length: 40}, (_, i) => `Later ${i}: the weather was calm.`),
].join('\n\n');

test('the passages that have to do with a question are found, with their places, and computed once',
    async () => {
    const gemma = fakeModel(),
        found = await findPassages([{name: 'a', text: FACTS}], 'Which zebra quizzed Zoltan?',
            {gemma, room: 90, count});
    assert.match(found.get('a'), /^\[lines? \d+(-\d+)?\]\n/);
    assert.match(found.get('a'), /zebra quizzed/);
    assert.ok(await count(found.get('a')) <= 90);
    const before = gemma.embedded.length;
    await findPassages([{name: 'a', text: FACTS}], 'Another?', {gemma, room: 90, count});
    assert.equal(gemma.embedded.length, before + 1);
});

test('looking up that is stopped goes on where it was', async () => {
    const gemma = fakeModel(), stop = new AbortController();
    await assert.rejects(findPassages([{name: 'a', text: FACTS}], 'Q',
        {gemma, room: 90, count, signal: stop.signal, onProgress: (share) => share > 0.4 && stop.abort()}),
        {name: 'AbortError'});
    const before = gemma.embedded.length;
    assert.ok(before > 4);
    await findPassages([{name: 'a', text: FACTS}], 'Q', {gemma, room: 90, count});
    const other = fakeModel();
    await findPassages([{name: 'a', text: FACTS}], 'Q', {gemma: other, room: 90, count});
    assert.deepEqual(gemma.embedded, other.embedded);
});

test('embeddings are handed over while they are made, and the next model takes them', async () => {
    const handed = [], kept = {read: async () => [], keep: async (passages, vectors) =>
        void handed.push([passages, [...vectors]])}, gemma = fakeModel();
    const long = Array.from({length: 400}, (_, i) => `${i}. ${FACTS.slice(0, 500)}`).join('\n\n');
    await findPassages([{name: 'a', text: long}], 'Q', {gemma, room: 900, count, kept});
    const [passages, vectors] = handed.at(-1);
    assert.ok(handed.length > 2 && handed.length < 12, `${handed.length}`);
    assert.deepEqual([vectors.length, passages.join('')], [passages.length, long]);
    for (const room of [900, 800]) {
        const other = fakeModel(), asked = [];
        await findPassages([{name: 'a', text: long}], 'Q', {
            gemma: other, room, count,
            kept: {...kept, read: async (passages) => (asked.push(passages), vectors.slice(0, 50))},
        });
        assert.deepEqual([asked[0].join('|') === passages.join('|'), other.embedded.length],
            [true, passages.length - 50 + 1], `${room}`);
    }
});

test('a later question is looked up in a file of an earlier message', async () => {
    const gemma = fakeModel(),
        first = question('About calm?',
            [{name: 'a', type: '', size: 1, text: FACTS, how: 'search', asked: 'x'}]);
    const [found] = await prepare(question('Which zebra?', lookedUp([first], [])),
        asking(gemma, {path: [first]}));
    assert.deepEqual([found.name, found.how], ['a', 'found']);
    assert.match(found.text, /zebra/);
});

/** Asks in parts with a model that answers by `answer`. */
const inParts = async (room, {answer = (content) => `About ${content.length}.`, text = LONG,
    ...more} = {}) => {
    const titles = [], prompts = [], begun = [];
    const ask = async (content, isLast, continued) => {
        prompts.push(content);
        if (continued !== undefined) begun.push(continued);
        assert.ok(await count(content) <= room + 120, `${await count(content)}`);
        return answer(content, prompts.length);
    };
    await askInParts({
        question: 'Sum it up.', attachments: [{name: 'a.txt', type: '', size: 1, text, how: 'parts'}], room,
        count, ask, onTitle: (title) => titles.push(title), ...more,
    });
    return {titles, prompts, begun};
};
/** The text of each part that was asked about. */
const partsIn = (prompts) => prompts.flatMap((prompt) =>
    /```\n([^]*)\n```\n\nSum it up\.$/.exec(prompt)?.[1] ?? []);

test('every part is asked about in turn, then the answers are put together', async () => {
    const {titles, prompts} = await inParts(300), parts = titles.filter(({part}) => part);
    assert.ok(parts.length > 2);
    assert.deepEqual(parts.map(({part}) => part), parts.map((_, i) => i + 1));
    assert.ok(parts.every((each) => each.parts === parts.length));
    assert.deepEqual(titles.at(-1), {last: true});
    assert.equal(prompts.length, parts.length + 1);
    const texts = partsIn(prompts);
    assert.equal(texts.length, parts.length);
    for (let i = 0; i < 60; i++)
        assert.equal(texts.filter((text) => text.includes(`Paragraph ${i} `)).length, 1);
});

test('answers that do not fit together are put together in rounds', async () => {
    const {titles, prompts} = await inParts(120, {answer: () => 'word '.repeat(40)});
    assert.ok(titles.some(({round}) => round === 2), JSON.stringify(titles));
    assert.deepEqual(titles.at(-1), {last: true});
    assert.match(prompts.at(-1), /Sum it up\.$/);
});

test('answers as long as the context, or empty ones, end all the same', async () => {
    for (const answer of [() => 'word '.repeat(5000), () => ''])
        assert.deepEqual((await inParts(64, {answer})).titles.at(-1), {last: true});
});

/** What a run has done that was stopped after some parts. */
async function stopped(after, room) {
    const stop = new AbortController();
    let kept, asked;
    await assert.rejects(inParts(room, {onDone: (done) => { kept = done; }, answer(content, n) {
        if (n <= after) asked = [...asked ?? [], content];
        if (n <= after) return `Answer ${n}`;
        stop.abort();
        throw stop.signal.reason;
    }}), {name: 'AbortError'});
    return {kept, asked};
}

test('a run that is stopped keeps its answers so far, and continues with the next part', async () => {
    const {kept} = await stopped(2, 300);
    assert.deepEqual(kept.parts, ['Answer 1', 'Answer 2']);
    const {titles, prompts} = await inParts(300, {done: kept}), {parts} = kept;
    assert.equal(titles[0].part, 3);
    assert.match(prompts.at(-1), /Answer 1[^]*Answer 2/);
    const older = await inParts(300, {done: {parts}});
    assert.deepEqual(older, {titles, prompts, begun: []}, 'as older versions kept it');
});

test('a run continues where its text ended, also where the parts have another length now', async () => {
    const {kept, asked} = await stopped(2, 200);
    for (const room of [100, 200, 450, 5000]) {
        const {titles, prompts} = await inParts(room, {done: kept}), texts = partsIn([...asked, ...prompts]),
            parts = titles.filter(({part}) => part);
        for (let i = 0; i < 60; i++)
            assert.equal(texts.filter((text) => text.includes(`Paragraph ${i} `)).length, 1, `${room}: ${i}`);
        assert.deepEqual(parts.map(({part}) => part), parts.map((_, i) => i + 3), `${room}`);
        assert.ok(parts.every((each) => each.parts === parts.length + 2));
    }
    const attachments = ['a', 'b', 'c'].map((name) => ({name, type: '', size: 1, text: `Text ${name}. `
        .repeat(60), how: 'parts'}));
    const {titles, prompts} = await inParts(400, {attachments, done: {parts: ['A', 'B'], readTo: {file: 1,
        end: attachments[1].text.length - 8}}});
    assert.deepEqual([titles.map(({name}) => name), partsIn(prompts)[0]], [['b', 'c', undefined], 'Text b.']);
});

test('an answer to all that was cut is continued, with what it was asked with', async () => {
    const end = LONG.length, parts = Array.from({length: 4}, (_, i) => `Note ${i}. ${'word '.repeat(40)}`);
    const whole = await inParts(600, {done: {parts, readTo: {file: 0, end}}});
    assert.deepEqual(whole.titles, [{last: true}]);
    const more = await inParts(600, {done: {parts, readTo: {file: 0, end}}, begun: 'All in all'});
    assert.deepEqual([more.titles, more.begun, more.prompts], [[], ['All in all'], whole.prompts]);
    const begun = 'word '.repeat(50), {prompts} = await inParts(300, {done: {parts, readTo: {file: 0, end}},
        begun});
    assert.match(prompts[0], /Note 0\.[^]*Note 1\.[^]*Note 2\.[^]*Note 3\./);
    assert.ok(await count(prompts[0]) + await count(begun) <= 300 + 120, 'as much of each as fits');
});

test('an only part is continued, as far as it is one; it is never asked about as nothing', async () => {
    const text = 'A short text. '.repeat(20), done = {parts: ['Short'], readTo: {file: 0, end: text.length}};
    for (const more of [{done}, {done: {parts: ['Short']}}, {}]) {
        const {titles, prompts, begun} = await inParts(300, {text, begun: 'Short', ...more});
        assert.deepEqual([titles, begun, partsIn(prompts)], [[], ['Short'], [text.trim()]]);
    }
    const {titles, prompts} = await inParts(40, {text, begun: 'Short'});
    assert.equal(titles[0].part, 1);
    assert.equal(partsIn(prompts).join(' '), text.trim(), 'what no part has is read');
});

/** Answers a question about a file part by part, by a session that writes `pieces` and then ends so. */
async function written(answer, text, replies, more = {}) {
    const prompts = [], gemma = {...fakeModel(4096), session: async () => ({close: async () => {},
        prompt(messages, {constraint}) {
            prompts.push({messages, isForm: Boolean(constraint)});
            const [piece, finishReason] = replies.shift();
            return {async *[Symbol.asyncIterator]() { yield piece; }, result: Promise.resolve({text: piece,
                finishReason, tokens: [1], promptTokens: [1], timings: {}})};
        }})};
    const asked = question('Sum it up.', [{name: 'a.txt', type: '', size: 1, text, how: 'parts'}]);
    const result = await answerInParts(asked, answer, {gemma, system: '', onReading() {},
        options: {signal: new AbortController().signal, maxTokens: 50, ...more},
        onPiece: (piece) => { answer.content += piece; }, onDone: (done) => Object.assign(answer, done)});
    return {prompts, result};
}
const messagesOf = ({prompts}) => prompts.map(({messages}) => messages.map(({role, content}) =>
    role === 'user' ? role : content));

test('an answer about a file in one part that was cut continues itself', async () => {
    const answer = {content: ''}, text = 'A short text. '.repeat(20);
    const first = await written(answer, text, [['The text', 'length']]);
    assert.deepEqual([messagesOf(first), answer.parts], [[['user']], ['The text']]);
    const head = answer.content.slice(0, answer.lastAt);
    for (const end of ['length', 'stop']) {
        const {content} = answer, next = await written(answer, text, [[` ${end}`, end]]);
        assert.deepEqual([messagesOf(next), next.result.finishReason, answer.content],
            [[['user', content.slice(head.length)]], end, `${content} ${end}`]);
        assert.equal(next.prompts[0].messages[0].content, first.prompts[0].messages[0].content);
    }
    const older = {content: '### Part 1 of 1 · a.txt\n\nThe text', parts: ['The text']};
    assert.deepEqual(messagesOf(await written(older, text, [[' is short.', 'stop']])),
        [['user', 'The text']]);
    assert.ok(older.content.endsWith('\n\nThe text is short.'));
});

test('an answer to all parts that was cut continues itself, also in the form that was asked for',
    async () => {
    const answer = {content: ''}, text = LONG, form = {constraint: {schema: {}}};
    const first = await written(answer, text,
        [['One', 'stop'], ['```\nTwo', 'length'], ['{"a": "b', 'length']], form);
    assert.deepEqual(first.prompts.map(({isForm}) => isForm), [false, false, true]);
    assert.ok(answer.content.includes('```\nTwo\n```') && answer.content.endsWith('```json\n{"a": "b'));
    const {content} = answer, next = await written(answer, text, [['c"}', 'stop']], form);
    assert.deepEqual([messagesOf(next), next.prompts[0].isForm, answer.content],
        [[['user', '{"a": "b']], true, `${content}c"}\n\`\`\``]);
});
