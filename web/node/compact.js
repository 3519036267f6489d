// Takes out of a script what only people read: comments, and white space that separates nothing. Names stay as they are.
//
// Knows where JavaScript's words, texts and regular expressions begin and end; must not know what they mean.

const WORD = /[\w$#\u0080-\uffff]+/y, GAP = /(?:\s|\/\/.*|\/\*[^]*?\*\/)+/y, TEXT = /'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y;
const EXPRESSION = /\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;
/** From a backtick, or from the brace that ends an expression in a template, to the next expression or the end. */
const TEMPLATE = /[`}](?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/y;

/** After these words a slash begins a regular expression. After any other word it divides. */
const BEFORE_EXPRESSION = new Set(['return', 'typeof', 'case', 'in', 'of', 'do', 'else', 'void', 'delete', 'throw', 'await', 'yield', 'instanceof', 'new']);

const isWord = (character) => /[\w$#\u0080-\uffff]/.test(character);

/** Where a statement can't end: a line break there separates nothing. */
const OPENS = /[{([,;:?&|=<*]$/, CONTINUES = /^[)\]},;:?&|.]/;

/** What has to stay of white space between two tokens. */
function separator(before, after, breaks) {
    const last = before.at(-1), first = after[0];
    if (breaks && !OPENS.test(before) && !CONTINUES.test(after)) return '\n';
    const joins = isWord(last) && isWord(first) || last === first && '+-/'.includes(first) || last === '/' && first === '*'
        || /\d$/.test(before) && first === '.';
    return joins ? ' ' : '';
}

/** @param {string} script   a module @returns {string} the same program */
export function compact(script) {
    let at = 0, made = '', last = ';', gap = '';
    const braces = [];      // of those that are open: whether it began an expression in a template
    const take = (pattern) => {
        pattern.lastIndex = at;
        return pattern.exec(script)?.[0];
    };
    const expressionMayBegin = () => isWord(last.at(-1)) ? BEFORE_EXPRESSION.has(last) : !/[)\]}'"`]$/.test(last);
    while (at < script.length) {
        const character = script[at], inTemplate = character === '`' || character === '}' && braces.at(-1) === true;
        const space = inTemplate ? undefined : take(GAP);
        if (space) {
            gap += space;
            at += space.length;
            continue;
        }
        const token = inTemplate ? take(TEMPLATE) : take(WORD) ?? take(TEXT) ?? (character === '/' && expressionMayBegin() ? take(EXPRESSION) : undefined) ?? character;
        if (character === '}') braces.pop();
        if (character === '{' || inTemplate && token.endsWith('${')) braces.push(inTemplate);
        made += gap && separator(last, token, gap.includes('\n')) + token || token;
        at += token.length;
        last = token;
        gap = '';
    }
    return `${made.trim()}\n`;
}
