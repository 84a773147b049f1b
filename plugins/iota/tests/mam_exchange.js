// mam_exchange.js FOLDER URL WEIGHT: with the deployed mam.js, write the channels in {"write": [...]} on stdin, two messages each,
// and read those in {"read": [...]}; prints the roots of the first and the texts of the second, as JSON.
const [folder, provider, weight] = process.argv.slice(2);
const mam = require(folder + "/node_modules/@iota/mam.js");
const { composeAPI } = require(folder + "/node_modules/@iota/core");
const { asciiToTrytes, trytesToAscii } = require(folder + "/node_modules/@iota/converter");

(async () => {
  const asked = JSON.parse(require("fs").readFileSync(0));
  const api = composeAPI({ provider });
  const roots = [];
  const texts = [];
  for (const { seed, mode, key, security, messages } of asked.write || []) {
    const channel = mam.createChannel(seed, security, mode, key || undefined);
    for (const [number, text] of messages.entries()) {
      const message = mam.createMessage(channel, asciiToTrytes(text));
      if (number === 0) roots.push(message.root);
      await mam.mamAttach(api, message, 3, parseInt(weight, 10), "MAMJS9WRITES");
    }
  }
  for (const { root, mode, key } of asked.read || []) {
    const fetched = await mam.mamFetchAll(api, root, mode, key || undefined, 5);
    texts.push(fetched.map((each) => trytesToAscii(each.message)));
  }
  console.log(JSON.stringify({ roots, texts }));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
