// Markdown as it is read aloud: its words, without the marks. Pure: knows no elements, and no grammar; what
// is no pair of marks stays.

/** In this order. @type {[RegExp, string][]} */
const MARKS = [
    [/^[ \t]*(```|~~~)[^`\n]*$/gm, ''],                     // fences of code
    [/^[ \t]*(?:\|[ \t]*)?:?-{3}[-:| \t]*$/gm, ''],         // the line below a table's head, and rules
    [/^[ \t]*(?:#{1,6}|>+|[-*+])[ \t]+/gm, ''],             // headings, quotes, lists
    [/!?\[([^\][\n]*)\]\([^()\n]*\)/g, '$1'],              // links and pictures
    [/(?<![\p{L}\p{N}])(\*\*|__|~~)(?=\S)|(?<=\S)(\*\*|__|~~)(?![\p{L}\p{N}])/gu, ''],
    [/(?<![\p{L}\p{N}*_])([*_])(?=\S)([^*_\n]*?\S)\1(?![\p{L}\p{N}*_])/gu, '$2'],
    [/`([^`\n]*)`/g, '$1'],
    [/(?<![ \t])[ \t]*\|[ \t]*/g, ', '],                    // cells
];

/** @param {string} markdown */
export const spoken = (markdown) => MARKS.reduce((text, [mark, word]) => text.replace(mark, word), markdown)
    .replace(/^, |, $/gm, '');
