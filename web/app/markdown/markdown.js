// Markdown as it is written, as elements. Blocks that have ended are never touched again; only the last one
// is read again when something is added, and of long lists, tables and code only its end.
//
// Owns: where the text has ended for good. Must not know: conversations, what elements look like (draw.js),
// the grammar (lex.js).

import {Drawing, grow, patch} from './draw.js';
import {highlight} from './highlight.js';

export {forgetHighlights} from './highlight.js';

import {costOf, lex, MOST, reach} from './lex.js';
import {References, rowsOf} from './references.js';

/**
 * @typedef {import('./draw.js').Labels} Labels
 * @typedef {import('./lex.js').Token} Token
 *
 * @typedef {object} Fence   the code that is being written
 * @property {RegExp} end    of its last line
 * @property {RegExp} indent   that each line loses
 * @property {Text} text
 * @property {string} done   whole lines of it
 * @property {boolean} isEmpty   there is no line yet
 */

/** Items of a list and rows of a table that are read again. */
const MOST_ITEMS = 8;
/** A block that costs more is read again when it has grown by this part. */
const LONG = 4000, GROWN = 1 / 16;
/** What is read at once, of what is written at once. */
const PART = {characters: 2000, lines: 100, marks: 500};
const THINKS = /^\s*<think>/, THOUGHT = '</think>', OPENS = /^( {0,3})(`{3,}|~{3,})/,
    MAY_END = /^ {0,3}[`~]*[ \t]*$/;

export class Markdown {
    #container;
    #labels;
    #drawing;
    /** What has not ended. */
    #tail = '';
    /**
     * Where that is drawn, and from which child on. A list or table that goes on is drawn from its own.
     * @type {Element}
     */
    #parent;
    #from = 0;
    /** The child of the container that is drawn, or drawn in. */
    #at = 0;
    /** What stands before the tail when it is read: a table's head. */
    #head = '';
    #level = 1;
    /** Of the tail, when it was drawn last, and its lines, when they were read last. */
    #drawn = 0;
    #lines = 0;
    /** @type {Fence | undefined} */
    #fence;
    /**
     * What the model thinks before it answers.
     * @type {{details: HTMLDetailsElement, inner: Markdown} | undefined}
     */
    #thought;
    #isFirst = true;
    #references;
    #isHidden;

    /**
     * @param {HTMLElement} container
     * @param {{labels: Labels, isHidden?: boolean}} options   isHidden: who shows it colours its code,
     *     by settle()
     */
    constructor(container, {labels, isHidden = false}) {
        this.#isHidden = isHidden;
        container.classList.add('markdown');
        this.#container = container;
        this.#parent = container;
        this.#labels = labels;
        this.#drawing = new Drawing(labels);
        this.#references = new References(labels);
    }

