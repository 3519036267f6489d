// element.js: <gemma-chat>, a chat with a Gemma model in one tag. Importing this file defines it.
//
//     <script type="module" src="gemma-wasm/element.js"></script>
//     <gemma-chat src="models/gemma-3-270m-it.gguf"></gemma-chat>
//
// Attributes   src: the address of a GGUF or its manifest
//              model: without src, one of the models that element/models.js names (default: the first);
//              with src, its name for people
//              autoload: click (default) shows what would be downloaded, and waits; visible loads when the
//              element is seen; never waits for load() or `engine`
//              shared: tabs share one engine
//              constraint: JSON of Gemma.constraint's options
//              theme: light or dark (default: the reader's)
//              system, placeholder, lang, max-tokens
// Properties   engine, messages, sampling; methods load(), ask(text), stop(), clear(), focus()
// Events       gemma-progress, gemma-ready {info}, gemma-message {role, content, result?},
//              gemma-contextoverflow {dropped, tokens}, and gemma-error {error}, of which preventDefault()
//              keeps the error from being shown
// Slots        header, empty (before the first message), footer
// Parts        chat, bar, new, messages, message (user or model), text, foot, card, start, progress, cancel,
//              error, hint, composer, input, send
// Style        --gemma-accent, --gemma-on-accent, --gemma-background, --gemma-surface, --gemma-text,
//              --gemma-muted, --gemma-border, --gemma-user, --gemma-radius, --gemma-font; the element's size
//              is the page's to set

import {GemmaChat} from './element/chat_element.js';

export {GemmaChat};

if (globalThis.customElements && !customElements.get('gemma-chat'))
    customElements.define('gemma-chat', GemmaChat);
