// style.js: how the element looks. A constructed style sheet, which no policy forbids. Custom properties and
// parts are for the page to set.

const LIGHT = `--bg: #faf9f7; --raised: #fff; --sunken: #f1efeb; --line: #e2dfd9; --ink: #1f1e1c; --soft: #66625b; --accent: #2b53d6; --on-accent: #fff; --wash: #e8edfc;
    --alarm: #fdeeea; --alarm-line: #e9b9ad; color-scheme: light;`;
const DARK = `--bg: #161718; --raised: #1f2022; --sunken: #101112; --line: #3a3c41; --ink: #ecebe8; --soft: #a8a69f; --accent: #93aefc; --on-accent: #10183a; --wash: #262f4d;
    --alarm: #35221e; --alarm-line: #6d4238; color-scheme: dark;`;

const CSS = `
:host { ${LIGHT} display: block; block-size: 34rem; max-block-size: 100dvh; min-inline-size: 0; container-type: inline-size; }
@media (prefers-color-scheme: dark) { :host(:not([theme=light])) { ${DARK} } }
:host([theme=dark]) { ${DARK} }
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.chat {
    --a: var(--gemma-accent, var(--accent)); --r: var(--gemma-radius, 14px);
    display: flex; flex-direction: column; block-size: 100%; overflow: hidden;
    background: var(--gemma-background, var(--bg)); color: var(--gemma-text, var(--ink)); border: 1px solid var(--gemma-border, var(--line)); border-radius: var(--r);
    font: var(--gemma-font, 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif); overflow-wrap: break-word; text-align: start;
}
p, h2 { margin: 0; }
.soft { color: var(--gemma-muted, var(--soft)); font-size: .875em; }
.unseen { position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: var(--a); }
button, textarea { font: inherit; color: inherit; }
button {
    min-block-size: 2.75rem; padding: .4rem 1.1rem; border: 1px solid var(--gemma-border, var(--line)); border-radius: 999px; background: var(--gemma-surface, var(--raised));
    font-weight: 550; cursor: pointer; touch-action: manipulation; white-space: nowrap;
}
button:hover { border-color: var(--gemma-muted, var(--soft)); }
button.primary { background: var(--a); border-color: var(--a); color: var(--gemma-on-accent, var(--on-accent)); }
button.quiet { background: none; border-color: transparent; color: var(--gemma-muted, var(--soft)); font-size: .875em; padding-inline: .8rem; }
button:disabled { opacity: .55; cursor: default; }
:focus-visible { outline: 2px solid var(--a); outline-offset: 2px; }
.log:focus-visible { outline-offset: -3px; }
.bar { display: flex; justify-content: flex-end; align-items: center; gap: .5rem; padding: .35rem .5rem 0; }
.log { flex: 1; min-block-size: 0; overflow: auto; padding: 1rem 1.25rem; scrollbar-color: var(--line) transparent; overscroll-behavior: contain; position: relative; }
.message { max-inline-size: 42rem; margin-inline: auto; }
.message + .message { margin-block-start: 1.1rem; }
.who { font-size: .8125em; font-weight: 600; color: var(--gemma-muted, var(--soft)); margin-block-end: .1rem; }
.body { white-space: pre-wrap; unicode-bidi: plaintext; }
.user .who { text-align: end; }
.user .body { inline-size: fit-content; max-inline-size: 85%; margin-inline-start: auto; padding: .5rem .9rem; border-radius: var(--r); background: var(--gemma-user, var(--wash)); }
.foot:empty { display: none; }
.waiting .body::after {
    content: ""; display: inline-block; inline-size: .5em; block-size: 1em; vertical-align: -.12em; border-radius: 2px; background: var(--a); animation: blink 1.1s steps(2, jump-none) infinite;
}
@keyframes blink { from { opacity: 1 } to { opacity: .15 } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; scroll-behavior: auto !important; } }
.place { min-block-size: 100%; display: grid; place-content: safe center; }
.place > * { max-inline-size: 30rem; }
.offer { display: grid; gap: .75rem; justify-items: start; padding: 1.4rem; border: 1px solid var(--gemma-border, var(--line)); border-radius: var(--r); background: var(--gemma-surface, var(--raised)); }
.offer h2 { font-size: 1.2em; line-height: 1.3; letter-spacing: -.01em; text-wrap: balance; overflow-wrap: anywhere; }
.offer.loading { inline-size: 26rem; max-inline-size: 100%; justify-items: stretch; }
.offer.loading button { justify-self: start; }
.figures { font-variant-numeric: tabular-nums; }
progress { inline-size: 100%; block-size: .5rem; accent-color: var(--a); }
.error {
    display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; margin: .5rem max(1.25rem, 50% - 21rem) 0; padding: .6rem .6rem .6rem 1rem;
    border: 1px solid var(--alarm-line); border-radius: var(--r); background: var(--alarm); font-size: .9375em; max-block-size: 40%; overflow: auto;
}
.error > div:first-child { flex: 1 1 14rem; }
.error b { display: block; }
.hint { padding: .4rem max(1.25rem, 50% - 21rem) 0; text-align: center; }
form { display: flex; gap: .5rem; align-items: flex-end; padding: .75rem max(1.25rem, 50% - 21rem); }
textarea {
    flex: 1; min-inline-size: 0; min-block-size: 2.75rem; max-block-size: 9.5rem; padding: .55rem .95rem; resize: none; line-height: 1.5;
    border: 1px solid var(--gemma-border, var(--line)); border-radius: var(--r); background: var(--gemma-surface, var(--raised));
}
textarea::placeholder { color: var(--gemma-muted, var(--soft)); opacity: 1; }
@container (max-width: 26rem) { .log { padding-inline: .9rem; } .offer { padding: 1.1rem; } form { padding: .5rem .9rem; } button { padding-inline: .9rem; } }
@media (forced-colors: active) { .user .body, .offer, .error { border: 1px solid CanvasText; } }
`;

/** @type {CSSStyleSheet | undefined} */
let sheet;

/** @param {ShadowRoot} root */
export function dress(root) {
    if (!sheet) {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(CSS);
    }
    root.adoptedStyleSheets = [sheet];
}
