// generate.js: gemma generate: streams a continuation, an answer, or the answers to a file of messages.

import {existsSync} from 'node:fs';
import {readFile, rename, writeFile} from 'node:fs/promises';
import {Gemma, GemmaError} from '../../gemma.js';
import {UsageError, parseArgs} from '../args.js';
import {
    CONSTRAINT_OPTIONS, MODEL_OPTIONS, engineOptions, modelPath, printJson, progressLine, readConstraint,
    readJson, readPiped, readStdin,
} from './shared.js';

/** @typedef {import('../../gemma.js').Message} Message */

const INTERRUPTED = 130;        // what shells say of a program that SIGINT (2) ended

/** @satisfies {import('../args.js').OptionTable} */
const OPTIONS = {
    ...MODEL_OPTIONS, ...CONSTRAINT_OPTIONS, prompt: 'text', chat: 'flag', system: 'text', messages: 'text',
    'max-tokens': 'whole', stop: 'text', json: 'flag',
    temperature: 'number', 'top-k': 'whole', 'top-p': 'number', 'min-p': 'number', seed: 'whole',
    'repeat-penalty': 'number', 'presence-penalty': 'number', 'frequency-penalty': 'number',
    logprobs: 'whole', 'prompt-logprobs': 'whole', session: 'text',
};

/**
 * Only what was given, so that the library's defaults hold for the rest.
 * @param {Record<string, any>} options
 */
function sampling(options) {
    const names = [
        'temperature', 'topK', 'topP', 'minP', 'seed', 'repeatPenalty', 'presencePenalty', 'frequencyPenalty',
    ];
    return Object.fromEntries(names.filter((n) => options[n] !== undefined).map((n) => [n, options[n]]));
}

/** @param {string} path @returns {Promise<Message[]>} */
async function readMessages(path) {
    const messages = await readJson(path);
    /** @param {any} m */
    const sound = (m) => ['system', 'user', 'assistant'].includes(m?.role) && typeof m.content === 'string';
    if (!Array.isArray(messages) || !messages.length || !messages.every(sound)) {
        throw new GemmaError('bad-file',
            `${path}: an array of {"role": "system" | "user" | "assistant", "content": "..."} is expected.`);
    }
    return messages;
}

/**
 * What is asked, one after the other: each ends with a user's message that no assistant's follows, and begins
 * with what the file has between it and the one before.
 * @param {Message[]} messages
 */
function questions(messages) {
    /** @type {Message[][]} */
    const found = [];
    let begin = 0;
    messages.forEach(({role}, i) => {
        if (role !== 'user' || messages[i + 1]?.role === 'assistant') return;
        found.push(messages.slice(begin, i + 1));
        begin = i + 1;
    });
    if (!found.length) throw new GemmaError('bad-argument',
        'Each user\'s message has its answer: there is no question left.');
    return found;
}

/**
 * A new conversation, or the one that --session has.
 * @param {Gemma} gemma
 * @param {Record<string, any>} options
 */
async function openSession(gemma, {session: path, ...options}) {
    const saved = path === undefined ? undefined : await readFile(path).catch((error) => {
        if (error.code !== 'ENOENT') throw error;
    });
    if (saved === undefined) return gemma.session({system: options.system, sampling: sampling(options)});
    if (options.system !== undefined)
        throw new UsageError(
            '--system belongs to the beginning of a conversation; the file of --session has one already.');
    return gemma.restore(saved);
}

/**
 * Of nothing, a model writes any text. A conversation that is there can be continued by an empty prompt.
 * @param {string} prompt @param {string | undefined} session
 */
function mustSay(prompt, session) {
    if (prompt.trim() || session !== undefined && existsSync(session)) return prompt;
    throw new UsageError('The prompt is empty; give one by --prompt or on standard input.');
}

/** A prompt and the text that it is about. @param {string} prompt @param {string} text */
function join(prompt, text) {
    return text && !/\s$/.test(prompt) ? `${prompt}\n${text}` : prompt + text;
}

/**
 * The messages, and a text that is piped in as the end of what the user says last.
 * @param {Message[]} messages
 * @param {string} text
 * @returns {Message[]}
 */
function withText(messages, text) {
    const last = messages.at(-1);
    if (!text || !last) return messages;
    if (last.role !== 'user') return [...messages, {role: 'user', content: text}];
    return messages.with(-1, {...last, content: join(last.content, text)});
}

/** @param {string[]} argv */
export default async function run(argv) {
    const {options} = parseArgs(argv, OPTIONS);
    if (options.messages !== undefined && options.prompt !== undefined)
        throw new UsageError('--prompt and --messages exclude each other.');
    const inTurns = options.chat || options.system !== undefined || options.messages !== undefined;
    const messages = options.messages === undefined ? undefined : await readMessages(options.messages),
        constraint = await readConstraint(options);
    const piped = options.prompt === undefined && !messages ? undefined : readPiped();
    /** @param {string} text @returns {(string | Message[])[]} */
    const asked = (text) => messages ? questions(withText(messages, text))
        : [mustSay(join(options.prompt, text), options.session)];
    const prompts = piped ? undefined : options.prompt === undefined && !messages
        ? [mustSay((await readStdin()).toString('utf8'), options.session)] : asked('');

    const gemma = await Gemma.load({kind: 'path', path: await modelPath(options)},
        {...engineOptions(options), onProgress: progressLine()});
    const interrupt = new AbortController();
    process.once('SIGINT', () => {
        interrupt.abort();
        process.exitCode = INTERRUPTED;
    });
    try {
        const session = await openSession(gemma, options);
        const turns = [];
        for (const prompt of prompts ?? asked(piped ? await piped.end() : '')) {
            const answer = session.prompt(prompt, {
                raw: !inTurns, sampling: sampling(options), maxTokens: options.maxTokens, stop: options.stop,
                logprobs: options.logprobs, promptLogprobs: options.promptLogprobs, constraint,
                signal: interrupt.signal, onProgress: progressLine(),
            });
            for await (const piece of answer) if (!options.json) process.stdout.write(piece);
            if (!options.json) process.stdout.write('\n');
            turns.push(await answer.result);
            if (interrupt.signal.aborted) break;
        }
        if (options.json) {
            const {variant, threads} = gemma.info;
            printJson({...turns.at(-1), variant, threads, ...(options.messages !== undefined && {turns})});
        }
        if (options.session !== undefined) {
            // What was saved before stays until this is whole.
            const path = `${options.session}.tmp`;
            await writeFile(path, await session.save());
            await rename(path, options.session);
        }
    } finally {
        gemma.close();
    }
}
