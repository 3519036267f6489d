// npm run bench: this engine, its peers and the machine's limits, measured side by side.
//
// Owns: the options, the order of things, what is saved. Must not know: how a contender is measured, how figures are shown.

import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {availableParallelism, cpus, totalmem} from 'node:os';
import {basename, join, resolve} from 'node:path';
import {parseArgs} from 'node:util';
import {SetupError, main, run, say} from '../../web/node/run.js';
import {ensureDependencies, ensureModel, ensureModules} from '../../web/node/setup.js';
import {ensureNode24} from '../setup/node24.js';

const HELP = `npm run bench -- [OPTION...]

  --model FILE             a GGUF; default: the default model
  --shape S --type T       instead: random weights of a shape, such as gemma-2b and q4_0; this engine only
  --threads N              default: one for each core
  --prompt-tokens N,N,...  lengths of the texts that are read; default: 128,512
  --contexts N,N,...       further lengths, as far as the model's context goes, such as 100,2000,8000
  --max-tokens N           that are written after each; default: 64
  --repeat N               rounds; default: 3
  --only NAME,...          of ours-chromium, ours-node, wllama, native, limits
  --variants               this engine also with each of its sets of kernels
  --out DIR                where report.html and report.json go; default: test-output/bench

In each round every contender is started afresh, warmed up and measured once; every second round goes the other way round. Peers are
fetched from npm. Nothing else should run on the machine meanwhile.`;

const FILES = {'ours-chromium': './ours_chromium.js', 'ours-node': './ours_node.js', wllama: './wllama.js', native: './native.js', limits: './limits.js'};
const OURS = ['ours-chromium', 'ours-node'];
/** Names of kernels, and the options that ask for them. */
const KERNELS = {simd128: {variant: 'simd128'}, relaxed: {variant: 'relaxed', dot: 'i32'}, relaxed16: {variant: 'relaxed', dot: 'i16'}};
/** Of a CPU, those that its dot products depend on. */
const FLAGS = ['avx2', 'avx512_vnni', 'avx_vnni', 'asimddp', 'i8mm'];

await main(async () => {
    const options = readOptions();
    if (options.help) return console.log(HELP);
    await ensureDependencies();
    await ensureModules();
    const job = await jobOf(options);
    const {costsOf} = await import('./ours_node.js');
    const {htmlOf, tableOf} = await import('./report.js');
    const costs = await costsOf(job);
    const contenders = await prepare(options, job);
    try {
        for (let round = 0; round < options.repeat; round++) {
            for (const contender of round % 2 ? contenders.toReversed() : contenders) await measure(contender, round, options.repeat);
        }
    } finally {
        for (const {running} of contenders) await running?.close?.();
    }
    const report = {
        date: new Date().toISOString(), machine: machine(), model: job.model ? basename(job.model) : `${job.shape}, ${job.type}, random weights`,
        threads: job.threads, maxTokens: job.maxTokens, prompts: job.prompts, promptTokens: options.promptTokens,
        repeat: options.repeat, ...costs, contenders: contenders.map(summarise),
    };
    mkdirSync(options.out, {recursive: true});
    writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(join(options.out, 'report.html'), htmlOf(report));
    console.log(tableOf(report));
    say(`\n${join(options.out, 'report.html')} has the plots, report.json beside it every sample`);
    if (!report.contenders.some(({samples}) => samples.length)) process.exitCode = 1;
});

/* ------------------------------------------------------------------------------------------ what is asked for */

function readOptions() {
    const text = ['model', 'shape', 'type', 'threads', 'prompt-tokens', 'contexts', 'max-tokens', 'repeat', 'only', 'out'];
    const flags = ['variants', 'help'];
    let values;
    try {
        ({values} = parseArgs({options: Object.fromEntries([
            ...text.map((name) => [name, {type: 'string'}]), ...flags.map((name) => [name, {type: 'boolean', default: false}]),
        ])}));
    } catch (error) {
        throw new SetupError(`${error.message.split('\n')[0]}\n\n${HELP}`);
    }
    const numbers = (name, standard) => (values[name] ?? standard).split(',').filter(Boolean).map((word) => {
        if (!/^[1-9]\d{0,6}$/.test(word)) throw new SetupError(`--${name} ${values[name]}: whole numbers from 1 are expected`);
        return Number(word);
    });
    const only = values.only?.split(',') ?? Object.keys(FILES);
    for (const name of only) if (!FILES[name]) throw new SetupError(`--only ${name}: there are ${Object.keys(FILES).join(', ')}`);
    if (values.model && values.shape) throw new SetupError('--model and --shape exclude each other');
    return {
        ...values, only, type: values.type ?? 'q4_0', threads: numbers('threads', String(availableParallelism()))[0],
        promptTokens: numbers('prompt-tokens', '128,512'), contexts: numbers('contexts', ''), maxTokens: numbers('max-tokens', '64')[0],
        repeat: numbers('repeat', '3')[0], out: resolve(values.out ?? 'test-output/bench'),
    };
}

