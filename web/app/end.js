// Keeps the end of a conversation in sight when the page's layout changes under it: the figures below it grow, the window is turned or resized, a
// phone's keyboard opens. Only for a reader who was at the end. Knows no views.

const NEAR = 2;     // fractions of pixels

/** @param {() => boolean} isConversation   whether what is shown is read at its end */
export function keepEnd(isConversation) {
    const page = document.documentElement, below = () => page.scrollHeight - innerHeight - scrollY, layout = () => `${page.scrollHeight} ${innerHeight}`;
    let atEnd = true, known = layout(), lastY = scrollY;
    const settle = () => {
        // What was brought to its beginning on purpose stays there.
        if (scrollY === 0 && lastY > 0) atEnd = below() < NEAR;
        if (atEnd && isConversation() && below() >= 1) scrollTo({top: page.scrollHeight});
        known = layout();
        lastY = scrollY;
    };
    addEventListener('scroll', () => {
        if (layout() !== known) return;     // the layout has moved it, not the reader
        atEnd = below() < NEAR;
        lastY = scrollY;
    }, {passive: true});
    addEventListener('resize', settle);
    new ResizeObserver(settle).observe(document.body);
}
