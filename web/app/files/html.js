// HTML -> its text, by reading it once from left to right: no document is made of it, so nothing in it runs
// or is fetched.
//
// Owns: which elements have no text for people, and where lines end. Must not know: files, the page. Time and
// memory grow with the length alone.

/** What is between their tags is for machines. */
const UNREAD = new Set(['script', 'style', 'template', 'noscript', 'svg', 'math', 'iframe', 'object',
    'noembed', 'noframes', 'select', 'canvas', 'audio', 'video']);
/** How many line ends come before and after them. @type {Map<string, number>} */
const BREAKS = new Map([
    ...['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'dl', 'table', 'pre', 'blockquote', 'title',
        'article', 'section', 'figure'].map((name) => /** @type {const} */ ([name, 2])),
    ...['div', 'li', 'tr', 'dt', 'dd', 'header', 'footer', 'main', 'nav', 'aside', 'form', 'fieldset',
        'legend', 'option', 'hr', 'figcaption', 'caption', 'address', 'summary', 'details', 'br', 'body']
        .map((name) => /** @type {const} */ ([name, 1])),
]);
const NAME = /[A-Za-z][^\s/>]*/y, TITLE = /^h([1-6])$/;

/** @type {Record<string, string>} */
const NAMED = {
    amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ', copy: '©', reg: '®', trade: '™', hellip: '…',
    mdash: '—', ndash: '–', lsquo: '‘', rsquo: '’', sbquo: '‚',
    ldquo: '“', rdquo: '”', bdquo: '„', laquo: '«', raquo: '»', lsaquo: '‹', rsaquo: '›', bull: '•',
    middot: '·', deg: '°', plusmn: '±', times: '×', divide: '÷', minus: '−',
    euro: '€', pound: '£', yen: '¥', cent: '¢', sect: '§', para: '¶', dagger: '†', frac12: '½', frac14: '¼',
    frac34: '¾', sup1: '¹', sup2: '²', sup3: '³', micro: 'µ',
    szlig: 'ß', aelig: 'æ', AElig: 'Æ', oelig: 'œ', OElig: 'Œ', oslash: 'ø', Oslash: 'Ø', eth: 'ð', ETH: 'Ð',
    thorn: 'þ', THORN: 'Þ', iexcl: '¡', iquest: '¿', ordf: 'ª', ordm: 'º',
    larr: '←', rarr: '→', uarr: '↑', darr: '↓', harr: '↔', infin: '∞', ne: '≠', le: '≤', ge: '≥', asymp: '≈',
    sum: '∑', radic: '√', shy: '', zwj: '\u200d', zwnj: '\u200c', ensp: ' ', emsp: ' ', thinsp: ' ',
};
const ACCENTS = /** @type {Record<string, string>} */ ({grave: '\u0300', acute: '\u0301', circ: '\u0302',
    tilde: '\u0303', uml: '\u0308', ring: '\u030a', cedil: '\u0327', caron: '\u030c'});
const GREEK = 'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon phi chi psi omega'.split(' ');
const REFERENCE = /&(?:#(?:[xX]([0-9a-fA-F]{1,6})|(\d{1,7}))|([A-Za-z]{2,8}\d{0,2}));?/g,
    ACCENTED = /^([A-Za-z])(grave|acute|circ|tilde|uml|ring|cedil|caron)$/;

/** @param {string} html @returns {string} */
export function htmlToText(html) {
    // Of the same length, in contrast to toLowerCase().
    const lower = html.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()), out = new Lines();
    for (let at = 0; at < html.length;) {
        const open = html.indexOf('<', at);
        if (open < 0) {
            out.words(html.slice(at));
            break;
        }
        if (open > at) out.words(html.slice(at, open));
        at = readTag(html, lower, open, out);
    }
    return out.end();
}

/**
 * @param {string} html
 * @param {string} lower
 * @param {number} open   of its '<'
 * @param {Lines} out
 * @returns {number} where it goes on
 */
