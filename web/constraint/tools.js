// Tools: how they are described to a model, the grammar of an answer that may call them, and the calls in a
// streamed answer.
//
// Owns the two forms: JSON between fences, told by a short instruction, and FunctionGemma's own. In both,
// text comes first, and calls, if any, end the answer. Must not know who runs the tools nor how grammars are
// matched.

import {GemmaError} from '../base/error.js';
import {toRules, without} from './automaton.js';
import {bad, begin} from './bad.js';
import {choice, EMPTY, literal, oneOf, optional, repeat, rule, sequence, token} from './expression.js';
import {FunctionText, readValue, writeValue} from './function_text.js';
import {Grammar} from './grammar.js';
import {JsonText} from './json_text.js';
import {SchemaWriter} from './schema.js';

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} [description]
 * @property {Record<string, any>} [parameters]   a JSON Schema of an object; the tool takes none if omitted
 *
 * @typedef {'auto' | 'none' | 'required' | {name: string}} ToolChoice
 * @typedef {'json' | 'function'} ToolStyle   'function': FunctionGemma's tokens
 * @typedef {{tools: Tool[], toolChoice?: ToolChoice, parallelToolCalls?: boolean, style?: ToolStyle}}
 *     ToolOptions parallelToolCalls: false for at most one call
 * @typedef {{name: string, arguments: any}} ToolCall
 *
 * @typedef {{type: 'text', text: string} | {type: 'call', index: number, name: string} | {type: 'arguments',
 *     index: number, text: string} | {type: 'called', index: number, name: string, arguments: any}} ToolEvent
 *     of a call: its name, then pieces of its arguments as JSON (in one piece with FunctionGemma), then
 *     all of it
 */

const MAX_CALLS = 16;

/**
 * What stands before a call, before its name, between that and the arguments, after them, and between two
 * calls.
 */
const FORMS = {
    json: {
        mark: '```tool_call\n',
        name: '{"name": "',
        middle: '", "arguments": ',
        end: '}\n```',
        between: '\n',
    },
    function: {
        mark: '<start_function_call>',
        name: 'call:',
        middle: '',
        end: '<end_function_call>',
        between: '',
    },
};

/**
 * The grammar of an answer.
 * @param {ToolOptions} options
 * @returns {string | undefined} GBNF; undefined where no tool may be called
 */
export function toolsGrammar({tools, toolChoice = 'auto', parallelToolCalls = true, style = 'json'}) {
    const chosen = chosenOf(tools, toolChoice);
    if (!chosen.length) return;
    begin();
    const grammar = new Grammar(),
        form = FORMS[style];
    const text = style === 'json' ? new JsonText(grammar) : new FunctionText(grammar);
    const values = chosen.map((tool) => argumentsOf(tool, grammar, text)),
        live = grammar.live();
    const besides = style === 'json' ? '' : ', or only texts that match a pattern by a "<"';
    const calls = chosen.map(({name}, i) => {
        if (!live.has(values[i]))
            refuseTool(name, `The schema allows no value at all${besides} ("false" at "#").`);
        return sequence(literal(form.name + name + form.middle), rule(values[i]));
    });
    const written = style === 'json' ? literal : token;
    const rest = grammar.named(sequence(choice(...calls), written(form.end)), 'call');
    const call = sequence(written(form.mark), rest),
        isOne = typeof toolChoice === 'object' || !parallelToolCalls;
    const all = sequence(
        call,
        isOne ? EMPTY : repeat(sequence(literal(form.between), call), 0, MAX_CALLS - 1),
    );
    return grammar.write(
        toolChoice === 'auto'
            ? toRules(without(form.mark), grammar, {spell: oneOf, after: optional(all)})
            : all,
    );
}

/** @param {Tool[]} tools @param {ToolChoice} toolChoice @returns {Tool[]} those that may be called */
function chosenOf(tools, toolChoice) {
    if (!Array.isArray(tools)) bad('"tools" must be a list.');
    const names = new Set();
    for (const {name} of tools) {
        if (typeof name !== 'string' || !/^[\w.-]{1,128}$/.test(name))
            bad(
                `The name of a tool has 1 to 128 letters, digits, "_", "-" and ".", found ${JSON.stringify(name)}.`,
            );
        if (names.has(name)) bad(`Two tools have the name "${name}".`);
        names.add(name);
    }
    if (toolChoice === 'none') return [];
    if (toolChoice === 'auto') return tools;
    if (toolChoice === 'required')
        return tools.length ? tools : noTool('a call is required, but there are no tools');
    const one = tools.filter(({name}) => name === toolChoice?.name);
    return one.length ? one : noTool(`no tool has the name ${JSON.stringify(toolChoice?.name)}`);
}

