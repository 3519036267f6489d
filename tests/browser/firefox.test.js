// The page in a real Firefox.

import {testBrowser} from './suite/all.js';

testBrowser('firefox');