/** @returns {Promise<import('./shared.js').Job>} */
async function jobOf({model, shape, type, threads, promptTokens, contexts, maxTokens}) {
    const source = shape ? {shape, type} : {model: resolve(model ?? await ensureModel())};
    const holds = shape ? 8192 : contextOf(source.model);
    const tooLong = (tokens) => tokens + maxTokens + 1 > holds;
    const dropped = [...promptTokens, ...contexts].filter(tooLong);
    if (dropped.length) say(`left out: ${dropped.join(', ')} tokens and ${maxTokens} after them are more than the model's context of ${holds}`);
    const prompts = [...new Set([...promptTokens, ...contexts])].filter((tokens) => !tooLong(tokens)).sort((a, b) => a - b);
    if (!prompts.length) throw new SetupError('there is nothing to measure');
    return {...source, threads, prompts, maxTokens, contextLength: prompts.at(-1) + maxTokens + 1};
}

function contextOf(model) {
    const cli = join(import.meta.dirname, '../../web/node/cli.js');
    return JSON.parse(run(process.execPath, [cli, 'inspect', model, '--json'])).sizes.n_ctx_train;
}

/* ------------------------------------------------------------------------------------------ measuring */

/** The contenders that were asked for. One that can't be had has `missing`, the reason; one that failed in a round is tried in the next. */
async function prepare({only, variants}, job) {
    const wanted = Object.keys(FILES).filter((name) => only.includes(name)).flatMap((name) => [
        {name, kernels: undefined}, ...variants && OURS.includes(name) ? Object.keys(KERNELS).map((kernels) => ({name, kernels})) : [],
    ]);
    const contenders = [];
    for (const {name, kernels} of wanted) {
        const contender = {key: kernels ? `${name}:${kernels}` : name, name, title: name, samples: []};
        contenders.push(contender);
        try {
            const {title, start} = await import(FILES[name]);
            contender.title = kernels ? `${title}: ${kernels}` : title;
            if (!job.model && !OURS.includes(name) && name !== 'limits') throw new Error('it has no random weights of a shape');
            contender.running = await start(job, KERNELS[kernels] ?? {});
        } catch (error) {
            fail(contender, error);
        }
    }
    return contenders;
}

async function measure(contender, round, rounds) {
    if (!contender.running) return;
    say(`round ${round + 1} of ${rounds}: ${contender.title}`);
    try {
        contender.samples.push(await contender.running.round(round));
    } catch (error) {
        fail(contender, error);
    }
}

function fail(contender, error) {
    contender.missing = error.message.split('\n')[0];
    say(`${contender.title}: ${contender.missing}`);
}

/* ------------------------------------------------------------------------------------------ what is saved */

function machine() {
    let info = '';
    try {
        info = readFileSync('/proc/cpuinfo', 'utf8');
    } catch {}      // not Linux
    const words = new Set(info.match(/^(flags|Features)\s*:(.*)$/m)?.[2].split(' '));
    return {
        cpu: /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? cpus()[0]?.model ?? 'unknown', flags: FLAGS.filter((flag) => words.has(flag)),
        cores: availableParallelism(), memory: totalmem(), system: `${process.platform} ${process.arch}`,
        node: execFileSync(ensureNode24(), ['--version'], {encoding: 'utf8'}).trim(),
    };
}

/** @param {(number | undefined)[]} samples */
function spread(samples) {
    const sorted = samples.filter((x) => x !== undefined).sort((a, b) => a - b), half = sorted.length >> 1;
    if (!sorted.length) return undefined;
    const median = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    return {min: sorted[0], median, max: sorted.at(-1), samples};
}

/** A contender with the spread of each figure beside its samples. */
function summarise({key, name, title, samples, missing}) {
    const [first] = samples, facts = Object.assign({}, ...samples.map((sample) => sample.facts));
    const every = (of) => spread(samples.map(of));
    const known = {key, name, title, missing, samples};
    if (name === 'limits') return {...known, limits: first && {read: every((s) => s.read), dot32: every((s) => s.dot32), dot16: every((s) => s.dot16)}};
    const pointOf = ({tokens}, i) => ({tokens, prefill: every((s) => s.points[i].prefill), decode: every((s) => s.points[i].decode)});
    return {
        ...known, facts, points: first?.points.map(pointOf) ?? [],
        memory: every((s) => s.memory),
        // In a page, the first visit fetches and keeps what later ones find.
        firstStartup: first?.startup, startup: first?.startup && samples.length > 1 ? Object.fromEntries(Object.keys(first.startup).map((part) =>
            [part, spread(samples.slice(1).map((s) => s.startup[part]))])) : undefined,
    };
}
