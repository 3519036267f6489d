// Conversations and a text as a person may have kept them: pinned, in folders, with versions, Markdown, long
// words, other scripts.
//
// Owns: this export, and how it comes in. Must not know: what is done with it.

import {closeDialog} from '../harness/app.js';

const DAY = 864e5;
const WORD = 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverleihung';
const MARKDOWN = `## What makes the sea salty

Rivers carry **dissolved salts** from rocks, and the sea *keeps* them: water leaves as vapour, salt stays. See [the survey](https://example.org/survey).

| sea | salt, g/kg | why |
|---|--:|---|
| Baltic | 8 | many rivers, little evaporation |
| Mediterranean | 38 | the sun takes more than the rivers bring |
| Dead Sea | 342 | no way out |

1. Rain dissolves rock.
2. Rivers bring it:
   - sodium and chloride,
   - a little of everything else.

> Thirty-five grams in each kilogram, wherever you sail.

\`\`\`python
def salt(mass, share=0.035):  # grams
    """Of a mass of sea water."""
    return mass * share
\`\`\`

The word \`salinity\` is measured by how well the water conducts. ${WORD}.`;
const ARABIC = `تحمل الأنهار **الأملاح الذائبة** من الصخور إلى البحر.

- يتبخر الماء،
- ويبقى الملح.

> خمسة وثلاثون غرامًا في كل كيلوغرام.`;
export const STORY = `The lighthouse keeper had counted the ships for thirty years before anyone asked him why.

“Somebody should know how many come back,” he said, and closed the blue notebook. Outside, the wind had turned, and the first boats of the morning stood small and black against a sea the colour of slate.

He had begun on the day his brother sailed. Four hundred and eleven ships that year; four hundred and nine the next, and in the notebook stood ${WORD}${WORD}.`;
export const LONG = Array.from({length: 60},
    (_, i) => `Paragraph ${i} says that the keeper counted ${i} ships.`).join('\n\n');

/** What a person may have kept, as an export. */
function kept() {
    const now = Date.now();
    const chat = (id, title, more, ...said) => ({
        id, kind: 'chat', title, isTitled: true, created: now - DAY, updated: now, pinned: false, folder: '',
        leaf: `${id}/${said.length - 1}`, messages: said.map(([role, content, about = {}], i) =>
            ({id: `${id}/${i}`, parent: i ? `${id}/${i - 1}` : null, role, content, created: now - DAY,
                state: 'done', ...about})), ...more,
    });
    const figures = {tokens: 214, cachedTokens: 96, promptTokens: 130, decodeTokens: 213, decodeMs: 11_300,
        prefillMs: 300};
    const salt = chat('salt', 'Why is the sea salty?', {pinned: true},
        ['user', 'Why is the sea salty, and where most of all?'],
        ['assistant', MARKDOWN, {figures, finishReason: 'stop'}],
        ['user', 'And how would I measure it\nwith what is in a kitchen?'],
        ['assistant', 'Boil a litre down to its salt, and weigh what is left. With kitchen scales',
            {state: 'stopped'}]);
    // The last question was asked in another way before.
    salt.messages.push({id: 'salt/4', parent: 'salt/1', role: 'user', content: 'And in lakes?',
        created: now - DAY / 2, state: 'done'});
    salt.leaf = 'salt/3';
    const quiet = (i, title, days, more = {}) => chat(`quiet${i}`, title, {updated: now - days * DAY,
        ...more}, ['user', title], ['assistant', `About the keeper, and ${title}`]);
    return JSON.stringify({format: 'gemma-wasm', version: 1, exported: now, presets: [], conversations: [
        salt, chat('bahr', 'لماذا البحر مالح؟', {}, ['user', 'لماذا البحر مالح؟'],
            ['assistant', ARABIC, {figures}]),
        quiet(1, `A word: ${WORD}`, 0.01), quiet(2, 'Names for a boat', 1),
        quiet(3, '海はなぜ塩辛いのですか', 3, {folder: 'Travel'}),
        quiet(4, 'Packing list for ten days in the mountains, with a small child', 4, {folder: 'Travel'}),
        quiet(5, 'Regular expressions', 40),
        {id: 'light', kind: 'document', title: 'The lighthouse', isTitled: true, created: now - DAY,
            updated: now - 5000, pinned: false, folder: '', leaf: null, messages: [], text: STORY},
    ]});
}

/** By the dialog, which stays open. */
export async function importKept(page) {
    await page.evaluate(() => document.getElementById('open-data').click());
    await page.until(() => document.getElementById('data') !== null);
    await page.evaluate((json) => {
        const files = new DataTransfer(), field = document.getElementById('import-file');
        files.items.add(new File([json], 'export.json'));
        field.files = files.files;
        field.dispatchEvent(new Event('change'));
    }, kept());
    await page.until(() => document.querySelectorAll('#list a').length > 7
        && /\p{Nd}/u.test(document.querySelector('.transfer-outcome').textContent));
}
/** The conversations that a person may have kept. */
export const bring = async (page) => {
    await importKept(page);
    await closeDialog(page, '#data');
};

/** Opens a conversation. */
export const openOne = async (page, id) => {
    await page.evaluate((id) => { location.hash = `#id=${id}`; }, id);
    await page.until((id) =>
        document.querySelector(`#list a[href="#id=${id}"]`)?.hasAttribute('aria-current'), id);
};
