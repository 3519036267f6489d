// reference.js: the reference of the library, built from the JSDoc of what gemma.js exports: `npm run docs`
// writes web/REFERENCE.md.
// Owns: what is shown, and how. Must not know: the library's names.

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)), WEB = join(ROOT, 'web');
export const REFERENCE = join(WEB, 'REFERENCE.md');
const HEAD = `# Reference

The library is \`web/gemma.js\`; these are its classes and types. \`npm run docs\` writes this file from the comments
in the code.
`;
const WIDTH = 118;
const FORMAT = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

/** Collects Markdown about classes, and then about the types that they mention. */
class Reference {
    #checker;
    #file;
    /** @type {Set<ts.Symbol>} types that are mentioned, in this order */
    #types = new Set();
    /** @type {Set<ts.Symbol>} */
    #classes = new Set();
    /** @type {string[]} */
    #lines = [];

    /** @param {ts.Program} program @param {ts.SourceFile} file   the library's entry */
    constructor(program, file) {
        this.#checker = program.getTypeChecker();
        this.#file = file;
    }

    /** @returns {string} */
    write() {
        const module = this.#checker.getSymbolAtLocation(this.#file);
        const exported = module ? this.#checker.getExportsOfModule(module) : [];
        const resolved = exported.map((symbol) => symbol.flags & ts.SymbolFlags.Alias
            ? this.#checker.getAliasedSymbol(symbol) : symbol);
        this.#classes = new Set(resolved.filter((symbol) => symbol.flags & ts.SymbolFlags.Class));
        const isEntry = (/** @type {ts.Symbol} */ symbol) =>
            symbol.valueDeclaration?.getSourceFile() === this.#file;
        for (const symbol of [...this.#classes].sort((a, b) => Number(isEntry(b)) - Number(isEntry(a))))
            this.#class(symbol);
        this.#lines.push('', '## Types');
        for (const symbol of this.#types) this.#type(symbol);       // grows while it is read
        const lines = this.#lines.filter((line, i) => line || this.#lines[i - 1]);     // no two empty lines
        return `${HEAD}\n${lines.flatMap(wrapped).join('\n')}\n`;
    }

    /** @param {ts.Symbol} symbol */
    #class(symbol) {
        this.#lines.push('', `## ${symbol.name}`, '', text(symbol.getDocumentationComment(this.#checker)));
        const type = this.#checker.getTypeOfSymbolAtLocation(symbol, this.#file);
        for (const member of this.#checker.getPropertiesOfType(type)) if (this.#isShown(member))
            this.#member(`${symbol.name}.`, member);
        const instance = this.#checker.getDeclaredTypeOfSymbol(symbol),
            object = symbol.name[0].toLowerCase() + symbol.name.slice(1);
        for (const member of this.#checker.getPropertiesOfType(instance)) if (this.#isShown(member))
            this.#member(`${object}.`, member);
    }

    /** @param {ts.Symbol} member */
    #isShown(member) {
        const isOurs = member.declarations?.some((each) => each.getSourceFile()
            .fileName.startsWith(`${WEB}/`));
        return isOurs && !member.name.startsWith('#') && !member.name.startsWith('__')
            && !(member.flags & ts.SymbolFlags.Prototype);
    }

    /** @param {string} owner @param {ts.Symbol} member */
    #member(owner, member) {
        const type = this.#checker.getTypeOfSymbolAtLocation(member, this.#file),
            [signature] = type.getCallSignatures();
        const own = this.#checker.getPropertiesOfType(type).filter((each) => this.#isShown(each));
        if (!signature && !type.aliasSymbol
            && own.some((each) => this.#checker.getTypeOfSymbolAtLocation(each, this.#file)
                .getCallSignatures().length)) {
            this.#lines.push('', `### ${owner}${member.name}`, '',
                text(member.getDocumentationComment(this.#checker)));
            for (const each of own) this.#member(`${owner}${member.name}.`, each);
            return;
        }
        if (!signature) {
            const {about, returns} = this.#tags(member), said = [about, returns].filter(Boolean).join(' ');
            this.#lines.push('', `### ${owner}${member.name}`, '',
                `\`${this.#show(type)}\`${said ? `: ${said}` : ''}`);
            return;
        }
        const {about, params, returns} = this.#tags(member);
        const names = signature.parameters.map(({name, valueDeclaration}) => valueDeclaration
            && this.#isOptional(valueDeclaration) ? `${name}?` : name);
        this.#lines.push('', `### ${owner}${member.name}(${names.join(', ')})`, '', about, '');
        for (const parameter of signature.parameters) {
            const kind = this.#checker.getNonNullableType(this.#checker.getTypeOfSymbolAtLocation(parameter,
                this.#file));
            this.#item(`\`${parameter.name}\`: `, kind, params.get(parameter.name));
        }
        this.#item('returns ', signature.getReturnType(), returns);
    }

    /** @param {string} name @param {ts.Type} type @param {string} [said] */
    #item(name, type, said) {
        this.#lines.push(`- ${name}\`${this.#show(type)}\`${said ? `: ${said}` : ''}`);
    }

    /** @param {ts.Declaration} declaration */
    #isOptional(declaration) {
        return ts.isParameter(declaration) && this.#checker.isOptionalParameter(declaration);
    }

    /** What is said of a member and of its parameters. @param {ts.Symbol} symbol */
    #tags(symbol) {
        /** @type {Map<string, string>} */
        const params = new Map();
        let returns = '';
        for (const {name, text: parts} of symbol.getJsDocTags(this.#checker)) {
            const said = text(parts);
            if (name === 'returns') returns = said;
            const [, parameter, rest] = /^(\w+)\s*(.*)$/s.exec(said) ?? [];
            if (name === 'param' && parameter) params.set(parameter, rest);
        }
        return {about: text(symbol.getDocumentationComment(this.#checker)), params, returns};
    }

    /** @param {ts.Symbol} symbol   a type's name */
    #type(symbol) {
        const type = this.#checker.getDeclaredTypeOfSymbol(symbol),
            about = text(symbol.getDocumentationComment(this.#checker));
        const properties = type.isUnion() || type.getCallSignatures().length ? []
            : this.#checker.getPropertiesOfType(type).filter((each) => this.#isShown(each));
        this.#lines.push('', `### ${symbol.name}`);
        if (about) this.#lines.push('', about);
        if (!properties.length) {
            this.#lines.push('', `\`${this.#show(type, ts.TypeFormatFlags.InTypeAlias)}\``);
            return;
        }
        this.#lines.push('');
        for (const property of properties) {
            const optional = property.flags & ts.SymbolFlags.Optional ? '?' : '',
                kind = this.#checker.getTypeOfSymbolAtLocation(property, this.#file);
            const said = text(property.getDocumentationComment(this.#checker));
            this.#item(`\`${property.name}${optional}\`: `, optional ? this.#checker.getNonNullableType(kind)
                : kind, said);
        }
    }

    /**
     * A type in words; names of our own in it are explained later.
     * @param {ts.Type} type
     * @param {number} [more]   flags
     */
    #show(type, more = 0) {
        this.#mention(type, new Set(), more !== 0);
        return this.#checker.typeToString(type, this.#file, FORMAT | more).replace(/import\("[^"]*"\)\./g, '')
            .replaceAll('<ArrayBufferLike>', '').replace(/\s+/g, ' ');
    }

    /**
     * @param {ts.Type} type
     * @param {Set<ts.Type>} seen
     * @param {boolean} [isOpened]   its own name is explained already
     */
    #mention(type, seen, isOpened) {
        if (seen.has(type)) return;
        seen.add(type);
        const {aliasSymbol} = type;
        if (aliasSymbol && !isOpened && this.#isShown(aliasSymbol)) {
            this.#types.add(aliasSymbol);
            return;
        }
        if (type.symbol && this.#classes.has(type.symbol)) return;
        for (const part of [...type.aliasTypeArguments ?? [],
            ...this.#checker.getTypeArguments(/** @type {ts.TypeReference} */ (type)) ?? []])
            this.#mention(part, seen);
        if (type.isUnionOrIntersection()) for (const part of type.types) this.#mention(part, seen);
        for (const signature of type.getCallSignatures()) {
            for (const parameter of signature.parameters)
                this.#mention(this.#checker.getTypeOfSymbolAtLocation(parameter, this.#file), seen);
        }
        if (!type.symbol || !this.#isShown({...type.symbol, name: 'x'})) return;
        for (const property of this.#checker.getPropertiesOfType(type))
            this.#mention(this.#checker.getTypeOfSymbolAtLocation(property, this.#file), seen);
    }
}

/** @param {ts.SymbolDisplayPart[] | undefined} parts   of a comment @returns {string} in one line */
function text(parts) {
    return ts.displayPartsToString(parts).replace(/\s+/g, ' ').trim();
}

/** A line of Markdown as several of at most WIDTH characters. @param {string} line @returns {string[]} */
function wrapped(line) {
    const indent = line.startsWith('- ') ? '  ' : '', lines = [''];
    for (const word of line.startsWith('#') ? [line] : line.split(' ')) {
        const last = lines.length - 1;
        if (lines[last] && lines[last].length + 1 + word.length > WIDTH) lines.push(indent + word);
        else lines[last] += lines[last] || indent && lines.length > 1 ? ` ${word}` : word;
    }
    return lines;
}

/** @returns {string} the reference in Markdown */
export function makeReference() {
    const {config} = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
    const {options} = ts.parseJsonConfigFileContent({...config, include: [], files: ['web/gemma.js']},
        ts.sys, ROOT);
    const program = ts.createProgram([join(WEB, 'gemma.js')], options),
        file = program.getSourceFile(join(WEB, 'gemma.js'));
    if (!file) throw new Error('There is no web/gemma.js.');
    return new Reference(program, file).write();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(REFERENCE, makeReference());
