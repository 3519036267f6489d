// A slow matcher of GBNF text, the independent judge of this room: it shares no code with what writes
// grammars nor with the engine.
// It follows all ways at once, character by character. A way is an expression and what follows it, a
// linked list.

/**
 * @typedef {{id: number, kind: 'set', has: (point: number) => boolean} | {id: number, kind: 'sequence' |
 *     'choice', of: Node[]} | {id: number, kind: 'repeat', of: Node, min: number, max: number} | {id: number,
 *     kind: 'rule', name: string}} Node
 * @typedef {{id: number, node?: Node, at: number, next?: Follow}} Follow   `at` counts what of the node
 *     is done
 */

export class Matcher {
    /** @param {string} gbnf */
    constructor(gbnf) {
        this.rules = parse(gbnf);
        this.follows = new Map();
        this.end = {id: 0, at: 0};
        this.nextId = 1;
    }

    /** @param {string} text @returns {boolean} whether it matches as a whole */
    accepts(text) {
        return this.run(text)?.ends === true;
    }

    /** @param {string} text @returns {boolean} whether some text that begins so matches */
    begins(text) {
        return this.run(text) !== undefined;
    }

    /** @param {string} text */
    run(text) {
        let state = this.close((add) => add(/** @type {Node} */ (this.rules.get('root')), this.end));
        for (const char of text) {
            const point = /** @type {number} */ (char.codePointAt(0)),
                hits = state.sets.filter(([node]) => node.has(point));
            if (hits.length === 0) return;
            state = this.close((_, resume) => hits.forEach(([, follow]) => resume(follow)));
        }
        return state;
    }

    /** Everything that can be reached without reading. */
    close(begin) {
        const seen = new Set(),
            sets = [];
        let ends = false;
        const todo = [];
        const enter = (node, follow) => {
            const key = `${node.id} ${follow.id}`;
            if (seen.has(key)) return;
            seen.add(key);
            todo.push([node, follow]);
        };
        const resume = (follow) => {
            if (!follow.node) ends = true;
            else if (follow.node.kind === 'sequence')
                this.sequence(follow.node, follow.at, follow.next, enter, resume);
            else this.repeat(follow.node, follow.at, follow.next, enter, resume, seen);
        };
        begin(enter, resume);
        for (let next = todo.pop(); next; next = todo.pop()) {
            const [node, follow] = next;
            if (node.kind === 'set') sets.push([node, follow]);
            else if (node.kind === 'rule') enter(this.rules.get(node.name), follow);
            else if (node.kind === 'choice') node.of.forEach((way) => enter(way, follow));
            else if (node.kind === 'sequence') this.sequence(node, 0, follow, enter, resume);
            else this.repeat(node, 0, follow, enter, resume, seen);
        }
        return {sets, ends};
    }

    sequence(node, at, next, enter, resume) {
        if (at === node.of.length) resume(next);
        else enter(node.of[at], at + 1 === node.of.length ? next : this.follow(node, at + 1, next));
    }

    repeat(node, count, next, enter, resume, seen) {
        const key = `r${node.id} ${count} ${next.id}`;
        if (seen.has(key)) return;
        seen.add(key);
        if (count >= node.min) resume(next);
        if (count < node.max)
            enter(
                node.of,
                this.follow(node, node.max === Infinity ? Math.min(count + 1, node.min) : count + 1, next),
            );
    }

    follow(node, at, next) {
        const key = `${node.id} ${at} ${next.id}`;
        let known = this.follows.get(key);
        if (!known) this.follows.set(key, (known = {id: this.nextId++, node, at, next}));
        return known;
    }
}

