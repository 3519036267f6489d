// npm run bench: this engine, its peers and the machine's limits, measured side by side.
//
// Owns: the options, the order of things, what is saved. Must not know: how a contender is measured, how
// figures are shown.

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
  --lengths N,N,...        lengths of int8, see below; default: 512,2048,8000
  --max-tokens N           that are written after each; default: 64
  --repeat N               rounds; default: 3
  --only NAME,...          of ours-chromium, ours-node, wllama, native, limits, page, memory64, int8
  --variants               this engine also with each of its sets of kernels
  --out DIR                where report.html and report.json go; default: test-output/bench

In each round every contender is started afresh, warmed up and measured once; every second round goes the other way round. Peers are
fetched from npm. Nothing else should run on the machine meanwhile.

  page      has a text continued on the real page, by four times --max-tokens: long tasks on its main thread meanwhile, and the CPU time
            of the whole browser from 2 to 7 seconds after the end. The bars beside them, 50 ms and 1 % of a core, are not enforced
  memory64  against wasm32, in Node
  int8      against f16 keys and values, in Node, by length of the prompt: reading its last 512 tokens, writing after it`;

const FILES = {
    'ours-chromium': './ours_chromium.js', 'ours-node': './ours_node.js', wllama: './wllama.js',
    native: './native.js', limits: './limits.js',
    page: './page.js',
};
const OURS = ['ours-chromium', 'ours-node'];
/** Names of kernels, and the options that ask for them. */
const KERNELS = {simd128: {variant: 'simd128'}, relaxed: {variant: 'relaxed', dot: 'i32'},
    relaxed16: {variant: 'relaxed', dot: 'i16'}};
/** Pairs in Node that differ in one thing, the new one first. `kinds`: the rates that matter. */
const COMPARISONS = {
    memory64: {title: 'memory64 against wasm32', kinds: ['prefill', 'decode'],
        engines: {memory64: {memory64: true}, wasm32: {memory64: false}}},
    int8: {title: 'Keys and values: int8 against f16', kinds: ['last', 'decode'],
        engines: {int8: {kvType: 'int8'}, f16: {kvType: 'f16'}}},
};
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
            for (const contender of round % 2 ? contenders.toReversed() : contenders)
                await measure(contender, round, options.repeat);
        }
    } finally {
        for (const {running} of contenders) await running?.close?.();
    }
    const report = {
        date: new Date().toISOString(), machine: machine(), model: job.model ? basename(job.model)
            : `${job.shape}, ${job.type}, random weights`,
        threads: job.threads, maxTokens: job.maxTokens, prompts: job.prompts,
        promptTokens: options.promptTokens,
        repeat: options.repeat, ...costs, contenders: contenders.filter(({comparison}) => !comparison)
            .map(summarise),
        comparisons: Object.keys(COMPARISONS).filter((name) => options.only.includes(name))
            .map((name) => compare(name, contenders)),
    };
    mkdirSync(options.out, {recursive: true});
    writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(join(options.out, 'report.html'), htmlOf(report));
    console.log(tableOf(report));
    say(`\n${join(options.out, 'report.html')} has the plots, report.json beside it every sample`);
    if (!contenders.some(({samples}) => samples.length)) process.exitCode = 1;
});

/* ------------------------------------------------------------------------------------------ what is asked for */

function readOptions() {
    const text = ['model', 'shape', 'type', 'threads', 'prompt-tokens', 'contexts', 'lengths', 'max-tokens',
        'repeat', 'only', 'out'];
    const flags = ['variants', 'help'];
    let values;
    try {
        ({values} = parseArgs({options: Object.fromEntries([
            ...text.map((name) => [name, {type: 'string'}]),
            ...flags.map((name) => [name, {type: 'boolean', default: false}]),
        ])}));
    } catch (error) {
        throw new SetupError(`${error.message.split('\n')[0]}\n\n${HELP}`);
    }
    const numbers = (name, standard) => (values[name] ?? standard).split(',').filter(Boolean).map((word) => {
        if (!/^[1-9]\d{0,6}$/.test(word))
            throw new SetupError(`--${name} ${values[name]}: whole numbers from 1 are expected`);
        return Number(word);
    });
    const names = [...Object.keys(FILES), ...Object.keys(COMPARISONS)],
        only = values.only?.split(',') ?? names;
    for (const name of only) if (!names.includes(name))
        throw new SetupError(`--only ${name}: there are ${names.join(', ')}`);
    if (values.model && values.shape) throw new SetupError('--model and --shape exclude each other');
    return {
        ...values, only, type: values.type ?? 'q4_0',
        threads: numbers('threads', String(availableParallelism()))[0],
        promptTokens: numbers('prompt-tokens', '128,512'), contexts: numbers('contexts', ''),
        lengths: numbers('lengths', '512,2048,8000'),
        maxTokens: numbers('max-tokens', '64')[0], repeat: numbers('repeat', '3')[0],
        out: resolve(values.out ?? 'test-output/bench'),
    };
}

/**
 * @returns {Promise<import('./shared.js').Job & {longJob: import('./shared.js').Job}>}   longJob: that
 *     of int8
 */
async function jobOf({model, shape, type, threads, promptTokens, contexts, lengths, maxTokens, only}) {
    const source = shape ? {shape, type} : {model: resolve(model ?? await ensureModel())};
    const holds = shape ? 8192 : contextOf(source.model);
    const tooLong = (tokens) => tokens + maxTokens + 1 > holds;
    const jobFor = (tokens) => {
        const dropped = tokens.filter(tooLong),
            prompts = [...new Set(tokens)].filter((n) => !tooLong(n)).sort((a, b) => a - b);
        if (dropped.length) say(
            `left out: ${dropped.join(', ')} tokens and ${maxTokens} after them are more than the model's context of ${holds}`);
        return prompts.length && {...source, threads, prompts, maxTokens, contextLength: prompts.at(-1)
            + maxTokens + 1};
    };
    const job = jobFor([...promptTokens, ...contexts]);
    if (!job) throw new SetupError('there is nothing to measure');
    return {...job, longJob: only.includes('int8') && jobFor(lengths)};
}

