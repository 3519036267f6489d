// generate.js: gemma generate: streams a continuation, an answer, or the answers to a file of messages.

import { Gemma, GemmaError } from '../../gemma.js';
import { UsageError, parseArgs } from '../args.js';
import { MODEL_OPTIONS, engineOptions, modelPath, printJson, readStdin, readText } from './shared.js';

const OPTIONS = {
    ...MODEL_OPTIONS, prompt: 'text', chat: 'flag', system: 'text', messages: 'text', 'max-tokens': 'whole', stop: 'text', json: 'flag',
    temperature: 'number', 'top-k': 'whole', 'top-p': 'number', 'min-p': 'number', seed: 'whole',
    'repeat-penalty': 'number', 'presence-penalty': 'number', 'frequency-penalty': 'number',
};

/** Only what was given, so that the library's defaults hold for the rest. */
function sampling(options) {
    const names = ['temperature', 'topK', 'topP', 'minP', 'seed', 'repeatPenalty', 'presencePenalty', 'frequencyPenalty'];
    return Object.fromEntries(names.filter(n => options[n] !== undefined).map(n => [n, options[n]]));
}

async function readMessages(path) {
    let messages;
    try {
        messages = JSON.parse(await readText(path));
    } catch (error) {
        if (error instanceof GemmaError) throw error;
        throw new GemmaError('bad-file', `${path} is not JSON: ${error.message}`);
    }
    const sound = m => ['system', 'user', 'assistant'].includes(m?.role) && typeof m.content === 'string';
    if (!Array.isArray(messages) || !messages.length || !messages.every(sound)) {
        throw new GemmaError('bad-file', `${path}: an array of {"role": "system" | "user" | "assistant", "content": "..."} is expected`);
    }
    return messages;
}

/** The prompts to be answered, one after the other, and what each has before it that the model did not write itself. */
function plan(messages) {
    const lastAnswer = messages.findLastIndex(m => m.role === 'assistant');
    const history = messages.slice(0, lastAnswer + 1), open = messages.slice(lastAnswer + 1);
    const system = open.filter(m => m.role === 'system'), prompts = open.filter(m => m.role === 'user');
    if (!prompts.length) throw new GemmaError('bad-argument', 'the messages end with the assistant\'s: there is no question to answer');
    return { history: [...history, ...system], prompts: prompts.map(m => m.content) };
}

export default async function run(argv) {
    const { options } = parseArgs(argv, OPTIONS);
    if (options.messages !== undefined && options.prompt !== undefined) throw new UsageError('--prompt and --messages exclude each other');
    const inTurns = options.chat || options.system !== undefined || options.messages !== undefined;
    const { history, prompts } = options.messages !== undefined ? plan(await readMessages(options.messages))
        : { history: [], prompts: [options.prompt ?? (await readStdin()).toString('utf8')] };

    const gemma = await Gemma.load({ kind: 'path', path: await modelPath(options) }, engineOptions(options));
    const interrupt = new AbortController();
    process.once('SIGINT', () => interrupt.abort());
    try {
        const session = await gemma.session({ system: options.system, history });
        const turns = [];
        for (const prompt of prompts) {
            const answer = session.prompt(prompt, {
                raw: !inTurns, maxTokens: options.maxTokens, stop: options.stop === undefined ? [] : [options.stop], sampling: sampling(options),
                signal: interrupt.signal,
            });
            for await (const piece of answer) if (!options.json) process.stdout.write(piece);
            if (!options.json) process.stdout.write('\n');
            turns.push(await answer.result);
        }
        if (options.json) {
            const { variant, threads } = gemma.info, last = turns.at(-1);
            printJson({ ...last, variant, threads, ...(turns.length > 1 && { turns }) });
        }
    } finally {
        gemma.close();
    }
}
