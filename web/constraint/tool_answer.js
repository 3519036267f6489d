// tool_answer.js: an answer that may call tools: what the model is told of them, what its text must be, and
// the calls that stand in it. Knows neither tokens nor how texts are constrained.

import {GemmaError} from '../base/error.js';
import {ToolCalls, toolsGrammar, toolsInstruction} from './tools.js';

/**
 * @typedef {import('./tools.js').Tool} Tool
 * @typedef {import('./tools.js').ToolChoice} ToolChoice
 * @typedef {import('./tools.js').ToolStyle} ToolStyle
 * @typedef {import('./tools.js').ToolCall} ToolCall
 *
 * @typedef {{tools: Tool[], toolChoice?: ToolChoice, parallelToolCalls?: boolean, style: ToolStyle}}
 *     Asked   parallelToolCalls: false for at most one call
 * @typedef {{type: 'call', index: number, name: string} | {type: 'arguments', index: number, text: string}
 *     | {type: 'called', index: number, name: string, arguments: Record<string, any>}} ToolCallEvent
 *   of call `index` of the answer: its name first, then pieces of its arguments as JSON, then all of it
 */

export class ToolAnswer {
    #reader;
    /** Whether it must call one: there is no text. */
    #isCall;
    /** What stands before the calls. */
    text = '';
    /** @type {ToolCall[]} */
    calls = [];
    /** What the model is told; '' where it may call none. */
    instruction;
    /** What its answer must be, in GBNF; undefined where it may call none. */
    grammar;
    /** Whether it may also be what the prompt's constraint says, instead of calls. */
    isEither;

    /** @param {Asked & {isConstrained: boolean}} asked */
    constructor({tools, toolChoice = 'auto', parallelToolCalls, style, isConstrained}) {
        this.#isCall = toolChoice === 'required' || typeof toolChoice === 'object';
        this.isEither = isConstrained && toolChoice === 'auto' && tools.length > 0;
        this.#reader = new ToolCalls(style, this.isEither);
        this.grammar = toolsGrammar({tools, toolChoice: this.isEither ? 'required' : toolChoice,
            parallelToolCalls, style});
        // Describes all tools, whichever may be called this time, so that they are described once.
        this.instruction = this.grammar === undefined ? '' : toolsInstruction({tools, style});
    }

    /**
     * @param {Partial<Asked> & {style: ToolStyle, isRaw?: boolean, isConstrained?: boolean}}
     *     asked   isConstrained: something else says what an answer without calls must be
     * @returns {Promise<ToolAnswer | undefined>} undefined: there are no tools
     */
    static async open({tools, isRaw = false, isConstrained = false, ...asked}) {
        const {toolChoice} = asked;
        if (!tools) {
            if (toolChoice === undefined || toolChoice === 'none') return undefined;
            throw new GemmaError('bad-argument', 'There is a toolChoice, but there are no tools; give both.');
        }
        const answer = new ToolAnswer({tools, isConstrained, ...asked});
        if (!isRaw || answer.grammar === undefined) return answer;
        throw new GemmaError('bad-argument',
            'A prompt has tools and raw; give one of them, or toolChoice: \'none\'.');
    }

    /**
     * Takes the next piece of the answer.
     * @param {string} piece
     * @returns {({text: string} | {tool: ToolCallEvent})[]} what is told of it
     */
    push(piece) {
        return this.#tell(this.#reader.push(piece));
    }

    /** What was held back; of an answer that was cut before its call, nothing. */
    end() {
        const events = this.#reader.end();
        return this.#isCall ? [] : this.#tell(events);
    }

    /** Whether stop strings count for what comes next: they would cut a call in two. */
    get isStoppable() {
        return !this.#isCall && this.#reader.isText;
    }

    /** @param {import('./tools.js').ToolEvent[]} events */
    #tell(events) {
        return events.map((event) => {
            if (event.type === 'called') this.calls.push({name: event.name, arguments: event.arguments});
            if (event.type !== 'text') return {tool: event};
            this.text += event.text;
            return {text: event.text};
        });
    }
}
