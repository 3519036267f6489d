// Answers as elements: the same however they come in, without flicker, in bounded time; and nothing that is
// written runs in the page.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {openBrowser, reasonToSkip} from './harness/browsers.js';
import {startDevelopment} from './harness/servers.js';
import {PAYLOADS} from './payloads.js';

const skip = reasonToSkip('chromium');
const ANSWER = `# Title *x*

Some **bold** text with \`code\`, a [link](https://a.b "t"), <b>no HTML</b>, &amp; &copy;, https://auto.link and www.x.de.

- one
- two
  - nested
  - [x] done

1. a
2. b

   a second paragraph
3. c

> quote **b**
> - in a quote

| a | b |
|:-:|--:|
${Array.from({length: 15}, (_, i) => `| ${i} | *row ${i}* |`).join('\n')}

${Array.from({length: 20}, (_, i) => `- item ${i} **b**`).join('\n')}

\`\`\`js
let a = "x"; // c

\`\`\`

~~~
unknown
\`\`\`
~~~

Setext
======

line one  
hard break\\
and ![a picture](https://i.m/g.png) [script](javascript:alert(1)) [file](foo.html)

---

### H3
##### H5

    indented

The end, with \`\`\`
`;
/** More than the lexer is made for, of so many characters. */
const HOSTILE = [
    '[', '*a ', '**', '_a ', '> ', '![[]()', '[a](', '`a', 'a@', '<a ', '- ', '|a', '\n> - ', '*a **a ',
    '&#x26;', 'www.', '\n    ', '1. ',
].map((part) => part.repeat(40_000 / part.length));

/** @type {import('./harness/page.js').Page} */
let page;
let site;
before(async () => {
    if (skip) return;
    site = await startDevelopment();
    page = await openBrowser('chromium');
    await page.goto(site.url);
    await page.until(() => document.querySelector('.card') !== null);
    await page.evaluate(async () => {
        const {Markdown, renderMarkdown} = await import('/app/markdown/markdown.js'),
            labels = {copy: 'Copy', copied: 'Copied', image: 'Image', thinking: 'Thinking'};
        window.open = undefined;
        Object.assign(window, {
            Markdown, labels,
            place: () => document.body.appendChild(document.createElement('div')),
            whole(text) {
                const made = window.place();
                renderMarkdown(made, text, {labels});
                return made;
            },
            /** In pieces of up to so many characters. */
            pieces(text, most, seed) {
                const made = window.place(), writer = new Markdown(made, {labels});
                let random = seed;
                for (let i = 0; i < text.length;) {
                    random = random * 16807 % 2147483647;
                    const size = 1 + random % most;
                    writer.write(text.slice(i, i += size));
                }
                writer.end();
                return made;
            },
        });
    });
});
after(async () => {
    await page?.close();
    await site?.close();
});

test('an answer is the same in any pieces', {skip}, async () => {
    const {outline, others} = await page.evaluate((text) => {
        const made = window.whole(text), others = [];
        for (let i = 1; i <= 60; i++) {
            const other = window.pieces(text, [3, 20, 200][i % 3], i);
            if (!other.isEqualNode(made)) others.push(i);
            other.remove();
        }
        const outline = [...made.children].map(({localName}) => localName).join(' ');
        made.remove();
        return {outline, others};
    }, ANSWER);
    assert.deepEqual(others, []);
    assert.equal(outline, 'h2 p ul ol blockquote div ul div div h2 p hr h3 h4 div p');
});

/** References to what is defined at the end, in all that is drawn in parts. */
const REFERRING = `See [the book][b], [keeper] and ![a light][light]. Not [this][none], nor \`[b]\`.

## A [heading][b]

> A quote of [the book][b]

${Array.from({length: 15}, (_, i) => `- item ${i} of [the Book][B]${i === 9 ? '\n\n  ```js\n  let a = 1;\n  ```' : ''}`).join('\n')}

| [b] | of |
|-----|----|
${Array.from({length: 15}, (_, i) => `| ${i} | [row ${i}][keeper] |`).join('\n')}

\`\`\`
[b]
\`\`\`

The end of [it][b].

[b]: https://a.b/book "A title"
[KEEPER]: <https://a.b/keeper>
[light]: https://a.b/light.png
[b]: https://a.b/second
`;

