// A grammar of named rules, and its text in GBNF.
//
// Owns the rules, the removal of what can never end or is never used, and the writing. Must not know what
// the rules are for.

import {known, spend, tooMuch} from './bad.js';
import {complement, isSingle, LAST} from './char_set.js';
import {isEmpty, isNever, mapParts, NEVER, partsOf, rule} from './expression.js';

/** @typedef {import('./expression.js').Expression} Expression */

const START = 'root',
    MAX_TEXT = 1_000_000;

export class Grammar {
    /** @type {Map<string, Expression>} */
    rules = new Map();

    /**
     * Keeps a place for a rule, so that it may be named before it is known.
     * @param {string} [hint]
     * @returns {string} its name
     */
    reserve(hint = 'r') {
        const name = `${hint}${this.rules.size}`;
        this.rules.set(name, NEVER);
        return name;
    }

    /**
     * @param {Expression} body
     * @param {string} [hint]
     * @returns {Expression} its rule, so that what is used twice is written once
     */
    named(body, hint) {
        if (body.kind === 'rule') return body;
        const name = this.reserve(hint);
        this.define(name, body);
        return rule(name);
    }

    /** @param {string} name @param {Expression} body */
    define(name, body) {
        this.rules.set(name, body);
    }

    /**
     * The text: the rules that are used and that can end.
     * @param {Expression} root
     * @returns {string | undefined} undefined where nothing matches
     */
    write(root) {
        this.define(START, root);
        const live = this.live();
        if (!live.has(START)) return;
        const seen = new Set([START]);
        let all = '';
        for (const name of seen) {
            const body = prune(/** @type {Expression} */ (this.rules.get(name)), live);
            visitRules(body, (used) => seen.add(used));
            all += `${name} ::= ${text(body, 0)}\n`;
            if (all.length > MAX_TEXT) tooMuch(MAX_TEXT, 'characters of grammar');
        }
        return all;
    }

    /** The rules that some text matches. */
    live() {
        /** @type {Set<string>} */
        const live = new Set();
        /** @type {Map<string, string[]>} */
        const waiting = new Map();
        const todo = [...this.rules.keys()];
        spend(todo.length);
        for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
            if (live.has(name)) continue;
            const missing = missingOf(/** @type {Expression} */ (this.rules.get(name)), live);
            for (const other of missing ?? [])
                known(waiting, other, () => /** @type {string[]} */ ([])).push(name);
            if (missing) continue;
            live.add(name);
            todo.push(...(waiting.get(name) ?? []));
        }
        return live;
    }
}

/**
 * @param {Expression} e
 * @param {Set<string>} live
 * @returns {string[] | undefined} undefined where some text matches, or the rules that it waits for
 */
function missingOf(e, live) {
    if (e.kind === 'rule') return live.has(e.name) ? undefined : [e.name];
    if (e.kind === 'repeat') return e.min === 0 ? undefined : missingOf(e.of, live);
    if (e.kind === 'choice') {
        const all = [];
        for (const way of e.of) {
            const missing = missingOf(way, live);
            if (!missing) return;
            all.push(...missing);
        }
        return all;
    }
    if (e.kind !== 'sequence') return;
    for (const part of e.of) {
        const missing = missingOf(part, live);
        if (missing) return missing;
    }
}

/** @param {Expression} e @param {Set<string>} live @returns {Expression} without what can never match */
function prune(e, live) {
    if (e.kind === 'rule') return live.has(e.name) ? e : NEVER;
    return mapParts(e, (part) => prune(part, live));
}

/** @param {Expression} e @param {(name: string) => void} found */
function visitRules(e, found) {
    if (e.kind === 'rule') found(e.name);
    else for (const part of partsOf(e)) visitRules(part, found);
}

/**
 * @param {Expression} e
 * @param {number} level   0: anything stands here, 1: a part of a sequence, 2: one item
 * @returns {string}
 */
function text(e, level) {
    if (e.kind === 'rule' || e.kind === 'token') return e.name;
    if (e.kind === 'set') return isSingle(e.set) ? `"${char(e.set[0], '"')}"` : classText(e.set);
    if (e.kind === 'repeat') {
        const repeated = `${text(e.of, 2)}${times(e.min, e.max)}`;
        return level > 1 ? `(${repeated})` : repeated;
    }
    if (isEmpty(e)) return '""';
    if (e.kind === 'choice') {
        const ways = e.of
            .filter((way) => !isNever(way))
            .map((way) => text(way, 1))
            .join(' | ');
        return level > 0 ? `(${ways})` : ways;
    }
    const parts = e.kind === 'sequence' ? sequenceText(e.of) : [];
    return level > 1 && parts.length > 0 ? `(${parts.join(' ')})` : parts.join(' ');
}

/** Single characters in a row become one literal. @param {Expression[]} parts @returns {string[]} */
function sequenceText(parts) {
    const out = [];
    let open = '';
    for (const part of parts) {
        if (part.kind === 'set' && isSingle(part.set)) {
            open += char(part.set[0], '"');
            continue;
        }
        if (open) out.push(`"${open}"`);
        open = '';
        out.push(text(part, 1));
    }
    if (open) out.push(`"${open}"`);
    return out;
}

/** @param {number} min @param {number} max @returns {string} */
function times(min, max) {
    if (max === Infinity) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
    if (max === 1) return '?';
    return min === max ? `{${min}}` : `{${min},${max}}`;
}

/** @param {import('./char_set.js').CharSet} set @returns {string} */
function classText(set) {
    const negated = set[set.length - 1] === LAST;
    const spans = negated ? complement(set) : set;
    if (negated && spans.length === 0) return '.';
    let out = negated ? '^' : '';
    for (let i = 0; i < spans.length; i += 2) {
        out += char(spans[i], '[]^-');
        if (spans[i + 1] > spans[i])
            out += `${spans[i + 1] > spans[i] + 1 ? '-' : ''}${char(spans[i + 1], '[]^-')}`;
    }
    return `[${out}]`;
}

/** @param {number} point @param {string} special @returns {string} */
function char(point, special) {
    const it = String.fromCodePoint(point);
    if (point >= 0x20 && point < 0x7f) {
        return it === '\\'
            ? '\\\\'
            : !special.includes(it)
              ? it
              : '"[]'.includes(it)
                ? `\\${it}`
                : `\\x${hex(point, 2)}`;
    }
    if (point < 0x80) return `\\x${hex(point, 2)}`;
    return point < 0x10000 ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`;
}

/** @param {number} point @param {number} digits */
const hex = (point, digits) => point.toString(16).toUpperCase().padStart(digits, '0');