/** @param {string} text @returns {Map<string, Node>} */
export function parse(text) {
    const chars = Array.from(text),
        rules = new Map();
    let at = 0,
        ids = 0;
    const fail = (why) => {
        throw new Error(`GBNF: ${why} at "${chars.slice(at, at + 30).join('')}"`);
    };
    const skip = (lines) => {
        for (; at < chars.length; at++) {
            if (chars[at] === '#') while (at + 1 < chars.length && chars[at + 1] !== '\n') at++;
            else if (!(' \t'.includes(chars[at]) || (lines && '\r\n'.includes(chars[at])))) return;
        }
    };
    const name = () => {
        const from = at;
        while (/[a-zA-Z0-9-]/.test(chars[at] ?? '')) at++;
        return chars.slice(from, at).join('');
    };
    const char = () => {
        if (chars[at] !== '\\') return chars[at++].codePointAt(0);
        const kind = chars[at + 1],
            digits = {x: 2, u: 4, U: 8}[kind];
        at += 2;
        if (digits) return parseInt(chars.slice(at, (at += digits)).join(''), 16);
        const plain =
            {n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"', '[': '[', ']': ']'}[kind] ?? fail('escape');
        return plain.codePointAt(0);
    };
    const make = (node) => ({id: ids++, ...node});
    const choice = (nested) => {
        const of = [sequence(nested)];
        while (chars[at] === '|') {
            at++;
            skip(true);
            of.push(sequence(nested));
        }
        return of.length === 1 ? of[0] : make({kind: 'choice', of});
    };
    const sequence = (nested) => {
        const of = [];
        while (at < chars.length && !'|)\n\r'.includes(chars[at])) {
            of.push(repeated(atom(nested)));
            skip(nested);
        }
        return make({kind: 'sequence', of});
    };
    const atom = () => {
        const next = chars[at];
        if (next === '.') return (at++, make({kind: 'set', has: () => true}));
        if (next === '"') {
            const of = [];
            for (at++; chars[at] !== '"'; ) {
                const point = char();
                of.push(make({kind: 'set', has: (other) => other === point}));
            }
            return (at++, make({kind: 'sequence', of}));
        }
        if (next === '[') {
            const spans = [],
                negated = chars[++at] === '^';
            if (negated) at++;
            while (chars[at] !== ']') {
                const first = char(),
                    last = chars[at] === '-' && chars[at + 1] !== ']' ? (at++, char()) : first;
                spans.push([first, last]);
            }
            return (
                at++,
                make({
                    kind: 'set',
                    has: (point) =>
                        spans.some(([first, last]) => point >= first && point <= last) !== negated,
                })
            );
        }
        if (next === '<') {
            // A token stands in texts as its name.
            const from = at;
            while (chars[at++] !== '>');
            const of = chars.slice(from, at)
                .map((each) => make({kind: 'set', has: (point) => point === each.codePointAt(0)}));
            return make({kind: 'sequence', of});
        }
        if (next === '(') {
            at++;
            skip(true);
            const body = choice(true);
            if (chars[at++] !== ')') fail('no )');
            return body;
        }
        return make({kind: 'rule', name: name() || fail('no item')});
    };
    const repeated = (of) => {
        const next = chars[at];
        if ('*+?'.includes(next ?? '!'))
            return (
                at++,
                make({kind: 'repeat', of, min: next === '+' ? 1 : 0, max: next === '?' ? 1 : Infinity})
            );
        if (next !== '{') return of;
        const [, min, comma, max] =
            /^\{(\d+)(,?)(\d*)\}/.exec(chars.slice(at, at + 40).join('')) ?? fail('times');
        while (chars[at++] !== '}');
        return make({
            kind: 'repeat',
            of,
            min: Number(min),
            max: max ? Number(max) : comma ? Infinity : Number(min),
        });
    };
    for (skip(true); at < chars.length; skip(true)) {
        const rule = name() || fail('no rule');
        skip(false);
        if (chars.slice(at, (at += 3)).join('') !== '::=') fail('no ::=');
        skip(true);
        rules.set(rule, choice(false));
    }
    for (const [rule, body] of rules) check(body, rule, rules);
    return rules;
}

function check(node, rule, rules) {
    if (node.kind === 'rule' && !rules.has(node.name))
        throw new Error(`GBNF: ${rule} names ${node.name}, which is not there`);
    for (const each of node.kind === 'repeat' ? [node.of] : (node.of ?? [])) check(each, rule, rules);
}
