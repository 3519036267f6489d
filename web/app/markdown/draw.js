// marked's tokens to elements. What is there already stays, and text that grows is appended to it: nothing
// flickers, and a selection stays.
//
// Owns: which elements and attributes there can be: none that loads or runs anything. Must not know: where
// tokens come from.

/**
 * @typedef {import('./lex.js').Token} Token
 * @typedef {{copy: string, copied: string, image: string, thinking: string}} Labels
 * @typedef {{tag: string, attributes?: Record<string, string>, children?: Drawn[], code?: string, language?:
 *     string} | string} Drawn   code: of a block that has its own head
 */

const ALLOWED = new Set(['http:', 'https:', 'mailto:']);
/** @type {Record<string, string>} */
const ENTITIES = {
    amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '©', reg: '®', trade: '™',
    hellip: '…', mdash: '—', ndash: '–', lsquo: '‘', rsquo: '’',
    ldquo: '“', rdquo: '”', laquo: '«', raquo: '»', bull: '•', middot: '·', deg: '°', plusmn: '±', times: '×',
    divide: '÷', euro: '€', pound: '£', sect: '§', para: '¶',
    larr: '←', rarr: '→', uarr: '↑', darr: '↓', ne: '≠', le: '≤', ge: '≥', infin: '∞', alpha: 'α', beta: 'β',
    gamma: 'γ', pi: 'π', sum: '∑', radic: '√',
};
const NAME = /^[\w+#.-]{1,20}$/;
/** More empty cells at the end of a table's row are one: the lexer fills it up to the columns of the head. */
const MOST_EMPTY = 8;
/** Its first letter is of a script that runs to the left. */
const LEFTWARDS = /^\P{L}*(?=\p{L})[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** What HTML's names and numbers of characters stand for. @param {string} text */
function decode(text) {
    return text.replace(/&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w{1,10}));/gi, (whole, hex, decimal, name) => {
        if (name) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : whole;
        const point = parseInt(hex ?? decimal, hex ? 16 : 10);
        return point > 0 && point < 0x110000 && (point < 0xd800 || point > 0xdfff)
            ? String.fromCodePoint(point) : '\ufffd';
    });
}

/** @param {string} href @returns {string | undefined} undefined for what may not be a link */
function addressOf(href) {
    try {
        const url = new URL(decode(href));
        return ALLOWED.has(url.protocol) ? url.href : undefined;
    } catch {
        return undefined;       // one within this site is none
    }
}

/** Draws the tokens of one text, in their order. */
export class Drawing {
    #labels;
    /** The level of the last heading: levels are not left out. */
    #level = 1;

    /** @param {Labels} labels */
    constructor(labels) {
        this.#labels = labels;
    }

    get level() {
        return this.#level;
    }

