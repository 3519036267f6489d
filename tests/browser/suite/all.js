// Everything that is tested in each of the three browsers.

import {describe} from 'node:test';
import {reasonToSkip} from '../harness/browsers.js';
import {testConversations} from './conversations.js';
import {testData} from './data.js';
import {testDefaultModel} from './default_model.js';
import {testFiles} from './files.js';
import {testIsolation} from './isolation.js';
import {testKeyboard} from './keyboard.js';
import {testLanguages} from './languages.js';
import {testLasting} from './lasting.js';
import {testModels} from './models.js';
import {testOwnModels} from './own_models.js';
import {testRequests} from './requests.js';
import {testSafari} from './safari.js';
import {testScreens} from './screens.js';
import {testSettings} from './settings.js';
import {testSystem} from './system.js';
import {testTyping} from './typing.js';
import {testVersions} from './versions.js';
import {testWriting} from './writing.js';

/** @param {'chromium' | 'firefox' | 'webkit'} name */
export function testBrowser(name) {
    describe(name, {skip: reasonToSkip(name)}, () => {
        testDefaultModel(name);
        testOwnModels(name);
        testModels(name);
        testIsolation(name);
        testTyping(name);
        testSystem(name);
        testRequests(name);
        testSettings(name);
        testConversations(name);
        testFiles(name);
        testWriting(name);
        testVersions(name);
        testData(name);
        testLasting(name);
        if (name === 'webkit') testSafari();
        testLanguages(name);
        if (name === 'chromium') testKeyboard();
        testScreens(name);
    });
}
