// run_tools.js: answers until one calls no tool, with what the tools give back between them, as the openai
// package's helper runTools() does.

import {refuse} from '../openai/errors.js';
import {ChatCompletionStream} from './chat_stream.js';
import {parsed} from './parse.js';
import {Runner} from './runner.js';

/**
 * @typedef {import('./chat_stream.js').Completions} Completions
 * @typedef {object} Runnable   a tool's function
 * @property {string} name
 * @property {(given: any, runner: Runner) => any} run
 * @property {(text: string) => any} [parse]
 */

const MOST_ANSWERS = 10;

/**
 * @param {any} tool   with its function, or of the openai package's helpers for Zod ($callback)
 * @param {number} i
 * @returns {Runnable}
 */
function toRunnable(tool, i) {
    const {function: about, $callback: callback, $parseRaw: parse} = tool, run = callback ?? about?.function;
    if (typeof run !== 'function') refuse(`'tools[${i}]' has no function to run.`, `tools[${i}].function`);
    return {name: about.name ?? run.name, run, parse: about.parse ?? parse};
}

/** As requests have it. @param {any} tool @param {Runnable} runnable */
const toTool = ({function: {description, parameters, strict}, $parseRaw: parse}, {name}) =>
    ({type: 'function', function: {name, description, parameters, strict: strict
        ?? (parse ? true : undefined)}});

/**
 * @param {Runnable | undefined} tool
 * @param {any} call
 * @param {string[]} names
 * @param {Runner} runner
 * @returns {Promise<string>} for the model
 */
async function call(tool, {name, arguments: text}, names, runner) {
    if (!tool) return `There is no tool ${JSON.stringify(name)}; there are ${names.join(', ')}.`;
    let given = text;
    try {
        if (tool.parse) given = await tool.parse(text);
    } catch (error) {
        return String(error);       // the model may mend it
    }
    const result = await tool.run(given, runner);
    return typeof result === 'string' ? result : JSON.stringify(result) ?? String(result);
}

/**
 * @param {Completions} completions
 * @param {any} body
 * @param {{signal?: AbortSignal | null, maxChatCompletions?: number}} [options]
 * @returns {Runner}
 */
export function runTools(completions, body, {maxChatCompletions = MOST_ANSWERS, ...options} = {}) {
    /** @type {Runnable[]} */
    const runnables = body.tools.map(toRunnable);
    const tools = body.tools.map((/** @type {any} */ tool, /** @type {number} */ i) => toTool(tool,
        runnables[i]));
    const names = runnables.map(({name}) => name),
        isOnce = typeof body.tool_choice === 'object' && body.tool_choice?.type === 'function';
    const asked = {...body, tools};
    /** @param {any} runner @returns {Promise<any>} */
    const ask = async (runner) => {
        const messages = runner.messages.map(toRequest);
        if (body.stream) return runner.answer(completions, {...asked, messages}, options);
        const answer = await completions.create({...asked, stream: false, messages},
            {...options, signal: runner.controller.signal});
        runner.tell('connect');
        const whole = parsed(answer, asked);
        runner.add(whole);
        return whole;
    };
    /** @param {any} runner */
    const work = async (runner) => {
        runner.messages.push(...body.messages);
        for (let i = 0; i < maxChatCompletions; i++) {
            const {choices: [{message: {tool_calls: calls = []}}]} = await ask(runner);
            const results = await Promise.all(calls.map((/** @type {any} */ {function: called}) =>
                call(runnables.find(({name}) => name === called.name), called, names, runner)));
            results.forEach((content, n) =>
                runner.addMessage({role: 'tool', tool_call_id: calls[n].id, content}));
            runner.throwIfAborted();
            if (!calls.length || isOnce) return;
        }
    };
    return body.stream ? new ChatCompletionStream(asked, work, options.signal)
        : new Runner(work, options.signal);
}

/** What a runner keeps, without what only it has. @param {any} message */
const toRequest = ({parsed: _, tool_calls: calls, ...message}) => ({
    ...message, ...calls && {tool_calls: calls.map((/** @type {any} */ {function: {name, arguments: text},
        ...one}) => ({...one, function: {name, arguments: text}}))},
});
