// options.js: what create() and availability() are given: taken as Web IDL takes it, checked by the
// specification's rules, and what it means for sampling and tools. Knows neither models nor sessions.

import {exception} from './errors.js';
import {canonical, toMessages, TYPES} from './messages.js';
import {
    member,
    required,
    toDictionary,
    toEnum,
    toFunction,
    toNumber,
    toObject,
    toSequence,
    toSignal,
    toText,
} from './webidl.js';

/**
 * By their names: what the library samples with.
 * @type {Record<string, {temperature?: number, topK?: number, topP?: number}>}
 */
const MODES = {
    'most-predictable': {temperature: 0},
    predictable: {temperature: 0.3},
    'slightly-predictable': {temperature: 0.6},
    balanced: {},
    'slightly-creative': {temperature: 1},
    creative: {temperature: 1.2},
    'most-creative': {temperature: 1.5, topP: 1},
};
export const PARAMS = {defaultTopK: 64, maxTopK: 256, defaultTemperature: 0.8, maxTemperature: 2};

/**
 * @typedef {{type: typeof TYPES[number], languages?: string[]}} Expected
 * @typedef {{name: string, description: string, inputSchema: any, execute: (...args: any[]) => any}} Tool
 * @typedef {{expectedInputs?: Expected[], expectedOutputs?: Expected[], samplingMode?: string, temperature?:
 *   number, tools?: Tool[], topK?: number}} Core
 * @typedef {Core & {initialPrompts?: import('./messages.js').Given[], monitor?: (...args: any[]) => any,
 *   signal?: AbortSignal}} Create
 * @typedef {{samplingMode: string | null, topK: number, temperature: number, sampling:
 *   import('../../gemma.js').Sampling}} Sampling
 */

/** @param {any} value @returns {Expected} */
function toExpected(value) {
    const expected = toDictionary(value, 'What is expected'),
        languages = member(expected, 'languages', (each) => toSequence(each, toText, 'languages'));
    return {type: required(expected, 'type', (each) => toEnum(each, TYPES, 'type')), languages};
}

/** @param {any} value @returns {Tool} */
function toTool(value) {
    const tool = toDictionary(value, 'A tool');
    return {
        description: required(tool, 'description', toText),
        execute: required(tool, 'execute', toFunction),
        inputSchema: required(tool, 'inputSchema', toObject),
        name: required(tool, 'name', toText),
    };
}

/** @param {any} given @returns {Core} */
export function toCore(given) {
    const options = toDictionary(given, 'The options'),
        expected = (/** @type {any} */ value, /** @type {string} */ name) =>
            toSequence(value, toExpected, name);
    return {
        expectedInputs: member(options, 'expectedInputs', expected),
        expectedOutputs: member(options, 'expectedOutputs', expected),
        samplingMode: member(options, 'samplingMode', (value, name) =>
            toEnum(value, Object.keys(MODES), name),
        ),
        temperature: member(options, 'temperature', toNumber),
        tools: member(options, 'tools', (value) => toSequence(value, toTool, 'tools')),
        topK: member(options, 'topK', toNumber),
    };
}

/** @param {any} given @returns {Create} */
export function toCreate(given) {
    const options = toDictionary(given, 'The options');
    return {
        ...toCore(options),
        initialPrompts: member(options, 'initialPrompts', toMessages),
        monitor: member(options, 'monitor', toFunction),
        signal: member(options, 'signal', toSignal),
    };
}

/** @param {any} given @returns {AbortSignal | undefined} of the options of append() and clone() */
export const toSignalOption = (given) => member(toDictionary(given, 'The options'), 'signal', toSignal);

/** @param {any} given */
export function toPromptOptions(given) {
    const options = toDictionary(given, 'The options');
    const isOmitted = member(options, 'omitResponseConstraintInput', Boolean) ?? false,
        responseConstraint = member(options, 'responseConstraint', toObject);
    const signal = member(options, 'signal', toSignal);
    if (isOmitted && !responseConstraint)
        throw new TypeError('omitResponseConstraintInput needs a responseConstraint.');
    return {responseConstraint, isOmitted, signal};
}

