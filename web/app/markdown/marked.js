// The lexer and tokenizer of marked, for Node and for the types; a site has the package's own file at this address
// (web/node/site.js).

export {Lexer, Tokenizer} from 'marked';