test('references are links, also where they are defined last, in any chunks', {skip}, async () => {
    const seen = await page.evaluate((text) => {
        const made = window.whole(text), others = [],
            links = [...made.querySelectorAll('a')].map(({href}) => href),
            uncoloured = made.querySelectorAll('.code:not([data-done])').length;
        for (let i = 1; i <= 30; i++) {
            const other = window.pieces(text, [3, 20, 200][i % 3], i);
            if (!other.isEqualNode(made)) others.push(i);
            other.remove();
        }
        made.remove();
        const place = window.place(), writer = new window.Markdown(place, {labels: window.labels}),
            touched = [];
        writer.write('A paragraph.\n\nOne with a [link][a].\n\nThe last.\n\n');
        const before = [...place.children];
        new MutationObserver((changes) =>
            touched.push(...changes.map(({target}) => before.findIndex((one) => one.contains(target)))))
            .observe(place, {childList: true, subtree: true, characterData: true});
        writer.write('[a]: https://a.b\n');
        writer.end();
        return new Promise((done) => setTimeout(() => {
            const isSame = before.every((one, i) => place.children[i] === one);
            place.remove();
            done({others, links, uncoloured, isSame, touched: [...new Set(touched)]});
        }, 0));
    }, REFERRING);
    assert.deepEqual(seen.others, []);
    assert.deepEqual(seen.links.filter((href) => href === 'https://a.b/book').length, 1 + 1 + 1 + 15 + 1 + 1);
    assert.deepEqual(seen.links.filter((href) => href === 'https://a.b/keeper').length, 1 + 15);
    assert.ok(!seen.links.includes('https://a.b/second') && seen.links.includes('https://a.b/light.png'));
    assert.deepEqual([seen.uncoloured, seen.isSame, seen.touched], [0, true, [1]]);
});

test('a long answer is drawn in small steps, with the same result; the end shows', {skip}, async () => {
    const seen = await page.evaluate(async (text) => {
        const {drawInSteps} = await import('/app/markdown/steps.js'),
            {openConversations} = await import('/app/data/conversations.js');
        const list = Array.from({length: 800}, (_, i) => `- item ${i} with *words*`).join('\n'),
            long = `${`${text}\n\n`.repeat(15)}${list}\n\nThe end.`;
        const made = window.place(), whole = window.whole(long), steps = [];
        for (const step of drawInSteps(made, long, {labels: window.labels, put: (place) => place()}))
            steps.push(step);
        const isSame = made.classList.contains('long')
            && [...made.children].every((one, i) => one.isEqualNode(whole.children[i]))
            && made.children.length === whole.children.length;
        made.remove();
        whole.remove();
        const store = await openConversations(),
            {summary, message} = await store.begin({}, {
                role: 'user', content: 'Write long answers', parent: null,
            });
        let parent = message.id;
        for (let i = 0; i < 9; i++)
            parent = (await store.add(summary.id, {
                role: i % 2 ? 'user' : 'assistant', content: i % 2 ? 'More' : long, parent,
            })).id;
        location.hash = `#id=${summary.id}`;
        return {
            isSame, most: Math.max(...steps), few: steps.length > 10,
            count: (await store.read(summary.id)).length,
        };
    }, REFERRING);
    assert.deepEqual([seen.isSame, seen.few, seen.count], [true, true, 10]);
    assert.ok(seen.most < 6000, `${seen.most}`);
    await page.until(() => document.querySelectorAll('#messages > *').length === 10
        && document.querySelectorAll('#messages .long').length === 5
        && [...document.querySelectorAll('#messages .long')].every((body) =>
            body.textContent.endsWith('The end.')));
    await page.until(() => document.documentElement.scrollHeight - innerHeight - scrollY < 2 && scrollY > 0);
    await page.evaluate(async () => {
        const {openConversations} = await import('/app/data/conversations.js'),
            store = await openConversations();
        await store.delete(store.list().map(({id}) => id));
        store.close();
    });
    await page.until(() => document.querySelectorAll('#list a').length === 0);
});

