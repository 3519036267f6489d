// JSON Schema -> grammar: how the values of a goal are written.
//
// Owns the JSON of objects and arrays, white space, and the order of members: those that the schema names
// come first, in its order, then required ones that it does not name, then all others. Each is written at
// most once.

import {GemmaError} from '../base/error.js';
import {bad, known, spend} from './bad.js';
import {product, toAutomaton, toRules} from './automaton.js';
import {charsOf, complement} from './char_set.js';
import {
    choice,
    EMPTY,
    literal,
    NEVER,
    oneOf,
    optional,
    repeat,
    rule,
    sequence,
    UNBOUNDED,
} from './expression.js';
import {Grammar} from './grammar.js';
import {JsonText} from './json_text.js';
import {ALL_NUMBERS, numberText} from './numbers.js';
import {SchemaSets} from './schema_sets.js';
import {NOTHING, SchemaTree} from './schema_tree.js';
import {both, itemGoal, layerGoal, memberGoal} from './shapes.js';
import {ALL_STRINGS, Patterns, stringText} from './strings.js';
import {textTree} from './text_tree.js';

/**
 * @typedef {import('./expression.js').Expression} Expression
 * @typedef {import('./shapes.js').Goal} Goal
 * @typedef {import('./shapes.js').ObjectSet} ObjectSet
 * @typedef {import('./shapes.js').ArraySet} ArraySet
 * @typedef {'none' | 'space' | 'free'} Whitespace   none at all; one space after each colon and comma; up to
 *     64 characters between any two parts
 */

const MAX_SPACES = 64;

/** One schema, or several in one grammar. */
export class SchemaWriter {
    #patterns = new Patterns();
    /** @type {Map<string, Expression>} */
    #rules = new Map();
    /** @type {[string, Goal][]} */
    #todo = [];
    /** @type {Map<string, ReturnType<typeof rule>>} */
    #values = new Map();
    /** @type {Map<string, [Expression, Goal][]>} */
    #keys = new Map();
    /** @type {Map<ObjectSet, string[]>} */
    #names = new Map();
    /** @type {SchemaSets} */
    #sets;

    /**
     * @param {any} schema
     * @param {Grammar} grammar
     * @param {Whitespace} [whitespace]
     * @param {JsonText} [json]   how strings and keys are written
     */
    constructor(schema, grammar, whitespace = 'free', json = new JsonText(grammar)) {
        this.grammar = grammar;
        this.json = json;
        this.tree = new SchemaTree(schema);
        this.#sets = new SchemaSets(this.tree, this.#patterns);
        const space =
            whitespace === 'free'
                ? grammar.named(repeat(oneOf(charsOf(' \t\n\r')), 0, MAX_SPACES), 'space')
                : EMPTY;
        const after = whitespace === 'space' ? literal(' ') : space;
        this.space = space;
        this.comma = sequence(space, literal(','), after);
        this.colon = sequence(space, literal(':'), after);
    }

    /** The values of the whole schema. */
    root() {
        const root = this.#value([this.tree.add(this.tree.root, '', this.tree.nodes[0].base)]);
        for (let next = this.#todo.pop(); next; next = this.#todo.pop())
            this.grammar.define(next[0], this.#body(next[1]));
        return root;
    }

    /** @param {Goal} goal */
    #value(goal) {
        const key = goal.join();
        return known(this.#values, key, () => {
            const name = this.grammar.reserve(goal.length ? 'v' : 'value');
            this.#todo.push([name, goal]);
            return rule(name);
        });
    }