function readTag(html, lower, open, out) {
    if (html.startsWith('<!--', open)) return after(html, '-->', open + 4);
    const isEnd = html[open + 1] === '/';
    if (!isEnd && /[!?]/.test(html[open + 1] ?? '')) return after(html, '>', open + 2);
    NAME.lastIndex = open + (isEnd ? 2 : 1);
    const name = NAME.exec(lower)?.[0];
    if (!name) {
        if (isEnd) return after(html, '>', open + 2);
        out.words('<');
        return open + 1;
    }
    const end = endOfTag(html, NAME.lastIndex);
    if (!isEnd && UNREAD.has(name)) return html[end - 2] === '/' && name === 'svg' ? end
        : afterElement(lower, name, end);
    out.tag(name, isEnd);
    return end;
}

/** @param {string} html @param {string} mark @param {number} from */
function after(html, mark, from) {
    const at = html.indexOf(mark, from);
    return at < 0 ? html.length : at + mark.length;
}

/** A '>' within quotes ends no tag. @param {string} html @param {number} at */
function endOfTag(html, at) {
    let quote = '', before = '';
    for (; at < html.length; at++) {
        const letter = html[at];
        if (quote) quote = letter === quote ? '' : quote;
        else if (letter === '>') return at + 1;
        else if ((letter === '"' || letter === "'") && before === '=') quote = letter;
        if (letter.trim()) before = letter;
    }
    return at;
}

/** @param {string} lower @param {string} name @param {number} from */
function afterElement(lower, name, from) {
    for (let at = from; (at = lower.indexOf(`</${name}`, at)) >= 0;) {
        at += name.length + 2;
        if (!/[^\s/>]/.test(lower[at] ?? '')) return after(lower, '>', at);
    }
    return lower.length;
}

/** @param {string} text */
const withoutReferences = (text) => text.replace(REFERENCE, (whole, hex, decimal, name) => {
    if (name) return Object.hasOwn(NAMED, name) ? NAMED[name] : letterOf(name) ?? whole;
    const code = hex ? parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code) : '\ufffd';
});

/** @param {string} name */
function letterOf(name) {
    const [, letter, accent] = ACCENTED.exec(name) ?? [], greek = GREEK.indexOf(name.toLowerCase());
    if (letter) return (letter + ACCENTS[accent]).normalize('NFC');
    if (greek < 0) return undefined;
    const small = String.fromCodePoint(0x3b1 + greek);
    return /^[A-Z]/.test(name) ? small.toUpperCase() : small;
}

/** Text as a person would see it: white space is one space, and lines end where elements do. */
class Lines {
    /** @type {string[]} */
    #out = [];
    #breaks = 0;
    #isSpace = false;
    #pre = 0;

    /** @param {string} raw */
    words(raw) {
        const text = withoutReferences(raw);
        if (this.#pre) return this.#put(text);
        const words = text.replace(/\s+/g, ' ');
        if (words === ' ') this.#isSpace = true;
        if (words === ' ' || !words) return;
        if (words.startsWith(' ')) this.#isSpace = true;
        this.#put(words.trim());
        this.#isSpace = words.endsWith(' ');
    }

    /** @param {string} name @param {boolean} isEnd */
    tag(name, isEnd) {
        this.#breaks = Math.max(this.#breaks, BREAKS.get(name) ?? 0);
        if (name === 'br' && this.#pre) this.#put('\n');
        if (name === 'pre') this.#pre = Math.max(0, this.#pre + (isEnd ? -1 : 1));
        if (isEnd) return;
        const [, level] = TITLE.exec(name) ?? [];
        if (level) this.#put(`${'#'.repeat(Number(level))} `);
        if (name === 'li') this.#put('- ');
        if ((name === 'td' || name === 'th') && !this.#breaks) this.#put('\t');
    }

    /** @param {string} text */
    #put(text) {
        if (this.#out.length && this.#breaks) this.#out.push('\n'.repeat(this.#breaks));
        else if (this.#isSpace && this.#out.length) this.#out.push(' ');
        this.#breaks = 0;
        this.#isSpace = false;
        this.#out.push(text);
    }

    end() {
        return this.#out.join('').split('\n').map((line) => line.trimEnd()).join('\n').replace(/\n{3,}/g,
            '\n\n').trim();
    }
}
