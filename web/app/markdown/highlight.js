// Colours in code: ranges of CSS's Custom Highlight API over its plain text, so that no element is made for a
// word. Where the browser lacks them, code has one colour.
//
// Owns: what is a comment, a string, a number or a keyword in the common languages. Must not know: Markdown.

const LONGEST = 50_000;
const C_WORDS = 'break case catch class const continue default delete do else enum extends false finally for if import in instanceof interface new null private protected public return static super switch this throw true try typeof var void while';
/**
 * A language's comments, strings and words by family.
 * @type {Record<string, [comments: string, strings: string, words: string]>}
 */
const FAMILIES = {
    c: ['//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)',
        '"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'?|`(?:\\\\.|[^`\\\\])*`?',
        `${C_WORDS} abstract as async auto await bool boolean byte char constexpr declare defer double dyn explicit export extern final float fn from fun func function go goto impl implements inline int internal let long loop map match mod mut namespace nil nullptr object of operator out override package pub range readonly ref sealed select self short signed sizeof string struct template trait type undefined union unsafe unsigned use using val virtual volatile when where yield`],
    hash: [
        '#[^\\n]*',
        '"""[\\s\\S]*?(?:"""|$)|\'\'\'[\\s\\S]*?(?:\'\'\'|$)|"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'?',
        'and as assert async await begin break case class continue def del do done elif else elsif end ensure esac except export False false fi finally for from function global if import in is lambda local module next nil None nonlocal not null or pass raise redo require rescue return self super then True true try unless until when while with yield',
    ],
    sql: ['--[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)', "'(?:''|[^'])*'?|\"[^\"\\n]*\"?",
        'add all alter and as asc between by case check column constraint create cross database default delete desc distinct drop else end exists foreign from full group having if in index inner insert int integer into is join key left like limit not null offset on or order outer primary references right row select set table text then union unique update using values varchar view when where with'],
    html: ['<!--[\\s\\S]*?(?:-->|$)', '"[^"]*"?|\'[^\'<]*\'', ''],
    css: ['/\\*[\\s\\S]*?(?:\\*/|$)', '"[^"\\n]*"?|\'[^\'\\n]*\'?', ''],
    json: ['', '"(?:\\\\.|[^"\\\\\\n])*"?', 'true false null'],
};
/** @type {Record<string, string>} */
const LANGUAGES = {
    js: 'c', javascript: 'c', jsx: 'c', mjs: 'c', ts: 'c', tsx: 'c', typescript: 'c', c: 'c', h: 'c',
    cpp: 'c', 'c++': 'c', cc: 'c', java: 'c', cs: 'c', csharp: 'c', 'c#': 'c', go: 'c',
    rust: 'c', rs: 'c', php: 'c', kotlin: 'c', kt: 'c', swift: 'c', scala: 'c', dart: 'c', python: 'hash',
    py: 'hash', ruby: 'hash', rb: 'hash', bash: 'hash', sh: 'hash', shell: 'hash', zsh: 'hash',
    yaml: 'hash', yml: 'hash', toml: 'hash', perl: 'hash', r: 'hash', dockerfile: 'hash', makefile: 'hash',
    sql: 'sql', html: 'html', xml: 'html', svg: 'html', css: 'css', scss: 'css', json: 'json',
};
const KINDS = ['comment', 'string', 'number', 'keyword'];

/** @type {Map<string, RegExp>} */
const made = new Map();

/** One expression for all kinds, a group each. @param {string} family */
function expressionOf(family) {
    const known = made.get(family), [comments, strings, words] = FAMILIES[family];
    if (known) return known;
    const expression = new RegExp([
        `(${comments || '(?!)'})`, `(${strings})`, '(\\b\\d[\\w.]*)',
        words ? `\\b(${words.replaceAll(' ', '|')})\\b(?!\\s*:)` : family === 'html' ? '(?<=</?)([\\w:-]+)'
            : '(?<![\\w-])([\\w-]+)(?=\\s*:)',
    ].join('|'), family === 'sql' ? 'gi' : 'g');
    made.set(family, expression);
    return expression;
}

/**
 * What is coloured in a text: kind, from, to.
 * @param {string} text
 * @param {string} language
 * @returns {[kind: string, from: number, to: number][]}
 */
export function findKinds(text, language) {
    const name = language.toLowerCase(), family = Object.hasOwn(LANGUAGES, name) && LANGUAGES[name];
    if (!family || text.length > LONGEST) return [];
    return [...text.matchAll(expressionOf(family))].flatMap((match) => {
        const kind = KINDS.findIndex((_, i) => match[i + 1] !== undefined);
        return match[0] ? [/** @type {[string, number, number]} */ ([KINDS[kind], match.index,
            match.index + match[0].length])] : [];
    });
}

/** Colours a block of code. @param {Element} block   as draw.js makes it */
export function highlight(block) {
    const registry = globalThis.CSS?.highlights, text = block.querySelector('code')?.firstChild,
        name = block.querySelector('span')?.textContent ?? '';
    if (!registry || !(text instanceof Text)) return;
    for (const [kind, from, to] of findKinds(text.data, name)) {
        const range = new StaticRange({
            startContainer: text, startOffset: from, endContainer: text, endOffset: to,
        }), known = registry.get(`code-${kind}`);
        if (known) known.add(range);
        else registry.set(`code-${kind}`, new Highlight(range));
    }
}

/** Forgets the colours of what is in the page no more. */
export function forgetHighlights() {
    for (const kind of KINDS) {
        const known = globalThis.CSS?.highlights?.get(`code-${kind}`);
        known?.forEach((range) => !range.startContainer.isConnected && known.delete(range));
    }
}
