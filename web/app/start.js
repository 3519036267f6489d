// What must not wait for the page's modules: why they can't start, where that is so, and the colours that a
// person has chosen. A plain script, for browsers that run no modules and pages opened from a file.
//
// Owns: that one sentence. Must not know: anything of the page's modules, but the name under which the
// colours are kept (data/local.js).

(function () {
    /** @param {string} sentence */
    function say(sentence) {
        var place = document.getElementById('cannot');
        if (!place) return;
        place.textContent = sentence;
        place.hidden = false;
    }
    try {
        document.documentElement.dataset.theme = localStorage.getItem('gemma-theme '
            + new URL('.', document.baseURI).pathname) || 'system';
    } catch (blocked) {     // by the browser: the system's colours, then
        void blocked;
    }
    if (location.protocol === 'file:') {
        return say('This page was opened as a file, and browsers run no modules from files. Serve its folder, for example with npm start, and open the address of that server.');
    }
    if (!('noModule' in document.createElement('script'))) {
        say('This browser is too old for this page: it runs no JavaScript modules. Any browser of the last three years does.');
    } else if (typeof WebAssembly !== 'object') {
        say('WebAssembly is switched off in this browser, for example by Lockdown Mode, so no model can run. Allow it for this site, then reload the page.');
    }
    addEventListener('error', function (event) {
        if (event.target instanceof HTMLScriptElement && event.target.type === 'module')
            say('A part of this page could not be loaded. Check the connection, then reload the page.');
    }, true);
})();
