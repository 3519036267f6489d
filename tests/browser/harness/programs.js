// Programs that a test starts and that end with it: browsers, their drivers, an X server.
//
// Owns: process groups and the folder in which such programs keep their files. Must not know: which
// programs they are.

import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

export class Programs {
    #children = [];
    #end = () => {
        this.#children.splice(0).reverse().forEach(endGroup);
        rmSync(this.folder, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
    };

    /** @param {string} name   of their folder */
    constructor(name) {
        this.folder = mkdtempSync(join(tmpdir(), `gemma-${name}-`));
        process.once('exit', this.#end);
    }

    /**
     * Each program leads a process group, to which what it starts belongs.
     * @returns {import('node:child_process').ChildProcess}
     */
    start(program, args, options) {
        const child = spawn(program, args, {...options, detached: true});
        child.on('error', () => {});    // the code that waits for the program's answer reports it
        this.#children.push(child);
        return child;
    }

    /** Kills them, as a crash or a lack of memory does. Their folder stays. */
    async kill() {
        const children = this.#children.splice(0),
            ended = children.map((child) => new Promise((done) => { child.once('exit', done); }));
        children.reverse().forEach(endGroup);
        await Promise.all([...ended, ...children.map(({pid}) => groupGone(pid))]);
    }

    end() {
        process.off('exit', this.#end);
        this.#end();
    }
}

// A process that receives a signal ends its children first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** @param {number} pid @returns {[parent: number, command: string]} */
function about(pid) {
    try {
        const [, parent] = /.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        return [Number(parent), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()];
    } catch {
        return [0, ''];     // it has ended
    }
}

/**
 * Which of the programs that a program has started, and those again, have such a command line.
 * @param {number} pid
 * @param {RegExp} pattern
 * @returns {number[]}
 */
export function programsOf(pid, pattern) {
    const all = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), about(Number(name))]));
    const isBelow = (/** @type {number} */ one) => {
        const [parent = 0] = all.get(one) ?? [];
        return parent === pid || parent > 1 && isBelow(parent);
    };
    return [...all.keys()].filter((one) => pattern.test(all.get(one)[1]) && isBelow(one));
}

/**
 * Resolves when no program of a process group runs any more: one that is being ended may still hold files,
 * which the next one of its kind then takes for damaged.
 * @param {number} group
 */
export async function groupGone(group) {
    const runs = (/** @type {string} */ pid) => {
        try {
            const [, state, of] = /.*\) (\S) \d+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
            return Number(of) === group && !'ZX'.includes(state);
        } catch {
            return false;       // it has ended
        }
    };
    while (readdirSync('/proc').some((name) => /^\d+$/.test(name) && runs(name))) await sleep(20);
}

function endGroup({pid}) {
    try {
        process.kill(-pid, 'SIGKILL');
    } catch {
        // it has ended by itself
    }
}