/**
 * All languages that are expected, canonical.
 * @param {Core} core
 * @returns {string[]} throws a RangeError for what is no language tag
 */
export const languagesOf = ({expectedInputs = [], expectedOutputs = []}) =>
    [...expectedInputs, ...expectedOutputs].flatMap(({languages = []}) =>
        Intl.getCanonicalLocales(languages),
    );

/**
 * Whether a model of text does what is expected.
 * @param {Core} core
 * @param {readonly string[]} [known]   languages; default: those that have a name
 */
export function isSupported(core, known) {
    const {expectedInputs = [], expectedOutputs = []} = core,
        language = (/** @type {string} */ tag) => new Intl.Locale(tag).language;
    const isKnown = (/** @type {string} */ tag) =>
        known
            ? known.some((each) => language(each) === language(tag))
            : Intl.DisplayNames.supportedLocalesOf([tag]).length > 0;
    const isText = [...expectedInputs, ...expectedOutputs].every(
        ({type}) => type !== 'image' && type !== 'audio',
    );
    return isText && languagesOf(core).every(isKnown);
}

/** @param {Core} core @returns {Sampling} */
export function samplingOf({samplingMode, topK, temperature}) {
    const hasParams = topK !== undefined || temperature !== undefined;
    if (hasParams && samplingMode) throw new TypeError('Give either samplingMode, or temperature and topK.');
    if (topK !== undefined && !(topK >= 1))
        throw new RangeError(`topK is ${topK}; a number from 1 is expected.`);
    if (temperature !== undefined && !(temperature >= 0))
        throw new RangeError(`temperature is ${temperature}; a number from 0 is expected.`);
    const mode = hasParams ? null : (samplingMode ?? 'balanced'),
        sampling = mode ? MODES[mode] : {};
    const chosen = {
        topK: Math.floor(Math.min(topK ?? PARAMS.defaultTopK, PARAMS.maxTopK)),
        temperature: Math.min(
            temperature ?? sampling.temperature ?? PARAMS.defaultTemperature,
            PARAMS.maxTemperature,
        ),
    };
    return {samplingMode: mode, ...chosen, sampling: {...sampling, ...chosen}};
}

/** @param {any} schema @param {string} name */
function checkSchema(schema, name) {
    const {type, properties = {}, required: needed = []} = schema;
    if (type !== 'object')
        throw new TypeError(`The inputSchema of the tool "${name}" must be of the type "object".`);
    if (typeof properties !== 'object' || !properties || !Array.isArray(needed)) {
        throw new TypeError(
            `In the inputSchema of the tool "${name}", properties must be an object, and required an array.`,
        );
    }
}

/** @param {Core} core @returns {Tool[]} with their schemas copied */
export function toolsOf({tools = []}) {
    const names = new Set();
    return tools.map((tool) => {
        const {name, description} = tool;
        if (!/^[\w.-]{1,128}$/.test(name) || names.has(name)) {
            throw new TypeError(
                `A tool is named "${name}"; 1 to 128 letters, digits, "_", "-" and "." are expected, and no name twice.`,
            );
        }
        if (!description) throw new TypeError(`The tool "${name}" has no description.`);
        names.add(name);
        const inputSchema = JSON.parse(JSON.stringify(tool.inputSchema) ?? 'null');
        checkSchema(inputSchema ?? {}, name);
        return {...tool, inputSchema};
    });
}

/**
 * By the specification's rules.
 * @param {Create} options
 * @returns {{messages: import('./messages.js').Message[], tools: Tool[]} & Sampling}
 */
export function checkCreate(options) {
    languagesOf(options);
    const messages = options.initialPrompts?.length ? canonical(options.initialPrompts, false).messages : [];
    return {messages, tools: toolsOf(options), ...samplingOf(options)};
}

/** @param {string} why */
export const unsupported = (why) => exception('NotSupportedError', why);
