// parse.js: what a whole answer says, as values: its content by the schema that was asked for, arguments of
// calls by those of the tools. What reads the text may come with the request, as the openai package's helpers
// for Zod have it ($parseRaw). Knows no streams.

import {APIError} from '../openai/errors.js';

/** An answer that was to be read ended before it was whole. */
export class LengthFinishReasonError extends APIError {
    name = 'LengthFinishReasonError';

    constructor() {
        super(undefined, {message: 'The answer reached its length limit before it was whole.', type: 'length',
            code: 'length'});
    }
}

/** @param {any} body   of a request @returns {boolean} whether it says how to parse its answer */
export const isParsed = ({response_format: format, tools}) => format?.type === 'json_schema'
    || format?.$parseRaw !== undefined
    || (tools ?? []).some((/** @type {any} */ tool) => tool.$parseRaw !== undefined
        || tool.function?.strict === true);

/** @param {any} body @param {string | null} content */
export function contentOf({response_format: format}, content) {
    if (format?.type !== 'json_schema' || !content) return null;
    return (format.$parseRaw ?? readWhole)(content);
}

/** @param {any} body @param {{name: string, arguments: string}} call */
export function argumentsOf({tools}, call) {
    const tool = (tools ?? []).find((/** @type {any} */ one) => one.function?.name === call.name);
    if (tool?.$parseRaw) return tool.$parseRaw(call.arguments);
    return tool?.function.strict ? readWhole(call.arguments) : null;
}

/** @param {string} json @returns {any} */
function readWhole(json) {
    try {
        return JSON.parse(json);
    } catch (cause) {
        throw new APIError(undefined, {message: 'A stop string ended the answer before its JSON was whole.',
            type: 'stop', code: 'cut'}, {cause});
    }
}

/**
 * An answer with `parsed` in its messages and `parsed_arguments` in their calls.
 * @param {import('../openai/types.js').ChatCompletion} completion @param {any} body
 * @returns {any} throws where an answer ended before it was whole
 */
export function parsed(completion, body) {
    const choices = completion.choices.map((choice) => {
        if (choice.finish_reason === 'length') throw new LengthFinishReasonError();
        const {tool_calls: calls, ...message} = choice.message;
        const read = calls?.map((call) => ({...call,
            function: {...call.function, parsed_arguments: argumentsOf(body, call.function)}}));
        return {...choice, message: {...message, ...read && {tool_calls: read},
            parsed: contentOf(body, message.content)}};
    });
    return {...completion, choices};
}
