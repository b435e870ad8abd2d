// Azurite that ends with its parent: standard input is a pipe held by the test process and by nobody else, so its end of
// file says that the tests are over, however they ended.
//
// It collects no garbage: every ten minutes it would look up each extent that no blob uses any more in an index that it sorts
// anew for every one of them, and with some thousands of them it answers nobody for minutes.
"use strict";
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
require("./node_modules/azurite/dist/src/blob/utils/constants.js").DEFAULT_GC_INTERVAL_MS = 24 * 60 * 60 * 1000;
require("./node_modules/azurite/dist/src/azurite.js");
