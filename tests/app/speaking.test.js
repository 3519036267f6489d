// By which voice a text is read aloud: one of the device, or none.

import assert from 'node:assert/strict';
import test from 'node:test';
import {speakOrStop} from '../../web/app/markdown/speaking.js';

const REMOTE = {lang: 'en-US', localService: false}, LOCAL = {lang: 'en-GB', localService: true},
    OTHER = {lang: 'de-DE', localService: true};

class Synthesis extends EventTarget {
    speaking = false;
    pending = false;
    voices = [];
    said = [];
    getVoices() { return this.voices; }
    speak(said) { this.said.push(said); }
    cancel() { this.said.push('cancel'); }
}

/**
 * Presses once with these voices, of which the last come later.
 * @returns {Promise<unknown[]>} what was said, by which voice
 */
async function press(voices, later = voices) {
    const synthesis = Object.assign(new Synthesis(), {voices}), out = [];
    Object.assign(globalThis, {speechSynthesis: synthesis, document: {documentElement: {lang: 'en'}},
        SpeechSynthesisUtterance: class { constructor(text) { this.text = text; } }});
    const speaking = speakOrStop('Salt', () => out.push('none'));
    synthesis.voices = later;
    synthesis.dispatchEvent(new Event('voiceschanged'));
    await speaking;
    return [...synthesis.said.map(({text, voice, lang}) => [text, voice, lang]), ...out];
}

test('a voice of the device speaks, in the language of the page where there is one', async () => {
    assert.deepEqual(await press([REMOTE, OTHER, LOCAL]), [['Salt', LOCAL, 'en-GB']]);
    assert.deepEqual(await press([REMOTE, OTHER]), [['Salt', OTHER, 'de-DE']]);
});

test('without one nothing is said, and the person is told', async () => {
    assert.deepEqual(await press([REMOTE]), ['none']);
    assert.deepEqual(await press([], [REMOTE]), ['none']);
});

test('voices that come later are waited for; a second press ends the waiting', async () => {
    assert.deepEqual(await press([], [LOCAL]), [['Salt', LOCAL, 'en-GB']]);
    const synthesis = globalThis.speechSynthesis = new Synthesis(), none = () => assert.fail('said none');
    const first = speakOrStop('Salt', none);
    await speakOrStop('Salt', none);
    synthesis.voices = [LOCAL];
    await first;
    assert.deepEqual(synthesis.said, ['cancel']);
});