    /** @param {Goal} goal @returns {Expression} */
    #body(goal) {
        try {
            const shape = this.#sets.shapeOf(goal);
            return choice(
                this.#objects(shape.objects),
                ...shape.arrays.map((set) => this.#array(set)),
                ...shape.strings.map((set) => this.#string(set)),
                ...shape.numbers.map((set) => this.#number(set)),
                ...shape.booleans.map((value) => literal(String(value))),
                shape.null ? literal('null') : NEVER,
            );
        } catch (error) {
            const pointer = this.tree.nodes[goal[goal.length - 1] ?? 0].pointer;
            if (!(error instanceof GemmaError) || error.message.includes('"#')) throw error;
            throw new GemmaError(error.code, `${error.message.replace(/\.$/, '')} (at "#${pointer}").`, {
                cause: error,
            });
        }
    }

    /** @param {string} key @param {() => Expression} make @returns {Expression} what many places share */
    #shared(key, make) {
        return known(this.#rules, key, () => this.grammar.named(make(), key));
    }

    /** @param {import('./strings.js').StringSet} set */
    #string(set) {
        return set === ALL_STRINGS
            ? this.#shared('string', () => this.json.freeString())
            : stringText(set, this.#patterns, this.json);
    }

    /** @param {import('./numbers.js').NumberSet} set */
    #number(set) {
        return set === ALL_NUMBERS
            ? this.#shared('number', () => numberText(set, this.grammar))
            : numberText(set, this.grammar);
    }

    /** @param {ObjectSet[]} sets @returns {Expression} */
    #objects(sets) {
        return sequence(literal('{'), this.space, this.#members(sets, 0), this.space, literal('}'));
    }

    /**
     * The members of an object of one of these sets, from one on. What several begin with is written once: a
     * text of many levels would be read in as many ways as there are sets for each of them.
     * @param {ObjectSet[]} sets @param {number} at @returns {Expression}
     */
    #members(sets, at) {
        const left = [...new Set(sets)], shared = [];
        for (;; at++) {
            spend(left.length);
            /** @type {Map<unknown, ObjectSet[]>} */
            const groups = new Map();
            for (const set of left) {
                const name = this.#namesOf(set)[at], key = set.required.has(name)
                    ? JSON.stringify([name, memberGoal(set, name, this.#patterns)]) : set;
                known(groups, key, () => []).push(set);
            }
            if (groups.size === 1 && left.length > 1) {
                shared.push(sequence(at ? this.comma : EMPTY, this.#member(left[0], this.#namesOf(left[0])[at])));
                continue;
            }
            const ways = [...groups.values()].map((group) =>
                group.length > 1 ? this.#members(group, at) : this.#membersOf(group[0], at));
            return shared.reduceRight((rest, member) => this.grammar.named(sequence(member, rest)), choice(...ways));
        }
    }

    /** Of its members, in their order. @param {ObjectSet} set */
    #namesOf(set) {
        return known(this.#names, set, () => [...new Set([...set.names.keys(), ...set.required])]);
    }

    /** @param {ObjectSet} set @param {string} name */
    #member(set, name) {
        return sequence(this.json.name(name), this.colon, this.#value(memberGoal(set, name, this.#patterns)));
    }

    /** @param {ObjectSet} set @param {number} at @returns {Expression} its members, from one on */
    #membersOf(set, at) {
        const names = this.#namesOf(set);
        const others = choice(
            ...this.#otherKeys(names, set).map(([key, goal]) => sequence(key, this.colon, this.#value(goal))),
        );
        const more = repeat(sequence(this.comma, others), 0, UNBOUNDED);
        let following = more,
            first = repeat(sequence(others, more), set.isFilled ? 1 : 0, 1);
        for (const name of names.slice(at).reverse()) {
            const member = this.#member(set, name), isRequired = set.required.has(name),
                next = sequence(this.comma, member);
            first = isRequired ? sequence(member, following) : choice(sequence(member, following), first);
            following = this.grammar.named(
                isRequired ? sequence(next, following) : sequence(optional(next), following),
            );
            first = this.grammar.named(first);
        }
        return at ? following : first;
    }

    /**
     * The keys of members that have no name in the schema, by what is asked of their values.
     * @param {string[]} names
     * @param {ObjectSet} set
     * @returns {[Expression, Goal][]} keys with their quotes
     */
    #otherKeys(names, set) {
        return known(this.#keys, JSON.stringify([names, set.layers]), () => this.#makeKeys(names, set));
    }

    /** @param {string[]} names @param {ObjectSet} set @returns {[Expression, Goal][]} */
    #makeKeys(names, {layers}) {
        const taken = [...names, ...this.json.noKeys];
        const sources = [...new Set(layers.flatMap((layer) => layer.patterns.map(([source]) => source)))];
        if (sources.length === 0) {
            const goal = both(...layers.map((layer) => layer.rest));
            return [
                [
                    names.length
                        ? this.grammar.named(this.json.key(this.#allBut(taken)), 'key')
                        : this.#shared('name', () => this.json.anyKey()),
                    goal,
                ],
            ];
        }
        const automata = [
            ...sources.map((source) => this.#patterns.automaton(source)),
            toAutomaton(choice(...taken.map(literal))),
        ];
        automata.push([{accepts: true, edges: [[complement([]), 0]]}]);
        const {states, verdicts} = product(automata, (accepting) => JSON.stringify(accepting.slice(0, -1)));
        /** @type {[Expression, Goal][]} */
        const out = [];
        for (const verdict of new Set(verdicts)) {
            const accepting = JSON.parse(verdict);
            if (accepting[sources.length]) continue;
            const goal = both(
                ...layers.map((layer) => layerGoal(layer, (source) => accepting[sources.indexOf(source)])),
            );
            if (goal[0] === NOTHING) continue;
            const text = toRules(states, this.grammar, {
                spell: (set) => this.json.spellKey(oneOf(set)),
                ends: (i) => verdicts[i] === verdict,
            });
            out.push([this.grammar.named(this.json.key(text), 'key'), goal]);
        }
        return out;
    }

    /** Every text but some, without quotes. @param {string[]} names @returns {Expression} */
    #allBut(names) {
        const anything = this.#shared('rest', () =>
            repeat(this.json.spellKey(oneOf(complement([]))), 0, UNBOUNDED),
        );
        return textTree(names, this.grammar, (e) => this.json.spellKey(e), anything);
    }

    /** @param {ArraySet} set @returns {Expression} */
    #array({first, rest, min, max}) {
        const set = {first, rest, min, max},
            listed = Math.min(first.length, max);
        /**
         * @param {number} i
         * @returns {Expression} the items from the i-th on, if any, without a comma before them
         */
        const others = this.#value(rest),
            next = sequence(this.comma, others);
        let tail = repeat(next, Math.max(0, min - Math.max(listed, 1)), max - Math.max(listed, 1));
        if (listed === 0)
            tail = max === 0 ? EMPTY : min > 0 ? sequence(others, tail) : optional(sequence(others, tail));
        for (let i = listed - 1; i >= 0; i--) {
            const item = sequence(i > 0 ? this.comma : EMPTY, this.#value(itemGoal(set, i)), tail);
            tail = this.grammar.named(i < min ? item : optional(item));
        }
        return sequence(literal('['), this.space, tail, this.space, literal(']'));
    }
}

/**
 * @param {any} schema
 * @param {Whitespace} [whitespace]
 * @returns {string} GBNF
 */
export function schemaGrammar(schema, whitespace) {
    const grammar = new Grammar();
    const text = grammar.write(new SchemaWriter(schema, grammar, whitespace).root());
    return text ?? bad('The schema allows no value at all ("false" at "#").');
}
