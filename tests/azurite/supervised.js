// Azurite that ends with its parent: standard input is a pipe held by the test process and by nobody else, so its end of
// file says that the tests are over, however they ended.
"use strict";
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
require("./node_modules/azurite/dist/src/azurite.js");
