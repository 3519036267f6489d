// Runs other programs (apt-get, pip, npm, make) for set-up, and says what goes on.
// Owns: how a set-up program is started, how its failure becomes one sentence. Must not know: what is
// being set up.

import {spawn, spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {delimiter, join} from 'node:path';

/** An error whose message is a sentence for the person at the keyboard; programs print it without a stack. */
export class SetupError extends Error {}

/** Progress goes to stderr: stdout belongs to results. @param {string} line */
export function say(line) {
    process.stderr.write(`${line}\n`);
}

/**
 * Runs a program to its end without a shell; its output is kept, not shown.
 * @param {string} program
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {string} its stdout
 */
export function run(program, args, options = {}) {
    const result = spawnSync(program, args, {...options, encoding: 'utf8', maxBuffer: 1 << 30});
    if (result.error) throw notStarted(program, result.error);
    if (result.status !== 0)
        throw failure(program, args, result.status ?? result.signal, result.stdout + result.stderr);
    return result.stdout;
}

/**
 * Runs a program to its end, handing over each line of its stdout and stderr as it comes.
 * @param {string} program
 * @param {string[]} args
 * @param {(line: string) => void} onLine
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<void>}
 */
export function runWithLines(program, args, onLine, options = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
        let output = '';
        for (const stream of [child.stdout, child.stderr]) {
            let rest = '';
            stream.setEncoding('utf8').on('data', (text) => {
                output += text;
                const lines = (rest + text).split(/\r?\n|\r/);
                rest = lines.pop() ?? '';
                lines.forEach(onLine);
            });
            stream.on('end', () => rest && onLine(rest));
        }
        child.on('error', (error) => reject(notStarted(program, error)));
        child.on('close', (code, signal) => {
            if (code === 0) resolve();
            else reject(failure(program, args, code ?? signal, output));
        });
    });
}

/**
 * The first executable of that name on PATH.
 * @param {string} name
 * @returns {string | null}
 */
export function which(name) {
    const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
    return folders.map((folder) => join(folder, name)).find(existsSync) ?? null;
}

/**
 * Runs the body of a set-up program: a SetupError ends it with its sentence and exit code 1.
 * @param {() => Promise<void>} body
 */
export async function main(body) {
    try {
        await body();
    } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        say(error.message);
        process.exitCode = 1;
    }
}

/** @param {string} program @param {NodeJS.ErrnoException} error */
function notStarted(program, error) {
    return new SetupError(error.code === 'ENOENT' ? `${program} is missing: install it and try again.`
        : `${program} could not be started (${error.message}).`);
}

/**
 * @returns {SetupError} names the command and keeps the end of what it said
 * @param {string} program
 * @param {string[]} args
 * @param {number | string | null} status
 * @param {string} output
 */
function failure(program, args, status, output) {
    const tail = output.trim().split('\n').slice(-15).join('\n');
    return new SetupError(`${program} ${args.slice(0, 3).join(' ')} failed (${status}):\n${tail}`);
}