    /**
     * @param {Token[]} tokens
     * @param {number} [level]   of the heading before; default: of the last one that was drawn
     */
    blocks(tokens, level = this.#level) {
        this.#level = level;
        return tokens.flatMap((token) => this.#block(token));
    }

    /** @param {Token} token @returns {Drawn[]} */
    #block(token) {
        const auto = {dir: 'auto'};
        switch (token.type) {
            case 'space': return [];
            // A footnote is text, not a link's address.
            case 'def': return token.tag.startsWith('^')
                ? [{tag: 'p', attributes: auto, children: [token.raw.trim()]}] : [];
            case 'heading':
                this.#level = Math.min(token.depth + 1, this.#level + 1, 6);
                return [{tag: `h${this.#level}`, attributes: auto, children: this.#inline(token.tokens)}];
            case 'paragraph': case 'text': return [{tag: 'p', attributes: auto,
                children: this.#inline(token.tokens ?? [token])}];
            case 'code': return [{tag: 'div', attributes: {class: 'code'}, code: token.text.replace(/\n$/,
                ''), language: NAME.test(token.lang?.split(/\s/)[0] ?? '') ? token.lang.split(/\s/)[0] : ''}];
            case 'blockquote': return [{tag: 'blockquote', attributes: side(token),
                children: this.blocks(token.tokens)}];
            case 'hr': return [{tag: 'hr'}];
            case 'list': return [this.list(token)];
            case 'table': return [this.table(token)];
            case 'checkbox': return [token.checked ? '☑ ' : '☐ '];
            default: return [{tag: 'p', attributes: {...auto, class: 'raw'},
                children: [token.raw.replace(/\n+$/, '')]}];
        }
    }

    /** @param {Token} token @param {number} [level]   see blocks() @returns {Exclude<Drawn, string>} */
    list({ordered, start, items}, level = this.#level) {
        this.#level = level;
        const children = items.map((/** @type {Token} */ item) => {
            const made = this.blocks(item.tokens), [first, second] = made;
            // The mark of a task stands in its first paragraph.
            if (typeof first === 'string' && typeof second === 'object') second.children?.unshift(first);
            return {tag: 'li', attributes: {dir: 'auto', ...side(item), ...item.task && {class: 'task'}},
                children: typeof first === 'string' && second ? made.slice(1) : made};
        });
        return {tag: ordered ? 'ol' : 'ul', attributes: {...side(items[0]), ...ordered && start !== 1
            && {start: String(start)}}, children};
    }

    /** @param {Token} token @returns {Exclude<Drawn, string>} */
    table(token) {
        const {header, rows} = token;
        const row = (/** @type {Token[]} */ cells, /** @type {string} */ tag) => {
            const filled = cells.findLastIndex(({text}) => text) + 1, empty = cells.length - filled,
                isShort = empty > MOST_EMPTY;
            const children = cells.slice(0, isShort ? filled + 1 : undefined).map(({align, tokens}, i) => ({
                tag, attributes: {dir: 'auto', ...align && align !== 'left' && {class: align},
                    ...isShort && i === filled && {colspan: `${empty}`}}, children: this.#inline(tokens)}));
            return {tag: 'tr', children};
        };
        const body = {tag: 'tbody', children: rows.map((/** @type {Token[]} */ cells) => row(cells, 'td'))};
        return {tag: 'div', attributes: {class: 'table', tabindex: '0'},
            children: [{tag: 'table', attributes: side(token),
                children: [{tag: 'thead', children: [row(header, 'th')]}, body]}]};
    }

    /** @param {Token[]} tokens @returns {Drawn[]} */
    #inline(tokens) {
        /** @type {Drawn[]} */
        const made = [];
        for (const one of tokens.flatMap((token) => this.#span(token))) {
            if (typeof one === 'string' && typeof made.at(-1) === 'string') made.push(`${made.pop()}${one}`);
            else made.push(one);
        }
        return made;
    }

    /** @param {Token} token @returns {Drawn[]} */
    #span(token) {
        switch (token.type) {
            case 'text': return token.tokens ? this.#inline(token.tokens) : [decode(token.text)];
            case 'escape': return [token.text];
            case 'strong': case 'em': case 'del': return [{tag: token.type,
                children: this.#inline(token.tokens)}];
            case 'codespan': return [{tag: 'code', children: [token.text]}];
            case 'br': return [{tag: 'br'}];
            case 'checkbox': return [token.checked ? '☑ ' : '☐ '];
            case 'link':
                if (/^\[\^[^\]]*\]$/.test(token.raw)) return [token.raw];
                return this.#link(token.href, this.#inline(token.tokens), token.title);
            case 'image': return this.#link(token.href,
                [`${this.#labels.image}: ${decode(token.text || token.href)}`], token.title);
            default: return [token.raw];
        }
    }

    /** @param {string} address @param {Drawn[]} children @param {string} [title] @returns {Drawn[]} */
    #link(address, children, title) {
        const href = addressOf(address);
        return href ? [{tag: 'a', attributes: {href, target: '_blank', rel: 'noreferrer noopener', ...title
            && {title: decode(title)}}, children}] : children;
    }
}

/**
 * Where the marks of a list or a quote stand, or the first column of a table. What is in them finds its own
 * direction, and `dir=auto` does not look into what does.
 * @param {Token} token @returns {Record<string, string>}
 */
function side({raw}) {
    return LEFTWARDS.test(raw) ? {dir: 'rtl'} : {};
}

/**
 * Makes the children of an element, from a place on, what was drawn; those that are the same stay.
 * @param {Element} parent @param {number} from @param {Drawn[]} drawn @param {Labels} labels
 */
export function patch(parent, from, drawn, labels) {
    drawn.forEach((one, i) => {
        const there = parent.childNodes[from + i];
        if (typeof one === 'string') {
            if (there instanceof Text) grow(there, one);
            else replace(parent, there, new Text(one));
        } else if (there instanceof Element && isLike(there, one)) fill(there, one, labels);
        else replace(parent, there, make(one, labels));
    });
    while (parent.childNodes.length > from + drawn.length) parent.lastChild?.remove();
}

/**
 * One element, as it is drawn now.
 * @param {Element} there
 * @param {Exclude<Drawn, string>} one
 * @param {Labels} labels
 */
export function renew(there, one, labels) {
    const isSame = isLike(there, one), made = isSame ? there : make(one, labels);
    if (isSame) fill(there, one, labels);
    else there.replaceWith(made);
    return made;
}

/** @param {Element} parent @param {Node | undefined} there @param {Node} made */
function replace(parent, there, made) {
    if (there) parent.replaceChild(made, there);
    else parent.append(made);
}

/** @param {Text} node @param {string} text */
export function grow(node, text) {
    if (text === node.data) return;
    if (text.startsWith(node.data)) node.appendData(text.slice(node.length));
    else node.data = text;
}

/** @param {Element} element @param {Exclude<Drawn, string>} one */
function isLike(element, {tag, attributes = {}}) {
    const own = element.attributes.length - Number(element.hasAttribute('data-done'));
    return element.localName === tag && own === Object.keys(attributes).length
        && Object.entries(attributes).every(([name, value]) => element.getAttribute(name) === value);
}

/** @param {Exclude<Drawn, string>} one @param {Labels} labels */
function make(one, labels) {
    const made = document.createElement(one.tag);
    for (const [name, value] of Object.entries(one.attributes ?? {})) made.setAttribute(name, value);
    fill(made, one, labels);
    return made;
}

/** @param {Element} element @param {Exclude<Drawn, string>} one @param {Labels} labels */
function fill(element, {children = [], code, language = ''}, labels) {
    if (code === undefined) return patch(element, 0, children, labels);
    if (!element.firstChild) element.append(...codeParts(labels));
    const [head, pre] = element.children, name = /** @type {HTMLElement} */ (head.firstElementChild);
    if (name.textContent !== language) name.textContent = language;
    grow(/** @type {Text} */ (pre.firstElementChild?.firstChild), code);
}

/** The head of a code block, and the text below. @param {Labels} labels */
function codeParts(labels) {
    const head = document.createElement('div'), pre = document.createElement('pre'),
        copy = document.createElement('button'), code = document.createElement('code');
    head.className = 'code-head';
    Object.assign(copy, {type: 'button', className: 'quiet', textContent: labels.copy, onclick: async () => {
        try {
            // a page from an address that is not secure has no clipboard
            await navigator.clipboard.writeText(code.textContent ?? '');
            copy.textContent = labels.copied;
        } catch {
            getSelection()?.selectAllChildren(code);
        }
    }});
    head.append(document.createElement('span'), copy);
    pre.tabIndex = 0;       // it may scroll
    pre.dir = 'ltr';
    code.append(new Text(''));
    pre.append(code);
    return [head, pre];
}
