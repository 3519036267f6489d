// A private apt: fetches packages of another Debian suite without root and without touching the system's own apt.
// Owns: the private state, the machine's mirror and proxy settings. Must not know: what the packages are for.

import {existsSync, mkdirSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {SetupError, run, runWithLines} from '../../web/node/run.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** @typedef {Record<string, string>} Package  one stanza of the package index: field name -> value */

export class PrivateApt {
    /**
     * @param {string} folder  scratch folder, owned by this object until close()
     * @param {string} suite   Debian suite to fetch from
     */
    constructor(folder, suite) {
        this.folder = folder;
        for (const sub of ['state/lists/partial', 'cache/archives/partial', 'debs']) {
            mkdirSync(join(folder, sub), {recursive: true});
        }
        writeFileSync(join(folder, 'status'), '');
        writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${debianMirror()} ${suite} main\n`);
        // Proxy settings may hold a password.
        writeFileSync(join(folder, 'apt.conf'), privateConfig(folder), {mode: 0o600});
        this.env = {...process.env, LC_ALL: 'C', APT_CONFIG: join(folder, 'apt.conf')};
    }

    /** Fetches the suite's package index. @returns {Map<string, Package>} by package name */
    index() {
        // Without the error mode a machine with no network would pass with exit code 0 and an empty index.
        run('apt-get', ['update', '-qq', '-o', 'APT::Update::Error-Mode=any'], {env: this.env});
        return parseIndex(run('apt-cache', ['dumpavail'], {env: this.env}));
    }

    /**
     * Downloads packages, checked by apt against the signed index.
     * @param {string[]} names
     * @param {(name: string, nth: number) => void} onPackage  called as each download starts
     * @returns {Promise<string[]>} paths of the .deb files, valid until close()
     */
    async download(names, onPackage) {
        const debs = join(this.folder, 'debs');
        let nth = 0;
        await runWithLines('apt-get', ['download', ...names], (line) => {
            const [verb, , , , name] = line.split(' '); // Get:3 ADDRESS forky/main amd64 NAME amd64 VERSION [SIZE]
            if (verb.startsWith('Get:')) onPackage(name, ++nth);
        }, {env: this.env, cwd: debs});
        return readdirSync(debs).map((file) => join(debs, file));
    }

    close() {
        rmSync(this.folder, {recursive: true, force: true});
    }
}

/** True where a private apt can work: apt is there, with Debian's keys. */
export function isDebian() {
    return existsSync(KEYRING) && existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg');
}

/** The Debian mirror of the machine's own apt sources: the reachable one on networks with a mirror of their own. */
function debianMirror() {
    const list = (...extra) =>
        run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(LABEL)', ...extra, 'Identifier: Packages'])
            .split('\n').map((line) => line.split(' '));
    // Origin and label are known only after the system's first `apt-get update`; before it the address has to do.
    const known = list().find(([, origin, label]) => origin === 'Debian' && label === 'Debian');
    const unknown = () => list('--no-release-info').find(([uri]) => /\/debian\/?$/.test(uri));
    const mirror = (known ?? unknown())?.[0];
    if (!mirror) throw new SetupError('no Debian mirror among the machine\'s apt sources');
    return mirror;
}

/**
 * The configuration that APT_CONFIG names. No hook, pin or source of the system runs; its Acquire:: settings
 * (proxies, Check-Valid-Until) are copied, for without them the mirror may be out of reach.
 */
function privateConfig(folder) {
    const acquire = run('apt-config', ['dump']).split('\n')
        .filter((line) => /^Acquire::(?!IndexTargets|Languages|Changelogs)/.test(line));
    return [
        `Dir::State "${folder}/state";`,
        `Dir::State::status "${folder}/status";`,
        `Dir::Cache "${folder}/cache";`,
        'Dir::Cache::pkgcache "pkgcache.bin";',
        `Dir::Etc::sourcelist "${folder}/sources.list";`,
        ...['sourceparts', 'parts', 'main', 'preferences', 'preferencesparts'].map(
            (key) => `Dir::Etc::${key} "/dev/null";`),
        'Acquire::Languages "none";',
        ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
        ...acquire,
    ].join('\n');
}

/** @param {string} text  stanzas "Field: value", separated by empty lines @returns {Map<string, Package>} */
function parseIndex(text) {
    const stanzas = text.split('\n\n').map((stanza) =>
        Object.fromEntries([...stanza.matchAll(/^([\w-]+): (.*)$/gm)].map(([, field, value]) => [field, value])));
    return new Map(stanzas.filter((stanza) => stanza.Package).map((stanza) => [stanza.Package, stanza]));
}
