// Plays VRChat with npm's oscquery: announces itself and serves the parameters of an avatar, given
// as a JSON list of [address, OSC type]. A line on standard input is another avatar's list; the
// end of the input takes the announcement back.
import readline from "node:readline";
import oscquery from "oscquery";

const { OSCQAccess, OSCQueryServer, OSCTypeSimple } = oscquery;
const TYPES = { f: OSCTypeSimple.FLOAT, T: OSCTypeSimple.TRUE, i: OSCTypeSimple.INT };
const server = new OSCQueryServer({
  serviceName: process.argv[2],
  bindAddress: "127.0.0.1",
  httpPort: Number(process.argv[3]),
});
let worn = [];

function wear(parameters) {
  for (const [address] of worn) server.removeMethod(address);
  worn = parameters;
  for (const [address, type] of worn) {
    server.addMethod(address, { access: OSCQAccess.READWRITE, arguments: [{ type: TYPES[type] }] });
  }
}

wear(JSON.parse(process.argv[4]));
await server.start();
console.log("up");
for await (const line of readline.createInterface({ input: process.stdin })) {
  wear(JSON.parse(line));
  console.log("worn");
}
await server.stop();
process.exit(0);
