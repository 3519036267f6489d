// Programs that a test starts and that end with it: browsers, their drivers, an X server.
//
// Owns: process groups and the folder in which such programs keep their files. Must not know: which programs they are.

import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

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

    /** Each program leads a process group, to which what it starts belongs. @returns {import('node:child_process').ChildProcess} */
    start(program, args, options) {
        const child = spawn(program, args, {...options, detached: true});
        child.on('error', () => {});    // the code that waits for the program's answer reports it
        this.#children.push(child);
        return child;
    }

    end() {
        process.off('exit', this.#end);
        this.#end();
    }
}

// A process that receives a signal ends its children first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

function endGroup({pid}) {
    try {
        process.kill(-pid, 'SIGKILL');
    } catch {
        // it has ended by itself
    }
}