    /** @param {string} text */
    write(text) {
        for (let rest = text.replace(/\r/g, ''), isLast = false; !isLast;) {
            const part = rest.slice(0, reach(rest, PART));
            rest = rest.slice(part.length);
            isLast = !rest;
            this.#tail += part;
            if (this.#isFirst && this.#waitsForThought()) continue;
            if (this.#thought) this.#think(false);
            else this.#read(false, isLast && !this.#isHidden);
        }
    }

    end() {
        for (const steps = this.endInSteps(); !steps.next().done;);
    }

    /** @returns {Generator<number, void>} after each step, its characters */
    *endInSteps() {
        if (this.#thought) this.#think(true);
        this.#isFirst = false;
        this.#read(true);
        for (const {element, raw} of this.#references.resolve()) {
            this.#settle(element);
            yield raw.length;
        }
    }

    /** @param {string} source */
    #lex(source) {
        return lex(this.#head + source, this.#references.links);
    }

    /** Whether what is there may be the beginning of a thought. */
    #waitsForThought() {
        const start = this.#tail.trimStart();
        if ('<think>'.startsWith(start)) return true;
        this.#isFirst = false;
        if (!THINKS.test(this.#tail)) return false;
        const details = document.createElement('details'), summary = document.createElement('summary'),
            body = document.createElement('div');
        details.className = 'thought';
        summary.textContent = this.#labels.thinking;
        details.append(summary, body);
        this.#container.append(details);
        this.#from = 1;
        this.#thought = {details,
            inner: new Markdown(body, {labels: this.#labels, isHidden: this.#isHidden})};
        this.#tail = this.#tail.replace(THINKS, '');
        return false;
    }

    /** @param {boolean} isEnd */
    #think(isEnd) {
        const {inner} = /** @type {{inner: Markdown}} */ (this.#thought), end = this.#tail.indexOf(THOUGHT);
        // What may be the beginning of its end waits.
        const upTo = end >= 0 ? end : isEnd ? this.#tail.length
            : Math.max(0, this.#tail.length - THOUGHT.length + 1);
        inner.write(this.#tail.slice(0, upTo));
        this.#tail = this.#tail.slice(end >= 0 ? upTo + THOUGHT.length : upTo);
        if (end < 0 && !isEnd) return;
        inner.end();
        this.#thought = undefined;
        if (!isEnd) this.#read(false);
    }

    /** @param {boolean} isEnd @param {boolean} [isShown]   also what has not ended */
    #read(isEnd, isShown = true) {
        if (this.#fence && !this.#readFence(isEnd)) return;
        const lines = this.#tail.lastIndexOf('\n') + 1;
        if (!isEnd && lines !== this.#lines && isDue(this.#tail, lines, this.#lines)) {
            this.#lines = lines;
            this.#readLines(this.#lex(this.#tail.slice(0, lines)));
        }
        for (let end; !this.#fence && (end = reach(this.#tail, MOST)) < this.#tail.length;)
            this.#readLines(this.#lex(this.#tail.slice(0, end)), true);
        if (isEnd && this.#fence) this.#readFence(true);
        if (isEnd) this.#finish(this.#lex(this.#tail));
        const {length} = this.#tail;
        if (isEnd || this.#fence || !isShown || !isDue(this.#tail, length, this.#drawn)) return;
        this.#drawn = length;
        this.#show(this.#lex(this.#tail));
    }

    /**
     * Whole lines: all blocks but the last have ended.
     * @param {Token[]} tokens
     * @param {boolean} [isFull]   the last one is too long to be read again: what follows is read without it
     */
    #readLines(tokens, isFull = false) {
        const last = tokens.findLastIndex(({type}) => type !== 'space');
        if (last > 0) this.#finish(tokens.slice(0, last));
        const open = tokens[last], most = isFull ? 1 : MOST_ITEMS;
        if (last < 0 && !isFull || last > 0 && isFull) return;
        const fence = open?.type === 'code' && OPENS.exec(open.raw);
        if (fence && !new RegExp(`\\n {0,3}${fence[2][0]}{${fence[2].length},}[ \\t]*\\n*$`).test(open.raw))
            this.#openFence(open, fence);
        else if (open?.type === 'list' && open.items.length > most) this.#splitList(open);
        else if (open?.type === 'table' && open.rows.length > most) this.#splitTable(open);
        else if (isFull) this.#finish(tokens);
    }

    /** Draws what has ended. @param {Token[]} tokens */
    #finish(tokens) {
        const raw = tokens.reduce((sum, token) => sum + token.raw.length, 0), end = this.#show(tokens),
            isInside = this.#parent !== this.#container, begin = this.#from;
        this.#references.define(tokens);
        this.#remember(tokens, end);
        this.#from = end;
        this.#parent = this.#container;
        this.#tail = this.#tail.slice(Math.max(0, raw - this.#head.length));
        this.#head = '';
        this.#level = this.#drawing.level;
        this.#drawn = this.#lines = 0;
        for (let i = isInside ? this.#at : begin; i < end; i++) this.#settle(this.#container.childNodes[i]);
    }

    /**
     * Draws tokens in the place of the tail.
     * @param {Token[]} tokens
     * @returns {number} the child of the container that comes after them
     */
    #show(tokens) {
        if (this.#parent === this.#container) {
            const drawn = this.#drawing.blocks(tokens, this.#level);
            patch(this.#container, this.#from, drawn, this.#labels);
            return this.#from + drawn.length;
        }
        // The first goes on with the list or table that is there.
        const [first, ...others] = tokens, isList = first?.type === 'list';
        const own = isList ? this.#drawing.list(first).children : first?.type === 'table'
            ? rowsOf(this.#drawing.table(first), 'row') : [];
        patch(this.#parent, this.#from, own ?? [], this.#labels);
        const at = this.#at + 1, drawn = this.#drawing.blocks(others, this.#level);
        patch(this.#container, at, drawn, this.#labels);
        return at + drawn.length;
    }

    /**
     * What has ended may have references that are defined later.
     * @param {Token[]} tokens
     * @param {number} end   the child of the container that comes after them
     */
    #remember(tokens, end) {
        const isInside = this.#parent !== this.#container, blocks = tokens.filter(isDrawn), [first] = blocks;
        if (isInside && first?.type === 'list') this.#rememberItems(first.items);
        if (isInside && first?.type === 'table') this.#rememberRows(first);
        for (const [i, token] of blocks.entries()) {
            const element = this.#container.childNodes[end - blocks.length + i];
            if (!(isInside && i === 0) && token.type !== 'code' && element instanceof Element)
                this.#references.add(element, token.raw, 'block');
        }
    }

    /** @param {Token[]} items   drawn at #parent, from #from on */
    #rememberItems(items) {
        for (const [i, {raw}] of items.entries())
            this.#references.add(this.#parent.children[this.#from + i], raw, 'item');
    }

    /** @param {Token} table   drawn at #parent, from #from on */
    #rememberRows({raw, rows}) {
        const lines = raw.split('\n'), head = `${lines.slice(0, 2).join('\n')}\n`;
        for (let i = 0; i < rows.length; i++)
            this.#references.add(this.#parent.children[this.#from + i], head + lines[2 + i], 'row');
    }

    /** A long list: all items but the last have ended. @param {Token} list */
    #splitList({items, ...list}) {
        this.#show([{...list, items, raw: '', type: 'list'}]);
        const ended = items.length - 1,
            raw = items.slice(0, ended).reduce((/** @type {number} */ sum, /** @type {Token} */ item) => sum
                + item.raw.length, 0);
        if (this.#parent === this.#container) {
            this.#parent = /** @type {Element} */ (this.#container.childNodes[this.#from]);
            this.#at = this.#from;
            this.#from = 0;
        }
        this.#references.define(items.slice(0, ended));
        this.#rememberItems(items.slice(0, ended));
        this.#from += ended;
        this.#tail = this.#tail.slice(raw);
        this.#drawn = this.#lines = 0;
    }

    /** A long table: all rows but the last have ended. @param {Token} table */
    #splitTable(table) {
        this.#show([table]);
        const ended = table.rows.length - 1, source = this.#head + this.#tail, lines = source.split('\n'),
            head = `${lines.slice(0, 2).join('\n')}\n`;
        if (this.#parent === this.#container) {
            const [above, body] = /** @type {Element} */ (this.#container.childNodes[this.#from])
                .querySelectorAll('thead tr, tbody');
            this.#references.add(above, head, 'head');
            this.#parent = body;
            this.#at = this.#from;
            this.#from = 0;
        }
        this.#rememberRows({...table, rows: table.rows.slice(0, ended)});
        this.#from += ended;
        this.#head = head;
        this.#tail = lines.slice(2 + ended).join('\n');
        this.#drawn = this.#lines = 0;
    }

    /** @param {Token} code   that has begun @param {RegExpExecArray} fence */
    #openFence(code, [, indent, mark]) {
        this.#show([code]);
        const place = /** @type {Element} */ (this.#container.childNodes[this.#from]).querySelector('code');
        this.#fence = {
            end: new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`),
            indent: new RegExp(`^ {0,${indent.length}}`), text: /** @type {Text} */ (place?.firstChild),
            done: '', isEmpty: true,
        };
        this.#tail = this.#tail.slice(this.#tail.indexOf('\n') + 1);
        this.#readFence(false);
    }

    /** Text of code needs no reading. @param {boolean} isEnd @returns {boolean} whether it has ended */
    #readFence(isEnd) {
        const fence = /** @type {Fence} */ (this.#fence), all = this.#tail.split('\n'),
            rest = isEnd ? '' : all.pop() ?? '';
        if (isEnd && all.at(-1) === '') all.pop();
        const end = all.findIndex((line) => fence.end.test(line)), hasEnded = end >= 0;
        for (const line of hasEnded ? all.slice(0, end) : all) {
            fence.done += `${fence.isEmpty ? '' : '\n'}${line.replace(fence.indent, '')}`;
            fence.isEmpty = false;
        }
        this.#tail = hasEnded ? [...all.slice(end + 1), rest].join('\n') : rest;
        // What may be the fence at its end waits.
        const shown = hasEnded || !rest || MAY_END.test(rest) ? fence.done
            : `${fence.done}${fence.isEmpty ? '' : '\n'}${rest.replace(fence.indent, '')}`;
        grow(fence.text, shown);
        if (!hasEnded && !isEnd) return false;
        this.#fence = undefined;
        this.#from++;
        this.#drawn = this.#lines = 0;
        this.#settle(this.#container.childNodes[this.#from - 1]);
        return true;
    }

    /** What has ended is coloured. @param {Node} node */
    #settle(node) {
        if (!this.#isHidden && node instanceof Element) settle(node);
    }
}

/** Whether to read again what had another length. @param {string} tail @param {number} now @param {number} before */
const isDue = (tail, now, before) => now - before >= GROWN * now || now < before || costOf(tail) <= LONG;

/** Colours code that has ended. @param {Element} container */
export function settle(container) {
    const isCode = container.matches('.code:not([data-done])');
    for (const code of isCode ? [container] : container.querySelectorAll('.code:not([data-done])')) {
        code.setAttribute('data-done', '');
        highlight(code);
    }
}

/** Whether there is an element for it. @param {Token} token */
const isDrawn = ({type, tag}) => type !== 'space' && (type !== 'def' || tag.startsWith('^'));

/** A whole text. @param {HTMLElement} container @param {string} text @param {{labels: Labels}} options */
export function renderMarkdown(container, text, options) {
    const writer = new Markdown(container, options);
    writer.write(text);
    writer.end();
}
