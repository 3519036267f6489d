// The sheet of paper: a field, and a mirror behind it that shows the field's text. A field can neither grow
// nor colour a part of its text.
//
// Owns: the two, and that little is laid out again when a little changes: whole lines lie in blocks of a few
// thousand characters. Must not know:
// who changes the text.

import {Pace, clock, element} from './dom.js';
import {difference} from './writer_history.js';

/** Characters of a block, about. */
const SIZE = 2000;
/** While the model writes, the field gets 1/100 of the time: it lays out its whole text each time. */
const FIELD_SHARE = 100;
/** Gives the last line its height where it is empty. */
const END = '\u200b';

/**
 * Whole lines, but for the last block. marked: which part is coloured.
 * @typedef {{text: string, node: HTMLElement, marked: string}} Block
 */

/**
 * Cuts a text into blocks of whole lines. The last line of the last block is a separate block.
 * @param {string} text
 * @param {boolean} isLast
 */
function cut(text, isLast) {
    const parts = [], end = isLast ? text.lastIndexOf('\n') + 1 : text.length;
    for (let start = 0, next; start < end; start = next) {
        const line = text.indexOf('\n', start + SIZE) + 1;
        next = line && line < end ? line : end;
        parts.push(text.slice(start, next));
    }
    return isLast ? [...parts, text.slice(end)] : parts;
}

export class Sheet {
    #mirror;
    #area;
    /** What the mirror shows. */
    #text = '';
    /** @type {Block[]} */
    #blocks = [];

    /** @param {HTMLElement} mirror @param {HTMLTextAreaElement} area */
    constructor(mirror, area) {
        this.#mirror = mirror;
        this.#area = area;
        mirror.replaceChildren();
        this.#replace(0, 0, ['']);
        this.draw('');
    }