/** @param {string} why @returns {never} */
const noTool = (why) => bad(`"toolChoice" can't be fulfilled: ${why}.`);

/** @param {string} name @param {string} why @param {unknown} [cause] @returns {never} */
const refuseTool = (name, why, cause) => bad(`The parameters of the tool "${name}": ${why}`, cause);

/** @param {Tool} tool @param {Grammar} grammar @param {JsonText} text @returns {string} a rule's name */
function argumentsOf({name, parameters}, grammar, text) {
    // Names that the schema does not list are shut out where that changes nothing else: no model should
    // invent arguments.
    const isPlain = !['allOf', 'anyOf', 'oneOf', '$ref', 'patternProperties', 'propertyNames'].some(
        (keyword) => parameters?.[keyword] !== undefined,
    );
    const schema = {...(isPlain && {additionalProperties: false}), ...parameters, type: 'object'};
    try {
        if (![undefined, 'object'].includes(parameters?.type)) bad('"type" at "#" must be "object".');
        const space = text instanceof FunctionText ? 'none' : 'space';
        return new SchemaWriter(schema, grammar, space, text).root().name;
    } catch (error) {
        if (!(error instanceof GemmaError)) throw error;
        return refuseTool(name, error.message, error);
    }
}

/**
 * What a model is told of its tools, as text of the system's turn (FunctionGemma: the developer's).
 * @param {ToolOptions} options
 * @returns {string} empty where no tool may be called
 */
export function toolsInstruction({tools, toolChoice = 'auto', style = 'json'}) {
    const chosen = chosenOf(tools, toolChoice);
    if (!chosen.length) return '';
    if (style === 'function') {
        const declared = chosen.map(
            ({name, description = '', parameters = {type: 'object', properties: {}}}) =>
                `<start_function_declaration>declaration:${name}${writeValue({
                    description,
                    parameters: inCapitals(parameters),
                })}<end_function_declaration>`,
        );
        return `You are a model that can do function calling with the following functions${declared.join('')}`;
    }
    const listed = chosen.map(({name, description, parameters = {type: 'object', properties: {}}}) =>
        JSON.stringify({name, description, parameters}),
    );
    const example = callText({name: 'NAME', arguments: {}}).replace('{}', '{ARGUMENTS}');
    return `You can call tools. Each line is one tool:\n${listed.join('\n')}\nTo call a tool, end your answer with:\n${example}`;
}

/** A schema whose types are in capitals. @param {any} schema @returns {any} */
function inCapitals(schema) {
    if (Array.isArray(schema)) return schema.map(inCapitals);
    if (typeof schema !== 'object' || schema === null) return schema;
    return Object.fromEntries(
        Object.entries(schema).map(([key, value]) => [
            key,
            key === 'type' && typeof value === 'string' ? value.toUpperCase() : inCapitals(value),
        ]),
    );
}

/** A call as the model writes it. @param {ToolCall} call @param {ToolStyle} [style] @returns {string} */
export function callText(call, style = 'json') {
    const form = FORMS[style],
        value = style === 'json' ? spaced(call.arguments) : writeValue(call.arguments);
    return form.mark + form.name + call.name + form.middle + value + form.end;
}

/**
 * JSON with a space after each colon and comma, as the grammar has it.
 * @param {any} value
 * @returns {string}
 */
function spaced(value) {
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    if (Array.isArray(value)) return `[${value.map((each) => spaced(each ?? null)).join(', ')}]`;
    return `{${Object.keys(value)
        .filter((key) => value[key] !== undefined)
        .map((key) => `${JSON.stringify(key)}: ${spaced(value[key])}`)
        .join(', ')}}`;
}

/**
 * What a tool gave back, as text of a turn.
 * @param {{name: string, content: string}} result
 * @param {ToolStyle} [style]
 * @returns {string}
 */
export function resultText({name, content}, style = 'json') {
    if (style === 'json') return `\`\`\`tool_result\n${JSON.stringify({name, content})}\n\`\`\``;
    return `<start_function_response>response:${name}${writeValue(membersOf(content))}<end_function_response>`;
}

/** What a tool gave back as members: those of the object in JSON that it may be. @param {string} content */
function membersOf(content) {
    try {
        const value = JSON.parse(content);
        if (typeof value === 'object' && value && !Array.isArray(value)) return value;
        return {value};
    } catch {
        return {value: content};
    }
}

/** Messages of the system that declare tools. @type {WeakSet<object>} */
export const declaring = new WeakSet();

/**
 * Messages as FunctionGemma's turns: tools have tokens of their own, in the turns of the system and
 * the assistant.
 * @param {any[]} messages
 * @returns {{role: 'system' | 'user' | 'assistant' | 'tool', content: string}[]}
 */
