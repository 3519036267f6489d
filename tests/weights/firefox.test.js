// The same in a real Firefox: downloads, the store, several tabs, parts.

process.env.GEMMA_BROWSER = 'firefox';
for (const name of ['source', 'models', 'store', 'split']) await import(`./${name}.test.js`);
