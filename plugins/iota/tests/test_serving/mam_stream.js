// mam_stream.js FOLDER URL WEIGHT MODE: publish two messages with mam.js, fetch them, and do what @iota/core can do with a bundle.
const [folder, provider, weight, mode] = process.argv.slice(2);
const mam = require(folder + "/node_modules/@iota/mam.js");
const { composeAPI } = require(folder + "/node_modules/@iota/core");
const { asciiToTrytes, trytesToAscii } = require(folder + "/node_modules/@iota/converter");

(async () => {
  const api = composeAPI({ provider });
  const mwm = parseInt(weight, 10);
  const key = mode === "restricted" ? "KEY".padEnd(81, "9") : undefined;
  const seed = mode.toUpperCase().padEnd(81, "9");
  const tag = "MAM" + mode.toUpperCase();
  const channel = mam.createChannel(seed, 2, mode, key);
  const roots = [];
  for (const text of ["one", "two"]) {
    const message = mam.createMessage(channel, asciiToTrytes(text));
    roots.push(message.root);
    await mam.mamAttach(api, message, 3, mwm, tag);
  }
  const fetched = await mam.mamFetchAll(api, roots[0], mode, key, 5);
  console.log(fetched.map((each) => trytesToAscii(each.message)).join(","));
  const found = await api.findTransactions({ tags: [tag.padEnd(27, "9")] });
  const objects = await api.getTransactionObjects(found);
  const tail = objects.find((each) => each.currentIndex === 0).hash;
  console.log((await api.getBundle(tail)).length);
  console.log(await api.isPromotable(tail));
  console.log((await api.broadcastBundle(tail)).length);
  console.log((await api.replayBundle(tail, 3, mwm)).length);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