export function functionTurns(messages) {
    return messages.flatMap((message) => {
        const {role, content, toolCalls = []} = message;
        if (role === 'tool') return [{role, content: resultText(message, 'function')}];
        const at = declaring.has(message) ? content.indexOf('<start_function_declaration>') : content.length;
        const ownTokens =
            content.slice(at)
            + (toolCalls ?? []).map((/** @type {ToolCall} */ call) => callText(call, 'function')).join('');
        const said = {role, content: content.slice(0, at)};
        return ownTokens ? [said, {role: 'tool', content: ownTokens}] : [said];
    });
}

/** Finds the calls in the pieces of an answer. */
export class ToolCalls {
    #buffer = '';
    /** plain: there are no calls. @type {'text' | 'plain' | 'name' | 'arguments' | 'after'} */
    #state = 'text';
    #index = -1;
    #name = '';
    #arguments = '';
    #depth = 0;
    #quoted = false;
    /** @type {ToolEvent[]} */
    #events = [];

    /**
     * @param {ToolStyle} [style]
     * @param {boolean} [isEither]   an answer that begins with something else has no calls
     */
    constructor(style = 'json', isEither = false) {
        this.style = style;
        this.isEither = isEither;
        this.form = FORMS[style];
    }

    /** Whether what came last is text, which no call has followed. */
    get isText() {
        return this.#state === 'plain' || this.#state === 'text' && !this.#buffer.startsWith(this.form.mark);
    }

    /** @param {string} piece @returns {ToolEvent[]} what is known since the last one */
    push(piece) {
        this.#buffer += piece;
        this.#events = [];
        while (this.#step());
        return this.#events;
    }

    /** @returns {ToolEvent[]} what was held back, at the end of the answer */
    end() {
        // No text has the whole mark: it is a call that was cut.
        const text = this.#state === 'text' && !this.#buffer.startsWith(this.form.mark) ? this.#buffer : '';
        this.#buffer = '';
        return text ? [{type: 'text', text}] : [];
    }

    /** @returns {boolean} whether another step may follow */
    #step() {
        if (this.#state === 'arguments') return this.#readArguments();
        if (this.#state === 'name') return this.#readName();
        const open = this.form.mark + this.form.name,
            hasText = this.isEither && this.#state === 'text'
                && !open.startsWith(this.#buffer.slice(0, open.length));
        if (hasText) this.#state = 'plain';
        const at = this.#state === 'plain' ? -1 : this.#buffer.indexOf(open);
        let held = this.#state === 'plain' ? 0 : Math.min(open.length - 1, this.#buffer.length);
        while (!open.startsWith(this.#buffer.slice(this.#buffer.length - held))) held--;
        const text = this.#take(at >= 0 ? at : this.#buffer.length - held);
        if (text && (this.#state === 'text' || this.#state === 'plain'))
            this.#events.push({type: 'text', text});
        if (at < 0) return false;
        this.#take(open.length);
        this.#state = 'name';
        return true;
    }

    #readName() {
        const after = this.form.middle || '{',
            at = this.#buffer.indexOf(after);
        if (at < 0) return false;
        this.#name = this.#take(at);
        this.#take(this.form.middle.length);
        this.#events.push({type: 'call', index: ++this.#index, name: this.#name});
        this.#state = 'arguments';
        this.#arguments = '';
        return true;
    }

    #readArguments() {
        const quote = this.style === 'json' ? '"' : '<escape>';
        let at = 0,
            done = false;
        while (at < this.#buffer.length && !done) {
            const rest = this.#buffer.slice(at, at + quote.length);
            if (rest.length < quote.length && quote.startsWith(rest)) break;
            const isEscape = this.style === 'json' && this.#quoted && rest === '\\';
            if (isEscape && at + 1 >= this.#buffer.length) break;
            if (rest === quote) this.#quoted = !this.#quoted;
            else if (!this.#quoted && '{['.includes(rest[0])) this.#depth++;
            else if (!this.#quoted && '}]'.includes(rest[0])) done = --this.#depth === 0;
            at += rest === quote ? quote.length : isEscape ? 2 : 1;
        }
        const text = this.#take(at);
        this.#arguments += text;
        if (text && this.style === 'json') this.#events.push({type: 'arguments', index: this.#index, text});
        if (!done) return false;
        const value = this.style === 'json' ? JSON.parse(this.#arguments) : readValue(this.#arguments);
        if (this.style !== 'json')
            this.#events.push({type: 'arguments', index: this.#index, text: JSON.stringify(value)});
        this.#events.push({type: 'called', index: this.#index, name: this.#name, arguments: value});
        this.#state = 'after';
        return true;
    }

    /** @param {number} length @returns {string} */
    #take(length) {
        const text = this.#buffer.slice(0, length);
        this.#buffer = this.#buffer.slice(length);
        return text;
    }
}
