// The page in a real Chromium.

import {testBrowser} from './suite/all.js';

testBrowser('chromium');
