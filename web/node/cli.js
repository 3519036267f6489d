#!/usr/bin/env node
// cli.js: the command line: picks the command, turns errors into one sentence and an exit code. The commands
// are in commands/, one a file.
// Exit codes: 0, 1 (an error), 2 (usage), 130 (interrupted).

import {readFile} from 'node:fs/promises';
import {GemmaError} from '../gemma.js';
import {HelpAsked, UnknownOption, UsageError} from './args.js';
import {SetupError} from './run.js';

const USAGE = `usage: gemma COMMAND [options]        (npm run -s gemma -- COMMAND ...)
       gemma help | COMMAND --help | --version
`;
/** A command's part begins with its name, two columns in. */
const PARTS = `
  generate     --prompt T, or standard input, or both: the prompt, then the text
               [--chat] [--system T] [--max-tokens N] [--stop T] (once) [--json]
               [--messages FILE]    a conversation; standard input ends what the user says last in it, or is the next question
               [--session FILE]     continues the conversation in FILE, and saves it there
               [--logprobs N] [--prompt-logprobs N]
               Sampling, with its defaults: [--temperature 0.8] (0: the likeliest token) [--top-k 64] [--top-p 0.95] [--min-p 0]
               [--repeat-penalty 1] [--presence-penalty 0] [--frequency-penalty 0] [--seed N] (default: another each time)
               Without --max-tokens it ends where the model ends the text, or where the context is full.
               What the text must be, one of:
               [--schema FILE]      JSON of this schema; with --whitespace none|space|free: its white space (default: space)
               [--regex R]          a match of this regular expression
               [--choices A,B,...]  one of these
               [--grammar FILE]     a text of this grammar (GBNF)
  constraint   --schema FILE [--whitespace none|space|free] | --regex R | --choices A,B,... | --grammar FILE [--instances FILE] [--json]
               whether it compiles, and which lines of --instances it accepts (white space by default: free); without a model
  logits       --tokens 2,651,... | --tokens-file F [--top N] [--out FILE]
               default: the likeliest next tokens (20) as JSON; --out: all logits of every token, as 32-bit floats
  tokenize     [--bos] [--special] [--json] < text
  detokenize   < ids
  embed        < lines                      a vector of length 1 for each line; a base model's are not good for search
  perplexity   --text F [--json]            --ctx: of a window (512)
  compare      A B --text F [--json]        how far the model file B is from A over a text; --ctx: of a window
  imatrix      --text F --out FILE          what goes into each matrix, for build/quantize --imatrix; --ctx: of a window
  inspect      FILE [--json]                what its header says, and the memory that it needs
  probe        FILE|URL [--json]            whether it fits here and how fast it would be; also of a manifest or a catalogue's entry (.json)
  bench        [--model FILE | --shape gemma-2b|gemma-7b|gemma3-270m|gemma3-1b --type q4_0|...] [--profile] [--json]
               with its defaults: [--prompt-tokens 128] [--max-tokens 64] [--repeat 5] [--parallel 1]
  serve        [--port N] [--host H]      the page, and OpenAI's API under /v1; default: localhost, at the first free port from 8000 on
               [--allowed-host NAME,...]     other names by which requests may call it: of a container, behind a proxy
               [--parallel N] [--queue N]     texts written at the same time (4), and requests that may wait (64); more get 429
               [--api-key K] [--cors ORIGIN,...|*]     who may call: also GEMMA_API_KEY; pages of this machine may, others if named or with the key
               [--context N]     another name for --ctx
               [--max-body BYTES]     of a request (16 MiB)
`;
/** Of the commands that open one. */
const MODEL_PART = `
  Options of the model: [--model FILE] (default: the default model) [--ctx N] (the model's, up to 8,192) [--threads N] (all cores, up to 8)
               [--variant simd128|relaxed] [--dot i32|i16] [--memory64] [--exact] [--kv f16|int8] (f16)
               compare and probe take no --model, inspect takes --ctx and --threads alone, and constraint none of them.
`;

const COMMANDS = ['generate', 'logits', 'tokenize', 'detokenize', 'embed', 'perplexity', 'compare', 'imatrix',
    'inspect', 'probe', 'bench', 'constraint', 'serve'];

/** @param {string[]} argv */
async function main([name, ...argv]) {
    if (name === undefined || name === 'help') throw new HelpAsked();
    if (name === '--version' || name === '-V') {
        const {name: program, version} =
            JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
        process.stdout.write(`${program} ${version}\n`);
        return;
    }
    if (name === '-h' || name === '--help') throw new HelpAsked();
    if (!COMMANDS.includes(name)) throw new UsageError(`Unknown command ${name}; gemma help lists them.`);
    const command = await import(`./commands/${name}.js`);
    await command.default(argv);
}

/** The reader of our output may close the pipe early. */
process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`gemma: The output cannot be written: ${error.message}.\n`);
    process.exit(1);
});

try {
    await main(process.argv.slice(2));
} catch (error) {
    if (error instanceof HelpAsked) process.stdout.write(helpFor(process.argv.slice(2)));
    else fail(error);
}

/** The part of the command that is named, or all of them. @param {string[]} argv */
function helpFor([first, second]) {
    const name = first === 'help' ? second : first,
        part = PARTS.split(/^ {2}(?! )/m).find((one) => one.startsWith(`${name} `));
    return `${USAGE}\n${part ? `  ${part}` : PARTS.slice(1)}${name === 'constraint' ? '' : MODEL_PART}`;
}

/** @param {any} error */
function fail(error) {
    // What has a syscall is the system's refusal of a file or a port: its message is a sentence.
    const expected = error instanceof GemmaError || error instanceof UsageError || error instanceof SetupError
        || error.syscall !== undefined;
    const hint = error instanceof UnknownOption ? ` gemma ${process.argv[2]} --help lists them.` : '';
    process.stderr.write(`gemma: ${expected ? error.message : error.stack}${hint}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
}
