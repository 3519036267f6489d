// What the contenders have in common: the job, the prompts, processes of their own, peers from npm,
// memory and CPU.
//
// Owns: what makes the contenders' figures comparable. Must not know: any contender.

import {execFileSync, fork} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {say} from '../../web/node/run.js';

/**
 * What every contender does in each round, in a fresh process: starts, opens the model, warms up, then for
 * each of `prompts` reads a text of so many tokens that it has not seen and writes `maxTokens` after
 * it, greedily.
 * @typedef {object} Job
 * @property {string} [model]       path of a GGUF; or
 * @property {string} [shape]       a benchmark shape, with weights of `type`
 * @property {string} [type]
 * @property {number} threads
 * @property {number[]} prompts     tokens, ascending
 * @property {number} maxTokens
 * @property {number} contextLength that holds the longest prompt and what is written after it
 *
 * @typedef {object} Sample             of one round; what a contender can't tell is absent
 * @property {{tokens: number, prefill: number, last?: number, decode: number}[]} points   tokens per second
 *     by length of the prompt; last: of reading its last 512 tokens
 * @property {Record<string, number>} [startup]   ms of each part, in order
 * @property {number} [memory]          bytes: most that the process was resident with
 * @property {Record<string, string | number>} [facts]
 *
 * @typedef {object} Contender
 * @property {(round: number) => Promise<Sample>} round
 * @property {() => Promise<void>} [close]
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WORDS = ' the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will'.trim().split(' ');
const WARM_DECODE = 24;     // our engine has found its number of threads by then

/** A text of `tokens` tokens, BOS among them, of words that are one token each in Gemma's vocabulary. */
export function promptText(tokens, seed) {
    let text = '';
    for (let i = 1, s = seed; i < tokens; i++)
        text += ` ${WORDS[(s = s * 48271 % 2147483647) % WORDS.length]}`;
    return text;
}

/**
 * What to read and write in a round. The first is the warm-up, and counts for nothing.
 * @param {Job} job @returns {{tokens: number, text: string, decode: number}[]}
 */
export function works({prompts, maxTokens}, round) {
    const work = (tokens, decode,
        seed) => ({tokens, decode, text: promptText(tokens, 1000 * (round + 1) + seed)});
    return [
        work(prompts[0], Math.min(WARM_DECODE, maxTokens), 1),
        ...prompts.map((tokens, i) => work(tokens, maxTokens, i + 2)),
    ];
}

/**
 * Sends a message to a program in a new process, which answers with one sample and ends.
 * @param {string} program @param {object} message @param {string} [execPath]   the Node that runs it
 * @returns {Promise<Sample>}
 */
export function inProcess(program, message, execPath = process.execPath) {
    return new Promise((done, fail) => {
        const child = fork(program, {execPath, stdio: ['ignore', 'ignore', 'pipe', 'ipc']});
        let sample, said = '';
        child.stderr.on('data', (text) => { said += text; });
        child.on('message', (message) => { sample = message; });
        child.on('error', fail);
        child.on('close', () => {
            const why = () => /^\w*Error: (.*)/m.exec(said)?.[1] ?? said.trim().split('\n').pop();
            if (sample) done(sample);
            else fail(new Error(why() || 'it ended without a word'));
        });
        child.send(message);
    });
}

/**
 * The other end of that.
 * @param {string} program   its file
 * @param {(message: any) => Promise<Sample>} measure
 */
export function answerParent(program, measure) {
    if (!process.send || process.argv[1] !== program) return;
    process.once('message', async (message) => process.send(await measure(message), () => process.exit()));
}

/** What a page is first asked, for how long its start takes. */
export const FIRST_PROMPT = 'The sea at night';

/**
 * Fetches packages of npm into a folder of their own, once: the product does not depend on them.
 * @param {string} name @param {string[]} packages @returns {string} their node_modules
 */
export function fetchPeer(name, packages) {
    const folder = join(ROOT, '.toolchain/peers', name), modules = join(folder, 'node_modules');
    if (existsSync(modules)) return modules;
    say(`${name}: fetching ${packages.join(', ')} from npm`);
    const scratch = `${folder}.${process.pid}`;     // renamed when whole
    mkdirSync(scratch, {recursive: true});
    try {
        execFileSync('npm',
            [
                'install', '--prefix', scratch, '--no-save', '--omit=optional', '--ignore-scripts',
                '--no-audit', '--no-fund', ...packages,
            ], {stdio: ['ignore', 'ignore', 'pipe']});
        renameSync(scratch, folder);
    } catch (error) {
        throw new Error(
            `npm could not fetch ${packages[0]}: ${String(error.stderr || error.message).trim().split('\n')[0]}`,
            {cause: error});
    } finally {
        rmSync(scratch, {recursive: true, force: true});
    }
    return modules;
}

/**
 * The fields of /proc/PID/stat from the third on, of a process and its descendants; undefined where the
 * system has no /proc.
 */
function familyOf(pid) {
    const all = new Map();
    try {
        for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
            try {
                all.set(Number(name), readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').pop().split(' ')
                    .map(Number));
            } catch {}      // has ended
        }
    } catch {
        return undefined;
    }
    const isOurs = (p) => p === pid || (all.has(p) && isOurs(all.get(p)[1]));
    return new Map([...all].filter(([p]) => isOurs(p)));
}

/**
 * The most bytes that the largest among a process and its descendants was resident with: of a browser, that
 * is the page's.
 */
export function peakMemoryOfLargest(pid) {
    const peakOf = (p) => {
        try {
            return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${p}/status`, 'utf8'))[1]) * 1024;
        } catch {
            return 0;       // has ended
        }
    };
    return Math.max(0, ...[...familyOf(pid)?.keys() ?? []].map(peakOf)) || undefined;
}

const TICKS = 100;      // in a second of CPU time, on every Linux of today

/**
 * What a process and its descendants compute during the next `ms`, in % of one core; undefined where the
 * system has no /proc.
 */
export async function cpuDuring(pid, ms) {
    // utime, stime
    const ticks = () => new Map([...familyOf(pid) ?? []].map(([p, fields]) => [p, fields[11] + fields[12]]));
    const before = ticks(), start = performance.now();
    await sleep(ms);
    const after = ticks(), seconds = (performance.now() - start) / 1000;
    if (!after.size) return undefined;
    return [...after].reduce((sum, [p, count]) => sum + count - (before.get(p) ?? 0),
        0) / TICKS / seconds * 100;
}