test('links leave the page safely, pictures are links, HTML is text', {skip}, async () => {
    const seen = await page.evaluate((text) => {
        const made = window.whole(text),
            found = {
                links: [...made.querySelectorAll('a')].map(
                    ({href, target, rel}) => [href, target, rel].join(' ')), text: made.textContent,
                kinds: [
                    ...new Set([...made.querySelectorAll('*')].map(({localName}) => localName)),
                ].sort().join(' '),
            };
        made.remove();
        return found;
    }, ANSWER);
    assert.deepEqual(seen.links, ['https://a.b/', 'https://auto.link/', 'http://www.x.de/',
        'https://i.m/g.png'].map((href) => `${href} _blank noreferrer noopener`));
    for (const part of ['<b>no HTML</b>', '& ©', 'Image: a picture', 'script file', '☑ done'])
        assert.ok(seen.text.includes(part), part);
    assert.equal(seen.kinds,
        'a blockquote br button code div em h2 h3 h4 hr li ol p pre span strong table tbody td th thead tr ul');
});

test('footnotes keep their words and marks', {skip}, async () => {
    const text = await page.evaluate(() => {
        const made = window.whole(
            'Lamps burn oil[^1], see [here][a].\n\n[^1]: Whale-oil.\n[a]: https://a.b\n'),
            {textContent} = made;
        made.remove();
        return textContent;
    });
    assert.equal(text, 'Lamps burn oil[^1], see here.[^1]: Whale-oil.');
});

test('what has ended is never touched again, and the last block grows without being made anew',
    {skip}, async () => {
    const touched = await page.evaluate((text) => {
        const made = window.place(), writer = new window.Markdown(made, {labels: window.labels}), seen = [];
        writer.write('A first paragraph.\n\nA second one that\n\n');
        writer.write('third ');
        const [first, second, third] = made.children;
        new MutationObserver((changes) => seen.push(...changes)).observe(made,
            {childList: true, subtree: true, characterData: true});
        for (let i = 0; i < 200; i++) writer.write('word ');
        return new Promise((done) => setTimeout(() => {
            const isSame = made.children[2] === third
                && [...made.children].slice(0, 2).join() === [first, second].join();
            const others = seen.filter(({target}) => !third.contains(target)).length,
                removed = seen.reduce((sum, {removedNodes}) => sum + removedNodes.length, 0);
            writer.end();
            made.remove();
            done({isSame, others, removed, text: third.textContent.length, of: text.length > 0});
        }, 0));
    }, ANSWER);
    assert.deepEqual(touched, {isSame: true, others: 0, removed: 0, text: 1006, of: true});
});

test('marks of lists and quotes, and columns, stand where the lines begin', {skip}, async () => {
    const text = (word) => `1. ${word}\n   - ${word}\n\n> ${word}\n\n| ${word} | 2 |\n|---|---|\n| ${word} | 3 |\n\n${`- **${word}**\n`.repeat(200)}`;
    const seen = await page.evaluate((texts) => texts.map((text) => [window.whole(text),
        window.pieces(text, 20, 7)].map((made) => {
        const found = [...made.querySelectorAll('ol, ul, li, blockquote, table')].map((one) =>
            getComputedStyle(one).direction);
        made.remove();
        return [...new Set(found)].join(' ');
    })), ['word', 'כלה', 'قمر'].map(text));
    assert.deepEqual(seen, [['ltr', 'ltr'], ['rtl', 'rtl'], ['rtl', 'rtl']]);
});

test('thoughts fold away', {skip}, async () => {
    const seen = await page.evaluate(() => ['<think>a *b*</think>Answer', 'No <think>thought</think>',
        '<think>cut'].map((text) => {
        const made = window.pieces(text, 3, 7), [first] = made.children;
        made.remove();
        return [first.localName, first.textContent, made.textContent];
    }));
    assert.deepEqual(seen, [
        ['details', 'Thinkinga b', 'Thinkinga bAnswer'],
        ['p', 'No <think>thought</think>', 'No <think>thought</think>'],
        ['details', 'Thinkingcut', 'Thinkingcut'],
    ]);
});