function contextOf(model) {
    const cli = join(import.meta.dirname, '../../web/node/cli.js');
    return JSON.parse(run(process.execPath, [cli, 'inspect', model, '--json'])).sizes.n_ctx_train;
}

/* ------------------------------------------------------------------------------------------ measuring */

/**
 * The contenders that were asked for. One that can't be had has `missing`, the reason; one that failed in a
 * round is tried in the next.
 */
async function prepare({only, variants}, {longJob, ...job}) {
    const isWanted = (name) => only.includes(name);
    const those = (engines, more) => Object.entries(engines)
        .map(([special, engine]) => ({special, engine, ...more}));
    const wanted = [
        ...Object.keys(FILES).filter(isWanted).flatMap((name) => [{name}, ...variants && OURS.includes(name)
            ? those(KERNELS, {name}) : []]),
        ...Object.keys(COMPARISONS).filter(isWanted)
            .flatMap((comparison) => those(COMPARISONS[comparison].engines, {name: 'ours-node', comparison})),
    ];
    const contenders = [];
    for (const {name, special, engine = {}, comparison} of wanted) {
        const contender = {key: special ? `${name}:${special}` : name, name, title: name,
            comparison, samples: []};
        contenders.push(contender);
        try {
            const {title, start} = await import(FILES[name]);
            contender.title = special ? `${title}: ${special}` : title;
            if (!job.model && !OURS.includes(name) && name !== 'limits')
                throw new Error('it has no random weights of a shape');
            if (comparison === 'int8' && !longJob)
                throw new Error('none of --lengths fits the model\'s context');
            contender.running = await start(comparison === 'int8' ? longJob : job, engine);
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
        cpu: /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? cpus()[0]?.model ?? 'unknown',
        flags: FLAGS.filter((flag) => words.has(flag)),
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
    const known = {key, name, title, missing, facts, samples};
    if (name === 'limits') return {...known, limits: first
        && {read: every((s) => s.read), dot32: every((s) => s.dot32), dot16: every((s) => s.dot16)}};
    const each = (keys, of) => Object.fromEntries(keys.map((key) => [key, every((s) => of(s)[key])]));
    if (name === 'page') return {...known, page: first && each(Object.keys(first.page), (s) => s.page)};
    const pointOf = ({tokens}, i) => ({tokens, ...each(['prefill', 'last', 'decode'], (s) => s.points[i])});
    return {
        ...known, points: first?.points.map(pointOf) ?? [],
        memory: every((s) => s.memory),
        // In a page, the first visit fetches and keeps what later ones find.
        firstStartup: first?.startup, startup: first?.startup && samples.length > 1
            ? Object.fromEntries(Object.keys(first.startup).map((part) =>
            [part, spread(samples.slice(1).map((s) => s.startup[part]))])) : undefined,
    };
}

/** A comparison's two sides, and how many times as fast the new one is, by medians. */
function compare(comparison, contenders) {
    const {title, kinds} = COMPARISONS[comparison],
        both = contenders.filter((c) => c.comparison === comparison).map(summarise);
    const [{points}, old] = both;
    return {
        name: comparison, title, kinds, prompts: (points.length ? points : old.points)
            .map(({tokens}) => tokens), contenders: both,
        ratios: points.length && old.points.length ? points.map((point, i) => ({
            tokens: point.tokens, ...Object.fromEntries(kinds.map((kind) => [kind,
                point[kind].median / old.points[i][kind].median])),
        })) : undefined,
    };
}
