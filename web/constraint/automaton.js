// Finite automata over code points: expressions -> deterministic automata, their products, and back to
// grammar rules.
//
// Owns the algebra of regular languages. Must not know JSON nor GBNF.

import {known, spend} from './bad.js';
import {ANY, has} from './char_set.js';
import {choice, EMPTY, literal, NEVER, repeat, rule, sequence, UNBOUNDED} from './expression.js';

/**
 * @typedef {import('./expression.js').Expression} Expression
 * @typedef {import('./char_set.js').CharSet} CharSet
 * @typedef {{accepts: boolean, edges: [CharSet, number][]}} State   edges are disjoint; what no edge has
 *     leads nowhere
 * @typedef {State[]} Automaton   it begins in state 0
 * @typedef {{set?: CharSet, to: number, anchor?: 'start' | 'end'}} Arc   without a set it reads nothing
 */

/** A nondeterministic automaton: arcs of each state; it begins in state 0 and ends in state 1. */
class Arcs {
    /** @type {Arc[][]} */
    from = [[], []];

    /** @param {number} from @param {Arc} arc */
    add(from, arc) {
        spend(1);
        this.from[from].push(arc);
    }

    /** @param {Expression} e @param {number} from @param {number} to */
    build(e, from, to) {
        if (e.kind === 'set') this.add(from, {set: e.set, to});
        else if (e.kind === 'start' || e.kind === 'end') this.add(from, {anchor: e.kind, to});
        else if (e.kind === 'choice') for (const way of e.of) this.build(way, from, to);
        else if (e.kind === 'sequence') {
            let at = from;
            for (const part of e.of) this.build(part, at, (at = this.#fresh()));
            this.add(at, {to});
        } else if (e.kind === 'repeat') this.#repeat(e, from, to);
        else throw new Error(`An expression over characters names the rule ${e.name}.`);
    }

    /** @param {Extract<Expression, {kind: 'repeat'}>} e @param {number} from @param {number} to */
    #repeat(e, from, to) {
        let at = this.#fresh();
        this.add(from, {to: at});
        for (let i = 0; i < e.min; i++) this.build(e.of, at, (at = this.#fresh()));
        if (e.max === UNBOUNDED) {
            const loop = this.#fresh();
            this.add(at, {to: loop});
            this.build(e.of, loop, loop);
            at = loop;
        } else {
            for (let i = e.min; i < e.max; i++) {
                this.add(at, {to});
                this.build(e.of, at, (at = this.#fresh()));
            }
        }
        this.add(at, {to});
    }

    #fresh() {
        spend(3);
        return this.from.push([]) - 1;
    }
}

/**
 * The texts that match an expression as a whole, or, with `search`, that have a part that matches it.
 * @param {Expression} e
 * @param {{search?: boolean}} [options]
 * @returns {Automaton}
 */
export function toAutomaton(e, {search = false} = {}) {
    const arcs = new Arcs();
    arcs.build(e, 0, 1);
    return determinise(arcs.from, search);
}

/**
 * A state of the result is a set of numbers 2q and 2q + 1, the latter for a state q that an end anchor led to
 * and that reads nothing more. With `search` every state holds the first one too, and one that holds the last
 * stays there.
 * @param {Arc[][]} arcs
 * @param {boolean} search
 * @returns {Automaton}
 */
function determinise(arcs, search) {
    /** @param {Iterable<number>} seeds @param {boolean} atStart @returns {number[]} */
    const close = (seeds, atStart) => {
        const all = new Set(seeds);
        for (const at of all) {
            spend(1 + arcs[at >> 1].length);
            for (const arc of arcs[at >> 1]) {
                if (arc.set || (arc.anchor === 'start' && !atStart)) continue;
                all.add((arc.to * 2) | (arc.anchor === 'end' ? 1 : at & 1));
            }
        }
        return search && all.has(2) ? [2] : [...all].sort((a, b) => a - b);
    };
    return explore(
        close([0], true),
        (held) => held.includes(2) || held.includes(3),
        (held) => {
            if (search && held[0] === 2) return [[ANY, 2]];
            /** @type {[CharSet, number][]} */
            const moves = search ? [[ANY, 0]] : [];
            for (const at of held)
                if (!(at & 1)) for (const {set, to} of arcs[at >> 1]) if (set) moves.push([set, to * 2]);
            return moves;
        },
        (targets) => close(targets, false),
    ).states;
}

/**
 * All states that can be reached, each known by a list of numbers.
 * @param {number[]} first
 * @param {(held: number[]) => boolean} accepts
 * @param {(held: number[]) => [CharSet, number][]} movesOf
 * @param {(targets: number[]) => number[]} arrive   the list of the state that moves lead to together
 * @returns {{states: Automaton, held: number[][]}}
 */
function explore(first, accepts, movesOf, arrive) {
    /** @type {Map<string, number>} */
    const numbers = new Map();
    /** @type {number[][]} */
    const held = [];
    /** @param {number[]} list @returns {number} */
    const number = (list) => {
        spend(3 + list.length);
        return known(numbers, list.join(), () => held.push(list) - 1);
    };
    /** @type {Automaton} */
    const states = [];
    number(first);
    for (const list of held)
        states.push({
            accepts: accepts(list),
            edges: split(movesOf(list), (targets) => number(arrive(targets))),
        });
    return {states, held};
}

/**
 * Disjoint edges from moves that overlap.
 * @param {[CharSet, number][]} moves
 * @param {(targets: number[]) => number} number   of the state of these targets
 * @returns {[CharSet, number][]}
 */
function split(moves, number) {
    /** @type {[number, number, boolean][]} */
    const marks = [];
    for (const [set, to] of moves)
        set.forEach((point, k) => marks.push([point + (k & 1), to, (k & 1) === 0]));
    spend(1 + marks.length);
    marks.sort((a, b) => a[0] - b[0]);
    /** @type {Map<number, number>} */
    const open = new Map();
    /** @type {Map<number, CharSet>} */
    const sets = new Map();
    for (let i = 0; i < marks.length; ) {
        const at = marks[i][0];
        for (; i < marks.length && marks[i][0] === at; i++) {
            const count = (open.get(marks[i][1]) ?? 0) + (marks[i][2] ? 1 : -1);
            if (count) open.set(marks[i][1], count);
            else open.delete(marks[i][1]);
        }
        if (open.size === 0) continue;
        const to = number([...open.keys()]),
            set = sets.get(to) ?? [];
        if (set.length && set[set.length - 1] === at - 1) set[set.length - 1] = marks[i][0] - 1;
        else set.push(at, marks[i][0] - 1);
        sets.set(to, set);
    }
    return [...sets].map(([to, set]) => [set, to]);
}

/**
 * Several automata side by side. A state of the result accepts as `accepts` says of theirs.
 * @template T
 * @param {Automaton[]} automata
 * @param {(each: boolean[]) => T} verdict   of which of them accept
 * @param {(held: number[]) => boolean} [ends]   whether nothing is asked of what follows a state of theirs
 * @returns {{states: Automaton, verdicts: T[]}} `accepts` of a state is whether all accept
 */
export function product(automata, verdict, ends = () => false) {
    const {length} = automata;
    /** @param {number[]} held   -1 where an automaton has stopped */
    const accepting = (held) => held.map((at, k) => at >= 0 && automata[k][at].accepts);
    const {states, held} = explore(
        automata.map(() => 0),
        (list) => accepting(list).every(Boolean),
        (list) =>
            (ends(list) ? [] : list).flatMap((at, k) =>
                at < 0
                    ? []
                    : automata[k][at].edges.map(
                          ([set, to]) => /** @type {[CharSet, number]} */ ([set, to * length + k]),
                      ),
            ),
        (targets) => {
            const list = automata.map(() => -1);
            for (const target of targets) list[target % length] = Math.floor(target / length);
            return list;
        },
    );
    return {states, verdicts: held.map((list) => verdict(accepting(list)))};
}

/**
 * What the looks of a pattern ask of a text that it begins.
 * @param {import('./regex.js').Look[]} looks
 * @returns {Automaton[]}
 */
export const looking = (looks) =>
    looks.map(({body, isNot}) => {
        const is = toAutomaton(sequence({kind: 'start'}, body), {search: true});
        return isNot ? not(is) : is;
    });

/** @param {Automaton} states   with edges for each character, as those of a search have @returns {Automaton} */
const not = (states) => states.map(({accepts: is, edges}) => ({accepts: !is, edges}));

/** The texts in which another does not occur. @param {string} text @returns {Automaton} */
export const without = (text) => not(toAutomaton(literal(text), {search: true}));

/** The texts that all automata accept. @param {Automaton[]} automata @returns {Automaton} */
export const intersection = (automata) =>
    automata.length === 1
        ? automata[0]
        : trim(product(automata, () => 0, (list) => list.includes(-1)).states);

/** @param {Automaton} states @param {string} text @returns {boolean} */
export function accepts(states, text) {
    let at = 0;
    for (const char of text) {
        spend(1 + states[at].edges.length);
        const edge = states[at].edges.find(([set]) => has(set, /** @type {number} */ (char.codePointAt(0))));
        if (!edge) return false;
        at = edge[1];
    }
    return states[at].accepts;
}

/**
 * The states from which the end can be reached.
 * @param {Automaton} states
 * @param {(state: number) => boolean} ends
 * @returns {boolean[]}
 */
function livesOf(states, ends) {
    /** @type {number[][]} */
    const before = states.map(() => []);
    states.forEach(({edges}, i) => {
        spend(1 + edges.length);
        edges.forEach(([, to]) => before[to].push(i));
    });
    const live = states.map((_, i) => ends(i));
    const todo = live.flatMap((is, i) => (is ? [i] : []));
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
        for (const i of before[at]) {
            if (live[i]) continue;
            live[i] = true;
            todo.push(i);
        }
    }
    return live;
}

/** Without the edges that lead nowhere. @param {Automaton} states @returns {Automaton} */
function trim(states) {
    const live = livesOf(states, (i) => states[i].accepts);
    return states.map((state) => ({accepts: state.accepts, edges: state.edges.filter(([, to]) => live[to])}));
}

/** Whether no text is accepted. @param {Automaton} states @returns {boolean} */
export const isVoid = (states) => !livesOf(states, (i) => states[i].accepts)[0];

/**
 * An automaton as rules, each of which ends in the next one.
 * @param {Automaton} states
 * @param {import('./grammar.js').Grammar} grammar
 * @param {object} options
 * @param {(set: CharSet) => Expression} options.spell   how a character of a set is written
 * @param {(state: number) => boolean} [options.ends]   instead of `accepts`
 * @param {Expression} [options.after]   what follows
 * @returns {Expression}
 */
export function toRules(states, grammar, {spell, ends = (i) => states[i].accepts, after = EMPTY}) {
    const live = livesOf(states, ends);
    if (!live[0]) return NEVER;
    const entries = states.map((_, i) => (i === 0 ? 1 : 0)),
        reached = new Set([0]);
    for (const i of reached) {
        for (const [, to] of states[i].edges) {
            if (!live[to]) continue;
            if (to !== i) entries[to]++;
            reached.add(to);
        }
    }
    /** @type {Map<number, Expression>} */
    const named = new Map();
    for (const i of reached) if (entries[i] > 1) named.set(i, rule(grammar.reserve('s')));
    /** @param {number} i @returns {Expression} */
    const body = (i) => {
        const way = [],
            loop = [];
        for (const [set, to] of states[i].edges) {
            if (to === i) loop.push(spell(set));
            else if (live[to]) way.push(sequence(spell(set), named.get(to) ?? chained(to)));
        }
        if (ends(i)) way.push(after);
        return sequence(repeat(choice(...loop), 0, UNBOUNDED), choice(...way));
    };
    let depth = 0;
    /** @param {number} i @returns {Expression} */
    const chained = (i) => {
        if (depth < 40) {
            depth++;
            const inline = body(i);
            depth--;
            return inline;
        }
        const name = grammar.reserve('s');
        named.set(i, rule(name));
        later.push([name, i]);
        return rule(name);
    };
    /** @type {[string, number][]} */
    const later = [...named].map(([i, e]) => [/** @type {{name: string}} */ (e).name, i]);
    const start = named.get(0) ?? body(0);
    for (const [name, i] of later) grammar.define(name, body(i));
    return start;
}