    /**
     * Shows a text in the mirror.
     * @param {string} text @param {[from: number, to: number]} [marked]   what is the model's
     */
    draw(text, [from, to] = [0, 0]) {
        const {at, removed, added} = difference(this.#text, text);
        if (removed || added) this.#change(at, removed.length, added);
        this.#text = text;
        let start = 0;
        for (const [i, block] of this.#blocks.entries()) {
            const {length} = block.text, a = Math.max(from - start, 0), b = Math.min(to - start, length),
                marked = a < b ? `${a} ${b}` : '';
            if (block.marked !== marked)
                this.#fill(block, marked ? [a, b] : [0, 0], i === this.#blocks.length - 1);
            block.marked = marked;
            start += length;
        }
    }

    /** Shows a text in both. @param {string} text @param {[from: number, to: number]} [marked] */
    set(text, marked) {
        this.#area.value = text;
        this.draw(this.#area.value, marked);        // which has one kind of line ends
    }

    /**
     * What the model writes: in the mirror at once, in the field when there is time.
     * @param {number} at   where, in the text that is shown
     */
    stream(at) {
        const before = this.#text.slice(0, at), after = this.#text.slice(at), pace = new Pace(FIELD_SHARE),
            blocks = this.#isolate(at);
        let added = '';
        const fill = () => { this.#area.value = before + added + after; };
        return {
            /** @param {string} pieces */
            add: (pieces) => {
                added += pieces;
                const start = clock.read();
                if (start >= pace.next) {
                    fill();
                    void this.#area.scrollHeight;       // lays it out
                    pace.took(start);
                }
                blocks.add(pieces);
            },
            /** Where the last piece is on the screen. */
            get place() {
                return blocks.place;
            },
            end: () => {
                blocks.remove();
                fill();
                this.draw(before + added + after, [at, at + added.length]);
                this.#area.setSelectionRange(at + added.length, at + added.length);
            },
        };
    }

    /**
     * Where a character is shown; undefined where it is in the midst of what the model writes.
     * @param {number} at
     * @returns {DOMRect | undefined}
     */
    rectAt(at) {
        const [index, start] = this.#find(at), range = document.createRange();
        let left = at - start;
        for (const child of this.#blocks[index].node.childNodes) {
            const node = child.firstChild ?? child, {length} = node.textContent ?? '';
            if (left < length) {
                range.setStart(node, left);
                range.setEnd(node, left + 1);
                return range.getBoundingClientRect();
            }
            left -= length;
        }
        return undefined;
    }

    /** @param {number} at @param {number} length   of what is removed @param {string} added */
    #change(at, length, added) {
        const [first, start] = this.#find(at);
        let last = first, end = start + this.#blocks[first].text.length;
        const extend = () => { end += this.#blocks[++last].text.length; };
        while (end < at + length) extend();
        const textOf = () => {
            const old = this.#blocks.slice(first, last + 1).map(({text}) => text).join('');
            return old.slice(0, at - start) + added + old.slice(at - start + length);
        };
        while (last < this.#blocks.length - 1 && !textOf().endsWith('\n')) extend();
        this.#replace(first, last + 1 - first, cut(textOf(), last === this.#blocks.length - 1));
    }

    /**
     * The block in which a character is, or comes.
     * @param {number} at
     * @returns {[index: number, start: number]}
     */
    #find(at) {
        let start = 0;
        for (const [i, {text}] of this.#blocks.entries()) {
            if (at < start + text.length || i === this.#blocks.length - 1) return [i, start];
            start += text.length;
        }
        return [0, 0];
    }

    /** @param {number} index @param {number} count @param {string[]} texts */
    #replace(index, count, texts) {
        const made = texts.map((text) => ({text, node: element('div'), marked: ''})),
            old = this.#blocks.splice(index, count, ...made);
        const next = this.#blocks[index + made.length]?.node ?? null;
        for (const {node} of old) node.remove();
        for (const block of made) {
            this.#fill(block, [0, 0], block === this.#blocks.at(-1));
            this.#mirror.insertBefore(block.node, next);
        }
    }

    /** @param {Block} block @param {[from: number, to: number]} marked @param {boolean} isLast */
    #fill({text, node}, [from, to], isLast) {
        const mark = to > from
            ? [text.slice(0, from), element('mark', {textContent: text.slice(from, to)}), text.slice(to)]
            : [text];
        node.replaceChildren(...mark.filter((part) => part !== ''), ...isLast ? [END] : []);
    }

    /** Puts the line at a character into a separate block, which can be marked. @param {number} at */
    #isolate(at) {
        const [index, start] = this.#find(at), {text} = this.#blocks[index],
            isLast = index === this.#blocks.length - 1;
        const from = at > start ? text.lastIndexOf('\n', at - start - 1) + 1 : 0,
            to = text.indexOf('\n', at - start) + 1 || text.length;
        const before = cut(text.slice(0, from), false), after = to < text.length ? cut(text.slice(to), isLast)
            : [], line = text.slice(from, to), split = at - start - from;
        if (before.length || after.length) this.#replace(index, 1, [...before, line, ...after]);
        const block = this.#blocks[index + before.length],
            tail = [line.slice(split), isLast && !after.length ? END : ''].filter((part) => part)
            .map((part) => new Text(part));
        const nodes = [block.node];
        /** @type {HTMLElement | undefined} */
        let latest;
        block.node.replaceChildren(line.slice(0, split), ...tail);
        block.marked = '?';
        let length = line.length;
        /** @param {string} pieces */
        const put = (pieces) => {
            const mark = latest = element('mark', {textContent: pieces});
            if (tail.length) tail[0].before(mark);
            else nodes[nodes.length - 1].append(mark);
            length += pieces.length;
        };
        return {
            /** @param {string} pieces */
            add: (pieces) => {
                const line = length > SIZE ? pieces.lastIndexOf('\n') + 1 : 0;
                if (line) {
                    put(pieces.slice(0, line));
                    const next = element('div', {}, ...tail);
                    nodes[nodes.length - 1].after(next);
                    nodes.push(next);
                    length = 0;
                }
                if (pieces.length > line) put(pieces.slice(line));
            },
            get place() {
                return latest?.getBoundingClientRect();
            },
            remove: () => {
                for (const node of nodes.slice(1)) node.remove();
                block.marked = '?';
            },
        };
    }
}