test('text that is made to take long does not, and loses nothing', {skip}, async () => {
    const lost = await page.evaluate((texts) => texts.flatMap((text, i) => {
        const made = window.whole(text), shown = made.textContent.length;
        made.remove();
        return shown > 0 || /^[\s>*-]*$/.test(text) ? [] : [i];
    }), HOSTILE);
    assert.deepEqual(lost, []);
});

/** Patterns that a lexer without bounds takes the square of their length for, or more; and some others. */
const PATTERNS = ['_a', 'a_', '*a;', 'a+<*~', ' ~_1', '<>(.*a', '(_a[&', '!', 'a(_', '**a ', '`a', '[a](', '![[]()',
    '[a]\n', 'a\n', '1\n', ' \n', '\n', '> a\n', '>\n', '- \n', '- a\n', '1. a\n\n', '- a\n a\n', '# a\n', '---\n',
    '|a', '|-', 'a|a\n', '<a ', '&a;', '\\', 'a@', 'www.a', '~~~\n', '    a\n', '[a]: a\n', 'a'];
const HEADS = {'a\n': ['- ', '> ', `${'|a'.repeat(64)}\n${'|-'.repeat(64)}\n`], '1\n': ['- '], '_a': ['x ', '- [a](']};

test('what drawing costs grows as the length does, for any pattern, also in pieces; no letter is lost', {skip},
    async () => {
    let random = 7;
    const next = (most) => (random = random * 48271 % 2147483647) % most,
        texts = PATTERNS.flatMap((part) => ['', ...HEADS[part] ?? []].map((head) => [head, part]));
    for (let i = 0; i < 24; i++) {
        const length = 1 + next(6);
        texts.push(['', Array.from({length}, () => '*_~`[]()!<>#-+1.|\\&;\n a'[next(23)]).join('')]);
    }
    const {grown, lost} = await page.evaluate(async (texts) => {
        const {Tokenizer} = await import('/app/markdown/marked.js'), {prototype} = Tokenizer, own = {},
            grown = [], lost = [];
        let work = 0;
        // Each may read all that it is given.
        for (const name of ['paragraph', 'text', 'list', 'lheading', 'emStrong', 'inlineText', 'link', 'table']) {
            own[name] = prototype[name];
            prototype[name] = function(source, ...more) {
                work += source.length;
                return own[name].call(this, source, ...more);
            };
        }
        const worked = (draw) => {
            work = 0;
            const made = draw(), {textContent} = made;
            made.remove();
            return [work, textContent];
        };
        const letters = (text) => text.split('a').length;
        for (const [head, part] of texts) {
            const of = (length) => head + part.repeat(length / part.length), name = JSON.stringify(head + part);
            const [short] = worked(() => window.whole(of(10_000))),
                [long, shown] = worked(() => window.whole(of(40_000)));
            if (long > 9 * short + 1e6) grown.push(`${name} ${short} ${long}`);
            if (!/[(:|]/.test(head + part) && letters(shown) !== letters(of(40_000))) lost.push(name);
            if (!head) continue;
            const [few] = worked(() => window.pieces(of(4000), 40, 7)),
                [many] = worked(() => window.pieces(of(16_000), 40, 7));
            if (many > 9 * few + 1e6) grown.push(`${name} in pieces ${few} ${many}`);
        }
        Object.assign(prototype, own);
        return {grown, lost};
    }, texts);
    assert.deepEqual({grown, lost}, {grown: [], lost: []});
});

test('code is coloured once it has ended', {skip}, async () => {
    const seen = await page.evaluate(() => {
        const made = window.place(), writer = new window.Markdown(made, {labels: window.labels}),
            count = () => [...CSS.highlights].map(([kind, ranges]) => `${kind} ${ranges.size}`)
            .sort().join(', ');
        CSS.highlights.clear();
        writer.write('```python\n# note\nif x == 10:\n    print("a")\n');
        const before = count();
        writer.write('```\n');
        const after = count();
        writer.end();
        made.remove();
        return [before, after];
    });
    assert.deepEqual(seen, ['', 'code-comment 1, code-keyword 1, code-number 1, code-string 1']);
});

test(`${PAYLOADS.length} texts with scripts run nothing, in answers, files, titles and searches`, {skip}, async () => {
    assert.ok(PAYLOADS.length >= 300);
    const ran = await page.evaluate(async (payloads) => {
        const ran = [], violations = [];
        for (const name of ['canary', 'alert', 'prompt', 'confirm'])
            window[name] = (what) => ran.push(`${name}(${what})`);
        document.addEventListener('securitypolicyviolation', ({violatedDirective, sample}) =>
            violations.push(`${violatedDirective} ${sample}`));
        const {openConversations} = await import('/app/data/conversations.js'),
            {MessageView} = await import('/app/views/message.js'),
            {importFile} = await import('/app/data/transfer.js');
        const store = await openConversations(), dangerous = [];
        const look = (element, payload) => {
            for (const one of element.querySelectorAll(
                'script, iframe, object, embed, svg:not([aria-hidden]), img, video, audio, base, meta, link, style, form[action], math')) dangerous.push(`${one.outerHTML.slice(0, 60)} of ${payload}`);
            for (const one of element.querySelectorAll('*')) {
                for (const {name, value} of one.attributes) {
                    if (/^on|^style$|^src/.test(name) || name === 'href'
                        && !/^(https?:|mailto:|#)/.test(value))
                        dangerous.push(`${name}=${value} of ${payload}`);
                }
            }
        };
        const shown = (role, content) => new MessageView(
            {
                message: {
                    id: 'x/1', conversation: 'x', parent: null, role, content, created: 0, state: 'done',
                    model: content, attachments: [{name: content, type: content, size: 1, text: content}],
                }, branch: 1, branches: 1,
            }, () => {});
        for (const [i, payload] of payloads.entries()) {
            for (const element of [window.whole(payload), window.pieces(payload, 4, i + 1),
                window.place().appendChild(shown('user', payload).element),
                window.place().appendChild(shown('assistant', payload).element)]) {
                look(element, payload);
                element.remove();
            }
        }
        const all = payloads.map((payload, i) => ({
            id: `a${i}`, kind: 'chat', title: payload, folder: payload, created: i, updated: i, pinned: false,
            isTitled: true, leaf: `a${i}/1`,
            messages: [{id: `a${i}/1`, conversation: `a${i}`, parent: null, role: 'user', content: payload,
                created: i, state: 'done', model: payload}],
        }));
        await importFile(store, new File([JSON.stringify({format: 'gemma-wasm', version: 1, exported: 1,
            presets: [], conversations: all})], `${payloads[0]}.json`));
        await new Promise((done) => setTimeout(done, 300));
        look(document.getElementById('list'), 'the list');
        const listed = document.querySelectorAll('#list a').length;
        const search = document.getElementById('search');
        search.value = 'canary';
        search.dispatchEvent(new Event('input', {bubbles: true}));
        await new Promise((done) => setTimeout(done, 1000));
        look(document.getElementById('list'), 'the list');
        document.querySelector('#list .icon')?.click();
        look(document.getElementById('item'), 'the dialog');
        store.close();
        return {ran, violations, dangerous, listed};
    }, PAYLOADS);
    // The list draws what is near.
    const {listed, ...harm} = ran;
    assert.deepEqual(harm, {ran: [], violations: [], dangerous: []});
    assert.ok(listed >= 200 && listed <= PAYLOADS.length, `${listed} listed`);
    assert.deepEqual(page.strangers, []);
});

test('where a page has no clipboard, the code to copy is selected', {skip}, async () => {
    const selected = await page.evaluate(async () => {
        Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true});
        const made = window.whole('```js\nlet a = 1;\n```');
        made.querySelector('.code-head button').click();
        await new Promise((done) => setTimeout(done));
        delete navigator.clipboard;
        const {anchorNode} = getSelection();
        made.remove();
        return anchorNode?.textContent;
    });
    assert.equal(selected.trim(), 'let a = 1;');
});
